"""The way from options to the file: read everything, choose, ask where a person is there, write in one piece."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cluster.units import counted
from workers.cli.check import checked
from workers.cli.init.asked import Asked
from workers.cli.init.asking import asked_by_hand, confirmed_sites, filled_by_hand, named_sites
from workers.cli.init.choice import (
    certain,
    must_be_two_sites,
    must_differ,
    named_nodes,
    pods_of,
    prefers,
    site_proposal,
    storages_of,
    third_place,
    transport_of,
)
from workers.cli.init.draft import Chosen, document
from workers.cli.init.nodes import Told, carried, initiators
from workers.cli.init.nodes import chosen as own_names
from workers.cli.init.page import must_be_free, page, write
from workers.cli.init.pins import Pins, named
from workers.cli.init.reading import seen_array, seen_cluster
from workers.cli.init.seen import SeenArray, SeenCluster
from workers.errors import Unusable
from workers.inventory_file import NOT_FILLED_IN, Complaint, InventoryError, load


@dataclass(frozen=True)
class Written:
    """What was written, what it leaves to people, and what they should know."""

    sentence: str
    left_open: list[Complaint]
    notes: list[str]


def inventory_of(asked: Asked, *, by_hand: bool) -> Written:
    """Read, choose and write; Unusable with one option and a remedy, and then nothing is written."""
    must_be_free(asked.out, force=asked.force)
    if by_hand:
        asked = asked_by_hand(asked)
    asked.must_be_usable()
    pins = Pins(asked.accepted, ask=by_hand, secrets=asked.secrets)
    api, typed = pins.api(asked.api, asked.place[0]), pins.arrays(asked.arrays)
    cluster = seen_cluster(api, asked.place[0], asked.secrets)
    arrays = [seen_array(array.name, array, asked.secrets) for array in typed]
    must_differ(arrays)
    notes = [*cluster.notes, *pins.of_nodes(api, cluster)]
    places, why, said = _places(asked, cluster, arrays, by_hand=by_hand)
    if by_hand:
        asked = named_sites(asked, arrays, places.third)
    chosen, more = asyncio.run(_chosen(asked, cluster, arrays, places))
    pinned = pins.nodes | named(typed, [array.name for array in arrays])
    made = document(cluster, arrays, replace(chosen, pins=pinned), asked.given())
    if by_hand:
        made = filled_by_hand(made)
    links = "\n".join(f"  {node.name} {' '.join(node.links)}" for node in cluster.nodes)
    text = page(made, str(asked.out), {"why": why, "links": links})
    left = write(asked.out, text, force=asked.force, check=_complaints)
    rest = f"{counted(len(left), 'value')} to fill in" if left else "nothing left to fill in"
    if not left and (left := checked(asked.out, offline=False).complaints):
        rest = f"{counted(len(left), 'thing')} to put in place"
    sentence = f"cluster {cluster.name}, {counted(len(cluster.nodes), 'node')}, {rest}"
    return Written(sentence, left, [*notes, *said, *more])


def _places(
    asked: Asked, cluster: SeenCluster, arrays: Sequence[SeenArray], *, by_hand: bool
) -> tuple[Chosen, str, list[str]]:
    """The sites and a third place, where they are from, and what a person should know about that."""
    third = third_place(asked.nodes_c, cluster, arrays, witness=asked.witness is not None)
    must_be_two_sites(cluster, third)
    notes = []
    if third and asked.nodes_c is None:
        notes = [
            f"no array knows {', '.join(third)}, and the cluster has no quorum device: taken as nodes at a third "
            "place; give --witness where a quorum device is to come, --nodes-c where other nodes are there"
        ]
    if asked.nodes_a is not None:
        return Chosen(named_nodes(asked.nodes_a, cluster, third), third), "--nodes-a", notes
    proposal = site_proposal(cluster, arrays, third)
    if by_hand:
        found = confirmed_sites(proposal, cluster, arrays, third, lambda text: named_nodes(text, cluster, third))
        return Chosen(found, third), "the person who ran `quorate init`", notes
    return Chosen(certain(proposal, cluster, arrays, third), third), proposal.why if proposal else "", notes


async def _chosen(
    asked: Asked, cluster: SeenCluster, arrays: Sequence[SeenArray], places: Chosen
) -> tuple[Chosen, list[str]]:
    """What is taken of what arrays and nodes tell, and what a person should know about it."""
    nodes = {name: cluster.addresses[name] for name in places.site_nodes}
    transport = transport_of(asked.transport, list(nodes), arrays)
    pods, notes = pods_of(asked.pod, asked.volume, list(nodes), arrays)
    preferred, differing = prefers(pods, arrays)
    told: Told = {}
    on: dict[str, str] = {}
    unclear: list[str] = []
    if asked.ssh is not None:
        told = await initiators(nodes, asked.ssh, asked.secrets, transport)
        if pods and len(cluster.storages) > 1:
            on, unclear = await carried(nodes, asked.ssh, asked.secrets, pods, transport)
    known, contradictions = own_names(list(nodes), arrays, told, transport)
    storages = storages_of(asked.storage, cluster, pods, on)
    made = replace(places, transport=transport, pods=pods, storages=storages, initiators=known, prefers=preferred)
    return made, [*notes, *differing, *contradictions, *unclear]


def _complaints(path: Path) -> list[Complaint]:
    """What the file leaves to people; Unusable with anything else that is wrong with it."""
    try:
        load(path)
    except InventoryError as error:
        wrong = [one for one in error.complaints if not one.message.startswith(NOT_FILLED_IN)]
        if wrong:
            said = "; ".join(f"{one.field}: {one.message}" for one in wrong)
            raise Unusable(
                f"what was read and given makes no inventory: {said}", "quorate init --help lists the options"
            ) from None
        return error.complaints
    return []
