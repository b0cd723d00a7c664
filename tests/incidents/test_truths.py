"""The first line is true from the first second to the last: what falls again, what a person does, what is refused."""

import asyncio
from typing import Any

import pytest
from temporalio.client import Client

from cluster.answers.model import Answer
from lab.physics.faults import Fault
from runbooks.loss import NodeLossReport, SiteLossReport
from tests.incidents.conftest import Site, Watched, ended
from tests.incidents.test_levels import waits_for
from tests.runs import said, steps, until
from workflows.attributes import STATE

pytestmark = pytest.mark.slow

# Lab seconds that an answer takes: long enough for a verdict meanwhile.
SLOWLY = 120.0
B_NODES = ("pxmx02-01", "pxmx02-02", "pxmx02-03")


async def first_line(run: Any) -> str:
    return str((await run.query("page")).splitlines()[2]).strip("*")


async def shows(run: Any, what: str, within: float = 60) -> str:
    """Wait until the first line says that."""
    for _ in range(int(within / 0.1)):
        if what in (line := await first_line(run)):
            return line
        await asyncio.sleep(0.1)
    raise AssertionError(f"waited for {what!r}: {line}\n{await run.query('page')}")


async def attention(client: Client, run: Any) -> str:
    return str((await run.describe()).typed_search_attributes.get(STATE))


async def test_a_graver_verdict_leads_and_guests_that_fall_again_are_told(site: Site, watched: Watched, client: Client):
    """Site lost, guests back, then the witness: quorum is lost, the survivors reset, and it stands in the record."""
    site.fail("site-power", "site-a")
    run = await watched.loss()
    await waits_for(run)
    assert await first_line(run) == "Waiting for site-a to return. No action needed."

    site.fail("witness")
    await shows(run, "Act now: The quorum is lost. No guest can start anywhere, and nodes with HA guests reset.")
    page = await run.query("page")
    assert page.startswith("### Quorum lost (site-a) · Site site-a is lost (apply)")
    assert await attention(client, run) == "attention"
    told = Answer.model_validate(await run.query("advice"))
    assert "run `pvecm expected` without a second person and proof that the silent nodes are off" in told.never
    assert "pxmx01-01 (BMC 127." in told.tasks[0].do
    await until(run, lambda found: any(one.title == "vm:300 is down again" for one in found), "the fall", 90)
    progress = await run.query("progress")
    assert "down again since T+" in progress["waiting"]["vm:300"]
    site.restore("witness")
    await shows(run, "Waiting for site-a to return. No action needed.", 90)
    assert (await run.query("page")).startswith("### Site site-a is lost (apply)")
    site.restore("site-power", "site-a")
    await ended(run, 120)

    report = SiteLossReport.model_validate(await run.result())
    assert {one.sid: len([o for o in report.outages if o.sid == one.sid]) for one in report.back} == {
        "vm:300": 2,
        "vm:301": 2,
    }
    assert all(one.until is not None for one in report.outages)
    assert report.not_back == {}


async def test_a_guest_that_ha_gave_up_asks_for_a_person_and_is_seen_when_it_is_fixed(
    site: Site, watched: Watched, client: Client
):
    """The volume group is hidden at the survivor: HA gives up; a person fixes it, and it stands in the record."""
    for node in B_NODES:
        site.fail("vg-hidden", node)
    site.fail("site-power", "site-a")
    run = await watched.loss()
    line = await shows(run, "Act now: ac-test-vm-0", 90)
    assert "Meanwhile: Waiting for" in line
    await waits_for(run, within=90)
    assert await attention(client, run) == "attention"
    for node in B_NODES:
        site.restore("vg-hidden", node)

    async def fixed() -> None:
        for sid in ("vm:300", "vm:301"):
            site.world.cluster.ha.resources[sid]["state"] = "disabled"
        await site.world.clock.sleep(40)
        for sid in ("vm:300", "vm:301"):
            site.world.cluster.ha.resources[sid]["state"] = "started"

    await asyncio.to_thread(site.call, fixed())
    await shows(run, "Waiting for site-a to return. No action needed.", 60)
    site.restore("site-power", "site-a")
    await ended(run, 90)
    report = SiteLossReport.model_validate(await run.result())
    assert {one.sid for one in report.back if one.ok} == {"vm:300", "vm:301"}


async def test_a_right_that_is_missing_delays_nothing(site: Site, watched: Watched):
    """The rebalancer may not be switched off: it is listed, and fencing and recovery are followed all the same."""
    site.world.cluster.options["crs"] = "ha=dynamic,ha-auto-rebalance=1"
    site.world.cluster.ha.resources["vm:301"]["failback"] = 1
    site.world.cluster.drop_privilege(site.inventory.api.token_id, "Sys.Modify")
    site.fail("site-power", "site-a")
    run = await watched.loss()
    await waits_for(run)

    found = {step.title: step for step in await steps(run)}
    assert found["pxmx01-01 is fenced"].state == "done"
    assert found["Guests run again"].state == "done"
    assert site.world.cluster.ha.resources["vm:301"]["failback"] == 0
    assert "Sys.Modify" in str([step.finding for step in found.values() if step.state == "warned"])


