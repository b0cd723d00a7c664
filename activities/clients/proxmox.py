"""The cluster's API through proxmoxer, and what its errors mean.

Every node serves every path, so a call goes to the first node that answers; a write whose answer is lost is never
sent to a second one. proxmoxer is synchronous: one session per thread and node.
"""

import threading
from http.client import responses
from typing import Any, NoReturn

import requests
from proxmoxer.backends import https
from proxmoxer.core import ProxmoxResource
from urllib3.exceptions import LocationParseError

from activities import tracing
from activities.clients.answers import excerpt, json_object, pause
from activities.clients.proxmox_answers import refusal
from activities.clients.secrets import Secrets
from activities.clients.tls import recognising, refused
from activities.errors import NotYet, Rejected, Unauthorized, Unreachable
from cluster.inventory import Inventory
from cluster.trust import Trust, of_node

# A forwarded call to a dead node takes up to 30 s, a storage write without quorum 10 s (reference: proxmox-api §3).
TIMEOUT = 40.0
# A node that has lost its power must not keep a call from the next one.
CONNECT_TIMEOUT = 5.0


class _Answers(https.JsonSerializer):  # type: ignore[misc]  # the vendor ships no types
    """Reads what a node answers. proxmoxer's own reader takes anything for an answer, its error has no headers."""

    def __init__(self, node: str) -> None:
        self._node = node

    def loads(self, response: requests.Response) -> Any:
        """The data of a success."""
        tracing.answered(response.status_code)
        found = json_object(response.content)
        if found is None or "data" not in found:
            raise Unreachable(
                f"{self._node} answers with something that cannot be read: {excerpt(response.content)} "
                f"(HTTP {response.status_code})"
            )
        return found["data"]

    def loads_errors(self, response: requests.Response) -> NoReturn:
        """The one place where refusals are met."""
        tracing.answered(response.status_code)
        fields = (json_object(response.content) or {}).get("errors")
        reason = response.reason or responses.get(response.status_code, "")
        again_in = pause(response.headers.get("Retry-After"))
        raise refusal(response.status_code, reason, fields if isinstance(fields, dict) else {}, again_in)


class PveApi:
    """The API of one cluster. Every call may raise one of the seven words, and nothing else."""

    def __init__(self, inventory: Inventory, secrets: Secrets, timeout: float | None = None) -> None:
        self._inventory, self._timeout = inventory, timeout
        self._secrets = secrets
        self._threads = threading.local()
        self._answering = inventory.nodes[0].name

    def get(self, path: str, /, *, node: str | None = None, **parameters: Any) -> Any:
        """Read; asks the next node when one does not answer, unless `node` is named."""
        order = [node] if node else self.nodes
        for number, name in enumerate(order, start=1):
            try:
                return self._send(name, "get", path, parameters)
            except Unreachable:
                if number == len(order):
                    raise
        raise AssertionError("a cluster has nodes")

    def post(self, path: str, /, **parameters: Any) -> Any:
        """Write once, to a node that has just answered."""
        return self._write("post", path, parameters)

    def put(self, path: str, /, **parameters: Any) -> Any:
        """Write once, to a node that has just answered."""
        return self._write("put", path, parameters)

    def _write(self, verb: str, path: str, parameters: dict[str, Any]) -> Any:
        self.get("version")  # settles which node answers; the write itself must not wander
        node = self._answering
        try:
            return self._send(node, verb, path, parameters)
        except (Unreachable, NotYet):
            # the next attempt begins at another node: one that tells its version may be able to do nothing else, and
            # one without quorum takes no write
            names = [one.name for one in self._inventory.nodes]
            self._answering = names[(names.index(node) + 1) % len(names)]
            raise

    @property
    def trusts(self) -> tuple[Trust, ...]:
        """By what each node is recognised."""
        return tuple(of_node(self._inventory, node.name) for node in self._inventory.nodes)

    @property
    def nodes(self) -> list[str]:
        """Every node, the one that has answered last first."""
        names = [node.name for node in self._inventory.nodes]
        return [self._answering, *(name for name in names if name != self._answering)]

    def _session(self, node: str) -> Any:
        sessions: dict[str, Any] = self._threads.__dict__.setdefault("sessions", {})
        if node not in sessions:
            api = self._inventory.api
            user, _, name = api.token_id.partition("!")
            limit = self._timeout or TIMEOUT
            backend = https.Backend(
                self._inventory.node(node).address,
                port=api.port,
                user=user,
                token_name=name,
                token_value=self._secrets.token(api.token),
                verify_ssl=True,
                timeout=(min(CONNECT_TIMEOUT, limit), limit),
            )
            session = recognising(backend.get_session(), of_node(self._inventory, node), self._secrets)
            sessions[node] = ProxmoxResource(
                base_url=backend.get_base_url(), session=session, serializer=_Answers(node)
            )
        return sessions[node]

    def _send(self, node: str, verb: str, path: str, parameters: dict[str, Any]) -> Any:
        """One call, as a span."""
        api, place = self._inventory.api, self._inventory.node(node).address
        with tracing.request(verb.upper(), place, f"/api2/json/{path}", api.port):
            return self._answer(node, verb, path, parameters)

    def _answer(self, node: str, verb: str, path: str, parameters: dict[str, Any]) -> Any:
        """What it comes to: the one place where silence is met."""
        address = f"{self._inventory.node(node).address}:{self._inventory.api.port}"
        try:
            answer = getattr(self._session(node)(path), verb)(**parameters)
        except requests.exceptions.SSLError as error:
            self._threads.sessions.pop(node, None)  # the file of its signer is read anew, should a person mend it
            distrusted = refused(of_node(self._inventory, node), error)
            raise distrusted or Unreachable(f"{node} at {address} does not answer: {_plain(error)}") from None
        except requests.exceptions.InvalidHeader:
            # its message would show the secret
            raise Unauthorized(f"{node}: the secret that api.token refers to cannot stand in a header") from None
        except (ValueError, LocationParseError) as error:
            # an URL cannot be made of it, which requests tells as an error of its own or lets through
            raise Rejected(
                f"{node} at {address}: that is no address ({_plain(error)}); correct it in the inventory"
            ) from None
        except requests.exceptions.RequestException as error:
            raise Unreachable(f"{node} at {address} does not answer: {_plain(error)}") from None
        self._answering = node
        return answer


def _plain(error: Exception) -> str:
    """The last words of a chain of library errors: ``Connection refused``, ``Read timed out``."""
    text = str(error).split("Caused by ")[-1]
    return text.rsplit(": ", 1)[-1].strip("()'\" ")[:200]
