"""Figures of a run: counted once, whatever is replayed, and no command of Temporal depends on them.

Nothing here raises into a run. Where a process tells no metrics, all of it does nothing.
"""

import contextlib
from collections.abc import Iterator
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster import metrics
    from cluster.forecast import Phase
    from cluster.metrics import Metric
    from workflows.record import Line


def tell(metric: Metric, value: float = 1, **labels: str) -> None:
    """One figure of this run."""
    with contextlib.suppress(Exception):
        metrics.record(workflow.metric_meter(), metric, value, labels)


@contextlib.contextmanager
def stepping(runbook: str, line: Line, *, counts: bool) -> Iterator[None]:
    """A step: when it has ended, how and after how long. What is looked at again and again `counts` once."""
    began = workflow.now()
    try:
        yield
    finally:
        if counts and workflow.in_workflow() and not line.is_open:  # else it is cut off with its run
            tell(metrics.STEPS, runbook=runbook, outcome=line.state)
            took = (workflow.now() - began).total_seconds()
            tell(metrics.STEP_SECONDS, took, runbook=runbook, outcome=line.state)


def run_ended(runbook: str, ending: str, took: timedelta) -> None:
    """A run has come to its end, or has landed."""
    tell(metrics.RUNS, runbook=runbook, ending=ending)
    tell(metrics.RUN_SECONDS, took.total_seconds(), runbook=runbook, ending=ending)


def phase(runbook: str, name: str, at: float, expected: Phase | None = None) -> None:
    """A phase of a loss was reached at T+`at`, in seconds of the cluster's time, and when it was expected."""
    tell(metrics.PHASE, at, runbook=runbook, phase=name)
    if expected is not None:
        for bound, when in (("earliest", expected.earliest), ("latest", expected.latest)):
            tell(metrics.PHASE_FORECAST, when, runbook=runbook, phase=name, bound=bound)
