"""Switches have one owner: whatever happens to the runs that turned them off, each is back as it was, or listed."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import WorkflowFailureError
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.testing import ActivityEnvironment

from activities.clients.proxmox import PveApi
from activities.clients.secrets import Secrets
from activities.errors import Unreachable
from activities.records import ledger as ledger_activities
from activities.records.ledger import LedgerBook
from cluster.ledger import Book, RunRef, ledger_id
from cluster.ledger_calls import BookWish, Forgetting, LedgerRequest, Noting, PresentWish, Taking
from cluster.recovery import Frozen
from lab.physics.faults import Fault
from tests.ledger.conftest import JOB, SWITCHES, Office, Switched
from tests.ledgers import book
from tests.runs import said, steps, until
from workflows import attributes, lasting

OFF = {"vm:300", "vm:301", "crs", JOB}
CRS = Frozen(kind="options", name="crs", field="ha-auto-rebalance", old="1", new="0")
GONE = RunRef(run="site-loss/of-last-week", run_id="00000000-0000-4000-8000-000000000000")


def why(found: Book) -> dict[str, str]:
    return {entry.switch.name: entry.held_back for entry in found.switches}


async def told(office: Office, update: str, message: Any) -> None:
    """Say something to the ledger as an activity does."""
    handle = office.client.get_workflow_handle(ledger_id(office.inventory.name))
    await handle.execute_update(update, message)


async def is_off(site: Switched, names: set[str]) -> None:
    """Wait until exactly these are off."""
    async with asyncio.timeout(20):
        while site.off != names:  # noqa: ASYNC110  # what is looked at is the twin
            await asyncio.sleep(0.02)


# --- every ending -----------------------------------------------------------------------------------------------------


async def test_what_a_run_disables_is_back_when_it_ends(site: Switched, office: Office):
    """Every switch goes back to what it was, other options of the same field untouched."""
    run = await office.holds()
    assert site.off == OFF
    assert {str(entry.switch) for entry in (await office.book()).switches} == set(SWITCHES)
    report = await office.lets_go(run)
    assert set(report["restored"]) == set(SWITCHES)
    assert report["outstanding"] == {}
    assert site.off == set()
    assert site.crs == "ha=static,ha-auto-rebalance=1"
    assert (await office.book()).switches == ()


async def test_an_aborted_run_leaves_nothing_off(site: Switched, office: Office):
    """The landing gives back."""
    run = await office.holds()
    await said(run, "abort", {"by": "ana", "why": "a test"})
    with pytest.raises(WorkflowFailureError):
        await run.result()
    assert site.off == set()
    assert (await office.book()).switches == ()


async def test_a_terminated_run_holds_nothing_once_that_is_noticed(site: Switched, office: Office):
    """It could not give back; the ledger sees that it is over."""
    run = await office.holds()
    await run.terminate("by hand")
    found = await office.compares()
    assert found.switches == ()
    assert found.present == ()
    assert site.off == set()


async def test_the_ledger_notices_a_terminated_run_by_itself(site: Switched, office: Office):
    """Every ten minutes of the cluster's time it compares itself with the world; here a rehearsal's."""
    office.speed = 300.0  # ten minutes in two seconds
    await office.shut()
    await office.open()
    run = await office.holds()
    await run.terminate("by hand")
    await is_off(site, set())
    await office.says(lambda found: not found.switches, "an empty ledger")


async def test_a_run_that_gives_back_while_no_worker_is_there_ends_well(site: Switched, office: Office):
    """Runs, ledger and what is to be done wait for the worker together."""
    run = await office.holds()
    await office.shut()
    await run.signal("let_go")
    assert site.off == OFF
    await office.open()
    report = await run.result()
    assert set(report["restored"]) == set(SWITCHES)
    assert site.off == set()


async def test_a_run_of_which_nothing_is_left_holds_nothing(site: Switched, office: Office):
    """Gone with the namespace's retention: the ledger needs no record but its own."""
    run = await office.holds()
    await told(office, "take", Taking(by=GONE, why="site-loss", switches=()))
    await office.lets_go(run)
    found = await office.compares()
    assert found.switches == ()
    assert site.off == set()


