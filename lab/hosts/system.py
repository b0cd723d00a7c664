"""What every Debian host has: clock, packages, services, ping."""

import re
import time

from lab.hosts.shell import Call, Output, Registry
from lab.physics.links import RINGS
from lab.physics.units import active, enabled

SYSTEM = Registry()

_VERSIONS = {
    "corosync": "3.1.9-pve2", "corosync-qdevice": "3.0.3-1", "corosync-qnetd": "3.0.3-1", "lvm2": "2.03.31-2",
    "multipath-tools": "0.11.1-2", "nvme-cli": "2.13-2", "open-iscsi": "2.1.11-1", "pve-manager": "9.1.9",
}  # fmt: skip

_KERNEL = "6.17.2-1-pve"
_JUMBO = 9216  # what a storage network carries in one piece


@SYSTEM.program("true")
async def true(call: Call) -> Output:
    """Nothing, well done."""
    return Output()


@SYSTEM.program("false")
async def false(call: Call) -> Output:
    """Nothing, in vain."""
    return Output(status=1)


@SYSTEM.program("hostname", "-s --short")
async def hostname(call: Call) -> Output:
    """The host's name; it cannot be changed."""
    if any(not word.startswith("-") for word in call.words):
        return Output(stderr="hostname: the twin gives no host another name\n", status=1)
    return Output(f"{call.host.name}\n")


@SYSTEM.program("date", "-u --utc --universal")
async def date(call: Call) -> Output:
    """`date [-u] [+FORMAT]`: lab time, with this host's own error; the zone is UTC."""
    plain = [word for word in call.words if not word.startswith("-")] or ["+%a %b %e %H:%M:%S UTC %Y"]
    if len(plain) > 1 or not plain[0].startswith("+"):
        return Output(stderr=f"date: invalid date ‘{plain[0]}’\n", status=1)
    now = call.world.time_at(call.host)
    seconds, _, nanoseconds = f"{now:.9f}".partition(".")
    form = plain[0][1:].replace("%s", seconds).replace("%N", nanoseconds).replace("%3N", nanoseconds[:3])
    return Output(time.strftime(form.replace("%Z", "UTC").replace("%z", "+0000"), time.gmtime(now)) + "\n")


@SYSTEM.program("echo")
async def echo(call: Call) -> Output:
    """`echo [-n] WORD…`."""
    words = call.words[1:] if call.words[:1] == ("-n",) else call.words
    if words[:1] in (("-e",), ("-E",)):
        return Output(stderr="echo: the twin knows only -n\n", status=1)
    return Output(" ".join(words) + ("" if words is not call.words else "\n"))


@SYSTEM.program("uname", "-a -s -n -r -m")
async def uname(call: Call) -> Output:
    """`uname [-snrm]`, and `-a` for all of it."""
    parts = {"s": "Linux", "n": call.host.name, "r": _KERNEL, "m": "x86_64"}
    letters = "".join(word.lstrip("-") for word in call.words) or "s"
    shown = [value for letter, value in parts.items() if letter in letters or "a" in letters]
    return Output(" ".join(shown) + "\n")


# What /etc/os-release says of each (base-files of Debian).
CODENAMES = {11: "bullseye", 12: "bookworm", 13: "trixie"}


def release(call: Call) -> str:
    """The host's /etc/os-release."""
    if not call.host.debian:
        return 'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.22.1\nPRETTY_NAME="Alpine Linux v3.22"\n'
    number, codename = call.host.release, CODENAMES[call.host.release]
    return (
        f'PRETTY_NAME="Debian GNU/Linux {number} ({codename})"\nNAME="Debian GNU/Linux"\nVERSION_ID="{number}"\n'
        f'VERSION="{number} ({codename})"\nVERSION_CODENAME={codename}\nID=debian\n'
        'HOME_URL="https://www.debian.org/"\n'
    )


@SYSTEM.program("cat")
async def cat(call: Call) -> Output:
    """The one file that every host has."""
    if call.words == ("/etc/os-release",):
        return Output(release(call))
    return Output(stderr=f"cat: {' '.join(call.words)}: No such file or directory\n", status=1)


@SYSTEM.program("dpkg-query", "-W --show -f= --showformat=")
async def dpkg_query(call: Call) -> Output:
    """`dpkg-query -W -f FORMAT PACKAGE…`."""
    if not call.host.debian:
        return Output(stderr="bash: line 1: dpkg-query: command not found\n", status=127)
    form = call.option("-f", "--showformat") or "${Package}\t${Version}\n"
    names = [word for word in call.words if not word.startswith("-") and word != form]
    out = "".join(_package(call, form, name) for name in sorted(names) if name in call.host.packages)
    missing = [name for name in names if name not in call.host.packages]
    errors = "".join(f"dpkg-query: no packages found matching {name}\n" for name in missing)
    return Output(out, errors, 1 if missing else 0)


def _package(call: Call, form: str, name: str) -> str:
    version = call.host.versions.get(name) or _VERSIONS.get(name, "1.0-1")
    fields = {"${Package}": name, "${db:Status-Status}": "installed", "${Version}": version}
    for field, value in fields.items():
        form = form.replace(field, value)
    return form.replace("\\n", "\n").replace("\\t", "\t")


