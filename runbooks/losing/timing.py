"""The times of a loss: T0, what is forecast from it, and what is measured beside the forecast."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.forecast import Forecast, forecast, rejoined
    from cluster.watching import Opening
    from runbooks.losing.carried import LossState
    from runbooks.loss import Loss, Timeline
    from workflows.incident import Incident
    from workflows.meters import phase


class Timing:
    """The timeline of one loss and its forecast."""

    def __init__(self, run: Incident) -> None:
        self._run = run
        self._times: Timeline | None = None
        self.forecast: Forecast | None = None

    def starts(self, opening: Opening | None, loss: Loss, speed: float) -> None:
        """T0 is the last time a lost node was heard; where that is not known, it is the start of this run."""
        clock, began = self._run.clock, self._run.record.began
        known = loss.memory.t0(loss.nodes)
        t0 = known or began
        first_sign = opening.odd_since if opening else began
        clock.starts_at(t0, first_sign, speed)
        if known is None:
            self._run.remarks.note_once("T0 is not known: times count from the start of this run")
        self._times = Timeline(
            t0=t0,
            uncertain=round(clock.uncertain.total_seconds() * speed, 1),
            assumed=known is None,
            noticed=clock.since(first_sign) if opening else None,
            declared=clock.since(opening.at) if opening else None,
            # the verdict stands on settled, quorate votes of the survivors
            quorum=clock.since(opening.at) if opening else None,
        )

    # --- the forecast ------------------------------------------------------------------------------------------

    def expects(self, loss: Loss, workers: int) -> Forecast:
        """The forecast, and a line for it on the page. `workers`: starts at a time on one node."""
        first = self.forecast is None
        found = forecast(
            master=loss.memory.master,
            lost=frozenset(loss.nodes),
            guests=len(loss.guests),
            survivors=len(loss.survivors),
            totem=loss.memory.totem,
            workers=workers,
        )
        self._is(found)
        if first and self._times is not None:
            self._tell_beginning(self._times, found)
        return found

    def _tell_beginning(self, times: Timeline, found: Forecast) -> None:
        """What is known of the beginning, once there is a forecast to stand beside it."""
        known = {"noticed": (times.noticed, None), "declared": (times.declared, None)}
        for name, (at, expected) in (known | {"quorum": (times.quorum, found.quorum)}).items():
            if at is not None:
                phase(self._run.about.name, name, at, expected)

    def expects_anew(self, expected: Forecast) -> Forecast:
        """A node is a member again, and HA counts every lock anew: the forecast is another one."""
        found = rejoined(expected, self._run.clock.now)
        self._is(found)
        return found

    def _is(self, found: Forecast) -> None:
        self.forecast = found
        self._run.record.line("Forecast").end("done", found.finding, self._run.record.elapsed)

    # --- what is measured --------------------------------------------------------------------------------------

    def quorate(self) -> None:
        """The survivor has the votes, since now unless it was known before."""
        if self._times is not None and self._times.quorum is None:
            self._note(quorum=(now := self._run.clock.now))
            if self.forecast is not None:
                phase(self._run.about.name, "quorum", now, self.forecast.quorum)

    def returned(self) -> None:
        """Nodes are back, all of them or those that are waited for."""
        self._note(rejoined=self._run.clock.now)

    def _note(self, **more: object) -> None:
        if self._times is not None:
            self._times = self._times.model_copy(update=more)

    def measured(self, fenced: Mapping[str, datetime], running: Mapping[str, datetime]) -> Timeline | None:
        """With fencing and guests as they stand now."""
        if self._times is None:
            return None
        since = self._run.clock.since
        more = {
            "fenced": {node: since(when) for node, when in fenced.items()},
            "running": {sid: since(when) for sid, when in running.items()},
        }
        return self._times.model_copy(update=more)

    # --- from run to run ---------------------------------------------------------------------------------------

    def carries(self) -> dict[str, Any]:
        """For the next run."""
        return {"times": self._times, "forecast": self.forecast}

    def resumes(self, known: LossState) -> None:
        """As the earlier run has measured."""
        self._times, self.forecast = known.times, known.forecast
