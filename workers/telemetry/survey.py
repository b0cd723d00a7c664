"""The survey: what a worker asks Temporal for several times a minute, to tell it as metrics.

What is so now is asked anew each time and not counted along: whichever worker did the last task of a run, all workers
tell the same. It reads and changes nothing; what gets no answer keeps its last figure, and the time of the survey says
how old that is.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta

from temporalio.client import Client, WorkflowExecutionDescription, WorkflowHandle
from temporalio.common import MetricMeter
from temporalio.service import RPCError, RPCStatusCode

from cluster import metrics
from cluster.conditions import GRAVITY, lost_site
from cluster.contracts import watch
from cluster.ledger import Book, ledger_id
from cluster.metrics import Metric, record
from cluster.verdict import Verdict
from cluster.watching import Beat, WatchState, watch_id
from runbooks import ALL_RUNBOOKS
from workers.catalogue import type_name, types
from workers.telemetry.metrics import meter_of
from workflows.attributes import STATE
from workflows.ballot import GateView

EVERY = 15.0
PATIENCE = timedelta(seconds=3)
# Two looks are a few seconds apart, and a worker that dies is noticed after ten.
OLD_AFTER = timedelta(seconds=60)
NAMES = {type_name(runbook): runbook.about.name for runbook in ALL_RUNBOOKS}
Labels = tuple[tuple[str, str], ...]

log = logging.getLogger("quorate.metrics")


class Survey:
    """One cluster, as a worker tells it to `meter`."""

    def __init__(self, client: Client, cluster: str, meter: MetricMeter) -> None:
        self._client, self._cluster, self._meter = client, cluster, meter
        self._told: dict[str, set[Labels]] = {}  # what has been told of before is 0 when it is so no more
        self._silent: set[str] = set()

    async def keep(self) -> None:
        """Until it is cancelled."""
        while True:
            await self.once()
            await asyncio.sleep(EVERY)

    async def once(self) -> None:
        """All of it; one part that gets no answer keeps no other from being told."""
        parts: dict[str, Callable[[], Awaitable[None]]] = {
            "watch": self._watch, "ledger": self._ledger, "runs": self._runs
        }  # fmt: skip
        for name, part in parts.items():
            try:
                await part()
            except Exception as error:  # whatever it is, no worker ends because of a figure
                if name not in self._silent:
                    log.warning("metrics: no answer of %s: %s %s", name, type(error).__name__, error)
                self._silent.add(name)
            else:
                self._silent.discard(name)
            record(self._meter, metrics.SURVEYS_FAILED, name in self._silent, {"of": name})
        if not self._silent:
            self._set(metrics.SURVEYED_AT, datetime.now(UTC).timestamp())

    # --- its parts ---------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        handle = self._client.get_workflow_handle(watch_id(self._cluster))
        found = await _described(handle)
        if found is None:
            self._ready(watched=False, looking=False, healthy=False)
            self._verdict(None)
            return
        beat = await self._beat(found)
        state: WatchState = await handle.query("state", result_type=WatchState, rpc_timeout=PATIENCE)
        verdict = beat.verdict if beat else state.verdict
        at = beat.looked_at if beat else state.at
        self._verdict(verdict)
        self._ready(
            watched=True,
            looking=at is not None and datetime.now(UTC) - at < OLD_AFTER,
            healthy=verdict is not None and verdict.kind == "healthy",
            rights=not state.rights,
        )

    async def _beat(self, found: WorkflowExecutionDescription) -> Beat | None:
        """What the look that goes on has told with its heartbeat; None between two looks."""
        pending = found.raw_description.pending_activities
        looks = [one for one in pending if watch.look.is_called(one.activity_type.name)]
        if not looks or not looks[0].heartbeat_details.payloads:
            return None
        [told] = await self._client.data_converter.decode(looks[0].heartbeat_details.payloads[:1])
        return Beat.model_validate(told) if told else None

    async def _ledger(self) -> None:
        handle = self._client.get_workflow_handle(ledger_id(self._cluster))
        book = Book()  # a cluster without a ledger has nothing disabled
        if await _described(handle) is not None:
            book = await handle.query("book", result_type=Book, rpc_timeout=PATIENCE)
        held = sum(bool(entry.holders) for entry in book.switches)
        self._set(metrics.SWITCHES, held, held="yes")
        self._set(metrics.SWITCHES, len(book.switches) - held, held="no")
        self._ready(switches=not book.switches)

    async def _runs(self) -> None:
        which = f"({types()}) AND ExecutionStatus = 'Running' AND Cluster = '{self._cluster}'"
        states: dict[Labels, float] = {}
        gates: dict[str, list[datetime]] = {name: [] for name in NAMES.values()}
        async for run in self._client.list_workflows(which, rpc_timeout=PATIENCE):
            name, state = NAMES[run.workflow_type], run.typed_search_attributes.get(STATE) or "running"
            one = _labels(runbook=name, state=state)
            states[one] = states.get(one, 0) + 1
            if state == "attention" and (until := await self._gate(run.id, run.run_id)):
                gates[name].append(until)
        self._levels(metrics.RUNS_OPEN, states, (_labels(runbook=name, state="running") for name in gates))
        for name, ends in gates.items():
            self._set(metrics.GATES_OPEN, len(ends), runbook=name)
            self._set(metrics.GATE_UNTIL, min(ends).timestamp() if ends else 0, runbook=name)

    async def _gate(self, run: str, run_id: str) -> datetime | None:
        """Until when its gate is open; None when it asks for something else."""
        handle = self._client.get_workflow_handle(run, run_id=run_id)
        if (said := await handle.query("gate", rpc_timeout=PATIENCE)) is None:
            return None
        view = GateView.model_validate(said)
        return view.terms.until if view.outcome == "open" else None

    # --- how it is told ----------------------------------------------------------------------------------------

    def _verdict(self, verdict: Verdict | None) -> None:
        for kind in GRAVITY:
            self._set(metrics.VERDICT, verdict is not None and verdict.kind == kind, kind=kind)
        seen: dict[Labels, float] = {}
        for one in (verdict.main, *verdict.also) if verdict else ():
            labels = _labels(kind=one.kind, site=lost_site(one), planned="yes" if one.planned else "no")
            seen[labels] = seen.get(labels, 0) + 1
        self._levels(metrics.CONDITIONS, seen, ())

    def _ready(self, **checks: bool) -> None:
        for check, is_so in checks.items():
            self._set(metrics.READY, is_so, check=check)

    def _levels(self, metric: Metric, now: dict[Labels, float], always: Iterable[Labels]) -> None:
        """Set what is so now, and to 0 what was told before and is so no more."""
        known = self._told.setdefault(metric.name, set())
        known |= {*now, *always}
        for labels in known:
            self._set(metric, now.get(labels, 0), **dict(labels))

    def _set(self, metric: Metric, value: float, **labels: str) -> None:
        record(self._meter, metric, value, labels)


def _labels(**labels: str) -> Labels:
    return tuple(sorted(labels.items()))


async def _described(handle: WorkflowHandle[object, object]) -> WorkflowExecutionDescription | None:
    """The run, unless there is none or it has ended."""
    try:
        found = await handle.describe(rpc_timeout=PATIENCE)
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return None
        raise
    return found if found.close_time is None else None


@contextlib.asynccontextmanager
async def surveyed(client: Client, cluster: str) -> AsyncIterator[None]:
    """Meanwhile the survey goes on; nothing where this process tells no metrics."""
    meter = meter_of(client)
    if meter is MetricMeter.noop:
        yield
        return
    survey = asyncio.create_task(Survey(client, cluster, meter).keep())
    try:
        yield
    finally:
        survey.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await survey
