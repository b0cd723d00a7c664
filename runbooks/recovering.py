"""Every guest, from the loss until the incident closes: back, not back and why, down again, fixed by hand."""

from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from cluster.causes import CausesWish
    from cluster.contracts import ha
    from cluster.forecast import Forecast
    from cluster.outages import UP, GuestsFinding, GuestsWish, Outage, Outages, Standing, Waits
    from cluster.recovery import Back
    from cluster.units import counted, shortly
    from runbooks.carried import RecoveryState
    from runbooks.loss import Loss
    from workflows.answers import ask
    from workflows.incident import Incident
    from workflows.page import clock
    from workflows.record import Line
    from workflows.steps import HEARTBEAT

TITLE = "Guests run again"
EXPLAINED_WITHIN = timedelta(minutes=1)
# A look without a limit is begun anew after this time.
LOOK = timedelta(hours=6)
NOT_LOST, WAS_STOPPED = "was not lost", "is stopped by request, as it was before the loss"
SET_DOWN = "set down by a person, so HA does not bring it back"


class Recovery:
    """The guests of one incident. `outages` are those of each guest, `back` who runs again and with which proof."""

    def __init__(self, run: Incident) -> None:
        self._run = run
        self._loss: Loss | None = None
        self._expected: Forecast | None = None
        self._line: Line | None = None
        self._standing: dict[str, Standing] = {}
        self._causes: dict[str, str] = {}
        self._unseen: dict[str, datetime] = {}
        self._waits = Waits()
        self._late_notes: dict[str, tuple[str, ...]] = {}
        self._more = False  # guests have joined that the look under way does not look at
        self.running: dict[str, datetime] = {}
        self.outages = Outages()

    def begins(self, loss: Loss, others: dict[str, str], expected: Forecast, t0: datetime) -> None:
        """Those of the lost nodes are down since T0; the `others` run, and are looked at as well."""
        run = self._run
        self._loss, self._expected = loss, expected
        known = set(self._standing)
        for sid, node in others.items():
            self._standing.setdefault(sid, Standing(state="running", node=node, text=NOT_LOST))
        for sid, node in loss.guests.items():
            if sid in self._standing and self._standing[sid].text != NOT_LOST:
                continue
            if sid in loss.stopped:
                self._standing[sid] = Standing(state="hopeless", node=node, text=WAS_STOPPED, set_down=True)
                continue
            self._standing[sid] = Standing(state="down", node=node, text=f"ran on {node}")
            self.outages = self.outages.begun(sid, t0)
        self._more = self._more or (self._line is not None and set(self._standing) != known)
        self._wait()
        if self._line is None:
            self._line = run.record.line(TITLE, self._waits_for())
            run.looks_on(self._watch())
        self._write()

    def takes_over(self, loss: Loss, standing: dict[str, Standing], outages: tuple[Outage, ...]) -> None:
        """What the incident before this one knew of guests that this one has not met, or met stopped or elsewhere.

        One that HA has restarted on a node that is left runs, and was not lost a second time.
        """
        self._loss = loss
        met = {sid for sid, one in self._standing.items() if one.text not in (WAS_STOPPED, NOT_LOST)}
        fresh = {sid: one for sid, one in standing.items() if sid not in met}
        for sid, one in fresh.items():
            earlier = [outage for outage in outages if outage.sid == sid]
            fell = one.state in UP and one.node not in loss.survivors
            self._standing[sid] = Standing(state="down", node=one.node, text=f"ran on {one.node}") if fell else one
            self.outages = Outages(known=(*self.outages.known, *earlier))
            if self._standing[sid].state == "down":
                self.outages = self.outages.begun(sid, self._run.record.began)
            if one.set_down:
                self._is_set_down(sid, one)
        self._more = self._more or bool(fresh)
        self._wait()
        self._write()

    def expects(self, expected: Forecast) -> None:
        """The forecast is another one, or another guest belongs to it."""
        self._expected = expected
        if self._loss is not None:
            left = timedelta(seconds=(expected.running.latest - self._run.now) / self._run.speed)
            self._waits = self._waits.until(workflow.now() + left)

    def _wait(self) -> None:
        """Each outage has its own time: as long as the forecast gives HA after a loss, from when it is known."""
        if self._loss is None or self._expected is None:
            return
        # counted from now: a T0 that is wrong must not use up the time in which guests may come back
        allowed = timedelta(seconds=self._expected.running.latest / self._run.speed)
        down = [sid for sid, one in self._standing.items() if one.state == "down"]
        self._waits = self._waits.now(down, workflow.now() + allowed)

    # --- it goes on in a new run -------------------------------------------------------------------------------

    def carries(self) -> RecoveryState:
        """All that is known of the guests."""
        return RecoveryState(
            line=self._run.record.place(self._line) if self._line else None,
            standing=self._standing,
            causes=self._causes,
            unseen=self._unseen,
            waits=self._waits,
            late_notes=self._late_notes,
            running=self.running,
            outages=self.outages,
        )

    def resumes(self, known: RecoveryState, loss: Loss, expected: Forecast) -> None:
        """Look on."""
        self._loss, self._expected = loss, expected
        self._standing, self._causes, self._unseen = dict(known.standing), dict(known.causes), dict(known.unseen)
        self._waits, self._late_notes = known.waits, dict(known.late_notes)
        self.running, self.outages = dict(known.running), known.outages
        if known.line is not None:
            self._line = self._run.record.at(known.line)
            self._run.looks_on(self._watch())

    # --- what is known -----------------------------------------------------------------------------------------

    @property
    def lost(self) -> dict[str, str]:
        """Guests of the lost nodes, with the node where each ran."""
        return self._loss.guests if self._loss else {}

    @property
    def back(self) -> tuple[Back, ...]:
        """Guests of the lost nodes that are not waited for: running, with the proof, or given up, with the reason."""
        return tuple(
            Back(sid=sid, ok=one.state == "running", node=one.node, text=self._causes.get(sid, one.text))
            for sid in self.lost
            if (one := self._standing[sid]).state in ("running", "hopeless", "unproven")
        )

    @property
    def waiting(self) -> dict[str, str]:
        """Every guest that does not run, and why; of those that were not lost too."""
        return {
            sid: self._why(sid, one)
            for sid, one in sorted(self._standing.items())
            if one.state != "running" and (sid in self.lost or self.outages.of(sid) or one.state == "unseen")
        }

    def _why(self, sid: str, one: Standing) -> str:
        outages = self.outages.of(sid)
        if one.set_down:
            return self._causes.get(sid, one.text)
        again = f"down again since T+{self._clock(outages[-1].begin)}: " if self._again(sid) else ""
        return again + self._causes.get(sid, one.text)

    def _again(self, sid: str) -> bool:
        """It was well before: it had come back, or was not lost at all."""
        outages = self.outages.of(sid)
        return bool(outages) and outages[-1].until is None and (len(outages) > 1 or sid not in self.lost)

    def _clock(self, when: datetime) -> str:
        return clock(timedelta(seconds=max(0.0, self._run.since(when))))

    @property
    def pending(self) -> tuple[str, ...]:
        """Guests that run nowhere and may still come back without a person."""
        return tuple(sid for sid, one in self._standing.items() if one.state in ("down", "unseen"))

    @property
    def late(self) -> bool:
        """Whoever is still waited for is late: the forecast is over."""
        return bool(self.pending) and self._waits.next is None

    @property
    def standing(self) -> dict[str, Standing]:
        """How each guest of the lost nodes stands."""
        return {sid: self._standing[sid] for sid in self.lost if sid in self._standing}

    @property
    def closing(self) -> str:
        """How it stands with the guests when the incident closes."""
        lost = len(self.lost)
        back = sum(self._standing[sid].state == "running" for sid in self.lost)
        said = f"{back} of {counted(lost, 'guest runs', 'guests run')} again" if lost else "No guest under HA ran there"
        if self.waiting:
            said += f"; not running: {', '.join(self.waiting)}"
        more = self.outages.count - lost
        return said + (f"; {counted(self.outages.count, 'outage')} of guests in all" if more > 0 else "")

    # --- the look ----------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        while self._loss is not None:
            loss, self._more = self._loss, False
            left = (self._waits.next - workflow.now()).total_seconds() if self._waits.next else None
            wish = GuestsWish(
                known=self._standing,
                nodes=tuple(dict.fromkeys((*loss.survivors, *loss.nodes))),
                via=loss.survivors,
                vg=loss.inventory.storage.vg,
                limit=max(1.0, left) if left is not None else LOOK.total_seconds(),
            )
            found = await self._run.seen_until(TITLE, ha.watch_guests, wish, lambda: self._more)
            if found is not None:
                await self._learn(found)
            self._waits, late = self._waits.judged(workflow.now())
            if late:
                await self._are_late(late)

    async def _learn(self, found: GuestsFinding) -> None:
        """What has changed: told, counted, and written on the guests' line."""
        news = {
            sid: (self._standing[sid], one)
            for sid, one in found.standing.items()
            if sid in self._standing and not one.same(self._standing[sid])
        }
        self._standing |= {sid: one for sid, one in found.standing.items() if sid in self._standing}
        for sid, (_, now) in news.items():
            if now.state in ("running", "down"):
                self._causes.pop(sid, None)
        await self._explain([sid for sid, (_, now) in news.items() if now.state == "hopeless" and not now.set_down])
        self._seen_again({sid: now for sid, (before, now) in news.items() if before.state == "unseen"})
        self._restarted({sid: now for sid, (before, now) in news.items() if now.restarted(before)})
        self._up([sid for sid, (before, now) in news.items() if now.state == "running" and self._was_down(sid, before)])
        fell = {sid: now for sid, (before, now) in news.items() if before.state in UP and now.state not in UP}
        self._fell({sid: now for sid, now in fell.items() if not now.set_down})
        for sid, (_, now) in news.items():
            if now.set_down:
                self.outages = self.outages.begun(sid, workflow.now()) if sid in fell else self.outages
                self._is_set_down(sid, now)
        self._given_up({sid: now for sid, (_, now) in news.items() if now.state in ("hopeless", "unproven")})
        for sid, (_, now) in news.items():
            if now.state in ("running", "down"):
                self._run.done_with(f"guest {sid}")
        self._wait()
        self._write()

    def _given_up(self, news: dict[str, Standing]) -> None:
        """HA does not bring these back, or it cannot be proven that they run: a person has to act."""
        given_up = {sid: now for sid, now in news.items() if not now.set_down}
        for sid, now in given_up.items():
            self._run.ask(f"guest {sid}", f"{sid} {self._causes.get(sid, now.text)}")
        if lost := [sid for sid, now in given_up.items() if now.state == "hopeless" and sid in self.lost]:
            said = "; ".join(f"{sid} {self._causes.get(sid, given_up[sid].text)}" for sid in lost)
            self._run.tell_people(
                "late", f"{counted(len(lost), 'guest is', 'guests are')} not brought back by HA", said
            )

    def _is_set_down(self, sid: str, now: Standing) -> None:
        """A person has taken it down, or out of HA: said, and nobody waits for it or is asked about it."""
        run = self._run
        run.done_with(f"guest {sid}")
        self.running.pop(sid, None)
        known = self._causes.get(sid, "").endswith(SET_DOWN)  # an earlier incident may have told it, too
        self._causes[sid] = f"{now.text}: {SET_DOWN}"
        if known:
            return
        run.line_again(f"{sid} was set down", "told", f"T+{run.now:.0f} s: {sid} {now.text}")
        run.tell_people("changed", f"{sid} was set down by a person", f"{sid} {self._causes[sid]}.")

    def _was_down(self, sid: str, before: Standing) -> bool:
        """What is proven late was down until then, as far as anybody could tell."""
        outages = self.outages.of(sid)
        return before.state not in UP or (before.state == "unproven" and bool(outages) and outages[-1].until is None)

    def _up(self, sids: list[str]) -> None:
        for sid in sids:
            self.running[sid] = workflow.now()
            self.outages = self.outages.over(sid, workflow.now())
        if sids:
            said = ", ".join(f"{sid} on {self._standing[sid].node}" for sid in sids)
            self._run.tell_people("running", f"{counted(len(sids), 'guest runs', 'guests run')} again", said)
        self._late_no_more()

    def _late_no_more(self) -> None:
        """A remark that guests are late is of yesterday once they run: it says so."""
        for text, late in tuple(self._late_notes.items()):
            if all(self._standing[sid].state in UP for sid in late):
                del self._late_notes[text]
                self._run.unnote(text)
                at = f"at T+{self._run.now:.0f} s"
                self._run.note_again(f"Late, and back: {', '.join(late)}", f"{at}. Before: {text}")

    def _fell(self, fallen: dict[str, Standing]) -> None:
        """What was well is not any more: a line of its own, and people are told."""
        run = self._run
        for sid, now in fallen.items():
            if now.state == "unseen":
                self._unseen[sid] = workflow.now()
            else:
                self.outages = self.outages.begun(sid, workflow.now())
            self.running.pop(sid, None)
            word = "cannot be seen" if now.state == "unseen" else "is down again" if sid in self.lost else "is down"
            run.line_again(f"{sid} {word}", "warned", f"since T+{run.now:.0f} s: {now.text}")
        if fallen:
            said = "; ".join(f"{sid}: {now.text}" for sid, now in fallen.items())
            run.tell_people("worse", f"{counted(len(fallen), 'guest has', 'guests have')} fallen", said)

    def _restarted(self, news: dict[str, Standing]) -> None:
        """It was down between two looks: since when is not known, and it ended when its process began."""
        run = self._run
        for sid, now in news.items():
            at = workflow.now() - timedelta(seconds=(now.up or 0.0) / run.speed)
            self.outages = self.outages.begun(sid, at).over(sid, at)
            self.running[sid] = at
            run.line_again(f"{sid} was down again", "warned", f"restarted at T+{run.since(at):.0f} s on {now.node}")
        if news:
            said = "; ".join(f"{sid} on {now.node}: its process is a new one" for sid, now in news.items())
            run.tell_people("worse", f"{counted(len(news), 'guest has', 'guests have')} been down again", said)

    def _seen_again(self, news: dict[str, Standing]) -> None:
        """One that nobody could see: it was down meanwhile if it does not run, or has run for less long than that."""
        for sid, now in news.items():
            since = self._unseen.pop(sid, None)
            if since is None:
                continue
            so_long = self._run.now - self._run.since(since)
            if now.state not in UP or (now.up is not None and now.up < so_long):
                self.outages = self.outages.begun(sid, since)

    async def _are_late(self, sids: tuple[str, ...]) -> None:
        await self._explain(list(sids))
        # what they stand like may have changed while their causes were read
        late = tuple(sid for sid in sids if sid in self._waits.late)
        if not late:
            return
        said = "; ".join(f"{sid} {self.waiting[sid]}" for sid in late[:5])
        expected = self._expected.running if self._expected else ""
        note = f"T+{self._run.now:.0f} s: late against the forecast ({expected}): {said}"
        self._late_notes[note] = late
        self._run.note_once(note)
        self._run.tell_people("late", f"{counted(len(late), 'guest is', 'guests are')} late", said)
        for sid in late:
            self._run.ask(f"guest {sid}", f"{sid} is late: {self.waiting[sid]}", quietly=True)
        self._write()

    async def _explain(self, sids: list[str]) -> None:
        """What keeps them away: rules, locks, storage, capacity, beside HA's own word; nothing where nobody tells."""
        if not sids or self._loss is None:
            return
        wish = CausesWish(guests=tuple(sids), survivors=self._loss.survivors, storage=self._loss.inventory.storage.id)
        try:
            found = await ask(
                ha.causes,
                wish,
                summary="why guests are not back",
                start_to_close_timeout=EXPLAINED_WITHIN,
                schedule_to_close_timeout=EXPLAINED_WITHIN,
                heartbeat_timeout=HEARTBEAT,
                retry_policy=RetryPolicy(maximum_interval=timedelta(seconds=5)),
            )
        except ActivityError:
            return
        self._causes |= found.causes
        self._run.line_again("Why guests are not back", "told", found.finding)

    # --- the line ----------------------------------------------------------------------------------------------

    def _waits_for(self) -> str:
        """What the line is called while anybody is waited for."""
        pending = sum(one.state == "down" for one in self._standing.values())
        unseen = sum(one.state == "unseen" for one in self._standing.values())
        if unseen and not pending:
            return f"Waiting to see {counted(unseen, 'guest')} again"
        expected = self._expected.running if self._expected else None
        when = f" ({expected})" if expected and not self.running else ""
        return f"Waiting for HA to restart {counted(pending, 'guest')}{when}"

    def _write(self) -> None:
        line, run = self._line, self._run
        if line is None:
            return
        up = [f"{sid} on {self._standing[sid].node}" for sid in self.lost if self._standing[sid].state == "running"]
        away = [f"{sid} {why}" for sid, why in self.waiting.items()]
        if not away:
            said = shortly(up, 6) if up else "no guest under HA ran there"
            line.end("done" if up else "unneeded", said, run.record.elapsed)
        elif self.pending:
            said = f"{len(up)} of {len(self.lost)}; {shortly(away, 3)}"
            line.set("running", said, waiting=self._waits_for(), took=timedelta())
        else:
            line.end("warned", f"{len(up)} of {len(self.lost)}; not running: {shortly(away, 3)}", run.record.elapsed)
        run.tell()
