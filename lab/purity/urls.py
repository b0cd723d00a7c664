"""The routes of the twin's REST API, and the application that serves them for one array.

The application looks its array up in the world for every call: a reset world has new arrays.
"""

import json
import re
import uuid
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from lab.physics.world import World
from lab.purity import errors
from lab.purity import responses as r
from lab.purity.errors import Refused
from lab.purity.filters import Item
from lab.purity.models import Array, arrays_of
from lab.purity.queries import Query
from lab.purity.responses import By, Call, Read, View, Write
from lab.purity.rules import apiclients, sessions
from lab.purity.rules.names import same
from lab.purity.views import arrays as views
from lab.purity.views import equipment, journal, performance, settings
from lab.purity.views import hosts as hostviews
from lab.serving import wire

_POD = (By("names", "name", "Pod"), By("ids", "id", "Pod"))
_VOLUME = (By("names", "name", "Volume"), By("ids", "id", "Volume"))
_MEMBERSHIP = (
    By("group_names", "group.name", "Host group", hostviews.groups),
    By("member_names", "member.name", "Host", hostviews.all_hosts),
)


def _named(view: View, kind: str) -> Read:
    return Read(view, (By("names", "name", kind),))


def _empty(_: Array) -> list[Item]:
    return []


READS: dict[str, Read] = {
    "/api-clients": _named(apiclients.items, "API client"),
    "/admins": _named(settings.admins, "Admin"),
    "/admins/settings": Read(settings.admin_settings),
    "/alert-watchers": _named(settings.alert_watchers, "Alert watcher"),
    "/alerts": _named(journal.alerts, "Alert"),
    "/array-connections": _named(views.array_connections, "Array connection"),
    "/array-connections/connection-key": Read(views.connection_key),
    "/array-connections/path": _named(views.array_connection_paths, "Array connection"),
    "/arrays": Read(views.arrays),
    "/arrays/performance": Read(performance.arrays),
    "/arrays/space": Read(views.array_space),
    "/audits": Read(journal.audits),
    "/certificates": _named(settings.certificates, "Certificate"),
    "/connections": Read(
        hostviews.all_connections,
        (
            By("volume_names", "volume.name", "Volume", views.volumes),
            By("volume_ids", "volume.id", "Volume", views.volumes),
            By("host_names", "host.name", "Host", hostviews.all_hosts),
            By("host_group_names", "host_group.name", "Host group", hostviews.groups),
        ),
    ),
    "/container-default-protections": _named(views.default_protections, "Container"),
    "/controllers": _named(equipment.controllers, "Controller"),
    "/directory-services": _named(settings.directory_services, "Directory service"),
    "/dns": _named(settings.dns, "DNS configuration"),
    "/drives": _named(equipment.drives, "Drive"),
    "/hardware": _named(equipment.hardware, "Hardware component"),
    "/host-groups": _named(hostviews.groups, "Host group"),
    "/host-groups/performance": _named(performance.groups, "Host group"),
    "/host-groups/performance/by-array": _named(performance.groups_by_array, "Host group"),
    "/host-groups/space": _named(views.spaces_of(hostviews.groups), "Host group"),
    "/host-groups/hosts": Read(hostviews.memberships, _MEMBERSHIP),
    "/hosts": _named(hostviews.all_hosts, "Host"),
    "/hosts/host-groups": Read(hostviews.memberships, _MEMBERSHIP),
    "/hosts/performance": _named(performance.hosts, "Host"),
    "/hosts/performance/balance": _named(performance.balance, "Host"),
    "/hosts/performance/by-array": _named(performance.hosts_by_array, "Host"),
    "/hosts/space": _named(views.spaces_of(hostviews.all_hosts), "Host"),
    "/network-interfaces": _named(equipment.network_interfaces, "Network interface"),
    "/network-interfaces/performance": _named(settings.network_performance, "Network interface"),
    "/pods": Read(views.pods, _POD),
    "/pods/arrays": Read(
        views.pod_arrays,
        (By("group_names", "group.name", "Pod", views.pods), By("member_names", "member.name", "Array")),
    ),
    "/pods/members": Read(
        views.pod_members,
        (
            By("pod_names", "pod.name", "Pod", views.pods),
            By("pod_ids", "pod.id", "Pod", views.pods),
            By("member_names", "member.name", "Array"),
        ),
    ),
    "/pods/performance": Read(performance.pods, _POD),
    "/pods/performance/by-array": Read(performance.pods_by_array, _POD),
    "/pods/performance/replication": Read(performance.replication, (By("names", "pod.name", "Pod", views.pods),)),
    "/pods/performance/replication/by-array": Read(
        performance.replication_by_array, (By("names", "pod.name", "Pod", views.pods),)
    ),
    "/pods/space": Read(views.spaces_of(views.pods), _POD),
    "/ports": _named(equipment.ports, "Port"),
    "/ports/initiators": Read(equipment.initiators),
    "/remote-arrays": _named(views.remote_arrays, "Remote array"),
    "/remote-pods": _named(views.remote_pods, "Remote pod"),
    "/sessions": Read(journal.logins),
    "/smi-s": Read(settings.smi_s),
    "/smtp-servers": _named(settings.smtp_servers, "SMTP server"),
    "/snmp-agents": _named(settings.snmp_agents, "SNMP agent"),
    "/subscriptions": Read(journal.subscriptions),
    "/support": Read(settings.support),
    "/volumes": Read(views.volumes, _VOLUME),
    "/volumes/performance": Read(performance.volumes, _VOLUME),
    "/volumes/performance/by-array": Read(performance.volumes_by_array, _VOLUME),
    "/volumes/space": Read(views.spaces_of(views.volumes), _VOLUME),
}

