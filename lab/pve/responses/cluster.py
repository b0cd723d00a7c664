"""The cluster as a whole: status, resources, log, login and the caller's own rights."""

from typing import TYPE_CHECKING, Any

from lab.pve.daemon.calls import Call, Routes
from lab.pve.errors import rejected
from lab.pve.views.guests import NODE_CPUS, cluster_rows
from lab.serving import certificates

if TYPE_CHECKING:
    from lab.physics.world import World
    from lab.pve.etc.access import Identity

routes = Routes()

VERSION = {"version": "9.1.9", "release": "9.1", "repoid": "7cdf4b2a9e6f0c31"}
# A node of the article's class; the twin does not simulate load.
NODE_MEMORY, NODE_MEMORY_USED = 540842557440, 41200000000
NODE_DISK, NODE_DISK_USED = 100861726720, 12641939456
NODE_LOAD = 0.03

_EMPTY_LISTS = (
    "GET /nodes/{node}/replication",
    "GET /cluster/replication",
)


@routes.on(*_EMPTY_LISTS)
async def nothing(_: Call) -> list[Any]:
    """What a cluster of this design does not use, but its clients ask for."""
    return []


@routes.on("GET /version", "GET /nodes/{node}/version")
async def version(call: Call) -> dict[str, str]:
    """The version of pve-manager on the node that is asked."""
    own = call.cluster.world.nodes[call.node].versions.get("pve-manager")
    return VERSION if own is None else {**VERSION, "version": own, "release": ".".join(own.split(".")[:2])}


@routes.on("POST /access/ticket")
async def login(call: Call) -> dict[str, Any]:
    """A ticket for a password."""
    user = call["username"] if "@" in call["username"] else f"{call['username']}@{call.get('realm', 'pam')}"
    access = call.cluster.read_by(call.node).access
    ticket, csrf = access.login(user, call["password"], call.cluster.world.clock.now())
    identity = type(call.identity)(user)
    found = {"username": user, "ticket": ticket, "CSRFPreventionToken": csrf, "cap": _capabilities(call, identity)}
    if access.may(identity, "/", "Sys.Audit"):
        found["clustername"] = call.cluster.world.inventory.name
    return found


def _capabilities(call: Call, identity: "Identity") -> dict[str, dict[str, int]]:
    """What a web page would offer this user, by area."""
    areas = {"vms": "VM.", "storage": "Datastore.", "nodes": "Sys.", "dc": "Sys.", "sdn": "SDN.", "mapping": "Mapping."}
    places = {"dc": "/"}
    found: dict[str, dict[str, int]] = {"access": {}}
    for area, prefix in areas.items():
        rights = call.cluster.access.privileges(identity, places.get(area, f"/{area}"))
        found[area] = {name: 1 for name in rights if name.startswith(prefix)}
    return found


@routes.on("GET /cluster/status")
async def cluster_status(call: Call) -> list[dict[str, Any]]:
    """The cluster and its nodes, in the words of the node that was asked."""
    world = call.cluster.world
    votes = world.votes(call.node)
    head = {
        "type": "cluster",
        "id": "cluster",
        "name": world.inventory.name,
        "nodes": len(world.nodes),
        "version": world.corosync.config_version,
        "quorate": int(votes.quorate),
    }
    nodes = [
        {
            "type": "node",
            "id": f"node/{name}",
            "name": name,
            "nodeid": host.node_id,
            "ip": host.address,
            "local": int(name == call.node),
            "online": int(name in votes.members),
            "level": "",
        }
        for name, host in world.nodes.items()
    ]
    return [head, *nodes]


@routes.on("GET /cluster/resources")
async def resources(call: Call) -> list[dict[str, Any]]:
    """Guests, nodes and storages in one list; guests and storages only for those who may see them."""
    wanted = call.get("type")
    found: list[dict[str, Any]] = []
    if wanted in (None, "vm"):
        found += cluster_rows(call)
    if wanted in (None, "node"):
        found += [_node_resource(call, name) for name in call.cluster.world.nodes]
    if wanted in (None, "storage"):
        found += storage_resources(call)
    return found


