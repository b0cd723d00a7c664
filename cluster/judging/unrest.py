"""Both sites reach the nodes of a third place, and not each other: corosync makes one ring after the other. Pure.

Each ring hears nodes that are not in it, so none comes to rest: nothing is delivered, whatever a node counts meanwhile
(corosync 3.1.7 was seen to do so for as long as the cut lasted; `lab.physics.parting`). What the nodes say of members
and quorum is a moment's picture then, and no side of it may be taken for the winner.
"""

from collections.abc import Mapping

from cluster.conditions import UNREST, Condition, doubt
from cluster.inventory import Inventory, Node, Site, ThirdPlace
from cluster.looks import Facts, VotesLook
from cluster.memory import OLD, Memory
from cluster.units import shortly

Views = Mapping[str, VotesLook]


def unrest(views: Views, inventory: Inventory) -> tuple[Condition, bool] | None:
    """That no ring comes to rest, by the links that the nodes tell; None where they do not say so.

    Corosync's links alone are no proof: before the token is lost, all nodes are members of one ring. What both ends of
    a link tell differently is from different moments: a node that has just reset is heard a little longer.
    """
    third, (one, two) = inventory.third, inventory.sites
    if third is None or not _moving(views, len(inventory.nodes)):
        return None
    silent = sum(node.name not in views for node in inventory.nodes)
    apart = _lacks(views, one.nodes, two.nodes, silent) and _lacks(views, two.nodes, one.nodes, silent)
    if not apart:
        return _unseen(views, inventory, third, silent)
    if not _lacks(views, third.nodes, (), silent):
        said = f"{one.name} and {two.name} tell that they reach {third.name}, whose own links tell otherwise"
        return doubt("settling", said), True
    quorate = sorted(node for node, view in views.items() if view.quorate)
    reasons = [
        f"corosync's links between {one.name} and {two.name} are down, and both reach {third.name}",
        "it makes one membership after the other, and none comes to rest: nothing is delivered, no HA agent can renew "
        "its lock",
    ]
    if quorate:
        reasons.append(f"what calls itself quorate does so for a moment, and it is no evidence: {shortly(quorate)}")
    found = Condition(
        kind="quorum-lost",
        case=UNREST,
        reasons=tuple(reasons),
        unless=(
            f"{one.name} and {two.name} reach each other again",
            f"one of them does not reach {third.name} either, or its nodes are off",
        ),
    )
    return found, False


def _unseen(views: Views, inventory: Inventory, third: ThirdPlace, silent: int) -> tuple[Condition, bool] | None:
    """The same where one site tells nothing to the engine: its own cut may be why, and the third place hears it."""
    for site in inventory.sites:
        other = inventory.other_site(site.name)
        if any(node.name in views and views[node.name].links for node in site.nodes):
            continue
        hears = [node.name for node in third.nodes if _hears(views.get(node.name), site, inventory)]
        if hears and _lacks(views, other.nodes, site.nodes, silent):
            said = (
                f"corosync's links of {other.name} do not reach {site.name}, and those of {', '.join(hears)} do: "
                "what is counted may be one membership after the other"
            )
            settling = any(not view.settled for view in views.values())
            unless = f"the links of {third.name} to {site.name} are down too, or up from {other.name}"
            return doubt("disagreement", said, unless), settling
    return None


def no_winner_yet(site: Site, facts: Facts, memory: Memory, inventory: Inventory) -> Condition | None:
    """Why a quorate membership without the site may be a moment's picture; None where it is proven, or cannot be one.

    The third place's links that do not reach the site prove it: then there is one membership only. So does a stamp of
    HA that was written after the site had left: nothing is delivered while no ring comes to rest. Members and votes of
    one look prove nothing, nor does the silence of the third place to the engine.
    """
    third = inventory.third
    if third is None:
        return None
    told = [look for node in third.nodes if (look := facts.votes.get(node.name)) and look.answered and look.links]
    unless = f"the links of {third.name} to {site.name} are down"
    if hears := [look.by for look in told if _hears(look, site, inventory)]:
        said = f"corosync's links of {', '.join(hears)} reach all nodes or some of {site.name}"
    elif told or _delivered(site, facts, memory):
        return None
    else:
        said = f"no node at {third.name} tells corosync's links, and no stamp of HA is newer than the cut"
        unless += f", or HA's stamps go on for {OLD.total_seconds():.0f} s without {site.name}"
    return doubt("disagreement", f"{said}: what is counted may be one membership after the other", unless)


def _delivered(site: Site, facts: Facts, memory: Memory) -> bool:
    """A stamp of HA was seen to change when the site had not been counted for longer than HA's own measure."""
    left = max((memory.counted[node.name] for node in site.nodes if node.name in memory.counted), default=None)
    if left is None:
        return False
    return any(each.moved and (each.since - left) * facts.speed > OLD for each in memory.written.values())


def _hears(view: VotesLook | None, site: Site, inventory: Inventory) -> bool:
    """Fewer connections are down than lead to the site and to other absent nodes: one to the site may be up.

    Those of another node that is off do not stand for the site's.
    """
    if view is None or view.links is None:
        return False
    absent = max(len(site.nodes), len(inventory.nodes) - len(view.members))
    return view.links.down < view.links.links * absent


def _moving(views: Views, nodes: int) -> bool:
    """Somebody counts another membership than the whole, or the votes are not settled."""
    return any(not view.settled or len(view.members) < nodes for view in views.values())


def _lacks(views: Views, here: tuple[Node, ...], there: tuple[Node, ...], silent: int) -> bool:
    """Those here that tell their links reach all but those there, and at least one tells them; `silent` may be off."""
    told = [found for node in here if (view := views.get(node.name)) and (found := view.links)]
    least, most = len(there), len(there) + silent
    return bool(told) and all(links.links * least <= links.down <= links.links * most for links in told)
