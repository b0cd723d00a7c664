"""The commands of a Proxmox VE node, and what its systemd runs on request."""

import asyncio

from lab.hosts.corosync import COROSYNC
from lab.hosts.corosync_tools import TOOLS
from lab.hosts.fabric import FABRIC
from lab.hosts.files import WAYS
from lab.hosts.ha_tools import HA
from lab.hosts.host_tools import CLOCKS, FILES
from lab.hosts.iscsi import ISCSI
from lab.hosts.multipathd import MULTIPATHD
from lab.hosts.nvme import NVME
from lab.hosts.pve_tools import PVE
from lab.hosts.shell import Call, Output, Registry
from lab.hosts.storage import STORAGE
from lab.hosts.system import SYSTEM

NODE = Registry(SYSTEM, ISCSI, STORAGE, COROSYNC, TOOLS, PVE, HA, CLOCKS, FILES, WAYS, MULTIPATHD, FABRIC, NVME)


@NODE.program("systemd-run")
async def systemd_run(call: Call) -> Output:
    """`systemd-run --wait --unit=NAME COMMAND…`: runs on when the caller's connection is gone."""
    unit = (call.option("--unit") or "run-1").removesuffix(".service")
    command = [*call.words]
    while command and command[0].startswith("-"):
        command.pop(0)
    if unit in call.host.units:
        said = (
            f"Failed to start transient service unit: Unit {unit}.service was already loaded or has a fragment file.\n"
        )
        return Output(stderr=said, status=1)

    async def run() -> Output:
        try:
            output = await NODE.call(call.world, call.host, command)
            name = (call.option("--property", "-p") or "").removeprefix("SyslogIdentifier=") or command[0]
            printed = [*output.stdout.splitlines(), *output.stderr.splitlines()]
            # systemd's remarks stand under the unit as well, but under a name of its own
            call.host.journal[unit] = [
                f"Started {unit}.service - /usr/bin/{' '.join(command)}.",
                *printed,
                *_remarks(unit, output.status),
            ]
            call.host.journal[f"-t {name}"] = [*call.host.journal.get(f"-t {name}", []), *printed]
            return output
        finally:
            if asyncio.current_task() in call.host.processes:
                call.host.units.discard(unit)  # else its host has died, and a new unit may have that name

    call.host.units.add(unit)
    task = asyncio.create_task(run())
    call.world.background.add(task)
    task.add_done_callback(call.world.background.discard)
    call.host.processes.add(task)
    task.add_done_callback(call.host.processes.discard)
    try:
        output = await asyncio.shield(task)
    except asyncio.CancelledError:
        if not task.cancelled():
            raise  # the caller is gone; the unit goes on
        return Output(status=143)
    return Output(status=1 if output.status else 0)


def _remarks(unit: str, status: int) -> list[str]:
    """What systemd says of a unit that has ended."""
    used = f"{unit}.service: Consumed 2.113s CPU time."
    if not status:
        return [f"{unit}.service: Deactivated successfully.", used]
    code = f"{unit}.service: Main process exited, code=exited, status={status}/n/a"
    return [code, f"{unit}.service: Failed with result 'exit-code'.", used]


@NODE.program("journalctl", "-u= --unit= -t= --identifier= -o= --output= -n= --lines= --no-pager -q")
async def journalctl(call: Call) -> Output:
    """`journalctl -u UNIT -o cat`: what the unit printed, and systemd about it; `-t NAME`: what has that name."""
    unit = (call.option("-u", "--unit") or "").removesuffix(".service")
    if name := call.option("-t", "--identifier"):
        unit = f"-t {name}"
    if not unit or call.option("-o", "--output") not in (None, "cat"):
        return Output(stderr="journalctl: the twin knows only -u UNIT or -t NAME [-o cat]\n", status=1)
    lines, last = call.host.journal.get(unit, []), call.option("-n", "--lines") or "all"
    shown = lines if last == "all" else lines[-int(last) :] if last.isdigit() and int(last) else []
    return Output("".join(f"{line}\n" for line in shown))
