"""The look at every guest, from the loss until the incident closes, and the line of the page that tells of it."""

from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.contracts import ha
    from cluster.forecast import Forecast
    from cluster.outages import GuestsFinding, GuestsWish, Outage, Standing
    from cluster.units import counted, shortly
    from runbooks.losing.carried import RecoveryState
    from runbooks.losing.guests import Guests
    from runbooks.losing.news import News
    from runbooks.loss import Loss
    from workflows.incident import Incident
    from workflows.meters import phase
    from workflows.record import Line

TITLE = "Guests run again"
# A look without a limit is begun anew after this time.
LOOK = timedelta(hours=6)


class Recovery:
    """HA's recovery of the guests of one incident, as it is watched."""

    def __init__(self, run: Incident, guests: Guests) -> None:
        self._run, self._guests = run, guests
        self._news = News(run, guests)
        self._line: Line | None = None
        self._recovered = False  # all that could come back had, once
        self._more = False  # guests have joined that the look under way does not look at

    # --- who is looked at --------------------------------------------------------------------------------------

    def begins(self, loss: Loss, others: dict[str, str], expected: Forecast, t0: datetime) -> None:
        """Those of the lost nodes are down since T0; the `others` run, and are looked at as well."""
        joined = self._guests.begins(loss, others, expected, t0)
        self._more = self._more or (self._line is not None and joined)
        if self._line is None:
            self._line = self._run.record.line(TITLE, self._waits_for())
            self._run.looks.beside(self._watch())
        self._write()

    def takes_over(self, loss: Loss, standing: dict[str, Standing], outages: tuple[Outage, ...]) -> None:
        """What the incident before this one knew of its guests."""
        fresh = self._guests.takes_over(loss, standing, outages, self._run.record.began)
        for sid, one in fresh.items():
            if one.set_down:
                self._news.is_set_down(sid, one)
        self._more = self._more or bool(fresh)
        self._guests.waits_for_all()
        self._write()

    # --- the look ----------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        guests = self._guests
        while (loss := guests.loss) is not None:
            self._more = False
            left = (guests.waits.next - workflow.now()).total_seconds() if guests.waits.next else None
            wish = GuestsWish(
                known=guests.standing,
                nodes=tuple(dict.fromkeys((*loss.survivors, *loss.nodes))),
                via=loss.survivors,
                vg=loss.inventory.groups,
                limit=max(1.0, left) if left is not None else LOOK.total_seconds(),
            )
            found = await self._run.looks.seen_until(TITLE, ha.watch_guests, wish, lambda: self._more)
            if found is not None:
                await self._learn(found)
            guests.waits, late = guests.waits.judged(workflow.now())
            if late and await self._news.are_late(late):
                self._write()

    async def _learn(self, found: GuestsFinding) -> None:
        """What has changed: told, counted, and written on the guests' line."""
        guests = self._guests
        news = {
            sid: (guests.standing[sid], one)
            for sid, one in found.standing.items()
            if sid in guests.standing and not one.same(guests.standing[sid])
        }
        guests.standing |= {sid: one for sid, one in found.standing.items() if sid in guests.standing}
        await self._news.learned(news)
        guests.waits_for_all()
        self._write()

    # --- the line ----------------------------------------------------------------------------------------------

    def _waits_for(self) -> str:
        """What the line is called while anybody is waited for."""
        guests = self._guests
        pending = sum(one.state == "down" for one in guests.standing.values())
        unseen = sum(one.state == "unseen" for one in guests.standing.values())
        if unseen and not pending:
            return f"Waiting to see {counted(unseen, 'guest')} again"
        expected = guests.expected.running if guests.expected else None
        times = self._run.clock.times
        due = times.between(expected.earliest, expected.latest) if expected and not guests.running else ""
        when = f", expected {due}" if due else ""
        return f"Waiting for HA to restart {counted(pending, 'guest')}{when}"

    def _write(self) -> None:
        line, run, guests = self._line, self._run, self._guests
        if line is None:
            return
        up = [f"{sid} on {guests.standing[sid].node}" for sid in guests.lost if guests.standing[sid].state == "running"]
        away = [f"{sid} {why}" for sid, why in guests.waiting.items()]
        if up and not guests.pending:
            self._tell_of_all()
        if not away:
            said = shortly(up, 6) if up else "no guest under HA ran there"
            line.end("done" if up else "unneeded", said, run.record.elapsed)
        elif guests.pending:
            said = f"{len(up)} of {len(guests.lost)}; {shortly(away, 3)}"
            line.set("running", said, waiting=self._waits_for(), took=timedelta())
        else:
            down = [f"{sid} {why}" for sid, why in guests.waiting.items() if sid not in guests.unproven]
            unsure = [f"{sid} {why}" for sid, why in guests.unproven.items()]
            parts = [f"not running: {shortly(down, 3)}"] if down else []
            said = "; ".join([f"{len(up)} of {len(guests.lost)}", *parts, *([shortly(unsure, 3)] if unsure else [])])
            line.end("warned", said, run.record.elapsed)
        run.tell()

    def _tell_of_all(self) -> None:
        """Nobody is waited for, for the first time: how long it took beside what was expected."""
        guests, run = self._guests, self._run
        back = [run.clock.since(at) for sid, at in guests.running.items() if sid in guests.lost]
        if back and not self._recovered:
            self._recovered = True
            phase(run.about.name, "recovered", max(back), guests.expected.running if guests.expected else None)

    # --- it goes on in a new run -------------------------------------------------------------------------------

    def carries(self) -> RecoveryState:
        """All that is known of the guests."""
        line = self._run.record.place(self._line) if self._line else None
        return RecoveryState(line=line, recovered=self._recovered, **self._guests.carries())

    def resumes(self, known: RecoveryState, loss: Loss, expected: Forecast) -> None:
        """Look on."""
        self._guests.resumes(known, loss, expected)
        self._recovered = known.recovered
        if known.line is not None:
            self._line = self._run.record.at(known.line)
            self._run.looks.beside(self._watch())
