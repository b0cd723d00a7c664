"""What each array tells of itself, and how each of it is. Pure."""

from collections.abc import Sequence
from datetime import timedelta

from pydantic import Field

from cluster.doctor.check import About, Check, Unread
from cluster.doctor.hosts import HERE_LIMIT
from cluster.nouns import Value
from cluster.transports import NAMES, Transport
from cluster.units import seconds

# Roles that may create pods, hosts and connections.
WRITING_ROLES = ("array_admin", "storage_admin")
# A controller has two ports that nodes use, or one cable less is one path less for every node (docs/prepare.md).
PORTS_EACH = 2


class Peer(Value):
    """The connection of an array to the other one, in Purity's words; None of both where there is none."""

    type: str = ""
    status: str = ""


class Interface(Value):
    """One network interface: ``ct0.eth0`` belongs to one controller, ``vir0`` to the one that leads."""

    name: str
    address: str
    services: tuple[str, ...]

    @property
    def controller(self) -> str:
        """The controller that it belongs to; empty for a virtual one."""
        first = self.name.partition(".")[0].upper()
        return first if first.startswith("CT") else ""


class ArrayTold(Value):
    """All that one array has said: `levels` need no token, the rest does."""

    name: str
    levels: tuple[str, ...] | Unread
    ahead: timedelta | None = None  # of this machine's clock, to the second
    called: str | Unread = ""  # its own name
    purity: str = ""
    role: str | Unread = ""
    peer: Peer | Unread = Peer()
    ports: tuple[str, ...] | Unread = ()  # that nodes use: ``CT0.ETH4`` with an address, ``CT0.FC0``
    portals: tuple[str, ...] = ()  # of these ports, those that the inventory wants
    iqn: str = ""  # its target's
    nqn: str = ""  # of its NVMe subsystem
    wwns: dict[str, str] = Field(default_factory=dict)  # of Fibre Channel ports, with their names
    wwid: str | None = None  # of the volume, as hosts see it; None where there is none yet
    wwids: tuple[str, ...] = ()  # the same of the other volumes, as far as they are there
    untold: Unread | None = None  # why nobody knows whether there is one
    preferences: tuple[str, ...] | Unread | None = None  # of the first pod; None where there is no pod yet
    more: dict[str, tuple[str, ...] | Unread | None] = Field(default_factory=dict)  # the same of other pods, by name
    interfaces: tuple[Interface, ...] | Unread = ()


def wwids(arrays: Sequence[ArrayTold]) -> tuple[str, ...]:
    """The WWIDs of the volumes, as far as an array tells them."""
    return tuple(dict.fromkeys(one for told in arrays for one in (told.wwid, *told.wwids) if one))


def token(told: ArrayTold) -> Check:
    """Its token is taken, the array is the one that is meant, and the token's user may do what a deployment does."""
    about = About(area="arrays", subject=told.name, what="token")
    if isinstance(told.called, Unread):
        return about.unread(told.called)
    if told.called != told.name:
        return about.wrong(f"the array there calls itself {told.called}", "correct arrays.address or arrays.name")
    if isinstance(told.role, Unread):
        return about.unread(told.role)
    if told.role not in WRITING_ROLES:
        return about.wrong(
            f"its user has the role {told.role}, which may not create pods and hosts",
            f"on the array: pureadmin setattr --role {WRITING_ROLES[1]} USER; or a token of another user",
        )
    return about.ok(f"taken, role {told.role}")


def replication(told: ArrayTold, peer: str) -> Check:
    """The two arrays are connected for synchronous replication."""
    about = About(area="arrays", subject=told.name, what="replication")
    if isinstance(told.peer, Unread):
        return about.unread(told.peer)
    if not told.peer.type:
        return about.wrong(
            f"it is not connected to {peer}",
            "on the array: purearray connect --type sync-replication --management-address ADDRESS --connection-key",
        )
    if told.peer.type != "sync-replication":
        return about.wrong(
            f"the connection to {peer} is of the type {told.peer.type}", "ActiveCluster needs sync-replication"
        )
    if told.peer.status != "connected":
        return about.wrong(
            f"the connection to {peer} is {told.peer.status}, not connected", "on the array: purearray list --connect"
        )
    return about.ok("connected to the other array, sync-replication")


def ports(told: ArrayTold, transport: Transport = "iscsi") -> Check:
    """Each controller has at least two ports of the transport."""
    about = About(area="arrays", subject=told.name, what=f"{NAMES[transport]} ports")
    if isinstance(told.ports, Unread):
        return about.unread(told.ports)
    each: dict[str, int] = {"CT0": 0, "CT1": 0}
    for name in told.ports:
        each[name.partition(".")[0]] = each.get(name.partition(".")[0], 0) + 1
    listing = f"purenetwork {'fc' if transport == 'fc' else 'eth'} list"
    if few := [f"{name} has {count}" for name, count in each.items() if count < PORTS_EACH]:
        return about.wrong(
            f"{', '.join(few)}: each controller needs {PORTS_EACH}, or its restart leaves a node without paths",
            f"give both controllers two: on the array, {listing} shows what there is",
        )
    return about.ok(", ".join(f"{count} on {name}" for name, count in each.items()))


def clock(told: ArrayTold) -> Check:
    """The array's clock beside this machine's: its log is read beside that of the nodes."""
    about = About(area="arrays", subject=told.name, what="clock")
    if told.ahead is None:
        return about.unknown("it does not tell its time")
    if abs(told.ahead) > HERE_LIMIT:
        side = "ahead of" if told.ahead > timedelta() else "behind"
        return about.wrong(
            f"it is {seconds(abs(told.ahead))} {side} this machine's",
            "on the array: purearray list --ntpserver; here: chronyc tracking",
        )
    return about.ok(f"within {seconds(HERE_LIMIT)} of this machine's")


def address(told: ArrayTold, host: str) -> Check:
    """The address that Quorate uses moves with the leading controller, and does not go with one of them."""
    about = About(area="arrays", subject=told.name, what="management address")
    if isinstance(told.interfaces, Unread):
        return about.unread(told.interfaces)
    management = [one for one in told.interfaces if "management" in one.services]
    mine = next((one for one in management if one.address == host), None)
    if mine is None:
        return about.unknown(f"none of its interfaces has {host}: a translated address, perhaps")
    if mine.controller:
        virtual = [one.address for one in management if not one.controller]
        return about.wrong(
            f"{host} is {mine.name} of controller {mine.controller} alone: while that one is down, the array is silent",
            f"arrays.address: {virtual[0]}" if virtual else "give the array a virtual management address (vir0)",
        )
    return about.ok(f"{mine.name}, which both controllers serve")
