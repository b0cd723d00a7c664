"""What the nodes themselves tell over SSH: by what the arrays know them, and which volume carries which group."""

import asyncio
from collections.abc import Mapping, Sequence

from activities.clients.secrets import Secrets
from activities.clients.ssh import Hosts
from activities.errors import Unreachable, Word
from activities.hosts import nvme, reading
from activities.hosts.fibre import fabric_of
from activities.hosts.lvm import volume_groups
from activities.hosts.maps import map_of
from cluster.inventory import Ssh
from cluster.transports import Transport, alike
from cluster.volumes import wwid_of
from workers.cli.init.choice import Pods
from workers.cli.init.reading import LIMIT, provisional
from workers.cli.init.seen import SeenArray

Told = Mapping[str, tuple[str, ...] | Word]


async def initiators(nodes: Mapping[str, str], ssh: Ssh, secrets: Secrets, transport: Transport) -> Told:
    """What each node calls itself for that transport, or why it is not known."""
    hosts = Hosts(provisional(nodes, ssh=ssh), secrets)

    async def one(node: str) -> tuple[str, ...] | Word:
        try:
            async with asyncio.timeout(LIMIT):
                return await _own(hosts, node, transport)
        except Word as word:
            return word
        except TimeoutError:
            return Unreachable(f"{node}: does not tell its {transport} initiators within {LIMIT:.0f} s")

    try:
        return dict(zip(nodes, await asyncio.gather(*map(one, nodes)), strict=True))
    finally:
        await hosts.close()


async def _own(hosts: Hosts, node: str, transport: Transport) -> tuple[str, ...]:
    if transport == "fc":
        return tuple(one.wwn for one in (await fabric_of(hosts, node)).hbas)
    if transport == "nvme-tcp":
        return (await nvme.hostnqn(hosts, node),)
    return (await reading.initiator(hosts, node),)


def chosen(
    nodes: Sequence[str], arrays: Sequence[SeenArray], told: Told, transport: Transport
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """By what the arrays are to know each node, with notes where node and arrays say different things. Pure.

    A node's own name goes before the arrays'. Of HBA ports the arrays' list is taken: a node may have ports for other
    things, and one that no array knows carries no path.
    """
    found: dict[str, tuple[str, ...]] = {}
    notes: list[str] = []
    for node in nodes:
        own = told.get(node)
        hosts = {array.name: array.hosts[node].known_by(transport) for array in arrays if node in array.hosts}
        listed = tuple(dict.fromkeys(one for known in hosts.values() for one in known))
        if isinstance(own, Word):
            notes.append(own.message)
        if isinstance(own, tuple) and own:
            names = {alike(one) for one in own}
            wrong = {
                name: known
                for name, known in hosts.items()
                if (said := {alike(one) for one in known}) != names and not (transport == "fc" and said < names)
            }
            notes += [
                f"{name} has host {node} with {', '.join(known) or 'no initiator'}; the node itself says "
                f"{', '.join(own)}"
                for name, known in wrong.items()
            ]
            found[node] = listed if transport == "fc" and listed else own
        elif listed and (transport == "fc" or len(listed) == 1):
            found[node] = listed
    return found, notes


async def carried(
    nodes: Mapping[str, str], ssh: Ssh, secrets: Secrets, pods: Pods, transport: Transport
) -> tuple[dict[str, str], list[str]]:
    """The volume that carries each volume group, as the first node that tells it has it; why it is not known."""
    wwids = {wwid_of(one.serial, transport): f"{pod}::{one.name}" for pod, of in pods.items() for one in of}
    hosts = Hosts(provisional(nodes, ssh=ssh), secrets)
    said = ""
    try:
        for node in nodes:
            try:
                async with asyncio.timeout(LIMIT):
                    groups = await volume_groups(hosts, node)
                    maps = {volume: await map_of(hosts, node, wwid) for wwid, volume in wwids.items()}
            except Word as word:
                said = said or word.message
            except TimeoutError:
                said = said or f"{node}: does not tell its volume groups within {LIMIT:.0f} s"
            else:
                return {
                    group.name: volume
                    for group in groups
                    for volume, found in maps.items()
                    if found is not None and found.names(group.device)
                }, []
    finally:
        await hosts.close()
    return {}, [f"which volume carries which volume group is not known: {said}"]
