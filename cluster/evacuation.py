"""Planned work on a site: whether the other one can carry it, in which order its nodes are emptied. Pure."""

from collections.abc import Sequence

from pydantic import Field

from cluster.approval import Approval, Veto
from cluster.nouns import Value
from cluster.placement import Placement, no_place
from cluster.plan import Finding, Intent, Wish


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
    return Intent(where=node, what="enable maintenance" if on else "disable maintenance", target=node, turn=turn)


def master_away(site: str) -> Intent:
    """HA's master to the other site."""
    return Intent(where="HA", what="move master away from", target=site)


class Evacuation(Value):
    """Who runs where before, what speaks against it, and what is to be done."""

    homes: dict[str, str]
    order: tuple[str, ...]
    vetoes: tuple[Veto, ...]
    intents: tuple[Intent, ...]


def plan_evacuation(at: SiteNodes, placement: Placement, master: str) -> Evacuation:
    """Empty these nodes one after the other. HA chooses the targets; here it is only seen whether there are any."""
    homes = {sid: service.node for sid, service in placement.services.items() if service.node in at.nodes}
    vetoes = [*_without_room(homes, at.others, placement), *_unmanaged(at.nodes, placement)]
    first = (master_away(at.site),) if master in at.nodes else ()
    # Empty nodes first: what moves later must not land on a node whose turn is still to come.
    order = tuple(sorted(at.nodes, key=lambda node: (sum(there == node for there in homes.values()), node)))
    steps = tuple(maintenance(node, on=True, turn=turn) for turn, node in enumerate(order, start=1))
    return Evacuation(homes=homes, order=order, vetoes=tuple(vetoes), intents=(*first, *steps))


def _without_room(homes: dict[str, str], others: Sequence[str], placement: Placement) -> list[Veto]:
    """Guests that no node of the other site could take, when the others have been taken before."""
    coming: dict[str, str] = {}
    vetoes = []
    for sid in sorted(homes):
        against = {node: no_place(sid, node, placement, coming) for node in others if node in placement.nodes}
        free = [node for node, why in against.items() if not why]
        if free:
            coming[sid] = min(free, key=lambda node: sum(there == node for there in coming.values()))
        else:
            said = "; ".join(f"{node}: {why}" for node, why in against.items()) or "no node is online there"
            vetoes.append(Veto(name=f"room-{sid.replace(':', '-')}", text=f"{sid} has no place: {said}", safety=True))
    return vetoes


def _unmanaged(nodes: Sequence[str], placement: Placement) -> list[Veto]:
    """Running guests that HA does not know stay where they are, and go down with the site."""
    return [
        Veto(name=f"unmanaged-{sid.replace(':', '-')}", text=f"{sid} on {guest.node} is not under HA: it is not moved")
        for sid, guest in sorted(placement.guests.items())
        if (guest.running or guest.unknown) and guest.node in nodes and sid not in placement.services
    ]
