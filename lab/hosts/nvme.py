"""nvme-cli on a node, and the kernel's files about NVMe: every answer is derived from the world.

Texts are those of nvme-cli 2.13 as Debian 13 has it, on a kernel with native multipathing, compared line by line with
the real one (docs/real.md). A subsystem's ANA states are told when a device is asked for, and only then.
"""

import json
import re
import uuid
from collections.abc import Callable
from typing import Any

from lab.hosts.shell import Call, Output, Registry
from lab.physics import nvme
from lab.physics.disks import Disk
from lab.physics.initiator import DEFAULT, Way

NVME = Registry()

_OPTIONS = (
    "-o= --output-format= -t= --transport= -a= --traddr= -s= --trsvcid= -n= --nqn= -f= --host-iface= -w= "
    "--host-traddr= -l= --ctrl-loss-tmo= -F= --fast_io_fail_tmo= -d= --device= -v --verbose --context="
)
# nvme-tcp asks once more and no oftener (Linux, drivers/nvme/host/tcp.c: tcp_sock_set_syncnt): after 1 s and 2 s more.
GIVES_UP_AFTER = 3.0
# The disk within the node: nvme0, subsystem 0.
_OWN = {"Name": "nvme0", "Transport": "pcie", "Address": "0000:3d:00.0", "State": "live"}
_OWN_NQN = "nqn.2014.08.org.nvmexpress:1e0f1e0f        62V0A01NTLZ8        KIOXIA KCD81RUG960G"
_OWN_ROW = {
    "NameSpace": 1, "DevicePath": "/dev/nvme0n1", "GenericPath": "/dev/ng0n1", "Firmware": "1UET7104",
    "ModelNumber": "KIOXIA KCD81RUG960G", "SerialNumber": "62V0A01NTLZ8", "UsedBytes": 960197124096,
    "MaximumLBA": 1875385008, "PhysicalSize": 960197124096, "SectorSize": 512,
}  # fmt: skip
_FORMS = re.compile(r"nvme\d+(n\d+)?")
_COLUMNS = (21, 21, 20, 40, 10, 26, 16, 8)  # of `nvme list`
_BY_ID = "/dev/disk/by-id/nvme-"
_IOPOLICY = re.compile(r"/sys/class/nvme-subsystem/nvme-subsys(\d+)/iopolicy")


def _installed(call: Call) -> bool:
    return nvme.PACKAGE in call.host.packages


@NVME.program("nvme", _OPTIONS)
async def nvme_cli(call: Call) -> Output:
    """`nvme list-subsys|list|connect|connect-all|disconnect|show-hostnqn|gen-hostnqn|version`."""
    if not _installed(call):
        return Output(stderr="bash: line 1: nvme: command not found\n", status=127)
    verb = call.words[0] if call.words else ""
    if verb == "connect":
        return await _connect(call)
    played: dict[str, Callable[[Call], Output]] = {
        "list-subsys": _subsystems, "list": _list, "connect-all": _connect_all, "disconnect": _disconnect,
        "show-hostnqn": lambda one: Output(f"{one.host.nvme.nqn}\n"),
        "gen-hostnqn": lambda _: Output(f"nqn.2014-08.org.nvmexpress:uuid:{uuid.uuid4()}\n"),
        "version": lambda _: Output("nvme version 2.13 (git 2.13)\nlibnvme version 1.13 (git 1.13)\n"),
    }  # fmt: skip
    if verb not in played:
        return Output(
            stderr=f"ERROR: Invalid sub-command '{verb}': the twin plays {', '.join(sorted(played))}\n", status=1
        )
    return played[verb](call)


# --- controllers -----------------------------------------------------------------------------------------------------


def state(call: Call, way: Way) -> str:
    """In the kernel's words."""
    return "live" if call.world.reaches_portal(call.host.name, way.array, way.portal) else "connecting"


def _numbered(call: Call) -> list[tuple[Way, str]]:
    """The controllers with their names; the first is the disk within the node."""
    return [(way, f"nvme{number}") for way, number in sorted(call.host.sessions.items(), key=lambda item: item[1])]


def _address(call: Call, way: Way) -> str:
    host, _, port = way.portal.rpartition(":")
    through = "" if way.iface == DEFAULT else f",host_iface={way.iface}"
    # the kernel tells the node's end while there is a connection
    source = f",src_addr={call.host.address}" if state(call, way) == "live" else ""
    return f"traddr={host.strip('[]')},trsvcid={port}{through}{source}"


