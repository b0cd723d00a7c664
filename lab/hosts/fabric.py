"""What Linux tells of HBAs below /sys/class, and how it is told to look for LUNs.

Files and values are those of the kernel's FC transport class (drivers/scsi/scsi_transport_fc.c), as lpfc and qla2xxx
fill them. A port that was met and is gone stays listed for as long as its devices do (dev_loss_tmo).
"""

import re
from collections.abc import Iterator

from lab.hosts.shell import Call, Output, Registry
from lab.physics import fabric

FABRIC = Registry()

_HOSTS, _REMOTE = "/sys/class/fc_host", "/sys/class/fc_remote_ports"
_SCAN = re.compile(r"/sys/class/scsi_host/host(?P<number>\d+)/scan")


@FABRIC.program("find")
async def find(call: Call) -> Output:
    """`find -L FOLDER… -maxdepth 2 ( -name FILE -o … ) -exec grep -H . {} +` of the two folders."""
    words = list(call.words)
    folders = [word for word in words if word.startswith("/sys/class/fc_")]
    names = {words[at + 1] for at, word in enumerate(words[:-1]) if word == "-name"}
    ends = words[-6:] == ["-exec", "grep", "-H", ".", "{}", "+"]
    if words[:1] != ["-L"] or not folders or not names or not ends or words[1 + len(folders)] != "-maxdepth":
        return Output(stderr="find: the twin plays only grep in files of fc_host and fc_remote_ports\n", status=1)
    if not call.host.hbas:
        said = "".join(f"find: '{folder}': No such file or directory\n" for folder in folders)
        return Output(stderr=said, status=1)
    told = [(f"{folder}/{name}", value) for folder, name, value in _files(call) if name in names]
    return Output("".join(f"{path}:{value}\n" for path, value in told if path.startswith(tuple(folders))))


def _files(call: Call) -> Iterator[tuple[str, str, str]]:
    """Folder, file and value."""
    world, host = call.world, call.host
    for hba in host.hbas:
        folder = f"{_HOSTS}/host{fabric.scsi_host(host, hba)}"
        up = fabric.linked(world, host, hba)
        yield folder, "port_name", _hex(hba)
        yield folder, "port_state", "Online" if up else "Linkdown"
        yield folder, "speed", "32 Gbit" if up else "unknown"
    for way in fabric.ways(world, host):
        if way in host.sessions:
            number, place = fabric.scsi_host(host, way.iface), fabric.target(world, host, way)
            folder = f"{_REMOTE}/rport-{number}:0-{place}"
            yield folder, "port_name", _hex(way.portal)
            yield folder, "port_state", "Online" if world.carries(host.name, way) else "Not Present"
            yield folder, "scsi_target_id", str(place)


def _hex(wwn: str) -> str:
    return "0x" + wwn.replace(":", "").lower()


def scan(call: Call, path: str, text: str) -> Output | None:
    """What is written into a ``scan`` file below scsi_host; None for any other path."""
    if not (found := _SCAN.fullmatch(path)):
        return None
    host, world = call.host, call.world
    numbers = {fabric.scsi_host(host, hba): hba for hba in host.hbas}
    if int(found["number"]) not in numbers:
        return Output(stderr=f"dd: failed to open '{path}': No such file or directory\n", status=1)
    if text.split() != ["-", "-", "-"]:
        return Output(stderr="dd: error writing 'scan': Invalid argument\n", status=1)
    hba = numbers[int(found["number"])]
    new = [way for way in host.sessions if way.iface == hba and world.carries(host.name, way)]
    scanned = [world.scan(host.name, way) for way in new]
    if any(scanned):
        world.record(host.name, "fc.scan", f"host{found['number']}")
    return Output()
