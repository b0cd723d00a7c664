"""Clock, uptime and the files that an operator reads: derived from the world and from the API's own answers.

A host whose clock is wrong has lost its time source: chrony then knows no error, it says that it is not synchronised.
"""

import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

from lab.hosts import files
from lab.hosts.iscsi import ISCSI
from lab.hosts.pve_cli import ask
from lab.hosts.shell import Call, Output, Registry
from lab.hosts.system import release
from lab.physics.links import RINGS

CLOCKS = Registry()
FILES = Registry()

# What chrony keeps a clock within, seconds.
_SYNCHRONISED = 0.05


# --- time ------------------------------------------------------------------------------------------------------------


def synchronised(call: Call) -> bool:
    """Whether the host's clock follows a time source."""
    error = call.world.time_at(call.host) - call.world.clock.now()
    return abs(error) < _SYNCHRONISED and call.host.clock_drift == 0


@CLOCKS.program("chronyc", "-n")
async def chronyc(call: Call) -> Output:
    """`chronyc tracking`."""
    if call.words[-1:] != ("tracking",):
        return Output(stderr="chronyc: the twin knows only tracking\n", status=1)
    good = synchronised(call)
    heard = time.gmtime(call.world.time_at(call.host) - 20 if good else 0)
    rows = {
        "Reference ID": "0A156701 (10.21.103.1)" if good else "00000000 ()",
        "Stratum": "3" if good else "0",
        "Ref time (UTC)": time.strftime("%a %b %d %H:%M:%S %Y", heard),
        "System time": f"{0.000012345 if good else 0:.9f} seconds slow of NTP time",
        "Last offset": f"{'+0.000001234' if good else '+0.000000000'} seconds",
        "RMS offset": f"{'0.000021345' if good else '0.000000000'} seconds",
        "Frequency": "1.234 ppm slow",
        "Residual freq": "+0.000 ppm",
        "Skew": "0.020 ppm",
        "Root delay": f"{'0.001234567' if good else '1.000000000'} seconds",
        "Root dispersion": f"{'0.000234567' if good else '1.000000000'} seconds",
        "Update interval": f"{'64.4' if good else '0.0'} seconds",
        "Leap status": "Normal" if good else "Not synchronised",
    }
    return Output("".join(f"{name:<16}: {value}\n" for name, value in rows.items()))


_OTHERS = (
    "set-time", "set-timezone", "list-timezones", "set-local-rtc", "set-ntp", "timesync-status", "show-timesync",
)  # fmt: skip


@CLOCKS.program("timedatectl", "-p= --property= --value")
async def timedatectl(call: Call) -> Output:
    """`timedatectl`, and `timedatectl show [-p NAME] [--value]`."""
    now, good = time.gmtime(call.world.time_at(call.host)), synchronised(call)
    if any(word in call.words for word in _OTHERS):
        return Output(stderr="timedatectl: the twin knows only status and show\n", status=1)
    if call.has("show"):
        return _properties(call, time.strftime("%a %Y-%m-%d %H:%M:%S UTC", now), good)
    moment = time.strftime("%a %Y-%m-%d %H:%M:%S", now)
    rows = {
        "Local time": f"{moment} UTC",
        "Universal time": f"{moment} UTC",
        "RTC time": moment,
        "Time zone": "Etc/UTC (UTC, +0000)",
        "System clock synchronized": "yes" if good else "no",
        "NTP service": "active",
        "RTC in local TZ": "no",
    }
    return Output("".join(f"{name:>25}: {value}\n" for name, value in rows.items()))


def _properties(call: Call, moment: str, good: bool) -> Output:
    known = {
        "Timezone": "Etc/UTC",
        "LocalRTC": "no",
        "CanNTP": "yes",
        "NTP": "yes",
        "NTPSynchronized": "yes" if good else "no",
        "TimeUSec": moment,
        "RTCTimeUSec": moment,
    }
    wanted = call.option("-p", "--property")
    chosen = {name: value for name, value in known.items() if wanted in (None, name)}
    return Output(
        "".join(f"{value}\n" if call.has("--value") else f"{name}={value}\n" for name, value in chosen.items())
    )


@CLOCKS.program("uptime", "-s --since")
async def uptime(call: Call) -> Output:
    """`uptime`, and `uptime -s`: since when the host is up."""
    now = call.world.time_at(call.host)
    up = call.world.uptime(call.host)
    if call.has("-s", "--since"):
        return Output(time.strftime("%Y-%m-%d %H:%M:%S\n", time.gmtime(now - up)))
    days, hours, minutes = up // 86400, up // 3600 % 24, up // 60 % 60
    length = f"{hours}:{minutes:02d}" if hours else f"{minutes} min"
    shown = f"{days} day{'s' if days > 1 else ''}, {length:>5}" if days else length
    clock = time.strftime("%H:%M:%S", time.gmtime(now))
    return Output(f" {clock} up {shown},  0 users,  load average: 0.08, 0.03, 0.01\n")


