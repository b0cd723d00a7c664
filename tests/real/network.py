"""The networks of two sites and of what is beside them: a witness and another cluster's room, or a third place's nodes.

A site is a switch that is its router as well. The sites reach each other over one way, and what is at the third place
and the engine over one each; nobody forwards from one way to the next, so that a cut between the sites is one.
"""

import ctypes
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.real.machine import Machine

# This process, where the engine runs.
ENGINE = "engine"
WITNESS, WITNESS_ADDRESS = "qdevice", "10.21.103.117"
NEW_NETWORK = 0x40000000  # CLONE_NEWNET
# Both corosync rings of a room, by its switch.
Rooms = Mapping[str, tuple[str, str]]
SITES = {"switch-a": ("10.21.101", "10.21.111"), "switch-b": ("10.21.102", "10.21.112")}


@dataclass(frozen=True)
class End:
    """One end of a way: whose it is, its address, and what lies beyond the other end."""

    machine: str
    address: str
    beyond: tuple[str, ...]


@dataclass(frozen=True)
class Way:
    """A way between two machines, called as the twin calls it where it has one."""

    name: str
    ends: tuple[End, End]


@dataclass(frozen=True)
class Layout:
    """Which rooms there are, and what lies between them. `third` is the machine at the third place."""

    rooms: Rooms
    third: str
    ways: tuple[Way, ...]


def _layout(rooms: Rooms, third: str, made: Sequence[tuple[str, str, str]]) -> Layout:
    def networks(place: str) -> tuple[str, ...]:
        return tuple(f"{prefix}.0/24" for prefix in rooms.get(place, ()))

    ways = []
    for number, (name, one, other) in enumerate(made):
        behind = {place: networks(place) for place in (one, other)}
        behind[WITNESS] = (f"{WITNESS_ADDRESS}/32",)
        ends = (
            End(one, f"10.21.0.{4 * number + 1}", behind[other]),
            End(other, f"10.21.0.{4 * number + 2}", behind[one]),
        )
        ways.append(Way(name, ends))
    return Layout(rooms, third, tuple(ways))


def _made(third: str, *others: tuple[str, str]) -> Iterator[tuple[str, str, str]]:
    yield "inter-site", "switch-a", "switch-b"
    for site, switch in (("site-a", "switch-a"), ("site-b", "switch-b"), *others):
        yield f"witness:{site}", switch, third
        yield f"engine:{site}", switch, ENGINE
    yield "engine:witness", third, ENGINE


WITH_WITNESS = _layout(
    {**SITES, "switch-c": ("10.21.104", "10.21.114")}, WITNESS, list(_made(WITNESS, ("elsewhere", "switch-c")))
)
# The room of the third place stands where the witness is otherwise; the engine has no way there, so that both layouts
# can be up at once.
WITH_THIRD_PLACE = _layout(
    {**SITES, "switch-d": ("10.21.103", "10.21.113")},
    "switch-d",
    [("inter-site", "switch-a", "switch-b")]
    + [(f"witness:{site}", switch, "switch-d") for site, switch in (("site-a", "switch-a"), ("site-b", "switch-b"))],
)


