"""What nodes and witness tell over SSH, and how each of it is. Pure."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from pydantic import Field

from cluster.doctor.check import About, Check, Unread, without_subject
from cluster.doctor.versions import Release
from cluster.inventory import Inventory
from cluster.nouns import Value
from cluster.units import seconds, shortly

QDEVICE, QNETD = "corosync-qdevice", "corosync-qnetd"
# What a vote of the quorum device looks like in corosync's own letters: alive, votes, no master wins.
VOTING = "A,V,NMW"
# What this machine's clock may be off: certificates, gates and reports go by it, fencing does not.
HERE_LIMIT = timedelta(seconds=10)


class Unit(Value):
    """A systemd unit in systemd's own words: ``active``, ``enabled``."""

    active: str
    enabled: str


class Clock(Value):
    """How far a clock is ahead of this machine's, and the doubt that the way there leaves."""

    ahead: timedelta
    doubt: timedelta


class Ways(Value):
    """Corosync's links of a node: how many, ways over them to other nodes, and those that are disconnected."""

    links: int
    total: int
    down: int


class Votes(Value):
    """The votes as one node counts them; `silent` are nodes to which the device gives no vote."""

    nodes: int
    expected: int
    total: int
    quorum: int
    quorate: bool
    settled: bool
    device: bool
    silent: tuple[str, ...] = ()
    witness: str = ""  # where the device stands, as the node has it


class Told(Value):
    """All that one host has said. What is None was not asked."""

    name: str
    packages: tuple[str, ...] | Unread
    units: dict[str, Unit] | Unread
    clock: Clock | Unread
    release: Release | Unread | None = None
    initiator: str | Unread | None = None
    ways: Ways | Unread | None = None
    votes: Votes | Unread | None = None
    trips: dict[str, timedelta | Unread | None] = Field(default_factory=dict)  # limit of the inventory -> round trip


def has_device(told: Told | None) -> bool:
    """That host counts a quorum device."""
    return told is not None and isinstance(told.votes, Votes) and told.votes.device


def packages(told: Told, wanted: Sequence[str]) -> Check:
    """What has to be installed."""
    about = About(area="hosts", subject=told.name, what="packages")
    if isinstance(told.packages, Unread):
        said = told.packages.model_copy(update={"said": without_subject(told.packages.said, told.name)})
        return about.unread(said)
    if lacks := [name for name in wanted if name not in told.packages]:
        return about.wrong(f"{', '.join(lacks)} missing", f"there: apt install {' '.join(lacks)}")
    return about.ok(f"{', '.join(wanted)} installed")


def services(told: Told, wanted: Sequence[str], *, device: bool) -> Check:
    """What has to run, now and after a boot. The quorum device's daemon comes with its set-up."""
    about = About(area="hosts", subject=told.name, what="services")
    if isinstance(told.units, Unread):
        return about.unread(told.units)
    due = [name for name in wanted if device or name != QDEVICE]
    units = {name: told.units.get(name, Unit(active="unknown", enabled="")) for name in due}
    if down := [f"{name} is {unit.active}" for name, unit in units.items() if unit.active != "active"]:
        names = " ".join(name for name, unit in units.items() if unit.active != "active")
        return about.wrong(", ".join(down), f"there: systemctl enable --now {names}")
    if off := [name for name, unit in units.items() if unit.enabled not in ("enabled", "enabled-runtime", "static")]:
        return about.wrong(
            f"{', '.join(off)} will not start after a reboot", f"there: systemctl enable {' '.join(off)}"
        )
    return about.ok(f"{', '.join(due)} running, and enabled")


def initiator(told: Told, iqn: str) -> Check:
    """The node's own name for iSCSI is the inventory's."""
    about = About(area="hosts", subject=told.name, what="initiator")
    if isinstance(told.initiator, Unread):
        return about.unread(told.initiator)
    if told.initiator != iqn:
        return about.wrong(
            f"/etc/iscsi/initiatorname.iscsi says {told.initiator}, the inventory says {iqn}",
            f"correct the iqn of {told.name} in the inventory",
        )
    return about.ok("as in the inventory")


def round_trips(told: Told, limits: Mapping[str, timedelta]) -> Check:
    """The round trips that the preflight measures, within the inventory's limits."""
    about = About(area="hosts", subject=told.name, what="round trips")
    for what, took in told.trips.items():
        if isinstance(took, Unread):
            return about.unread(took)
        if took is None:
            return about.wrong(
                f"no ping comes back ({what})", "let ICMP echo through, or see why that host does not answer"
            )
    allowed = {what: limits[what.partition(" ")[0]] for what in told.trips}
    slow = {what: took for what, took in told.trips.items() if isinstance(took, timedelta) and took > allowed[what]}
    if slow:
        said = ", ".join(f"{what} {seconds(took)} (limit {seconds(allowed[what])})" for what, took in slow.items())
        return about.wrong(said, "see what the way takes: mtr --report; the limits are in the inventory (limits)")
    return about.ok(f"{', '.join(told.trips)} within limits")


def links(told: Told) -> Check:
    """Two corosync links, every way over them connected."""
    about = About(area="hosts", subject=told.name, what="corosync links")
    if told.ways is None or isinstance(told.ways, Unread):
        return about.unread(told.ways) if told.ways else about.unknown("it was not asked")
    if told.ways.down:
        return about.wrong(
            f"{told.ways.down} of {told.ways.total} ways to other nodes are disconnected",
            "there: corosync-cfgtool -n, then see the network of that link",
        )
    if told.ways.links < 2:
        return about.wrong(
            "one link only: a switch that restarts costs the cluster its quorum",
            "add a second one on another network: https://pve.proxmox.com/wiki/Cluster_Manager#pvecm_redundancy",
        )
    return about.ok(f"{told.ways.links} links, all {told.ways.total} ways connected")