async def test_a_proof_that_is_refused_is_a_finding(site: Site, watched: Watched):
    """HA says that the guests run; a right is missing to look: that is said, and nobody waits for it as late."""
    fault = Fault("^pve:", r"^GET .*/qemu/30\d/status/current", "fail", times=None, status=403,
                  message="Permission check failed (/vms/300, VM.Audit)")  # fmt: skip
    site.world.faults.plant(fault)
    site.fail("site-power", "site-a")
    run = await watched.loss()

    line = await shows(run, "2 guests not verified", 90)
    assert line.startswith("Act now: 2 guests not verified: HA calls them started. Whether they run is not known.")
    page = str(await run.query("page"))
    assert "ac-test-vm-01 (300): HA calls it started; not verified: " in page
    assert "(/vms/300, VM.Audit)" in page


async def test_a_site_that_comes_back_in_part_is_a_way_on(site: Site, watched: Watched):
    """Two of three nodes return: after a while a person is asked, and the incident hands over for those two."""
    for node in ("pxmx01-01", "pxmx01-02", "pxmx01-03"):
        site.fail("node", node)
    run = await watched.loss()
    await waits_for(run)
    for node in ("pxmx01-01", "pxmx01-02"):
        site.restore("node", node)
    await until(run, lambda found: any(one.state == "parked" for one in found), "the question", 120)
    parked = next(one for one in await steps(run) if one.state == "parked")
    assert "2 of 3 nodes are members again, and pxmx01-03 did not follow within 10 min" in parked.finding
    await said(run, "answer", {"answer": "skip", "step": parked.title, "why": "its board is broken", "by": "ana"})
    await ended(run, 120)

    report = SiteLossReport.model_validate(await run.result())
    assert report.missing == ("pxmx01-03",)
    state = await watched.until(lambda state: state.open is not None, "the loss of the node", 60)
    assert state.open is not None
    assert (state.open.kind, state.open.where) == ("NodeLoss", ("pxmx01-03",))


async def test_a_node_that_is_lost_is_followed_to_the_end(site: Site, watched: Watched):
    """Fenced by proof, its guest verified, its quarantine listed when it is back, and nothing moves."""
    site.world.cluster.ha.resources["vm:300"]["failback"] = 1
    site.fail("node", "pxmx01-01")
    run = await watched.nodes("pxmx01-01")
    assert run.id.startswith("node-loss/pxmx-cluster/pxmx01-01/")
    await waits_for(run, "pxmx01-01", 60)
    assert site.world.cluster.ha.resources["vm:300"]["failback"] == 0
    site.restore("node", "pxmx01-01")
    await ended(run, 90)

    report = NodeLossReport.model_validate(await run.result())
    assert set(report.timeline.fenced) == {"pxmx01-01"}
    assert [one.sid for one in report.back if one.ok] == ["vm:300"]
    assert report.homes == {"vm:300": "pxmx01-01"}
    assert any(step.title == "Watchdogs run" for step in await steps(run))


async def test_a_node_that_follows_while_the_incident_still_opens_belongs_to_it(site: Site, watched: Watched):
    """HA's list takes its time; the second node is told meanwhile, and waited for like the first."""
    slow = Fault("^pve:", "^GET .*/cluster/options", "delay", None, seconds=SLOWLY)

    async def planted() -> None:
        site.world.faults.plant(slow)

    site.call(planted())
    site.fail("node", "pxmx01-01")
    run = await watched.nodes("pxmx01-01")
    site.fail("node", "pxmx01-02")
    await until(run, lambda found: any(one.title == "pxmx01-02 is fenced" for one in found), "the second", 90)
    await waits_for(run, "pxmx01-01, pxmx01-02", 90)
    site.restore("node", "pxmx01-01")
    site.restore("node", "pxmx01-02")
    await ended(run, 120)

    report = NodeLossReport.model_validate(await run.result())
    assert report.nodes == ("pxmx01-01", "pxmx01-02")
    assert set(report.timeline.fenced) == {"pxmx01-01", "pxmx01-02"}
    assert slow.met


async def test_nodes_that_follow_each_other_become_the_loss_of_their_site(site: Site, watched: Watched, client: Client):
    """One after the other: the second is taken in, with the third the site's loss takes over, homes and fencing too."""
    site.fail("node", "pxmx01-01")
    run = await watched.nodes("pxmx01-01")
    site.fail("node", "pxmx01-02")
    await until(run, lambda found: any(one.title == "pxmx01-02 is fenced" for one in found), "the second", 60)
    site.fail("node", "pxmx01-03")
    state = await watched.until(lambda state: state.open is not None and state.open.kind == "SiteLoss", "it", 60)
    await ended(run, 60)
    assert state.open is not None
    loss = client.get_workflow_handle(state.open.run)
    await waits_for(loss, within=90)

    assert (await run.result())["handed_to"] == state.open.run
    progress = await loss.query("progress")
    assert progress["guests"]["vm:300"] == "pxmx01-01"
    found = {step.title: step.state for step in await steps(loss)}
    assert (found["pxmx01-01 is fenced"], found["pxmx01-02 is fenced"]) == ("done", "done")
