"""The replication connection between both arrays: one cable, described by each array from its own end."""

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lab.purity.errors import Refused, exists, missing
from lab.purity.rules.names import same

if TYPE_CHECKING:
    from lab.purity.models import Array

SYNC = "sync-replication"
TYPES = ("async-replication", SYNC)
TRANSPORTS = ("ip", "fc")


@dataclass
class Link:
    """The connection. `status` is what both ends show while both arrays have power; tests set it."""

    creator: str
    type: str = SYNC
    status: str = "connected"
    transport: str = "ip"
    throttle: dict[str, Any] = field(default_factory=dict)


def status(array: "Array") -> str:
    """The connection's state as this array sees it."""
    link = array.link
    if link is None:
        return "connecting"
    return link.status if array.peer.up and array.world.links.replication() else "connecting"


def named(array: "Array", name: str) -> Link:
    """The connection to the array of that name."""
    if array.link is None or not same(array.peer.name, name):
        raise missing("Array connection", name)
    return array.link


def connect(array: "Array", body: dict[str, Any]) -> None:
    """Connect to the array behind a management address, with that array's key."""
    peer = array.peer
    transport = body.get("replication_transport", "ip")
    if transport not in TRANSPORTS:
        raise Refused("Given Transport Type is invalid", transport)
    if body.get("type") not in TYPES:
        raise Refused("Given connection type is invalid.", body.get("type"))
    if body.get("management_address") != peer.management_address:
        raise Refused("Target array could not be found.", body.get("management_address"))
    if body.get("connection_key") != peer.connection_key:
        raise Refused("Invalid connection key.", peer.name)
    if array.link is not None:
        raise exists("Array connection", peer.name)
    array.link = Link(creator=array.name, type=body["type"], transport=transport)
    array.record("array_connection.create", peer.name, type=body["type"])


def change(array: "Array", name: str, body: dict[str, Any]) -> None:
    """Change type or throttle; from async to sync only with the peer's key."""
    link = named(array, name)
    kind = body.get("type", link.type)
    if kind not in TYPES:
        raise Refused("Given connection type is invalid.", kind)
    if kind == SYNC and link.type != SYNC and body.get("connection_key") != array.peer.connection_key:
        raise Refused("Invalid connection key.", name)
    wanted = {"type": kind, "throttle": body.get("throttle", link.throttle)}
    changed = {key: value for key, value in wanted.items() if getattr(link, key) != value}
    if changed:
        link.type, link.throttle = wanted["type"], wanted["throttle"]
        array.record("array_connection.update", array.peer.name, **changed)


def disconnect(array: "Array", name: str) -> None:
    """Give the connection up; not from the end that did not make it, nor under a stretched pod."""
    link = named(array, name)
    if link.creator != array.name:
        raise Refused("Array connection can only be deleted on the array that created it.", name)
    if any(pod.stretched for pod in array.pods):
        raise Refused("Array connection is in use by a stretched pod.", name)
    array.link = None
    array.record("array_connection.delete", array.peer.name)


def new_key() -> str:
    """A connection key: opaque, and never written into the change log."""
    return str(uuid.uuid4())