def enter_own_network() -> int:
    """Put this thread, and the threads it begins, into a network of their own; the way back is for `leave`."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.unshare(NEW_NETWORK) == 0, f"no network namespace: {os.strerror(ctypes.get_errno())}"
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    return before


def leave(before: int) -> None:
    """Go back to the network that `enter_own_network` has left."""
    ctypes.CDLL(None).setns(before, NEW_NETWORK)
    os.close(before)


class Network:
    """What connects the machines. Cards and routes vanish with a machine, and are made anew when it boots."""

    def __init__(self, machines: Mapping[str, Machine], layout: Layout) -> None:
        self._machines = machines
        self._layout = layout
        self._switches: dict[str, str] = {}  # of each node that was plugged in

    def attach(self, name: str, address: str = "") -> None:
        """Give a machine that has booted its cards; `address` is that of a node, on the first ring."""
        lines = ["link set lo up"]
        if name in self._layout.rooms:
            lines += ["link add rooms type bridge", "link set rooms up"]
            lines += [f"addr add {prefix}.1/24 dev rooms" for prefix in self._layout.rooms[name]]
            self._machines[name].do("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        if name == WITNESS:
            lines.append(f"addr add {WITNESS_ADDRESS}/32 dev lo")
        self._ip(name, *lines)
        if address:
            self._plug(name, address)
        for way in self._layout.ways:
            if name in (end.machine for end in way.ends) and all(map(self._there, way.ends)):
                self._connect(way)

    def _there(self, end: End) -> bool:
        return end.machine == ENGINE or (end.machine in self._machines and self._machines[end.machine].powered)

    def _plug(self, node: str, address: str) -> None:
        room, number = address.rsplit(".", 1)
        switch, rings = next((name, rings) for name, rings in self._layout.rooms.items() if room in rings)
        self._switches[node] = switch
        self._ip(ENGINE, f"link add {node} netns {self._pid(switch)} type veth peer name eth0 netns {self._pid(node)}")
        self._ip(switch, f"link set {node} master rooms", f"link set {node} up")
        cards = [f"addr add {prefix}.{number}/24 dev eth0" for prefix in rings]
        self._ip(node, *cards, "link set eth0 up", f"route add default via {rings[0]}.1")

    def unplug(self, *nodes: str) -> None:
        """Pull nodes' cables at their switches, at each in one go: what they say from now on arrives nowhere."""
        for switch in sorted({self._switches[node] for node in nodes}):
            self._ip(switch, *(f"link del {node}" for node in nodes if self._switches[node] == switch))

    def isolate(self, machine: str) -> None:
        """Pull all cables of a machine that is no node, in one go."""
        mine = [way for way in self._layout.ways if machine in (end.machine for end in way.ends)]
        ways = [way for way in mine if all(map(self._there, way.ends))]
        self._ip(machine, *(f"link del {self._card(way)}" for way in ways))

    def _connect(self, way: Way) -> None:
        one, other = way.ends
        card, here, there = self._card(way), self._pid(one.machine), self._pid(other.machine)
        self._ip(ENGINE, f"link add {card} netns {here} type veth peer name {card} netns {there}")
        for end in way.ends:
            self._ip(end.machine, f"addr add {end.address}/30 dev {card}")
            self._raise(way, end)

    def _raise(self, way: Way, end: End) -> None:
        hop = next(one.address for one in way.ends if one is not end)
        routes = [f"route replace {network} via {hop}" for network in end.beyond]
        self._ip(end.machine, f"link set {self._card(way)} up", *routes)

    def cut(self, name: str) -> None:
        """Nothing comes over that way any more."""
        way = self._way(name)
        self._ip(way.ends[0].machine, f"link set {self._card(way)} down")

    def mend(self, name: str) -> None:
        """The way carries again."""
        way = self._way(name)
        for end in way.ends:
            self._raise(way, end)

    def _pid(self, name: str) -> int:
        return os.getpid() if name == ENGINE else self._machines[name].pid

    def _ip(self, name: str, *lines: str) -> None:
        """Commands of `ip`, one after the other, in a machine's network."""
        inside = () if name == ENGINE else ("nsenter", "-t", str(self._pid(name)), "-n", "--")
        done = subprocess.run(
            [*inside, "ip", "-batch", "-"],
            input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{name}: {'; '.join(lines)}: {done.stderr.strip()}"

    def _way(self, name: str) -> Way:
        return next(way for way in self._layout.ways if way.name == name)

    def _card(self, way: Way) -> str:
        """Its name at both ends: a kernel's card has fifteen letters at most."""
        return f"way{self._layout.ways.index(way)}"
