"""An incident that continues as new, again and again, closes with the record of one that did not."""

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from temporalio.client import Client, WorkflowExecutionStatus

from activities.records.comparison import is_over
from activities.records.interlock import _is_running
from cluster.answers.model import Answer
from cluster.ledger import RunRef
from cluster.together import Beside
from lab.physics.faults import Fault
from runbooks.loss import SiteLossReport
from tests.incidents.conftest import Site, Watched, ended, watching
from tests.incidents.test_levels import waits_for
from tests.ledgers import book
from tests.patience import Deadline
from tests.receivers import Receiver, told_in
from tests.runs import aborted, said, steps, until
from workflows import lasting
from workflows.page import SIGNS

pytestmark = pytest.mark.slow

# So few events that a loss needs some runs.
SHORT = 50
# Lab seconds.
RUNS_FOR = 60.0
# How often a guest falls at most, until it was seen.
FALLS = 4


@pytest.fixture
def pager(site: Site) -> Iterator[Receiver]:
    """Whoever wants to know of everything."""
    with told_in(site.path, "pager") as receiver:
        yield receiver


async def lost_and_found(site: Site, watched: Watched) -> tuple[SiteLossReport, Any, list[str]]:
    """A site loses its power and comes back: the report, the run, and its lines."""
    site.world.cluster.ha.resources["vm:301"]["failback"] = 1
    site.fail("site-power", "site-a")
    run = await watched.loss()
    await waits_for(run, within=90)
    site.restore("site-power", "site-a")
    await ended(run, 120)
    lines = [f"{SIGNS[step.state]} {step.title}: {step.finding}" for step in await steps(run)]
    report = SiteLossReport.model_validate(await run.result())
    await watched.until(lambda state: state.open is None, "the end")
    return report, run, lines


def timeless(text: str) -> str:
    """What is a matter of luck in a line: times, and which survivor becomes HA's master."""
    return re.sub(r"pxmx02-0\d has", "pxmx02-0N has", re.sub(r"\d+(\.\d+)? m?s\b|T\+\d+|[\d:]+ UTC", "N", text))


def record(report: SiteLossReport) -> dict[str, Any]:
    """All of a report but its times, and the trace, which each run has for itself."""
    told = report.model_dump(
        mode="json", exclude={"steps", "seconds", "timeline", "outages", "notes", "forecast", "trace"}
    )
    told["back"] = [{**one, "text": timeless(one["text"])} for one in told["back"]]
    told["outages"] = [(one.sid, one.until is not None, one.times) for one in report.outages]
    told["fenced"], told["running"] = sorted(report.timeline.fenced), sorted(report.timeline.running)
    told["timed"] = [name for name, when in report.timeline if when is not None]
    told["notes"] = [timeless(note) for note in report.notes]
    told["forecast"] = report.forecast.seat
    return told


def told_of(pager: Receiver, run: Any) -> list[tuple[str, str]]:
    """The notices of that incident, each once, and with keys that no other one has."""
    found = [json.loads(body) for _, body in pager.got]
    ours = {one["key"]: (one["occasion"], one["title"]) for one in found if one["incident"] == run.id}
    assert len({one["key"] for one in found}) == len({(one["key"], one["title"]) for one in found})
    # guests that come back one after the other may be told of together
    return sorted({(what, "" if what == "running" else title) for what, title in ours.values()})


async def runs_of(client: Client, run: Any) -> list[Any]:
    return [one async for one in client.list_workflows(f"WorkflowId = '{run.id}'")]


async def test_a_loss_that_continues_as_new_has_the_same_record(
    site: Site, client: Client, pager: Receiver, monkeypatch: pytest.MonkeyPatch
):
    """Homes, fencing, outages, switches, lines and notices are those of a loss that is one run; one claim, one id."""
    async with watching(client, site) as watched:
        report, run, lines = await lost_and_found(site, watched)
        once, told = await runs_of(client, run), told_of(pager, run)
    site.rebuild()
    monkeypatch.setattr(lasting, "LONG", SHORT)
    async with watching(client, site) as watched:
        again, other, more = await lost_and_found(site, watched)
        parts = await runs_of(client, other)
        ledger = await book(client, "pxmx-cluster")

        assert len(once) == 1
        assert len(parts) > 1
        assert {one.status for one in parts} == {
            WorkflowExecutionStatus.CONTINUED_AS_NEW,
            WorkflowExecutionStatus.COMPLETED,
        }
        assert record(again) == record(report)
        # what goes on at the same time has its lines in any order
        assert sorted(timeless(line) for line in more) == sorted(timeless(line) for line in lines)
        assert told_of(pager, other) == told
        assert [entry.switch.name for entry in ledger.switches] == ["vm:301"]
        assert [entry.holders for entry in ledger.switches] == [()]
        assert ledger.present == ()


async def crash(site: Site, run: Any, vmid: int) -> None:
    """The guest has run for a while, its process dies, and HA starts it again; both are seen."""
    before = len(await outages(run, vmid))

    async def dies() -> None:
        # two starts within a few seconds of the lab are one to whoever looks once a second of the wall
        await site.world.clock.sleep(RUNS_FOR)
        site.world.cluster.guests[vmid].running = False

    # a machine with other work may look too seldom to see the guest down: then it has not fallen for the run either
    for _ in range(FALLS):
        site.call(dies())
        seen = Deadline(15)
        while not seen.over and len(found := await outages(run, vmid)) == before:
            await seen.a_while()
        if len(found) > before:
            break
    deadline = Deadline(40)
    while len(found := await outages(run, vmid)) == before or found[-1]["until"] is None:
        assert not deadline.over, f"{found}\n{await run.query('page')}"
        await deadline.a_while()


