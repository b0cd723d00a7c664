"""What the workers of guest tasks do: start, stop, migrate, destroy. Cloning is in `clones`.

Durations are lab seconds. A change is written into the world's log when it is accomplished, not when it was asked for.
"""

import contextlib
from typing import TYPE_CHECKING

from lab.pve.errors import PveError
from lab.pve.etc.access import ROOT
from lab.pve.work.tasks import NodeDied, Task

if TYPE_CHECKING:
    from lab.physics.disks import LogicalVolume
    from lab.pve.work.guest import Guest

# Of a machine: start, shutdown and live migration as in the runs that the timelines come from (reference: pve-ha, "C").
# Of a container: assumptions; it has no firmware and no kernel of its own to wait for.
START_SECONDS = {"qemu": 5.0, "lxc": 3.0}
SHUTDOWN_SECONDS = {"qemu": 10.0, "lxc": 5.0}
STOP_SECONDS = 1.0
MIGRATE_SECONDS = {True: 15.0, False: 1.5}  # live: memory is copied; stopped: only the file moves
DESTROY_SECONDS = 1.0
# How long a system is asked to shut down that does not answer (default of HA and of qmshutdown).
SHUTDOWN_LIMIT = 60.0
# States in which a machine is not asked at all (source: QemuServer.pm, vm_is_paused).
PAUSED = ("paused", "prelaunch", "suspended")
_DEAF = ("io-error", "internal-error")


async def start(task: Task, guest: "Guest") -> None:
    """Activate the volumes on this node, then start QEMU, or mount them and start the container's init."""
    async with guest.flock:
        if task.node in guest.runs_on:
            raise PveError(f"{guest.word} {guest.vmid} already running")
        _unlocked(guest)
        await _begin(task, guest)


async def _begin(task: Task, guest: "Guest") -> None:
    cluster = task.cluster
    volumes = activate(task, guest, task.node)
    await task.pause(START_SECONDS[guest.kind])
    if guest.fails("start"):
        _deactivate(task, guest, task.node)
        raise PveError("start failed: QEMU exited with code 1" if guest.kind == "qemu" else "startup failed")
    if guest.node != task.node:
        raise PveError(f"Configuration file '{guest.file(task.node)}' does not exist")
    for lv in volumes:
        lv.open_on.add(task.node)
    guest.config, guest.pending = guest.effective(), {}
    guest.running, guest.since, guest.pid, guest.qmp = True, cluster.world.clock.now(), task.pid + 40, ""
    cluster.world.record(task.node, "guest.start", str(guest.vmid))


async def stop(task: Task, guest: "Guest", *, graceful: bool = False, force: bool = False) -> None:
    """Stop the guest and deactivate its volumes; one that does not run is left alone.

    `force` ends what does not shut down by itself: HA asks so, and a node that goes down.
    """
    async with guest.flock:
        if task.node not in guest.runs_on:
            if graceful:
                raise PveError(f"{guest.word} {guest.vmid} not running")
            return
        await _end(task, guest, graceful=graceful, force=force)


async def _end(task: Task, guest: "Guest", *, graceful: bool, force: bool) -> None:
    cluster = task.cluster
    state = cluster.qmp_status(guest, task.node)
    if not graceful or state in PAUSED:
        await task.pause(STOP_SECONDS)
    elif state in _DEAF:
        await task.pause(SHUTDOWN_LIMIT)
        if not force:
            raise PveError("VM quit/powerdown failed - got timeout")
    else:
        await task.pause(SHUTDOWN_SECONDS[guest.kind])
    _deactivate(task, guest, task.node)
    guest.ends_on(task.node)
    if guest.node == task.node:
        guest.config, guest.pending = guest.effective(), {}
    cluster.world.record(task.node, "guest.stop", str(guest.vmid))


async def restart(task: Task, guest: "Guest", *, graceful: bool) -> None:
    """The same process goes on with a fresh system; what is pending is applied where the system was shut down."""
    async with guest.flock:
        await task.pause(SHUTDOWN_SECONDS[guest.kind] if graceful else STOP_SECONDS)
        if graceful:
            guest.config, guest.pending = guest.effective(), {}
        guest.since = task.cluster.world.clock.now()
        task.cluster.world.record(task.node, "guest.reboot" if graceful else "guest.reset", str(guest.vmid))


async def migrate(task: Task, guest: "Guest", target: str, *, restarting: bool = False) -> None:
    """Move the guest: a machine that runs live, a container that runs only by `restarting` it on the target.

    The volumes are on shared storage and stay where they are. A source that dies leaves the lock behind, and the
    volumes active on the target; a target that is lost leaves the guest where it was.
    """
    async with guest.flock:
        _unlocked(guest)
        starts = guest.kind == "lxc" and guest.running
        if starts and not restarting:
            raise PveError("running container can only be migrated in restart mode")
        if starts:
            task.log(f"shutdown CT {guest.vmid}")
            await _end(task, guest, graceful=True, force=False)
        guest.lock = "migrate"
        source = guest.node
        try:
            task.log(f"starting migration of {guest.word} {guest.vmid} to node '{target}'")
            _reach(task, target)
            await (_move_live(task, guest, target) if guest.running else _move_file(task, guest, target))
        except NodeDied:
            raise
        except BaseException:
            await _unlock(task, guest)
            raise
        guest.lock = None
        task.log("migration finished successfully (duration 00:00:15)")
        task.cluster.world.record(target, "guest.migrate", str(guest.vmid), source=source)
    if starts:
        task.log("start container on target node")
        await _start_there(task, guest, target)