def _groups(call: Call) -> dict[str, list[tuple[Way, str]]]:
    """Controllers by subsystem NQN, in the order in which the subsystems came."""
    groups: dict[str, list[tuple[Way, str]]] = {}
    for way, name in _numbered(call):
        groups.setdefault(call.world.arrays[way.array].nqn, []).append((way, name))
    return groups


def _ana(call: Call, way: Way, disk: Disk) -> str | None:
    """What the namespace is through that controller; None where it has no path."""
    scanned = call.host.scanned.get((way, disk.nsid))
    if scanned is None:
        return None
    array = call.world.arrays[way.array]
    now = next((lun for lun in call.world.luns(call.host, way) if lun.number == disk.nsid), None)
    if state(call, way) != "live":  # the last that was heard
        return "optimized" if scanned.optimized else "non-optimized"
    if now is None or not array.up:
        return "inaccessible"
    return "optimized" if now.optimized else "non-optimized"


def _subsystems(call: Call) -> Output:
    asked = next((word.rpartition("/")[2] for word in call.words[1:] if word.startswith("/")), "")
    json_wanted = (call.option("-o", "--output-format") or "normal") == "json"
    if asked and not _FORMS.fullmatch(asked):
        said = f"Invalid device name {asked}"
        return _json({"error": said}, status=1) if json_wanted else Output(stderr=f"{said}\n", status=1)
    disks = _disks(call)
    disk = next((one for one in disks if nvme.device(call.host, one.serial) == f"/dev/{asked}"), None)
    shown: list[dict[str, Any]] = [] if asked else [{"Name": "nvme-subsys0", "NQN": _OWN_NQN, "Paths": [_OWN]}]
    for number, (nqn, ways) in enumerate(_groups(call).items() if disk or not asked else (), start=1):
        paths = [_path(call, way, name, disk) for way, name in ways]
        if kept := [path for path in paths if path is not None]:
            shown.append({"Name": f"nvme-subsys{number}", "NQN": nqn, "Paths": kept})
    if json_wanted:
        return _json(
            [{"HostNQN": call.host.nvme.nqn, "HostID": call.host.nvme.nqn.rpartition(":")[2], "Subsystems": shown}]
        )
    return Output("\n".join(_subsystem_text(call, one) for one in shown))


def _json(told: Any, status: int = 0) -> Output:
    """As nvme-cli's library prints it: nothing between a name and its value."""
    return Output(json.dumps(told, indent=2, separators=(",", ":")) + "\n", status=status)


def _path(call: Call, way: Way, name: str, disk: Disk | None) -> dict[str, str] | None:
    row = {"Name": name, "Transport": "tcp", "Address": _address(call, way), "State": state(call, way)}
    if disk is None:
        return row
    ana = _ana(call, way, disk)
    return None if ana is None else row | {"ANAState": ana}


def _subsystem_text(call: Call, shown: dict[str, Any]) -> str:
    text = f"{shown['Name']} - NQN={shown['NQN']}\n               hostnqn={call.host.nvme.nqn}\n\\\n"
    for path in shown["Paths"]:
        ana = f" {path['ANAState']}" if "ANAState" in path else ""
        text += f" +- {path['Name']} {path['Transport']} {path['Address']} {path['State']}{ana}\n"
    return text


def _way(call: Call) -> Way | None:
    """The portal that the options mean."""
    host = call.option("-a", "--traddr") or ""
    shown = f"[{host}]" if ":" in host else host
    portal = f"{shown}:{call.option('-s', '--trsvcid') or nvme.PORT}"
    array = next((one for one in call.world.arrays.values() if portal in one.portals), None)
    iface = call.option("-f", "--host-iface") or call.option("-w", "--host-traddr") or DEFAULT
    return Way(array.name, portal, iface) if array else None


def _refused(why: str) -> Output:
    return Output(stderr=f"could not add new controller: {why}\n", status=1)


async def _connect(call: Call) -> Output:
    if not call.host.nvme.loaded:
        return _refused("failed to write to nvme-fabrics device")
    way, world, host = _way(call), call.world, call.host
    if way is None:
        return _refused("connection refused")
    named = call.option("-n", "--nqn") == world.arrays[way.array].nqn
    if way in host.sessions and named:
        return Output(stderr="already connected\n", status=1)
    if not world.reaches_portal(host.name, way.array, way.portal):
        if world.swallows(host.name, way.array, way.portal):
            await world.clock.sleep(GIVES_UP_AFTER)
        return _refused("failed to write to nvme-fabrics device")
    if not named:
        return _refused("failed to write to nvme-fabrics device")
    nvme.connect(world, host, way, float(call.option("-l", "--ctrl-loss-tmo") or nvme.CTRL_LOSS))
    through = {} if way.iface == DEFAULT else {"iface": way.iface}
    world.record(host.name, "nvme.connect", way.portal, array=way.array, **through)
    return Output(f"connecting to device: nvme{host.sessions[way]}\n")