# --- two runs ---------------------------------------------------------------------------------------------------------


async def test_two_runs_share_a_switch_and_the_last_one_brings_it_back(site: Switched, office: Office):
    """The first to end leaves everything off, because the other one needs it; the old value is the first taker's."""
    first = await office.holds()
    second = await office.holds()
    report = await office.lets_go(first)
    assert report["restored"] == []
    assert set(report["outstanding"]) == set(SWITCHES)
    assert all(f"{second.id} needs it disabled" in why for why in report["outstanding"].values())
    assert site.off == OFF
    report = await office.lets_go(second)
    assert set(report["restored"]) == set(SWITCHES)
    assert site.off == set()


async def test_two_runs_that_begin_at_once_know_of_each_other(site: Switched, office: Office):
    """Whoever comes first: each switch has both holders, and goes back once."""
    first, second = await asyncio.gather(office.holds(), office.holds())
    found = await office.book()
    assert all({one.run for one in entry.holders} == {first.id, second.id} for entry in found.switches)
    await asyncio.gather(office.lets_go(first), office.lets_go(second))
    found = await office.compares()
    assert found.switches == ()
    assert site.off == set()


async def test_two_losses_without_a_failback_keep_the_first_homes(site: Switched, office: Office):
    """The second one finds the guests where the first one has brought them: that is not their home."""
    first = await office.holds(homes={"vm:300": "pxmx02-01", "vm:301": "pxmx02-02"})
    await office.lets_go(first)
    second = await office.holds(homes={"vm:300": "pxmx01-01"})
    report = await office.lets_go(second)
    found = await office.book()
    assert {sid: home.node for sid, home in found.homes.items()} == {"vm:300": "pxmx02-01", "vm:301": "pxmx02-02"}
    assert set(report["outstanding"]) == set(SWITCHES)
    assert site.off == OFF


# --- lost replies and refusals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["PUT /cluster/ha/resources", "PUT /cluster/options", "PUT /cluster/backup"])
async def test_a_reply_that_is_lost_after_turning_off_loses_no_switch(call: str, site: Switched, office: Office):
    """The ledger knew before; the next attempt reads first."""
    site.world.faults.plant(Fault("pve:", call, "drop"))
    run = await office.holds()
    assert site.off == OFF
    report = await office.lets_go(run)
    assert set(report["restored"]) == set(SWITCHES)
    assert site.off == set()


@pytest.mark.parametrize("call", ["PUT /cluster/ha/resources", "PUT /cluster/options", "PUT /cluster/backup"])
async def test_a_reply_that_is_lost_after_turning_on_is_read_again(call: str, site: Switched, office: Office):
    """Listed with the silence as its reason, and found to be back with the next look."""
    run = await office.holds()
    site.world.faults.plant(Fault("pve:", call, "drop"))
    report = await office.lets_go(run)
    assert len(report["outstanding"]) == 1
    found = await office.compares()
    assert found.switches == ()
    assert site.off == set()


async def test_a_service_in_error_leaves_the_others_switched(site: Switched, office: Office):
    """HA takes no change of it and moves nothing that is in error: its failback stays on, and is listed."""
    site.manager.services["vm:300"].state = "error"
    run = await office.holds()
    assert site.off == OFF - {"vm:300"}
    lines = {step.title: step for step in await steps(run)}
    assert lines["Automatic moves are disabled"].state == "warned"
    assert lines["vm:300 failback stays on"].state == "warned"
    assert "until its state is set to disabled" in lines["vm:300 failback stays on"].finding
    report = await office.lets_go(run)
    assert list(report["refused"]) == ["vm:300 failback 1"]
    assert report["outstanding"] == {}
    assert site.off == set()


