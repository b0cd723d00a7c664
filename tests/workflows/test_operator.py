"""What a person can say to a run, and what it does then: answer, pause, resume, abort, note."""

import asyncio
from typing import Any

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import CancelledError

from lab.physics.faults import Fault
from runbooks.deploy import DeployReport
from tests.conftest import Start
from tests.runs import aborted, parked, refused, said, until
from tests.twin import TwinThread

FULL = Fault("X90R3-SiteB", "POST /connections", "fail", status=400, message="Array is out of LUNs.")
PARKED = "Hosts see the volume on X90R3-SiteB"


def plant(twin: TwinThread, *faults: Fault) -> None:
    for fault in faults:
        twin.world.faults.plant(Fault(**{**vars(fault), "met": []}))


async def test_a_parked_step_is_tried_again_and_the_run_goes_on(twin: TwinThread, start: Start):
    """The error stands on the page with what can be done; after `retry` everything is as if nothing had been."""
    plant(twin, FULL)
    run = await start()
    step = await parked(run)
    page = await run.query("page")

    assert step.title == PARKED
    assert step.finding == "Rejected: X90R3-SiteB: Array is out of LUNs."
    assert "**Act now: Hosts see the volume on X90R3-SiteB failed and waits for your answer." in page
    assert "- **Hosts see the volume on X90R3-SiteB**: `Rejected` X90R3-SiteB: Array is out of LUNs." in page
    assert 'Fix the cause, then *More Actions*, *Send an Update*, `answer`, and paste `{"answer": "retry"}`.' in page
    assert "begun last, not confirmed: X90R3-SiteB: connect volume" in page
    assert len(page.encode()) < 3000

    assert await said(run, "answer", {"answer": "retry", "by": "ana", "why": "more LUNs"}) == f"retry: {PARKED}"
    report = await run.result()

    assert report.proof is not None
    assert report.changed == len(report.planned)
    assert report.notes == (f"retried {PARKED} by ana: more LUNs",)
    changes = twin.change_lines()
    assert len(changes) == len(set(changes)), "something was done twice"


async def test_a_guest_may_be_skipped_with_a_reason(twin: TwinThread, start: Start):
    """The consequence is stated before, and recorded after: the other guest runs, HA knows only that one."""
    plant(twin, Fault("pve:", "POST .*/qemu/101/clone", "fail", status=400, message="no space", times=1))
    run = await start()
    title = (await parked(run)).title

    needs = await refused(run, "answer", {"answer": "skip"})
    reason = await refused(run, "answer", {"answer": "skip", "step": title})
    await said(run, "answer", {"answer": "skip", "step": title, "why": "not needed today", "by": "ben"})
    report = await run.result()

    assert needs == 'name the step to skip, for example {"answer": "skip", "step": "…"}'
    assert reason == 'say why it is skipped, for example "why": "done by hand"'
    (skipped,) = report.skipped
    assert skipped.startswith(f"{title}: the guest 30")
    assert skipped.endswith("is left as it is and not put under HA (skipped by ben: not needed today)")
    assert report.proof is not None
    assert len(report.proof.ha.started) == 1


SLIPS: list[tuple[str, Any, str]] = [
    ("answer", None, 'say what to do, for example {"answer": "retry"}'),
    ("answer", {"answer": "perhaps"}, "Input should be 'retry', 'skip' or 'abort'"),
    ("answer", {"answer": "retry", "stp": "x"}, "Extra inputs are not permitted"),
    ("answer", {"answer": "retry", "step": "Nothing"}, f"step 'Nothing' is not parked; parked: '{PARKED}'"),
    (
        "answer",
        {"answer": "skip", "step": PARKED, "why": "x"},
        f"step '{PARKED}' cannot be skipped: what follows needs it; answer retry or abort",
    ),
    ("resume", None, "the run is not paused"),
    ("note", None, 'say what to note, for example {"text": "spare controller ordered"}'),
    ("note", {"text": " "}, "say what to note"),
]


