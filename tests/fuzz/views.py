"""What the twin's own APIs say at one moment, asked as a client would, without the sockets in between.

PVE's handlers, the arrays' items and the hosts' commands: the same code that answers over the wire. Texts are read by
the parsers of the engine.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from activities.parsing.multipath import Map, parse_maps
from activities.parsing.votes import VoteCount, parse_votes
from lab.hosts.node import NODE
from lab.hosts.shell import Registry
from lab.hosts.witness import WITNESS
from lab.physics.world import Host
from lab.purity.views import arrays as views
from lab.purity.views import hosts as hostviews
from lab.pve.daemon.calls import Call
from lab.pve.etc.access import ROOT
from lab.pve.urls import routes
from lab.world import World

ROUTES = routes().table


@dataclass(frozen=True)
class NodeView:
    """One node's own answers."""

    status: list[dict[str, Any]]
    resources: list[dict[str, Any]]
    ha: list[dict[str, Any]]
    manager: dict[str, Any]
    votes: VoteCount
    maps: list[Map]
    volumes: str
    uptime: int
    shell_uptime: float
    ring: str
    options: dict[str, Any]
    machines: list[dict[str, Any]]
    tasks: list[dict[str, Any]]
    cluster_tasks: list[dict[str, Any]]

    @property
    def rows(self) -> dict[str, dict[str, Any]]:
        """The guests in the cluster's list, by their ids."""
        return {entry["id"]: entry for entry in self.resources if entry["type"] in ("qemu", "lxc")}

    @property
    def online(self) -> set[str]:
        return {entry["name"] for entry in self.status if entry["type"] == "node" and entry["online"]}

    @property
    def quorate(self) -> bool:
        return bool(next(entry["quorate"] for entry in self.status if entry["type"] == "cluster"))


@dataclass(frozen=True)
class ArrayView:
    """One array's own answers."""

    pods: list[dict[str, Any]]
    hosts: list[dict[str, Any]]
    connections: list[dict[str, Any]]


@dataclass(frozen=True)
class Views:
    """All that can be asked."""

    nodes: dict[str, NodeView]
    arrays: dict[str, ArrayView]
    clients: str  # qnetd's list; empty while the witness has no power
    witness_uptime: float | None = None


async def ask(world: World) -> Views:
    """Ask everybody who has power, at one moment."""
    with world.still():
        return await _asked(world)


async def _asked(world: World) -> Views:
    nodes = {name: await _node(world, name) for name, host in world.nodes.items() if host.powered}
    arrays = {
        name: ArrayView(views.pods(array), hostviews.all_hosts(array), views.array_connections(array))
        for name, array in world.arrays.items()
        if array.up
    }
    witness = world.witness
    clients = (await WITNESS.run(world, witness, "corosync-qnetd-tool -l")).stdout if witness.powered else ""
    return Views(nodes, arrays, clients, await _shell_uptime(world, WITNESS, witness) if witness.powered else None)


async def _shell_uptime(world: World, registry: Registry, host: Host) -> float:
    """Seconds, from the moment of the boot and the host's own clock."""
    now = float((await registry.run(world, host, "date +%s.%N")).stdout)
    since = (await registry.run(world, host, "uptime -s")).stdout.strip()
    return now - datetime.strptime(since, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp()


async def _node(world: World, name: str) -> NodeView:
    async def get(path: str) -> Any:
        return await ROUTES["GET", path](Call(world.cluster, name, ROOT, {"node": name}))

    async def run(line: str) -> str:
        return (await NODE.run(world, world.nodes[name], line)).stdout

    tasks = await ROUTES["GET", "/nodes/{node}/tasks"](
        Call(world.cluster, name, ROOT, {"node": name, "source": "all", "limit": 1000})
    )
    votes = await run("pvecm status")
    ring = re.search(r"Ring ID: +(\S+)", votes)
    return NodeView(
        status=await get("/cluster/status"),
        resources=await get("/cluster/resources"),
        ha=await get("/cluster/ha/status/current"),
        manager=await get("/cluster/ha/status/manager_status"),
        votes=parse_votes(votes),
        maps=parse_maps(await run("multipath -ll")),
        volumes=await run("lvs"),
        uptime=(await get("/nodes/{node}/status"))["uptime"],
        shell_uptime=await _shell_uptime(world, NODE, world.nodes[name]),
        ring=ring[1] if ring else "",
        options=await get("/cluster/options"),
        machines=await get("/nodes/{node}/qemu"),
        tasks=tasks.data,
        cluster_tasks=await get("/cluster/tasks"),
    )
