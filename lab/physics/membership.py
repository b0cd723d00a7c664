"""Who is a member of whose partition, and who has the votes: corosync on every node, qnetd on the witness.

Each node has a view of its own. A loss is noticed when the token and the consensus have run out; then corosync waits
for the quorum device, and qnetd answers only when all clients that it believes connected tell the same story.
Times and rules follow the reference proxmox-api §10 (measured on corosync 3.1.7 and qdevice 3.0.3) and pve-ha §2.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lab.physics import parting

if TYPE_CHECKING:
    from lab.physics.world import World

Nodes = frozenset[str]

# From the start of the daemons until all nodes show the device's vote, lab seconds (3.2 to 5.1 s measured).
DEVICE_STARTS = 3.0
# A client says every 8 s that it is alive. qnetd drops it 12 s after it last heard it; the client itself notices at its
# second beat without an answer, 16 s after the last one that got through: for four seconds a vote may be cast that
# qnetd has given to others (4 to 12 s and 10.3 to 15.4 s after the loss were measured).
BEAT, CLIENT_DROPPED, WITNESS_GIVEN_UP = 8.0, 12.0, 16.0
# It tries to connect again every 8 s.
RECONNECTS = (0.5, 8.0)
# The answer to who gets no vote comes at once, to who gets it after all the others have confirmed.
REFUSED, GRANTED = 0.1, 0.6
# A device without a connection says that it has no vote at its next poll (its "VQ vote timer interval"), and corosync
# waits for that (2.8 to 4.8 s of delay were measured).
POLLED = 5.0
# Corosync waits no longer for the device's answer.
SYNC_TIMEOUT = 30.0


@dataclass
class Seat:
    """One node's corosync and its quorum device daemon."""

    ring: Nodes  # the membership that totem has formed
    settled: Nodes  # the membership that is announced: the device has been asked, or there is none to ask
    vote: bool = False  # the device's vote is cast here
    connected: bool = False  # its daemon holds a connection to qnetd, as far as it knows
    since: float = 0.0  # lab time of that connection's beginning
    target: Nodes | None = None  # the membership that is being formed
    sequence: int = 0  # of the ring; corosync keeps it on the node's disk
    counts_device: bool = False  # votequorum has met the device's vote since the daemon's start
    told_of_it: bool = False  # and has said so to the device's daemon here
    timers: "dict[str, asyncio.Task[None]]" = field(default_factory=dict)

    def stop(self, *names: str) -> None:
        """Forget appointments; all of them when none is named."""
        for name in names or tuple(self.timers):
            if (task := self.timers.pop(name, None)) is not None:
                task.cancel()


@dataclass(frozen=True)
class Votes:
    """One node's view of the votes."""

    members: tuple[str, ...]
    expected: int
    total: int
    quorum: int
    device: str  # "none", "connecting", "refused" (connected, but the vote is someone else's) or "voting"

    @property
    def quorate(self) -> bool:
        """Enough votes to act."""
        return self.total >= self.quorum


