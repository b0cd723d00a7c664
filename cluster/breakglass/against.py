"""What speaks against switching power although the emergency is there. Pure, and asked before every attempt.

A node is powered off only while the site that is to go on can: its nodes see each other, the witness hears them, its
array serves the pod. A node is powered on only where no quorum can be hidden from this worker. What is not known
speaks against it.
"""

from collections.abc import Iterable

from cluster.breakglass.judged import Judged
from cluster.breakglass.power import PowerPlan
from cluster.inventory import Inventory
from cluster.units import shortly


def against_off(plan: PowerPlan, lost: str, judged: Judged, inventory: Inventory) -> str:
    """Why the nodes of the other site may not go off in favour of `lost`; empty when they may."""
    heir = inventory.site(lost)
    winner = inventory.other_site(lost)
    if winner.array in judged.serving:
        return f"{winner.array} serves the pod: the nodes of {winner.name} may have their disks"
    if winner.array in judged.partly:
        return f"{winner.array} serves some of the pods: the nodes of {winner.name} may have disks there"
    if heir.array not in judged.serving:
        return f"{heir.array} does not say that it serves the pod: {lost} may have no disks"
    if why := mixed_up(judged):
        return why
    if inventory.third:
        return (
            f"no quorum device can vote for {lost}, {inventory.third.name} has nodes instead: "
            f"bring back the network between {lost} and {inventory.third.name}, its votes then count there"
        )
    if judged.clients is None:
        return f"{inventory.decider} does not answer: whether it can vote for {lost} is not known"
    heard = [node.name for node in heir.nodes if node.name in judged.clients]
    parts = [
        [name for name in heard if name in judged.parts[node.name]] for node in heir.nodes if node.name in judged.parts
    ]
    ready = max(parts, key=len, default=[])
    if len(ready) + 1 < judged.needed:
        there = f"{shortly(ready, 3)} and the witness" if ready else "no node there, seen from here,"
        return (
            f"{lost} cannot take the quorum: {there} would have {len(ready) + 1 if ready else 0} of {judged.needed} "
            f"votes; first its nodes have to run, see each other and reach {inventory.decider}"
        )
    if len(plan.by_hand) >= len(ready):
        return (
            f"{shortly(plan.by_hand, 3)} would stay on, for want of a bmc: the witness votes for the greater part, so "
            f"switch off by hand what {winner.name} has too many"
        )
    return ""


def against_on(judged: Judged, inventory: Inventory) -> str:
    """Why no node may be powered on now; empty when it may."""
    if not judged.serving and judged.partly:
        return f"no array serves all pods, some are served by {shortly(judged.partly)}: bring the arrays up first"
    if not judged.serving:
        return "no array says that it serves the pod: bring the arrays up first"
    return mixed_up(judged) or (unseen(judged, inventory) if not judged.quorate else "")


def unseen(judged: Judged, inventory: Inventory) -> str:
    """Which nodes may have a quorum that this worker does not see: their votes are not told, nor are they called off.

    A node whose API answers and whose votes nobody tells is one of them.
    """
    silent = [node.name for node in inventory.nodes if node.name not in (*judged.parts, *judged.off)]
    clients = judged.clients
    device = inventory.witness is not None and (
        clients is None or any(name not in (*judged.parts, *judged.off) for name in clients)
    )
    if not silent or len(silent) + device < min(judged.needed or inventory.quorum, inventory.quorum):
        return ""
    witness = f", and {inventory.decider} does not answer" if clients is None and inventory.witness else ""
    return (
        f"no votes from {shortly(silent, 6)}, which no controller calls off{witness}: they may have the quorum, and "
        "this worker may be cut off; look there, or start the run on a worker that sees them"
    )


def mixed_up(judged: Judged) -> str:
    """Controllers that call a node off which answers: they are those of other machines, or they lie."""
    wrong = sorted({*judged.off} & {*judged.answers})
    return (
        f"the controller of {', '.join(wrong)} calls it off, and it answers: correct the bmc in the inventory"
        if wrong
        else ""
    )


def back_off(nodes: Iterable[str], up: Iterable[str], judged: Judged) -> str:
    """Nodes that were up since the plan was made and are off again: it was not this run that switched them off."""
    again = sorted({*nodes} & {*up} & {*judged.off})
    return (
        f"{', '.join(again)} was on after the plan was made and is off again: ask who has switched it off"
        if again
        else ""
    )
