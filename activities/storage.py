"""Shared LVM on the stretched volume: one volume group, made once, seen by every node.

`vgchange -ay` is not run anywhere: Proxmox VE activates single volumes where a guest starts, and activating them
on every node would open the disks of foreign guests.
"""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from temporalio import activity

from activities.attempt import Changes
from activities.errors import Conflict, NotFound, Refuted
from activities.parsing.lvm import VolumeGroup, parse_active, parse_signatures, parse_volume_groups
from cluster.plan import Finding, Ledger, Wish
from cluster.units import size

if TYPE_CHECKING:
    from activities.clients.ssh import Hosts as SshHosts

_REPORT = ("--reportformat", "json", "--units", "b", "--nosuffix")
_VGS = ("vgs", *_REPORT, "-o", "vg_name,pv_name,vg_size,vg_free")


async def active_volumes(
    ssh: "SshHosts", nodes: Sequence[str], vg: str, *, limit: float
) -> dict[str, dict[str, bool | None]]:
    """Node to the group's volumes that are active there: true where one is open as well, None where LVM does not know.

    `limit` in seconds for each node; one that fails is an error.
    """
    command = ("lvs", "--reportformat", "json", "-o", "lv_name,lv_attr", vg)
    texts = await asyncio.gather(*(ssh.read(node, *command, limit=limit) for node in nodes))
    return {node: parse_active(text) for node, text in zip(nodes, texts, strict=True)}


class GroupWish(Wish):
    """A volume group on the multipath device; `nodes` are asked, the first one acts. `wwid` is None while planned."""

    vg: str
    wwid: str | None
    nodes: tuple[str, ...]


class GroupFinding(Finding):
    """How many nodes see the group."""

    nodes: int = 0


class Lvm:
    """Activities on LVM, through the nodes."""

    def __init__(self, ssh: "SshHosts") -> None:
        self._ssh = ssh

    @activity.defn(name="hosts.ensure_volume_group")
    async def ensure_volume_group(self, wish: GroupWish) -> GroupFinding:
        """PV and VG exist on the multipath device, and every node sees the group there.

        Conflict when the name is in use on another device of any node, or the device holds something else.
        """
        ledger = Changes(wish.mode)
        device = f"/dev/mapper/{wish.wwid}" if wish.wwid else None
        seen = await self._groups(wish.nodes)
        for node, groups in seen.items():
            _not_elsewhere(node, wish.vg, device, groups)
        if not _carried(seen[wish.nodes[0]], wish.vg, device):
            await self._create(ledger, wish, device)
        if not ledger.only_planned:
            seen = await self._groups(wish.nodes, refresh=ledger.changed)
            if blind := [node for node, groups in seen.items() if not _carried(groups, wish.vg, device)]:
                raise Refuted(f"volume group {wish.vg} on {device} is not seen by {', '.join(blind)}")
        group = _carried(seen[wish.nodes[0]], wish.vg, device)
        return GroupFinding(
            finding=f"{wish.vg}, {size(group.size)}, seen by {len(wish.nodes)} nodes" if group else "planned",
            changed=ledger.changed,
            changes=ledger.changes,
            nodes=len(wish.nodes) if group else 0,
        )

    async def _groups(self, nodes: tuple[str, ...], *, refresh: bool = False) -> dict[str, list[VolumeGroup]]:
        async def read(node: str) -> list[VolumeGroup]:
            if refresh:
                await self._ssh.read(node, "pvscan", "--cache")
            return parse_volume_groups(await self._ssh.read(node, *_VGS))

        return dict(zip(nodes, await asyncio.gather(*map(read, nodes)), strict=True))

    async def _create(self, ledger: Ledger, wish: GroupWish, device: str | None) -> None:
        node = wish.nodes[0]
        signatures = await self._signatures(node, device) if device else []
        strange = [signature for signature in signatures if signature != "LVM2_member"]
        if strange:
            raise Conflict(
                f"{node}: {device} is not blank, it holds {', '.join(strange)}; "
                "find out whose it is before anything else"
            )
        target = device or "the new device"
        if "LVM2_member" not in signatures and ledger.intend(node, "create physical volume", target):
            await self._ssh.read(node, "pvcreate", target)
        if ledger.intend(node, "create volume group", wish.vg, f"on {target}"):
            await self._ssh.read(node, "vgcreate", wish.vg, target)

    async def _signatures(self, node: str, device: str) -> list[str]:
        """What is written on the device; a device that is not there is only a plan's business."""
        answer = await self._ssh.run(node, "wipefs", "--no-act", device)
        if not answer.ok:
            if "No such file" in answer.stderr or "no such file" in answer.stderr:
                return []
            raise NotFound(f"{node}: {device} cannot be read: {answer.stderr.strip()[:200]}")
        return parse_signatures(answer.stdout)


def _carried(groups: list[VolumeGroup], vg: str, device: str | None) -> VolumeGroup | None:
    return next((group for group in groups if group.name == vg and group.device == device), None)


def _not_elsewhere(node: str, vg: str, device: str | None, groups: list[VolumeGroup]) -> None:
    for group in groups:
        if group.name == vg and group.device != device:
            raise Conflict(
                f"{node}: a volume group {vg} exists on {group.device}, wished is {device or 'a new device'}; "
                "choose another storage.vg or rename that group"
            )
        if device and group.device == device and group.name != vg:
            raise Conflict(
                f"{node}: {device} carries the volume group {group.name}, wished is {vg}; correct storage.vg"
            )