async def test_a_missing_right_leaves_the_others_switched_and_is_named(site: Switched, office: Office):
    """`Sys.Modify` is what the scheduler's options ask for; the incident goes on without it."""
    site.lacks("Sys.Modify")
    run = await office.holds()
    assert site.off == {"vm:300", "vm:301"}
    report = await office.lets_go(run)
    assert "Sys.Modify" in report["refused"]["crs ha-auto-rebalance 1"]
    assert "Sys.Modify" in report["refused"][f"{JOB} enabled 1"]
    assert report["outstanding"] == {}
    assert site.off == set()


async def test_a_right_that_is_missing_at_the_end_lists_the_switch(site: Switched, office: Office):
    """And when it is granted again, the ledger sets the switch back by itself."""
    run = await office.holds()
    site.lacks("Sys.Modify")
    report = await office.lets_go(run)
    assert set(report["outstanding"]) == {"crs ha-auto-rebalance 1", f"{JOB} enabled 1"}
    assert all("Sys.Modify" in one for one in report["outstanding"].values())
    assert site.off == {"crs", JOB}
    site.lacks()
    assert (await office.compares()).switches == ()
    assert site.off == set()


async def test_what_does_not_exist_any_more_is_not_listed(site: Switched, office: Office):
    """A guest that was taken out of HA has no failback to be set back."""
    run = await office.holds()
    del site.world.cluster.ha.resources["vm:301"]
    del site.world.cluster.jobs[JOB]
    report = await office.lets_go(run)
    assert report["outstanding"] == {}
    texts = [one.text for one in (await office.book()).happened]
    assert "vm:301 failback 1: does not exist any more" in texts
    assert f"{JOB} enabled 1: does not exist any more" in texts


async def test_a_switch_that_another_hand_turns_on_is_left_alone(site: Switched, office: Office):
    """It is as it was: nothing is to be done."""
    run = await office.holds()
    site.world.cluster.options["crs"] = "ha=dynamic,ha-auto-rebalance=1"
    await office.lets_go(run)
    assert site.crs == "ha=dynamic,ha-auto-rebalance=1"
    assert (await office.book()).switches == ()


async def test_a_plan_turns_nothing_off_and_takes_nothing(site: Switched, office: Office):
    """It says what it would turn off."""
    run = await office.holds(mode="plan")
    assert site.off == set()
    assert (await office.book()).switches == ()
    line = next(step for step in await steps(run) if step.title == "Automatic moves are disabled")
    assert line.finding == f"would disable vm:300 failback, vm:301 failback, crs ha-auto-rebalance, {JOB} enabled"
    await office.lets_go(run)


# --- what holds a switch back -----------------------------------------------------------------------------------------


async def test_nothing_goes_back_that_would_move_a_guest_that_is_away(site: Switched, office: Office):
    """Neither its own failback nor what concerns all; another guest's failback goes back."""
    run = await office.holds(homes={"vm:300": "pxmx02-01"})
    report = await office.lets_go(run)
    assert report["restored"] == ["vm:301 failback 1"]
    assert site.off == {"vm:300", "crs", JOB}
    assert report["outstanding"]["vm:300 failback 1"] == (
        "restoring it would move the guest at once: it runs on pxmx01-01, its home is pxmx02-01"
    )
    assert "vm:300 (pxmx02-01)" in report["outstanding"]["crs ha-auto-rebalance 1"]


async def test_when_the_guest_is_at_home_again_everything_goes_back(site: Switched, office: Office):
    """However it came there: here by a person's hand."""
    run = await office.holds(homes={"vm:300": "pxmx02-01"})
    await office.lets_go(run)
    api = PveApi(office.inventory, Secrets(site.path.parent))
    await asyncio.to_thread(api.post, "cluster/ha/resources/vm:300/migrate", node="pxmx02-01")
    async with asyncio.timeout(30):
        while (found := await office.compares()).switches:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert site.off == set()
    assert found.homes == {}


