"""The command queue: what the master takes from it, and what it refuses without a trace in the API."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from lab.proxmox import ha_rules
from lab.proxmox.ha_state import BUSY, Manager

if TYPE_CHECKING:
    from lab.ha import Ha

MOVES = ("migrate", "relocate")
MAINTENANCE = "node-maintenance"
DISARM, ARM = "disarm-ha", "arm-ha"


def take_commands(ha: "Ha", manager: Manager, rules: Mapping[str, ha_rules.Rule]) -> Iterator[str]:
    """Empty the queue; the lines are what the master's log says of it (reference: pve-ha §10)."""
    queue, ha.files.commands = ha.files.commands, []
    for command, about, argument in queue:
        if command in MOVES:
            yield _move(ha, manager, rules, command, about, argument)
        elif command == "stop":
            yield _stop(ha, manager, about, argument)
        elif command == MAINTENANCE:
            yield _maintain(manager, about, argument)
        elif command == DISARM and any(s.state in BUSY or s.command for s in manager.services.values()):
            ha.files.commands.append((command, about, argument))  # put off until nothing is under way
        elif command == DISARM:
            if manager.disarm is None:
                manager.disarm = {"mode": argument, "state": "disarming"}
            yield f"got crm command: {command} {argument}"
        elif command == ARM:
            manager.disarm = None
            ha.files.commands = [line for line in ha.files.commands if line[0] != DISARM]
            yield f"got crm command: {command}"
        else:
            yield f"unable to parse crm command: {command} {about} {argument}"


def _move(ha: "Ha", manager: Manager, rules: Mapping[str, ha_rules.Rule], command: str, sid: str, node: str) -> str:
    """A service and everyone that must be with it; nobody, if someone there must not meet it."""
    line = f"{command} {sid} {node}"
    if sid not in manager.services:
        ha.ends(sid)
        return f"crm command error - no such service: {line}"
    if manager.nodes.get(node) != "online":
        ha.ends(sid)
        return f"crm command error - node not online: {line}"
    if blocking(manager, rules, sid, node):
        ha.ends(sid)
        return f"crm command error - negative resource affinity: {line}"
    moved = False
    for one in (sid, *sorted(ha_rules.companions(rules, sid, "positive"))):
        service = manager.services.get(one)
        if service is not None and service.node != node:
            service.command = (command, node)
            moved = True
    if not moved:
        ha.ends(sid)
        return f"ignore crm command - service already on target node: {line}"
    return f"got crm command: {line}"


def blocking(manager: Manager, rules: Mapping[str, ha_rules.Rule], sid: str, node: str) -> list[str]:
    """The services on a node that a service must not meet there."""
    apart = ha_rules.companions(rules, sid, "negative")
    there = (
        other for other in sorted(apart) if (service := manager.services.get(other)) and service.state != "stopped"
    )
    return [other for other in there if node in (manager.services[other].node, manager.services[other].target)]


def _stop(ha: "Ha", manager: Manager, sid: str, timeout: str) -> str:
    if sid not in manager.services:
        ha.ends(sid)
        return f"crm command error - no such service: stop {sid} {timeout}"
    manager.services[sid].command = ("stop", timeout)
    ha.update_resource(sid, {"state": "stopped"})
    return f"got crm command: stop {sid} {timeout}"


def _maintain(manager: Manager, node: str, switch: str) -> str:
    state = manager.nodes.get(node)
    if switch == "disable":
        request = manager.requests.get(node, {})
        request.pop("maintenance", None)
        if not request:
            manager.requests.pop(node, None)
        return f"got crm command: {MAINTENANCE} disable {node}"
    if state == "maintenance":
        return f"ignoring crm command - node already in maintenance: {node}"
    if state != "online":
        return f"crm command error - node not online: {MAINTENANCE} enable {node}"
    manager.requests.setdefault(node, {})["maintenance"] = 1
    return f"got crm command: {MAINTENANCE} enable {node}"
