"""One application per node: the handlers' table, the daemon before it and the physics of a device around both."""

from email.utils import formatdate
from typing import TYPE_CHECKING
from urllib.parse import unquote

from aiohttp import web

from lab.pve.daemon import indexes
from lab.pve.daemon.calls import Routes
from lab.pve.daemon.front import BASE, UNAUTHORIZED_DELAY, Front
from lab.pve.daemon.keepalive import KeepAlive
from lab.pve.errors import forgotten, planted
from lab.pve.responses import (
    acl,
    backups,
    cluster,
    configuration,
    containers,
    guest_config,
    guest_disks,
    guest_reads,
    guests,
    ha,
    ha_rules,
    node_info,
    nodes,
    notifications,
    pools,
    rrd,
    storage,
    tasks,
    users,
)
from lab.serving import wire

if TYPE_CHECKING:
    from lab.physics.world import World


def routes() -> Routes:
    """All calls that the twin answers."""
    table = Routes()
    rooms = (
        cluster, configuration, nodes, tasks, guests, containers, guest_config, storage, ha, ha_rules,
        indexes, notifications, users, acl, pools, node_info, guest_reads, guest_disks, backups, rrd,
    )  # fmt: skip
    for room in rooms:
        table.table |= room.routes.table
    return table


def application(world: "World", node: str) -> web.Application:
    """The API of one node; it answers for the whole cluster, with its own `local` and its own view of the votes."""

    async def forget(_: web.Request) -> web.Response:
        await world.clock.sleep(UNAUTHORIZED_DELAY)
        return forgotten().response()

    device = wire.device(world, f"pve:{node}", call=_name, refuse=planted, forget=forget)

    @web.middleware
    async def around(request: web.Request, handler: wire.Handler) -> web.StreamResponse:
        return await device(request, handler)

    found = web.Application(middlewares=[KeepAlive().__call__, around])
    found.router.add_route("*", "/{path:.*}", Front(world, node, routes()).handle)
    found.on_response_prepare.append(_headers)
    return found


def _name(request: web.Request) -> str:
    """``POST /nodes/pxmx01-01/qemu/101/clone``."""
    return f"{request.method} {unquote(request.rel_url.raw_path).removeprefix(BASE)}"


async def _headers(_: web.Request, response: web.StreamResponse) -> None:
    """The daemon's own headers; refusals of the HTTP layer carry no content type."""
    response.headers["Server"] = "pve-api-daemon/3.0"
    response.headers["Pragma"] = "no-cache"
    response.headers["Cache-Control"] = "max-age=0"
    response.headers["Expires"] = response.headers["Date"] = formatdate(usegmt=True)
    if response.headers.get("Content-Type") == "application/octet-stream":
        del response.headers["Content-Type"]
