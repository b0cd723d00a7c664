"""What an LRM's worker does for one order: start, stop, move, each as a task of root@pam on its node."""

from typing import TYPE_CHECKING

from lab.pve.etc.access import ROOT
from lab.pve.ha.state import AGAIN, ERROR, IGNORED, MOVING, SUCCESS, WRONG_NODE, Service
from lab.pve.work import guest_tasks as workers
from lab.pve.work.tasks import Task, Work

if TYPE_CHECKING:
    from lab.pve.ha.lrm import Lrm
    from lab.pve.models import Guest


async def carry_out(lrm: "Lrm", sid: str, order: Service) -> int:
    """Do what the order's state asks for; the exit code is the LRM's (reference: pve-ha §6)."""
    cluster = lrm.ha.cluster
    guest = cluster.guests.get(int(sid.partition(":")[2]))
    if guest is None or guest.sid != sid:
        return ERROR
    if order.state == "error":
        return SUCCESS
    if guest.node != lrm.node:
        return WRONG_NODE
    if order.state == "started":
        return await _start(lrm, sid, guest)
    if order.state in ("request_stop", "stopped"):
        return await _stop(lrm, guest, graceful=order.timeout != 0)
    if order.state == "request_start_balance" and guest.running:
        return IGNORED
    if order.state in MOVING:
        return await _move(lrm, guest, order)
    return ERROR


async def _start(lrm: "Lrm", sid: str, guest: "Guest") -> int:
    """Start a guest that is down; a failure is tried again in the next rounds, `max_restart` times."""
    if guest.running or await _run(lrm, "start", guest, lambda task: workers.start(task, guest)):
        lrm.tries.pop(sid, None)
        return SUCCESS
    lrm.tries[sid] = lrm.tries.get(sid, 0) + 1
    if lrm.tries[sid] <= int(lrm.ha.files.resources.get(sid, {}).get("max_restart", 1)):
        return AGAIN
    del lrm.tries[sid]
    return ERROR


async def _stop(lrm: "Lrm", guest: "Guest", *, graceful: bool) -> int:
    if not guest.running:
        return SUCCESS
    deed = "shutdown" if graceful else "stop"
    stopped = await _run(lrm, deed, guest, lambda task: workers.stop(task, guest, graceful=graceful, force=True))
    return SUCCESS if stopped or not guest.running else ERROR


async def _move(lrm: "Lrm", guest: "Guest", order: Service) -> int:
    """Move a guest: a machine live, unless the order says ``relocate``; a container is always stopped before.

    The LRM of the target starts what was stopped (source: HA/Resources/PVECT.pm, migrate).
    """
    target = order.target or lrm.node
    if guest.running and (order.state == "relocate" or guest.kind == "lxc"):
        await _stop(lrm, guest, graceful=True)
    moved = await _run(lrm, "migrate", guest, lambda task: workers.migrate(task, guest, target))
    return SUCCESS if moved else ERROR


async def _run(lrm: "Lrm", deed: str, guest: "Guest", work: Work) -> bool:
    task: Task = lrm.ha.cluster.tasks.begin(lrm.node, guest.task(deed), str(guest.vmid), ROOT, work)
    await task.done.wait()
    return task.exitstatus == "OK"
