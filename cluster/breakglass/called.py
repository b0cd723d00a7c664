"""For which facts each break-glass runbook is there. Pure, and asked before every attempt of each of its changes.

Each is for one emergency and harmful in most others: what is not named here is a reason to refuse.
"""

from collections.abc import Callable, Mapping
from typing import Literal, get_args

from cluster.breakglass.judged import HA_UNTOLD, Judged
from cluster.conditions import SITE_GONE, THIRD_PLACE, Condition, Kind, lost_site
from cluster.nouns import Value
from cluster.verdict import HELD

Hand = Literal["hand-over-quorum", "revive-guests", "restore-sessions", "reconcile-arrays", "cold-start"]
HANDS: tuple[Hand, ...] = get_args(Hand)

# How many people have to agree, beside the one who asks, where the policy asks for fewer (design §2.6).
BREAKERS = 2

# What each is for, as it stands in a refusal.
FOR: dict[Hand, str] = {
    "hand-over-quorum": "the quorum at one site and the disks at the other, out of its reach",
    "revive-guests": "guests that HA has given up (state error)",
    "restore-sessions": "iSCSI sessions that are missing while both arrays serve the pod",
    "reconcile-arrays": "hosts or connections that one array lacks while both serve the pod",
    "cold-start": "a cluster without quorum, some of whose nodes are switched off",
}
# The quorum, the disks or the facts are in doubt: nothing but what is there for exactly this may be begun.
_DISASTER: tuple[Kind, ...] = ("quorum-lost", "storage-elsewhere", "pod-offline", "undetermined", "not-deployed")
# One array alone serves the pod, or it is not known which: nothing that touches paths or connections is begun.
_ONE_COPY: tuple[Kind, ...] = (
    "array-lost", "pod-unstretched", "replication-lost", "resyncing", *SITE_GONE,
)  # fmt: skip
# HA does not act as it should: what relies on it is not begun.
_NO_HA: tuple[Kind, ...] = ("ha-impaired",)
# Beside these a run does not begin, whatever else calls for it.
_NEVER_BESIDE: dict[Hand, tuple[Kind, ...]] = {
    "hand-over-quorum": ("quorum-lost", "pod-offline", "undetermined", "not-deployed"),
    "revive-guests": (*_DISASTER, *_NO_HA),
    "restore-sessions": (*_DISASTER, *_ONE_COPY),
    "reconcile-arrays": (*_DISASTER, *_ONE_COPY),
    "cold-start": ("storage-elsewhere", "pod-offline", "undetermined"),
}


class Called(Value):
    """A break-glass runbook and what it has to do with: `where` as its condition names it, `nodes` that it is about.

    `begun`: it has ordered a change, so that what its own work brings about is no reason to stop.
    """

    hand: Hand
    where: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    begun: bool = False


def not_called_for(called: Called, judged: Judged) -> str:
    """Why the facts do not call for it; empty when they do.

    What it has begun may not have come about: then what called for it does so still.
    """
    standing = [one for one in judged.conditions if one.case != HELD]
    if called.begun and (own := _OWN_WORK.get(called.hand)) is not None:
        why = own(called, judged, standing)
        return why if why and _uncalled(called, judged, standing) else ""
    return _uncalled(called, judged, standing)


def _uncalled(called: Called, judged: Judged, standing: list[Condition]) -> str:
    for one in standing:
        if one.kind in _NEVER_BESIDE[called.hand]:
            return f"{one.words} stands against it"
    return _CALLS[called.hand](called, judged, standing)


def refusal(hand: Hand, why: str, judged: Judged) -> str:
    """The whole sentence of a run that may not begin."""
    return f"{hand} is for {FOR[hand]}. Now: {judged.finding}; {why}"


# --- one for each of them ------------------------------------------------------------------------------------------

_Rule = Callable[[Called, Judged, list[Condition]], str]


