"""What the surviving site has left: votes and their margin, the pod's copy, paths. All reads."""

import asyncio
import time
from typing import TYPE_CHECKING

from temporalio.exceptions import ApplicationError

from activities.attempt import look_again, paced
from activities.errors import NotYet, Refuted
from activities.ha.manager import ha_view, told_by_quorum
from activities.hosts.lvm import active_volumes
from activities.hosts.maps import map_of, usable_paths, volume_wwid
from activities.parsing.guests import parse_guests
from activities.parsing.links import parse_links
from activities.parsing.votes import VoteCount, parse_votes
from activities.serving import serves
from cluster.contracts import watch
from cluster.contracts.watch import CopyFinding, MarginFinding, NodeWish, SiteName
from cluster.guests import GuestId
from cluster.inventory import Inventory, Site
from cluster.move import MOVES
from cluster.plan import Finding
from cluster.units import counted
from cluster.volumes import Held, by_volume, doubtful, in_doubt

if TYPE_CHECKING:
    from activities.clients.proxmox import PveApi
    from activities.clients.purity import Arrays
    from activities.clients.ssh import Hosts as SshHosts

# multipath -ll blocks up to 16 s after the loss of an array, and shows old states for 25 s (host-outputs, trap 9).
PATHS_LIMIT = 25.0
# Between two looks at volumes that two nodes hold, in seconds of the cluster's time: a migration that has just ended
# leaves them so until the source has closed them.
SECOND_LOOK = 5.0
# Between two looks at a node that boots, in seconds of the cluster's time.
READY_EVERY = 5.0