class Membership:
    """The seats of all nodes, and qnetd's book of its clients."""

    def __init__(self, world: "World") -> None:
        self._world = world
        everyone = frozenset(name for name, host in world.nodes.items() if host.powered)
        self._seats = {name: Seat(everyone, everyone, sequence=world.corosync.ring) for name in world.nodes}
        self._clients: dict[str, Nodes] = {}  # qnetd's view: connected client -> the membership it told
        self._client_rings: dict[str, str] = {}  # the ring of that membership
        self._waiting: set[str] = set()  # the clients that told something new and have no answer yet
        self._granted: Nodes = frozenset()  # the clients that have the vote
        self._listeners: list[Callable[[Nodes], None]] = []
        self._formed: list[Callable[[Nodes], None]] = []
        self._known_reach: dict[str, Nodes] = {}
        self._parted: dict[Nodes, tuple[dict[str, Nodes], dict[Nodes, float]]] = {}  # rings, and how often each settles
        world.links.on_change(self.look)

    # --- what a node sees ----------------------------------------------------------------------------------------

    def votes(self, node: str) -> Votes:
        """The votes as a node counts them; the total falls when totem has formed, the members when all is settled."""
        world, seat = self._world, self._seats[node]
        device = "none"
        if world.corosync.qdevice:
            device = "voting" if seat.vote else "refused" if seat.connected else "connecting"
        with_device = world.corosync.qdevice and seat.counts_device
        expected = len(world.nodes) + int(with_device)
        return Votes(
            members=tuple(name for name in world.nodes if name in seat.settled),
            expected=expected,
            total=len(seat.ring) + int(seat.vote),
            quorum=expected // 2 + 1,
            device=device,
        )

    def members(self, node: str) -> Nodes:
        """The membership that a node's corosync announces."""
        return self._seats[node].settled

    def reaches(self, node: str, other: str) -> bool:
        """Whether anything that a node says arrives at another one, directly or over others, whatever both believe."""
        return other in self._reach(node)

    def ring(self, node: str) -> Nodes:
        """The membership that totem has formed, be it announced or not: all its nodes took it over together."""
        return self._seats[node].ring

    def ring_id(self, node: str) -> str:
        """The name of the ring that a node is in: its lowest member and the sequence, as this node has it."""
        seat = self._seats[node]
        return f"{min(self._world.nodes[name].node_id for name in seat.ring)}.{seat.sequence:x}"

    def stalled(self, node: str) -> bool:
        """True while a change of the membership is under way at a node: what it sends is delivered to nobody."""
        seat = self._seats[node]
        agreed = all(self._seats[member].ring == seat.ring for member in seat.ring)
        unsettled = seat.settled != seat.ring or not agreed or not seat.ring <= self._reach(node)
        return unsettled or (seat.ring == self._wanted(node) and self._near(node) is not None)

    def writable(self, node: str) -> bool:
        """True when a node can change the cluster's file system: it is quorate and nothing is under way."""
        return self._world.nodes[node].powered and not self.stalled(node) and self.votes(node).quorate

    def on_settled(self, listener: Callable[[Nodes], None]) -> None:
        """Call this with the nodes of each membership that was settled or whose votes have changed."""
        self._listeners.append(listener)

    def on_formed(self, listener: Callable[[Nodes], None]) -> None:
        """Call this with the nodes of each ring that totem has formed, before anybody announces it."""
        self._formed.append(listener)

    def device_state(self, node: str) -> str:
        """What a node's qdevice says of its connection; it tries again while it has none."""
        if self._seats[node].connected:
            return "Connected"
        return "Connecting" if self._reaches_witness(node) else "Connect failed"

    def device_expects(self, node: str) -> int:
        """The expected votes that a node's qdevice knows of.

        Votequorum tells it of a seventh vote that it counts itself. A node that joins a quorate cluster takes the seven
        over from the others, and its qdevice is left with six (corosync: votequorum.c, seen with 3.1.7).
        """
        return len(self._world.nodes) + int(self._seats[node].told_of_it)

    def connected_since(self, node: str) -> float:
        """The lab time at which that connection began."""
        return self._seats[node].since

    def forsaken(self, node: str) -> bool:
        """True while a node has not noticed yet that qnetd has dropped it."""
        return self._seats[node].connected and node not in self._clients

    def clients(self) -> dict[str, Nodes]:
        """The clients that qnetd believes connected, with the membership that each told."""
        return dict(self._clients)

    def client_ring(self, name: str) -> str:
        """The ring that a client told with its membership."""
        return self._client_rings[name]

    def waits(self, name: str) -> bool:
        """True while a client has told something new and qnetd has not answered: the others tell another story."""
        return name in self._waiting

    def granted(self) -> Nodes:
        """The clients to whom qnetd has given its vote."""
        return self._granted

    # --- changes of the world ------------------------------------------------------------------------------------

    def set_up_device(self, *, settled: bool = False) -> None:
        """The quorum device was configured and its daemons started; `settled` skips their start."""
        self._world.corosync.qdevice = True
        if settled:
            for name in self._up():
                seat = self._seats[name]
                seat.connected = seat.counts_device = seat.told_of_it = True
                seat.since = self._world.clock.now()
                self._tell(name)
            self._waiting.clear()
            self._granted = self._winner() or frozenset()
            for name in self._granted:
                self._seats[name].vote = True
        for name in self._up():
            if not settled:
                self._later(name, "connect", DEVICE_STARTS, self._connect)
        self._told(self._up())

    def remove_device(self) -> None:
        """The quorum device is no more."""
        self._world.corosync.qdevice = False
        self._forget_clients()
        for seat in self._seats.values():
            seat.stop("connect", "give up", "answer", "drop")
            seat.vote = seat.connected = seat.counts_device = seat.told_of_it = False
            seat.settled = seat.ring
        self._told(self._up())

    def lost_power(self, node: str) -> None:
        """A node is gone: its own memory of everything with it."""
        self._known_reach.clear()
        seat = self._seats[node]
        seat.stop()
        seat.ring = seat.settled = frozenset()
        seat.vote = seat.connected = seat.counts_device = seat.told_of_it = False
        seat.target = None

    def booted(self, node: str) -> None:
        """A node's corosync has started: alone, until it has met the others."""
        self._known_reach.clear()
        seat = self._seats[node]
        seat.ring = seat.settled = frozenset((node,))
        seat.sequence += 4
        self._clients.pop(node, None)
        self._waiting.discard(node)
        if self._world.corosync.qdevice:
            self._later(node, "connect", RECONNECTS[0], self._connect)
        self._told([node])

    def look(self) -> None:
        """Something has changed: start or stop the appointments that follow from it."""
        self._known_reach.clear()
        for name, seat in self._seats.items():
            if not self._world.nodes[name].powered:
                self._look_at_client(name)
                continue
            reach = self._wanted(name)
            if reach == seat.ring:
                seat.stop("form")
                seat.target = None
            elif reach != seat.target:
                seat.target = reach
                seat.stop("form")
                corosync, count = self._world.corosync, len(self._world.nodes)
                takes = corosync.joins_after(count) if seat.ring <= reach else corosync.forms_after(count)
                self._later(name, "form", takes, self._form)
            self._look_at_client(name)

    # --- totem ---------------------------------------------------------------------------------------------------

    def _up(self) -> list[str]:
        return [name for name, host in self._world.nodes.items() if host.powered]

    def _reach(self, node: str) -> Nodes:
        """All nodes that can be met over at least one ring, directly or over others; known until something changes.

        Nobody for a node without power, whoever asks for it: what a dead node would meet is nobody's ring.
        """
        if not self._world.nodes[node].powered:
            return frozenset()
        if node not in self._known_reach:
            group = self._find_reach(node)
            self._known_reach |= dict.fromkeys(group, group)
        return self._known_reach[node]

    def _wanted(self, node: str) -> Nodes:
        """The ring that totem makes here: of all that can be met, or of those that all reach each other.

        With a quorum device all that can be met make one, as if nodes passed on what they hear.
        """
        group, near = self._reach(node), self._near(node)
        if near is None:
            self._parted.pop(group, None)
            return group
        if group not in self._parted or self._parted[group][0] != near:
            chance = self._world.random
            made = {ring: parting.settles(near, ring, chance) for ring in parting.rings(near, group, chance)}
            self._parted[group] = near, made
        return next(ring for ring in self._parted[group][1] if node in ring)

    def _near(self, node: str) -> dict[str, Nodes] | None:
        """Whom each of a node's group reaches without help; None where that is everybody, or a device decides."""
        links, group = self._world.links, self._reach(node)
        if self._world.corosync.qdevice or not links.cut_now:
            return None
        near = parting.directly(group, lambda one, other: any(links.rings(one, other)))
        return None if parting.whole(near, group) else near

    def _again(self, node: str, ring: Nodes) -> bool:
        """Others are heard who are in no ring with all of these: it is formed anew; whether it settles for a moment."""
        world = self._world
        self._later(node, "again", world.corosync.consensus(len(world.nodes)), self._form)
        return world.random.random() < self._parted[self._reach(node)][1][ring]

    def _find_reach(self, node: str) -> Nodes:
        links, met, new = self._world.links, {node}, [node]
        up = self._up()
        while new:
            here = new.pop()
            near = [name for name in up if name not in met and any(links.rings(here, name))]
            met.update(near)
            new += near
        return frozenset(met)

    def _form(self, node: str) -> None:
        """A new membership has formed; all nodes of it take it over together."""
        ring = self._wanted(node)
        sequence = max(self._seats[name].sequence for name in ring) + 4  # as corosync counts
        known = any(self._seats[name].counts_device for name in ring)
        for name in ring:
            seat = self._seats[name]
            seat.stop("form", "again")
            seat.ring, seat.target, seat.sequence = ring, None, sequence
            seat.counts_device = known
        for listener in list(self._formed):
            listener(ring)
        rests = self._near(node) is None or self._again(node, ring)
        for name in sorted(ring):  # chance is drawn here, and the same for the same seed
            seat = self._seats[name]
            if name in self._clients and seat.connected and self._reaches_witness(name):
                self._tell(name)
            if not self._world.corosync.qdevice:
                if rests:
                    self._settle([name])
            elif not seat.connected:
                self._later(name, "answer", self._draw((0.0, POLLED)), self._refused_at)
            else:
                self._later(name, "answer", SYNC_TIMEOUT, self._refused_at)
        self._decide()

    def _settle(self, nodes: Iterable[str]) -> None:
        """Announce what was formed."""
        for name in nodes:
            seat = self._seats[name]
            seat.stop("answer")
            seat.settled = seat.ring
        self._told(nodes)

    def _told(self, nodes: Iterable[str]) -> None:
        """Tell everyone whose work depends on quorum."""
        for listener in list(self._listeners):
            listener(frozenset(nodes))

    # --- the quorum device ---------------------------------------------------------------------------------------

    def _reaches_witness(self, node: str) -> bool:
        world = self._world
        up = world.nodes[node].powered and world.witness.powered and world.corosync.qnetd
        return up and world.links.reaches(node, world.witness.name)

    def _look_at_client(self, name: str) -> None:
        """A silent connection is given up at both ends, each in its own time."""
        seat = self._seats[name]
        if not self._world.corosync.qdevice:
            return
        if not (self._world.witness.powered and self._world.corosync.qnetd):
            self._forget_clients()
        if self._reaches_witness(name):
            seat.stop("drop", "give up")
            if seat.connected and name not in self._clients:
                self._give_up(name)  # qnetd does not know this connection any more
            elif seat.connected and self._clients[name] != seat.ring:
                self._tell(name)  # what could not be told meanwhile
                self._decide()
            if not seat.connected and "connect" not in seat.timers:
                self._later(name, "connect", self._draw(RECONNECTS), self._connect)
            return
        seat.stop("connect")
        last_beat = self._draw((0.0, BEAT))
        if name in self._clients and "drop" not in seat.timers:
            self._later(name, "drop", CLIENT_DROPPED - last_beat, self._drop)
        if seat.connected and "give up" not in seat.timers:
            self._later(name, "give up", WITNESS_GIVEN_UP - last_beat, self._give_up)

    def _connect(self, name: str) -> None:
        seat = self._seats[name]
        if not self._reaches_witness(name):
            return
        seat.connected, seat.since = True, self._world.clock.now()
        self._tell(name)
        self._decide()

    def _tell(self, name: str) -> None:
        """A client tells qnetd of its membership."""
        self._clients[name], self._client_rings[name] = self._seats[name].ring, self.ring_id(name)
        self._waiting.add(name)

    def _forget_clients(self) -> None:
        self._clients.clear()
        self._waiting.clear()
        self._granted = frozenset()

    def _drop(self, name: str) -> None:
        """Qnetd gives up a client."""
        self._clients.pop(name, None)
        self._waiting.discard(name)
        self._granted -= {name}
        self._decide()

    def _give_up(self, name: str) -> None:
        """A node gives up qnetd: the vote is gone here."""
        seat = self._seats[name]
        seat.connected = seat.vote = False
        self._settle([name])
        if self._reaches_witness(name):
            self._later(name, "connect", self._draw(RECONNECTS), self._connect)

    def _decide(self) -> None:
        """Once all clients tell one story about each membership, answer: no to all others, then yes to one."""
        if (winner := self._winner()) is None:
            return
        for name in self._clients:
            if self._clients[name] != self._seats[name].ring:
                continue  # an old story of a node that is silent by now
            granted = name in winner
            wait = GRANTED if granted else REFUSED
            if self._seats[name].vote != granted or "answer" in self._seats[name].timers:
                answer = self._granted_at if granted else self._refused_at
                self._later(name, "answer", wait, answer)
        self._granted = frozenset(winner)
        self._waiting.clear()

    def _granted_at(self, name: str) -> None:
        seat = self._seats[name]
        seat.vote = seat.connected
        for member in seat.ring if seat.vote else ():
            other = self._seats[member]
            other.told_of_it = other.told_of_it or not other.counts_device
            other.counts_device = True
        self._settle([name])

    def _refused_at(self, name: str) -> None:
        self._seats[name].vote = False
        self._settle([name])

    def _winner(self) -> Nodes | None:
        """The clients that get the vote; None while their stories differ.

        ffsplit prefers more nodes, then more connected clients, then who had the vote before, then the lowest node;
        a partition of less than half of all nodes never gets it.
        """
        clients = self._clients
        for name, told in clients.items():
            if any(clients[other] != told for other in told if other in clients and other != name):
                return None
        ids = {name: host.node_id for name, host in self._world.nodes.items()}

        def rank(told: Nodes) -> tuple[int, int, int, int]:
            mine = [name for name in clients if clients[name] == told]
            return len(told), len(mine), len(self._granted.intersection(mine)), -min(ids[name] for name in told)

        candidates = [told for told in set(clients.values()) if 2 * len(told) >= len(self._world.nodes)]
        if not candidates:
            return frozenset()
        best = max(candidates, key=rank)
        return frozenset(name for name in clients if clients[name] == best)

    # --- appointments --------------------------------------------------------------------------------------------

    def _draw(self, between: tuple[float, float]) -> float:
        return self._world.random.uniform(*between)

    def _later(self, node: str, what: str, seconds: float, then: Callable[[str], None]) -> None:
        """One appointment of each kind at each node."""
        seat = self._seats[node]
        seat.stop(what)

        def keep() -> None:
            seat.timers.pop(what, None)
            then(node)

        seat.timers[what] = self._world.after(seconds, keep)
