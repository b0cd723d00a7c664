"""HA's rules, commands and planned work through the API's own handlers (reference: pve-ha §§11 and 12)."""

from typing import Any

import pytest

from lab.built import add_guest
from lab.physics import jump
from tests.lab.stage import SITE_A, SITE_B, Api, Stage, deployed, healthy

NODE = "pxmx02-01"


def play(story) -> None:
    """A story on a healthy cluster."""

    async def run() -> None:
        stage = await healthy(master=NODE)
        await story(stage, Api(stage))
        await stage.world.cluster.stop()

    jump.run(run())


HOME = {"rule": "home", "type": "node-affinity", "resources": "vm:300", "nodes": "pxmx01-02,pxmx01-01:2"}


def test_a_rule_is_kept_in_its_canonical_form():
    """Nodes sorted, a priority of 0 not written, `strict` as it was sent, the order from 1; PUT and DELETE."""

    async def story(_: Stage, api: Api) -> None:
        await api.call("POST", "/cluster/ha/rules", **HOME, strict=0)
        (rule,) = await api.call("GET", "/cluster/ha/rules")
        assert {key: value for key, value in rule.items() if key != "digest"} == {
            "rule": "home", "type": "node-affinity", "resources": "vm:300", "order": 1,
            "nodes": "pxmx01-01:2,pxmx01-02", "strict": 0,
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


async def in_error(stage: Stage, sid: str) -> None:
    """A guest that HA has given up: nowhere can it be started."""
    stage.ha.manager.services[sid].state = "error"
    await stage.sleep(12)
    assert stage.ha.manager.services[sid].state == "error"


ANY_CHANGE: list[dict[str, Any]] = [
    {"failback": 0}, {"comment": "x"}, {"delete": "comment"}, {"state": "started"}, {"state": "stopped"},
    {"state": "ignored"}, {"max_restart": 3, "state": "enabled"},
]  # fmt: skip


@pytest.mark.parametrize("sid", ["vm:300", "ct:310"])
def test_a_service_in_error_takes_nothing_but_being_disabled(sid: str):
    """No change of any property, no command; only ``disabled``, alone or with others, and being taken out of HA."""

    async def story() -> None:
        stage = await deployed(master=NODE, more=lambda world: add_guest(world, 310, NODE, "lxc", ha="started"))
        api, one, refusal = Api(stage), "/cluster/ha/resources/{sid}", f"service '{sid}' in error state"
        await in_error(stage, sid)
        before = dict(stage.ha.resources[sid])
        said = [await api.refused("PUT", one, sid=sid, **change) for change in ANY_CHANGE]
        for move in ("migrate", "relocate"):
            said.append(await api.refused("POST", f"{one}/{move}", sid=sid, node="pxmx01-03"))
        assert [words for words in said if not words.startswith(refusal)] == []
        assert (stage.ha.resources[sid], stage.ha.commands) == (before, [])

        await api.call("PUT", one, sid=sid, state="disabled", failback=0)
        await stage.until("disabled", lambda: stage.ha.manager.services[sid].state == "stopped", 30)
        await api.call("PUT", one, sid=sid, state="started", comment="fixed")
        await stage.until("runs again", lambda: stage.ha.manager.services[sid].running, 60)
        await stage.world.cluster.stop()

    jump.run(story())


def test_other_services_are_changed_beside_one_in_error():
    """The refusal is about the one; a resource in error can be deleted."""

    async def story(stage: Stage, api: Api) -> None:
        await in_error(stage, "vm:300")
        await api.call("PUT", "/cluster/ha/resources/{sid}", sid="vm:301", failback=0)
        assert stage.ha.resources["vm:301"]["failback"] == 0
        await api.call("DELETE", "/cluster/ha/resources/{sid}", sid="300")
        await stage.until("let go", lambda: "vm:300" not in stage.ha.manager.services, 15)

    play(story)


@pytest.mark.parametrize(
    ("verb", "what", "command"),
    [
        ("start", {}, "set vm:300 --state started"),
        ("stop", {}, "crm-command stop vm:300 0"),
        ("shutdown", {"timeout": 20}, "crm-command stop vm:300 20"),
    ],
)
def test_the_guests_own_calls_fail_in_their_task(verb: str, what: dict[str, int], command: str):
    """The call is taken; the tool that its task runs is refused, and says why in the task's log."""

    async def story(stage: Stage, api: Api) -> None:
        await in_error(stage, "vm:300")
        template = f"/nodes/{{node}}/qemu/{{vmid}}/status/{verb}"
        upid = await api.call("POST", template, via="pxmx01-01", vmid=300, **what)
        task = await api.ended(upid)
        assert task.exitstatus == f"command 'ha-manager {command}' failed: exit code 255"
        assert "service 'vm:300' in error state, must be disabled and fixed first" in task.lines

    play(story)


def test_a_rule_goes_with_its_last_resource():
    """A rule about the removed resource alone is removed, too."""

    async def story(stage: Stage, api: Api) -> None:
        await api.call("POST", "/cluster/ha/rules", **HOME)
        await api.call("DELETE", "/cluster/ha/resources/{sid}", sid="vm:300")
        assert stage.ha.rules == {}

    play(story)


@pytest.mark.parametrize(
    ("sid", "said"),
    [
        ("ct:300", "resource 'ct:300' - guest with ID 300 is not a container"),
        ("vm:310", "resource 'vm:310' - guest with ID 310 is not a VM"),
        ("ct:999", "resource 'ct:999' does not exist in cluster"),
        ("310", "create resource failed: resource ID 'ct:310' already defined"),
    ],
)
def test_a_resource_is_what_its_guest_is(sid: str, said: str):
    """The type is the guest's; a bare number finds it."""

    async def story() -> None:
        stage = await deployed(master=NODE, more=lambda world: add_guest(world, 310, NODE, "lxc", ha="started"))
        assert await Api(stage).refused("POST", "/cluster/ha/resources", sid=sid) == said
        await stage.world.cluster.stop()

    jump.run(story())
