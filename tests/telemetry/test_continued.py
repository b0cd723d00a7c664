"""A watch that goes on as a new run stays one trace, and what it opens after that leads back into it."""

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from temporalio.client import Client

from cluster.events import Event, EventBatch
from cluster.traces import trace_of
from tests.incidents.conftest import Site, Watched, ended, running_site, site, watching
from tests.patience import Deadline
from tests.telemetry import Collected
from tests.telemetry.tree import misfits, of_run, of_trace, shape
from workflows import lasting
from workflows.watch import ClusterWatch

__all__ = ["running_site", "site"]

pytestmark = pytest.mark.slow

# What may come at any time, and as often as it likes.
BESIDE = ("people.tell", "proxmox.rights")
# A watch with so many events goes on as a new run.
SHORT = 60
# What looks the same is there once: a look for each verdict, an event for each signal.
WATCH = [
    "ClusterWatch",
    "  ClusterWatch",
    "    Verdict: healthy",
    "    Verdict: witness-lost",
    "    signal began",
    "    signal closed",
    "    update stop",
    "    watch.follow ✗ Stopped",
    "    watch.look",
    "    watch.open_incidents",
    "  Verdict: healthy",
    "  signal events",
    "  watch.look",
    "  watch.open_incidents",
]
INCIDENT = [
    "ClusterIncident",
    "  Claim",
    "  Inventory is read",
    "    records.inventory",
    "  Look: Waiting for the watch to be gone ✗ Stopped",
    "    watch.unwatched ✗ Stopped",
    "  signal changed",
]


def told(number: int) -> EventBatch:
    return EventBatch(events=(Event(id=str(number), source="purity", kind="alert", severity="info"),))


async def goes_on(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told of events until its history is long; the last one makes it go on as a new run."""
    deadline, number = Deadline(60), 0
    while (now := await watched.handle.describe()).history_length <= SHORT:
        assert not deadline.over, f"waited for a history of {SHORT} events: {now.history_length}"
        number += 1
        await watched.handle.signal(ClusterWatch.events, told(number))
    monkeypatch.setattr(lasting, "LONG", SHORT)
    await watched.handle.signal(ClusterWatch.events, told(number + 1))
    while (await watched.handle.describe()).run_id == now.run_id:
        assert not deadline.over, "waited for the watch to go on as a new run"
        await deadline.a_while()
    monkeypatch.undo()


async def test_a_watch_that_goes_on_as_a_new_run_is_one_trace_and_its_incident_leads_back(
    site: Site, traced: Client, collected: Collected, monkeypatch: pytest.MonkeyPatch
):
    """An event that came before counts as the cause of what is found after."""
    async with watching(traced, site) as watched:
        first = (await watched.handle.describe()).raw_info.first_run_id
        await goes_on(watched, monkeypatch)
        site.fail("witness")
        incident = await watched.incident(60)
        opened = trace_of((await incident.describe()).raw_info.first_run_id)
        site.restore("witness")
        await ended(incident, 60)
        await watched.until(lambda state: state.open is None, "the end")
        await watched.handle.execute_update("stop")
        await watched.handle.result()
    spans = collected.spans()
    watch, lost = of_run(spans, first), of_trace(spans, opened)

    assert shape(watch, beside=BESIDE) == WATCH
    assert shape(lost, beside=BESIDE) == INCIDENT
    assert misfits(watch, trace_of(first)) == []
    assert misfits(lost, opened) == []
    assert causes(lost, "ClusterIncident", watch) == ["Verdict: witness-lost"]
    assert causes(watch, "Verdict: witness-lost", watch) == ["signal events"]


def causes(spans: list[ReadableSpan], name: str, among: list[ReadableSpan]) -> list[str]:
    """What the links of that span lead to, among those."""
    known = {(one.context.trace_id, one.context.span_id): one.name for one in among if one.context}
    (found,) = [one for one in spans if one.name == name]
    return [known.get((link.context.trace_id, link.context.span_id), "elsewhere") for link in found.links]
