"""What is chosen of what was seen: sites, transport, pods, volumes, storages. Pure.

What cannot be chosen is an error with an option. Quorate builds pod and storage where there are none yet, so their
absence is no error: only a name that was asked for and is not there is one.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from cluster.transports import HOST_FIELDS, NAMES, Transport
from workers.cli.init.seen import SeenArray, SeenCluster, SeenVolume
from workers.cli.init.sites import Halves, Proposal, fits, proposed
from workers.errors import Unusable

Pods = dict[str, tuple[SeenVolume, ...]]
# Id and volume group of a storage, and the volume that it is on: None where nobody tells it.
Storages = tuple[tuple[str, str, str | None], ...]


def must_differ(arrays: Sequence[SeenArray]) -> None:
    """Unusable when both options lead to one array."""
    if arrays[0].name == arrays[1].name:
        raise Unusable(f"--array-a and --array-b are the same array, {arrays[0].name}", "name the array of each site")


def third_place(
    given: str | None, cluster: SeenCluster, arrays: Sequence[SeenArray], *, witness: bool
) -> tuple[str, ...]:
    """The nodes at a third place: those that were named, else those that no array knows where no witness decides.

    None of them are guessed before the arrays know nodes of both sites.
    """
    if given is not None:
        return _matching("--nodes-c", given, cluster)
    if witness or cluster.witness:
        return ()
    known = {node for array in arrays for node in array.hosts}
    beside = {host.preferred for array in arrays for node, host in array.hosts.items() if node in cluster.addresses}
    if not {array.name for array in arrays} <= beside:
        return ()
    return tuple(node.name for node in cluster.nodes if node.name not in known)


def at_sites(cluster: SeenCluster, third: Sequence[str]) -> list[str]:
    """The nodes of both sites, which stand beside the arrays."""
    return [node.name for node in cluster.nodes if node.name not in third]


def must_be_two_sites(cluster: SeenCluster, third: Sequence[str]) -> None:
    """Unusable where the nodes cannot make two sites."""
    names = at_sites(cluster, third)
    if len(names) < 2:
        raise Unusable(
            f"--nodes-c leaves {len(names)} of {len(cluster.nodes)} nodes for two sites",
            "name the nodes of the third place alone",
        )
    if not third and len(names) % 2:
        raise Unusable(
            f"--pve: cluster {cluster.name} has {len(names)} nodes, an odd number",
            "give both sites the same number of nodes: the quorum device votes only for an even one; or name the "
            "nodes of a third place with --nodes-c",
        )


def site_proposal(cluster: SeenCluster, arrays: Sequence[SeenArray], third: Sequence[str] = ()) -> Proposal | None:
    """Which nodes most likely stand beside which array; those of a third place stand beside none."""
    said: dict[str, set[str | None]] = defaultdict(set)
    for array in arrays:
        for name, host in array.hosts.items():
            said[name].add(host.preferred)
    preferred = {name: one for name, words in said.items() if len(words) == 1 and (one := next(iter(words)))}
    nodes = {name: cluster.addresses[name] for name in at_sites(cluster, third)}
    return proposed(nodes, preferred, [(array.name, array.address) for array in arrays], alike=not third)


def named_nodes(given: str, cluster: SeenCluster, third: Sequence[str] = ()) -> Halves:
    """``pve-n1,pve-n2`` or ``pve-n*``: these nodes, and the others."""
    names = at_sites(cluster, third)
    first = tuple(name for name in _matching("--nodes-a", given, cluster) if name not in third)
    other = tuple(name for name in names if name not in first)
    if not fits(first, other, not third):
        raise Unusable(
            f"--nodes-a {given}: {len(first)} of {len(names)} nodes, each site needs "
            + ("one at least" if third else "half of them"),
            f"name {'some' if third else len(names) // 2} nodes of {', '.join(names)}",
        )
    return first, other


def _matching(option: str, given: str, cluster: SeenCluster) -> tuple[str, ...]:
    names = [node.name for node in cluster.nodes]
    patterns = [part for part in given.replace(",", " ").split() if part]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise Unusable(
                f"{option} {given}: no node of {cluster.name} is named {pattern}", f"its nodes are {', '.join(names)}"
            )
    return tuple(name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns))


def certain(
    proposal: Proposal | None, cluster: SeenCluster, arrays: Sequence[SeenArray], third: Sequence[str] = ()
) -> Halves:
    """The proposal's sites; Unusable where it is none that can be taken without asking a person."""
    if proposal is not None and proposal.sure:
        return proposal.halves
    names = at_sites(cluster, third)
    half = proposal.halves[0] if proposal else names[: len(names) // 2]
    why = proposal.why if proposal else "neither names nor addresses of the nodes tell two halves"
    raise Unusable(
        f"--nodes-a: which nodes stand beside {arrays[0].name} is not certain: {why}",
        f"name them, for example --nodes-a {','.join(half)}; the others stand beside {arrays[1].name}",
    )


def transport_of(given: Transport | None, nodes: Sequence[str], arrays: Sequence[SeenArray]) -> Transport:
    """By what the arrays know the nodes; iSCSI where they know none. Unusable where they know them by several."""
    if given is not None:
        return given
    hosts = [array.hosts[node] for array in arrays for node in nodes if node in array.hosts]
    found = [one for one in HOST_FIELDS if any(host.known_by(one) for host in hosts)]
    if len(found) > 1:
        raise Unusable(
            f"--transport: the arrays know the nodes by {' and '.join(HOST_FIELDS[one] for one in found)}",
            f"choose the one that carries the pod: {', '.join(f'--transport {one} ({NAMES[one]})' for one in found)}",
        )
    return found[0] if found else "iscsi"


def groups_of(nodes: Sequence[str], array: SeenArray) -> frozenset[str]:
    """The host groups of an array that the nodes are in."""
    return frozenset(array.hosts[node].group for node in nodes if node in array.hosts) - {""}


def pods_of(
    pod: str | None, volume: str | None, nodes: Sequence[str], arrays: Sequence[SeenArray]
) -> tuple[Pods, list[str]]:
    """The stretched pods with their volumes that the nodes see, by name, and what is left out.

    A pod or a volume that was asked for is taken alone. Where the nodes see none, the only one there is is taken.
    """
    candidates = [_asked_pod(pod, arrays)] if pod is not None else _stretched(arrays)
    if volume is not None:
        return _asked_volume(volume, candidates, arrays), []
    seen = {name: _shown(name, nodes, arrays) for name in candidates}
    taken: Pods = {name: volumes for name, volumes in seen.items() if volumes}
    if taken:
        return taken, list(_left_out(taken, candidates, arrays))
    if len(candidates) > 1:
        raise Unusable(
            f"--pod: {len(candidates)} pods are stretched to both arrays, and the nodes see none of their volumes: "
            f"{', '.join(candidates)}",
            "choose one of them",
        )
    if not candidates:
        return {}, []
    (name,) = candidates
    there = arrays[0].volumes.get(name, ())
    if len(there) > 1:
        raise Unusable(
            f"--volume: pod {name} has {len(there)} volumes, and the nodes see none of them: "
            f"{', '.join(one.name for one in there)}",
            "choose the one that carries the volume group",
        )
    return {name: there}, []


def _stretched(arrays: Sequence[SeenArray]) -> list[str]:
    names = {array.name for array in arrays}
    return sorted(name for name, members in arrays[0].pods.items() if members == names and name in arrays[1].pods)


def _asked_pod(asked: str, arrays: Sequence[SeenArray]) -> str:
    both = _stretched(arrays)
    if asked in both:
        return asked
    lacking = next((array for array in arrays if asked not in array.pods), None)
    said = f"{lacking.name} has no pod of that name" if lacking else "it is not stretched to exactly these two arrays"
    raise Unusable(
        f"--pod {asked}: {said}",
        f"stretched to both are: {', '.join(both) or 'none'}; leave --pod out where Quorate is to make the pod",
    )


def _asked_volume(volume: str, pods: Sequence[str], arrays: Sequence[SeenArray]) -> Pods:
    there = {name: arrays[0].volumes.get(name, ()) for name in pods}
    having: Pods = {name: (one,) for name, volumes in there.items() for one in volumes if one.name == volume}
    if len(having) == 1:
        return having
    if having:
        raise Unusable(f"--volume {volume}: the pods {', '.join(having)} each have one", "choose with --pod")
    listed = ", ".join(one.name for volumes in there.values() for one in volumes) or "none"
    said = f"pod {pods[0]} has" if len(pods) == 1 else "the pods that are stretched to both arrays have"
    raise Unusable(f"--volume {volume}: {said} no such volume", f"its volumes are: {listed}")


def _shown(pod: str, nodes: Sequence[str], arrays: Sequence[SeenArray]) -> tuple[SeenVolume, ...]:
    """The pod's volumes that both arrays show to the nodes."""
    there = arrays[0].volumes.get(pod, ())
    return tuple(one for one in there if all(shown_by(array, nodes, pod, one.name) for array in arrays))


def _left_out(taken: Pods, candidates: Sequence[str], arrays: Sequence[SeenArray]) -> list[str]:
    """Volumes of stretched pods that the nodes do not see, as notes."""
    left = [
        f"{name}::{one.name}"
        for name in candidates
        for one in arrays[0].volumes.get(name, ())
        if one not in taken.get(name, ())
    ]
    return [f"not drafted, for not both arrays show them to the nodes: {', '.join(left)}"] if left else []


def shown_by(array: SeenArray, nodes: Sequence[str], pod: str, volume: str) -> tuple[str, int] | None:
    """Host group and LUN at which an array shows the volume to the nodes; None when it does not, or to several.

    The LUN is 0 over NVMe. Where the array knows none of the nodes in a group, any group counts.
    """
    own = groups_of(nodes, array)
    found = [
        (group, lun)
        for name, group, lun in array.connections
        if name == f"{pod}::{volume}" and (not own or group in own)
    ]
    return found[0] if len(found) == 1 else None


def prefers(pods: Pods, arrays: Sequence[SeenArray]) -> tuple[str | None, list[str]]:
    """The array that every pod prefers where it has to go on alone, and a note where they differ."""
    names = {array.name for array in arrays}
    said = {name: arrays[0].prefers.get(name, ()) for name in pods}
    alone = {one[0] if len(one) == 1 and one[0] in names else None for one in said.values()}
    if len(alone) == 1:
        return alone.pop(), []
    listed = ", ".join(f"{name}: {' and '.join(one) or 'none'}" for name, one in said.items())
    return None, [
        f"the pods prefer different arrays ({listed}), so no failover_preference is drafted: give all pods the same"
    ] if said else []


def storages_of(asked: str | None, cluster: SeenCluster, pods: Pods, carried: Mapping[str, str]) -> Storages:
    """The shared LVM storages on these volumes; `carried` is the volume of each volume group, as a node sees it.

    Where a node does not tell it, the only storage is on the only volume; with several the volume is left open.
    """
    there = cluster.storages
    volumes = [f"{pod}::{one.name}" for pod, of in pods.items() for one in of]
    if asked is not None:
        if asked not in there:
            listed = ", ".join(there) or "none"
            raise Unusable(f"--storage {asked}: {cluster.name} has no such shared LVM storage", f"it has: {listed}")
        there = {asked: there[asked]}
    if len(volumes) <= 1:
        there = {one: vg for one, vg in there.items() if carried.get(vg) in volumes} or there
        if len(there) > 1:
            raise Unusable(
                f"--storage: {cluster.name} has {len(there)} shared LVM storages: {', '.join(there)}",
                "choose one of them",
            )
        return tuple((one, vg, None) for one, vg in there.items())
    known = tuple((one, vg, carried[vg]) for one, vg in there.items() if carried.get(vg) in volumes)
    return known or tuple((one, vg, None) for one, vg in there.items())