def votes(inventory: Inventory, told: Sequence[Told], hindrance: Unread | None = None) -> list[Check]:
    """What all nodes count, and whether the quorum device votes; `hindrance` is why one could not be set up."""
    found = {one.name: one.votes for one in told if isinstance(one.votes, Votes)}
    about = About(area="hosts", subject="cluster", what="votes")
    device = About(area="hosts", subject="cluster", what="quorum device")
    silent = [node.name for node in inventory.nodes if node.name not in found]
    if not found:
        why = next((one.votes for one in told if isinstance(one.votes, Unread)), None)
        said = about.unread(why, "on a node: pvecm status") if why else about.unknown("no node could be asked")
        return [said, device.unknown("no node tells its votes")]
    return [_counted(inventory, about, found, silent), _device(inventory, device, found, silent, hindrance)]


def _counted(inventory: Inventory, about: About, found: Mapping[str, Votes], silent: Sequence[str]) -> Check:
    nodes = len(inventory.nodes)
    for node, view in found.items():
        if not view.quorate:
            return about.wrong(
                f"{node} has no quorum: {view.total} of {view.expected} votes, {view.quorum} are needed",
                "bring the other nodes back; never pvecm expected by hand: quorate incident tells what to do",
            )
        if view.nodes != nodes:
            return about.wrong(
                f"{node} counts {view.nodes} nodes, the inventory has {nodes}", "on a node: pvecm status"
            )
        if not view.settled:
            return about.unknown(f"{node} is in the middle of a change of members", "ask again in a minute")
    first = next(iter(found.values()))
    if len({(one.total, one.expected, one.quorum) for one in found.values()}) > 1:
        return about.wrong("the nodes count differently", "on each node: pvecm status")
    if silent:
        return about.unknown(f"not asked: {shortly(silent, 6)}")
    return about.ok(f"{first.total} of {first.expected}, quorum {first.quorum}, the same on all nodes")


def _none_wanted(inventory: Inventory, about: About, found: Mapping[str, Votes]) -> Check:
    """A third place has nodes: a device beside them would be one vote too many."""
    if voting := [node for node, view in found.items() if view.device]:
        return about.wrong(
            f"{', '.join(voting)} count one, and {inventory.decider} has nodes instead",
            "on a node: pvecm qdevice remove",
        )
    return about.ok(f"none, {inventory.decider} has nodes instead")


def _device(
    inventory: Inventory,
    about: About,
    found: Mapping[str, Votes],
    silent: Sequence[str],
    hindrance: Unread | None,
) -> Check:
    if inventory.third:
        return _none_wanted(inventory, about, found)
    address = inventory.device
    without = [node for node, view in found.items() if not view.device]
    if len(without) == len(found) and hindrance is not None:
        return about.unread(hindrance)
    if len(without) == len(found):
        return about.later("there is none yet: the deployment sets it up")
    if without:
        return about.wrong(f"{', '.join(without)} know of none", "there: systemctl restart corosync-qdevice")
    elsewhere = {view.witness for view in found.values() if view.witness and view.witness != address}
    if elsewhere:
        return about.wrong(
            f"it is at {', '.join(sorted(elsewhere))}, the inventory says {address}",
            "correct witness.address, or remove the device first: pvecm qdevice remove",
        )
    if mute := sorted({name for view in found.values() for name in view.silent}):
        return about.wrong(f"it gives no vote to {shortly(mute)}", "on those nodes: systemctl status corosync-qdevice")
    if silent:
        return about.unknown(f"not asked: {shortly(silent, 6)}")
    return about.ok(f"at {inventory.decider}, it votes on all nodes")


def clocks(told: Sequence[Told], limit: timedelta, hosts: Sequence[str]) -> Check:
    """All hosts that take part in quorum agree: HA decides about fencing by wall clocks."""
    about = About(area="hosts", subject="hosts", what="clocks")
    read = {one.name: one.clock for one in told if isinstance(one.clock, Clock)}
    silent = [name for name in hosts if name not in read]
    if len(read) < 2:
        return about.unknown(f"not asked: {shortly(silent, 6)}" if read else "no host could be asked")
    ahead, behind = max(read, key=lambda name: read[name].ahead), min(read, key=lambda name: read[name].ahead)
    spread = read[ahead].ahead - read[behind].ahead
    doubt = read[ahead].doubt + read[behind].doubt
    if spread - doubt > limit:
        return about.wrong(
            f"{ahead} is {seconds(spread)} ahead of {behind}, limits.clock_offset allows {seconds(limit)}",
            "on both: chronyc tracking; a time source for all of them",
        )
    if silent:
        return about.unknown(f"not asked: {shortly(silent, 6)}")
    return about.ok(f"{len(read)} agree within {seconds(limit)}")


def here(told: Sequence[Told]) -> Check:
    """The clock of this machine beside the middle one of the hosts': one of them may be wrong."""
    about = About(area="hosts", subject="this machine", what="clock")
    read = sorted((one.clock for one in told if isinstance(one.clock, Clock)), key=lambda clock: clock.ahead)
    if not read:
        return about.unknown("no host tells its time")
    middle = read[len(read) // 2]
    if abs(middle.ahead) - middle.doubt > HERE_LIMIT:
        side = "behind" if middle.ahead > timedelta() else "ahead of"
        said = f"it is {seconds(abs(middle.ahead))} {side} the hosts"
        return about.wrong(said, "here: timedatectl, chronyc tracking")
    return about.ok(f"within {seconds(HERE_LIMIT)} of the hosts'")
