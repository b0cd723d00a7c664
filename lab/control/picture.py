"""The world as one picture: what `quorate lab status` and `watch` draw, and what a scenario waits for.

It tells what *is* and, where views can differ, what each one sees: every node counts its own votes, each array tells
its own story of the pod. It is no API of the emulated world, so it may look where no device could.
"""

from typing import TYPE_CHECKING, Any

from lab.control.drills import Drills
from lab.control.places import host_of, volumes
from lab.purity.views import arrays as views
from lab.pve.ha.state import requested
from lab.pve.views.ha import manager_status

if TYPE_CHECKING:
    from lab.world import World

# Log lines that a picture carries.
LAST = 12


def picture(world: "World", drills: Drills) -> dict[str, Any]:
    """Everything at once, as plain data; times are lab seconds since the epoch."""
    ha = _ha(world)
    return {
        "cluster": world.inventory.name,
        "time": world.clock.now(),
        "speed": world.clock.speed,
        "changes": len(world.changes),
        "faults": [active.shown() for active in drills.active],
        "planted": [fault.shown() for fault in world.faults.planted if fault.by != "drill"],
        "sites": [_site(world, drills, name, ha) for name in sites(world)],
        "witness": _witness(world, drills),
        "ha": ha,
        "guests": guests(world, ha),
        "pods": pods(world),
        "links_cut": sorted(world.links.cut_now),
        "volumes_twice": [
            {"lv": name, "active_on": sorted(lv.active_on), "open_on": sorted(lv.open_on)}
            for name, lv in sorted(volumes(world).items())
            if len(lv.active_on | lv.open_on) > 1
        ],
        "last": [change.__dict__ for change in world.changes[-LAST:]],
    }


def sites(world: "World") -> list[str]:
    """The sites' names, in the order of the inventory."""
    return [site.name for site in world.inventory.sites]


def _site(world: "World", drills: Drills, site: str, ha: dict[str, Any]) -> dict[str, Any]:
    array = next(one.array for one in world.inventory.sites if one.name == site)
    names = [name for name, host in world.nodes.items() if host.site == site]
    return {
        "name": site,
        "array": {"name": array, "powered": world.arrays[array].powered},
        "nodes": [node(world, name, ha, booting=name in drills.booting) for name in names],
    }


def node(world: "World", name: str, ha: dict[str, Any], *, booting: bool = False) -> dict[str, Any]:
    """One node: power, its own count of the votes, what HA holds of it, its paths, and what is odd about it."""
    host = world.nodes[name]
    found: dict[str, Any] = {"name": name, "powered": host.powered, "booting": booting and not host.powered}
    found["ha"] = ha["nodes"].get(name)
    found["master"] = ha["master"] == name
    found["clock_offset"] = round(world.time_at(host) - world.clock.now(), 3)
    found["watchdog_fails"] = host.softdog_fails
    if host.powered:
        votes, paths = world.votes(name), world.paths(name)
        optimized = sum(path.optimized for path in paths)
        found |= {
            "members": list(votes.members),
            "votes": votes.total,
            "expected": votes.expected,
            "needed": votes.quorum,
            "quorate": votes.quorate,
            "device": votes.device,
            "paths": [optimized, len(paths) - optimized],
        }
    return found


def _witness(world: "World", drills: "Drills") -> dict[str, Any]:
    name = world.witness.name
    reached_by = [
        node for node, host in world.nodes.items() if host.powered and world.links.reaches(node, name)
    ] if world.witness.powered else []  # fmt: skip
    offset = round(world.time_at(host_of(world, name)) - world.clock.now(), 3)
    powered, boots = world.witness.powered, name in drills.booting
    return {
        "name": name, "powered": powered, "booting": boots and not powered, "reached_by": reached_by,
        "clock_offset": offset,
    }  # fmt: skip


def _ha(world: "World") -> dict[str, Any]:
    """HA's own files, as a quorate node holds them, else as the first one with power does."""
    powered = [name for name, host in world.nodes.items() if host.powered]
    quorate = [name for name in powered if world.votes(name).quorate]
    seen_by = next(iter(quorate or powered or world.nodes))
    file = manager_status(world.cluster.ha, seen_by)["manager_status"]
    return {
        "seen_by": seen_by,
        "master": file.get("master_node"),
        "nodes": dict(file.get("node_status", {})),
        "services": {sid: dict(entry) for sid, entry in file.get("service_status", {}).items()},
    }


def guests(world: "World", ha: dict[str, Any]) -> list[dict[str, Any]]:
    """The guests but for templates: where each is, whether it really runs, and what HA makes of it."""
    found = []
    for guest in sorted(world.cluster.guests.values(), key=lambda one: one.vmid):
        service = ha["services"].get(guest.sid)
        if guest.config.get("template") or (
            service is None and guest.vmid not in _wished(world) and not (guest.running or guest.elsewhere)
        ):
            continue
        found.append(
            {
                "vmid": guest.vmid,
                "name": guest.name,
                "node": guest.node,
                "site": world.nodes[guest.node].site,
                "runs_on": sorted(guest.runs_on),
                "process": world.cluster.qmp_status(guest),
                "kind": guest.kind,
                "ha": service["state"] if service else None,
                "requested": wanted(world, guest.sid),
                "lock": guest.lock,
            }
        )
    return found


def wanted(world: "World", sid: str) -> str | None:
    """What HA shall make of a service; None when it is none of HA's."""
    resource = world.cluster.ha.resources.get(sid)
    return requested(resource) if resource is not None else None


def _wished(world: "World") -> set[int]:
    return {guest.vmid for guest in world.inventory.guests}


def pods(world: "World") -> list[dict[str, Any]]:
    """Each pod with the story that each array with power tells of its members."""
    found: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for array in world.arrays.values():
        for pod in views.pods(array) if array.powered else []:
            if not pod["destroyed"]:
                found.setdefault(pod["name"], {})[array.name] = [
                    {key: member.get(key) for key in ("name", *_TOLD)} for member in pod["arrays"]
                ]
    return [{"name": name, "seen_by": told} for name, told in found.items()]


_TOLD = ("status", "progress", "mediator_status", "pre_elected", "frozen_at")
