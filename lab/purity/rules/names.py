"""Names of objects: what they may look like, and finding an object by one."""

import re
from collections.abc import Iterable
from typing import Any, Protocol, TypeVar

from lab.purity.errors import Refused

# 1 to 63 letters, digits and dashes, alphanumeric at both ends (reference: flasharray-rest §7).
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


class Named(Protocol):
    """Anything with a name."""

    @property
    def name(self) -> str:
        """The name, as it was written by whoever made the thing."""


T = TypeVar("T", bound=Named)


def same(one: str, other: str) -> bool:
    """Names differ in more than case, or not at all."""
    return one.lower() == other.lower()


def find(things: Iterable[T], name: str) -> T | None:
    """The thing of that name, in any case."""
    return next((thing for thing in things if same(thing.name, name)), None)


def check(kind: str, name: str) -> str:
    """The name, when it may be one."""
    if not _NAME.fullmatch(name):
        raise Refused(f"{kind} name is invalid.", name)
    return name


def reference(value: Any) -> str:
    """The name or id in a reference of a body: ``{"name": ...}`` or ``{"id": ...}``; "" clears."""
    if isinstance(value, dict):
        for key in ("name", "id"):
            if isinstance(value.get(key), str):
                return str(value[key])
    raise Refused("Invalid reference.")