def _node_resource(call: Call, name: str) -> dict[str, Any]:
    """A node as the asked one sees it; of one that is away only its sizes are told, and after five minutes nothing.

    Source: PVE::API2Tools, extract_node_stats.
    """
    online = name in call.cluster.world.votes(call.node).members
    entry: dict[str, Any] = {
        "id": f"node/{name}",
        "type": "node",
        "node": name,
        "status": "online" if online else "offline",
        "cgroup-mode": 2,
    }
    if call.cluster.broadcasts.knows(call.node, name):
        entry["level"] = ""
        if call.may(f"/nodes/{name}", "Sys.Audit"):
            entry |= {"maxcpu": NODE_CPUS, "maxmem": NODE_MEMORY, "maxdisk": NODE_DISK}
            if online:
                up = call.cluster.world.uptime(call.cluster.world.nodes[name])
                entry |= {"cpu": NODE_LOAD, "mem": NODE_MEMORY_USED, "disk": NODE_DISK_USED, "uptime": up}
    manager = call.cluster.ha.seen_by(call.node).manager
    return entry | {"hastate": manager.nodes[name]} if manager and name in manager.nodes else entry


def storage_resources(call: Call) -> list[dict[str, Any]]:
    """Each storage once for every node that it serves."""
    found = []
    for storage in call.cluster.storages.values():
        if not call.may(f"/storage/{storage.id}", "Datastore.Audit"):
            continue
        for node in call.cluster.world.nodes:
            if not storage.serves(node) or not storage.enabled:
                continue
            entry: dict[str, Any] = {
                "id": f"storage/{node}/{storage.id}",
                "type": "storage",
                "storage": storage.id,
                "node": node,
                "status": "unknown",
                "plugintype": storage.type,
                "shared": int(storage.shared),
                "content": storage.properties.get("content", "images"),
            }
            status = call.cluster.broadcasts.of_storage(call.node, node, storage.id)
            if status and status["active"]:
                entry |= {"status": "available", "maxdisk": status["total"], "disk": status["used"]}
            found.append(entry)
    return found


@routes.on("GET /cluster/nextid")
async def next_id(call: Call) -> str:
    """The lowest free id, or whether one is free."""
    taken = set(call.cluster.guests)
    if (asked := call.get("vmid")) is not None:
        if asked in taken:
            raise rejected(vmid=f"VM {asked} already exists")
        return str(asked)
    return str(next(vmid for vmid in range(100, 1_000_000_000) if vmid not in taken))


@routes.on("GET /cluster/log")
async def cluster_log(call: Call) -> list[dict[str, Any]]:
    """The ring of recent events, newest first: the beginnings and ends of tasks."""
    found: list[dict[str, Any]] = []
    for task, as_of in call.cluster.broadcasts.tasks(call.node):
        if call.identity.name != task.identity.name and not call.may("/", "Sys.Syslog"):
            continue
        common = {"pri": 6, "user": task.identity.name, "node": task.node, "tag": "pvedaemon", "pid": task.pid}
        found.append({**common, "time": task.starttime, "msg": f"starting task {task.upid}"})
        if task.over(as_of) and not task.died:
            found.append({**common, "time": task.endtime, "msg": f"end task {task.upid} {task.exitstatus}"})
    numbered = [{**entry, "uid": n, "id": f"{n}:{entry['node']}"} for n, entry in enumerate(found, start=1)]
    return list(reversed(numbered))[: call.get("max", 50)]


def fingerprint(world: "World", node: str) -> str:
    """The SHA-256 of the certificate that a node shows; made up from its name where nothing is served."""
    return world.fingerprints.get(node) or certificates.fingerprint(node.encode())


@routes.on("GET /nodes")
async def nodes(call: Call) -> list[dict[str, Any]]:
    """The nodes as resources, with the fingerprints of their certificates."""
    names = call.cluster.world.nodes
    return [{**_node_resource(call, name), "ssl_fingerprint": fingerprint(call.cluster.world, name)} for name in names]