async def _move_file(task: Task, guest: "Guest", target: str) -> None:
    await task.pause(MIGRATE_SECONDS[False])
    await _arrive(task, guest, target)
    guest.node = target


async def _move_live(task: Task, guest: "Guest", target: str) -> None:
    """QEMU on the target opens the volumes at once, and copies memory while the source runs on.

    Assumption: QEMU on the target ends when its source does; who deactivates its volumes then is the source's task.
    """
    source = guest.node
    volumes = activate(task, guest, target)
    for lv in volumes:
        lv.open_on.add(target)
    guest.incoming = target
    try:
        await task.pause(MIGRATE_SECONDS[True])
        await _arrive(task, guest, target)
    except BaseException as error:
        guest.incoming = None
        if target not in guest.runs_on:
            for lv in volumes:
                lv.open_on.discard(target)
                if not isinstance(error, NodeDied) and _reached(task, target):
                    lv.active_on.discard(target)
        raise
    guest.incoming = None
    guest.node = target
    _deactivate(task, guest, source)
    guest.since, guest.pid = task.cluster.world.clock.now(), task.pid + 41


async def _start_there(task: Task, guest: "Guest", node: str) -> None:
    """What `pct start` over ssh does at the end of a migration by restart."""
    begin = task.cluster.tasks.begin
    there = begin(node, guest.task("start"), str(guest.vmid), ROOT, lambda other: start(other, guest))
    await there.done.wait()
    if there.exitstatus != "OK":
        raise PveError(f"command 'ssh root@{node} pct start {guest.vmid}' failed: exit code 255")


def _unlocked(guest: "Guest") -> None:
    if guest.lock:
        raise PveError(f"{guest.word} is locked ({guest.lock})")


def _reached(task: Task, target: str) -> bool:
    world = task.cluster.world
    return world.nodes[target].powered and world.links.reaches(task.node, target)


def _reach(task: Task, target: str) -> None:
    """The other node can be spoken to, and both can write the cluster's files."""
    if not _reached(task, target):
        task.log(f"ERROR: can't connect to node '{target}'")
        raise PveError("migration aborted")
    if not task.cluster.world.membership.writable(task.node):
        raise PveError("migration aborted")


async def _unlock(task: Task, guest: "Guest") -> None:
    """Take the lock out of the file; without a quorum it stays there."""
    with contextlib.suppress(PveError):
        await task.may_write(guest.file(task.node))
        guest.lock = None


async def _arrive(task: Task, guest: "Guest", target: str) -> None:
    """The last step of a migration: the file is moved, for which both wait as long as a membership is under way."""
    await task.may_write(guest.file(task.node))
    if guest.fails("migrate"):
        raise PveError("migration aborted")
    _reach(task, target)


async def destroy(task: Task, guest: "Guest") -> None:
    """Remove the configuration and its volumes."""
    cluster = task.cluster
    async with guest.flock:
        await task.pause(DESTROY_SECONDS)
        await task.may_write(guest.file(task.node))
        free(task, [volid for volid in guest.disks.values() if f"vm-{guest.vmid}-" in volid])
        cluster.guests.pop(guest.vmid, None)
        cluster.world.record(task.node, "guest.delete", str(guest.vmid))


def activate(task: Task, guest: "Guest", node: str) -> "list[LogicalVolume]":
    """Activate the guest's volumes on a node, as ``lvchange -aey`` does, one by one."""
    found: list[LogicalVolume] = []
    for path, lv in task.cluster.logical_volumes(guest, node).items():
        if lv is None:
            group = path.split("/")[2]
            raise PveError(f"can't activate LV '{path}':   Volume group \"{group}\" not found")
        lv.active_on.add(node)
        found.append(lv)
    return found


def _deactivate(task: Task, guest: "Guest", node: str) -> None:
    """What ends closes its volumes; they can be deactivated only where the volume group is still seen."""
    for lv in task.cluster.volumes_of(guest):
        lv.open_on.discard(node)
    for seen in task.cluster.logical_volumes(guest, node).values():
        if seen is not None:
            seen.active_on.discard(node)


def free(task: Task, volids: list[str]) -> None:
    """Destroy volumes, as far as this node sees them."""
    if task.cluster.world.cluster is not task.cluster:
        return  # the world was reset: these names may already be someone else's
    for volid in volids:
        storage_id, _, name = volid.partition(":")
        storage = task.cluster.storages.get(storage_id)
        if storage is not None and storage.type == "lvm":
            group = task.cluster.world.volume_group(task.node, storage.vg)
            if group is not None:
                group.lvs.pop(name, None)
        task.cluster.files.pop(volid, None)
