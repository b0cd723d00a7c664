"""What holds at every moment, whatever was done to the world: no two answers contradict each other, and V1 and V2.

A law yields sentences; none is the rule.
"""

import re
from collections.abc import Iterator
from typing import Any

from lab.pve.ha.state import MOVING
from lab.pve.work.guest import Guest
from lab.world import World
from tests.fuzz.views import NodeView, Views

# The excuse of those whose writes were lost as their partitions met again.
REVERTED = "/etc/pve"


def broken(world: World, seen: Views, excused: set[str]) -> list[str]:
    """The laws that do not hold now; `excused` says why a guest may run twice, or two lead; empty when they may not."""
    return [
        *_one_node_tells_one_story(world, seen),
        *_one_partition_is_quorate(world, seen),
        *_the_witness_agrees(world, seen),
        *_the_arrays_agree(world, seen),
        *_paths_lead_somewhere(world, seen),
        *_guests_and_volumes(world),
        *_watchdogs(world),
        *([] if REVERTED in excused else _one_master(world)),
        *_services_and_guests(world, seen),
        *_nobody_claims_a_guest_in_vain(world, seen),
        *([] if excused else _v1_and_v2(world)),
    ]


def _one_node_tells_one_story(world: World, seen: Views) -> Iterator[str]:
    """API and command line of a node say the same of quorum and members."""
    by_id = {host.node_id: name for name, host in world.nodes.items()}
    for name, view in seen.nodes.items():
        members = {by_id[member.node_id] for member in view.votes.members if member.node_id}
        if view.quorate != view.votes.quorate:
            yield f"{name}: the API says quorate {view.quorate}, pvecm {view.votes.quorate}"
        if view.online != members:
            yield f"{name}: online by the API {sorted(view.online)}, members by pvecm {sorted(members)}"
        if name not in members:
            yield f"{name} runs and is no member of its own partition"
        listed = {e["node"] for e in view.resources if e["type"] == "node" and e["status"] == "online"}
        if listed != view.online:
            yield f"{name}: online in resources {sorted(listed)}, in status {sorted(view.online)}"
        said = next(entry for entry in view.ha if entry["type"] == "quorum")
        if bool(said["quorate"]) != view.quorate:
            yield f"{name}: HA says quorate {said['quorate']}, the cluster {view.quorate}"
        if view.votes.quorate != (view.votes.total >= view.votes.quorum):
            yield f"{name}: {view.votes.total} of {view.votes.quorum} votes and quorate {view.votes.quorate}"


def _settled(world: World, seen: Views) -> dict[str, NodeView]:
    """Those whose membership is settled, and who have not failed to notice that the device has dropped them."""
    seats = world.membership
    return {n: view for n, view in seen.nodes.items() if not seats.stalled(n) and not seats.forsaken(n)}


def _one_partition_is_quorate(world: World, seen: Views) -> Iterator[str]:
    """Whose memberships are settled: members agree about each other, and at most one partition has the votes."""
    settled = _settled(world, seen)
    for name, view in settled.items():
        for other in view.online & settled.keys():
            if settled[other].online != view.online:
                yield f"{name} sees {sorted(view.online)}, its member {other} {sorted(settled[other].online)}"
    partitions = {frozenset(view.online) for view in settled.values() if view.quorate}
    if len(partitions) > 1:
        yield f"more than one quorate partition: {[sorted(p) for p in partitions]}"


def _the_witness_agrees(world: World, seen: Views) -> Iterator[str]:
    """The vote is cast in one partition only, and by nodes that the device knows."""
    voting = {name for name, view in _settled(world, seen).items() if view.votes.device_votes}
    memberships = {frozenset(seen.nodes[name].online) for name in voting}
    if len(memberships) > 1:
        yield f"the device votes in several partitions: {[sorted(m) for m in memberships]}"
    if world.witness.powered:
        listed = {int(number) for number in re.findall(r"Node ID (\d+):", seen.clients)}
        known = {world.nodes[name].node_id for name in world.membership.clients()}
        if listed != known:
            yield f"qnetd lists {sorted(listed)}, its clients are {sorted(known)}"


