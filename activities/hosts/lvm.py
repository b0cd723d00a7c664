"""Shared LVM on the stretched volume: one volume group, made once, seen by every node.

`vgchange -ay` is not run anywhere: Proxmox VE activates single volumes where a guest starts, and activating them
on every node would open the disks of foreign guests.
"""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from temporalio.exceptions import ApplicationError

from activities.attempt import Changes
from activities.errors import Conflict, NotFound, Refuted
from activities.hosts.maps import map_of
from activities.hosts.volume_group import GroupView
from activities.parsing.lvm import (
    VolumeGroup,
    parse_active,
    parse_autoactivated,
    parse_signatures,
    parse_volume_groups,
)
from activities.serving import serves
from cluster.contracts import hosts
from cluster.contracts.hosts import GroupFinding, GroupWish
from cluster.plan import Ledger, once_reached
from cluster.units import counted, size
from cluster.volumes import activated_at_boot, is_namespace

if TYPE_CHECKING:
    from activities.clients.ssh import Hosts as SshHosts

_REPORT = ("--reportformat", "json", "--units", "b", "--nosuffix")
_VGS = ("vgs", *_REPORT, "-o", "vg_name,pv_name,vg_size,vg_free")


async def active_volumes(
    ssh: "SshHosts", nodes: Sequence[str], vg: str, *, limit: float
) -> dict[str, dict[str, bool | None]]:
    """Node to the group's volumes that are active there: true where one is open as well, None where LVM does not know.

    `vg` may be several groups with a space between, as LVM's commands take them: of two volumes of one name the worst
    counts. `limit` in seconds for each node; one that fails is an error.
    """
    return dict(zip(nodes, await asyncio.gather(*(_active(ssh, node, vg, limit) for node in nodes)), strict=True))


async def volumes_told(
    ssh: "SshHosts", nodes: Sequence[str], vg: str, *, limit: float
) -> tuple[dict[str, dict[str, bool | None]], dict[str, str]]:
    """The same of each node that tells it, and why the others do not: what one node lacks is its own matter."""

    async def told(node: str) -> dict[str, bool | None] | str:
        try:
            return await _active(ssh, node, vg, limit)
        except ApplicationError as error:
            return error.message

    found = dict(zip(nodes, await asyncio.gather(*map(told, nodes)), strict=True))
    held = {node: one for node, one in found.items() if not isinstance(one, str)}
    return held, {node: one for node, one in found.items() if isinstance(one, str)}


async def volume_groups(ssh: "SshHosts", node: str) -> list[VolumeGroup]:
    """The volume groups that the node sees, with their devices."""
    return parse_volume_groups(await ssh.read(node, *_VGS))


async def autoactivated(ssh: "SshHosts", node: str, vg: str) -> tuple[str, ...]:
    """The group's volumes that LVM activates by itself; where the node's LVM cannot tell it, none.

    Of several groups, with a space between, each volume is told with its group: ``group/volume``.
    """
    columns = ("--reportformat", "json", "-o", "lv_name,lv_autoactivation")
    found: list[str] = []
    groups = vg.split()
    for one in groups:
        answer = await ssh.run(node, "lvs", *columns, one)
        names = parse_autoactivated(answer.stdout) if answer.ok else ()
        found += (f"{one}/{name}" for name in names) if len(groups) > 1 else names
    return tuple(found)


async def _active(ssh: "SshHosts", node: str, vg: str, limit: float) -> dict[str, bool | None]:
    return parse_active(
        await ssh.read(node, "lvs", "--reportformat", "json", "-o", "lv_name,lv_attr", *vg.split(), limit=limit)
    )


def _reader(seen: dict[str, GroupView], wish: GroupWish) -> GroupView:
    """The node that tells what is on the volume: the first, or one with a path where that one is still to get its own.

    A plan that asked a node without paths would call a volume blank that others see in use.
    """
    first = seen[wish.nodes[0]]
    mapped = [view for view in seen.values() if view.map and view.node not in wish.awaiting]
    return mapped[0] if first.node in wish.awaiting and mapped else first


