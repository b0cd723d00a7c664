"""Guests that HA has given up, on their way back under HA: who may be started again, and who may not yet. Pure.

HA starts nothing that it calls `error` until its requested state was `disabled` and is `started` again. Whatever speaks
against a second start holds a guest back; it is never forced.
"""

from collections.abc import Iterable

from cluster.approval import Approval, Veto
from cluster.conditions import serves
from cluster.evidence import ALIVE
from cluster.inventory import Inventory
from cluster.looks import Facts
from cluster.nouns import Value
from cluster.plan import Finding, Intent, Wish


class GivenUpWish(Value):
    """The volume group of the guests, and the nodes of the cluster."""

    vg: str
    nodes: tuple[str, ...]


class GivenUp(Value):
    """A guest in `error`: where HA has it, and what was asked for (`request`, HA's word; empty where HA lists none).

    `lock` is that of its configuration. `running`: its process lives. `doubt` says why it is not proven that no other
    node holds its volumes; empty when that is proven.
    """

    sid: str
    node: str
    request: str
    name: str = ""
    lock: str = ""
    running: bool = False
    doubt: str = ""

    @property
    def held(self) -> str:
        """Why it is not started again now; empty when it may be."""
        if not self.request:
            return "HA's list of resources does not have it: add it to HA again, if it is to run"
        if self.request not in ("started", "enabled"):
            return f"its requested state is {self.request}: set it to started first, if it is to run"
        if self.lock:
            return f"it is locked ({self.lock}): find the task that holds the lock, or what it has left"
        return self.doubt


class GivenUpFinding(Finding):
    """All of them, in the order of their numbers."""

    guests: tuple[GivenUp, ...]


class RevivePlan(Value):
    """Who is started again, in this order, and who is held back and why."""

    guests: tuple[GivenUp, ...]
    held: dict[str, str]

    @property
    def intents(self) -> tuple[Intent, ...]:
        """What people agree to."""
        return tuple(revived(one.sid, one.node, turn) for turn, one in enumerate(self.guests, start=1))

    @property
    def vetoes(self) -> tuple[Veto, ...]:
        """What people may waive by name: one that runs although HA has given it up is stopped first."""
        return tuple(
            Veto(
                name=veto_of(one.sid),
                text=f"{one.sid} runs on {one.node} although HA has given it up: HA stops it, then starts it again",
            )
            for one in self.guests
            if one.running
        )

    def differs(self, now: "RevivePlan", done: set[str]) -> str:
        """What is otherwise than it was agreed, apart from guests that are done; empty while it is the same."""
        mine = {one.sid: one for one in self.guests if one.sid not in done}
        theirs = {one.sid: one for one in now.guests}
        # one that is not in error any more is somebody's work: its own step finds out what it is
        said = [f"{sid}: {now.held[sid]}" for sid in mine if sid in now.held]
        said += [
            f"{sid} is on {theirs[sid].node} now, not on {one.node}"
            for sid, one in mine.items()
            if sid in theirs and theirs[sid].node != one.node
        ]
        said += [
            f"{sid} runs now, and HA would stop it"
            for sid, one in mine.items()
            if sid in theirs and theirs[sid].running and not one.running
        ]
        return f"the plan has changed: {'; '.join(said)}" if said else ""


class ReviveWish(Wish):
    """One guest that HA is to start again."""

    sid: str
    node: str
    turn: int
    vg: str
    nodes: tuple[str, ...]
    approval: Approval | None = None

    @property
    def intent(self) -> Intent:
        """The change."""
        return revived(self.sid, self.node, self.turn)


class ReviveFinding(Finding):
    """Where it runs now."""

    node: str = ""


def veto_of(sid: str) -> str:
    """The name of what people waive where a guest runs."""
    return f"runs-{sid.replace(':', '-')}"


def revived(sid: str, node: str, turn: int) -> Intent:
    """The change of one guest."""
    return Intent(where="HA", what="start again", target=sid, detail=f"on {node}", turn=turn, verb="start")


def cannot_write(facts: Facts, nodes: Iterable[str], inventory: Inventory) -> tuple[str, ...]:
    """Those of these nodes that can write to no copy of the pod: off, or without a session at any array that serves.

    An array that does not answer serves nobody only where its peer serves and says so. One that shows no node of the
    cluster at all may hide them from Quorate's user: that is no word on who is logged in.
    """
    serving = [look for look in facts.arrays.values() if serves(look)]
    unsure = []
    for array in inventory.arrays:
        look = facts.arrays.get(array.name)
        if look is None or not look.answered:
            copies = [one.copies.get(array.name) for peer in serving for one in peer.each]
            told = [copy.status for copy in copies if copy is not None]
            unsure += [] if told and not {*told} & {*ALIVE} else [array.name]
        elif not look.logins and (serves(look) or array.name not in look.copies):
            unsure.append(array.name)
    logged_in = {name for look in facts.arrays.values() if look.answered for name in look.logins}
    off = {name for name, look in facts.power.items() if look.answered and look.on is False}
    shut_out = serving and not unsure
    return tuple(node for node in nodes if node in off or (shut_out and node not in logged_in))


def plan_reviving(found: tuple[GivenUp, ...], only: tuple[str, ...] = ()) -> RevivePlan:
    """All that may be started, in HA's order; `only` names those that are meant, none means all."""
    meant = [one for one in found if not only or one.sid in only]
    return RevivePlan(
        guests=tuple(one for one in meant if not one.held),
        held={one.sid: one.held for one in meant if one.held}
        | {sid: "HA does not call it error" for sid in only if sid not in {one.sid for one in found}},
    )
