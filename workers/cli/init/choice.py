"""What is chosen of what was seen: sites, pod, volume, storage. Pure; what cannot be chosen is an error with an option.

Quorate builds pod and storage where there are none yet, so their absence is no error: only a name that was asked for
and is not there is one.
"""

from collections import defaultdict
from collections.abc import Sequence
from fnmatch import fnmatchcase

from workers.cli.init.seen import SeenArray, SeenCluster, SeenVolume
from workers.cli.init.sites import Halves, Proposal, proposed
from workers.errors import Unusable


def must_differ(arrays: Sequence[SeenArray]) -> None:
    """Unusable when both options lead to one array."""
    if arrays[0].name == arrays[1].name:
        raise Unusable(f"--array-a and --array-b are the same array, {arrays[0].name}", "name the array of each site")


def site_proposal(cluster: SeenCluster, arrays: Sequence[SeenArray]) -> Proposal | None:
    """Which nodes most likely stand beside which array."""
    said: dict[str, set[str | None]] = defaultdict(set)
    for array in arrays:
        for name, host in array.hosts.items():
            said[name].add(host.preferred)
    preferred = {name: one for name, words in said.items() if len(words) == 1 and (one := next(iter(words)))}
    return proposed(cluster.addresses, preferred, [(array.name, array.address) for array in arrays])


def named_nodes(given: str, cluster: SeenCluster) -> Halves:
    """``pve-n1,pve-n2`` or ``pve-n*``: these nodes, and the others."""
    names = [node.name for node in cluster.nodes]
    patterns = [part for part in given.replace(",", " ").split() if part]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise Unusable(
                f"--nodes-a {given}: no node of {cluster.name} is named {pattern}", f"its nodes are {', '.join(names)}"
            )
    first = tuple(name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns))
    other = tuple(name for name in names if name not in first)
    if len(first) != len(other):
        raise Unusable(
            f"--nodes-a {given}: {len(first)} of {len(names)} nodes, each site needs half of them",
            f"name {len(names) // 2} nodes of {', '.join(names)}",
        )
    return first, other


def certain(proposal: Proposal | None, cluster: SeenCluster, arrays: Sequence[SeenArray]) -> Halves:
    """The proposal's sites; Unusable where it is none that can be taken without asking a person."""
    if proposal is not None and proposal.sure:
        return proposal.halves
    names = [node.name for node in cluster.nodes]
    half = proposal.halves[0] if proposal else names[: len(names) // 2]
    why = proposal.why if proposal else "neither names nor addresses of the nodes tell two halves"
    raise Unusable(
        f"--nodes-a: which nodes stand beside {arrays[0].name} is not certain: {why}",
        f"name them, for example --nodes-a {','.join(half)}; the others stand beside {arrays[1].name}",
    )


def pod_of(asked: str | None, arrays: Sequence[SeenArray]) -> str | None:
    """The stretched pod; None where the arrays have none yet. Unusable when one that was asked for is not there."""
    names = {array.name for array in arrays}
    both = sorted(name for name, members in arrays[0].pods.items() if members == names and name in arrays[1].pods)
    if asked is not None:
        if asked in both:
            return asked
        lacking = next((array for array in arrays if asked not in array.pods), None)
        said = (
            f"{lacking.name} has no pod of that name" if lacking else "it is not stretched to exactly these two arrays"
        )
        raise Unusable(
            f"--pod {asked}: {said}",
            f"stretched to both are: {', '.join(both) or 'none'}; leave --pod out where Quorate is to make the pod",
        )
    if len(both) > 1:
        raise Unusable(f"--pod: {len(both)} pods are stretched to both arrays: {', '.join(both)}", "choose one of them")
    return both[0] if both else None


def volume_of(asked: str | None, pod: str | None, arrays: Sequence[SeenArray]) -> SeenVolume | None:
    """The pod's volume: the one that is shown to a host group on both arrays, where there are several."""
    if pod is None:
        return None
    there = arrays[0].volumes.get(pod, ())
    if asked is not None:
        named = next((one for one in there if one.name == asked), None)
        if named is not None:
            return named
        listed = ", ".join(one.name for one in there) or "none"
        raise Unusable(f"--volume {asked}: pod {pod} has no such volume", f"its volumes are: {listed}")
    shown = [one for one in there if all(shown_by(array, pod, one.name) for array in arrays)]
    candidates = shown or list(there)
    if len(candidates) > 1:
        raise Unusable(
            f"--volume: pod {pod} has {len(candidates)} volumes: {', '.join(one.name for one in candidates)}",
            "choose the one that carries the volume group; Quorate works with a pod of one volume",
        )
    return candidates[0] if candidates else None


def shown_by(array: SeenArray, pod: str, volume: str) -> tuple[str, int] | None:
    """Host group and LUN at which an array shows the volume to the nodes; None when it does not, or to several."""
    found = [(group, lun) for name, group, lun in array.connections if name == f"{pod}::{volume}"]
    return found[0] if len(found) == 1 else None


def storage_of(asked: str | None, cluster: SeenCluster) -> tuple[str, str] | None:
    """Id and volume group of the shared LVM storage; None where there is none yet."""
    there = cluster.storages
    listed = ", ".join(there) or "none"
    if asked is not None:
        if asked in there:
            return asked, there[asked]
        raise Unusable(f"--storage {asked}: {cluster.name} has no such shared LVM storage", f"it has: {listed}")
    if len(there) > 1:
        raise Unusable(
            f"--storage: {cluster.name} has {len(there)} shared LVM storages: {listed}", "choose one of them"
        )
    return next(iter(there.items()), None)
