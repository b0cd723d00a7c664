"""Everything that anybody in the twin tells, value by value: to find what never changes whatever is done to the world.

A value has a name, as ``GET /cluster/status: online`` or ``uptime: up``, and a subject: who says it and of what.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from lab.bmc.redfish import ROOT as REDFISH
from lab.bmc.redfish import View
from lab.hosts.node import NODE
from lab.hosts.shell import Registry
from lab.hosts.witness import WITNESS
from lab.physics.world import Host
from lab.purity.urls import READS
from lab.pve.daemon.calls import Call, Page
from lab.pve.errors import PveError
from lab.pve.etc.access import ROOT
from lab.world import World
from tests.fuzz.views import ROUTES

Told = tuple[str, tuple[str, ...], str]

# What tells the entries of a list apart, the first that an entry has.
_KEYS = (
    "id", "upid", "sid", "vmid", "storage", "service", "iface", "name", "node", "userid", "key", "devpath", "initiator",
    "vg", "Package", "member", "volume", "n", "type",
)  # fmt: skip
# What stands for the parameters of a path; a call without its object is not asked.
PARAMETERS: dict[str, Any] = {
    "vmid": 300, "sid": "vm:300", "storage": "pxmx-ac-shared", "service": "pve-ha-crm", "iface": "vmbr0",
    "realm": "pam", "roleid": "PVEAuditor", "userid": "root@pam", "id": "nightly", "rule": "home", "poolid": "ours",
    "groupid": "admins", "feature": "copy", "tokenid": "none", "name": "default-matcher",
}  # fmt: skip
COMMANDS = (
    "date +%s.%N", "uptime", "uptime -s", "chronyc tracking", "timedatectl", "systemctl is-active pve-ha-crm corosync",
    "pvecm status", "pvecm nodes", "corosync-quorumtool -s", "corosync-quorumtool -l", "corosync-cfgtool -s",
    "corosync-cfgtool -n", "corosync-qdevice-tool -sv", "corosync-cmapctl -g totem.config_version",
    "ha-manager status", "ha-manager config", "qm list", "qm status 300", "qm config 300", "pct list", "pvesm status",
    "iscsiadm -m session", "multipath -ll", "vgs", "pvs", "lvs", "journalctl -u pve-ha-crm",
    "cat /etc/pve/corosync.conf /etc/pve/datacenter.cfg /etc/pve/storage.cfg /etc/pve/ha/resources.cfg",
)  # fmt: skip
WITNESS_COMMANDS = ("date +%s.%N", "uptime", "uptime -s", "corosync-qnetd-tool -lv", "corosync-qnetd-tool -sv")
_LINE = re.compile(r"\s*([^:=()]+?)\s*[:=]\s*(.*)")


async def told(world: World, nodes: tuple[str, ...]) -> list[Told]:
    """All that these nodes, arrays, witness and management controllers tell now; who is off tells nothing."""
    with world.still():
        return await _all_told(world, nodes)


async def _all_told(world: World, nodes: tuple[str, ...]) -> list[Told]:
    found: list[Told] = []
    for node in nodes:
        if world.nodes[node].powered:
            found += await _api(world, node)
            found += await _shell(world, NODE, world.nodes[node], COMMANDS)
        found += _bmc(world, node)
    if world.witness.powered:
        found += await _shell(world, WITNESS, world.witness, WITNESS_COMMANDS)
    for name, array in world.arrays.items():
        if array.up:
            found += [
                one for path, read in READS.items() for one in _leaves(f"GET /api/2.x{path}", (name,), read.view(array))
            ]
    return found


async def _api(world: World, node: str) -> list[Told]:
    found: list[Told] = []
    for (verb, template), handler in sorted(ROUTES.items()):
        names = re.findall(r"{(\w+)}", template)
        if verb != "GET" or not set(names) <= {"node", *PARAMETERS}:
            continue
        given = {name: PARAMETERS.get(name, node) for name in names} | {"feature": "copy"}
        if "/lxc/" in template:
            given["vmid"] = 310
        try:
            answer = await handler(Call(world.cluster, node, ROOT, given))
        except (PveError, KeyError):
            continue
        found += _leaves(f"GET {template}", (node,), answer.data if isinstance(answer, Page) else answer)
    return found


def _bmc(world: World, node: str) -> list[Told]:
    host = world.nodes[node]
    if not host.bmc_powered:
        return []
    view = View(node, host.powered, world.clock.now(), {})
    paths = (REDFISH, *(f"{REDFISH}/{one}" for one in ("Systems/1", "Chassis/1", "Managers/1", "SessionService")))
    return [one for path in paths for one in _leaves(f"GET {path}", (node,), view.resource(path))]


def _leaves(name: str, subject: tuple[str, ...], value: Any) -> list[Told]:
    """The values in an answer; the length of a list is one of them."""
    found: list[Told] = []
    _gather(found, name, subject, value)
    return found


def _gather(found: list[Told], name: str, subject: tuple[str, ...], value: Any) -> None:
    """Into one list: an answer has thousands of values, and a rehearsal hundreds of answers."""
    if isinstance(value, dict):
        for key, one in value.items():
            _gather(found, _below(name, _general(str(key))), (*subject, str(key)), one)
    elif isinstance(value, list):
        found.append((_below(name, "(how many)"), subject, str(len(value))))
        for index, one in enumerate(value):
            _gather(found, name, (*subject, _key(one, index)), one)
    else:
        found.append((name, subject, str(value)))


@cache
def _general(key: str) -> str:
    """A key that is data itself: a node, a service, an order, a privilege's path."""
    data = re.search(r"[:/+]|\d|[A-Z]\w+\.[A-Z]", key) and not re.fullmatch(r"[a-z_-]+\d?", key)
    return "*" if data or re.fullmatch(r"(?=.*[A-Z])\w{20,}", key) else key


@cache
def _below(name: str, key: str) -> str:
    return f"{name}.{key}" if ": " in name else f"{name}: {key}"


def _key(one: Any, index: int) -> str:
    if not isinstance(one, dict):
        return str(index)
    return next((f"{one[key]}" for key in _KEYS if key in one), str(index))


async def _shell(world: World, registry: Registry, host: Host, commands: tuple[str, ...]) -> list[Told]:
    found: list[Told] = []
    for command in commands:
        output = await registry.run(world, host, command)
        name = command.partition(" /")[0]
        found.append((f"{name}: exit status", (host.name,), str(output.status)))
        heading = ""
        for number, line in enumerate(output.stdout.splitlines()):
            if line and not line.startswith((" ", "\t")):
                heading = _first(line, number)
            found += _line(name, (host.name, heading), line, number)
    return found


def _first(line: str, number: int) -> str:
    """What a line is about: its first word, or its number where that word is a time or another figure."""
    word = line.split()[0]
    return str(number) if word == line.strip() or re.fullmatch(r"[\d:.-]+", word) else word


def _line(name: str, subject: tuple[str, ...], line: str, number: int) -> Iterator[Told]:
    """A line with a label has one value; one of a table has as many as it has columns, and is named by its first."""
    if not line.strip():
        return
    if (labelled := _LINE.fullmatch(line)) and not re.search(r"\d", labelled[1]):
        yield f"{name}: {labelled[1]}", (*subject, labelled[1]), labelled[2]
        return
    about = _first(line, number)
    for column, word in enumerate(line.split(), start=1):
        yield f"{name}: column {column}", (*subject, about, str(column)), word