def _connect_all(call: Call) -> Output:
    for way in nvme.connect_all(call.world, call.host):
        call.world.record(call.host.name, "nvme.connect", way.portal, array=way.array)
    return Output()


def _disconnect(call: Call) -> Output:
    nqn, device = call.option("-n", "--nqn"), call.option("-d", "--device")
    ways = [way for way, name in _numbered(call) if name == device or (nqn and call.world.arrays[way.array].nqn == nqn)]
    for way in ways:
        nvme.disconnect(call.host, way)
        call.world.record(call.host.name, "nvme.disconnect", way.portal)
    return Output(f"NQN:{nqn} disconnected {len(ways)} controller(s)\n" if nqn else "")


# --- namespaces and files --------------------------------------------------------------------------------------------


def _disks(call: Call) -> list[Disk]:
    """The namespaces that the node has a device for."""
    return [call.world.disks[serial] for serial in dict.fromkeys(path.serial for path in call.host.scanned.values())]


def _list(call: Call) -> Output:
    rows = [_OWN_ROW, *(_row(call, disk) for disk in _disks(call))]
    if (call.option("-o", "--output-format") or "normal") == "json":
        return _json({"Devices": rows})
    heads = ("Node", "Generic", "SN", "Model", "Namespace", "Usage", "Format", "FW Rev")
    lines = [heads, tuple("-" * width for width in _COLUMNS)]
    for row in rows:
        size, sector = row["PhysicalSize"], row["SectorSize"]
        used = f"{_decimal(size)} / {_decimal(size)}"
        lines.append((row["DevicePath"], row["GenericPath"], row["SerialNumber"], row["ModelNumber"],
                      f"{row['NameSpace']:#x}", used, f"{sector:>3}   B +  0 B", row["Firmware"]))  # fmt: skip
    return Output("".join(_columns(line) + "\n" for line in lines))


def _row(call: Call, disk: Disk) -> dict[str, Any]:
    path = nvme.device(call.host, disk.serial)
    return {
        "NameSpace": disk.nsid, "DevicePath": path, "GenericPath": path.replace("nvme", "ng"),
        "Firmware": next(iter(call.world.arrays.values())).purity, "ModelNumber": "Pure Storage FlashArray",
        "SerialNumber": disk.serial[:16], "UsedBytes": disk.size, "MaximumLBA": disk.size // 512,
        "PhysicalSize": disk.size, "SectorSize": 512,
    }  # fmt: skip


def _columns(cells: tuple[str, ...]) -> str:
    return " ".join(f"{cell:<{width}}" for cell, width in zip(cells, _COLUMNS, strict=True))


def _decimal(size: int) -> str:
    """A size in powers of a thousand, as this one table has it."""
    power = min(4, (len(str(size)) - 1) // 3)
    return f"{size / 1000**power:6.2f} {('', 'K', 'M', 'G', 'T')[power] + 'B':>3}"


def device_at(call: Call, path: str) -> str | None:
    """A namespace's device by udev's name for it; None for any other path."""
    for disk in _disks(call) if nvme.used(call.world) else ():
        if path == f"{_BY_ID}{disk.nguid}":
            if not call.host.nvme.native and disk.nguid in call.host.wwids:
                return "/dev/dm-0"
            return nvme.device(call.host, disk.serial)
    return None


def _policy(call: Call) -> str:
    """The path policy: the kernel's, unless a rule says otherwise."""
    rules = [text for path, text in call.host.files.items() if path.startswith("/etc/udev/rules.d/")]
    found = re.findall(r'SUBSYSTEM=="nvme-subsystem".*ATTR\{iopolicy\}="([^"]+)"', "\n".join(rules))
    return found[-1] if found else "numa"


def read(call: Call, path: str) -> str | None:
    """What `cat` finds at that path; None where there is nothing of NVMe's."""
    if not nvme.used(call.world):
        return None
    if path == nvme.HOSTNQN and _installed(call):
        return f"{call.host.nvme.nqn}\n"
    if path == "/sys/module/nvme_core/parameters/multipath":
        return "Y\n" if call.host.nvme.native else "N\n"
    if path == "/sys/module/nvme_tcp/initstate" and call.host.nvme.loaded:
        return "live\n"
    if (found := _IOPOLICY.fullmatch(path)) and int(found[1]) <= len(_groups(call)):
        return f"{_policy(call)}\n"
    return None