def _elsewhere(called: Called, judged: Judged, standing: list[Condition]) -> str:
    found = next((one for one in standing if one.kind == "storage-elsewhere"), None)
    if found is None:
        return "the quorum and the disks are not at different sites"
    if found.case == "reached":
        return f"nodes of {found.where[0]} still reach the disks of {found.where[1]}, so their guests go on"
    if found.case == "apart":
        return f"only pod {' and '.join(found.of)} is at {found.where[1]}: {found.where[0]} has the disks of the others"
    if found.case == THIRD_PLACE:
        return "the third place has nodes and no vote to give away: bring back its link to the site that has the disks"
    if called.where and found.where != called.where:
        return f"the quorum is at {found.where[0]} now, not at {called.where[0]}"
    if found.key in judged.unsteady:
        return f"{found.words} comes and goes: wait until it stays"
    if _disarmed(standing):
        return "HA is disarmed: it would start the guests nowhere else"
    return ""


def _handing_over(called: Called, judged: Judged, standing: list[Condition]) -> str:
    """While the vote moves nobody has the quorum; afterwards the site without disks is the lost one."""
    for one in standing:
        if one.kind in ("pod-offline", "undetermined", "not-deployed"):
            return f"{one.words} stands against it"
        if one.kind in SITE_GONE and lost_site(one) != called.where[0]:
            return f"{lost_site(one)} is the lost site now"
    if any(one.kind == "quorum-lost" for one in standing):
        return "no site has the quorum now"
    gone = any(one.kind in SITE_GONE and lost_site(one) == called.where[0] for one in standing)
    if gone or not _elsewhere(called, judged, standing):
        return ""
    return f"{called.where[0]} is not out of the quorate part any more"


def _given_up(called: Called, judged: Judged, standing: list[Condition]) -> str:
    found = next((one for one in standing if one.kind == "ha-error" and one.case == ""), None)
    if found is None and not called.begun:
        return "HA has given up no guest" if judged.tells else HA_UNTOLD
    for one in standing:
        if one.kind in ("paths-lost", "storage-inactive") and (hit := sorted({*called.nodes} & {*one.where})):
            return f"{one.words} stands against it: {', '.join(hit)} would run the guests"
        if one.kind == "paths-lost" and one.case == "everywhere":
            return f"{one.words} stands against it: {one.reasons[-1]}"
    return ""


def _sessions(called: Called, judged: Judged, standing: list[Condition]) -> str:
    if called.begun or any(one.kind in ("paths-lost", "paths-degraded", "storage-inactive") for one in standing):
        return ""
    if judged.deaf:
        return f"which sessions {' and '.join(judged.deaf)} has is not known: no answer"
    return "every node has all its sessions"


def _connections(called: Called, judged: Judged, standing: list[Condition]) -> str:
    """Verdicts know no connections: its own plan finds what differs."""
    return ""


def _dark(called: Called, judged: Judged, standing: list[Condition]) -> str:
    lost = next((one for one in standing if one.kind == "quorum-lost"), None)
    if lost is None:
        return "the cluster has its quorum"
    if lost.key in judged.unsteady:
        return f"{lost.words} comes and goes: wait until it stays"
    if _disarmed(standing):
        return "HA is disarmed: no watchdog has stopped the guests of nodes that were cut off"
    if not judged.off:
        return "no management controller calls its node switched off"
    return ""


def _disarmed(standing: list[Condition]) -> bool:
    return any(one.kind == "ha-impaired" and one.case == "disarmed" for one in standing)


def _starting(called: Called, _: Judged, standing: list[Condition]) -> str:
    """Once nodes start, the quorum forms: the nodes that are still off are lost ones then."""
    for one in standing:
        if one.kind in ("storage-elsewhere", "pod-offline", "sites-parted"):
            return f"{one.words} stands against it"
    return ""


_CALLS: Mapping[Hand, _Rule] = {
    "hand-over-quorum": _elsewhere,
    "revive-guests": _given_up,
    "restore-sessions": _sessions,
    "reconcile-arrays": _connections,
    "cold-start": _dark,
}
_OWN_WORK: Mapping[Hand, _Rule] = {"hand-over-quorum": _handing_over, "cold-start": _starting}
