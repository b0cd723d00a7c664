"""What the calls do: each takes a call apart, lets the rules decide, and answers the objects it was about.

Reads are declared, since they only differ in what they list; writes are functions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lab.purity import queries
from lab.purity.errors import Refused, missing
from lab.purity.filters import Item, values
from lab.purity.models import Array
from lab.purity.queries import Query, Selector
from lab.purity.rules import apiclients, connections, hosts, links, pods, volumes
from lab.purity.rules.names import same
from lab.purity.views import arrays as views
from lab.purity.views import hosts as hostviews

View = Callable[[Array], list[Item]]


@dataclass(frozen=True)
class Call:
    """One call to one array, after login."""

    array: Array
    query: Query
    body: dict[str, Any]


Write = Callable[[Call], list[Item]]


@dataclass(frozen=True)
class By:
    """A query parameter that picks items; `among` lists the objects a name may be of, if not the items themselves."""

    parameter: str
    path: str
    kind: str
    among: View | None = None


@dataclass(frozen=True)
class Read:
    """A GET: what it lists, and by which parameters."""

    view: View
    by: tuple[By, ...] = ()

    def answer(self, call: Call) -> dict[str, Any]:
        """The envelope."""
        items = self.view(call.array)
        chosen = queries.select(items, call.query, tuple(_selector(one, call.array) for one in self.by))
        if self.view is hostviews.all_connections and not chosen:
            _no_connection(call.query)
        return queries.page(chosen, call.query)


def _selector(by: By, array: Array) -> Selector:
    if by.among is None:
        return Selector(by.parameter, by.path, by.kind)
    field = by.path.rpartition(".")[2]
    known = [value for item in by.among(array) for value in values(item, field)]
    return Selector(by.parameter, by.path, by.kind, lambda name: any(same(one, name) for one in known))


def _no_connection(query: Query) -> None:
    """A pair that was named exactly and is not connected is a missing object, not an empty list."""
    volume_names = query.names("volume_names")
    if volume_names and query.names("host_names", "host_group_names"):
        raise Refused("Connection does not exist.", volume_names[0])


def _targets(call: Call, kind: str, view: View) -> list[str]:
    """The names of the objects a call is about; clients that hold references send ids."""
    if names := call.query.names("names"):
        return names
    by_id = {item["id"]: str(item["name"]) for item in view(call.array)}
    ids = call.query.need("names", "ids")
    for one in ids:
        if one not in by_id:
            raise missing(kind, one)
    return [by_id[one] for one in ids]


def _of(items: list[Item], field: str, wanted: list[str]) -> list[Item]:
    return [item for name in wanted for item in items if same(str(item[field]), name)]


# --- arrays and links ---


def patch_arrays(call: Call) -> list[Item]:
    """Change settings. The world knows its arrays by their names, so a new name is refused."""
    array = call.array
    if not same(call.body.get("name", array.name), array.name):
        raise Refused("The twin cannot rename an array.", array.name)
    wanted = {key: value for key, value in call.body.items() if key in array.settings}
    idle = wanted.get("idle_timeout", 0)
    if not isinstance(idle, int) or (idle and (not 300_000 <= idle <= 10_800_000 or idle % 60_000)):
        raise Refused("Invalid idle timeout.", str(idle))
    changed = {key: value for key, value in wanted.items() if array.settings[key] != value}
    if changed:
        array.settings.update(changed)
        array.record("array.update", array.name, **changed)
    return views.arrays(array)


def post_api_clients(call: Call) -> list[Item]:
    """Register one."""
    client = apiclients.create(call.array, call.query.one("names"), call.body)
    return _of(apiclients.items(call.array), "name", [client.name])


def patch_api_clients(call: Call) -> list[Item]:
    """Enable or disable one."""
    client = apiclients.change(call.array, call.query.one("names"), call.body)
    return _of(apiclients.items(call.array), "name", [client.name])


def delete_api_clients(call: Call) -> list[Item]:
    """Forget one."""
    apiclients.delete(call.array, call.query.one("names"))
    return []


def post_array_connections(call: Call) -> list[Item]:
    """Connect two arrays."""
    links.connect(call.array, call.body)
    return views.array_connections(call.array)


def patch_array_connections(call: Call) -> list[Item]:
    """Change the connection."""
    links.change(call.array, call.query.one("names"), call.body)
    return views.array_connections(call.array)


def delete_array_connections(call: Call) -> list[Item]:
    """Give the connection up."""
    links.disconnect(call.array, call.query.one("names"))
    return []


# --- pods ---


def post_pods(call: Call) -> list[Item]:
    """New pods."""
    made = [pods.create(call.array, name, call.body) for name in call.query.need("names")]
    return _of(views.pods(call.array), "id", [pod.id for pod in made])


def patch_pods(call: Call) -> list[Item]:
    """Change, destroy or recover pods."""
    contents = call.query.flag("destroy_contents")
    names = _targets(call, "Pod", views.pods)
    changed = [pods.change(call.array, name, call.body, destroy_contents=contents) for name in names]
    return _of(views.pods(call.array), "id", [pod.id for pod in changed])


def delete_pods(call: Call) -> list[Item]:
    """Eradicate destroyed pods."""
    for name in _targets(call, "Pod", views.pods):
        pods.eradicate(call.array, name, contents=call.query.flag("eradicate_contents"))
    return []


def post_pod_members(call: Call) -> list[Item]:
    """Stretch, in the words of 2.36 and later."""
    pod = pods.stretch(call.array, call.query.one("pod_names"), call.query.one("member_names"))
    return [row for row in views.pod_members(call.array) if row["pod"]["id"] == pod.id][-1:]


def post_pod_arrays(call: Call) -> list[Item]:
    """Stretch, in the older words."""
    pod = pods.stretch(call.array, call.query.one("group_names"), call.query.one("member_names"))
    return [row for row in views.pod_arrays(call.array) if row["group"]["id"] == pod.id][-1:]


def delete_pod_members(call: Call) -> list[Item]:
    """Unstretch, in the words of either version."""
    forced = call.query.flag("with_unknown") is True
    name, member = call.query.one("pod_names", "group_names"), call.query.one("member_names")
    pods.unstretch(call.array, name, member, with_unknown=forced)
    return []


# --- volumes ---


def post_volumes(call: Call) -> list[Item]:
    """New volumes, all or none of them."""
    names = call.query.need("names")
    for name in names:
        volumes.place(call.array, name)
    made = [volumes.create(call.array, name, call.body) for name in names]
    return _of(views.volumes(call.array), "id", [volume.id for volume in made])


def patch_volumes(call: Call) -> list[Item]:
    """Change, move, destroy or recover volumes."""
    truncate = call.query.flag("truncate")
    names = _targets(call, "Volume", views.volumes)
    changed = [volumes.change(call.array, name, call.body, truncate=truncate) for name in names]
    return _of(views.volumes(call.array), "id", [volume.id for volume in changed])


def delete_volumes(call: Call) -> list[Item]:
    """Eradicate destroyed volumes."""
    for name in _targets(call, "Volume", views.volumes):
        volumes.eradicate(call.array, name)
    return []


# --- hosts and host groups ---


def post_hosts(call: Call) -> list[Item]:
    """New hosts."""
    made = hosts.create(call.array, call.query.need("names"), call.body)
    return _of(hostviews.all_hosts(call.array), "name", [host.name for host in made])


def patch_hosts(call: Call) -> list[Item]:
    """Change hosts, or put them into a group."""
    changed = [hosts.change(call.array, name, call.body) for name in call.query.need("names")]
    return _of(hostviews.all_hosts(call.array), "name", [host.name for host in changed])


def delete_hosts(call: Call) -> list[Item]:
    """Delete hosts."""
    for name in call.query.need("names"):
        hosts.delete(call.array, name)
    return []


def post_host_groups(call: Call) -> list[Item]:
    """New host groups."""
    made = hosts.create_groups(call.array, call.query.need("names"))
    return _of(hostviews.groups(call.array), "name", [group.name for group in made])


def patch_host_groups(call: Call) -> list[Item]:
    """Rename a host group."""
    group = hosts.rename_group(call.array, call.query.one("names"), call.body)
    return _of(hostviews.groups(call.array), "name", [group.name])


def delete_host_groups(call: Call) -> list[Item]:
    """Delete host groups."""
    for name in call.query.need("names"):
        hosts.delete_group(call.array, name)
    return []


def post_memberships(call: Call) -> list[Item]:
    """Put hosts into one group."""
    group = call.query.one("group_names")
    joined = hosts.add_members(call.array, group, call.query.need("member_names"))
    return [row for row in hostviews.memberships(call.array) if row["member"]["name"] in {one.name for one in joined}]


def delete_memberships(call: Call) -> list[Item]:
    """Take hosts out of their group."""
    hosts.remove_members(call.array, call.query.one("group_names"), call.query.need("member_names"))
    return []


# --- connections ---


def _sides(call: Call) -> tuple[list[str], list[str], list[str]]:
    """Volumes, hosts and groups; only one of them may have several names."""
    volume_names = call.query.need("volume_names")
    host_names, group_names = call.query.names("host_names"), call.query.names("host_group_names")
    if not host_names and not group_names:
        raise Refused("Missing required parameter: host_names or host_group_names.")
    if host_names and group_names:
        raise Refused("Only one of host_names and host_group_names is allowed.")
    if len(volume_names) > 1 and len(host_names + group_names) > 1:
        raise Refused("Only one kind of object can have several names.")
    return volume_names, host_names, group_names


def post_connections(call: Call) -> list[Item]:
    """Connect; the answer holds the new rows and no others."""
    wanted = connections.pairs(call.array, *_sides(call))
    made = connections.create(call.array, wanted, call.body)
    return [row for connection in made for row in hostviews.connection_rows(call.array, connection)]


def delete_connections(call: Call) -> list[Item]:
    """Disconnect."""
    connections.delete(call.array, *_sides(call))
    return []


def nothing(_: Call) -> list[Item]:
    """A write that the twin accepts and has no use for."""
    return []
