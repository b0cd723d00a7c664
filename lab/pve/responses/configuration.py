"""The cluster's configuration: corosync's as far as the API tells it, and the datacenter's options.

The API neither sets up nor removes a quorum device and does not tell votes: that is done on the hosts.
"""

import hashlib
import re
import time
from typing import Any

from lab.physics.links import RINGS
from lab.pve.daemon.calls import Call, Routes
from lab.pve.responses.cluster import fingerprint

routes = Routes()

# Options that are property strings and come parsed.
_PROPERTY_STRINGS = ("ha", "migration", "crs", "bwlimit", "next-id", "notify", "replication", "u2f", "webauthn")


@routes.on("GET /cluster/config/nodes")
async def config_nodes(call: Call) -> list[dict[str, str]]:
    """The node list of corosync.conf; all values are text there."""
    return [
        {"node": name, "name": name, "nodeid": str(host.node_id), "quorum_votes": "1"}
        | {f"ring{ring}_addr": host.ring_address(ring) for ring in RINGS}
        for name, host in call.cluster.world.nodes.items()
    ]


@routes.on("GET /cluster/config/totem")
async def config_totem(call: Call) -> dict[str, Any]:
    """The totem section."""
    corosync = call.cluster.world.corosync
    return {
        "cluster_name": call.cluster.world.inventory.name,
        "config_version": str(corosync.config_version),
        "interface": {str(ring): {"linknumber": str(ring)} for ring in RINGS},
        "ip_version": "ipv4-6",
        "link_mode": "passive",
        "secauth": "on",
        "version": "2",
        "token_coefficient": str(corosync.token_coefficient),
    }


@routes.on("GET /cluster/config/join")
async def config_join(call: Call) -> dict[str, Any]:
    """What a new node would need."""
    hosts = call.cluster.world.nodes
    nodes = [
        {**node, "pve_addr": hosts[node["name"]].address, "pve_fp": fingerprint(call.cluster.world, node["name"])}
        for node in await config_nodes(call)
    ]
    totem = await config_totem(call)
    digest = hashlib.sha1(repr((nodes, totem)).encode(), usedforsecurity=False).hexdigest()
    return {"nodelist": nodes, "preferred_node": call.node, "totem": totem, "config_digest": digest}


@routes.on("GET /cluster/config/apiversion")
async def config_apiversion(_: Call) -> int:
    """The version of the join API."""
    return 1


@routes.on("GET /cluster/config/qdevice")
async def config_qdevice(call: Call) -> dict[str, str]:
    """The asked node's own view of the quorum device; empty while its daemon does not run."""
    world = call.cluster.world
    device = world.votes(call.node).device
    if device == "none":
        return {}
    polled = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(world.clock.now()))
    return {
        "Model": "Net",
        "QNetd host": f"{world.witness.address}:5403",
        "Algorithm": "Fifty-Fifty split",
        "Tie-breaker": "Node with lowest node ID",
        "Last poll call": f"{polled} (cast vote)" if device == "voting" else polled,
        "State": world.membership.device_state(call.node),
    }


@routes.on("GET /cluster/options")
async def options(call: Call) -> dict[str, Any]:
    """The datacenter's options; property strings come parsed."""
    found = {**call.cluster.options, "allowed-tags": []}
    if not call.may("/", "Sys.Audit"):
        return {name: value for name, value in found.items() if name in ("console", "allowed-tags", "tag-style")}
    parsed = {
        name: dict(part.partition("=")[::2] for part in str(value).split(","))
        for name, value in found.items()
        if name in _PROPERTY_STRINGS
    }
    return found | parsed


@routes.on("PUT /cluster/options")
async def set_options(call: Call) -> None:
    """Change the datacenter's options."""
    await call.cluster.config_lock(call.node, "file-datacenter_cfg")
    changes = {name: value for name, value in call.parameters.items() if name != "delete"}
    deleted = [name for name in re.split(r"[,; ]+", call.get("delete", "")) if name]
    call.cluster.options |= changes
    for name in deleted:
        call.cluster.options.pop(name, None)
    call.cluster.world.record("pve", "options.update", "datacenter", **changes, **dict.fromkeys(deleted))
