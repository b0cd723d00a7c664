"""A host's NVMe/TCP in its kernel: controllers that connect again by themselves, until they are given up.

Controllers stand among the host's sessions, a way each; what is NVMe's own is here. A controller whose portal is not
reached is ``connecting``; after ``ctrl_loss_tmo`` it is removed, and nothing brings it back but somebody who connects
(Linux, drivers/nvme/host/fabrics.c: nvmf_should_reconnect). A new namespace is seen at once: the array tells it.
"""

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lab.physics.initiator import DEFAULT, Way

if TYPE_CHECKING:
    from lab.physics.world import Host, World

PACKAGE, UNIT = "nvme-cli", "nvmf-autoconnect"
DISCOVERY, HOSTNQN = "/etc/nvme/discovery.conf", "/etc/nvme/hostnqn"
MODULES = ("/etc/modules-load.d/nvme-tcp.conf",)
PORT = 4420
# Linux's own: fabrics.h, NVMF_DEF_CTRL_LOSS_TMO, seconds; below zero a controller is never given up.
CTRL_LOSS = 600.0
# The recommended path policy, as a node has it that was prepared for this design.
PREPARED = {
    "/etc/udev/rules.d/99-nvme-iopolicy.rules": (
        'ACTION=="add|change", SUBSYSTEM=="nvme-subsystem", ATTR{iopolicy}="queue-depth"\n'
    ),
    # as Debian's package brings it
    DISCOVERY: (
        "# Used for extracting default parameters for discovery\n#\n# Example:\n"
        "# --transport=<trtype> --traddr=<traddr> --trsvcid=<trsvcid> "
        "--host-traddr=<host-traddr> --host-iface=<host-iface>\n"
    ),
}


@dataclass
class Fabric:
    """What a kernel knows of NVMe over fabrics."""

    nqn: str = ""  # the host's own name, on its disk
    native: bool = True  # nvme_core.multipath, a parameter of the kernel
    loaded: bool = True  # the module nvme_tcp
    patience: dict[Way, float] = field(default_factory=dict)  # ctrl_loss_tmo of each controller, seconds
    lost_since: dict[Way, float] = field(default_factory=dict)  # lab time at which its portal was not reached any more
    namespaces: list[str] = field(default_factory=list)  # serials in the order in which they were seen


def used(world: "World") -> bool:
    """Whether the world's hosts reach their arrays so."""
    return world.inventory.transport == "nvme-tcp"


def joins(world: "World", host: "Host", array: str) -> bool:
    """Whether the kernel takes that array's namespaces: those of the first subsystem that it has met."""
    first = min(host.sessions, key=lambda way: host.sessions[way], default=None)
    return first is None or world.arrays[first.array].nqn == world.arrays[array].nqn


def connect(world: "World", host: "Host", way: Way, patience: float = CTRL_LOSS) -> None:
    """A new controller; its namespaces are scanned at once."""
    host.sessions[way] = max(host.sessions.values(), default=0) + 1
    host.nvme.patience[way] = patience
    world.scan(host.name, way)


def disconnect(host: "Host", way: Way) -> None:
    """The controller and its paths are gone."""
    host.sessions.pop(way, None)
    host.nvme.patience.pop(way, None)
    host.nvme.lost_since.pop(way, None)
    host.scanned = {key: path for key, path in host.scanned.items() if key[0] != way}


def look(world: "World") -> None:
    """What has become of every controller after a change of links or power; removes those whose time is over."""
    if not used(world):
        return
    now = world.clock.now()
    for host in world.nodes.values():
        for way in list(host.sessions):
            if not host.powered or world.reaches_portal(host.name, way.array, way.portal):
                host.nvme.lost_since.pop(way, None)
                continue
            since = host.nvme.lost_since.setdefault(way, now)
            patience = host.nvme.patience.get(way, CTRL_LOSS)
            if since == now and patience >= 0:
                world.after(patience, lambda host=host, way=way, since=since: _give_up(world, host, way, since))  # type: ignore[misc]


def _give_up(world: "World", host: "Host", way: Way, since: float) -> None:
    if host.nvme.lost_since.get(way) == since and way in host.sessions:
        disconnect(host, way)
        world.record(host.name, "nvme.removed", way.portal, array=way.array)


def lines(text: str) -> list[dict[str, str]]:
    """Options of each line of discovery.conf, by their long names."""
    found = []
    for line in (one.strip() for one in text.splitlines()):
        if line and not line.startswith("#"):
            words = [part for word in shlex.split(line) for part in word.split("=", 1)]
            pairs = zip(words, [*words[1:], ""], strict=True)
            found.append({name.lstrip("-"): value for name, value in pairs if name.startswith("--")})
    return found


def line(way: Way) -> str:
    """The line of discovery.conf for a portal, as somebody writes it who never gives a controller up."""
    host, _, port = way.portal.rpartition(":")
    return f"--transport=tcp --traddr={host.strip('[]')} --trsvcid={port} --ctrl-loss-tmo=-1 --fast_io_fail_tmo=30\n"


def connect_at_boot(world: "World", host: "Host") -> None:
    """`nvme connect-all` of the unit that boots along: each portal tells all of its array's, and each is tried."""
    if PACKAGE in host.packages and UNIT not in host.disabled:
        connect_all(world, host)


def connect_all(world: "World", host: "Host") -> list[Way]:
    """What discovery.conf asks for, as far as it can be reached."""
    made = []
    for line in lines(host.files.get(DISCOVERY, "")):
        asked = f"{line.get('traddr', '')}:{line.get('trsvcid', PORT)}"
        array = next((one for one in world.arrays.values() if asked in one.portals), None)
        if array is None or not world.reaches_portal(host.name, array.name, asked):
            continue
        for portal in array.portals:
            way = Way(array.name, portal, line.get("host-iface") or line.get("host-traddr") or DEFAULT)
            if way not in host.sessions and world.reaches_portal(host.name, array.name, portal):
                connect(world, host, way, float(line.get("ctrl-loss-tmo", CTRL_LOSS)))
                made.append(way)
    return made


def number(host: "Host", serial: str) -> int:
    """Which namespace of its subsystem the kernel calls it: 1 is the first."""
    if serial not in host.nvme.namespaces:
        host.nvme.namespaces.append(serial)
    return host.nvme.namespaces.index(serial) + 1


def device(host: "Host", serial: str) -> str:
    """Its device: subsystem 0 is the disk within the node."""
    return f"/dev/nvme1n{number(host, serial)}"