def _the_arrays_agree(world: World, seen: Views) -> Iterator[str]:
    """At most one array serves a pod that is not in sync; what both say of one member agrees while they are linked."""
    told = {
        array: {pod["name"]: {m["name"]: m for m in pod["arrays"]} for pod in view.pods if not pod["destroyed"]}
        for array, view in seen.arrays.items()
    }
    for array, pods in told.items():
        for pod, members in pods.items():
            unknown = [name for name, member in members.items() if member["status"] == "unknown"]
            if array in unknown or (unknown and members[array]["status"] == "online"):
                yield f"{array} says unknown of {unknown} and {members[array]['status']} of itself"
            if sum(member["pre_elected"] for member in members.values()) > 1:
                yield f"{array}: both arrays are pre-elected for {pod}"
            for name, member in members.items():
                if (member["progress"] is not None) != (member["status"] == "resyncing"):
                    yield f"{array}: {name} is {member['status']} with progress {member['progress']}"
                if member["status"] == "online" and member["frozen_at"] is not None:
                    yield f"{array}: {name} is online and frozen"
    for pod in {name for pods in told.values() for name in pods}:
        yield from _two_copies(world, {array: pods[pod] for array, pods in told.items() if pod in pods}, pod)


def _two_copies(world: World, told: dict[str, dict[str, dict[str, Any]]], pod: str) -> Iterator[str]:
    """One story while the arrays are in touch; else at most one of them serves, and the other one says why not."""
    own = {array: members[array]["status"] for array, members in told.items()}
    stories = {tuple((name, m["status"], m["frozen_at"]) for name, m in members.items()) for members in told.values()}
    if len(told) == 2 and world.links.replication() and len(stories) > 1:
        yield f"{pod}: linked arrays tell {stories}"
    if len(told) == 2 and not world.links.replication() and list(own.values()) == ["online", "online"]:
        yield f"{pod}: both arrays serve and are not linked"
    for array, status in own.items():
        frozen = told[array][array]["frozen_at"]
        if status == "offline" and frozen is None:
            yield f"{pod}: {array} is offline and has no recovery point"
        serves = any(world.arrays[array].serves(volume) for one in world.arrays[array].pods for volume in one.volumes)
        if serves != (status in ("online", "suspended")):
            yield f"{pod}: {array} is {status} and serves: {serves}"


def _paths_lead_somewhere(world: World, seen: Views) -> Iterator[str]:
    """A path that a node calls ready leads to an array that has power and serves the pod."""
    for name, view in seen.nodes.items():
        ready = sum(path.usable for one in view.maps for group in one.groups for path in group.paths)
        if ready != len(world.paths(name)):
            yield f"{name}: multipath shows {ready} working paths, the world has {len(world.paths(name))}"
        for path in world.paths(name):
            array = world.arrays[path.array]
            if not array.powered or not world.links.storage(name, path.array, path.portal):
                yield f"{name} has a working path to {path.array} {path.portal}, which nobody could reach"


def _guests_and_volumes(world: World) -> Iterator[str]:
    """Who runs has power; who runs holds its volumes open; nobody else does."""
    alive = {name for name, host in world.nodes.items() if host.powered}
    for guest in world.cluster.guests.values():
        runs_on = guest.runs_on
        if not runs_on <= alive:
            yield f"guest {guest.vmid} runs on {sorted(runs_on - alive)} without power"
        for disk in world.disks.values():
            for lv in disk.vg.lvs.values() if disk.vg else ():
                if lv.name.startswith(f"vm-{guest.vmid}-"):
                    if not runs_on <= lv.open_on:
                        yield f"guest {guest.vmid} runs on {sorted(runs_on)}, {lv.name} is open on {sorted(lv.open_on)}"
                    if not lv.open_on <= runs_on | _incoming(guest):
                        yield f"{lv.name} is open on {sorted(lv.open_on)}, its guest runs on {sorted(runs_on)}"
                    if not lv.open_on <= lv.active_on <= alive:
                        yield f"{lv.name}: open on {sorted(lv.open_on)}, active on {sorted(lv.active_on)}"


