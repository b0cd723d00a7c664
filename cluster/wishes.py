"""From the inventory to what each activity is asked for. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Self

from cluster.contracts.hosts import (
    ArrayPaths,
    DeviceWish,
    GroupWish,
    HostNames,
    NodeCheck,
    PathsWish,
    Portals,
    RoundTrip,
)
from cluster.contracts.proxmox import ClusterCheck, GuestWish, HaWish, StorageWish
from cluster.contracts.purity import AccessWish, ArrayFinding, ArrayPair, HostWish, PodAt, PodWish, StretchWish
from cluster.inventory import Guest, Inventory, Node
from cluster.plan import Mode
from cluster.privileges import needed
from cluster.rings import stated


@dataclass(frozen=True)
class Wishes:
    """What the inventory asks of each layer, to be planned or applied; in an emergency what cannot wait comes first."""

    inventory: Inventory
    mode: Mode
    emergency: bool = False
    beside: tuple[str, ...] = ()
    one_of: int = 1

    @property
    def each(self) -> tuple[Self, ...]:
        """The same of each volume alone, in the order of the file: what is asked of a volume, its group, its storage.

        `beside` are then the other volumes of its pod by their full names, which are ours as well.
        """
        pods = {pod.name: pod for pod in self.inventory.all_pods}
        return tuple(
            replace(
                self,
                inventory=disk,
                one_of=len(self.inventory.disks),
                beside=tuple(
                    pods[disk.pod.name].full(volume)
                    for volume in pods[disk.pod.name].volumes
                    if volume.name != disk.pod.volume.name
                ),
            )
            for disk in self.inventory.disks
        )

    @property
    def several(self) -> bool:
        """It is one of several volumes, or has them."""
        return self.one_of > 1 or len(self.inventory.disks) > 1

    @property
    def volume_name(self) -> str:
        """The only volume's full name; of several one is asked for after the other (`each`)."""
        return self.inventory.volume_name

    @property
    def the_volume(self) -> str:
        """How a step's title calls it: by its name where there are several."""
        return self.volume_name if self.several else "the volume"

    @property
    def to_volume(self) -> str:
        """The end of a title that needs it only where there are several."""
        return f" to {self.volume_name}" if self.several else ""

    @property
    def each_pod(self) -> tuple[Self, ...]:
        """The same of each pod alone, with the first of its volumes."""
        return tuple(replace(self, inventory=one) for one in self.inventory.stretched)

    @property
    def nodes(self) -> tuple[str, ...]:
        """All nodes by name."""
        return tuple(node.name for node in self.inventory.nodes)

    @property
    def site_nodes(self) -> tuple[str, ...]:
        """Those that have paths to the pod."""
        return tuple(node.name for node in self.inventory.site_nodes)

    def array_pair(self, array: str) -> ArrayPair:
        """An array and its peer."""
        inventory = self.inventory
        return ArrayPair(
            array=array,
            peer=inventory.peer(array).name,
            portals=inventory.array(array).portals,
            transport=inventory.transport,
        )

    def cluster(self) -> ClusterCheck:
        """What the cluster must be before anything is changed."""
        inventory, array = self.inventory, self.inventory.all_pods[0].failover_preference  # of all pods the same
        sites = {node: inventory.place_of(node) for node in self.nodes}
        if inventory.third:  # corosync has a tie to break only with a quorum device
            array = None
        return ClusterCheck(
            name=inventory.name,
            nodes=self.nodes,
            privileges=needed(inventory),
            prefers=next(((site.array, site.name) for site in inventory.sites if site.array == array), None),
            sites=sites,
            links=stated(inventory),
        )

    def clocks(self) -> HostNames:
        """All hosts that take part in quorum."""
        witness = (self.inventory.witness.name,) if self.inventory.witness else ()
        return HostNames(hosts=(*self.nodes, *witness), limit=self.inventory.limits.clock_offset)

    def node(self, name: str, arrays: dict[str, ArrayFinding]) -> NodeCheck:
        """Packages, initiator, and the round trips that matter to a node.

        An array's REST tells no replication round trip, so the way from a node to the other site's array stands in.
        """
        inventory, node = self.inventory, self.inventory.node(name)
        if node not in inventory.site_nodes:
            return self._third(name)
        other = next(site for site in inventory.sites if node not in site.nodes)
        limits = inventory.limits
        trips: tuple[RoundTrip, ...] = (
            *_over_links(other.nodes[0], limits.corosync_rtt),
            *self._to_third(),
        )
        if portals := arrays[other.array].portals:  # Fibre Channel has none, and answers no ping
            portal = portals[0].rsplit(":", 1)[0].strip("[]")
            trips += (RoundTrip(what="array_rtt", address=portal, limit=limits.array_rtt),)
        return NodeCheck(
            node=name,
            iqn=node.iqn or "",
            round_trips=trips,
            arrays=tuple(
                Portals(array=array, portals=found.portals, wwns=found.wwns, nqn=found.nqn)
                for array, found in arrays.items()
            ),
            multipath=inventory.paths.multipath,
            mtu=inventory.paths.mtu,
            wwns=self._wwns(name),
            nqn=(node.nqn or "") if inventory.transport == "nvme-tcp" else "",
            device=inventory.witness is not None,
        )

    def _to_third(self) -> tuple[RoundTrip, ...]:
        """A quorum device may be further away than a node: corosync's token passes through that."""
        inventory, limits = self.inventory, self.inventory.limits
        if inventory.third:
            return _over_links(inventory.third.nodes[0], limits.corosync_rtt)
        return (RoundTrip(what="witness_rtt", address=inventory.device, limit=limits.witness_rtt),)

    def _third(self, name: str) -> NodeCheck:
        """A node of the third place: it has no way to the arrays, and is as near to both sites as they are."""
        limit = self.inventory.limits.corosync_rtt
        trips = tuple(trip for site in self.inventory.sites for trip in _over_links(site.nodes[0], limit))
        return NodeCheck(node=name, iqn="", round_trips=trips, storage=False)

    def pod(self) -> PodWish:
        """The pod and its volume on the first array."""
        pod = self.inventory.pod
        return PodWish(
            mode=self.mode,
            array=pod.first,
            pod=pod.name,
            volume=pod.volume.name,
            size=pod.volume.size,
            groups={array.name: array.host_group for array in self.inventory.arrays},
            prefers=pod.failover_preference,
            default_protection=pod.volume.default_protection,
            beside=self.beside,
            transport=self.inventory.transport,
        )

    def stretch(self) -> StretchWish:
        """The pod on the second array too."""
        pod = self.inventory.pod
        return StretchWish(mode=self.mode, pod=pod.name, array=pod.first, to=self.inventory.peer(pod.first).name)

    def pod_at(self, *, as_preferred: bool = False) -> PodAt:
        """The pod as both arrays must see it; `as_preferred` asks as well which array goes on alone."""
        pod, (one, two) = self.inventory.pod, self.inventory.arrays
        prefers = pod.failover_preference if as_preferred else None
        return PodAt(pod=pod.name, volume=pod.volume.name, arrays=(one.name, two.name), prefers=prefers)

    def access(self, array: str) -> AccessWish:
        """All nodes on one array; each prefers its own site's array, whichever array is asked."""
        inventory = self.inventory
        return AccessWish(
            mode=self.mode,
            array=array,
            group=inventory.array(array).host_group,
            volume=inventory.volume_name,
            lun=inventory.lun(array),
            hosts=tuple(
                HostWish(
                    name=node.name,
                    preferred=site.array,
                    iqn=(node.iqn or "") if inventory.transport == "iscsi" else "",
                    wwns=node.wwns if inventory.transport == "fc" else (),
                    nqn=(node.nqn or "") if inventory.transport == "nvme-tcp" else "",
                )
                for site in inventory.sites
                for node in site.nodes
            ),
            chap=inventory.paths.chap,
        )

    def paths(
        self,
        node: str,
        arrays: dict[str, ArrayFinding],
        wwid: str | None,
        *,
        beside: Iterable[str | None] = (),
        lasting: bool = False,
    ) -> PathsWish:
        """A node's paths through both arrays, its own site's array first and optimized.

        `beside` are the WWIDs of the other volumes. `lasting` asks as well whether a reboot would keep them.
        """
        inventory, policy = self.inventory, self.inventory.paths
        local = inventory.site_of(node).array
        return PathsWish(
            mode=self.mode,
            node=node,
            wwid=wwid,
            arrays=tuple(
                ArrayPaths(
                    array=name,
                    iqn=arrays[name].target_iqn,
                    portals=arrays[name].portals,
                    lun=inventory.lun(name),
                    optimized=name == local,
                    wwns=arrays[name].wwns,
                    nqn=arrays[name].nqn,
                )
                for name in (local, inventory.peer(local).name)
            ),
            beside=tuple(sorted(one for one in beside if one is not None and one != wwid)),
            lasting=lasting,
            emergency=self.emergency,
            chap=policy.chap,
            multipath=policy.multipath,
            tuning=policy.tuning,
            wwns=self._wwns(node),
        )

    def _wwns(self, node: str) -> tuple[str, ...]:
        """The WWPNs of a node, where they are its way to the arrays."""
        return self.inventory.node(node).wwns if self.inventory.transport == "fc" else ()

    def volume_group(self, wwid: str | None, awaiting: Sequence[str] = ()) -> GroupWish:
        """The volume group on the multipath device; `awaiting` are nodes that are still to get their paths."""
        vg = self.inventory.storage.vg
        return GroupWish(mode=self.mode, vg=vg, wwid=wwid, nodes=self.site_nodes, awaiting=tuple(awaiting))

    def storage(self, awaiting: Sequence[str] = ()) -> StorageWish:
        """The group as a storage of the cluster; `awaiting` are nodes that are still to get their paths."""
        storage = self.inventory.storage
        return StorageWish(
            mode=self.mode,
            storage=storage.id,
            vg=storage.vg,
            nodes=self.site_nodes,
            only_there=self.inventory.third is not None,
            awaiting=tuple(awaiting),
        )

    def device(self) -> DeviceWish:
        """The quorum device."""
        return DeviceWish(
            mode=self.mode,
            witness=self.inventory.device,
            nodes=self.nodes,
            expected=self.inventory.votes,
            quorum=self.inventory.quorum,
        )

    def guest(self, guest: Guest) -> GuestWish:
        """One test guest."""
        return GuestWish(
            mode=self.mode,
            vmid=guest.vmid,
            name=guest.name,
            template=guest.template,
            node=guest.node,
            storage=self.inventory.storage_of(guest),
            cores=guest.cores,
            memory=guest.memory,
        )

    def ha(self, guests: tuple[Guest, ...]) -> HaWish:
        """These guests under HA."""
        return HaWish(
            mode=self.mode,
            guests=tuple(guest.vmid for guest in guests),
            nodes=self.nodes,
            kept_to=self.site_nodes if self.inventory.third else (),
            policy=self.inventory.ha,
            within=self.inventory.timeouts.ha,
        )


def _over_links(node: Node, limit: timedelta) -> tuple[RoundTrip, ...]:
    """The ways to that node that corosync takes: each of its links, where they have addresses of their own."""
    return tuple(
        RoundTrip(what="corosync_rtt", address=address, limit=limit) for address in node.links or (node.address,)
    )
