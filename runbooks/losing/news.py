"""News of guests: up, down again, unseen, stopped by an operator, late, given up.

Each is told, and asked about where that must be. What was down and is up again takes back what was said of it.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from cluster.causes import CausesWish
    from cluster.contracts import ha
    from cluster.moments import t_plus
    from cluster.outages import UP, Standing
    from cluster.units import counted
    from runbooks.losing.guests import Guests
    from runbooks.losing.telling import UNPROVEN, given_up, unproven
    from workflows.answers import ask
    from workflows.incident import Incident
    from workflows.steps import HEARTBEAT

EXPLAINED_WITHIN = timedelta(minutes=1)
SET_DOWN = "an operator stopped it, so HA does not restart it"
# The same in the words of version 0.1, in which an incident of that time may have handed it on.
SAID_FORMERLY = "set down by a person, so HA does not bring it back"


class News:
    """What has become of the guests of one incident, as people learn of it."""

    def __init__(self, run: Incident, guests: Guests) -> None:
        self._run, self._guests = run, guests

    async def learned(self, news: dict[str, tuple[Standing, Standing]]) -> None:
        """Guests that stand otherwise than before: how they stood, and how they stand."""
        guests = self._guests
        told = any("unproven" in (before.state, now.state) for before, now in news.values())
        once = told and workflow.patched("unproven-asked-once")
        for sid, (_, now) in news.items():
            if now.state in ("running", "down"):
                guests.causes.pop(sid, None)
        await self._explain([sid for sid, (_, now) in news.items() if now.state == "hopeless" and not now.set_down])
        self._seen_again({sid: now for sid, (before, now) in news.items() if before.state == "unseen"})
        self._restarted({sid: now for sid, (before, now) in news.items() if now.restarted(before)})
        self._up(
            [sid for sid, (before, now) in news.items() if now.state == "running" and guests.was_down(sid, before)]
        )
        fell = {
            sid: now
            for sid, (before, now) in news.items()
            if before.state in UP and now.state not in UP and not (once and guests.was_down(sid, before))
        }
        self._fell({sid: now for sid, now in fell.items() if not now.set_down})
        for sid, (_, now) in news.items():
            if now.set_down:
                guests.outages = guests.outages.begun(sid, workflow.now()) if sid in fell else guests.outages
                self.is_set_down(sid, now)
        asked = ("hopeless",) if once else ("hopeless", "unproven")
        self._given_up({sid: now for sid, (_, now) in news.items() if now.state in asked})
        if once:
            self._unproven([sid for sid, (_, now) in news.items() if now.state == "unproven"])
        for sid, (_, now) in news.items():
            if now.state in ("running", "down"):
                self._run.actions.done_with(f"guest {sid}")

    # --- up ----------------------------------------------------------------------------------------------------

    def _up(self, sids: list[str]) -> None:
        guests = self._guests
        for sid in sids:
            guests.running[sid] = workflow.now()
            guests.outages = guests.outages.over(sid, workflow.now())
        if sids:
            said = ", ".join(f"{guests.called(sid)} on {guests.standing[sid].node}" for sid in sids)
            self._run.notices.tell("running", f"{counted(len(sids), 'guest runs', 'guests run')} again", said)
        self._late_no_more()

    def _late_no_more(self) -> None:
        """A remark that guests are late is of yesterday once they run: it says so."""
        run, guests = self._run, self._guests
        for text, late in tuple(guests.late_notes.items()):
            if all(guests.standing[sid].state in UP for sid in late):
                del guests.late_notes[text]
                run.remarks.unnote(text)
                at = f"at {run.clock.says}"
                run.remarks.note_again(f"Was late, runs again: {', '.join(late)}", f"{at}. Said before: {text}")

    def _seen_again(self, news: dict[str, Standing]) -> None:
        """One that nobody could see: it was down meanwhile if it does not run, or has run for less long than that."""
        guests, clock = self._guests, self._run.clock
        for sid, now in news.items():
            since = guests.unseen.pop(sid, None)
            if since is None:
                continue
            so_long = clock.now - clock.since(since)
            if now.state not in UP or (now.up is not None and now.up < so_long):
                guests.outages = guests.outages.begun(sid, since)

    # --- down --------------------------------------------------------------------------------------------------

    def _fell(self, fallen: dict[str, Standing]) -> None:
        """What was well is not any more: a line of its own, and people are told."""
        run, guests = self._run, self._guests
        for sid, now in fallen.items():
            if now.state == "unseen":
                guests.unseen[sid] = workflow.now()
            else:
                guests.outages = guests.outages.begun(sid, workflow.now())
            guests.running.pop(sid, None)
            word = "cannot be seen" if now.state == "unseen" else "is down again" if sid in guests.lost else "is down"
            run.remarks.line_again(f"{sid} {word}", "warned", f"since {run.clock.says}: {now.text}")
        if fallen:
            said = "; ".join(f"{guests.called(sid)}: {now.text}" for sid, now in fallen.items())
            run.notices.tell("worse", f"{counted(len(fallen), 'guest is', 'guests are')} down or cannot be seen", said)

    def _restarted(self, news: dict[str, Standing]) -> None:
        """It was down between two looks: since when is not known, and it ended when its process began."""
        run, guests = self._run, self._guests
        for sid, now in news.items():
            at = workflow.now() - timedelta(seconds=(now.up or 0.0) / run.clock.speed)
            guests.outages = guests.outages.begun(sid, at).over(sid, at)
            guests.running[sid] = at
            said = f"restarted at {t_plus(run.clock.since(at))} on {now.node}"
            run.remarks.line_again(f"{sid} was down again", "warned", said)
        if news:
            named = (f"{guests.called(sid)} on {now.node}: its process is a new one" for sid, now in news.items())
            were = counted(len(news), "guest was down and runs", "guests were down and run")
            run.notices.tell("worse", f"{were} again", "; ".join(named))

    def is_set_down(self, sid: str, now: Standing) -> None:
        """A person has taken it down, or out of HA: said, and nobody waits for it or is asked about it."""
        run, guests = self._run, self._guests
        run.actions.done_with(f"guest {sid}")
        guests.running.pop(sid, None)
        # an earlier incident may have told it, too
        known = guests.causes.get(sid, "").endswith((SET_DOWN, SAID_FORMERLY))
        guests.causes[sid] = f"{now.text}: {SET_DOWN}"
        if known:
            return
        run.remarks.line_again(f"{sid} was stopped by an operator", "told", f"{run.clock.says}: {sid} {now.text}")
        name = guests.called(sid)
        run.notices.tell("changed", f"{name} was stopped by an operator", f"{name} {guests.causes[sid]}.")

    # --- not back ----------------------------------------------------------------------------------------------

    def _given_up(self, news: dict[str, Standing]) -> None:
        """HA does not bring these back, or it cannot be proven that they run: a person has to act."""
        run, causes = self._run, self._guests.causes
        given_up = {sid: now for sid, now in news.items() if not now.set_down}
        for sid, now in given_up.items():
            self._ask(sid, causes.get(sid, now.text))
        if lost := [sid for sid, now in given_up.items() if now.state == "hopeless" and sid in self._guests.lost]:
            said = "; ".join(f"{self._guests.called(sid)} {causes.get(sid, given_up[sid].text)}" for sid in lost)
            title = f"{counted(len(lost), 'guest is', 'guests are')} not brought back by HA"
            run.notices.tell("late", title, said)

    def _unproven(self, new: list[str]) -> None:
        """HA calls them started, and nobody has seen that they run: one question for all, and none to start them."""
        actions, loss = self._run.actions, self._guests.loss
        for sid in new:
            actions.done_with(f"guest {sid}")
        left = {sid: one.text for sid, one in self._guests.standing.items() if one.state == "unproven"}
        if not left or loss is None:
            actions.done_with(UNPROVEN)
            return
        answer = unproven(left, loss)
        actions.ask(UNPROVEN, answer.title, answer=answer)

    async def are_late(self, sids: tuple[str, ...]) -> bool:
        """The forecast is over for these; false when it turns out that none of them is waited for any more."""
        run, guests = self._run, self._guests
        await self._explain(list(sids))
        # what they stand like may have changed while their causes were read
        late = tuple(sid for sid in sids if sid in guests.waits.late)
        if not late:
            return False
        said = "; ".join(f"{sid} {guests.waiting[sid]}" for sid in late[:5])
        expected = guests.expected.running if guests.expected else ""
        note = f"{run.clock.says}: late against the forecast ({expected}): {said}"
        guests.late_notes[note] = late
        run.remarks.note_once(note)
        named = "; ".join(f"{guests.called(sid)} {guests.waiting[sid]}" for sid in late[:5])
        run.notices.tell("late", f"{counted(len(late), 'guest is', 'guests are')} late", named)
        for sid in late:
            self._ask(sid, guests.waiting[sid], late=True)
        return True

    def _ask(self, sid: str, why: str, *, late: bool = False) -> None:
        """A person has to see to this guest; that it is late is told by a notice of its own."""
        loss = self._guests.loss
        standing = self._guests.standing.get(sid)
        if loss is None:
            answer = None
        elif standing is not None and standing.state == "unproven":
            answer = unproven({sid: why}, loss).model_copy(update={"about": f"guest {sid}"})
        else:
            answer = given_up(sid, why, loss, late=late)
        said = answer.title if answer is not None else f"{sid} {why}"
        self._run.actions.ask(f"guest {sid}", said, answer=answer, quietly=late)

    async def _explain(self, sids: list[str]) -> None:
        """What keeps them away: rules, locks, storage, capacity, beside HA's own word; nothing where nobody tells."""
        loss = self._guests.loss
        if not sids or loss is None:
            return
        more = tuple(storage.id for storage in loss.inventory.all_storages[1:])
        wish = CausesWish(
            guests=tuple(sids), survivors=loss.survivors, storage=loss.inventory.all_storages[0].id, more=more
        )
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
        self._guests.causes |= found.causes
        self._run.remarks.line_again("Why guests are not back", "told", found.finding)
