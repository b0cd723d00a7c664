"""Hosts, host groups and connections as the API shows them: this array's own, and the synchronous peer's.

The peer's objects carry its name as a prefix (``X90R3-SiteB:pxmx02-01``) and cannot be changed from here.
"""

from collections import Counter

from lab.physics.world import Host as Node
from lab.purity.filters import Item
from lab.purity.models import Array
from lab.purity.rules import connections, hosts, links
from lab.purity.rules.connections import Connection
from lab.purity.rules.hosts import Group, Host
from lab.purity.views import arrays as views


def owners(array: Array) -> list[tuple[Array, str]]:
    """The arrays whose hosts are listed here, each with the prefix its names get."""
    remote = array.link is not None and array.link.type == links.SYNC
    return [(array, ""), (array.peer, f"{array.peer.name}:")] if remote else [(array, "")]


def logins(array: Array, host: Host) -> list[tuple[str, str]]:
    """The (initiator, portal) pairs over which a host is logged in at this array."""
    return [(who, portal) for _, who, portal in all_logins(array) if host.known_by(who)]


def all_logins(array: Array) -> list[tuple[Node, str, str]]:
    """The (node, initiator, portal) triples over which anybody is logged in at this array, made hosts or not."""
    return [
        (node, node.initiator(way), way.portal)
        for node in array.world.nodes.values()
        if node.powered
        for way in node.sessions
        if way.array == array.name and way.portal in array.portals and array.world.carries(node.name, way)
    ]


def connectivity(array: Array, host: Host) -> Item:
    """Whether a host is logged in at both controllers alike; a controller that is gone is named as the reason."""
    counts = Counter(array.controller_of(portal) for _, portal in logins(array, host))
    if not counts:
        return {"status": "critical", "details": "None"}
    if len(counts) == 1:
        failover = "-Failover" if array.lost_controllers else ""
        return {"status": "unhealthy", "details": f"Single Controller{failover}"}
    if counts["CT0"] != counts["CT1"]:
        return {"status": "unhealthy", "details": "Uneven"}
    return {"status": "healthy", "details": "Redundant"}


def all_hosts(array: Array) -> list[Item]:
    """Own hosts, then the peer's."""
    return [_host(owner, host, prefix) for owner, prefix in owners(array) for host in owner.hosts]


def _host(owner: Array, host: Host, prefix: str) -> Item:
    got = connections.of_host(owner, host)
    volumes = [connection.volume for connection in got]
    return {
        "name": prefix + host.name,
        "is_local": not prefix,
        "host_group": {"name": prefix + host.group.name if host.group else None},
        "iqns": host.iqns,
        "wwns": host.wwns,
        "nqns": host.nqns,
        "personality": host.personality,
        "preferred_arrays": [views.ref(owner.fleet[name]) for name in host.preferred_arrays],
        "connection_count": len(got),
        "vlan": host.vlan,
        "chap": host.chap,
        "destroyed": False,
        "time_remaining": None,
        "port_connectivity": {"status": "unknown", "details": "Unknown"} if prefix else connectivity(owner, host),
        "space": views.space(sum(volume.provisioned for volume in volumes), owner.written(volumes)),
    }


def groups(array: Array) -> list[Item]:
    """Own host groups, then the peer's."""
    return [_group(owner, group, prefix) for owner, prefix in owners(array) for group in owner.groups]


def _group(owner: Array, group: Group, prefix: str) -> Item:
    volumes = [connection.volume for connection in owner.connections if connection.group is group]
    return {
        "name": prefix + group.name,
        "is_local": not prefix,
        "host_count": len(hosts.members(owner, group)),
        "connection_count": len(volumes),
        "destroyed": False,
        "time_remaining": None,
        "space": views.space(sum(volume.provisioned for volume in volumes), owner.written(volumes)),
    }


def memberships(array: Array) -> list[Item]:
    """One row for each host in a group."""
    return [
        {"group": {"name": prefix + host.group.name}, "member": {"name": prefix + host.name}}
        for owner, prefix in owners(array)
        for host in owner.hosts
        if host.group is not None
    ]


def all_connections(array: Array) -> list[Item]:
    """Own rows of all volumes, and the peer's rows of volumes that both arrays have."""
    shared = {id(volume) for volume in array.all_volumes()}
    return [
        row
        for owner, prefix in owners(array)
        for connection in owner.connections
        if id(connection.volume) in shared
        for row in connection_rows(owner, connection, prefix)
    ]


def connection_rows(owner: Array, connection: Connection, prefix: str = "") -> list[Item]:
    """One row a host that gets the volume."""
    group = connection.group
    return [
        {
            "host": {"name": prefix + host.name if host else None},
            "host_group": {"name": prefix + group.name if group else None},
            "lun": connection.lun,
            "nsid": None,
            "volume": {"id": connection.volume.id, "name": connection.volume.full_name},
            "protocol_endpoint": views.NOTHING,
        }
        for host in connections.rows(owner, connection)
    ]
