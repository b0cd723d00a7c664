"""Nodes and witness: one connection each, every question by the function that others read it with."""

import asyncio
from collections.abc import Awaitable, Callable

from activities.doctor import hosts as doctor
from activities.doctor.asking import LIMIT, told
from activities.hosts import fibre, initiator, lvm, maps, nvme, reading
from activities.parsing.witness import parse_clients
from activities.probe.tape import Tape
from cluster.doctor.check import Unread
from cluster.inventory import Inventory
from cluster.probing.cleaning import Answer, Of

Ask = Callable[[Tape, str], Awaitable[object]]
# sshd takes ten sessions over one connection (MaxSessions).
_AT_ONCE = 4
# multipath was seen to block for 16 s after the loss of an array (reference: host-outputs, trap 9).
_SLOW = 30.0
# What a node tells that has a vote and nothing else.
_OF_VOTERS = ("packages", "units", "votes", "links", "device")


_NVME = {"hostnqn", "nvme-multipath", "nvme-subsystems", "discovery", "nvme-unit"}


def _node_questions(inventory: Inventory) -> dict[tuple[str, ...], Ask]:
    """What its answers are called, and who asks."""
    vg = inventory.groups
    transport = inventory.transport
    questions: dict[tuple[str, ...], Ask] = {
        ("packages",): lambda ssh, node: reading.installed(ssh, node, reading.packages(transport)),
        ("units",): lambda ssh, node: doctor.unit_states(ssh, node, doctor.node_units(transport)),
        ("initiator",): reading.initiator,
        ("votes",): reading.vote_count,
        ("links",): doctor.link_ways,
        ("device",): reading.device_host,
        ("sessions",): initiator.sessions,
        ("records",): initiator.records,
        ("boot-units", "wwids"): lambda ssh, node: initiator.boot(ssh, node, transport),
        ("fabric",): fibre.fabric_of,
        ("hostnqn",): nvme.hostnqn,
        ("nvme-multipath",): nvme.native,
        ("nvme-subsystems",): nvme.controllers,
        ("discovery",): nvme.lines,
        ("nvme-unit",): nvme.autoconnects,
        ("multipath-config",): initiator.config,
        ("maps",): maps.all_maps,
        ("volume-groups",): lvm.volume_groups,
        ("logical-volumes",): lambda ssh, node: lvm.active_volumes(ssh, [node], vg, limit=_SLOW),
    }
    iscsi, over_nvme = {"initiator", "sessions", "records"}, _NVME
    without: set[str] = {
        "iscsi": {"fabric"} | over_nvme,
        "fc": iscsi | over_nvme,
        "nvme-tcp": iscsi | {"fabric", "boot-units", "multipath-config"},
    }[transport]
    return {labels: ask for labels, ask in questions.items() if labels[0] not in without}


def _witness_questions(inventory: Inventory) -> dict[tuple[str, ...], Ask]:
    async def clients(ssh: Tape, host: str) -> object:
        return parse_clients(await ssh.read(host, "corosync-qnetd-tool", "-l", limit=LIMIT), inventory.name)

    return {
        ("packages",): lambda ssh, host: reading.installed(ssh, host, reading.WITNESS_PACKAGES),
        ("units",): lambda ssh, host: doctor.unit_states(ssh, host, doctor.WITNESS_UNITS),
        ("release",): doctor.debian_release,
        ("witness-clients",): clients,
    }


async def node(ssh: Tape, inventory: Inventory, name: str) -> list[Answer]:
    """All that a node tells."""
    questions = _node_questions(inventory)
    if inventory.node(name) not in inventory.site_nodes:  # of a third place: it has a vote and no way to the arrays
        questions = {labels: ask for labels, ask in questions.items() if labels[0] in _OF_VOTERS}
    return await _asked(ssh, "node", name, questions)


async def witness(ssh: Tape, inventory: Inventory) -> list[Answer]:
    """All that the witness tells."""
    return await _asked(ssh, "witness", inventory.decider, _witness_questions(inventory))


async def _asked(ssh: Tape, of: Of, host: str, questions: dict[tuple[str, ...], Ask]) -> list[Answer]:
    """Each question by itself: one that fails hides no other. Who does not let us in is asked no more."""
    refused = await doctor.login(ssh, host)
    if refused is not None:
        return [Answer(of=of, who=host, what="login", word=refused.word)]
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(labels: tuple[str, ...], ask: Ask) -> list[Answer]:
        async with slots:
            found = await told(ask(ssh, host), host, _SLOW)
        word = found.word if isinstance(found, Unread) else ""
        return [ssh.told(of, host, label, word) for label in labels]

    every = await asyncio.gather(*(one(labels, ask) for labels, ask in questions.items()))
    return [answer for some in every for answer in some]
