"""One pass of the master over nodes, configuration, commands, services and fencing.

The transitions are those of the reference pve-ha, sections 5, 7, 9, 10 and 11; `placement` chooses the nodes.
A pass is synchronous: it works on a copy of manager_status that is written at its end.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.pve.etc.cfslocks import agent
from lab.pve.ha import rules as ha_rules
from lab.pve.ha.commands import take_commands
from lab.pve.ha.placement import Choice
from lab.pve.ha.state import BUSY, ERROR, MOVING, SUCCESS, WRONG_NODE, LrmStatus, Manager, Service, requested

if TYPE_CHECKING:
    from lab.pve.ha.stack import Ha

FENCE_DELAY = 60.0  # seconds since the current master last saw the node
GONE_KEPT = 3600.0  # a node that was removed from the cluster is remembered for an hour
# Configuration locks that recovery takes away; any other one stays and makes the start fail (reference: pve-ha §9).
REMOVED_LOCKS = (
    "backup", "mounted", "migrate", "clone", "rollback", "snapshot", "snapshot-delete", "suspending", "suspended",
)  # fmt: skip


# What disarming freezes.
_FREEZES = ("started", "stopped", "request_stop", "request_start", "request_start_balance")


@dataclass(frozen=True)
class Mail:
    """A notification about a node's fencing: that it begins, or that it is acknowledged."""

    node: str
    acknowledged: bool


