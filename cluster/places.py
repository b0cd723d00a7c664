"""What the places of an inventory may not be together: the loss of any one of them leaves a quorum. Pure.

The arithmetic is in `cluster.quorum`; here is what a person is told, and what would do.
"""

from collections.abc import Iterator

from cluster.inventory import Inventory, Site, ThirdPlace
from cluster.quorum import Sizes, least_third
from cluster.units import counted

Location = tuple[str | int, ...]
Problem = tuple[Location, str]
# Where a third place stands in the file.
THIRD: Location = ("third",)


def places(inventory: Inventory) -> Iterator[tuple[Location, Site | ThirdPlace]]:
    """All that has nodes, and where it stands in the file."""
    yield from ((("sites", number), site) for number, site in enumerate(inventory.sites))
    if inventory.third:
        yield THIRD, inventory.third


def votes(inventory: Inventory) -> Iterator[Problem]:
    """The loss of any one place leaves a quorum (`cluster.quorum`); something decides between the sites."""
    if inventory.witness and inventory.third:
        yield (
            ("third",),
            f"{inventory.third.name} has nodes that decide between the sites, and so would witness "
            f"{inventory.witness.name}: give one of both, third or witness",
        )
    elif not (inventory.witness or inventory.third):
        yield (
            ("witness",),
            "is missing: give witness, the host of a quorum device, or third, a place with nodes of its own; without "
            "one the loss of either site stops everything",
        )
    elif inventory.third:
        yield from _third(inventory, inventory.third)
    else:
        yield from _device(inventory)


def _device(inventory: Inventory) -> Iterator[Problem]:
    """With a quorum device only sites of equal size are safe: ffsplit has one vote, and none for a minority."""
    one, two = inventory.sites
    size = Sizes((len(one.nodes), len(two.nodes)))
    for lost in size.fatal():
        large, small = inventory.sites[lost], inventory.sites[1 - lost]
        more, least = len(large.nodes) - len(small.nodes), least_third(size.sites)
        yield (
            ("sites",),
            f"the sites are of unequal size ({_listing(_counts(inventory))}): without {large.name}, {small.name} has "
            f"{size.without_site(lost)} of {size.votes} votes and {size.quorum} are needed, for the quorum device "
            f"(ffsplit) never votes for the smaller part; give {small.name} {counted(more, 'node')} more or "
            f"{large.name} {more} less, or give third with at least {counted(least, 'node')} instead of witness",
        )


def _third(inventory: Inventory, third: ThirdPlace) -> Iterator[Problem]:
    """No place may have half of the votes: what is left without it would not be more than half."""
    one, two = inventory.sites
    size = Sizes((len(one.nodes), len(two.nodes)), len(third.nodes))
    for lost in size.fatal():
        place = inventory.places[lost]
        left = size.nodes - len(place.nodes)
        yield (
            ("third",) if place is third else ("sites",),
            f"without {place.name} {left} of {size.votes} votes are left and {size.quorum} are needed "
            f"({_listing(_counts(inventory))}): no place may have half of all nodes; "
            f"{_remedy(inventory, third, lost, size)}",
        )


def _remedy(inventory: Inventory, third: ThirdPlace, lost: int, size: Sizes) -> str:
    if lost < len(inventory.sites):
        return f"give {third.name} at least {counted(least_third(size.sites), 'node')}"
    return f"give {third.name} at most {counted(sum(size.sites) - 1, 'node')}"


def _counts(inventory: Inventory) -> dict[str, int]:
    return {place.name: len(place.nodes) for _, place in places(inventory)}


def _listing(counts: dict[str, int]) -> str:
    return ", ".join(f"{name}: {count}" for name, count in counts.items())
