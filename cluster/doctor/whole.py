"""All that was read of one site, and all that follows from it, in the order of the page. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from pydantic import Field

from cluster.addresses import split
from cluster.doctor import arrays, controllers, hosts, nodes, nvme, recognised, storage, versions
from cluster.doctor.arrays import ArrayTold, wwids
from cluster.doctor.check import AREAS, Area, Check, Unread
from cluster.doctor.controllers import ControllerTold
from cluster.doctor.here import HereTold, here
from cluster.doctor.hosts import QNETD, Told
from cluster.doctor.nodes import ClusterTold
from cluster.doctor.recognised import Shown, Sshd
from cluster.doctor.storage import PathsTold
from cluster.doctor.temporal import TemporalTold, temporal
from cluster.inventory import Inventory
from cluster.nouns import Value


class Read(Value):
    """Everything that was read; what is None or not there was not asked for, or its endpoint did not answer."""

    areas: tuple[Area, ...] = AREAS
    here: HereTold | None = None
    shown: tuple[Shown, ...] = ()
    sshds: tuple[Sshd, ...] = ()
    cluster: ClusterTold | None = None
    hosts: tuple[Told, ...] = ()
    paths: tuple[PathsTold, ...] = ()
    volumes: tuple[str, ...] | Unread | None = None  # those that are activated at boot
    hindrance: Unread | None = None  # why a quorum device could not be set up
    group: bool = False  # a node was asked for its volume group
    arrays: tuple[ArrayTold, ...] = ()
    places: dict[str, str] = Field(default_factory=dict)  # array -> the address that its name stands for
    controllers: tuple[ControllerTold, ...] = ()
    temporal: TemporalTold | None = None


class Rules(Value):
    """What is compared with, beside the inventory: they are the programs' own."""

    packages: tuple[str, ...]
    witness_packages: tuple[str, ...]
    units: tuple[str, ...]
    level: str  # of REST
    kept: timedelta  # ended runs
    rehearsal: bool = False  # the hosts' time is the twin's own


def judge(inventory: Inventory, read: Read, rules: Rules, now: datetime) -> list[Check]:
    """One check for each thing, in an order that does not depend on who answered first."""
    found = [
        *(here(read.here) if read.here else ()),
        *_cluster(inventory, read, now),
        *_hosts(inventory, read, rules),
        *_arrays(inventory, read, rules, now),
        *_controllers(read, now),
        *(temporal(read.temporal, rules.kept) if read.temporal else ()),
    ]
    return [check for area in read.areas for check in found if check.area == area]


def _of(read: Read, kind: str) -> list[Shown]:
    return [shown for shown in read.shown if shown.trust.kind == kind]


def _cluster(inventory: Inventory, read: Read, now: datetime) -> Iterator[Check]:
    if "cluster" not in read.areas:
        return
    yield from (recognised.api(shown, now) for shown in _of(read, "node"))
    if read.cluster is not None:
        yield from nodes.nodes(read.cluster)
        yield nodes.members(inventory, read.cluster)
        yield from nodes.links(inventory, read.cluster)
        yield from nodes.token(inventory, read.cluster)
        yield from nodes.sources(inventory, read.cluster)


def _hosts(inventory: Inventory, read: Read, rules: Rules) -> Iterator[Check]:
    if "hosts" not in read.areas:
        return
    yield from (recognised.host(sshd, inventory.ssh.user) for sshd in read.sshds)
    told = {one.name: one for one in read.hosts}
    ways = {one.node: one for one in read.paths}
    device = any(map(hosts.has_device, read.hosts))
    for node in inventory.nodes:
        if node.name in told:
            yield from _node(inventory, told[node.name], rules, device=device)
        if node.name in ways:
            yield from _paths(inventory, ways[node.name], read.arrays)
    name = inventory.decider
    if name in told:
        release = told[name].release
        yield versions.witness(name, release if release is not None else Unread(word="Unreachable", said="not asked"))
        yield hosts.packages(told[name], rules.witness_packages)
        yield hosts.services(told[name], (QNETD,), device=True)
    everybody = [*(node.name for node in inventory.nodes), *((name,) if inventory.witness else ())]
    if read.group:
        yield storage.volumes(inventory.groups, read.volumes)
    yield from hosts.votes(inventory, read.hosts, read.hindrance)
    yield hosts.clocks(read.hosts, inventory.limits.clock_offset, everybody)
    if not rules.rehearsal:
        yield hosts.here(read.hosts)


def _node(inventory: Inventory, told: Told, rules: Rules, *, device: bool) -> Iterator[Check]:
    limits: Mapping[str, timedelta] = {
        "corosync_rtt": inventory.limits.corosync_rtt, "witness_rtt": inventory.limits.witness_rtt,
    }  # fmt: skip
    if inventory.node(told.name) in inventory.site_nodes:  # those of a third place have a vote and nothing else
        qdevice = (hosts.QDEVICE,) if inventory.third else ()
        yield hosts.packages(told, [name for name in rules.packages if name not in qdevice])
        yield hosts.services(told, rules.units, device=device)
        if inventory.transport == "iscsi":
            yield hosts.initiator(told, inventory.node(told.name).iqn or "")
        if inventory.transport == "nvme-tcp":
            yield nvme.name(told, inventory.node(told.name).nqn or "")
    yield hosts.round_trips(told, limits)
    yield hosts.links(told)


def _paths(inventory: Inventory, told: PathsTold, known: Sequence[ArrayTold]) -> Iterator[Check]:
    if inventory.transport == "fc":
        yield storage.hbas(told, inventory.node(told.node).wwns, known)
    else:
        yield storage.portals(told, known)
    if told.nvme is not None:
        yield nvme.multipath(told.node, told.nvme, known)
        yield nvme.paths(told.node, inventory.site_of(told.node).array, told.nvme, known)
        yield nvme.reboot(told.node, told.nvme, known)
        return
    sets, found = inventory.paths.multipath == "set", wwids(known)
    wwid = found[0] if len(found) == len(inventory.disks) else None
    yield storage.multipath(told, wwid, sets=sets, doubt=storage.untold(known), more=found)
    yield storage.paths(told, known)
    yield storage.reboot(told, known)


def _arrays(inventory: Inventory, read: Read, rules: Rules, now: datetime) -> Iterator[Check]:
    if "arrays" not in read.areas:
        return
    yield from (recognised.api(shown, now) for shown in _of(read, "array"))
    for told in read.arrays:
        yield from _array(inventory, told, rules, read.places.get(told.name, ""))
    yield from storage.sides(inventory, read.arrays, nodes.ids(read.cluster))


def _array(inventory: Inventory, told: ArrayTold, rules: Rules, place: str) -> Iterator[Check]:
    if isinstance(told.levels, Unread):
        yield arrays.token(told)
        return
    yield versions.rest(told.name, told.levels, told.purity, rules.level)
    yield arrays.clock(told)
    if rules.level not in told.levels:
        return
    yield arrays.token(told)
    if isinstance(told.called, Unread):
        return
    yield arrays.replication(told, inventory.peer(told.name).name)
    yield arrays.ports(told, inventory.transport)
    yield arrays.address(told, place or split(inventory.array(told.name).address)[0])


def _controllers(read: Read, now: datetime) -> Iterator[Check]:
    if "controllers" not in read.areas:
        return
    yield from (recognised.api(shown, now) for shown in _of(read, "controller"))
    yield from (controllers.controller(told) for told in read.controllers)