READS |= {path: _named(_empty, kind) for path, kind in settings.NONE_OF.items()}

WRITES: dict[tuple[str, str], Write] = {
    ("POST", "/api-clients"): r.post_api_clients,
    ("PATCH", "/api-clients"): r.patch_api_clients,
    ("DELETE", "/api-clients"): r.delete_api_clients,
    ("PATCH", "/arrays"): r.patch_arrays,
    ("POST", "/array-connections"): r.post_array_connections,
    ("PATCH", "/array-connections"): r.patch_array_connections,
    ("DELETE", "/array-connections"): r.delete_array_connections,
    ("POST", "/pods"): r.post_pods,
    ("PATCH", "/pods"): r.patch_pods,
    ("DELETE", "/pods"): r.delete_pods,
    ("POST", "/pods/members"): r.post_pod_members,
    ("DELETE", "/pods/members"): r.delete_pod_members,
    ("POST", "/pods/arrays"): r.post_pod_arrays,
    ("DELETE", "/pods/arrays"): r.delete_pod_members,
    ("POST", "/volumes"): r.post_volumes,
    ("PATCH", "/volumes"): r.patch_volumes,
    ("DELETE", "/volumes"): r.delete_volumes,
    ("PUT", "/volumes/tags/batch"): r.nothing,
    ("POST", "/hosts"): r.post_hosts,
    ("PATCH", "/hosts"): r.patch_hosts,
    ("DELETE", "/hosts"): r.delete_hosts,
    ("POST", "/host-groups"): r.post_host_groups,
    ("PATCH", "/host-groups"): r.patch_host_groups,
    ("DELETE", "/host-groups"): r.delete_host_groups,
    ("POST", "/host-groups/hosts"): r.post_memberships,
    ("DELETE", "/host-groups/hosts"): r.delete_memberships,
    ("POST", "/hosts/host-groups"): r.post_memberships,
    ("DELETE", "/hosts/host-groups"): r.delete_memberships,
    ("POST", "/connections"): r.post_connections,
    ("DELETE", "/connections"): r.delete_connections,
}
# What a storage administrator may only look at: the array itself, not what is stored on it.
ARRAY_ADMIN_ONLY = ("/api-clients", "/arrays", "/array-connections")
# The minor version of REST 2 with which a path began, where it was not there from the start that matters here.
SINCE = {
    "/pods/members": 36,
    "/fleets": 36,
    "/realms": 36,
    "/realms/performance": 36,
    "/realms/space": 36,
    "/realms/tags": 36,
    "/workloads": 40,
    "/presets/workload": 40,
}
# Items name the array that answers from this minor version on, but for those of the machine itself.
CONTEXT_SINCE = 38
WITHOUT_CONTEXT = (
    "/admins", "/admins/settings", "/alert-watchers", "/array-connections/connection-key", "/array-connections/path",
    "/arrays/performance", "/certificates", "/controllers", "/dns", "/drives", "/hardware", "/network-interfaces",
    "/network-interfaces/performance", "/remote-arrays", "/sessions", "/smi-s", "/smtp-servers", "/snmp-agents",
    "/subscriptions", "/support",
)  # fmt: skip

# Parameters that say which objects a call is about, in the order in which they stand in its name.
_ABOUT = ("names", "volume_names", "pod_names", "group_names", "host_group_names", "host_names", "member_names")
_PATH = re.compile(r"/api/(?P<version>\d+\.\d+)(?P<path>/.+)")


def call_name(request: web.Request) -> str:
    """A call in the device's own words: ``POST /pods webb-ac-proxmox-01``, without the version."""
    match = _PATH.fullmatch(request.path)
    path = match["path"] if match else request.path.removeprefix("/api")
    about = [request.query[parameter] for parameter in _ABOUT if request.query.get(parameter)]
    return " ".join([request.method, path, *about])


