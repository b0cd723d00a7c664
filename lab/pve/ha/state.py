"""What the HA daemons share below /etc/pve: services as the manager knows them, LRM reports, requested states."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# States in which a service is on its way to `target`.
MOVING = ("migrate", "relocate", "request_start_balance")

# Services in these states put off disarming.
BUSY = ("fence", "recovery", "migrate", "relocate")

# Exit codes of the LRM's workers.
SUCCESS, ERROR, AGAIN, WRONG_NODE, IGNORED = 0, 1, 2, 3, 8


class RoundFailed(Exception):
    """A master's round has met what it cannot handle: it ends there, and nothing of it is written."""


@dataclass
class Service:
    """What the manager keeps about one service; `uid` changes with every order to an LRM."""

    node: str
    state: str
    uid: str
    target: str | None = None
    running: bool = False
    timeout: int | None = None
    failed_nodes: list[str] = field(default_factory=list)
    maintenance_node: str | None = None  # where it was when that node went into maintenance
    command: tuple[str, str] | None = None  # ("migrate", node), waiting for the service's next turn

    def entry(self) -> dict[str, Any]:
        """The service as manager_status holds it: optional fields only when they apply."""
        optional = {
            "target": self.target,
            "running": int(self.running) or None,
            "timeout": self.timeout,
            "failed_nodes": self.failed_nodes or None,
            "maintenance_node": self.maintenance_node,
            "cmd": list(self.command) if self.command else None,
        }
        known = {"node": self.node, "state": self.state, "uid": self.uid}
        return known | {name: value for name, value in optional.items() if value is not None}


@dataclass
class Manager:
    """The file manager_status, written by the master at the end of each round."""

    master: str
    timestamp: int
    nodes: dict[str, str] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    requests: dict[str, dict[str, int]] = field(default_factory=dict)  # node -> {"maintenance": 1}
    disarm: dict[str, str] | None = None  # {"mode": "freeze", "state": "disarming"}

    def entry(self) -> dict[str, Any]:
        """The file as the API shows it."""
        found: dict[str, Any] = {
            "master_node": self.master,
            "timestamp": self.timestamp,
            "node_status": dict(self.nodes),
            "service_status": {sid: service.entry() for sid, service in self.services.items()},
        }
        if self.requests:
            found["node_request"] = {node: dict(request) for node, request in self.requests.items()}
        return found | ({"disarm": dict(self.disarm)} if self.disarm else {})


@dataclass
class LrmStatus:
    """The file lrm_status of a node: only that node's LRM writes it, and only with quorum."""

    state: str = "wait_for_agent_lock"
    mode: str = "active"
    timestamp: int = 0
    results: dict[str, dict[str, Any]] = field(default_factory=dict)  # by the order's uid


@dataclass
class HaFiles:
    """HA's part of /etc/pve."""

    manager: Manager | None = None
    lrms: dict[str, LrmStatus] = field(default_factory=dict)
    resources: dict[str, dict[str, Any]] = field(default_factory=dict)  # only what is set in resources.cfg
    rules: dict[str, dict[str, Any]] = field(default_factory=dict)
    commands: list[tuple[str, str, str]] = field(default_factory=list)  # (command, sid or node, argument)

    def copy(self) -> "HaFiles":
        """What a node keeps that is cut off."""
        return copy.deepcopy(self)


def requested(resource: dict[str, Any]) -> str:
    """The requested state of a resource; `enabled` is an old word for started."""
    state = str(resource.get("state", "started"))
    return "started" if state == "enabled" else state


def active_services(services: Mapping[str, Service], node: str) -> int:
    """How many services need a node's LRM: those on it or on their way to it (source: HA/Tools.pm)."""
    quiet = ("stopped", "freeze", "error", "request_start")
    return sum(node in (one.node, one.target) and one.state not in quiet for one in services.values())
