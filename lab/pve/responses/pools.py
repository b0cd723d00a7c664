"""Pools: guests and storages under one name."""

import re
from typing import Any

from lab.pve.daemon.calls import Call, Routes
from lab.pve.errors import PveError, rejected
from lab.pve.etc.access import Pool
from lab.pve.responses.cluster import storage_resources
from lab.pve.views.guests import cluster_rows

routes = Routes()

_LOCK = "file-user_cfg"


def _pool(call: Call) -> Pool:
    found = call.cluster.access.pools.get(call["poolid"])
    if found is None:
        raise PveError(f"pool '{call['poolid']}' does not exist")
    return found


@routes.on("GET /pools")
async def pools(call: Call) -> list[dict[str, Any]]:
    """The pools that the caller may see; one that is asked for by name comes with its members."""
    wanted = call.get("poolid")
    found = []
    for name, pool in sorted(call.cluster.access.pools.items()):
        if wanted in (None, name) and call.may(f"/pool/{name}", "Pool.Audit"):
            members = {"members": _members(call, pool)} if wanted else {}
            found.append({"poolid": name, **_comment(pool), **members})
    if wanted is not None and wanted not in call.cluster.access.pools:
        raise PveError(f"pool '{wanted}' does not exist")
    return found


def _comment(pool: Pool) -> dict[str, str]:
    return {"comment": pool.comment} if pool.comment else {}


def _members(call: Call, pool: Pool) -> list[dict[str, Any]]:
    """What /cluster/resources says of each: a guest once, a storage once for the node that is asked."""
    guests = [entry for entry in cluster_rows(call) if entry["vmid"] in pool.guests]
    storages = [
        entry for entry in storage_resources(call) if entry["storage"] in pool.storages and entry["node"] == call.node
    ]
    return [entry for entry in guests + storages if call.get("type") in (None, entry["type"])]


@routes.on("GET /pools/{poolid}")
async def pool(call: Call) -> dict[str, Any]:
    """One pool with its members."""
    found = _pool(call)
    return {**_comment(found), "members": _members(call, found)}


@routes.on("POST /pools")
async def create(call: Call) -> None:
    """Make an empty pool."""
    await call.cluster.config_lock(call.node, _LOCK, "create pool failed")
    if call["poolid"] in call.cluster.access.pools:
        raise PveError(f"create pool failed: pool '{call['poolid']}' already exists")
    call.cluster.access.pools[call["poolid"]] = Pool(call.get("comment", ""))
    call.cluster.world.record("pve", "pool.create", call["poolid"])


@routes.on("PUT /pools", "PUT /pools/{poolid}")
async def update(call: Call) -> None:
    """Change the comment, or put members in, or with `delete` take them out."""
    await call.cluster.config_lock(call.node, _LOCK, "update pools failed")
    found, out = _pool(call), bool(call.get("delete"))
    if call.get("comment") is not None:
        found.comment = call["comment"]
    for vmid in map(int, _listed(call.get("vms"))):
        call.require(f"/vms/{vmid}", "VM.Allocate")
        _place_guest(call, found, vmid, out=out)
    for storage in _listed(call.get("storage")):
        call.require(f"/storage/{storage}", "Datastore.Allocate")
        if out == (storage not in found.storages):
            said = "is not a member" if out else "is already a pool member"
            raise rejected(storage=f"Storage '{storage}' {said}")
        (found.storages.discard if out else found.storages.add)(storage)
    call.cluster.world.record("pve", "pool.update", call["poolid"])


def _place_guest(call: Call, pool: Pool, vmid: int, *, out: bool) -> None:
    """A guest is in one pool at most."""
    if vmid not in call.cluster.guests:
        raise PveError(f"update pools failed: VM {vmid} does not exist")
    if out and vmid not in pool.guests:
        raise rejected(vms=f"VM {vmid} is not a pool member")
    if not out and vmid in pool.guests:
        raise PveError(f"update pools failed: VM {vmid} is already a pool member")
    for name, other in call.cluster.access.pools.items():
        if not out and vmid in other.guests:
            if not call.get("allow-move"):
                belongs = f"VM {vmid} belongs already to pool '{name}' and 'allow-move' is not set"
                raise PveError(f"update pools failed: {belongs}")
            other.guests.discard(vmid)
    (pool.guests.discard if out else pool.guests.add)(vmid)


def _listed(text: str | None) -> list[str]:
    return [item for item in re.split(r"[,; ]+", text or "") if item]


@routes.on("DELETE /pools", "DELETE /pools/{poolid}")
async def delete(call: Call) -> None:
    """Remove a pool without members."""
    await call.cluster.config_lock(call.node, _LOCK, "delete pool failed")
    found = _pool(call)
    if found.guests or found.storages:
        raise PveError(f"delete pool failed: pool '{call['poolid']}' is not empty")
    del call.cluster.access.pools[call["poolid"]]
    call.cluster.world.record("pve", "pool.delete", call["poolid"])
