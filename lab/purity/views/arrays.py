"""Arrays, links, pods and volumes as the API shows them.

References are objects and never null themselves, lists are never null, times are milliseconds.
"""

from collections.abc import Callable

from lab.purity import models
from lab.purity.filters import Item
from lab.purity.models import Array
from lab.purity.rules import links
from lab.purity.rules.pods import Pod
from lab.purity.rules.volumes import Volume

NOTHING: Item = {"id": None, "name": None}
# What an X90R3 holds; any figure does, nothing in the twin ever fills it.
CAPACITY = 100 * 2**40


def milliseconds(seconds: float | None) -> int | None:
    """Lab time as the API writes it."""
    return None if seconds is None else round(seconds * 1000)


def ref(array: Array) -> Item:
    """A reference to an array."""
    return {"id": array.id, "name": array.name}


def typed_ref(array: Array, kind: str = "arrays") -> Item:
    """The same with what it is."""
    return {**ref(array), "resource_type": kind}


def space(provisioned: int, used: int, **more: int) -> Item:
    """Space figures of an object that nothing was deduplicated in: a host's, and what others have beside it.

    Null in what is not counted for that kind of object, as captured arrays have it.
    """
    return {
        "data_reduction": 1.0,
        "footprint": None,
        "shared": None,
        "snapshots": 0,
        "system": None,
        "thin_provisioning": 1.0 - used / provisioned if provisioned else 1.0,
        "total_physical": used,
        "total_provisioned": provisioned,
        "total_reduction": 1.0,
        "total_used": used,
        "unique": used,
        "used_provisioned": provisioned,
        "virtual": used,
        **more,
    }


def arrays(array: Array) -> list[Item]:
    """The array itself."""
    volumes = array.all_volumes()
    delay = round(models.ERADICATION_DELAY * 1000)
    return [
        {
            **ref(array),
            **array.settings,
            "ntp_symmetric_key": None,
            "os": "Purity//FA",
            "version": array.purity,
            "capacity": CAPACITY,
            "parity": 1.0,
            "encryption": {
                "data_at_rest": {"enabled": True, "algorithm": "AES-256-CTR"},
                "module_version": "FA-1.5",
            },
            "eradication_config": {
                "eradication_delay": delay,
                "enabled_delay": delay,
                "disabled_delay": delay,
                "manual_eradication": array.manual_eradication,
            },
            "space": space(
                sum(volume.provisioned for volume in volumes), array.written(volumes), shared=0, system=0, replication=0
            ),
        }
    ]


def array_space(array: Array) -> list[Item]:
    """Capacity alone."""
    whole = arrays(array)[0]
    kept = {key: whole[key] for key in ("id", "name", "capacity", "parity", "space")}
    return [{**kept, "capacity_installed": CAPACITY, "time": now(array)}]


def spaces_of(view: Callable[[Array], list[Item]]) -> Callable[[Array], list[Item]]:
    """The space of each item of a view, and nothing else of it."""

    def spaces(array: Array) -> list[Item]:
        kept = ("id", "name", "space")
        return [{key: item[key] for key in kept if key in item} | {"time": now(array)} for item in view(array)]

    return spaces


def now(array: Array) -> int:
    """The array's clock in milliseconds."""
    return round(array.now() * 1000)


def remote_arrays(array: Array) -> list[Item]:
    """The array and those it is connected to."""
    known = [array, array.peer] if array.link else [array]
    return [
        {
            **ref(one),
            "is_local": one is array,
            "model": models.MODEL,
            "os": "Purity//FA",
            "version": one.purity,
            "fleet": {**NOTHING, "is_local": None},
        }
        for one in known
    ]


def remote_pods(array: Array) -> list[Item]:
    """Pods that live only on the connected array."""
    theirs = array.peer.pods if array.link else []
    return [
        {"id": pod.id, "name": pod.name, "arrays": [_member(array.peer, pod, member.array) for member in pod.members]}
        for pod in theirs
        if pod not in array.pods and pod.destroyed_at is None
    ]


def array_connections(array: Array) -> list[Item]:
    """The connection to the peer, from this end."""
    if array.link is None:
        return []
    peer = array.peer
    return [
        {
            **ref(peer),
            "type": array.link.type,
            "status": links.status(array),
            # Only the side that made the connection knows where its peer is managed.
            "management_address": peer.management_address if array.link.creator == array.name else None,
            "replication_addresses": [address for _, address in replication_ports(peer)],
            "replication_transport": array.link.transport,
            "version": peer.purity,
            "os": "Purity//FA",
            "encryption": "unencrypted",
            "encryption_mode": None,
            "throttle": array.link.throttle,
            "remote": typed_ref(peer, "remote-arrays"),
        }
    ]


def replication_ports(array: Array) -> list[tuple[str, str]]:
    """Two ports of each controller, with their addresses."""
    names = ("ct0.eth2", "ct0.eth3", "ct1.eth2", "ct1.eth3")
    return [(name, f"{array.network}.{last}") for last, name in enumerate(names, start=11)]


