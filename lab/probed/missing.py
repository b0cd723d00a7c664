"""What a bundle has and the twin does not play, by name: who works with such a twin must know where it is kinder."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lab.probed.facts import Facts

if TYPE_CHECKING:
    from cluster.inventory import Inventory


def missing(facts: Facts, inventory: "Inventory") -> Iterator[str]:
    """One line each."""
    cluster = inventory.name
    for (of, who, what, item), word in sorted(facts.words.items()):
        played = "another's" if what in ("login", "array") else "the twin's own"
        yield f"{of} {who}: {what}{' ' + item if item else ''} was not answered ({word}); {played} is played"
    if not facts.stretched(inventory):
        names = ", ".join(pod.name for pod in inventory.all_pods)
        yield f"pod {names}: not on both arrays, so nothing of pods, volumes, hosts and paths is built"
    for array in inventory.arrays:
        yield from _of_array(facts, array.name, inventory.transport)
    manager = facts.item("cluster", cluster, "ha-manager").get("manager_status", {})
    if manager.get("disarm"):
        yield "HA: it was disarmed; it is armed here"
    for node in inventory.nodes:
        yield from _of_node(facts, inventory, node.name)
    for row in facts.rows("cluster", cluster, "resources"):
        if row.get("type") in ("qemu", "lxc") and row.get("status") not in ("running", "stopped"):
            yield f"guest {row.get('vmid')}: it was {row.get('status')}; it is stopped here"
        if row.get("type") in ("qemu", "lxc") and row.get("pool"):
            yield f"guest {row.get('vmid')}: no pool {row.get('pool')}"
    yield "rights, certificates, clocks, round trips, load, memory and capacity: the twin's own"


def _of_array(facts: Facts, name: str, transport: str) -> Iterator[str]:
    link = facts.item("array", name, "connection")
    if link.get("status", "connected") != "connected":
        yield f"{name}: its connection to the other array was {link['status']}; it is connected here"
    for pod in facts.rows("array", name, "pods"):
        for member in pod.get("arrays", ()):
            if member.get("status") != "online" or member.get("mediator_status") != "online":
                said = f"{member.get('status')}, mediator {member.get('mediator_status')}"
                yield f"{pod['name']} on {member.get('name')}: it was {said}; it is online here"
    for host in facts.rows("array", name, "hosts"):
        if (host.get("chap") or {}).get("host_user"):
            yield f"host {host['name']} of {name}: no CHAP"
        played = {"fc": "wwns", "nvme-tcp": "nqns"}.get(transport)
        if any(host.get(kind) for kind in ("nqns", "wwns") if kind != played):
            yield f"host {host['name']} of {name}: ports for Fibre Channel or NVMe are listed and carry no paths"


def _of_node(facts: Facts, inventory: "Inventory", name: str) -> Iterator[str]:
    status = facts.rows("cluster", inventory.name, "status")
    off = name in facts.off(inventory)
    if any(row.get("name") == name and not row.get("online", 1) for row in status) and not off:
        yield f"{name}: it was not a member; it is here"
    if facts.value("controller", name, "power") is False and not off:
        yield f"{name}: its power was off; it is on here"
    lines = facts.lines("node", name, "maps")
    if any(line.rstrip().endswith(("failed ready running", "failed faulty running")) for line in lines):
        yield f"{name}: paths that had failed carry here"
