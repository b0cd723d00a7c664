"""Planned work on a site: whether the other one can carry it, in which order its nodes are emptied. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from pydantic import Field

from cluster.approval import Approval, Veto
from cluster.move import MOVES, Move
from cluster.nouns import Value
from cluster.placement import Placement, no_place
from cluster.plan import Finding, Intent, Verb, Wish
from cluster.recovery import Frozen, Service, on_again


class SiteNodes(Value):
    """The nodes of a site, and those of the other one, which are asked."""

    site: str
    nodes: tuple[str, ...]
    others: tuple[str, ...]


class MasterWish(Wish):
    """HA's master away from the site, if another node takes it."""

    at: SiteNodes
    approval: Approval | None


class MaintenanceWish(Wish):
    """One node into maintenance, or out of it; `via` are nodes that can take the command."""

    node: str
    on: bool
    turn: int
    via: tuple[str, ...]
    approval: Approval | None

    @property
    def intent(self) -> Intent:
        """The change."""
        return maintenance(self.node, on=self.on, turn=self.turn)


class MaintenanceFinding(Finding):
    """Where the guests of the node are now."""

    moved: dict[str, str] = Field(default_factory=dict)


def maintenance(node: str, *, on: bool, turn: int = 0) -> Intent:
    """The change of one node."""
    verb: Verb = "enable" if on else "disable"
    return Intent(where=node, what=f"{verb} maintenance", target=node, turn=turn, verb=verb)


def master_away(site: str) -> Intent:
    """HA's master to the other site."""
    return Intent(where="HA", what="move master away from", target=site, verb="move")


class DarkWish(Value):
    """A site that a person switches off. `known` is what was told last: another state of things is told at once."""

    at: SiteNodes
    survivor: str
    known: tuple[str, ...] | None = None


class DarkFinding(Finding):
    """Which nodes of the site are on; what speaks against switching the rest off; votes, witness and pod as they are.

    While all nodes are on, everything is asked that a power cut must not meet. Afterwards it is what the survivor
    cannot do without: the witness's vote and its own copy of the pod. `about` are the kinds and places of `against`.
    """

    on: tuple[str, ...]
    against: tuple[str, ...] = ()
    about: tuple[str, ...] = ()
    live: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """Another one is news: what speaks against it by kind and place, never by words that change with every look."""
        return (*self.on, "!", *sorted(set(self.about or (text.partition(":")[0] for text in self.against))))


class Evacuation(Value):
    """Who runs where before, what speaks against it, and what is to be done.

    `homes` are the guests that HA runs there. `stopped` are those that HA keeps stopped there: nothing is moved and
    nothing waited for. `rested` are nodes that were in maintenance before, and stay so. `order` are the others.
    """

    homes: dict[str, str]
    stopped: dict[str, str]
    moves: tuple[Move, ...]
    order: tuple[str, ...]
    rested: tuple[str, ...]
    vetoes: tuple[Veto, ...]
    switches: tuple[Frozen, ...]
    away: tuple[Intent, ...]  # HA's master

    @property
    def intents(self) -> tuple[Intent, ...]:
        """What people agree to: switches off, the master away, each guest to its place, node after node."""
        off = tuple(one.becomes(one.new) for one in self.switches)
        moves = tuple(move.intent(turn) for turn, move in enumerate(self.moves, start=1))
        nodes = tuple(maintenance(node, on=True, turn=turn) for turn, node in enumerate(self.order, start=1))
        return (*off, *self.away, *moves, *nodes)

    def of(self, node: str) -> tuple[tuple[int, Move], ...]:
        """The moves away from that node, each with its turn."""
        return tuple((turn, move) for turn, move in enumerate(self.moves, start=1) if move.source == node)

    def differs(self, now: "Evacuation", placement: Placement, done: Iterable[str], off: Iterable[Frozen] = ()) -> str:
        """What is otherwise now than it was agreed, apart from guests that are done; empty while it is the same.

        `off` are the switches that were turned off for it, and have to be so still.
        """
        gone = set(done)
        mine = {sid: node for sid, node in self.homes.items() if sid not in gone}
        theirs = {sid: node for sid, node in now.homes.items() if sid not in gone}
        said = [f"{sid} runs on {theirs[sid]} now" for sid in sorted(theirs) if mine.get(sid) != theirs[sid]]
        said += [f"{sid} is no longer on {mine[sid]}" for sid in sorted(mine) if sid not in theirs]
        known = {(one.kind, one.name) for one in self.switches}
        said += [f"{one.name} {one.field} is on now" for one in now.switches if (one.kind, one.name) not in known]
        said += on_again(off, placement.switches)
        # HA's own word for a guest that it moves for us is no news
        going = [sid for sid, one in placement.services.items() if one.state in MOVES]
        agreed = {veto.name for veto in self.vetoes} | {_state_veto(sid) for sid in going if sid in gone}
        said += [veto.text for veto in now.vetoes if veto.name not in agreed and not veto.name.startswith("room-")]
        return f"the plan has changed: {'; '.join(said)}" if said else self._crowded(placement, gone)

    def _crowded(self, placement: Placement, gone: set[str]) -> str:
        """A place that was free and is not any more."""
        left = [move for move in self.moves if move.sid not in gone]
        coming: dict[str, str] = {}
        for move in left:
            if move.home not in placement.nodes:
                return f"{move.home} is not online: {move.sid} has no place"
            if why := no_place(move.sid, move.home, placement, coming, {one.sid: one.home for one in self.moves}):
                return f"{move.sid} has no place on {move.home} any more: {why}"
            coming[move.sid] = move.home
        return ""