# --- files -----------------------------------------------------------------------------------------------------------


@FILES.program("cat")
async def cat(call: Call) -> Output:
    """The files of /etc/pve that an operator reads, one after the other, and what the iSCSI room knows."""
    text, errors = "", ""
    for path in call.words:
        writer = _FILES.get(path) or _guest_file(call, path)
        if (here := files.read(call, path)) is not None:
            text += here
        elif writer is None:
            other = await ISCSI.programs["cat"](Call(call.world, call.host, (path,)))
            text, errors = text + other.stdout, errors + other.stderr
        else:
            text += await writer(call)
    return Output(text, errors, 1 if errors else 0)


async def _release(call: Call) -> str:
    return release(call)


async def _corosync(call: Call) -> str:
    world = call.world
    nodes = []
    for name, host in world.nodes.items():
        rows = {"name": name, "nodeid": host.node_id, "quorum_votes": 1}
        nodes.append(("node", rows | {f"ring{ring}_addr": host.ring_address(ring) for ring in RINGS}))
    net = ("net", {"algorithm": "ffsplit", "host": world.witness.address, "tls": "on"})
    device = [("device", [("model", "net"), net, ("votes", 1)])] if world.corosync.qdevice else []
    totem: list[tuple[str, Any]] = [
        ("cluster_name", world.inventory.name),
        ("config_version", world.corosync.config_version),
        *(("interface", {"linknumber": ring}) for ring in RINGS),
        ("ip_version", "ipv4-6"),
        ("link_mode", "passive"),
        ("secauth", "on"),
        ("token_coefficient", world.corosync.token_coefficient),
        ("version", 2),
    ]
    quorum = [*device, ("provider", "corosync_votequorum")]
    sections = (("logging", {"debug": "off", "to_syslog": "yes"}), ("nodelist", nodes), ("quorum", quorum))
    return "\n".join(_section(name, rows) for name, rows in (*sections, ("totem", totem))) + "\n"


def _section(name: str, rows: Any, indent: str = "") -> str:
    """A section of corosync.conf: rows, and sections within."""
    text = f"{indent}{name} {{\n"
    for key, value in rows.items() if isinstance(rows, dict) else rows:
        inner = f"{indent}  "
        text += _section(key, value, inner) if isinstance(value, dict | list) else f"{inner}{key}: {value}\n"
    return f"{text}{indent}}}\n"


def _sections(entries: list[dict[str, Any]], kind: str, name: str) -> str:
    """A configuration of sections: ``lvm: NAME`` and its settings, a tab before each."""
    text = ""
    for entry in entries:
        lines = [f"\t{key} {entry[key]}\n" for key in sorted(entry) if key not in (kind, name, "digest", "order")]
        text += f"{entry[kind]}: {entry[name]}\n{''.join(lines)}\n"
    return text


async def _resources(call: Call) -> str:
    found = await ask(call, "GET", "/cluster/ha/resources", {})
    return _sections([{**entry, "sid": entry["sid"].partition(":")[2]} for entry in found], "type", "sid")


async def _rules(call: Call) -> str:
    return _sections(await ask(call, "GET", "/cluster/ha/rules", {}), "type", "rule")


async def _storages(call: Call) -> str:
    return _sections(await ask(call, "GET", "/storage", {}), "type", "storage")


async def _datacenter(call: Call) -> str:
    options = call.world.cluster.read_by(call.host.name).options
    return "".join(f"{name}: {options[name]}\n" for name in sorted(options))


def _guest_file(call: Call, path: str) -> Callable[[Call], Awaitable[str]] | None:
    """A guest of this node, if the path is its file."""
    found = re.fullmatch(r"/etc/pve/(?:nodes/([^/]+)/)?(?:qemu-server|lxc)/(\d+)\.conf", path)
    guest = call.world.cluster.read_by(call.host.name).guests.get(int(found[2])) if found else None
    if found is None or guest is None:
        return None
    node = found[1] or call.host.name
    if call.world.cluster.pmxcfs.place(guest.vmid, call.host.name) != node or not path.endswith(
        guest.file(node).removeprefix(f"nodes/{node}")
    ):
        return None
    config = {**guest.config, **({"lock": guest.lock} if guest.lock else {})}

    async def write(_: Call) -> str:
        return "".join(f"{name}: {config[name]}\n" for name in sorted(config))

    return write


_FILES: dict[str, Callable[[Call], Awaitable[str]]] = {
    "/etc/pve/corosync.conf": _corosync,
    "/etc/corosync/corosync.conf": _corosync,
    "/etc/pve/ha/resources.cfg": _resources,
    "/etc/pve/ha/rules.cfg": _rules,
    "/etc/pve/storage.cfg": _storages,
    "/etc/pve/datacenter.cfg": _datacenter,
    "/etc/os-release": _release,
}
