"""How nodes reach the arrays, as far as people decide it: the inventory's `paths`."""

import operator
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from cluster.nouns import Noun, SecretRef

# What differs on a host is told, or set by the deployment.
Means = Literal["check", "set"]


def _user(value: str) -> str:
    """What stands in one word of a record of open-iscsi's."""
    if not re.fullmatch(r"[A-Za-z0-9._:@-]{1,255}", value):
        raise ValueError("a CHAP user has 1 to 255 letters, digits, '.', '_', ':', '@' or '-'")
    return value


class Chap(Noun):
    """The name and secret with which every node logs in at both arrays. Each array asks for it at its host objects."""

    user: Annotated[str, AfterValidator(_user)]
    password: SecretRef


class PathPolicy(Noun):
    """`multipath` and `tuning` are what the deployment does about settings of a host that are not as they must be.

    `check` tells them, and refuses to begin where one would do harm; `set` writes them, for the pod's volume alone.
    `mtu` in bytes is what the way to every portal must carry unfragmented; without it, what the interface has.
    """

    chap: Chap | None = Field(default=None, exclude_if=operator.not_)
    multipath: Means = "check"
    tuning: Means = "check"
    mtu: int | None = Field(default=None, ge=1280, le=9216, exclude_if=operator.not_)