async def test_nothing_goes_back_before_the_site_has_been_through_its_quarantine(site: Switched, office: Office):
    """A balancer would fill the nodes of a site that has just come back."""
    run = await office.holds(lost="site-a")
    report = await office.lets_go(run)
    assert set(report["outstanding"].values()) == {"site-a was lost and has not been through its quarantine yet"}
    assert site.off == OFF
    other = await office.begun(freezes=False, goes_on=True, released="site-a")
    await other.result()
    await is_off(site, set())


async def test_nothing_goes_back_while_an_incident_is_open_that_said_so(site: Switched, office: Office):
    """Opened after the freeze, by another run."""
    run, incident = await office.holds(), await office.holds(freezes=False)
    by = RunRef(run=incident.id, run_id=str(incident.first_execution_run_id))
    await told(office, "note", Noting(by=by, kind="SiteLoss", site="site-b"))
    report = await office.lets_go(run)
    assert set(report["outstanding"].values()) == {f"{incident.id} is open"}
    assert site.off == OFF
    await office.lets_go(incident)
    await office.compares()
    assert site.off == set()


async def test_nothing_goes_back_while_temporal_lists_an_open_incident(site: Switched, office: Office):
    """One that never told the ledger: opened by an older worker, or by hand."""
    run = await office.holds()
    incident = await office.client.start_workflow(
        "ClusterIncident",
        id="incident/of-a-test",
        task_queue="nobody polls this",
        search_attributes=TypedSearchAttributes([SearchAttributePair(attributes.CLUSTER, office.inventory.name)]),
    )
    query = "WorkflowType = 'ClusterIncident' AND ExecutionStatus = 'Running'"
    try:
        async with asyncio.timeout(20):
            while not [one async for one in office.client.list_workflows(query)]:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        report = await office.lets_go(run)
    finally:
        await incident.terminate("the test is over")
    assert set(report["outstanding"].values()) == {"incident/of-a-test is open"}
    assert site.off == OFF


async def test_nothing_goes_back_while_nobody_answers(site: Switched, office: Office):
    """A silent API is no evidence that every guest is at home."""
    run = await office.holds()
    fault = Fault("pve:", "GET /cluster/ha/status/manager_status", "fail", times=None, status=500, message="no")
    site.world.faults.plant(fault)
    report = await office.lets_go(run)
    assert site.off == OFF
    assert all("the state of the cluster is not known" in one for one in report["outstanding"].values())
    site.world.faults.clear()
    await office.compares()
    assert site.off == set()


# --- the ledger itself ------------------------------------------------------------------------------------------------


async def test_a_ledger_that_was_terminated_is_gone_on_from(site: Switched, office: Office):
    """Whoever needs it next starts it with all that it knew."""
    first = await office.holds(homes={"vm:300": "pxmx02-01"})
    await office.client.get_workflow_handle(ledger_id(office.inventory.name)).terminate("by hand")
    second = await office.holds(freezes=False)
    found = await office.book()
    assert {entry.switch.name for entry in found.switches} == OFF
    assert found.homes["vm:300"].node == "pxmx02-01"
    await office.lets_go(second)
    report = await office.lets_go(first)
    assert report["restored"] == ["vm:301 failback 1"]


async def test_a_long_ledger_continues_as_new_and_knows_everything(
    site: Switched, office: Office, monkeypatch: pytest.MonkeyPatch
):
    """Its history stays short; a run that gives back meanwhile is answered."""
    monkeypatch.setattr(lasting, "LONG", 40)
    run = await office.holds(homes={"vm:300": "pxmx02-01"})
    handle = office.client.get_workflow_handle(ledger_id(office.inventory.name))
    before = (await handle.describe()).run_id
    for _ in range(6):
        await office.compares()
    found = await office.book()
    assert (await handle.describe()).run_id != before
    assert {entry.switch.name for entry in found.switches} == OFF
    assert found.homes["vm:300"].node == "pxmx02-01"
    report = await office.lets_go(run)
    assert site.off == {"vm:300", "crs", JOB}
    assert report["restored"] == ["vm:301 failback 1"]


