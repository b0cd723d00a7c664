"""The Proxmox VE cluster as it was: options, storages, jobs, guests where they ran, HA with its rules."""

import re
from typing import TYPE_CHECKING, Any

from lab.probed.facts import Facts
from lab.pve.ha.commands import MAINTENANCE
from lab.pve.models import Storage
from lab.pve.work.guest import Guest

if TYPE_CHECKING:
    from lab.world import World

_SIZED = re.compile(r"size=(\d+)([KMGT]?)")
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
# Rounds of ten seconds: a master, its nodes, an order taken up.
_HA_WITHIN = 120.0


def define(world: "World", facts: Facts) -> None:
    """What stands in the cluster's files besides guests."""
    cluster, name = world.cluster, world.inventory.name
    if options := facts.item("cluster", name, "options"):
        cluster.options = {key: _joined(value) for key, value in options.items()}
    if storages := facts.rows("cluster", name, "storage"):
        cluster.storages = {
            one["storage"]: Storage(one["storage"], one["type"], _without(one, "storage", "type")) for one in storages
        }
        cluster.guests, cluster.files = {}, {}
    cluster.jobs = {
        one["id"]: {key: _joined(value) for key, value in _without(one, "id", "type").items()}
        for one in facts.rows("cluster", name, "backup")
    }


def sizes(world: "World", facts: Facts) -> dict[str, int]:
    """Bytes of the guests' disks on the shared group, by their names."""
    found = {}
    ours = {storage.id for storage in world.inventory.all_storages}
    for row in _guests(facts, world):
        for volume, number in _disks(facts.item("cluster", world.inventory.name, "guest", str(row["vmid"]))).items():
            storage, _, name = volume.partition(":")
            if storage in ours:
                found[name] = number
    return found


def groups(world: "World", facts: Facts) -> dict[str, set[str]]:
    """The volume groups that guests' disks of that name are on, by that name: `lvs` is asked for names alone."""
    found: dict[str, set[str]] = {}
    ours = {storage.id: storage.vg for storage in world.inventory.all_storages}
    for row in _guests(facts, world):
        for volume in _disks(facts.item("cluster", world.inventory.name, "guest", str(row["vmid"]))):
            storage, _, name = volume.partition(":")
            if storage in ours:
                found.setdefault(name, set()).add(ours[storage])
    return found


def place_guests(world: "World", facts: Facts) -> None:
    """Every guest where it was, running or not; what HA knows and is asked for."""
    cluster, name = world.cluster, world.inventory.name
    for row in _guests(facts, world):
        config = dict(facts.item("cluster", name, "guest", str(row["vmid"])))
        config.setdefault("hostname" if row["type"] == "lxc" else "name", row.get("name", f"guest-{row['vmid']}"))
        running = row.get("status") == "running"
        since, pid = (world.clock.now(), 40_000 + row["vmid"]) if running else (0.0, 0)
        cluster.guests[row["vmid"]] = Guest(
            row["vmid"], row["node"], _without(config, "lock"), lock=row.get("lock"), running=running, since=since,
            pid=pid, kind=row["type"],
        )  # fmt: skip
        for volume, number in _disks(config).items():
            storage = cluster.storages.get(volume.partition(":")[0])
            if storage is not None and storage.type != "lvm":
                cluster.write_file(volume, number)
    for one in facts.rows("cluster", name, "ha-resources"):
        cluster.ha.resources[one["sid"]] = _without(one, "sid", "type")
    for one in facts.rows("cluster", name, "ha-rules"):
        cluster.ha.rules[one["rule"]] = _without(one, "rule", "order")


async def rest(world: "World", facts: Facts) -> None:
    """Nodes that were in maintenance are again, as soon as HA has a master."""
    manager = facts.item("cluster", world.inventory.name, "ha-manager").get("manager_status", {})
    resting = [node for node, asked in manager.get("node_request", {}).items() if asked.get("maintenance")]
    resting = [node for node in resting if node in world.nodes]
    for node in resting:
        await _until(world, node, "online")
        world.cluster.ha.commands.append((MAINTENANCE, node, "enable"))
    for node in resting:
        await _until(world, node, "maintenance")
    known = facts.item("cluster", world.inventory.name, "ha-manager").get("lrm_status", {})
    await _settled(world, manager.get("service_status", {}), set(known) & set(world.nodes))


async def _settled(world: "World", told: dict[str, dict[str, Any]], lrms: set[str]) -> None:
    """Until HA sees its services as it did, or for as long as it may take to: some states are of the moment."""
    lasting = {sid: one for sid, one in told.items() if one.get("state") in ("started", "stopped")}

    def seen() -> bool:
        services = world.cluster.ha.manager.services if world.cluster.ha.manager else {}
        reported = {node for node, lrm in world.cluster.ha.files.lrms.items() if lrm.timestamp}
        return lrms <= reported and all(
            sid in services
            and (services[sid].state, bool(services[sid].running)) == (one["state"], bool(one.get("running")))
            for sid, one in lasting.items()
        )

    until = world.clock.now() + _HA_WITHIN
    while not seen() and world.clock.now() < until:
        await world.clock.sleep(0.5)


async def _until(world: "World", node: str, state: str) -> None:
    until = world.clock.now() + _HA_WITHIN
    while (manager := world.cluster.ha.manager) is None or manager.nodes.get(node) != state:
        if world.clock.now() > until:
            raise TimeoutError(f"HA did not call {node} {state} within {_HA_WITHIN:.0f} lab seconds")
        await world.clock.sleep(0.5)


def _guests(facts: Facts, world: "World") -> list[dict[str, Any]]:
    rows = facts.rows("cluster", world.inventory.name, "resources")
    return [row for row in rows if row.get("type") in ("qemu", "lxc") and row.get("node") in world.nodes]


def _disks(config: dict[str, Any]) -> dict[str, int]:
    """Volumes with their sizes."""
    found = {}
    for value in config.values():
        if isinstance(value, str) and (size := _SIZED.search(value)) and ":" in value.partition(",")[0]:
            found[value.partition(",")[0]] = int(size[1]) * _UNITS[size[2]]
    return found


def _joined(value: Any) -> Any:
    """An object as the property string by which it is written."""
    return ",".join(f"{key}={one}" for key, one in value.items()) if isinstance(value, dict) else value


def _without(row: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in keys}
