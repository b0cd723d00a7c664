"""Files that are written and settings that are read on a node, and the probes of its ways to a portal."""

import re

from lab.hosts import nvme
from lab.hosts.fabric import scan
from lab.hosts.iscsi import add_to_record, recorded_at
from lab.hosts.shell import Call, Output, Registry
from lab.physics.disks import letters

WAYS = Registry()

CARD = "ens1f0"  # the card that leads to the arrays
UDEV = "/etc/udev/rules.d/"
# How long the kernel asks for a neighbour that is not there, seconds.
_NO_NEIGHBOUR = 3.0
_TIMED_OUT = 124
_CONNECT = re.compile(r"exec 3<>/dev/tcp/(?P<host>[^/]+)/(?P<port>\d+)")
# As Linux has them for an iSCSI disk.
_KERNEL = {
    "device/timeout": "30", "queue/scheduler": "none [mq-deadline]", "queue/add_random": "0", "queue/rq_affinity": "1",
}  # fmt: skip
_BLOCK = re.compile(r"/sys/block/(?P<disk>[^/]+)/(?P<name>.+)")


def portal_of(call: Call, host: str, port: str = "3260") -> tuple[str, str] | None:
    """The array and the portal at that address."""
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return next(((array.name, shown) for array in call.world.arrays.values() if shown in array.portals), None)


@WAYS.program("timeout")
async def timeout(call: Call) -> Output:
    """`timeout N bash -c 'exec 3<>/dev/tcp/HOST/PORT'`: whether anybody takes a connection."""
    limit, *command = call.words
    found = _CONNECT.fullmatch(command[2]) if command[:2] == ["bash", "-c"] and len(command) == 3 else None
    if found is None or not limit.isdigit():
        return Output(stderr="timeout: the twin times only a connection that bash makes\n", status=125)
    there = portal_of(call, found["host"], found["port"])
    if there and call.world.reaches_portal(call.host.name, *there):
        return Output()
    if there is None or call.world.swallows(call.host.name, *there):
        await call.world.clock.sleep(float(limit))
        return Output(status=_TIMED_OUT)
    await call.world.clock.sleep(min(float(limit), _NO_NEIGHBOUR))
    where, why = f"/dev/tcp/{found['host']}/{found['port']}", "No route to host"
    return Output(stderr=f"bash: connect: {why}\nbash: line 1: {where}: {why}\n", status=1)


@WAYS.program("ip", "-o route get")
async def ip(call: Call) -> Output:
    """`ip -o route get ADDRESS`."""
    if call.words[:3] != ("-o", "route", "get") or len(call.words) != 4:
        return Output(stderr="ip: the twin plays only -o route get ADDRESS\n", status=1)
    return Output(f"{call.words[3]} dev {CARD} src {call.host.address} uid 0 \\    cache \n")


@WAYS.program("readlink", "-e -f")
async def readlink(call: Call) -> Output:
    """`readlink -e PATH`: a namespace's device by udev's name for it, or a record of open-iscsi's."""
    path = call.words[-1]
    found = path if recorded_at(call, path) else nvme.device_at(call, path)
    return Output(f"{found}\n") if found else Output(status=1)


@WAYS.program("dd")
async def dd(call: Call) -> Output:
    """`dd of=FILE [oflag=append conv=notrunc] status=none`: its input becomes a file, or stands at the end of one."""
    operands = dict(word.partition("=")[::2] for word in call.words)
    path, appends = operands.get("of", ""), operands.get("oflag") == "append"
    scans = path.startswith("/sys/class/scsi_host/")
    if not path.startswith(("/etc/", "/var/lib/iscsi/", "/sys/class/scsi_host/")) or operands.get("status") != "none":
        return Output(stderr="dd: the twin writes files below /etc, without a word\n", status=1)
    text = await call.input()
    if scans and (scanned := scan(call, path, text)) is not None:
        return scanned
    full = Output(stderr=f"dd: error writing '{path}': No space left on device\n", status=1)
    text = text[: len(text) // 2] if call.host.full_disk else text
    if appends and (done := add_to_record(call, path, text)) is not None:
        return full if done.status == 0 and call.host.full_disk else done
    call.host.files[path] = (call.host.files.get(path, "") if appends else "") + text
    call.world.record(call.host.name, "file.write", path)
    return full if call.host.full_disk else Output()


@WAYS.program("mv", "-T")
async def mv(call: Call) -> Output:
    """`mv -T OLD NEW`: one file takes another's place."""
    if call.words[:1] != ("-T",) or len(call.words) != 3:
        return Output(stderr="mv: the twin plays only -T OLD NEW\n", status=1)
    _, old, new = call.words
    if old not in call.host.files:
        return Output(stderr=f"mv: cannot stat '{old}': No such file or directory\n", status=1)
    call.host.files[new] = call.host.files.pop(old)
    call.world.record(call.host.name, "file.move", new)
    return Output()


@WAYS.program("mkdir", "-p")
async def mkdir(call: Call) -> Output:
    """`mkdir -p FOLDER`: every folder that a file is written into is there."""
    return Output() if call.has("-p") else Output(stderr="mkdir: the twin knows only -p\n", status=1)


@WAYS.program("udevadm")
async def udevadm(call: Call) -> Output:
    """`udevadm control --reload`, `trigger` and `settle`: rules that are written are followed at once."""
    known = call.words[:1] in (("control",), ("trigger",), ("settle",))
    return Output() if known else Output(stderr="udevadm: the twin plays control, trigger and settle\n", status=1)


@WAYS.program("grep", "-H")
async def grep(call: Call) -> Output:
    """`grep -H . FILE…` of disks' settings: each file with its one line."""
    if call.words[:2] != ("-H", "."):
        return Output(stderr="grep: the twin plays only -H . FILE…\n", status=2)
    disks = {f"sd{letters(number)}" for number in range(64)}
    found = [one for path in call.words[2:] if (one := _BLOCK.fullmatch(path)) and one["disk"] in disks]
    lines = [f"{one[0]}:{_disk_setting(call, one['name'])}\n" for one in found if one["name"] in _KERNEL]
    return Output("".join(lines), status=0 if lines else 2)


def _disk_setting(call: Call, name: str) -> str:
    """What the kernel has, unless a rule for the vendor's disks says otherwise."""
    value = _KERNEL[name]
    for path, text in call.host.files.items():
        rules = (
            [line for line in text.splitlines() if 'ENV{ID_VENDOR}=="PURE"' in line]
            if path.startswith(UDEV) and path.endswith(".rules")
            else []
        )
        for rule in rules:
            if set_to := re.search(rf'ATTR\{{{re.escape(name)}\}}="([^"]*)"', rule):
                value = set_to[1]
    return "[none] mq-deadline" if (name, value) == ("queue/scheduler", "none") else value


_WWIDS = (
    "# Multipath wwids, Version : 1.0\n"
    "# NOTE: This file is automatically maintained by multipath and multipathd.\n"
    "# You should not need to edit this file in normal circumstances.\n#\n# Valid WWIDs:\n"
)


def read(call: Call, path: str) -> str | None:
    """What `cat` finds at that path; None where there is nothing."""
    if path == "/etc/multipath/wwids":
        lines = "".join(f"/{wwid}/\n" for wwid in sorted(call.host.wwids))
        return _WWIDS + lines
    if path == f"/sys/class/net/{CARD}/mtu":
        return f"{call.host.mtu}\n"
    if (told := nvme.read(call, path)) is not None:
        return told
    return call.host.files.get(path)
