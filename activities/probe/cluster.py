"""The Proxmox VE API: the cluster through the first node that answers, and every node's own version."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from activities.doctor.asking import Threads, read
from activities.parsing.guests import parse_guests
from cluster.doctor.check import Unread
from cluster.inventory import Inventory
from cluster.probing.cleaning import Answer

if TYPE_CHECKING:
    from activities.clients.proxmox import PveApi

PATHS = {
    "status": "cluster/status",
    "resources": "cluster/resources",
    "options": "cluster/options",
    "storage": "storage",
    "ha-resources": "cluster/ha/resources",
    "ha-rules": "cluster/ha/rules",
    "ha-manager": "cluster/ha/status/manager_status",
    "ha-current": "cluster/ha/status/current",
    "backup": "cluster/backup",
}
# Guests' configurations at a time; the API answers each in a tenth of a second.
_AT_ONCE = 8


async def cluster(api: "PveApi", inventory: Inventory, threads: Threads) -> list[Answer]:
    """All that is told. One node is asked about the cluster, so that its answers belong together."""

    async def ask(answer: Answer, question: Callable[[], Any]) -> Answer:
        found = await threads.run(lambda: read(question, answer.who))
        return answer.model_copy(update={"word": found.word} if isinstance(found, Unread) else {"data": found})

    names = [node.name for node in inventory.nodes]
    versions = await asyncio.gather(
        *(
            ask(Answer(of="node", who=name, what="version"), lambda name=name: api.get("version", node=name))  # type: ignore[misc]
            for name in names
        )
    )
    asked = next((one.who for one in versions if not one.word), None)
    if asked is None:
        return versions
    whole = [
        ask(Answer(of="cluster", who=inventory.name, what=what), lambda path=path: api.get(path, node=asked))  # type: ignore[misc]
        for what, path in PATHS.items()
    ]
    told = await asyncio.gather(*whole)
    resources = next(one.data for one in told if one.what == "resources")
    return [*versions, *told, *await _guests(api, inventory, asked, resources, ask)]


async def _guests(
    api: "PveApi", inventory: Inventory, asked: str, resources: Any, ask: Callable[..., Any]
) -> list[Answer]:
    """The configuration of every guest, from the node that has its file."""
    rows = read(lambda: parse_guests(resources or []), asked)
    if isinstance(rows, Unread):
        return []
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(path: str, number: int) -> Answer:
        async with slots:
            answer = Answer(of="cluster", who=inventory.name, what="guest", item=str(number))
            found: Answer = await ask(answer, lambda: api.get(path, node=asked))
            return found

    places = sorted(
        (int(row["vmid"]), str(row["type"]), str(row["node"]))
        for row in resources or []
        if row.get("type") in ("qemu", "lxc")
    )
    paths = ((f"nodes/{node}/{kind}/{number}/config", number) for number, kind, node in places)
    return list(await asyncio.gather(*(one(path, number) for path, number in paths)))