async def outages(run: Any, vmid: int) -> list[dict[str, Any]]:
    return [one for one in (await run.query("progress"))["outages"] if one["sid"] == f"vm:{vmid}"]


async def test_a_question_stays_open_through_a_crash_loop(
    site: Site, client: Client, pager: Receiver, monkeypatch: pytest.MonkeyPatch
):
    """Freezing parks and is told once; a guest falls and falls; the answer is taken by another run, and kept."""
    site.world.cluster.ha.resources["vm:301"]["failback"] = 1
    refused = Fault("^pve:", r"^GET .*/cluster/backup", "fail", times=None, status=400,
                    message="jobs.cfg: unable to parse")  # fmt: skip
    monkeypatch.setattr(lasting, "LONG", SHORT)
    async with watching(client, site) as watched:
        site.world.faults.plant(refused)
        site.fail("site-power", "site-a")
        run = await watched.loss()
        await waits_for(run, within=90)
        before = len(await runs_of(client, run))
        for _ in range(4):
            await crash(site, run, 300)
        assert len(await runs_of(client, run)) > before
        parked = [one for one in await steps(run) if one.state == "parked"]
        assert [one.title for one in parked] == ["Automatic moves are listed"]
        assert "unable to parse" in parked[0].finding
        assert "Automatic moves are listed" in (await run.query("page")).partition("| T+")[0]
        await is_the_only_one(site, watched, run)
        site.world.faults.lift(refused)
        assert await said(run, "answer", {"answer": "retry", "by": "ana"}) == "retry: Automatic moves are listed"
        await until(run, lambda found: any(one.title == "Automatic moves are disabled" for one in found), "the freeze")
        site.restore("site-power", "site-a")
        await ended(run, 120)
        report = SiteLossReport.model_validate(await run.result())

    assert sum(one.times for one in report.outages if one.sid == "vm:300") == 5
    assert all(one.until is not None for one in report.outages)
    assert "retried Automatic moves are listed by ana" in report.notes
    assert [str(one) for one in report.frozen] == ["vm:301 failback 1"]
    assert [title for title, text in asked(pager, run)] == ["Act now: Site site-a is lost (apply)"]
    assert "Automatic moves are listed failed: Rejected" in asked(pager, run)[0][1]
    titles = [step.title for step in report.steps]
    assert [titles.count(title) for title in ("Automatic moves are listed", "site-b is quorate", "site-a is back")] == [
        1,
        1,
        1,
    ]
    assert sum(title in ("vm:300 is down again", "vm:300 was down again") for title in titles) == 4


async def is_the_only_one(site: Site, watched: Watched, run: Any) -> None:
    """Its claim stands, the watch follows it by its id, and nobody takes an execution that is over for the end."""
    client, queue = watched.client, (await watched.handle.describe()).task_queue
    other: Any = await client.start_workflow(
        "SiteLoss", {"site": "site-a", "mode": "plan"}, id="site-loss/by-hand", task_queue=queue
    )
    assert (await aborted(other)).startswith("site-loss/pxmx-cluster/site-a is running already")
    assert [one.run for one in (await watched.state()).incidents] == [run.id]
    first = min(await runs_of(client, run), key=lambda one: one.start_time)
    assert await _is_running(client, Beside(kind="SiteLoss", run=run.id, run_id=first.run_id))
    assert not await is_over(client, RunRef(run=run.id, run_id=first.run_id))


async def test_what_is_explained_continues_as_new(
    site: Site, client: Client, pager: Receiver, monkeypatch: pytest.MonkeyPatch
):
    """The witness is lost: told once, explained once, over when it is back."""
    monkeypatch.setattr(lasting, "LONG", 24)
    async with watching(client, site) as watched:
        site.fail("witness")
        run = await watched.incident(60)
        async with asyncio.timeout(60):
            while len(await runs_of(client, run)) < 3:  # noqa: ASYNC110  # Temporal is asked
                await asyncio.sleep(0.5)
        told = Answer.model_validate(await run.query("advice"))
        site.restore("witness")
        await ended(run, 60)
        result = await run.result()

    assert result["verdicts"] == ["witness lost (qdevice)", "healthy"]
    assert result["turns"] == 2
    assert (told.urgency, told.tasks[0].command) == ("act now", "corosync-qnetd-tool -lv")
    assert [step["title"] for step in result["steps"]].count("Evidence") >= 1
    assert told_of(pager, run) == [
        ("asked", "Act now: pxmx-cluster: witness lost (qdevice)"),
        ("changed", "healthy"),
        ("closed", "pxmx-cluster: healthy: done"),
        ("opened", "witness lost (qdevice)"),
    ]


def asked(pager: Receiver, run: Any) -> list[tuple[str, str]]:
    found = [json.loads(body) for _, body in pager.got]
    return [(one["title"], one["text"]) for one in found if one["incident"] == run.id and one["occasion"] == "asked"]
