"""Which node a service shall run on: scores, rules, and the wish to stay (reference: pve-ha §8). Pure functions."""

from collections.abc import Mapping
from dataclasses import dataclass

from lab.pve.ha.rules import Rule, candidates, companions
from lab.pve.ha.state import MOVING, Service


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
        for sid in self.services:
            for node in self._used(sid):
                load[node] += 1
        return load

    def select(self, sid: str, *, failback: bool, preference: str = "none") -> str | None:
        """The node for a service; None when there is none.

        `preference` is ``none`` (stay if it may), ``best`` (recovery) or ``next`` (its start has failed here).
        """
        service = self.services[sid]
        by_rules = candidates(self.rules, sid, self.online)
        if not by_rules.best:
            return None
        apart, together = self._apart(sid), self._together(sid)
        stays = service.node in together or service.node not in apart
        if preference == "none" and not failback and service.node in by_rules.allowed and stays:
            return service.node
        nodes = by_rules.best - apart
        if preference == "next":
            nodes -= frozenset(service.failed_nodes)
        if there := {node: count for node, count in together.items() if node in nodes}:
            nodes = frozenset((min(there, key=lambda node: (-there[node], node)),))
        if service.maintenance_node in nodes:
            return service.maintenance_node
        if preference == "none" and service.node in nodes:
            return service.node
        load = self.load()
        return min(nodes, key=lambda node: (load[node], node), default=None)

    def _apart(self, sid: str) -> frozenset[str]:
        """Online nodes on which, or on the way to which, are services that this one must not meet."""
        found: set[str] = set()
        for other in companions(self.rules, sid, "negative"):
            found |= self._used(other)
        return frozenset(found)

    def _together(self, sid: str) -> dict[str, int]:
        """Online nodes where companions of this service are, or are going, and how many."""
        counts: dict[str, int] = {}
        for other in companions(self.rules, sid, "positive"):
            service = self.services.get(other)
            used = self._used(other)
            going = used & {service.target} if service is not None and service.target else used
            for node in going or used:
                counts[node] = counts.get(node, 0) + 1
        return counts

    def _used(self, sid: str) -> set[str]:
        """The online nodes that a service puts load on (source: HA/Usage.pm, get_used_service_nodes)."""
        service = self.services.get(sid)
        if service is None or service.state in ("stopped", "request_start"):
            return set()
        here = set() if service.state == "request_start_balance" else {service.node}
        there = {service.target} if service.state in MOVING and service.target else set()
        return (here | there) & self.online
