"""The Proxmox VE API: every node by itself, and the token's rights through the first one that answers."""

import asyncio
import re
from typing import TYPE_CHECKING, Any

from activities.doctor.asking import Threads, read
from activities.proxmox.rights import ASKS_AGENTS, SEES, rights_at, sight_of
from cluster import rings
from cluster.doctor.check import Unread
from cluster.doctor.nodes import ClusterTold, Members, Source
from cluster.inventory import Inventory
from cluster.privileges import PROCEDURES, Sight, paths

if TYPE_CHECKING:
    from activities.clients.proxmox import PveApi

# A card of a guest at a bridge of the node's own: ``virtio=BC:…,bridge=vmbr0``; bridges of SDN have other names.
_BRIDGE = re.compile(r"\bbridge=(vmbr\d+)\b")
_ZONE = "/sdn/zones/localnetwork"


async def cluster(
    api: "PveApi", inventory: Inventory, names: list[str], threads: Threads, *, rights: bool = True
) -> ClusterTold:
    """All that is told; `names` are the nodes that answer at all. `rights`: what the token may do is asked, too."""

    def version(node: str) -> str | Unread:
        return read(lambda: str(api.get("version", node=node)["version"]), node)

    found = await asyncio.gather(*(threads.run(lambda node=node: version(node)) for node in names))  # type: ignore[misc]
    versions = dict(zip(names, found, strict=True))
    asked = next((node for node, said in versions.items() if isinstance(said, str)), None)
    if asked is None:
        silent = next((said for said in found if isinstance(said, Unread)), None)
        why = silent or Unread(word="Unreachable", said="no node's API answers")
        return nothing(why).model_copy(update={"versions": versions})
    members, has, sights, sources = await asyncio.gather(
        threads.run(lambda: read(lambda: _members(api.get("cluster/status", node=asked)), asked)),
        threads.run(lambda: read(lambda: _rights(api, inventory, asked), asked) if rights else {}),
        threads.run(lambda: read(lambda: _sights(api, asked), asked) if rights else ()),
        threads.run(lambda: read(lambda: _sources(api, inventory, asked), asked) if rights else ()),
    )
    links: dict[str, tuple[str, ...]] | Unread = {}
    if rings.stated(inventory):
        links = await threads.run(lambda: read(lambda: rings.told(api.get("cluster/config/nodes", node=asked)), asked))
    return ClusterTold(versions=versions, members=members, rights=has, sights=sights, sources=sources, links=links)


def nothing(why: Unread) -> ClusterTold:
    """What is told where nothing is."""
    return ClusterTold(versions={}, members=why, rights=why, sights=why, sources=why)


def _members(entries: list[dict[str, Any]]) -> Members:
    head = next((entry for entry in entries if entry["type"] == "cluster"), {})
    nodes = [entry for entry in entries if entry["type"] == "node"]
    return Members(
        name=str(head.get("name") or ""),
        ids={str(entry["name"]): int(entry.get("nodeid") or 0) for entry in nodes},
        offline=tuple(str(entry["name"]) for entry in nodes if not entry.get("online")),
    )


def _rights(api: "PveApi", inventory: Inventory, node: str) -> dict[str, frozenset[str]]:
    return {path: frozenset(rights_at(api, path, node)) for path in paths(inventory, PROCEDURES)}


def _sights(api: "PveApi", node: str) -> tuple[Sight, ...]:
    return tuple(sight_of(api, privilege, node) for privilege in (SEES, ASKS_AGENTS))


def _sources(api: "PveApi", inventory: Inventory, node: str) -> tuple[Source, ...]:
    rows = {int(row["vmid"]): row for row in api.get("cluster/resources", node=node, type="vm")}
    wanted = sorted({guest.template for guest in inventory.guests})
    return tuple(
        Source(vmid=vmid, listed=True, closed=_closed(api, str(rows[vmid]["node"]), vmid, node))
        if vmid in rows
        else Source(vmid=vmid, listed=False)
        for vmid in wanted
    )


def _closed(api: "PveApi", at: str, vmid: int, node: str) -> tuple[str, ...]:
    """Plain bridges of the guest's cards that the token may not use: they belong to the zone `localnetwork`."""
    config = api.get(f"nodes/{at}/qemu/{vmid}/config", node=node)
    cards = [str(value) for name, value in config.items() if name.startswith("net")]
    found = {f"{_ZONE}/{bridge[1]}" for card in cards if (bridge := _BRIDGE.search(card))}
    return tuple(path for path in sorted(found) if "SDN.Use" not in rights_at(api, path, node))
