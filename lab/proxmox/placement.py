"""Which node a service shall run on: scores, rules, and the wish to stay (reference: pve-ha §8). Pure functions."""

from collections.abc import Mapping
from dataclasses import dataclass

from lab.proxmox.ha_rules import Rule, candidates, companions
from lab.proxmox.ha_state import MOVING, Service


@dataclass(frozen=True)
class Choice:
    """What a choice is made from: the services, the online nodes, and the running guests that HA does not know."""

    services: Mapping[str, Service]
    online: frozenset[str]
    rules: Mapping[str, Rule]
    others: Mapping[str, int]

    def load(self) -> dict[str, int]:
        """Services on each online node; one that is moving counts on both of its nodes."""
        load = {node: self.others.get(node, 0) for node in self.online}
        for service in self.services.values():
            if service.state in ("stopped", "request_start"):
                continue
            for node in {service.node, service.target if service.state in MOVING else service.node}:
                if node in load:
                    load[node] += 1
        return load

    def select(self, sid: str, *, failback: bool, preference: str = "none") -> str | None:
        """The node for a service; None when there is none.

        `preference` is ``none`` (stay if it may), ``best`` (recovery) or ``next`` (its start has failed here).
        """
        service = self.services[sid]
        by_rules = candidates(self.rules, sid, self.online)
        apart = self._apart(sid)
        if preference == "none" and not failback and service.node in by_rules.allowed - apart:
            together = self._together(sid, by_rules.allowed)
            if not together or service.node in together:
                return service.node
        nodes = by_rules.best - frozenset(service.failed_nodes)
        if not nodes:
            return None
        if together := self._together(sid, nodes):
            nodes = together
        nodes -= apart
        if not nodes:
            return None
        if preference != "next" and service.maintenance_node in nodes:
            return service.maintenance_node
        if preference == "none" and service.node in nodes:
            return service.node
        load = self.load()
        return min(nodes, key=lambda node: (load[node], node))

    def _apart(self, sid: str) -> frozenset[str]:
        """Nodes on which, or on the way to which, are services that this one must not meet."""
        found: set[str] = set()
        for other in companions(self.rules, sid, "negative"):
            if (service := self.services.get(other)) is not None and service.state != "stopped":
                found |= {service.node, service.target or service.node}
        return frozenset(found)

    def _together(self, sid: str, nodes: frozenset[str]) -> frozenset[str]:
        """Of some nodes, the one where most of this service's companions are; empty when none is anywhere."""
        counts: dict[str, int] = {}
        for other in companions(self.rules, sid, "positive"):
            if (service := self.services.get(other)) is not None and service.state != "stopped":
                node = service.target or service.node
                if node in nodes:
                    counts[node] = counts.get(node, 0) + 1
        if not counts:
            return frozenset()
        return frozenset((min(counts, key=lambda node: (-counts[node], node)),))
