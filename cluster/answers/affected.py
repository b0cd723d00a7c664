"""Which guests a condition affects, by name, and where each was seen last. Pure."""

from collections.abc import Iterable

from cluster.conditions import SITE_GONE, Condition, Kind, lost_site
from cluster.guests import GuestId
from cluster.inventory import Inventory
from cluster.memory import Memory
from cluster.units import shortly

# Every guest of the cluster: none of them has a quorum, or its disks, for sure.
_ALL: tuple[Kind, ...] = ("quorum-lost", "storage-elsewhere", "pod-offline")


def guest(vmid: int, inventory: Inventory) -> str:
    """A guest as its owner knows it: ``ac-test-vm-01 (300)``; one that the inventory does not name is ``guest 310``."""
    name = {one.vmid: one.name for one in inventory.guests}.get(vmid)
    return f"{name} ({vmid})" if name else f"guest {vmid}"


def affected(condition: Condition, memory: Memory, inventory: Inventory) -> tuple[str, ...]:
    """Guests that are down, lose their disks or are held by HA because of it, each with the node it was seen on last.

    One that runs on a node that is well is not among them, whatever happened to it before.
    """
    if condition.kind == "ha-error":
        seen = {GuestId.of(sid).vmid: memory.services.get(sid, "") for sid in condition.where}
    else:
        nodes = _nodes(condition, inventory)
        seen = {vmid: node for vmid, node in memory.placement.items() if node in nodes}
    elsewhere = _on_other_pods(condition, inventory)
    return tuple(
        f"{guest(vmid, inventory)}{f', seen on {node}' if node else ''}"
        for vmid, node in sorted(seen.items())
        if vmid not in elsewhere
    )


def _on_other_pods(condition: Condition, inventory: Inventory) -> set[int]:
    """Guests of the inventory whose disks are on other pods than those that the condition names."""
    if condition.kind not in ("pod-offline", "storage-elsewhere") or not condition.of:
        return set()
    on = {disk.storage.id for disk in inventory.disks if disk.pod.name in condition.of}
    return {one.vmid for one in inventory.guests if inventory.storage_of(one) not in on}


def _nodes(condition: Condition, inventory: Inventory) -> set[str]:
    """Nodes whose guests are affected."""
    names = {node.name for node in inventory.nodes}
    if condition.kind in _ALL and condition.case != "reached":
        return names
    if condition.kind in SITE_GONE or condition.kind == "storage-elsewhere":
        lost = lost_site(condition) or condition.where[-1]
        return {node.name for node in inventory.site(lost).nodes}
    if condition.kind == "node-lost":
        return set(condition.where)
    if (condition.kind, condition.case) == ("paths-lost", "everywhere"):
        return (names & {*condition.where}) or names
    return set()


def named_sids(sids: Iterable[str], inventory: Inventory) -> str:
    """Guests of HA by name, in one text: the first of them, and how many there are besides."""
    return shortly(guest(GuestId.of(sid).vmid, inventory) for sid in sids)
