"""One node: status, time, services and a little of its journal."""

import time
from typing import Any

from lab.physics.units import active
from lab.pve.daemon.calls import Call, Routes
from lab.pve.daemon.schema import schema
from lab.pve.errors import PveError
from lab.pve.responses.cluster import VERSION
from lab.pve.work.shutdown import shut_down
from lab.pve.work.tasks import Task

routes = Routes()

KERNEL, KERNEL_BUILD = "6.17.2-1-pve", "#1 SMP PREEMPT_DYNAMIC PMX 6.17.2-1 (2025-10-21T11:55Z)"
_SERVICE = "/nodes/{node}/services/{service}"
# What a node does not have or does not run in this design; everything else runs.
_ABSENT = ("postfix", "syslog", "systemd-timesyncd")
# Those that the twin plays: they run as `systemctl is-active` says.
_PLAYED = ("corosync", "pve-cluster", "pve-ha-crm", "pve-ha-lrm", "pveproxy")
# The API would cut off its own branch (reference: proxmox-api §5.3).
_VITAL = ("pve-cluster", "pvedaemon", "pveproxy")
_NAMES = {"pve-ha-crm": "PVE Cluster HA Resource Manager Daemon", "pve-ha-lrm": "PVE Local HA Resource Manager Daemon"}
_SERVICE_SECONDS = 1.0


@routes.on("GET /nodes/{node}/status")
async def status(call: Call) -> dict[str, Any]:
    """Load and sizes of the node; numbers that the twin does not simulate stand still."""
    return {
        "uptime": call.cluster.world.uptime(call.cluster.world.nodes[call.node]),
        "loadavg": ["0.42", "0.37", "0.31"],
        "cpu": 0.03,
        "wait": 0,
        "idle": 0,
        "cpuinfo": {"cpus": 64, "cores": 32, "sockets": 1, "model": "AMD EPYC 9354P 32-Core Processor", "hvm": "1"},
        "memory": {"total": 540842557440, "used": 41200000000, "free": 499642557440, "available": 499642557440},
        "boot-info": {"mode": "efi", "secureboot": 0},
        "swap": {"total": 8589930496, "used": 0, "free": 8589930496},
        "rootfs": {"total": 100861726720, "used": 12641939456, "free": 88219787264, "avail": 83055624192},
        "current-kernel": {"sysname": "Linux", "release": KERNEL, "version": KERNEL_BUILD, "machine": "x86_64"},
        "kversion": f"Linux {KERNEL} {KERNEL_BUILD}",
        "pveversion": f"pve-manager/{VERSION['version']}/{VERSION['repoid']}",
    }


@routes.on("POST /nodes/{node}/status")
async def power(call: Call) -> None:
    """Shut down or reboot, in an orderly way; it answers before anything has happened."""
    call.cluster.spawn(shut_down(call.cluster, call.node, reboot=call["command"] == "reboot"))


@routes.on("GET /nodes/{node}/time")
async def clock(call: Call) -> dict[str, Any]:
    """The node's clock, which may differ from lab time."""
    now = int(call.cluster.world.time_at(call.cluster.world.nodes[call.node]))
    return {"time": now, "localtime": now, "timezone": "UTC"}


@routes.on("GET /nodes/{node}/subscription")
async def subscription(_: Call) -> dict[str, Any]:
    """None."""
    return {"status": "notfound", "message": "There is no subscription key"}


@routes.on("GET /nodes/{node}/journal")
async def journal(call: Call) -> list[str]:
    """The node's tasks as its journal has them, between two cursors."""
    lines = []
    for task in call.cluster.tasks.all:
        if task.node == call.node:
            lines.append(_line(task.starttime, task, f"starting task {task.upid}"))
            if task.endtime is not None and not task.died:
                lines.append(_line(task.endtime, task, f"end task {task.upid} {task.exitstatus}"))
    last = call.get("lastentries")
    shown = lines[-last:] if last else lines
    return [f"s=twin;i={len(lines) - len(shown):x}", *shown, f"s=twin;i={len(lines):x}"]


def _line(when: int, task: Task, text: str) -> str:
    stamp = time.strftime("%b %d %H:%M:%S", time.gmtime(when))
    return f"{stamp} {task.node} pvedaemon[{task.pid}]: <{task.identity.name}> {text}"


@routes.on("GET /nodes/{node}/services")
async def services(call: Call) -> list[dict[str, str]]:
    """The services that the API knows by name."""
    method, _ = schema().find("GET", "/nodes/n/services/x/state")
    return [_service(call, name) for name in method.parameters["service"]["enum"]]


@routes.on(f"GET {_SERVICE}/state")
async def service_state(call: Call) -> dict[str, str]:
    """One service."""
    return _service(call, call["service"])


def _service(call: Call, name: str) -> dict[str, str]:
    world = call.cluster.world
    host, absent = world.nodes[call.node], name in _ABSENT
    runs = not absent and name not in host.stopped and (name not in _PLAYED or active(world, host, name))
    return {
        "service": name,
        "name": name,
        "desc": _NAMES.get(name, name),
        "state": "running" if runs else "dead",
        "active-state": "active" if runs else "inactive",
        "unit-state": "not-found" if absent else "enabled",
    }


@routes.on(f"POST {_SERVICE}/restart", f"POST {_SERVICE}/reload")
async def service_restart(call: Call) -> str:
    """Restart a service; the twin's daemons do not notice."""
    return _service_task(call, "srvrestart")


@routes.on(f"POST {_SERVICE}/start")
async def service_start(call: Call) -> str:
    """Start a service that already runs."""
    return _service_task(call, "srvstart")


@routes.on(f"POST {_SERVICE}/stop")
async def service_stop(call: Call) -> str:
    """Refused for the daemons that answer here, and not played for the others."""
    if call["service"] in _VITAL:
        raise PveError(f"service '{call['service']}' is vital and cannot be stopped through the API")
    raise PveError("stopping services is not implemented (by the twin)", status=501)


def _service_task(call: Call, kind: str) -> str:
    name = call["service"]

    async def work(task: Task) -> None:
        await task.pause(_SERVICE_SECONDS)
        call.cluster.world.record(call.node, f"service.{kind.removeprefix('srv')}", name)

    return call.cluster.tasks.begin(call.node, kind, name, call.identity, work).upid
