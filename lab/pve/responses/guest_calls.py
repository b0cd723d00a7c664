"""What the calls on machines and on containers have in common: finding the guest, beginning a task, asking HA.

A guest under HA is not touched directly: the call becomes a request to HA, and its task ends at once.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from lab.pve.daemon.calls import Call
from lab.pve.errors import PveError
from lab.pve.work.guest import Guest
from lab.pve.work.tasks import Task, Work

if TYPE_CHECKING:
    from lab.pve.ha.stack import Ha

_LOCK = "domain-ha"


def guest_of(call: Call) -> Guest:
    """The machine that the path names, on this node and on no other."""
    return call.cluster.guest_on(call.node, call["vmid"])


def container_of(call: Call) -> Guest:
    """The container that the path names, on this node and on no other."""
    return call.cluster.guest_on(call.node, call["vmid"], "lxc")


def unlocked(guest: Guest) -> None:
    """Refuse what a configuration lock forbids."""
    if guest.lock:
        raise PveError(f"{guest.word} is locked ({guest.lock})")


def has_agent(guest: Guest) -> bool:
    """The machine's configuration says that an agent runs in it."""
    return str(guest.effective().get("agent", "0")).split(",")[0] in ("1", "enabled=1")


def with_agent(call: Call) -> Guest:
    """The machine that the path names, if its agent answers; in one that does not work it does not."""
    guest = guest_of(call)
    if not has_agent(guest):
        raise PveError("No QEMU guest agent configured")
    if call.node not in guest.runs_on:
        raise PveError(f"VM {guest.vmid} is not running")
    if call.cluster.qmp_status(guest, call.node) != "running":
        raise PveError("QEMU guest agent is not running")
    return guest


def ha_word(call: Call, guest: Guest) -> dict[str, object]:
    """What status/current says of HA (source: HA/Config.pm, get_service_status)."""
    ha = call.cluster.ha
    if not ha.is_managed(guest.sid, call.node):
        return {"managed": 0}
    manager = ha.seen_by(call.node).manager
    service = manager.services.get(guest.sid) if manager else None
    return {"managed": 1, **({"state": service.state} if service else {})}


def missing_storages(call: Call, guest: Guest, node: str) -> list[str]:
    """The storages of the guest's disks that do not serve a node."""
    storages = {volid.partition(":")[0] for volid in guest.disks.values()}
    return sorted(name for name in storages if not call.cluster.storage(name).serves(node))


def begin(call: Call, guest: Guest, deed: str, work: Work) -> str:
    """A task of the guest's kind, on this node."""
    return call.cluster.tasks.begin(call.node, guest.task(deed), str(guest.vmid), call.identity, work).upid


def ask_start(call: Call, guest: Guest) -> str:
    """A task that sets the requested state: its success proves nothing about the guest."""

    async def file(task: Task) -> None:
        await _as_tool(task, f"set {guest.sid} --state started", lambda: _request_start(call, guest.sid))

    return _ask(call, guest, "hastart", "start", file)


def ask_stop(call: Call, guest: Guest, timeout: int) -> str:
    """A task that files a command to stop; timeout 0 stops hard."""

    async def file(task: Task) -> None:
        command = f"crm-command stop {guest.sid} {timeout}"
        await _as_tool(task, command, lambda: _queue(call, "stop", guest.sid, str(timeout)))

    return _ask(call, guest, "hastop", "stop", file)


def ask_migration(call: Call, guest: Guest, target: str) -> str:
    """A task that files a command to migrate."""

    async def file(task: Task) -> None:
        await _as_tool(task, f"migrate {guest.sid} {target}", lambda: _queue(call, "migrate", guest.sid, target))

    return _ask(call, guest, "hamigrate", "migration", file, f" to node {target}")


def _ask(
    call: Call, guest: Guest, kind: str, what: str, file: Callable[[Task], Awaitable[None]], where: str = ""
) -> str:
    async def work(task: Task) -> None:
        task.log(f"Requesting HA {what} for {guest.word} {guest.vmid}{where}")
        await file(task)

    return call.cluster.tasks.begin(call.node, kind, str(guest.vmid), call.identity, work).upid


async def _as_tool(task: Task, command: str, ask: Callable[[], None]) -> None:
    """Run ``ha-manager``: what it says is in the task's log, and its failure is the task's."""
    sid = next(word for word in command.split() if ":" in word)
    cluster = task.cluster
    try:
        not_in_error(cluster.ha, task.node, sid)
        await cluster.config_lock(task.node, _LOCK)
        await task.pause(0.3)
        ask()
    except PveError as error:
        task.log(error.message)
        raise PveError(f"command 'ha-manager {command}' failed: exit code 255") from None


def not_in_error(ha: "Ha", node: str, sid: str) -> None:
    """Refuse what a service in error does not take; the files are those of the asked node.

    Source: PVE::API2::HA::Resources, check_service_state. A service that HA ignores is not looked at.
    """
    manager = ha.seen_by(node).manager
    service = manager.services.get(sid) if manager else None
    if ha.is_managed(sid, node) and service is not None and service.state == "error":
        raise PveError(f"service '{sid}' in error state, must be disabled and fixed first")


def _request_start(call: Call, sid: str) -> None:
    service = call.cluster.ha.manager.services.get(sid) if call.cluster.ha.manager else None
    call.cluster.ha.update_resource(sid, {"state": "started"})
    if service is None or not (service.state == "started" and service.running):
        call.cluster.ha.begins(sid)


def _queue(call: Call, command: str, sid: str, argument: str) -> None:
    call.cluster.ha.commands.append((command, sid, argument))
    call.cluster.ha.begins(sid)
    call.cluster.world.record("pve", f"ha.command.{command}", sid, argument=argument)
