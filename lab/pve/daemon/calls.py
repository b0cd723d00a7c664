"""What a handler gets, and the table it is entered in."""

import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lab.pve.etc.access import Identity

if TYPE_CHECKING:
    from lab.pve.models import Cluster


@dataclass(frozen=True)
class Call:
    """One call whose caller may make it and whose parameters fit. `node` is the node that does the work."""

    cluster: "Cluster"
    node: str
    identity: Identity
    parameters: dict[str, Any]

    def get(self, name: str, default: Any = None) -> Any:
        """A parameter, or its default."""
        return self.parameters.get(name, default)

    def __getitem__(self, name: str) -> Any:
        return self.parameters[name]

    def may(self, path: str, *privileges: str) -> bool:
        """True when the caller has any of the privileges there: for lists that show less to some."""
        return self.cluster.access.may(self.identity, path, *privileges)

    def require(self, path: str, *privileges: str) -> None:
        """The checks that a handler makes beyond the schema's; 403 names what is missing."""
        self.cluster.access.require(self.identity, path, *privileges)


@dataclass(frozen=True)
class Page:
    """A list that says how long it would be in full."""

    data: list[Any]
    total: int


Handler = Callable[[Call], Awaitable[Any]]


def _reading(handler: Handler) -> Handler:
    """The handler, asked about the cluster as its node reads it: not as the world knows it."""

    @functools.wraps(handler)
    async def read(call: Call) -> Any:
        return await handler(replace(call, cluster=call.cluster.read_by(call.node)))

    return read


class Routes:
    """Verb and path template to handler."""

    def __init__(self) -> None:
        self.table: dict[tuple[str, str], Handler] = {}

    def on(self, *keys: str) -> Callable[[Handler], Handler]:
        """Enter a handler: ``@routes.on("GET /version")``. Who reads gets what is in the node's own files."""

        def enter(handler: Handler) -> Handler:
            for key in keys:
                verb, _, template = key.partition(" ")
                self.table[verb, template] = _reading(handler) if verb == "GET" else handler
            return handler

        return enter