def refuse(status: int, message: str) -> web.Response:
    """A planted failure in Purity's shape."""
    return web.json_response(errors.refusal(status, message), status=status)


@web.middleware
async def _request_id(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """The SDK drops all headers of an answer that does not echo its request id."""
    response = await handler(request)
    response.headers["X-Request-ID"] = request.headers.get("X-Request-ID") or str(uuid.uuid4())
    return response


def application(world: World, array: Array) -> web.Application:
    """The REST API of one array, without TLS and address."""
    server = _Server(world, array.name)

    async def forget(request: web.Request) -> None:
        sessions.forget(arrays_of(world)[array.name], sessions.shown(request.headers))

    device = wire.device(world, array.name, call=call_name, refuse=refuse, forget=forget)
    served = web.Application(middlewares=[_request_id, device])
    served.router.add_route("*", "/{path:.*}", server.answer)
    return served


class _Server:
    """From a request to an answer: version, session, role, and then the route."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._name = name

    async def answer(self, request: web.Request) -> web.Response:
        """Any request; whatever the rules refuse becomes an error answer here and nowhere else."""
        array = arrays_of(self._world)[self._name]
        array.sweep()
        try:
            return await self._route(request, array)
        except Refused as refused:
            return web.json_response(refused.body(), status=refused.status)

    async def _route(self, request: web.Request, array: Array) -> web.Response:
        if request.path == "/api/api_version" and request.method == "GET":
            return web.json_response({"version": list(array.versions)})
        if request.path == "/oauth2/1.0/token":
            status, body = apiclients.exchange(array, dict(parse_qsl(await request.text())), request.remote or "")
            return web.json_response(body, status=status)
        match = _PATH.fullmatch(request.path)
        if match is None or match["version"] not in array.versions or not match["version"].startswith("2."):
            raise errors.unknown_path(request.path)
        path, minor = match["path"], int(match["version"].partition(".")[2])
        token = sessions.shown(request.headers)
        if (request.method, path) == ("POST", "/login"):
            session = sessions.login(array, request.headers.get("api-token"), request.remote or "")
            body = {"items": [{"username": session.user}]}
            return web.json_response(body, headers={"x-auth-token": session.token})
        if (request.method, path) == ("POST", "/logout"):
            sessions.logout(array, token)
            return web.Response()
        read, write = _find(request.method, path, minor)
        session = sessions.current(array, token)
        call = Call(array, _query(array, request), await _body(request))
        if read is not None:
            return _read(call, read, 0 if path in WITHOUT_CONTEXT else minor)
        if session.role == "readonly" or (session.role != "array_admin" and path in ARRAY_ADMIN_ONLY):
            raise errors.forbidden()
        return self._write(call, write, minor, session.user, request.method)

    def _write(self, call: Call, write: Write, minor: int, user: str, method: str) -> web.Response:
        before = len(self._world.changes)
        try:
            items = write(call)
        finally:
            for change in self._world.changes[before:]:
                call.array.authors[change.number] = user
        if method == "DELETE":
            return web.Response()
        return web.json_response({"items": _in_context(call.array, items, minor)})


def _read(call: Call, read: Read, minor: int) -> web.Response:
    envelope = read.answer(call)
    envelope["items"] = _in_context(call.array, envelope["items"], minor)
    token = envelope["continuation_token"]
    return web.json_response(envelope, headers={"x-next-token": token} if token else None)


def _find(method: str, path: str, minor: int) -> tuple[Read | None, Write]:
    """The read or the write behind a path."""
    if minor >= SINCE.get(path, 0):
        if method == "GET" and path.startswith("/policies"):
            return _named(_empty, "Policy"), r.nothing
        if method == "GET" and path in READS:
            return READS[path], r.nothing
        if (method, path) in WRITES:
            return None, WRITES[method, path]
    raise errors.unknown_path(path)


def _query(array: Array, request: web.Request) -> Query:
    """The parameters; a context is only ever this array, which clients say with its name or with nothing."""
    query = Query(dict(request.query))
    for name in query.names("context_names"):
        if not same(name, array.name):
            raise errors.missing("Context", name)
    return query


async def _body(request: web.Request) -> dict[str, Any]:
    text = await request.text()
    if not text:
        return {}
    try:
        body = json.loads(text)
    except ValueError:
        raise Refused("Invalid JSON in the request body.") from None
    if not isinstance(body, dict):
        raise Refused("The request body is not an object.")
    return body


def _in_context(array: Array, items: list[Item], minor: int) -> list[Item]:
    if minor < CONTEXT_SINCE:
        return items
    return [{**item, "context": views.ref(array)} for item in items]