@SYSTEM.program("systemctl", "-q --quiet --now -p= --property=")
async def systemctl(call: Call) -> Output:
    """`systemctl is-active UNIT…`, `is-enabled`, `show --property=…`, `enable [--now]`; and `restart pve-ha-crm`."""
    if not call.host.booted:
        said = "System has not been booted with systemd as init system (PID 1). Can't operate.\n"
        return Output(stderr=f"{said}Failed to connect to bus: Host is down\n", status=1)
    if call.words == ("restart", "pve-ha-crm") and _active(call, "pve-ha-crm"):
        crm = call.world.cluster.ha.crms[call.host.name]
        crm.end()
        crm.begin()
        call.world.record(call.host.name, "unit.restart", "pve-ha-crm")
        return Output()
    verb, *units = [word for word in call.words if not word.startswith("-")] or [""]
    if verb == "show":
        return _properties(call, units)
    if verb == "enable":
        return _enable(call, units)
    if verb not in ("is-active", "is-enabled"):
        return Output(stderr="Unknown command verb.\n", status=1)
    good, bad, failed = ("active", "inactive", 3) if verb == "is-active" else ("enabled", "disabled", 1)
    holds = _active if verb == "is-active" else _enabled
    states = [good if holds(call, unit.removesuffix(".service")) else bad for unit in units]
    return Output("".join(f"{state}\n" for state in states), status=0 if bad not in states else failed)


def _properties(call: Call, units: list[str]) -> Output:
    """The chosen properties of each unit, an empty line between two of them."""
    wanted = (call.option("-p", "--property") or "Id,ActiveState,UnitFileState").split(",")
    blocks = []
    for unit in units:
        name = unit.removesuffix(".service")
        known = {
            "Id": unit if "." in unit else f"{unit}.service",
            "ActiveState": "active" if _active(call, name) else "inactive",
            "UnitFileState": "enabled" if _enabled(call, name) else "disabled",
        }
        blocks.append("".join(f"{key}={value}\n" for key, value in known.items() if key in wanted))
    return Output("\n".join(blocks))


def _enable(call: Call, units: list[str]) -> Output:
    said = ""
    for unit in units:
        name = unit.removesuffix(".service")
        if name in call.host.disabled:
            call.host.disabled.discard(name)
            call.world.record(call.host.name, "unit.enable", name)
            said += f"Created symlink /etc/systemd/system/sysinit.target.wants/{unit}.\n"
        if call.has("--now"):
            call.host.stopped.discard(name)
    return Output(stderr=said)


def _enabled(call: Call, unit: str) -> bool:
    return enabled(call.world, call.host, unit)


def _active(call: Call, unit: str) -> bool:
    return active(call.world, call.host, unit)


@SYSTEM.program("ping", "-n -q -c= -i= -W= -M= -s=")
async def ping(call: Call) -> Output:
    """`ping -n -q -c N -i I [-M do -s BYTES] ADDRESS`: the round trip between the two places."""
    address, count, data = call.words[-1], int(call.option("-c") or 1), int(call.option("-s") or 56)
    head = f"PING {address} ({address}) {data}({data + 28}) bytes of data.\n\n--- {address} ping statistics ---\n"
    site = _place(call, address)
    if site is None or (call.option("-M") == "do" and not _fits(call, address, data + 28)):
        return Output(
            f"{head}{count} packets transmitted, 0 received, 100% packet loss, time {count * 1000}ms\n\n", "", 1
        )
    trip = call.world.round_trip(call.host.site, site)
    low, average, high = trip * 0.95, trip, trip * 1.08
    return Output(
        f"{head}{count} packets transmitted, {count} received, 0% packet loss, time {(count - 1) * 200}ms\n"
        f"rtt min/avg/max/mdev = {low:.3f}/{average:.3f}/{high:.3f}/{trip * 0.04:.3f} ms\n"
    )


def _fits(call: Call, address: str, size: int) -> bool:
    """Whether a packet goes through in one piece."""
    fabric = call.world.fabric_mtu
    way = next((fabric[portal] for portal in fabric if portal.rpartition(":")[0].strip("[]") == address), _JUMBO)
    return size <= min(call.host.mtu, way)


def _place(call: Call, address: str) -> str | None:
    """The site that has this address and answers from it."""
    world = call.world
    for host in (*world.nodes.values(), world.witness):
        if host.address == address:
            return host.site if host.powered and world.links.reaches(call.host.name, host.name) else None
        for ring in RINGS if host is not world.witness and call.host.name in world.nodes else ():
            if host.ring_address(ring) == address:
                carries = world.links.rings(call.host.name, host.name)[ring]
                return host.site if host.powered and carries else None
    for array in world.arrays.values():
        for portal in array.portals:
            known = re.sub(r":\d+$", "", portal) == address
            if known and call.host.name in world.nodes and world.reaches_portal(call.host.name, array.name, portal):
                return world.site_of_array(array.name)
    return None