def array_connection_paths(array: Array) -> list[Item]:
    """One path for each pair of ports."""
    if array.link is None:
        return []
    state = "connecting" if links.status(array) == "connecting" else "connected"
    return [
        {
            **ref(array.peer),
            "local_port": local_port,
            "local_address": local_address,
            "remote_port": remote_port,
            "remote_address": remote_address,
            "remote": typed_ref(array.peer, "remote-arrays"),
            "replication_transport": array.link.transport,
            "type": array.link.type,
            "encryption": "unencrypted",
            "encryption_mode": None,
            "status": state,
            "status_details": None if state == "connected" else "Remote address is not reachable.",
        }
        for (local_port, local_address), (remote_port, remote_address) in zip(
            replication_ports(array), replication_ports(array.peer), strict=True
        )
    ]


def connection_key(array: Array) -> list[Item]:
    """What the peer needs to connect."""
    return [{"connection_key": array.connection_key}]


def pods(array: Array) -> list[Item]:
    """The pods that this array is a member of, and the copies it kept."""
    return [_pod(array, pod) for pod in array.pods]


def _pod(array: Array, pod: Pod) -> Item:
    members = [array.fleet[member.array] for member in pod.members]
    written = array.written(pod.volumes)
    return {
        "id": pod.id,
        "name": pod.name,
        "source": {"id": pod.source.id, "name": pod.source.name} if pod.source else NOTHING,
        "destroyed": pod.destroyed_at is not None,
        "time_remaining": array.time_remaining(pod.destroyed_at),
        "promotion_status": pod.promotion,
        "requested_promotion_state": pod.promotion,
        "mediator": pod.mediator,
        "mediator_version": None,
        "failover_preferences": [ref(array.fleet[name]) for name in pod.failover_preferences],
        "array_count": len(members),
        "arrays": [_member(array, pod, member.name) for member in members],
        "members": [typed_ref(member) for member in members],
        "link_source_count": 0,
        "link_target_count": 0,
        "quota_limit": pod.quota_limit,
        "footprint": written,
        "eradication_config": {"manual_eradication": array.manual_eradication},
        "space": space(
            sum(volume.provisioned for volume in pod.volumes),
            written,
            shared=0,
            shared_effective=0,
            replication=0,
            replication_effective=0,
        ),
    }


def _member(array: Array, pod: Pod, name: str) -> Item:
    """One row of a pod as the asked array tells it."""
    member = array.fleet[name]
    mirror = pod.mirror
    state = mirror.told_by(array.name, name) if mirror else pod.state(member)
    reached = mirror is None or name == array.name or mirror.told_by(array.name, name).status != "unknown"
    return {
        **ref(member),
        "member": typed_ref(member),
        "status": state.status,
        "mediator_status": mediator_status(member, pod.name) if reached and member.up else "unknown",
        "pre_elected": mirror is not None and mirror.pre_elected == name,
        "frozen_at": milliseconds(state.frozen_at),
        "progress": state.progress,
    }


def mediator_status(array: Array, pod: str) -> str:
    """What an array says of a pod's mediator."""
    if not array.world.links.mediator(array.name, pod):
        return "unreachable"
    return "flummoxed" if array.flummoxed else "online"


def pod_members(array: Array) -> list[Item]:
    """One row for each array of each pod, in the words of 2.36 and later."""
    return [
        {
            "pod": {"id": pod.id, "name": pod.name, "resource_type": "pods"},
            "member": typed_ref(array.fleet[member.array]),
        }
        for pod in array.pods
        for member in pod.members
    ]


def pod_arrays(array: Array) -> list[Item]:
    """The same rows in the older words."""
    return [
        {"group": {"id": pod.id, "name": pod.name}, "member": ref(array.fleet[member.array])}
        for pod in array.pods
        for member in pod.members
    ]


def default_protections(array: Array) -> list[Item]:
    """No protection by default, neither for the array nor for its pods."""
    containers = [{"id": array.id, "name": "", "type": ""}]
    containers += [{"id": pod.id, "name": pod.name, "type": "pod"} for pod in array.pods]
    return [{**container, "default_protections": []} for container in containers]


def volumes(array: Array) -> list[Item]:
    """All volumes that this array has."""
    return [_volume(array, volume) for volume in array.all_volumes()]


def _volume(array: Array, volume: Volume) -> Item:
    destroyed_at = volume.destroyed_at
    if destroyed_at is None and volume.pod is not None:
        destroyed_at = volume.pod.destroyed_at
    promotion, used = volume.pod.promotion if volume.pod else "promoted", array.written([volume])
    return {
        "id": volume.id,
        "name": volume.full_name,
        "serial": volume.serial,
        "provisioned": volume.provisioned,
        "created": milliseconds(volume.created),
        "destroyed": volume.destroyed,
        "time_remaining": array.time_remaining(destroyed_at),
        "subtype": volume.subtype,
        "connection_count": len(array.connections_of(volume)),
        "pod": {"id": volume.pod.id, "name": volume.pod.name} if volume.pod else NOTHING,
        "volume_group": NOTHING,
        "source": {"id": volume.source.id, "name": volume.source.full_name} if volume.source else NOTHING,
        "qos": {"bandwidth_limit": volume.bandwidth_limit, "iops_limit": volume.iops_limit},
        "priority": 0,
        "priority_adjustment": {"priority_adjustment_operator": "+", "priority_adjustment_value": 0},
        "promotion_status": promotion,
        "requested_promotion_state": promotion,
        "host_encryption_key_status": "none",
        "space": space(volume.provisioned, used, snapshots_effective=0, total_effective=used, unique_effective=used),
        "protocol_endpoint": {"container_version": None},
        "workload": {**NOTHING, "configuration": None, "resource_type": None},
    }
