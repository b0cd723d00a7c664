"""Backup jobs of jobs.cfg: what a client defines, and what one does when its time has come.

Who may do what goes beyond the schema (source: PVE::API2::Backup): a job's storage asks for Datastore.Allocate, also
when nothing but `enabled` is changed, and ``local`` stands in where a job names none.
"""

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lab.pve.daemon.calls import Call, Routes
from lab.pve.daemon.formats import split_list
from lab.pve.daemon.schema import schema
from lab.pve.errors import PveError, rejected
from lab.pve.etc.access import ROOT
from lab.pve.work.calendar import next_event
from lab.pve.work.guest import Guest
from lab.pve.work.tasks import Task, Work

if TYPE_CHECKING:
    from lab.pve.models import Cluster

routes = Routes()

Job = dict[str, Any]

_ROOTS = ("tmpdir", "dumpdir", "script", "job-id")
# Property strings when written, objects when read.
_OBJECTS = ("prune-backups", "fleecing", "performance")
_DELETABLE = ("comment", "repeat-missed")
_ALL_DAYS = "mon,tue,wed,thu,fri,sat,sun"
# How long one guest's backup takes, lab seconds: long enough to meet its lock.
TAKES = 60.0


# --- reading ---------------------------------------------------------------------------------------------------------


@routes.on("GET /cluster/backup")
async def jobs(call: Call) -> list[Job]:
    """All jobs, each with its next time."""
    return [_shown(call, name) for name in call.cluster.jobs]


@routes.on("GET /cluster/backup/{id}")
async def job(call: Call) -> Job:
    """One job; its next time is told only in the list."""
    return {name: value for name, value in _shown(call, _known(call)).items() if name != "next-run"}


def _shown(call: Call, name: str) -> Job:
    found = {"id": name, "type": "vzdump", **call.cluster.jobs[name]}
    for key in _OBJECTS:
        if key in found:
            found[key] = _parts(str(found[key]))
    now = call.cluster.world.clock.now()
    moment = next_event(str(found.get("schedule", "")), now)
    return found | ({"next-run": moment} if moment is not None else {})


def _parts(text: str) -> dict[str, Any]:
    """``keep-daily=7`` as an object; a bare word stands for `enabled`, fleecing's default key."""
    pairs = (part.partition("=") if "=" in part else ("enabled", "=", part) for part in split_list(text))
    return {key: int(value) if value.isdigit() else value for key, _, value in pairs}


def _known(call: Call) -> str:
    name = str(call["id"])
    if name not in call.cluster.jobs:
        raise rejected(id=f"No such job '{name}'")
    return name


@routes.on("GET /cluster/backup/{id}/included_volumes")
async def included_volumes(call: Call) -> dict[str, Any]:
    """The guests of a job with their disks, as far as the caller may see them."""
    found = included(call.cluster, call.cluster.jobs[_known(call)])
    return {"children": [_tree(call, vmid) for vmid in found if call.may(f"/vms/{vmid}", "VM.Audit")]}


def _tree(call: Call, vmid: int) -> dict[str, Any]:
    guest = call.cluster.guests.get(vmid)
    if guest is None:
        return {"id": vmid, "type": "unknown", "leaf": 1}
    volumes = [
        {"id": f"{vmid}:{key}", "name": volume, "included": 1, "reason": "enabled", "leaf": 1}
        for key, volume in guest.disks.items()
    ]
    return {"id": vmid, "type": guest.kind, "name": guest.name, "children": volumes, "leaf": int(not volumes)}


@routes.on("GET /cluster/backup-info/not-backed-up")
async def not_backed_up(call: Call) -> list[dict[str, Any]]:
    """The guests that are in no job, enabled or not; without jobs that is all of them."""
    covered = {vmid for one in call.cluster.jobs.values() for vmid in included(call.cluster, one)}
    return [
        {"vmid": vmid, "type": guest.kind, "name": guest.name}
        for vmid, guest in sorted(call.cluster.guests.items())
        if vmid not in covered and call.may(f"/vms/{vmid}", "VM.Audit")
    ]


