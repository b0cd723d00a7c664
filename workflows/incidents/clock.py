"""The clock of an incident: it counts from the last proof of life, in the cluster's own time."""

from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.moments import Times, t_plus
    from workflows.carried import IncidentState
    from workflows.state import RunState


class Clock:
    """T0 of one incident, and how much later than T0 its loss may have come (`uncertain`)."""

    def __init__(self, state: RunState) -> None:
        self.state = state
        self.uncertain = timedelta()
        self.speed = 1.0  # how much faster than the clock of the wall the cluster's own time runs
        self._t0: datetime | None = None

    def starts_at(self, t0: datetime, first_sign: datetime, speed: float) -> None:
        """T0 is the last proof of life; the loss came at some time before the first sign of it."""
        self._t0, self.uncertain, self.speed = t0, max(first_sign - t0, timedelta()), speed
        self.state.record.counts_from(t0, speed)

    def since(self, when: datetime) -> float:
        """Seconds of the cluster's own time between T0 and then."""
        return round((when - (self._t0 or when)).total_seconds() * self.speed, 1)

    @property
    def now(self) -> float:
        """T+ in seconds of the cluster's own time."""
        return self.since(workflow.now())

    @property
    def says(self) -> str:
        """T+ as it is written: ``T+02:50``."""
        return t_plus(self.now)

    @property
    def times(self) -> Times:
        """Both clocks."""
        return Times(t0=self.state.record.began, speed=self.speed)

    def carries(self) -> dict[str, Any]:
        """For the next run."""
        return {"t0": self._t0, "uncertain": self.uncertain, "speed": self.speed}

    def resumes(self, known: IncidentState) -> None:
        """It never stops."""
        self._t0, self.uncertain, self.speed = known.t0, known.uncertain, known.speed
        self.state.record.speed = known.speed
