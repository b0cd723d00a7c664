"""The command queue: what the master takes from it, and what it refuses without a trace in the API."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from lab.pve.ha import rules as ha_rules
from lab.pve.ha.state import Manager

if TYPE_CHECKING:
    from lab.pve.ha.stack import Ha

MOVES = ("migrate", "relocate")
MAINTENANCE = "node-maintenance"
DISARM, ARM = "disarm-ha", "arm-ha"


def take_commands(ha: "Ha", manager: Manager, rules: Mapping[str, ha_rules.Rule]) -> Iterator[str]:
    """Empty the queue; the lines are what the master's log says of it (reference: pve-ha §10)."""
    queue, ha.files.commands = ha.files.commands, []
    for command, about, argument in queue:
        if command in MOVES:
            yield from _move(ha, manager, rules, command, about, argument)
        elif command == "stop":
            yield _stop(ha, manager, about, argument)
        elif command == MAINTENANCE:
            yield from _maintain(manager, about, argument)
        elif command == DISARM:
            yield from _disarm(manager, argument)
        elif command == ARM:
            yield from _arm(ha, manager)
        else:
            yield f"unable to parse crm command: {command} {about} {argument}"


def _move(
    ha: "Ha", manager: Manager, rules: Mapping[str, ha_rules.Rule], command: str, sid: str, node: str
) -> Iterator[str]:
    """A service and everyone that must be with it; nobody, if someone there must not meet it."""
    line = f"{command} {sid} {node}"
    refusal = _refusal(manager, rules, sid, node, line)
    if refusal is not None:
        ha.ends(sid)
        yield refusal
        return
    yield f"got crm command: {line}"
    manager.services[sid].command = (command, node)
    for one in comigrated(manager, rules, sid, node):
        manager.services[one].command = (command, node)
        because = f"(service '{one}' in positive affinity with service '{sid}')"
        yield f"crm command '{line}' - {command} service '{one}' to node '{node}' {because}"


def _refusal(manager: Manager, rules: Mapping[str, ha_rules.Rule], sid: str, node: str, line: str) -> str | None:
    if sid not in manager.services:
        return f"crm command error - no such service: {line}"
    if manager.nodes.get(node) != "online":
        return f"crm command error - node not online: {line}"
    if manager.services[sid].node == node:
        return f"ignore crm command - service already on target node: {line}"
    if there := blocking(manager, rules, sid, node):
        told = f"service '{there[0]}' on node '{node}' in negative affinity with service '{sid}'"
        return f"crm command '{line}' error - {told}"
    return None


def blocking(manager: Manager, rules: Mapping[str, ha_rules.Rule], sid: str, node: str) -> list[str]:
    """The services that stay on a node and that a service must not meet there, be they stopped or not."""
    apart = ((other, manager.services.get(other)) for other in sorted(ha_rules.companions(rules, sid, "negative")))
    return [other for other, one in apart if one is not None and one.node == node and one.target in (None, node)]


def comigrated(manager: Manager, rules: Mapping[str, ha_rules.Rule], sid: str, node: str) -> list[str]:
    """The services that a service takes along to a node: those that belong to it and are not there or on their way."""
    together = sorted(ha_rules.companions(rules, sid, "positive"))
    known = ((other, manager.services.get(other)) for other in together)
    return [other for other, one in known if one is not None and node not in (one.node, one.target)]


def _stop(ha: "Ha", manager: Manager, sid: str, timeout: str) -> str:
    if sid not in manager.services:
        ha.ends(sid)
        return f"crm command error - no such service: stop {sid} {timeout}"
    manager.services[sid].command = ("stop", timeout)
    return f"got crm command: stop {sid} {timeout}"


def _disarm(manager: Manager, mode: str) -> Iterator[str]:
    """Asked for at once, and put off by the master's pass while something is under way; the LRMs leave meanwhile."""
    if manager.disarm is not None:
        yield f"ignoring disarm-ha command - already in disarm state ({manager.disarm['state']})"
        return
    manager.disarm = {"mode": mode, "state": "disarming"}
    yield f"got crm command: {DISARM} {mode}"
    if mode == "ignore":
        yield from (f"disarm: suspending HA tracking for service '{sid}'" for sid in sorted(manager.services))


def _arm(ha: "Ha", manager: Manager) -> Iterator[str]:
    """Where HA did not look, guests may have been moved by hand: where they are now is where they belong."""
    if manager.disarm is None:
        yield "ignoring arm-ha command - HA stack is not disarmed"
        return
    yield f"got crm command: {ARM}"
    if manager.disarm["mode"] == "ignore":
        for sid, service in sorted(manager.services.items()):
            place = ha.guest_node(sid)
            if sid in ha.files.resources and place and place != service.node:
                yield f"service '{sid}': updating node '{service.node}' => '{place}' (changed while disarmed)"
                service.node = place
    manager.disarm = None


def _maintain(manager: Manager, node: str, switch: str) -> Iterator[str]:
    """What is done as asked leaves no line in the log."""
    state = manager.nodes.get(node, "unknown")
    if switch == "disable":
        if state != "maintenance":
            yield f"clearing maintenance of node {node} requested, but it's in state {state}"
        request = manager.requests.get(node, {})
        request.pop("maintenance", None)
        if not request:
            manager.requests.pop(node, None)
    elif manager.disarm is not None:
        yield f"ignoring maintenance command for node {node} - HA stack is disarmed"
    elif state == "maintenance":
        yield f"ignoring crm command - node {node} is already in maintenance state"
    elif state != "online":
        yield f"crm command error - node not online: enable-{MAINTENANCE} {node}"
    else:
        manager.requests.setdefault(node, {})["maintenance"] = 1
