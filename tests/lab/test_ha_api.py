"""HA's rules, commands and planned work through the API's own handlers (reference: pve-ha §§11 and 12)."""

from typing import Any

import pytest

from lab import jump
from lab.proxmox.access import ROOT
from lab.proxmox.calls import Call
from lab.proxmox.errors import PveError
from lab.proxmox.urls import routes
from tests.lab.stage import SITE_A, SITE_B, Stage, healthy

TABLE = routes().table
NODE = "pxmx02-01"


class Api:
    """The handlers, as root@pam calls them on one node."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    async def call(self, verb: str, template: str, **parameters: Any) -> Any:
        call = Call(self.stage.world.cluster, parameters.get("via", NODE), ROOT, parameters)
        return await TABLE[verb, template](call)

    async def refused(self, verb: str, template: str, **parameters: Any) -> str:
        with pytest.raises(PveError) as caught:
            await self.call(verb, template, **parameters)
        return caught.value.message


def play(story) -> None:
    """A story on a healthy cluster."""

    async def run() -> None:
        stage = await healthy(master=NODE)
        await story(stage, Api(stage))
        await stage.world.cluster.stop()

    jump.run(run())


HOME = {"rule": "home", "type": "node-affinity", "resources": "vm:300", "nodes": "pxmx01-02,pxmx01-01:2"}


def test_a_rule_is_kept_in_its_canonical_form():
    """Nodes sorted, a priority of 0 not written, the order from 1; changed by PUT, gone after DELETE."""

    async def story(_: Stage, api: Api) -> None:
        await api.call("POST", "/cluster/ha/rules", **HOME, strict=0)
        (rule,) = await api.call("GET", "/cluster/ha/rules")
        assert {key: value for key, value in rule.items() if key != "digest"} == {
            "rule": "home", "type": "node-affinity", "resources": "vm:300", "order": 1,
            "nodes": "pxmx01-01:2,pxmx01-02",
        }  # fmt: skip

        await api.call("PUT", "/cluster/ha/rules/{rule}", rule="home", type="node-affinity", comment="x", strict=1)
        changed = await api.call("GET", "/cluster/ha/rules/{rule}", rule="home")
        assert (changed["comment"], changed["strict"], changed["digest"] != rule["digest"]) == ("x", 1, True)
        await api.call("PUT", "/cluster/ha/rules/{rule}", rule="home", type="node-affinity", delete="comment,strict")
        assert not {"comment", "strict"} & set(await api.call("GET", "/cluster/ha/rules/{rule}", rule="home"))

        await api.call("DELETE", "/cluster/ha/rules/{rule}", rule="home")
        await api.call("DELETE", "/cluster/ha/rules/{rule}", rule="home")
        assert await api.call("GET", "/cluster/ha/rules") == []

    play(story)


def test_rules_are_refused_in_pves_words():
    """With the prefix of what was tried."""

    async def story(_: Stage, api: Api) -> None:
        post, put, one = "create ha rule failed: ", "update HA rules failed: ", "/cluster/ha/rules/{rule}"
        assert await api.refused("PUT", one, **HOME) == f"{put}HA rule 'home' does not exist"
        await api.call("POST", "/cluster/ha/rules", **HOME)
        assert await api.refused("POST", "/cluster/ha/rules", **HOME) == f"{post}HA rule 'home' already defined"
        wrong = HOME | {"rule": "other", "nodes": "foo,bar"}
        assert await api.refused("POST", "/cluster/ha/rules", **wrong) == (
            f"{post}cannot use non-existent node(s) foo, bar."
        )
        twice = await api.refused("POST", "/cluster/ha/rules", **(HOME | {"rule": "again"}))
        assert twice.startswith(f"{post}Rule 'again' is invalid.\nresources: resource 'vm:300' is already used")
        stale = await api.refused("PUT", one, **HOME, digest="0" * 40)
        assert stale == f"{put}detected modified configuration - file changed by other user? Try again."

    play(story)


def test_a_removed_resource_leaves_its_rules():
    """`purge` is on by default."""

    async def story(stage: Stage, api: Api) -> None:
        pair = {"rule": "pair", "type": "resource-affinity", "affinity": "positive", "resources": "vm:300,vm:301"}
        await api.call("POST", "/cluster/ha/rules", **pair)
        await api.call("DELETE", "/cluster/ha/resources/{sid}", sid="vm:300")
        assert stage.ha.rules["pair"]["resources"] == "vm:301"

    play(story)


def test_a_migration_takes_companions_along():
    """The answer names them, and both arrive."""

    async def story(stage: Stage, api: Api) -> None:
        pair = {"rule": "pair", "type": "resource-affinity", "affinity": "positive", "resources": "vm:300,vm:301"}
        await api.call("POST", "/cluster/ha/rules", **pair)
        answer = await api.call("POST", "/cluster/ha/resources/{sid}/migrate", sid="vm:300", node="pxmx02-02")
        assert answer == {
            "sid": "vm:300", "requested-node": "pxmx02-02", "comigrated-resources": ["vm:301"],
        }  # fmt: skip
        await stage.until("there", lambda: {s.node for s in stage.services()} == {"pxmx02-02"}, 90)

    play(story)


def test_a_migration_that_a_rule_forbids_is_answered_and_not_done():
    """Status 200 all the same, with what stands in the way."""

    async def story(stage: Stage, api: Api) -> None:
        apart = {"rule": "apart", "type": "resource-affinity", "affinity": "negative", "resources": "vm:300,vm:301"}
        await api.call("POST", "/cluster/ha/rules", **apart)
        answer = await api.call("POST", "/cluster/ha/resources/{sid}/migrate", sid="vm:300", node="pxmx01-02")
        assert answer["blocking-resources"] == [{"sid": "vm:301", "cause": "resource-affinity"}]
        await stage.sleep(40)
        assert stage.service(300).node == "pxmx01-01"

    play(story)


def test_disarming_and_arming_over_the_api():
    """Master, fencing and LRM lines say so, and guests run on."""

    async def story(stage: Stage, api: Api) -> None:
        await api.call("POST", "/cluster/ha/status/disarm-ha", **{"resource-mode": "freeze"})
        await stage.until("disarmed", lambda: (stage.ha.manager.disarm or {}).get("state") == "disarmed", 60)
        entries = {entry["id"]: entry for entry in await api.call("GET", "/cluster/ha/status/current")}
        assert entries["fencing"]["armed-state"] == "disarmed"
        assert entries["fencing"]["resource_mode"] == "freeze"
        assert "disarmed, resource mode: freeze" in entries["master"]["status"]
        assert "(disarm mode, watchdog released, " in entries["lrm:pxmx01-01"]["status"]
        assert (entries["service:vm:300"]["state"], stage.guests[300].running) == ("freeze", True)

        await api.call("POST", "/cluster/ha/status/arm-ha")
        await stage.until("armed", lambda: {s.state for s in stage.services()} == {"started"}, 60)
        fencing = (await api.call("GET", "/cluster/ha/status/current"))[2]
        assert fencing["status"] == "armed (CRM watchdog active)"

    play(story)


def test_a_node_is_shut_down_over_the_api():
    """It answers at once; the guests are stopped, the node goes, and HA restarts them elsewhere."""

    async def story(stage: Stage, api: Api) -> None:
        assert await api.call("POST", "/nodes/{node}/status", via="pxmx01-01", command="shutdown") is None
        assert stage.world.nodes["pxmx01-01"].powered
        await stage.until("off", lambda: not stage.world.nodes["pxmx01-01"].powered, 90)
        await stage.until("elsewhere", lambda: stage.guests[300].running, 150)
        assert stage.guests[300].node != "pxmx01-01"

    play(story)


def test_a_node_that_is_cut_off_shows_what_it_last_knew():
    """No quorum, an old master and dead LRMs by its own words, while the others have moved on."""

    async def story(stage: Stage, api: Api) -> None:
        stage.world.links.cut("uplink:site-a")
        await stage.until("running", lambda: stage.guests[300].running and stage.guests[300].node in SITE_B, 200)

        async def status(node: str) -> dict[str, str]:
            entries = await api.call("GET", "/cluster/ha/status/current", via=node)
            return {entry["id"]: entry["status"] for entry in entries}

        there, here = await status("pxmx01-03"), await status(NODE)
        assert there["quorum"] == "No quorum on node 'pxmx01-03'!"
        assert "old timestamp - dead?" in there["master"]
        assert (there["service:vm:300"], here["quorum"]) == ("vm:300 (pxmx01-01, started)", "OK")
        guests = await api.call("GET", "/cluster/resources", via="pxmx01-03", type="vm")
        assert {guest["node"] for guest in guests if guest["vmid"] == 300} == {"pxmx01-01"}
        assert {
            row["name"] for row in await api.call("GET", "/cluster/status", via="pxmx01-03") if row.get("online")
        } <= {*SITE_A}

    play(story)