def _incoming(guest: Guest) -> set[str]:
    """The target of a live migration that is under way."""
    return {guest.incoming} if guest.incoming else set()


def _watchdogs(world: World) -> Iterator[str]:
    """An LRM that may run services holds a watchdog; an idle one does not."""
    for name, lrm in world.cluster.ha.lrms.items():
        if not world.nodes[name].powered:
            continue
        holds = "lrm" in world.cluster.ha.watchdogs[name].clients
        if lrm.state in ("active", "lost_agent_lock") and not holds:
            yield f"{name}: LRM {lrm.state} without a watchdog"
        if lrm.state == "wait_for_agent_lock" and holds:
            yield f"{name}: an idle LRM holds a watchdog"


def _one_master(world: World) -> Iterator[str]:
    """Of all masters only one can write.

    Proxmox breaks it where a vote has moved and come back within a lock's life: each of two CRMs has had the lock in
    its own partition, and who had it less than two minutes ago touches it without a look whose it is.
    """
    crms = world.cluster.ha.crms
    masters = [
        name for name, crm in crms.items()
        if crm.state == "master" and world.nodes[name].powered and world.membership.writable(name)
    ]  # fmt: skip
    if len(masters) > 1:
        yield f"masters that can write: {masters}"


def _services_and_guests(world: World, seen: Views) -> Iterator[str]:
    """Where HA says a service is, there its guest's file lies, unless it is on its way, or a master's rounds fail."""
    if any(crm.failing for crm in world.cluster.ha.crms.values()):
        return
    for name, view in seen.nodes.items():
        if not world.membership.writable(name):
            continue
        kinds = {"qemu": "vm", "lxc": "ct"}
        places = {
            f"{kinds[entry['type']]}:{entry['vmid']}": entry["node"]
            for entry in view.resources
            if entry["type"] in kinds
        }
        for entry in view.ha:
            if entry["type"] != "service" or entry.get("crm_state") in (*MOVING, "fence", "error", None):
                continue
            sid = entry["sid"]
            task = any(t.exitstatus is None and t.target == sid[3:] for t in world.cluster.tasks.all)
            if places.get(sid) != entry["node"] and not task:
                yield f"{name}: HA has {sid} on {entry['node']}, its file lies under {places.get(sid)}"


def _nobody_claims_a_guest_in_vain(world: World, seen: Views) -> Iterator[str]:
    """A node calls those of its guests stopped that have no process there; the cluster lists each guest once."""
    for name, view in seen.nodes.items():
        rows = [entry for entry in view.resources if entry["type"] in ("qemu", "lxc")]
        if len({entry["vmid"] for entry in rows}) != len(rows):
            yield f"{name} lists a guest twice"
        for entry in rows:
            guest, mine = world.cluster.guests[entry["vmid"]], entry["node"] == name
            if mine and (entry["status"] == "stopped") != (name not in guest.runs_on):
                yield f"{name} says {entry['status']} of its guest {guest.vmid}, which runs on {sorted(guest.runs_on)}"
            if "hastate" in entry and not any(one["type"] == "service" and one["sid"] == guest.sid for one in view.ha):
                yield f"{name}: guest {guest.vmid} has a state in HA, and HA does not list it"


def _v1_and_v2(world: World) -> Iterator[str]:
    """A guest never runs twice, no volume is open on two nodes; a live migration has both ends open for a while."""
    for guest in world.cluster.guests.values():
        if len(guest.runs_on) > 1:
            yield f"V1: guest {guest.vmid} runs on {sorted(guest.runs_on)}"
        for lv in world.cluster.logical_volumes(guest, guest.node).values():
            if lv is not None and len(lv.open_on - _incoming(guest)) > 1:
                yield f"V2: {lv.name} is open on {sorted(lv.open_on)}"
