"""A third place with nodes of its own: what their loss means. Pure.

They have votes, no path to the pod and no guest of it: they are to the sites what a quorum device is elsewhere, and
their loss is told as its loss is.
"""

from collections.abc import Mapping

from cluster.conditions import THIRD_PLACE, Condition, voices
from cluster.inventory import Inventory, ThirdPlace
from cluster.looks import Facts, VotesLook
from cluster.quorum import quorum_of
from cluster.units import counted


def third_lost(
    third: ThirdPlace, gone: list[str], quorate: Mapping[str, VotesLook], facts: Facts, inventory: Inventory
) -> Condition:
    """Nodes of the third place are no members: what the sites have left, and what they cannot lose now."""
    sayers = ", ".join(sorted(quorate))
    total = max(view.total for view in quorate.values())
    reasons = [f"{', '.join(gone)} left the membership, by the votes of {sayers}"]
    if speak := voices(gone, facts):
        reasons.append(f"{', '.join(speak)} {'answers: it is' if len(speak) == 1 else 'answer: they are'} alive")
    left = len(third.nodes) - len(gone)
    some = f"{left} of {counted(len(third.nodes), 'node')}" if left else "no node"
    reasons.append(f"{some} at {third.name} {'is' if left < 2 else 'are'} left to vote")
    needed = quorum_of(inventory.votes)
    short = [site.name for site in inventory.sites if total - len(site.nodes) < needed]
    if short:
        reasons.append(f"{total} of {inventory.votes} votes: the loss of {' or '.join(short)} now stops everything")
    return Condition(
        kind="witness-lost",
        where=(third.name,),
        case=THIRD_PLACE,
        nodes=tuple(gone),
        reasons=tuple(reasons),
        unless=(f"the nodes at {third.name} are members again",),
    )
