"""Every endpoint at once, each within its limits; one that is dead is noted, and nobody waits for it."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from activities.clients.controllers import Controllers
from activities.clients.proxmox import PveApi
from activities.clients.purity import FlashArray
from activities.clients.secrets import Secrets
from activities.doctor.asking import Threads
from activities.probe import arrays, cluster, controllers, hosts
from activities.probe.tape import Tape
from cluster.inventory import Inventory
from cluster.probing.cleaning import Answer

# Told after each endpoint: how many have answered, of how many.
Progress = Callable[[int, int], None]
# Seconds that one answer over HTTPS may take: several times what a healthy management API takes.
HTTPS_LIMIT = 10.0


async def answers(inventory: Inventory, path: Path, progress: Progress) -> list[Answer]:
    """All answers, in the order of the inventory."""
    secrets, threads = Secrets(path.parent), Threads()
    ssh = Tape(inventory, secrets)
    api, power = PveApi(inventory, secrets, timeout=HTTPS_LIMIT), Controllers(secrets)
    clients = [FlashArray(one, secrets, read_timeout=HTTPS_LIMIT) for one in inventory.arrays]
    work: list[Awaitable[list[Answer]]] = [
        cluster.cluster(api, inventory, threads),
        *(threads.run(lambda client=client: arrays.array(client, inventory)) for client in clients),  # type: ignore[misc]
        *(hosts.node(ssh, inventory, node.name) for node in inventory.nodes),
        *((hosts.witness(ssh, inventory),) if inventory.witness else ()),
        *(
            threads.run(lambda name=node.name, bmc=node.bmc: [controllers.controller(power, name, bmc)])  # type: ignore[misc]
            for node in inventory.nodes
            if node.bmc is not None
        ),
    ]
    answered = 0

    async def counted(one: Awaitable[list[Answer]]) -> list[Answer]:
        nonlocal answered
        found = await one
        answered += 1
        progress(answered, len(work))
        return found

    try:
        every = await asyncio.gather(*map(counted, work))
    finally:
        await ssh.close()
        threads.close()
    return [answer for some in every for answer in some]
