"""Why a guest is not back: error, lock, rules, storage, capacity, in the words of those who know. Pure."""

import operator
from collections.abc import Mapping

from pydantic import Field

from cluster.nouns import Value
from cluster.placement import NOT_KNOWN, Placement, no_place
from cluster.plan import Finding
from cluster.recovery import HaView, hopeless, waits_for


class CausesWish(Value):
    """Guests that are not back, the nodes that could take them, and the storage they need, of several any."""

    guests: tuple[str, ...]
    survivors: tuple[str, ...]
    storage: str
    more: tuple[str, ...] = Field(default=(), exclude_if=operator.not_)


class CausesFinding(Finding):
    """Guest to what keeps it away, the gravest first."""

    causes: dict[str, str] = Field(default_factory=dict)


class Circumstances(Value):
    """What was found out about one guest. What could not be read is named in `unread`, and nothing is concluded of it.

    `states` are HA's node states, `storage` says on which nodes it is active, `failed` is the last failed task's end.
    """

    states: dict[str, str] = Field(default_factory=dict)
    placement: Placement
    storage: dict[str, bool] = Field(default_factory=dict)
    lock: str = ""
    failed: str = ""
    unread: tuple[str, ...] = ()


def cause(sid: str, survivors: tuple[str, ...], found: Circumstances) -> str:
    """One sentence: HA's own state, and what explains it."""
    view = HaView(master="", nodes=found.states, services=found.placement.services)
    lost = frozenset(found.states) - set(survivors)
    parts = [hopeless(sid, view) or waits_for(sid, view, lost)]
    if found.failed:
        parts.append(f"its last task ended with: {found.failed}")
    if found.lock:
        parts.append(f"it is locked ({found.lock}): an operator has to decide whether the lock may be removed")
    against = {node: _against(sid, node, found) for node in survivors}
    if against and all(against.values()):
        unsure = any(why.startswith(NOT_KNOWN) for why in against.values())
        said = "whether a node can take it is not known" if unsure else "no node can take it"
        parts.append(f"{said}: {_grouped(against)}")
    if found.unread:
        parts.append(f"could not be read: {', '.join(found.unread)}")
    return "; ".join(parts)


def _against(sid: str, node: str, found: Circumstances) -> str:
    """Why that survivor cannot take it; empty when it could."""
    state = found.states.get(node, "online")
    if state != "online":
        return f"HA calls it {state}"
    if found.storage.get(node) is False:
        return "the storage is not active there"
    if node not in found.placement.nodes:
        return ""
    return no_place(sid, node, found.placement)


def _grouped(against: Mapping[str, str]) -> str:
    """One reason for several nodes is said once."""
    nodes: dict[str, list[str]] = {}
    for node, why in against.items():
        nodes.setdefault(why.removeprefix(NOT_KNOWN), []).append(node)
    return "; ".join(f"{', '.join(on)}: {why}" for why, on in nodes.items())
