"""A step as data, the same for every command: begin and end by the clock, T+ and length in seconds."""

from typing import Any

from cluster.moments import Times
from workflows.page import OPEN, StepRecord


def step_data(step: StepRecord, times: Times | None) -> dict[str, Any]:
    """`began` and `ended` are UTC; `t_plus` and `took` are seconds of the cluster's own time.

    `t_plus` is when it ended or parked, or when it began while it goes on: as its line has it.
    """
    speed = times.speed if times else 1.0
    return {
        "t_plus": round((step.at if step.goes_on else step.over).total_seconds() * speed, 1),
        "title": step.title,
        "state": step.state,
        "finding": step.finding,
        "began": times.moment(step.at).isoformat() if times else None,
        "ended": times.moment(step.over).isoformat() if times and step.state not in OPEN else None,
        "took": round(step.took.total_seconds() * speed, 1),
        "changes": step.changes if step.changed else 0,
    }