class Survivor:
    """Activities that read what is left. `speed` is how much faster than the wall a rehearsal's time runs."""

    def __init__(
        self, inventory: Inventory, arrays: "Arrays", ssh: "SshHosts", api: "PveApi", speed: float = 1.0
    ) -> None:
        self._inventory, self._arrays, self._ssh, self._api, self._speed = inventory, arrays, ssh, api, speed

    @serves(watch.survivor_votes)
    async def votes(self, which: SiteName) -> MarginFinding:
        """All answering nodes of the site are quorate and of one opinion; and what a further loss would do."""
        nodes = [node.name for node in self._inventory.site(which.site).nodes]
        answers = await asyncio.gather(*map(self._counted, nodes))
        counted = {node: found for node, found in zip(nodes, answers, strict=True) if found is not None}
        if not counted:
            raise NotYet(f"no node of {which.site} answers")
        for node, found in counted.items():
            if not found.settled:
                raise NotYet(f"{node}: its votes are settling")
            if not found.quorate:
                raise Refuted(f"{node}: not quorate, {found.total} of {found.expected} votes, {found.quorum} needed")
        views = {(found.total, found.expected, found.quorum, bool(found.device_votes)) for found in counted.values()}
        if len(views) > 1:
            raise NotYet(f"the nodes of {which.site} count differently: {sorted(views)}")
        total, expected, quorum, device = views.pop()
        said = f"{total} of {expected} votes, quorum {quorum}: {_margin(total - quorum, which.site, device=device)}"
        return MarginFinding(finding=said, total=total, expected=expected, quorum=quorum)

    async def _counted(self, node: str) -> VoteCount | None:
        try:
            answer = await self._ssh.run(node, "pvecm", "status", limit=5.0)
            return parse_votes(answer.stdout)
        except ApplicationError:
            return None

    @serves(watch.survivor_pod, no_thread_cancel_exception=True)
    def pod(self, which: SiteName) -> CopyFinding:
        """The survivor's array serves the pod."""
        array = self._inventory.site(which.site).array
        copies = [self._copy(array, pod.name) for pod in self._inventory.all_pods]
        worst = next((mediator for mediator in copies if mediator != "online"), "online")
        names = ", ".join(pod.name for pod in self._inventory.all_pods)
        return CopyFinding(finding=f"{array} serves {names}; mediator {worst}", status="online", mediator=worst)

    def _copy(self, array: str, name: str) -> str:
        """The word of the mediator; Refuted where the array does not serve that pod."""
        pod = self._arrays[array].pod(name)
        own = next((row for row in (pod or {}).get("arrays") or [] if row["name"] == array), None)
        if own is None:
            raise Refuted(f"{array} has no copy of the pod {name}")
        status, mediator = str(own.get("status")), str(own.get("mediator_status") or "unknown")
        if status != "online":
            raise Refuted(f"{array} calls its copy of {name} {status}: no guest can run from it")
        return mediator

    @serves(watch.survivor_paths)
    async def paths(self, which: SiteName) -> Finding:
        """Every node of the site has usable paths to the pod's volume through its own array."""
        site = self._inventory.site(which.site)
        found: dict[str, int] = {}  # of each node to the volume that has fewest
        for disk in self._inventory.disks:
            counts = await self._usable(site, disk)
            if without := [node for node, count in counts.items() if count == 0]:
                raise NotYet(f"{', '.join(without)}: no usable path to {self._named(disk, 'at ')}{site.array}")
            found = {node: min(count, found.get(node, count)) for node, count in counts.items()}
        least, most = min(found.values()), max(found.values())
        paths = f"{least}" if least == most else f"{least} to {most}"
        return Finding(finding=f"{paths} usable paths to {site.array} on each of {counted(len(found), 'node')}")

    async def _usable(self, site: Site, disk: Inventory) -> dict[str, int]:
        """How many paths to that volume each node of the site has through its own array."""
        wwid = await self._wwid((site.array, disk.peer(site.array).name), disk)
        lun = disk.lun(site.array)
        counts = await asyncio.gather(
            *(usable_paths(self._ssh, node.name, wwid, lun, limit=PATHS_LIMIT) for node in site.nodes)
        )
        return dict(zip((node.name for node in site.nodes), counts, strict=True))

    def _named(self, disk: Inventory, after: str) -> str:
        """Which volume, where there are several."""
        return f"{disk.volume_name} {after}" if len(self._inventory.disks) > 1 else ""

    async def _wwid(self, arrays: tuple[str, ...], inventory: Inventory) -> str:
        return await asyncio.to_thread(volume_wwid, self._arrays, arrays, inventory.volume_name, inventory.transport)

    @serves(watch.node_ready)
    async def node_ready(self, wish: NodeWish) -> Finding:
        """Wait until a node that boots answers, has usable paths to the pod's volume and sees the volume group.

        Refuted with what is missing when it is not so in time.
        """
        began = time.monotonic()
        while True:
            try:
                return await self._disks(wish.node)
            except ApplicationError as error:
                if (time.monotonic() - began) * self._speed > wish.limit:
                    raise Refuted(f"{error.message}, {wish.limit:.0f} s after it was waited for") from None
                await look_again(paced(READY_EVERY, self._speed), error.message)

    async def _disks(self, node: str) -> Finding:
        found = [await self._disk(node, disk) for disk in self._inventory.disks]
        return Finding(finding="; ".join(found))

    async def _disk(self, node: str, disk: Inventory) -> str:
        wwid = await self._wwid(tuple(array.name for array in disk.arrays), disk)
        found = await map_of(self._ssh, node, wwid, limit=PATHS_LIMIT)
        count = sum(path.usable for group in found.groups for path in group.paths) if found else 0
        if not count:
            which = self._named(disk, "").strip() or "the pod's volume"
            raise NotYet(f"{node} has no usable path to {which}")
        vg = disk.storage.vg
        shown = await self._ssh.run(node, "vgs", "--noheadings", "-o", "vg_name", vg, limit=PATHS_LIMIT)
        if not shown.ok:
            raise NotYet(f"{node} does not see the volume group {vg}")
        return f"{count} usable paths, {vg} is seen"

    @serves(watch.survivor_volumes)
    async def volumes(self, which: SiteName) -> Finding:
        """No volume of the group is open on two nodes of the cluster, or active beside its owner.

        `which` is the site that has come back. During a live migration both nodes hold the volumes: NotYet. What is
        found twice is looked at again after a while before it is called a double owner.
        """
        held = await self._held()
        if first := in_doubt(held):
            moving = await asyncio.to_thread(self._moving)
            await asyncio.sleep(SECOND_LOOK / self._speed)
            held = await self._held()
            under_way = {sid for sid, guest in moving.items() if any(guest.owns(name) for name in first)}
            settled = {name for name in first if not any(moving[sid].owns(name) for sid in under_way)}
            if doubt := doubtful(held, settled.__contains__):
                raise Refuted(doubt)
            if doubt := doubtful(held):
                moves = f"{', '.join(sorted(under_way))} moves to another node, until then both nodes hold its volumes"
                raise NotYet(moves if under_way else f"{doubt} (seen once, looked at again)")
        owned = by_volume(held)
        back = {node.name for node in self._inventory.site(which.site).nodes}
        there = sum(bool(back & set(held_by.open)) for held_by in owned.values())
        held_open = sum(bool(held_by.open) for held_by in owned.values())
        return Finding(finding=f"{held_open} open volumes, each on one node; {there} on {which.site}")

    async def _held(self) -> Held:
        nodes = [node.name for node in self._inventory.site_nodes]
        return await active_volumes(self._ssh, nodes, self._inventory.groups, limit=PATHS_LIMIT)

    def _moving(self) -> dict[str, GuestId]:
        """Guests that are between two nodes: locked by a migration, or moved by HA."""
        rows = parse_guests(self._api.get("cluster/resources", type="vm"))
        services = ha_view(told_by_quorum(self._api)[1]).services
        moved = [sid for sid, service in services.items() if service.state in MOVES]
        found = {row.sid: row.guest for row in rows if row.lock == "migrate"}
        return found | {row.sid: row.guest for row in rows if row.sid in moved}

    @serves(watch.survivor_links)
    async def links(self, which: SiteName) -> Finding:
        """Every corosync link of the site's nodes is connected."""
        nodes = [node.name for node in self._inventory.site(which.site).nodes]
        texts = await asyncio.gather(
            *(self._ssh.read(node, "corosync-cfgtool", "-s", limit=PATHS_LIMIT) for node in nodes)
        )
        counts = {node: parse_links(text) for node, text in zip(nodes, texts, strict=True)}
        if broken := {node: count for node, count in counts.items() if count.disconnected}:
            said = "; ".join(f"{node}: {count.disconnected} of {count.total}" for node, count in broken.items())
            raise Refuted(f"corosync links are disconnected on {said}")
        links = {count.links for count in counts.values()}
        return Finding(finding=f"{min(links)} links each, connected to every other node")


def _margin(margin: int, site: str, *, device: bool) -> str:
    if margin > 0:
        return f"{margin} more may be lost"
    what = "one more node or the witness" if device else "one more node"
    return f"no margin, the loss of {what} stops {site} too"
