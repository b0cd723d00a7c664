"""What a person has to know of a loss while HA is at work: whether to wait, until when, for which guests by name."""

from collections.abc import Mapping

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.answers.advice import advice
    from cluster.answers.affected import guest
    from cluster.answers.model import Answer, Task
    from cluster.conditions import Condition
    from cluster.forecast import Forecast
    from cluster.guests import GuestId
    from cluster.outages import NOT_VERIFIED
    from cluster.units import counted
    from runbooks.losing.guests import Guests
    from runbooks.losing.lost import Lost
    from runbooks.loss import Loss
    from workflows.incident import Incident

# One question for all guests that HA calls started and nobody could verify.
UNPROVEN = "guests not verified"
FOLLOW = Task(do="follow the incident", command="quorate incident watch")


def named(sid: str, loss: Loss) -> str:
    """A guest as its owner knows it."""
    return guest(GuestId.of(sid).vmid, loss.inventory)


def given_up(sid: str, why: str, loss: Loss, *, late: bool) -> Answer:
    """A guest that does not come back by itself, and the commands that have HA start it again."""
    told = advice(Condition(kind="ha-error", where=(sid,), case="waiting" if late else ""), loss.inventory)
    said = f"{named(sid, loss)} {'is late: ' if late else ''}{why}"
    return Answer(
        about=f"guest {sid}",
        urgency="act now",
        title=said,
        tasks=told.do,
        never=(told.never,) if told.never else (),
        guests=(said,),
    )


def unproven(guests: Mapping[str, str], loss: Loss) -> Answer:
    """Guests that HA calls started and nobody has seen to run, each with the reason: none is stopped for that."""
    reasons = {sid: why.partition("; grant")[0] for sid, why in guests.items()}
    tasks = (
        Task(
            do="grant the right that is named to the token and its user, see docs/prepare.md: Quorate then looks again"
        ),
        Task(do="where a node does not report its volumes: find out why, on that node"),
    )
    refused = [why for why in reasons.values() if why.startswith(NOT_VERIFIED)]
    return Answer(
        about=UNPROVEN,
        urgency="act now",
        title=f"{counted(len(guests), 'guest')} not verified: HA calls {'it' if len(guests) == 1 else 'them'} started",
        stake="Whether they run is not known.",
        tasks=tasks if 0 < len(refused) < len(reasons) else tasks[:1] if refused else tasks[1:],
        never=("set them to disabled, or start them by hand: they may be running",),
        guests=tuple(f"{named(sid, loss)}: {why}" for sid, why in reasons.items()),
    )


class Telling:
    """The answer of one loss, as it stands now."""

    def __init__(self, run: Incident, lost: Lost, guests: Guests) -> None:
        self._run, self._lost, self._guests = run, lost, guests

    @property
    def answers(self) -> tuple[Answer, ...]:
        """One; none before it is known who is lost."""
        loss = self._lost.so_far
        return (self._answer(loss),) if loss is not None else ()

    def _answer(self, loss: Loss) -> Answer:
        seen = self._seen()
        waiting = tuple(f"{named(sid, loss)}: {why}" for sid, why in self._guests.waiting.items())
        if not self._guests.standing:  # HA's list is not read yet: those that the watch saw there
            waiting = (
                seen.guests if seen else tuple(f"{named(sid, loss)}: ran on {at}" for sid, at in loss.guests.items())
            )
        return Answer(
            about=seen.about if seen else f"loss of {loss.site}",
            urgency="watch",
            title=seen.title if seen else f"{self._what(loss)} is seen well again",
            stake=self._stake(loss),
            tasks=seen.tasks if seen else (FOLLOW,),
            never=seen.never if seen else (),
            automatic=seen.automatic if seen else "",
            guests=waiting,
            why=seen.why if seen else (),
            unless=seen.unless if seen else (),
        )

    def _seen(self) -> Answer | None:
        """What the newest look says of this very loss; None when it calls all of it well."""
        told = self._run.watched
        return next((one for one in told.answers if self._lost.is_ours(one.about)), None)

    @staticmethod
    def _what(loss: Loss) -> str:
        return f"site {loss.site}" if loss.whole else ", ".join(loss.nodes)

    def _stake(self, loss: Loss) -> str:
        guests, expected = self._guests, self._guests.expected
        if not guests.lost:
            return "No guest of HA ran there."
        if guests.pending and expected is not None and not guests.late:
            back = counted(len(guests.pending), "guest")
            return f"HA is expected to have {back} running {self._until(expected)}. Do nothing meanwhile."
        up = sum(one.state == "running" for one in guests.standing_of_lost.values())
        return f"{up} of {counted(len(guests.lost), 'guest runs', 'guests run')} again."

    def _until(self, expected: Forecast) -> str:
        """On both clocks."""
        return self._run.clock.times.between(expected.running.earliest, expected.running.latest)
