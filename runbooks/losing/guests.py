"""How each guest stands while an incident is open, why, since when, and by when it should be back."""

from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.answers.affected import named_sids
    from cluster.forecast import Forecast
    from cluster.moments import t_plus
    from cluster.outages import UP, Outage, Outages, Standing, Waits
    from cluster.recovery import Back
    from cluster.units import counted
    from runbooks.losing.carried import RecoveryState
    from runbooks.loss import Loss
    from workflows.incidents.clock import Clock

NOT_LOST, WAS_STOPPED = "was not lost", "is stopped by request, as it was before the loss"


class Guests:
    """The guests of one incident, those that were not lost among them: what is known of each, and what follows."""

    def __init__(self, at: Clock) -> None:
        self._clock = at
        self.loss: Loss | None = None
        self.expected: Forecast | None = None
        self.standing: dict[str, Standing] = {}
        self.causes: dict[str, str] = {}  # why one is not back
        self.unseen: dict[str, datetime] = {}  # since when nobody can see one that ran
        self.running: dict[str, datetime] = {}  # since when one runs again
        self.outages = Outages()
        self.waits = Waits()
        self.late_notes: dict[str, tuple[str, ...]] = {}  # remarks that guests are late, and which ones

    def called(self, sid: str) -> str:
        """As its owner knows it: ``app-01 (300)``; `sid` before anything is known."""
        return named_sids((sid,), self.loss.inventory) if self.loss is not None else sid

    # --- who joins ---------------------------------------------------------------------------------------------

    def begins(self, loss: Loss, others: dict[str, str], expected: Forecast, t0: datetime) -> bool:
        """Those of the lost nodes are down since T0; the `others` run. True when anybody was not known before."""
        self.loss, self.expected = loss, expected
        known = set(self.standing)
        for sid, node in others.items():
            self.standing.setdefault(sid, Standing(state="running", node=node, text=NOT_LOST))
        for sid, node in loss.guests.items():
            if sid in self.standing and self.standing[sid].text != NOT_LOST:
                continue
            if sid in loss.stopped:
                self.standing[sid] = Standing(state="hopeless", node=node, text=WAS_STOPPED, set_down=True)
                continue
            self.standing[sid] = Standing(state="down", node=node, text=f"ran on {node}")
            self.outages = self.outages.begun(sid, t0)
        self.waits_for_all()
        return set(self.standing) != known

    def takes_over(
        self, loss: Loss, standing: dict[str, Standing], outages: tuple[Outage, ...], began: datetime
    ) -> dict[str, Standing]:
        """What the incident before this one knew of guests that this one has not met, or met stopped or elsewhere.

        One that HA has restarted on a node that is left runs, and was not lost a second time. Who is new to it.
        """
        self.loss = loss
        met = {sid for sid, one in self.standing.items() if one.text not in (WAS_STOPPED, NOT_LOST)}
        fresh = {sid: one for sid, one in standing.items() if sid not in met}
        for sid, one in fresh.items():
            earlier = [outage for outage in outages if outage.sid == sid]
            fell = one.state in UP and one.node not in loss.survivors
            self.standing[sid] = Standing(state="down", node=one.node, text=f"ran on {one.node}") if fell else one
            self.outages = Outages(known=(*self.outages.known, *earlier))
            if self.standing[sid].state == "down":
                self.outages = self.outages.begun(sid, began)
        return fresh

    # --- by when they should be back ---------------------------------------------------------------------------

    def expects(self, expected: Forecast) -> None:
        """The forecast is another one, or another guest belongs to it."""
        self.expected = expected
        if self.loss is not None:
            left = timedelta(seconds=(expected.running.latest - self._clock.now) / self._clock.speed)
            self.waits = self.waits.until(workflow.now() + left)

    def waits_for_all(self) -> None:
        """Each outage has its own time: as long as the forecast gives HA after a loss, from when it is known."""
        if self.loss is None or self.expected is None:
            return
        # counted from now: a T0 that is wrong must not use up the time in which guests may come back
        allowed = timedelta(seconds=self.expected.running.latest / self._clock.speed)
        down = [sid for sid, one in self.standing.items() if one.state == "down"]
        self.waits = self.waits.now(down, workflow.now() + allowed)

    @property
    def pending(self) -> tuple[str, ...]:
        """Guests that run nowhere and may still come back without a person."""
        return tuple(sid for sid, one in self.standing.items() if one.state in ("down", "unseen"))

    @property
    def late(self) -> bool:
        """Whoever is still waited for is late: the forecast is over."""
        return bool(self.pending) and self.waits.next is None

    # --- what is known -----------------------------------------------------------------------------------------

    @property
    def lost(self) -> dict[str, str]:
        """Guests of the lost nodes, with the node where each ran."""
        return self.loss.guests if self.loss else {}

    @property
    def standing_of_lost(self) -> dict[str, Standing]:
        """How each guest of the lost nodes stands."""
        return {sid: self.standing[sid] for sid in self.lost if sid in self.standing}

    @property
    def back(self) -> tuple[Back, ...]:
        """Guests of the lost nodes that are not waited for: running, with the proof, or given up, with the reason."""
        return tuple(
            Back(sid=sid, ok=one.state == "running", node=one.node, text=self.causes.get(sid, one.text))
            for sid in self.lost
            if (one := self.standing[sid]).state in ("running", "hopeless", "unproven")
        )

    @property
    def waiting(self) -> dict[str, str]:
        """Every guest that does not run, and why; of those that were not lost too."""
        return {
            sid: self._why(sid, one)
            for sid, one in sorted(self.standing.items())
            if one.state != "running" and (sid in self.lost or self.outages.of(sid) or one.state == "unseen")
        }

    @property
    def unproven(self) -> dict[str, str]:
        """Those of them that HA calls started: they may run."""
        return {sid: why for sid, why in self.waiting.items() if self.standing[sid].state == "unproven"}

    def _why(self, sid: str, one: Standing) -> str:
        outages = self.outages.of(sid)
        if one.set_down:
            return self.causes.get(sid, one.text)
        again = f"down again since {self._t_plus(outages[-1].begin)}: " if self._again(sid) else ""
        return again + self.causes.get(sid, one.text)

    def _again(self, sid: str) -> bool:
        """It was well before: it had come back, or was not lost at all."""
        outages = self.outages.of(sid)
        return bool(outages) and outages[-1].until is None and (len(outages) > 1 or sid not in self.lost)

    def _t_plus(self, when: datetime) -> str:
        return t_plus(self._clock.since(when))

    def was_down(self, sid: str, before: Standing) -> bool:
        """What is proven late was down until then, as far as anybody could tell."""
        outages = self.outages.of(sid)
        return before.state not in UP or (before.state == "unproven" and bool(outages) and outages[-1].until is None)

    @property
    def closing(self) -> str:
        """How it stands with the guests when the incident closes."""
        lost = len(self.lost)
        back = sum(self.standing[sid].state == "running" for sid in self.lost)
        said = f"{back} of {counted(lost, 'guest runs', 'guests run')} again" if lost else "No guest under HA ran there"
        if self.waiting:
            down = [sid for sid in self.waiting if sid not in self.unproven]
            said += f"; not running: {', '.join(down)}" if down else ""
            said += f"; not verified: {', '.join(self.unproven)}" if self.unproven else ""
        more = self.outages.count - lost
        return said + (f"; {counted(self.outages.count, 'outage')} of guests in all" if more > 0 else "")

    # --- from run to run ---------------------------------------------------------------------------------------

    def carries(self) -> dict[str, Any]:
        """For the next run."""
        return {
            "standing": self.standing,
            "causes": self.causes,
            "unseen": self.unseen,
            "waits": self.waits,
            "late_notes": self.late_notes,
            "running": self.running,
            "outages": self.outages,
        }

    def resumes(self, known: RecoveryState, loss: Loss, expected: Forecast) -> None:
        """As the earlier run knew them."""
        self.loss, self.expected = loss, expected
        self.standing, self.causes, self.unseen = dict(known.standing), dict(known.causes), dict(known.unseen)
        self.waits, self.late_notes = known.waits, dict(known.late_notes)
        self.running, self.outages = dict(known.running), known.outages