async def test_a_week_later_homes_are_known_without_the_run_that_recorded_them(site: Switched, office: Office):
    """The ledger asks nobody but itself: the run may be deleted."""
    run = await office.holds(homes={"vm:300": "pxmx02-01"})
    await office.lets_go(run)
    await told(office, "take", Taking(by=GONE, why="site-loss", switches=(CRS,)))
    found = await office.compares()
    assert found.homes["vm:300"].node == "pxmx02-01"
    assert set(why(found)) == {"vm:300", "crs", JOB}


async def test_a_person_takes_a_switch_and_a_home_out(site: Switched, office: Office):
    """With a name and a reason, which the ledger keeps; nothing is changed on the cluster."""
    run = await office.holds(homes={"vm:300": "pxmx02-01"})
    await office.lets_go(run)
    await told(office, "forget", Forgetting(name="crs", by="ana", why="stays off for good"))
    await until_listed(office, {"vm:300", JOB})
    assert site.off == {"vm:300", "crs", JOB}
    await told(office, "forget", Forgetting(name="vm:300", by="ana", why="lives here now", home=True))
    await is_off(site, {"crs"})
    texts = [one.text for one in (await book(office.client, office.inventory.name)).happened]
    assert "crs: the switch was removed from the ledger by ana: stays off for good" in texts


async def until_listed(office: Office, names: set[str]) -> None:
    await office.says(lambda found: {entry.switch.name for entry in found.switches} == names, f"{names}")


async def test_the_page_says_what_is_off_and_what_holds_it_back(site: Switched, office: Office):
    """In the Temporal UI, without any command."""
    run = await office.holds(homes={"vm:300": "pxmx02-01"})
    handle = office.client.get_workflow_handle(ledger_id(office.inventory.name))
    page = await handle.query("page", result_type=str)
    assert f"**4 disabled while {run.id} is running. No action needed.**" in page
    await until(run, lambda found: bool(found), "steps")
    await office.lets_go(run)
    page = await handle.query("page", result_type=str)
    assert "**3 of 3 still disabled, although no run needs it: see *Held back by*.**" in page
    assert "| vm:300 failback | 1 |" in page
    assert "Homes on record: vm:300 at pxmx02-01" in page


async def test_a_run_that_a_person_resets_is_at_work_still(site: Switched, office: Office):
    """Temporal ends the execution that took the switches and goes on in another one of the same chain."""
    run = await office.holds()
    events = [event async for event in run.fetch_history_events()]
    last = [event.event_id for event in events if event.HasField("workflow_task_completed_event_attributes")][-1]
    await office.client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=office.client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=run.id, run_id=str(run.first_execution_run_id)),
            reason="a test",
            workflow_task_finish_event_id=last,
            request_id="a-test",
        )
    )
    found = await office.compares()
    assert {one.run for entry in found.switches for one in entry.holders} == {run.id}
    assert site.off == OFF
    again = office.client.get_workflow_handle(run.id)
    await again.terminate("by hand")
    assert (await office.compares()).switches == ()
    assert site.off == set()


async def test_a_ledger_on_another_queue_is_told_with_that_queue(
    site: Switched, office: Office, monkeypatch: pytest.MonkeyPatch
):
    """A worker whose queue was renamed cannot reach it: the remedy is named."""
    monkeypatch.setattr(ledger_activities, "ANSWERS_WITHIN", timedelta(seconds=1))
    await office.client.start_workflow(
        "ClusterLedger", LedgerRequest(cluster="x"), id=ledger_id(office.inventory.name), task_queue="the old one"
    )
    known = LedgerBook(office.inventory)
    with pytest.raises(Unreachable, match="start a worker with QUORATE_TASK_QUEUE=the old one"):
        await ActivityEnvironment(client=office.client).run(known.present, PresentWish(cluster="x"))
    with pytest.raises(Unreachable, match="start a worker with QUORATE_TASK_QUEUE=the old one"):
        await ActivityEnvironment(client=office.client).run(known.read, BookWish(cluster="x"))