def included(cluster: "Cluster", job: Job) -> list[int]:
    """The ids of a job's guests; a job that names one keeps naming it after the guest is gone."""
    if pool := job.get("pool"):
        members = cluster.access.pools.get(str(pool))
        vmids = sorted(members.guests) if members else []
    elif named := job.get("vmid"):
        vmids = [int(word) for word in split_list(str(named))]
    else:
        excluded = {int(word) for word in split_list(str(job.get("exclude", "")))}
        vmids = sorted(cluster.guests.keys() - excluded) if job.get("all") else []
    node = job.get("node")
    return [vmid for vmid in vmids if not node or vmid not in cluster.guests or cluster.guests[vmid].node == node]


# --- writing ---------------------------------------------------------------------------------------------------------


@routes.on("POST /cluster/backup")
async def create(call: Call) -> None:
    """Define a job; without an id it gets one."""
    job = {name: value for name, value in call.parameters.items() if name != "id"}
    _may_set(call, job)
    if not call.identity.is_root and (storage := _storage(job)):
        call.require(f"/storage/{storage}", "Datastore.Allocate")
    _may_back_up_pool(call)
    _schedule(job, required=True)
    name = str(call.get("id") or uuid.UUID(int=call.cluster.world.random.getrandbits(128), version=4))
    await call.cluster.config_lock(call.node, "file-jobs_cfg")
    if name in call.cluster.jobs:
        raise PveError(f"Job '{name}' already exists")
    with _told_inside_a_lock():
        _fits(job, complete=True)
    call.cluster.jobs[name] = {"enabled": 1, **job}
    call.cluster.world.record("pve", "backup.create", name, **call.cluster.jobs[name])


@routes.on("PUT /cluster/backup/{id}")
async def update(call: Call) -> None:
    """Change a job; who may not write to its storage may not change it either."""
    changes = {name: value for name, value in call.parameters.items() if name not in ("id", "delete")}
    deleted = split_list(str(call.get("delete", "")))
    _may_set(call, changes)
    _may_set(call, dict.fromkeys(deleted), deleting=True)
    if not call.identity.is_root and (changes.get("storage") or "storage" in deleted):
        call.require(f"/storage/{changes.get('storage') or 'local'}", "Datastore.Allocate")
    _may_back_up_pool(call)
    _schedule(changes, required=False)
    await call.cluster.config_lock(call.node, "file-vzdump_cron")
    if not changes and not deleted:
        raise PveError("no options specified")
    name = str(call["id"])
    with _told_inside_a_lock():
        _fits(changes, complete=False)
    if (current := call.cluster.jobs.get(name)) is None:
        raise PveError("no such vzdump job")
    _may_change(call, current)
    with _told_inside_a_lock():
        changed = _changed(call, current, changes, deleted)
    call.cluster.jobs[name] = changed
    call.cluster.world.record("pve", "backup.update", name, **changes, **dict.fromkeys(deleted))


def _changed(call: Call, current: Job, changes: Job, deleted: list[str]) -> Job:
    known = schema().find("POST", "/cluster/backup")[0].parameters
    for word in deleted:
        if word not in known and word not in _DELETABLE:
            raise rejected(delete=f"unknown option '{word}'")
    job = {name: value for name, value in current.items() if name not in deleted} | changes
    if "exclude" in job and "pool" not in job:
        job["all"] = 1
    if "vmid" in changes:
        dropped: tuple[str, ...] = ("all", "exclude", "pool")
    elif changes.get("all"):
        dropped = ("vmid", "pool")
    else:
        dropped = ("vmid", "all", "exclude") if job.get("pool") else ()
    job = {name: value for name, value in job.items() if name not in dropped}
    _fits(job, complete=True)
    return job


@routes.on("DELETE /cluster/backup/{id}")
async def delete(call: Call) -> None:
    """Forget a job."""
    await call.cluster.config_lock(call.node, "file-vzdump_cron")
    with _told_inside_a_lock():
        name = _known(call)
    del call.cluster.jobs[name]
    call.cluster.world.record("pve", "backup.delete", name)


def _storage(job: Job) -> str:
    """Where a job writes: ``local`` when it says nothing, and no storage when it names a folder."""
    return "" if job.get("dumpdir") else str(job.get("storage") or "local")


def _may_set(call: Call, given: Job, *, deleting: bool = False) -> None:
    if call.identity.is_root:
        return
    for name in _ROOTS:
        if name in given:
            raise rejected(**{name: "Only root may set this option."})
    storage = _parts(str(given.get("fleecing") or "")).get("storage")
    if storage and not deleting:
        call.require(f"/storage/{storage}", "Datastore.AllocateSpace")


