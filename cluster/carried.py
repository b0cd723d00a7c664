"""What pods, volumes, volume groups and storages may not be together: one storage on one group on one volume. Pure.

Names are unique where the arrays, LVM and Proxmox VE each keep theirs: pods, volumes in a pod, LUNs on an array, volume
groups, storages.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from cluster.inventory import Inventory, Pod, Storage, Volume
from cluster.places import Location, Problem
from cluster.units import shortly

Uses = Mapping[str, Sequence[tuple[Location, str]]]


def lacking(inventory: Inventory) -> Iterator[Problem]:
    """Neither or both of a field for one and a field for several: nothing else can be said before that is settled."""
    for one, several in (("pod", "pods"), ("storage", "storages")):
        alone, many = getattr(inventory, one), getattr(inventory, several)
        if alone is None and not many:
            yield (one,), f"is missing: give {one}, or {several} where there are several"
        if alone is not None and many:
            yield (several,), f"is given beside {one}: list all of them in {several}, and remove {one}"


def pods(inventory: Inventory) -> Iterator[tuple[Location, Pod]]:
    """Every pod, and where it stands in the file."""
    if inventory.pods:
        yield from ((("pods", number), pod) for number, pod in enumerate(inventory.pods))
    else:
        yield ("pod",), inventory.pod


def volumes(inventory: Inventory) -> Iterator[tuple[Location, Pod, Volume]]:
    """Every volume with its pod, and where it stands in the file."""
    for at, pod in pods(inventory):
        yield from (((*at, "volumes", number), pod, volume) for number, volume in enumerate(pod.volumes))


def problems(inventory: Inventory) -> Iterator[Problem]:
    """What pods, volumes and storages say against each other."""
    yield from _twice(inventory)
    yield from _sides(inventory)
    yield from _carried(inventory)
    known = [storage.id for storage in inventory.all_storages]
    for g, guest in enumerate(inventory.guests):
        if guest.storage is not None and guest.storage not in known:
            yield ("guests", g, "storage"), f"storage {guest.storage} is unknown: known are {', '.join(known)}"


def _twice(inventory: Inventory) -> Iterator[Problem]:
    seen: dict[str, list[tuple[Location, str]]] = defaultdict(list)
    for at, pod in pods(inventory):
        seen[f"name {pod.name.lower()}"].append(((*at, "name"), f"pod {pod.name}"))
    for at, pod, volume in volumes(inventory):
        full = pod.full(volume)
        seen[f"volume {full.lower()}"].append(((*at, "name"), f"volume {full}"))
        for array, lun in volume.luns.items():
            seen[f"LUN {lun} on {array}"].append(((*at, "luns", array), f"volume {full}"))
    for at, storage in _storages(inventory):
        seen[f"storage id {storage.id.lower()}"].append(((*at, "id"), f"storage {storage.id}"))
        seen[f"volume group {storage.vg.lower()}"].append(((*at, "vg"), f"storage {storage.id}"))
    yield from _used_twice(seen)


def _used_twice(seen: Uses) -> Iterator[Problem]:
    for what, uses in seen.items():
        for place, _ in uses[1:]:
            others = " and ".join(dict.fromkeys(who for _, who in uses))
            yield place, f"{what} is used twice, by {others}: each needs its own"


def _sides(inventory: Inventory) -> Iterator[Problem]:
    """After a cut between the sites all pods have to be at one of them: that of corosync's quorum."""
    first = inventory.all_pods[0]
    for at, pod in pods(inventory):
        if pod.failover_preference != first.failover_preference:
            yield (
                (*at, "failover_preference"),
                f"pod {pod.name} prefers {pod.failover_preference or 'no array'} and pod {first.name} "
                f"{first.failover_preference or 'no array'}: after a cut between the sites the pods would be at "
                "different ones, and quorum is at one; give all pods the same",
            )


def _carried(inventory: Inventory) -> Iterator[Problem]:
    """Each volume carries one storage, and each storage is on a volume that is there."""
    there = [pod.full(volume) for _, pod, volume in volumes(inventory)]
    several = len(there) > 1 or len(inventory.all_storages) > 1
    on: dict[str, list[str]] = defaultdict(list)
    for at, storage in _storages(inventory):
        if storage.volume and storage.volume not in there:
            yield (*at, "volume"), f"volume {storage.volume} is unknown: known are {shortly(there)}"
        elif not storage.volume and several:
            yield (
                (*at, "volume"),
                f"is missing: with several volumes each storage names its own, one of {shortly(there)}",
            )
        else:
            on[storage.volume or there[0]].append(storage.id)
            if len(on[storage.volume or there[0]]) > 1:
                yield (
                    (*at, "volume"),
                    f"volume {storage.volume} carries {' and '.join(on[storage.volume])}: each storage needs a volume "
                    "of its own",
                )
    if any(not storage.volume or storage.volume not in there for storage in inventory.all_storages) and several:
        return  # what is left over is not known before these are corrected
    for at, pod, volume in volumes(inventory):
        if pod.full(volume) not in on:
            yield (
                at,
                f"volume {pod.full(volume)} carries no storage: add one to storages with volume: {pod.full(volume)}, "
                "or remove the volume here",
            )


def _storages(inventory: Inventory) -> Iterator[tuple[Location, Storage]]:
    if inventory.storages:
        yield from ((("storages", number), storage) for number, storage in enumerate(inventory.storages))
    else:
        yield ("storage",), inventory.storage
