"""Whether HA has fenced a lost node: only its own acknowledgement counts, and only where it was seen. Pure.

Acknowledged means that HA's master has got the node's agent lock. Two things show it: the node leaves the state
``fence``, which nothing else ends, or a service leaves the node without its help: from ``fence``, or, where a new
master fences and acknowledges in one round, from a node that HA calls lost (reference: pve-ha §§5, 7, 15.1). A node on
which HA lists no service is never fenced. Everything else is not known.

A service that is elsewhere proves that only where it was seen leaving: over a long gap the node may have come back,
have been emptied by hand and have been lost again. Then how it got there is not known.
"""

from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field

from cluster.nouns import Value
from cluster.plan import Finding
from cluster.recovery import PRESENT, HaView
from cluster.units import shortly

Outcome = Literal["fenced", "nothing", "back", "unknown"]
# The node takes part in these itself: a service that leaves it so was moved and not recovered.
MOVING = ("migrate", "relocate", "request_start_balance")
# Of the cluster's own time. A node that comes back, hands a guest over and is lost again takes HA longer: some rounds
# of 10 s for the move, and the time until its membership settles twice (reference: pve-ha §§1, 2).
REMEMBERED = timedelta(seconds=60)


class FencingSeen(Value):
    """What has been seen of one lost node so far: it outlives the attempt and the worker that saw it.

    `services` are those that HA last listed on it, with their states, and `listed` all that it ever did. `away`: HA has
    called it lost; `fencing`: it was seen in ``fence``. `at` is when HA's list was last read, None where that is not
    known.
    """

    node: str
    at: datetime | None = None
    state: str = ""
    away: bool = False
    fencing: bool = False
    services: dict[str, str] = Field(default_factory=dict)
    listed: tuple[str, ...] = ()
    proof: str = ""

    def then(self, view: HaView, at: datetime, speed: float = 1.0) -> "FencingSeen":
        """With what HA says at that time; a list without any node says nothing.

        `speed`: how much faster than the clock the cluster's time runs.
        """
        if not view.nodes:
            return self
        state = view.nodes.get(self.node, "gone")
        here = {sid: service.state for sid, service in view.services.items() if service.node == self.node}
        return FencingSeen(
            node=self.node,
            at=at,
            state=state,
            away=self.away or state not in PRESENT,
            fencing=self.fencing or state == "fence",
            services=here,
            listed=tuple(dict.fromkeys((*self.listed, *here))),
            proof=self.proof
            or self._left_fence(state, view)
            or (self._lost_service(state, view) if self._just_seen(at, speed) else ""),
        )

    def _just_seen(self, at: datetime, speed: float) -> bool:
        """The last look is so young that nothing can have happened in between but what both looks show."""
        return self.at is not None and abs(at - self.at) * speed <= REMEMBERED

    def _left_fence(self, state: str, view: HaView) -> str:
        if not self.fencing or state == "fence" or self.node not in view.nodes:
            return ""
        return f"{view.master} has its agent lock: HA called it fence and then {state}"

    def _lost_service(self, state: str, view: HaView) -> str:
        """A service that was on it and is not any more, or is in recovery: HA has taken it away."""
        lost = state not in PRESENT and self.state not in ("", *PRESENT)
        for sid, before in self.services.items():
            now = view.services.get(sid)
            if now is None or not (before == "fence" or (lost and before not in MOVING)):
                continue
            if now.node == self.node and now.state == "recovery":
                return f"{view.master} has its agent lock: {sid} went from {before} to recovery"
            if now.node != self.node and now.state not in MOVING:
                return f"{view.master} has its agent lock: {sid} went from {before} there to {now.node}"
        return ""

    @property
    def said(self) -> str:
        """What was seen, for a person who has to judge it."""
        on_it = shortly((f"{sid} {state}" for sid, state in sorted(self.services.items())), 3)
        return f"HA calls it {self.state or 'nothing yet'} and lists {on_it or 'no service'} on it"


class FencingWish(Value):
    """A lost node. `ran` are the services that are believed to have run there; `seen` what an earlier look saw.

    `limit`: seconds after which it is told that nothing is known; None to wait for as long as it takes.
    """

    node: str
    ran: tuple[str, ...]
    survivors: tuple[str, ...]
    seen: FencingSeen
    limit: float | None = None


class FencingLook(Value):
    """The last look at HA's list: what was seen before it, and what it showed; None where nobody answered.

    It goes on record with the version of the rules. `speed`: how much faster than the clock the cluster's time runs.
    """

    before: FencingSeen
    view: HaView | None = None
    at: datetime | None = None
    speed: float = 1.0
    rules: str = ""

    @property
    def seen(self) -> FencingSeen:
        """What has been seen with it."""
        if self.view is None or self.at is None:
            return self.before
        return self.before.then(self.view, self.at, self.speed)

    def found(self, wish: "FencingWish") -> "FencingFinding | None":
        """What can be said for good; None while HA may still fence the node, or says nothing."""
        found = concluded(wish, self.seen, self.view) if self.view is not None else None
        return found.model_copy(update={"basis": self}) if found is not None else None

    @property
    def unknown(self) -> "FencingFinding":
        """Nothing was seen in time that proves it."""
        return not_known(self.seen).model_copy(update={"basis": self})


class FencingFinding(Finding):
    """How it stands with a node: fenced, nothing to fence, back before it was fenced, or not known.

    `cut`: the look was asked to end before anything was known; `seen` is what it saw until then. `basis` is the look
    that it was concluded from, for the record.
    """

    outcome: Outcome
    seen: FencingSeen
    cut: bool = False
    basis: FencingLook | None = None


def concluded(wish: FencingWish, seen: FencingSeen, view: HaView) -> FencingFinding | None:
    """What can be said for good; None while HA may still fence it."""
    if seen.proof:
        return FencingFinding(finding=seen.proof, outcome="fenced", seen=seen)
    if not view.nodes:  # HA has no master yet, or its state cannot be read: that is silence
        return None
    believed = dict.fromkeys((*wish.ran, *seen.listed))
    away = [
        f"{sid} is on {view.services[sid].node}"
        for sid in believed
        if sid in view.services and view.services[sid].node != wish.node
    ]
    if seen.state in PRESENT and seen.away and not seen.fencing:
        if away:  # it was fenced while nobody looked, or emptied by hand after it had come back
            said = f"not known: HA calls it {seen.state} again; {shortly(away, 3)}, and how it got there was not seen"
            return FencingFinding(finding=said, mark="warned", outcome="unknown", seen=seen)
        said = f"not fenced: it came back before, HA calls it {seen.state}"
        return FencingFinding(finding=said, mark="unneeded", outcome="back", seen=seen)
    if seen.services or seen.fencing:
        return None
    if away:
        said = f"not known: HA lists no service on it now; {shortly(away, 3)}, and how it got there was not seen"
        return FencingFinding(finding=said, mark="warned", outcome="unknown", seen=seen)
    said = "nothing to fence: HA lists no service on it; guests outside HA may still be running there"
    return FencingFinding(finding=said, mark="unneeded", outcome="nothing", seen=seen)


def not_known(seen: FencingSeen) -> FencingFinding:
    """Nothing was seen in time that proves it."""
    return FencingFinding(finding=f"not known: {seen.said}", mark="warned", outcome="unknown", seen=seen)