def _may_change(call: Call, current: Job) -> None:
    if call.identity.is_root:
        return
    if current.get("dumpdir"):
        raise PveError("only root@pam may edit jobs with a 'dumpdir' option. at /usr/share/perl5/PVE/API2/Backup.pm")
    call.require(f"/storage/{_storage(current)}", "Datastore.Allocate")


def _may_back_up_pool(call: Call) -> None:
    if (pool := call.get("pool")) is None:
        return
    if pool not in call.cluster.access.pools:
        raise PveError(f"Permission check failed (pool '{pool}' does not exist)", status=403)
    call.require(f"/pool/{pool}", "VM.Backup")


def _schedule(job: Job, *, required: bool) -> None:
    """`starttime` and `dow` are the old way to say `schedule`."""
    start, days = job.pop("starttime", None), ",".join(split_list(str(job.pop("dow", ""))))
    if "schedule" in job and start is not None:
        raise rejected(starttime="'starttime' and 'schedule' cannot both be set")
    if start is not None:
        job["schedule"] = start if days in ("", _ALL_DAYS) else f"{days} {start}"
    elif required and "schedule" not in job:
        raise rejected(schedule="neither 'starttime' nor 'schedule' were set")


def _fits(job: Job, *, complete: bool) -> None:
    """What may not be said together, and what must be said (source: PVE::VZDump verify_vzdump_parameters)."""
    for name in ("all", "exclude", "pool"):
        if job.get(name) and job.get("vmid"):
            raise rejected(**{name: "option conflicts with option 'vmid'"})
    if "exclude" in job and not job.get("pool"):
        job["all"] = 1
    if complete and not (job.get("all") or job.get("stop") or job.get("pool") or job.get("vmid")):
        raise rejected(vmid="property is missing")


@contextmanager
def _told_inside_a_lock() -> Iterator[None]:
    """What is refused while a file is locked comes out as text: PVE dies with what the inner code said."""
    try:
        yield
    except PveError as error:
        lines = "".join(f"\n{name}: {text}" for name, text in error.errors.items())
        raise (PveError(f"{error.status} {error.message}{lines}\n") if lines else error) from None


# --- running ---------------------------------------------------------------------------------------------------------


def run(cluster: "Cluster", name: str) -> list[Task]:
    """A job's time has come: every node backs up its own guests. A job that is off, or no quorum, means nothing runs.

    Each guest is locked while its turn lasts, as vzdump does; a guest that is locked already is passed over.
    """
    job = cluster.jobs.get(name)
    if job is None or not job.get("enabled", 1):
        return []
    guests = [cluster.guests[vmid] for vmid in included(cluster, job) if vmid in cluster.guests]
    nodes = [node for node in cluster.world.nodes if cluster.world.membership.writable(node)]
    here = {node: [guest for guest in guests if guest.node == node] for node in nodes}
    return [cluster.tasks.begin(node, "vzdump", "", ROOT, _backing_up(mine)) for node, mine in here.items() if mine]


def _backing_up(guests: list[Guest]) -> Work:
    async def work(task: Task) -> None:
        failed = [guest.vmid for guest in guests if not await _backed_up(task, guest)]
        if failed:
            raise PveError("job errors")

    return work


async def _backed_up(task: Task, guest: Guest) -> bool:
    task.log(f"INFO: Starting Backup of VM {guest.vmid} ({guest.kind})")
    if guest.lock:
        task.log(f"ERROR: Backup of VM {guest.vmid} failed - VM is locked ({guest.lock})")
        return False
    guest.lock = "backup"
    task.cluster.world.record(task.node, "guest.backup", str(guest.vmid))
    try:
        await task.pause(TAKES)
        await task.may_write(guest.file(task.node))
    except asyncio.CancelledError:  # a worker that is stopped tidies up; one whose node dies leaves the lock behind
        if task.cluster.world.membership.writable(task.node):
            guest.lock = None
        raise
    except PveError as error:  # nor can one take it away that may not write
        task.log(f"ERROR: Backup of VM {guest.vmid} failed - {error.message}")
        return False
    guest.lock = None
    task.log(f"INFO: Finished Backup of VM {guest.vmid} (00:01:00)")
    return True