def plan_evacuation(at: SiteNodes, placement: Placement, master: str, *, first: tuple[str, ...] = ()) -> Evacuation:
    """Empty these nodes one after the other, each guest straight to a node of the other site: none is moved twice.

    The node with the fewest running services goes first. A guest of `first` goes before the others of its node.
    """
    there = {sid: service for sid, service in placement.services.items() if service.node in at.nodes}
    homes = {sid: service.node for sid, service in sorted(there.items()) if service.state == "started"}
    stopped = {sid: service.node for sid, service in sorted(there.items()) if service.state == "stopped"}
    order = sorted(at.nodes, key=lambda node: (sum(home == node for home in homes.values()), node))
    rank = {sid: number for number, sid in enumerate(first)}
    sids = sorted(homes, key=lambda sid: (order.index(homes[sid]), rank.get(sid, len(rank)), _number(sid)))
    moves, without = _placed(sids, homes, at.others, placement)
    moving = {move.sid for move in moves}
    return Evacuation(
        homes=homes,
        stopped=stopped,
        moves=moves,
        order=tuple(node for node in order if node not in placement.resting),
        rested=tuple(node for node in order if node in placement.resting),
        vetoes=(*without, *_in_doubt(there), *_unmanaged(at.nodes, placement)),
        switches=tuple(one for one in placement.switches if one.kind != "resource" or one.name in moving),
        away=(master_away(at.site),) if master in at.nodes else (),
    )


def _placed(
    sids: Sequence[str], homes: dict[str, str], others: Sequence[str], placement: Placement
) -> tuple[tuple[Move, ...], list[Veto]]:
    """A node of the other site for each, the one with the fewest guests first; a veto where there is none."""
    coming: dict[str, str] = {}
    moves, vetoes = [], []
    for sid in sids:
        against = {
            node: no_place(sid, node, placement, coming, dict.fromkeys(homes, node) | coming)
            for node in others
            if node in placement.nodes
        }
        if free := [node for node, why in against.items() if not why]:
            coming[sid] = home = min(free, key=lambda node: (_load(node, placement, coming), node))
            name = placement.guests[sid].name if sid in placement.guests else ""
            moves.append(Move(sid=sid, name=name, source=homes[sid], home=home, away=True))
        else:
            said = "; ".join(f"{node}: {why}" for node, why in against.items()) or "no node is online there"
            vetoes.append(Veto(name=f"room-{sid.replace(':', '-')}", text=f"{sid} has no place: {said}", safety=True))
    return tuple(moves), vetoes


def _load(node: str, placement: Placement, coming: dict[str, str]) -> int:
    """How many guests run there, or will by then."""
    here = {sid for sid, guest in placement.guests.items() if guest.running and guest.node == node}
    return len(here | {sid for sid, home in coming.items() if home == node})


def _number(sid: str) -> int:
    number = sid.partition(":")[2]
    return int(number) if number.isdigit() else 0


def _state_veto(sid: str) -> str:
    return f"state-{sid.replace(':', '-')}"


IN_ERROR = "HA does not move it until its state is set to disabled"


def _in_doubt(there: Mapping[str, Service]) -> list[Veto]:
    """What HA neither runs nor keeps stopped: it does not move that as it is."""
    return [
        Veto(
            name=_state_veto(sid),
            text=f"HA calls {sid} on {one.node} {one.state}: {IN_ERROR if one.state == 'error' else 'wait a moment'}",
            safety=one.state != "error",
        )
        for sid, one in sorted(there.items())
        if one.state not in ("started", "stopped")
    ]


def _unmanaged(nodes: Sequence[str], placement: Placement) -> list[Veto]:
    """Guests that live and that HA does not know stay where they are, and go down with the site."""
    return [
        Veto(
            name=f"unmanaged-{sid.replace(':', '-')}",
            text=f"{sid} on {guest.node} is not under HA: it is not moved"
            + (", and it is not known whether it runs" if guest.unknown else ""),
        )
        for sid, guest in sorted(placement.guests.items())
        if (guest.running or guest.unknown) and guest.node in nodes and sid not in placement.services
    ]