class Lvm:
    """Activities on LVM, through the nodes."""

    def __init__(self, ssh: "SshHosts") -> None:
        self._ssh = ssh

    @serves(hosts.ensure_volume_group)
    async def ensure_volume_group(self, wish: GroupWish) -> GroupFinding:
        """PV and VG exist on the multipath device, and every node sees the group there.

        Conflict when the name is in use on another device of any node, or the device holds something else.
        """
        ledger = Changes(wish.mode)
        seen = await self._nodes(wish)
        for view in seen.values():
            if conflict := view.conflict():
                raise Conflict(conflict)
        # where any node sees it, it is there, whatever the first one is still to get
        if not any(view.group for view in seen.values()):
            await self._create(ledger, wish, _reader(seen, wish))
        if not ledger.only_planned:
            seen = await self._nodes(wish, refresh=ledger.changed) if ledger.changed else seen
            due = [view for view in seen.values() if view.node not in wish.awaiting]
            if wrong := [said for view in due if (said := view.lacking())]:
                raise Refuted("; ".join(wrong))
        groups = {node: view.group for node, view in seen.items() if view.group}
        if not groups:
            return GroupFinding(finding="planned", changed=ledger.changed, changes=ledger.changes)
        node, group = next(iter(groups.items()))
        told = activated_at_boot(wish.vg, await autoactivated(self._ssh, node, wish.vg))
        later = once_reached([node for node in wish.nodes if node not in groups], "by")
        return GroupFinding(
            finding=f"{wish.vg}, {size(group.size)}, seen by {counted(len(groups), 'node')}{later}{told}",
            mark="warned" if told else "done",
            changed=ledger.changed,
            changes=ledger.changes,
            nodes=len(groups),
        )

    async def _nodes(self, wish: GroupWish, *, refresh: bool = False) -> dict[str, GroupView]:
        async def read(node: str) -> GroupView:
            if refresh:
                await self._ssh.read(node, "pvscan", "--cache")
            groups = tuple(await volume_groups(self._ssh, node))
            found = await map_of(self._ssh, node, wish.wwid) if wish.wwid else None
            return GroupView(node=node, vg=wish.vg, wwid=wish.wwid, groups=groups, map=found)

        return dict(zip(wish.nodes, await asyncio.gather(*map(read, wish.nodes)), strict=True))

    async def _create(self, ledger: Ledger, wish: GroupWish, view: GroupView) -> None:
        # the first node makes it, whoever reads in a plan: what is planned is what is done
        node, device = wish.nodes[0], view.map.device if view.map else None
        if device is None and ledger.applying:
            make = "" if is_namespace(wish.wwid or "") else f"; `multipath -a {wish.wwid}` and `multipath -r` create it"
            raise NotFound(f"{view.unmapped}{make}")
        signatures = await self._signatures(view.node, device) if device else []
        strange = [signature for signature in signatures if signature != "LVM2_member"]
        if strange:
            raise Conflict(
                f"{view.node}: {device} is not blank, it holds {', '.join(strange)}; "
                "find out whose it is before anything else"
            )
        # the WWID is the same on every node and on every day; what multipath calls the device may not be
        target = wish.wwid or "the new device"
        if "LVM2_member" not in signatures and ledger.intend(node, "create physical volume", target, verb="create"):
            await self._ssh.read(node, "pvcreate", str(device))
        if ledger.intend(node, "create volume group", wish.vg, f"on {target}", verb="create"):
            await self._ssh.read(node, "vgcreate", wish.vg, str(device))

    async def _signatures(self, node: str, device: str) -> list[str]:
        """What is written on the device; a device that is not there is only a plan's business."""
        answer = await self._ssh.run(node, "wipefs", "--no-act", device)
        if not answer.ok:
            if "No such file" in answer.stderr or "no such file" in answer.stderr:
                return []
            raise NotFound(f"{node}: {device} cannot be read: {answer.stderr.strip()[:200]}")
        return parse_signatures(answer.stdout)
