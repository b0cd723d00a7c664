"""Whether quorum and storage go on at the same site after a cut between the sites."""

import pytest

from cluster.alignment import against, apart, tie_breaker
from tests.twin import EXAMPLE
from workers.inventory_file import load

INVENTORY = load(EXAMPLE)
A, B = (site.array for site in INVENTORY.sites)
IDS = {node.name: number for number, node in enumerate(INVENTORY.nodes, start=1)}
REMEDY = f"set pod.failover_preference: {A} in the inventory and run the deployment"


def test_the_tie_breaker_is_where_the_lowest_node_id_is():
    """Not where the first node of the inventory is."""
    turned = {name: 7 - number for name, number in IDS.items()}

    assert (tie_breaker(INVENTORY, IDS), tie_breaker(INVENTORY, turned)) == ("site-a", "site-b")
    assert tie_breaker(INVENTORY, {"pxmx01-01": 1}) == ""


@pytest.mark.parametrize(
    ("preferences", "said"),
    [
        ((A,), ""),
        (
            (),
            "pod webb-ac-proxmox-01 prefers no array, corosync's tie-breaker prefers site-a: after a cut between the "
            f"sites votes and storage may be at different ones, and every guest stops; {REMEDY}",
        ),
        (
            (B,),
            f"pod webb-ac-proxmox-01 prefers {B}, corosync's tie-breaker prefers site-a ({A}): after a cut between "
            f"the sites votes and storage are at different ones, and every guest stops; {REMEDY}",
        ),
    ],
)
def test_a_pod_that_prefers_another_site_is_told(preferences: tuple[str, ...], said: str):
    """With what makes both agree."""
    assert apart(INVENTORY, preferences, IDS) == said


def test_an_inventory_that_prefers_the_other_site_is_told():
    """Before a deployment makes it so."""
    sites = {node.name: INVENTORY.site_of(node.name).name for node in INVENTORY.nodes}

    assert against((A, "site-a"), sites, IDS) == against((B, "site-b"), sites, {}) == ""
    assert against((B, "site-b"), sites, IDS) == (
        f"pod.failover_preference says {B} at site-b, corosync's tie-breaker, the lowest node id, is at site-a: after "
        "a cut between the sites votes and storage would be at different ones, and every guest would stop; "
        "set pod.failover_preference to the array of site-a"
    )


def test_without_node_ids_nothing_is_said():
    """What is not known is no fault."""
    assert apart(INVENTORY, (), {}) == ""
