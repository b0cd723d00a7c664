"""The way from options to the file: read everything, choose, ask where a person is there, write in one piece."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from activities.errors import Word
from cluster.units import counted
from workers.cli.check import checked
from workers.cli.init.asked import Asked
from workers.cli.init.asking import asked_by_hand, confirmed_sites, filled_by_hand, named_sites
from workers.cli.init.choice import certain, must_differ, named_nodes, pod_of, site_proposal, storage_of, volume_of
from workers.cli.init.draft import Chosen, document
from workers.cli.init.page import must_be_free, page, write
from workers.cli.init.reading import initiators, seen_array, seen_cluster
from workers.cli.init.seen import SeenArray, SeenCluster
from workers.cli.init.sites import Halves
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
    cluster = seen_cluster(asked.api, asked.place[0], asked.secrets)
    arrays = [seen_array(array.name, array, asked.secrets) for array in asked.arrays]
    must_differ(arrays)
    halves, why = _sites(asked, cluster, arrays, by_hand=by_hand)
    if by_hand:
        asked = named_sites(asked, arrays)
    pod = pod_of(asked.pod, arrays)
    volume, storage = volume_of(asked.volume, pod, arrays), storage_of(asked.storage, cluster)
    told = asyncio.run(initiators(cluster.addresses, asked.ssh, asked.secrets)) if asked.ssh else {}
    wwns = _wwns(cluster, arrays)
    iqns, notes = _iqns(cluster, arrays, told) if not wwns else ({}, [])
    made = document(cluster, arrays, Chosen(halves, pod, volume, storage, iqns, wwns), asked.given())
    if by_hand:
        made = filled_by_hand(made)
    links = "\n".join(f"  {node.name} {' '.join(node.links)}" for node in cluster.nodes)
    text = page(made, str(asked.out), {"why": why, "links": links})
    left = write(asked.out, text, force=asked.force, check=_complaints)
    rest = f"{counted(len(left), 'value')} to fill in" if left else "nothing left to fill in"
    if not left and (left := checked(asked.out, offline=False).complaints):
        rest = f"{counted(len(left), 'thing')} to put in place"
    sentence = f"cluster {cluster.name}, {counted(len(cluster.nodes), 'node')}, {rest}"
    return Written(sentence, left, [*cluster.notes, *notes])


def _sites(asked: Asked, cluster: SeenCluster, arrays: Sequence[SeenArray], *, by_hand: bool) -> tuple[Halves, str]:
    """The sites, and where that is from."""
    if asked.nodes_a is not None:
        return named_nodes(asked.nodes_a, cluster), "--nodes-a"
    proposal = site_proposal(cluster, arrays)
    if by_hand:
        found = confirmed_sites(proposal, cluster, arrays, lambda text: named_nodes(text, cluster))
        return found, "the person who ran `quorate init`"
    return certain(proposal, cluster, arrays), proposal.why if proposal else ""


def _iqns(
    cluster: SeenCluster, arrays: Sequence[SeenArray], told: Mapping[str, str | Word]
) -> tuple[dict[str, str], list[str]]:
    """Each node's initiator name: its own word, else that of the arrays' host of the same name."""
    found: dict[str, str] = {}
    notes = []
    for node in cluster.addresses:
        own = told.get(node)
        hosts = {array.name: array.hosts[node].iqns for array in arrays if node in array.hosts}
        listed = {iqn for iqns in hosts.values() for iqn in iqns}
        if isinstance(own, str):
            found[node] = own
            notes += [
                f"{name} has host {node} with {', '.join(iqns) or 'no initiator'}; the node itself says {own}"
                for name, iqns in hosts.items()
                if iqns != (own,)
            ]
        elif len(listed) == 1:
            found[node] = listed.pop()
        if isinstance(own, Word):
            notes.append(own.message)
    return found, notes


def _wwns(cluster: SeenCluster, arrays: Sequence[SeenArray]) -> dict[str, tuple[str, ...]]:
    """Each node's WWPNs as the arrays know them; empty where they know a node by its initiator name, or none."""
    hosts = [(node, array.hosts[node]) for node in cluster.addresses for array in arrays if node in array.hosts]
    if any(host.iqns for _, host in hosts):
        return {}
    return {node: host.wwns for node, host in hosts if host.wwns}


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
