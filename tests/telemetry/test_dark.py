"""A watch of a cluster that is dark, every source of it: it asks everybody each second, for as long as that takes."""

from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind
from temporalio.client import Client

from cluster.spans.model import TIMES
from cluster.traces import trace_of
from cluster.watching import WatchState
from tests.incidents.conftest import Site, Watched, watching
from tests.patience import Deadline
from tests.telemetry import Collected
from tests.telemetry.tree import misfits, of_run
from tests.twin import inventory_file

pytestmark = pytest.mark.slow

# Sources of the lab: votes, the API's view and power of six nodes, two arrays, the witness.
SOURCES = 6 * 3 + 2 + 1
# So many looks while nobody answers; so many until each source has failed, and failed again.
LOOKS, SETTLED = 12, 3


@pytest.fixture
def doomed(tmp_path: Path) -> Site:
    """A twin that a test switches off."""
    twin = Site(inventory_file(tmp_path, "dark"))
    twin.rebuild()
    return twin


def dark(state: WatchState) -> bool:
    return state.verdict is not None and state.verdict.kind == "undetermined"


async def test_a_watch_of_a_dark_cluster_leaves_spans_for_each_source_and_not_for_each_look(
    doomed: Site, traced: Client, collected: Collected
):
    """How each source fell silent is there, and how often it was asked after that."""
    async with watching(traced, doomed) as watched:
        doomed.stop()
        await watched.until(dark, "a verdict on the dark cluster", 90)
        meanwhile = await while_it_looks(watched, collected)
        first_run = (await watched.handle.describe()).raw_info.first_run_id
        await watched.handle.execute_update("stop")
        await watched.handle.result()
    spans = of_run(collected.spans(), first_run)
    first = {place(one) for one in calls(spans) if one.status.description and TIMES not in (one.attributes or {})}
    again = {place(one): said(one, TIMES) for one in calls(spans) if TIMES in (one.attributes or {})}
    failed = sum(said(one, TIMES, 1) for one in calls(spans) if one.status.description)
    asked = sum(said(one, "quorate.calls") for one in spans if one.name == "watch.look")

    print(f"{asked} calls, {failed} of them failed; {len(calls(spans))} spans; {len(meanwhile)} in {LOOKS} dark looks")
    assert meanwhile == []
    assert len(again) == SOURCES
    assert set(again) <= first
    assert min(again.values()) >= LOOKS
    assert failed == sum(said(one, "quorate.calls_failed") for one in spans if one.name == "watch.look")
    assert misfits(spans, trace_of(first_run)) == []


async def while_it_looks(watched: Watched, collected: Collected) -> list[ReadableSpan]:
    """The calls that got spans while one look went on that had told all first failures before."""
    deadline = Deadline(90)
    told, look, beats = 0, "", set[int]()
    while len(beats) < SETTLED + LOOKS:
        assert not deadline.over, f"waited for {LOOKS} looks of one attempt, and saw {len(beats)}"
        now, beat = await looking(watched)
        beats = {*beats, beat} if now == look else set()
        told = len(calls(collected.spans())) if len(beats) <= SETTLED else told
        look = now
        await deadline.a_while()
    return calls(collected.spans())[told:]


async def looking(watched: Watched) -> tuple[str, int]:
    """The look that is under way, and when it was heard last: it beats with each round."""
    pending = (await watched.handle.describe()).raw_description.pending_activities
    found = [one for one in pending if one.activity_type.name == "watch.look"]
    return (found[0].activity_id, found[0].last_heartbeat_time.ToNanoseconds()) if found else ("", 0)


def calls(spans: list[ReadableSpan]) -> list[ReadableSpan]:
    """What was asked outside, by the watch and all others."""
    return [one for one in spans if one.kind is SpanKind.CLIENT]


def place(one: ReadableSpan) -> tuple[str, str]:
    return one.name, str((one.attributes or {}).get("server.address"))


def said(one: ReadableSpan, name: str, default: int = 0) -> int:
    return int(str((one.attributes or {}).get(name, default)))
