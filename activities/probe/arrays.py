"""An array: itself, its ports, and what of it belongs to our cluster. What other hosts have on it is not kept."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from activities.doctor.asking import read
from cluster.doctor.check import Unread
from cluster.inventory import Inventory
from cluster.probing.cleaning import Answer
from cluster.transports import HOST_FIELDS, alike, initiator_of, initiators

if TYPE_CHECKING:
    from activities.clients.purity import FlashArray

Item = dict[str, Any]


def array(client: "FlashArray", inventory: Inventory) -> list[Answer]:
    """All that one array tells, one question after the other. Blocks."""
    name, group = client.name, inventory.array(client.name).host_group
    known = read(client.hosts, name)
    ours = {str(one["name"]) for one in known if _is_ours(one, inventory, group)} if isinstance(known, list) else set()
    questions: dict[str, Callable[[], Any]] = {
        "levels": lambda: list(client.levels()[0]),
        "array": client.array,
        "role": client.role,
        "connection": lambda: client.connection(inventory.peer(name).name),
        "portals": client.fc_ports if inventory.transport == "fc" else lambda: client.targets(inventory.transport),
        "interfaces": client.interfaces,
        "pods": lambda: [found for pod in inventory.all_pods if (found := client.pod(pod.name)) is not None],
        "volumes": lambda: _volumes(client, inventory, ours, group),
        "hosts": lambda: [one for one in client.hosts() if one["name"] in ours],
        "host-group": lambda: client.host_group(group),
        "connections": lambda: [one for one in client.connections() if _reaches(one, ours, group)],
        "initiators": lambda: [one for one in client.initiators() if initiator_of(one) in _ours(inventory)],
    }
    answers = []
    for what, ask in questions.items():
        found = read(ask, name)
        answers.append(
            Answer(of="array", who=name, what=what, word=found.word)
            if isinstance(found, Unread)
            else Answer(of="array", who=name, what=what, data=found)
        )
        if isinstance(found, Unread) and found.word in ("Unreachable", "Unauthorized") and what == "array":
            break  # it would only be slow to say the same of each
    return answers


def _volumes(client: "FlashArray", inventory: Inventory, ours: set[str], group: str) -> list[Item]:
    """Those of the pods, then the others that our hosts get."""
    pods = [pod.name for pod in inventory.all_pods]
    found = [volume for pod in pods for volume in (client.volumes_of(pod) if client.pod(pod) else [])]
    there = {str(one["name"]) for one in found}
    connected = {str(one["volume"]["name"]) for one in client.connections() if _reaches(one, ours, group)}
    others = (client.volume(name) for name in sorted(connected - there))
    return [*found, *(one for one in others if one is not None)]


def _is_ours(host: Item, inventory: Inventory, group: str) -> bool:
    names = {node.name for node in inventory.nodes}
    listed = {alike(one) for kind in HOST_FIELDS.values() for one in host.get(kind) or ()}
    in_group = (host.get("host_group") or {}).get("name") == group
    return in_group or host["name"] in names or bool(_ours(inventory) & listed)


def _ours(inventory: Inventory) -> set[str]:
    return {alike(one) for node in inventory.nodes for one in initiators(node, inventory.transport)}


def _reaches(row: Item, ours: set[str], group: str) -> bool:
    return (row.get("host") or {}).get("name") in ours or (row.get("host_group") or {}).get("name") == group