async def test_a_slip_is_refused_where_it_is_made(twin: TwinThread, start: Start):
    """The sender reads what to send instead; the run does not notice and waits as before."""
    plant(twin, FULL)
    run = await start()
    before = await parked(run)

    said_back = [await refused(run, update, message) for update, message, _ in SLIPS]

    assert [words for (_, _, wanted), words in zip(SLIPS, said_back, strict=True) if wanted not in words] == []
    assert await parked(run) == before
    await said(run, "abort")


async def test_pause_lets_no_change_begin_and_resume_goes_on(twin: TwinThread, start: Start):
    """What is being changed comes to its end; then the world stays as it is until somebody resumes."""
    run = await start()
    await until(
        run, lambda all_: any(s.title.startswith("Hosts see") and s.state == "running" for s in all_[20:]), "apply"
    )

    answer = await said(run, "pause", {"by": "ana", "why": "array is being repaired"})
    before = len(twin.world.changes)
    twice = await refused(run, "pause")
    page = await run.query("page")
    await asyncio.sleep(1.0)  # nothing to wait for: that nothing happens is what is to be seen

    assert answer == "paused: nothing is changed until resumed"
    assert len(twin.world.changes) == before
    assert twice == "the run is paused already"
    assert "**Paused by ana: array is being repaired. To go on: *More Actions*, *Send an Update*, `resume`.**" in page
    assert "waits: the run is paused" in page

    await said(run, "resume")
    report = await run.result()
    assert report.changed == len(report.planned)
    changes = twin.change_lines()
    assert len(changes) == len(set(changes)), "something was done twice"


async def test_abort_lands_and_says_how_things_were_left(twin: TwinThread, start: Start):
    """The change that is under way comes to its end, the votes are read, the condition is in the answer."""
    run = await start()
    await until(
        run, lambda all_: any(s.title.startswith("Paths of") and s.state == "running" for s in all_[25:]), "paths"
    )

    left = await said(run, "abort", {"by": "ana", "why": "wrong cluster"})
    ended = await aborted(run)

    assert "changes were made and stay." in left
    assert "The cluster has " in left
    assert ended == f"aborted by ana: wrong cluster. {left}"
    page = await run.query("page")
    assert f"**Aborted by ana: wrong cluster. {left}**" in page
    before = twin.change_lines()
    await asyncio.sleep(1.0)
    assert twin.change_lines() == before


async def test_cancelling_from_the_ui_lands_as_well(twin: TwinThread, start: Start):
    """Request Cancellation does what abort does; the run is shown as cancelled."""
    run = await start()
    await until(
        run, lambda all_: any(s.title.startswith("Paths of") and s.state == "running" for s in all_[25:]), "paths"
    )

    await run.cancel()
    with pytest.raises(WorkflowFailureError) as caught:
        await run.result()

    assert isinstance(caught.value.cause, CancelledError)
    description = await run.describe()
    left = await description.memo_value("left")
    assert "changes were made and stay." in left
    assert f"**Aborted. {left}**" in await run.query("page")


async def test_a_parked_run_can_be_aborted_by_its_answer(twin: TwinThread, start: Start):
    """`abort` is one of the answers."""
    plant(twin, FULL)
    run = await start()
    await parked(run)

    assert await said(run, "answer", {"answer": "abort", "by": "ana"}) == "aborting"
    assert (await aborted(run)).startswith("aborted by ana. ")


async def test_a_second_run_of_the_same_procedure_is_refused_with_a_link(twin: TwinThread, start: Start):
    """Whatever id it was started under: one run per cluster and procedure."""
    plant(twin, FULL)
    first = await start()
    await parked(first)
    second = await start()

    assert await aborted(second) == (
        "deploy/pxmx-cluster is running already, one at a time: see /namespaces/default/workflows/deploy%2Fpxmx-cluster"
    )
    await said(first, "abort")
    plan = DeployReport.model_validate(await (await start(None, empty=True)).result())
    assert plan.changed == 0


async def test_a_note_stays_with_the_run(twin: TwinThread, start: Start):
    """On the page, and in the report."""
    run = await start(None, empty=True)
    await said(run, "note", {"text": "spare controller ordered", "by": "ana"})
    page = await run.query("page")

    assert "- ana: spare controller ordered" in page
    report = DeployReport.model_validate(await run.result())
    assert report.notes == ("ana: spare controller ordered",)
