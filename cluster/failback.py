"""Which guests can go home, in which order, and why others stay. Pure (design §6.2).

Home is where a guest ran before the incident, or where somebody wishes it. A guest that was moved by somebody else
meanwhile is left alone, and so is one that HA does not call started.
"""

from collections.abc import Iterable, Mapping

from pydantic import Field

from cluster.evacuation import maintenance
from cluster.move import Move as Move
from cluster.move import MoveFinding as MoveFinding
from cluster.move import MoveWish as MoveWish
from cluster.nouns import Value
from cluster.placement import Placement, no_place
from cluster.plan import Finding, Intent
from cluster.recovery import Back, Frozen, Service, on_again


class LossRef(Value):
    """The incident whose guests shall go home: a run, or none for the last one of that site.

    `kinds` are the runbooks that may have left it.
    """

    site: str
    run: str | None = None
    kinds: tuple[str, ...] = ("SiteLoss",)


class LossRecord(Value):
    """What an incident has left: homes, where HA brought each guest back, switches that are still off.

    `rested` are nodes that were in maintenance before the site was emptied: they are not ours to release. `emptied` are
    those that a run of ours has put into maintenance; where it is known, no other one is ours to release.
    `brought` is where HA brought each guest, as the ledger has it. `trace` is that of the incident.
    """

    run: str
    site: str
    homes: dict[str, str]
    back: tuple[Back, ...] = ()
    frozen: tuple[Frozen, ...] = ()
    outstanding: dict[str, str] = Field(default_factory=dict)
    rested: tuple[str, ...] = ()
    emptied: tuple[str, ...] = ()
    brought: dict[str, str] = Field(default_factory=dict)
    trace: str = ""

    @property
    def recovered(self) -> dict[str, str]:
        """Guest to the node on which it was seen running after the loss."""
        return {**self.brought, **{one.sid: one.node for one in self.back if one.ok}}

    def keeps(self, node: str) -> bool:
        """A node in maintenance stays in it: another hand than ours has put it there."""
        return node in self.rested or bool(self.emptied and node not in self.emptied)

    @property
    def off(self) -> tuple[Frozen, ...]:
        """Switches that were not set back."""
        return tuple(one for one in self.frozen if str(one) in self.outstanding)


class LossFound(Finding):
    """The record of an incident."""

    record: LossRecord


class HomePlan(Value):
    """Who goes, in this order, and who stays for which reason. Guests that are at home are in neither.

    `released` are nodes that are taken out of maintenance first, `resting` those of the site that stay in it.
    `on` is everything that would move a guest by itself now, whether it concerns these guests or not.
    """

    moves: tuple[Move, ...]
    staying: dict[str, str]
    switches: tuple[Frozen, ...] = ()
    released: tuple[str, ...] = ()
    resting: tuple[str, ...] = ()
    on: tuple[Frozen, ...] = ()

    @property
    def empty(self) -> bool:
        """Nobody goes home and no node is released."""
        return not self.moves and not self.released

    @property
    def intents(self) -> tuple[Intent, ...]:
        """The plan as people agree to it: what is switched off first, then guest after guest."""
        off = tuple(one.becomes(one.new) for one in self.switches)
        out = tuple(maintenance(node, on=False, turn=turn) for turn, node in enumerate(self.released, start=1))
        return (*off, *out, *(move.intent(turn) for turn, move in enumerate(self.moves, start=1)))

    def differs(self, now: "HomePlan", done: Iterable[str], off: Iterable[Frozen] = ()) -> str:
        """What is planned otherwise now than in this plan, apart from guests that are done; empty when it is the same.

        A switch that has been turned on since would move a guest by itself, and nobody has agreed to turn it off; `off`
        are those that were turned off under this plan, and have to be so still.
        """
        gone = set(done)
        mine = {move for move in self.moves if move.sid not in gone}
        theirs = {move for move in now.moves if move.sid not in gone}
        said = [
            f"{sid} {now.staying.get(sid, 'now moves from another node, or to another home')}"
            for sid in sorted({move.sid for move in mine ^ theirs})
        ]
        known = {(one.kind, one.name) for one in self.switches}
        said += [f"{one.name} {one.field} is on now" for one in now.switches if (one.kind, one.name) not in known]
        said += on_again(off, now.on)
        said += [f"{node} is in maintenance now" for node in now.released if node not in self.released]
        return f"the plan has changed: {'; '.join(said)}" if said else ""

    def without(self, sids: Iterable[str]) -> "HomePlan":
        """What is left when these are at home."""
        gone = set(sids)
        return self.model_copy(update={"moves": tuple(move for move in self.moves if move.sid not in gone)})


def plan_home(
    homes: Mapping[str, str],
    recovered: Mapping[str, str],
    placement: Placement,
    *,
    first: tuple[str, ...] = (),
) -> HomePlan:
    """Who can go home now. `first` are guests in the order of their priority; the others follow by number."""
    order = {sid: number for number, sid in enumerate(first)}
    moves: list[Move] = []
    staying: dict[str, str] = {}
    for sid in sorted(homes, key=lambda sid: (order.get(sid, len(order)), _number(sid))):
        service = placement.services.get(sid)
        if service is not None and service.node == homes[sid] and service.state == "started":
            continue
        coming = {move.sid: move.home for move in moves}
        together = {other: home for other, home in homes.items() if other not in staying}
        why = _not_movable(sid, service, recovered) or _not_there(sid, homes[sid], placement, coming, together)
        if why or service is None:
            staying[sid] = why
        else:
            name = placement.guests[sid].name if sid in placement.guests else ""
            moves.append(Move(sid=sid, name=name, source=service.node, home=homes[sid]))
    moving = {move.sid for move in moves}
    switches = tuple(one for one in placement.switches if one.kind != "resource" or one.name in moving)
    return HomePlan(moves=tuple(moves), staying=staying, switches=switches, on=placement.switches)


def _number(sid: str) -> int:
    number = sid.partition(":")[2]
    return int(number) if number.isdigit() else 0


def _not_movable(sid: str, service: Service | None, recovered: Mapping[str, str]) -> str:
    """Why it is not ours to move; empty when it is."""
    if service is None:
        return "is not under HA any more"
    if service.state != "started":
        return f"HA calls it {service.state}"
    if sid in recovered and service.node != recovered[sid]:
        return f"was moved to {service.node} by hand; HA had brought it back on {recovered[sid]}"
    return ""


def _not_there(
    sid: str, home: str, placement: Placement, coming: Mapping[str, str], together: Mapping[str, str]
) -> str:
    """Why its home cannot take it; empty when it can."""
    if home in placement.resting and home not in placement.nodes:
        return f"its home {home} is in maintenance"
    if home not in placement.nodes:
        return f"its home {home} is not online"
    why = no_place(sid, home, placement, coming, together)
    return f"its home {home}: {why}" if why else ""
