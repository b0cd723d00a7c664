"""What a management controller's Redfish service says: its resources and its refusals.

Forms follow DMTF's Redfish (DSP0266, DSP0268), as far as power is concerned. What is on, `lab.bmc.controller` knows.
"""

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

ROOT = "/redfish/v1"
RESET = f"{ROOT}/Systems/1/Actions/ComputerSystem.Reset"
SESSIONS = f"{ROOT}/SessionService/Sessions"
RESETS = ("On", "ForceOff", "GracefulShutdown", "ForceRestart", "PowerCycle")
# A session that nobody used for so long is gone, lab seconds.
SESSION_TIMEOUT = 1800

_COLLECTIONS = {"Systems": "ComputerSystem", "Chassis": "Chassis", "Managers": "Manager"}


class Refused(Exception):
    """The service says no, with a message of the Base registry."""

    def __init__(self, status: int, key: str, message: str, *arguments: str, allow: str = "") -> None:
        super().__init__(message)
        self.status, self.key, self.message, self.arguments, self.allow = status, key, message, arguments, allow

    def response(self) -> web.Response:
        """The refusal with its extended information."""
        details = {
            "@odata.type": "#Message.v1_2_0.Message",
            "MessageId": f"Base.1.18.{self.key}",
            "Message": self.message,
            "MessageArgs": list(self.arguments),
            "MessageSeverity": "Critical",
            "Resolution": "None.",
        }
        error = {"code": f"Base.1.18.{self.key}", "message": self.message, "@Message.ExtendedInfo": [details]}
        headers = {"Allow": self.allow} if self.allow else {}
        if self.status == 401:
            headers["WWW-Authenticate"] = 'Basic realm="BMC"'
        return web.json_response({"error": error}, status=self.status, headers=headers)


@dataclass(frozen=True)
class View:
    """What the resources are derived from: a node, its power, lab time, and who has logged in (number -> user)."""

    node: str
    on: bool
    now: float
    sessions: Mapping[str, str]

    def resource(self, path: str) -> dict[str, Any] | None:
        """The resource at a path, without its trailing slash."""
        if path == "/redfish":
            return {"v1": f"{ROOT}/"}
        collections = {f"{ROOT}/{name}": kind for name, kind in _COLLECTIONS.items()}
        if path in collections:
            return _collection(path, collections[path], [f"{path}/1"])
        if path == SESSIONS:
            return _collection(path, "Session", [f"{path}/{number}" for number in self.sessions])
        number = path.removeprefix(f"{SESSIONS}/")
        if number in self.sessions:
            return _head(path, "Session.v1_7_1.Session", number) | {"UserName": self.sessions[number]}
        builders: dict[str, Callable[[], dict[str, Any]]] = {
            ROOT: self._root,
            f"{ROOT}/SessionService": self._session_service,
            f"{ROOT}/Systems/1": self._system,
            f"{ROOT}/Chassis/1": self._chassis,
            f"{ROOT}/Managers/1": self._manager,
        }
        return builders[path]() if path in builders else None

    def _root(self) -> dict[str, Any]:
        return {
            **_head(f"{ROOT}/", "ServiceRoot.v1_15_0.ServiceRoot", "RootService"),
            "RedfishVersion": "1.15.0",
            "UUID": self._uuid("manager"),
            **{name: {"@odata.id": f"{ROOT}/{name}"} for name in (*_COLLECTIONS, "SessionService")},
            "Links": {"Sessions": {"@odata.id": SESSIONS}},
        }

    def _session_service(self) -> dict[str, Any]:
        return {
            **_head(f"{ROOT}/SessionService", "SessionService.v1_1_9.SessionService", "SessionService"),
            "ServiceEnabled": True,
            "SessionTimeout": SESSION_TIMEOUT,
            "Sessions": {"@odata.id": SESSIONS},
        }

    def _system(self) -> dict[str, Any]:
        return {
            **_head(f"{ROOT}/Systems/1", "ComputerSystem.v1_20_1.ComputerSystem", "1"),
            "SystemType": "Physical",
            "HostName": self.node,
            "UUID": self._uuid("system"),
            **self._state(),
            "Actions": {"#ComputerSystem.Reset": {"target": RESET, "ResetType@Redfish.AllowableValues": list(RESETS)}},
            "Links": _links(Chassis="Chassis", ManagedBy="Managers"),
        }

    def _chassis(self) -> dict[str, Any]:
        found = {**_head(f"{ROOT}/Chassis/1", "Chassis.v1_25_0.Chassis", "1"), "ChassisType": "RackMount"}
        return found | self._state() | {"Links": _links(ComputerSystems="Systems", ManagedBy="Managers")}

    def _manager(self) -> dict[str, Any]:
        return {
            **_head(f"{ROOT}/Managers/1", "Manager.v1_19_0.Manager", "1"),
            "ManagerType": "BMC",
            "DateTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.now)),
            "PowerState": "On",
            "Status": {"State": "Enabled", "Health": "OK"},
            "Links": _links(ManagerForServers="Systems", ManagerForChassis="Chassis"),
        }

    def _state(self) -> dict[str, Any]:
        status = {"State": "Enabled" if self.on else "StandbyOffline", "Health": "OK"}
        return {"PowerState": "On" if self.on else "Off", "Status": status}

    def _uuid(self, what: str) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{what}.{self.node}.lab"))


def _head(path: str, kind: str, identity: str) -> dict[str, Any]:
    return {"@odata.id": path, "@odata.type": f"#{kind}", "Id": identity, "Name": kind.rpartition(".")[2]}


def _collection(path: str, kind: str, members: list[str]) -> dict[str, Any]:
    name = f"{kind}Collection"
    return {
        "@odata.id": path,
        "@odata.type": f"#{name}.{name}",
        "Name": f"{kind} collection",
        "Members": [{"@odata.id": member} for member in members],
        "Members@odata.count": len(members),
    }


def _links(**names: str) -> dict[str, Any]:
    return {name: [{"@odata.id": f"{ROOT}/{collection}/1"}] for name, collection in names.items()}
