"""Whether a cut between the sites leaves quorum and storage at the same one. Pure.

Corosync and the arrays decide each for itself which side goes on. Corosync's quorum device gives its vote to the side
with the lowest node id where both are equal (ffsplit's tie-breaker); a pod stays online at the array that reaches the
mediator first, and `failover_preferences` gives the array that it names a head start of some seconds (reference:
flasharray-rest §6.2). Where the two fall apart, one side has votes and no disks, the other disks and no votes, and
every guest stops.
"""

from collections.abc import Mapping, Sequence

from cluster.inventory import Inventory


def tie_breaker(inventory: Inventory, ids: Mapping[str, int]) -> str:
    """The site of the lowest node id: the one that the quorum device votes for when the sites part evenly.

    `ids` are corosync's, by node. Empty where a node's id is not known, and where nodes at a third place decide.
    """
    if inventory.third:
        return ""
    return lowest({node.name: inventory.site_of(node.name).name for node in inventory.nodes}, ids)


def lowest(sites: Mapping[str, str], ids: Mapping[str, int]) -> str:
    """The same of nodes with their sites."""
    if not sites or any(node not in ids for node in sites):
        return ""
    return sites[min(sites, key=lambda node: ids[node])]


def against(prefers: tuple[str, str], sites: Mapping[str, str], ids: Mapping[str, int]) -> str:
    """Why an array that the inventory prefers, and its site, contradict the tie-breaker; empty when they do not."""
    array, site = prefers
    tie = lowest(sites, ids)
    if tie in ("", site):
        return ""
    return (
        f"pod.failover_preference says {array} at {site}, corosync's tie-breaker, the lowest node id, is at {tie}: "
        "after a cut between the sites votes and storage would be at different ones, and every guest would stop; "
        f"set pod.failover_preference to the array of {tie}"
    )


def apart(inventory: Inventory, preferences: Sequence[str], ids: Mapping[str, int], pod: str = "") -> str:
    """Why quorum and storage may end at different sites, with what makes them agree; empty when they agree.

    `preferences` are the pod's `failover_preferences`, by array; `pod` is the first where nothing is said.
    Empty as well where the tie-breaker is not known.
    """
    site = tie_breaker(inventory, ids)
    if not site:
        return ""
    array, pod = inventory.site(site).array, pod or inventory.all_pods[0].name
    remedy = f"set pod.failover_preference: {array} in the inventory and run the deployment"
    if not preferences:
        return (
            f"pod {pod} prefers no array, corosync's tie-breaker prefers {site}: after a cut between the sites votes "
            f"and storage may be at different ones, and every guest stops; {remedy}"
        )
    if tuple(preferences) != (array,):
        return (
            f"pod {pod} prefers {', '.join(preferences)}, corosync's tie-breaker prefers {site} ({array}): after a cut "
            f"between the sites votes and storage are at different ones, and every guest stops; {remedy}"
        )
    return ""