class Pass:
    """The work of one round of the master on `node`."""

    def __init__(self, ha: "Ha", node: str, manager: Manager, last_online: dict[str, float]) -> None:
        self.ha = ha
        self.node = node
        self.manager = manager
        self.mails: list[Mail] = []
        self._last_online = last_online
        self._world = ha.cluster.world
        self._now = self._world.time_at(self._world.nodes[node])
        self._lrms: dict[str, LrmStatus] = ha.files.lrms
        self._resources = ha.files.resources
        self._rules: Mapping[str, ha_rules.Rule] = {}

    def run(self) -> bool:
        """The whole pass; False when this master's own node is not in order."""
        self._look_at_nodes()
        if self.manager.nodes.get(self.node) not in ("online", "maintenance"):
            return False
        self._rules = ha_rules.active(self.ha.files.rules, self._world.nodes)
        if self.manager.disarm is None:
            self._follow_configuration()
        for note in take_commands(self.ha, self.manager, self._rules):
            self.ha.log(self.node, note)
        turning = self._to_turn()
        while turning is not None:
            turned = [self._turn(sid) for sid in sorted(self.manager.services) if not turning or sid in turning]
            if not (self._fence() or any(turned)):
                break
        return True

    def _to_turn(self) -> frozenset[str] | None:
        """The services that take steps in this round, all of them where it is empty; None while HA is disarmed.

        What is under way when HA is to be disarmed comes to its end first, and only that goes on.
        """
        if self.manager.disarm is None:
            return frozenset()
        busy = {sid: one.state for sid, one in sorted(self.manager.services.items()) if one.state in BUSY}
        for sid, state in busy.items():
            self.ha.log(self.node, f"deferring disarm - service '{sid}' is in '{state}' state")
        if busy:
            return frozenset(busy)
        self._disarm(self.manager.disarm)
        return None

    # --- nodes ---------------------------------------------------------------------------------------------------

    def _look_at_nodes(self) -> None:
        nodes, members = self.manager.nodes, self._world.membership.members(self.node)
        for name in self._world.nodes:
            state = nodes.get(name, "unknown")
            maintained = self._lrms[name].mode == "maintenance"
            if name in members:
                self._last_online[name] = self._now
                if state in ("unknown", "gone", "online"):
                    state = "maintenance" if maintained and state == "online" else "online"
                elif state == "maintenance" and not maintained:
                    state = "online"
            elif state == "online" or (state == "maintenance" and not maintained):
                state = "unknown"
            nodes[name] = state

    def _online(self, node: str) -> bool:
        return self.manager.nodes.get(node) == "online"

    def _lost(self, node: str) -> bool:
        """Not there for longer than the fence delay. Whoever has just become master begins to count now."""
        if self.manager.nodes.get(node) in ("online", "maintenance") and node in self._world.membership.members(
            self.node
        ):
            return False
        since = self._last_online.setdefault(node, self._now)
        return self._now - since >= FENCE_DELAY

    def _fence(self) -> bool:
        """Try the agent locks of nodes that must be fenced; with a lock had, the node's services are recovered."""
        had: dict[str, bool] = {}
        for sid in sorted(self.manager.services):
            service = self.manager.services[sid]
            if service.state == "fence":
                if service.node not in had:
                    had[service.node] = self._fence_node(service.node)
                if had[service.node]:
                    self._change(sid, "recovery")
        for node in sorted(self.manager.nodes):
            if self.manager.nodes[node] == "fence" and node not in had:
                self._fence_node(node)  # its services were taken away by hand: it must not stay so
        return any(had.values())

    def _fence_node(self, node: str) -> bool:
        if self.manager.nodes[node] != "fence":
            self.manager.nodes[node] = "fence"
            self.mails.append(Mail(node, acknowledged=False))
            self.ha.log(self.node, f"node '{node}': fencing begins")
            self._world.record(self.node, "ha.fence", node)
        if not self.ha.locks.attempt(agent(node), "crm", self.node):
            return False
        self.manager.nodes[node] = "unknown"
        self.mails.append(Mail(node, acknowledged=True))
        self.ha.log(self.node, f"fencing: acknowledged - got agent lock for node '{node}'")
        self._world.record(self.node, "ha.fenced", node)
        return True

    # --- configuration -------------------------------------------------------------------------------------------

    def _follow_configuration(self) -> None:
        services = self.manager.services
        for sid, resource in self._resources.items():
            if sid not in services and requested(resource) != "ignored":
                state = "request_start" if requested(resource) == "started" else "request_stop"
                services[sid] = Service(self.ha.guest_node(sid), state, self.ha.uid())
        for sid in list(services):
            if requested(self._resources.get(sid, {"state": "ignored"})) == "ignored":
                del services[sid]
                self.ha.ends(sid)

    def _disarm(self, disarm: dict[str, str]) -> None:
        """Freeze services, or leave them alone; what they carried is forgotten, but for where they live."""
        for sid, service in self.manager.services.items():
            freezes = disarm["mode"] == "freeze" and service.state in _FREEZES
            if freezes:
                self.ha.log(self.node, f"disarm: freezing service '{sid}' (was '{service.state}')")
                self.ha.ends(sid)
            self.manager.services[sid] = Service(
                service.node,
                "freeze" if freezes else service.state,
                self.ha.uid() if freezes else service.uid,
                maintenance_node=service.maintenance_node,
            )
        online = [node for node, state in self.manager.nodes.items() if state == "online"]
        if all(self._lrms[node].mode == "disarm" for node in online):
            disarm["state"] = "disarmed"

    # --- services ------------------------------------------------------------------------------------------------

    def _turn(self, sid: str) -> bool:
        """Let one service take one step; true when its state changed."""
        service = self.manager.services[sid]
        before = service.state
        lrm = self._lrms.get(service.node)
        result = lrm.results.get(service.uid) if lrm else None
        code = None if result is None else int(result["exit_code"])
        step = getattr(self, f"_from_{before}", None) or (self._from_moving if before in MOVING else None)
        if step is not None:
            step(sid, service, code)
        service = self.manager.services[sid]
        lrm = self._lrms.get(service.node)
        if lrm and lrm.mode == "restart" and service.state in ("started", "stopped", "request_stop"):
            self._change(sid, "freeze")
        return self.manager.services[sid].state != before

    def _wanted(self, sid: str) -> str:
        return requested(self._resources.get(sid, {"state": "disabled"}))

    def _wanted_state(self, sid: str) -> str:
        return "started" if self._wanted(sid) == "started" else "request_stop"

    def _from_request_start(self, sid: str, service: Service, _: int | None) -> None:
        if "ha-rebalance-on-start=1" in str(self.ha.cluster.options.get("crs", "")):
            node = self._choice().select(sid, failback=True, preference="best")
            if node is not None and node != service.node:
                self._change(sid, "request_start_balance", target=node)
                return
        self._change(sid, "started")

    def _from_request_stop(self, sid: str, service: Service, code: int | None) -> None:
        if code is not None:
            self._change(sid, "stopped" if code == SUCCESS else "error")
            self.ha.ends(sid)
        elif self._lost(service.node):
            self._change(sid, "fence")

    def _from_stopped(self, sid: str, service: Service, _: int | None) -> None:
        service.node = self.ha.guest_node(sid) or service.node  # a fence may have cut a migration short
        command, service.command = service.command, None
        wanted = self._wanted(sid)
        if command is not None and command[0] in MOVING and self._online(command[1]) and command[1] != service.node:
            self._change(sid, command[0], target=command[1])
            return
        if command is not None:
            self.ha.ends(sid)
        if wanted == "disabled":
            return
        if self._lost(service.node) and self.manager.nodes.get(service.node) != "maintenance":
            self._change(sid, "fence")
        elif wanted == "started":
            self._change(sid, "request_start")

    def _from_started(self, sid: str, service: Service, code: int | None) -> None:
        if not self._online(service.node):
            if self._lost(service.node):
                self._change(sid, "fence")
                service = self.manager.services[sid]
            if self.manager.nodes.get(service.node) != "maintenance":
                return
            service.maintenance_node = service.node
        if self._wanted(sid) != "started":
            self._change(sid, "request_stop")
        elif service.command is not None:
            self._obey(sid, service, service.command)
        else:
            self._keep_started(sid, service, code)

    def _obey(self, sid: str, service: Service, command: tuple[str, str]) -> None:
        """Move, or stop and be stopped from now on."""
        service.command = None
        kind, argument = command
        if kind == "stop":
            self._change(sid, "request_stop", timeout=int(argument))
            self.ha.update_resource(sid, {"state": "stopped"})
        elif self._online(argument) and argument != service.node:
            self._change(sid, kind, target=argument)
        else:
            self.ha.ends(sid)

    def _keep_started(self, sid: str, service: Service, code: int | None) -> None:
        """Judge the last start, and move the service if its rules or its failed start say so."""
        preference = "none"
        if code == SUCCESS:
            service.running, service.failed_nodes = True, []
            self.ha.ends(sid)
        elif code is not None:
            service.running = False
            service.failed_nodes = [*service.failed_nodes, service.node]  # each time it fails, also on the same node
            left = int(self._resources[sid].get("max_relocate", 1)) - len(service.failed_nodes)
            if code not in (ERROR, WRONG_NODE) or left < 0:
                self._change(sid, "error")
                self.ha.ends(sid)
                return
            preference = "next"
        failback = bool(int(self._resources[sid].get("failback", 1)))
        node = self._choice().select(sid, failback=failback, preference=preference)
        if node is None or node == service.node:
            if service.maintenance_node == service.node and self._online(service.node):
                service.maintenance_node = None  # it never left, as when all nodes went down together
            if code is not None:
                service.uid = self.ha.uid()  # a new order: the LRM looks after the guest again
            return
        if node == service.maintenance_node or service.node != service.maintenance_node:
            service.maintenance_node = None  # home again, or somewhere else than it was put for the time being
        self._change(sid, "migrate" if sid.startswith("vm:") else "relocate", target=node)

    def _from_moving(self, sid: str, service: Service, code: int | None) -> None:
        if code == SUCCESS and service.target is not None:
            self._change(sid, self._wanted_state(sid), node=service.target)
            return
        if code == WRONG_NODE:
            self._change(sid, "error")
        elif code is not None:
            self._change(sid, self._wanted_state(sid))
            return
        if self._lost(service.node):
            self._change(sid, "fence")

    def _from_recovery(self, sid: str, service: Service, _: int | None) -> None:
        """Move the guest's file to the best node; without one, try again in each round."""
        target = self._choice().select(sid, failback=True, preference="best")
        if target is not None:
            self.ha.steal(sid, service.node, target, REMOVED_LOCKS)
            self._world.record(self.node, "ha.recover", sid, source=service.node, to=target)
            self._change(sid, self._wanted_state(sid), node=target)
            return
        self.ha.log(
            self.node, f"recovering service '{sid}' from fenced node '{service.node}' failed, no recovery node found"
        )
        if self._wanted(sid) == "disabled":
            service.failed_nodes = []
            self._change(sid, "stopped")

    def _from_freeze(self, sid: str, service: Service, _: int | None) -> None:
        """Nothing but its own LRM thaws a service: there is no time limit, and no fencing from here."""
        if self._lrms[service.node].mode == "active":
            self._change(sid, self._wanted_state(sid))

    def _from_error(self, sid: str, service: Service, _: int | None) -> None:
        if self._wanted(sid) == "disabled":
            service.failed_nodes = []
            self._change(sid, "stopped")

    def _choice(self) -> Choice:
        return Choice(
            services=self.manager.services,
            online=frozenset(node for node, state in self.manager.nodes.items() if state == "online"),
            rules=self._rules,
            others=self.ha.unmanaged_guests(),
        )

    def _change(self, sid: str, state: str, *, node: str | None = None, **fields: Any) -> None:
        """A new state: what does not outlive it is forgotten."""
        old = self.manager.services[sid]
        self.manager.services[sid] = Service(
            node=node or old.node,
            state=state,
            uid=self.ha.uid(),
            failed_nodes=old.failed_nodes,
            maintenance_node=old.maintenance_node,
            **fields,
        )
        self.ha.log(self.node, f"service '{sid}': state changed from '{old.state}' to '{state}'")
