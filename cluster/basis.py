"""What a verdict was computed from, as it goes on record beside it, and the verdict computed anew from that. Pure.

The watch judges by `Grounds`, and whoever reads the record judges by them again: it is the same function. On record
they are plain JSON, so that a record is still read when the models of the facts have changed.
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pydantic import Field

from cluster.facts import Facts, Memory, remember
from cluster.inventory import Inventory
from cluster.judging.planned import announced
from cluster.memory import NOBODY_MOVED, ROUNDS
from cluster.nouns import Value
from cluster.silences import Silence
from cluster.verdict import Verdict, judge, turned

# Parts of the inventory that no verdict depends on. Some of them hold addresses of webhooks, which are secrets.
_LEFT_OUT: Any = {
    "hooks": True, "notify": True, "events": True, "approvals": True, "timeouts": True, "failback": True,
    "watch": {"deadman"},
    "sites": {"__all__": {"nodes": {"__all__": {"bmc"}}}},
}  # fmt: skip
# Of looks of one kind, these are told as what differs from another one: nodes of one cluster say mostly the same.
_ALIKE = ("votes", "cluster", "arrays")
_LIKE, _BUT, _WITHOUT = "like", "but", "without"


class Grounds(Value):
    """One look, what was remembered before it, and what else its verdict depends on.

    `between` is how far apart two looks of one series may be, so `early` after a loss HA has moved nobody yet; both by
    the worker's clock. `silences` are the announcements that stood.
    """

    facts: Facts
    memory: Memory = Memory()
    between: timedelta = ROUNDS
    early: timedelta = NOBODY_MOVED
    silences: tuple[Silence, ...] = ()

    def verdict(self, inventory: Inventory) -> tuple[Verdict, Memory]:
        """What has happened, and what is remembered after it."""
        nodes = tuple(node.name for node in inventory.nodes)
        memory = remember(self.memory, self.facts, nodes, self.between, self.early)
        found = judge(self.facts, memory, inventory)
        memory = turned(memory, found, self.facts.at)
        return announced(found, self.silences, memory, inventory), memory


class Basis(Value):
    """The same on record, with the part of the inventory that was judged by and the rules' version.

    `rules` is the package's version and a digest of the sources that judge. Defaults are left out, and a look that
    says mostly what another one says is told as ``{"like": NAME, "but": {…}, "without": […]}``.
    """

    rules: str
    facts: dict[str, Any]
    memory: dict[str, Any] = Field(default_factory=dict)
    between: timedelta = ROUNDS
    early: timedelta = NOBODY_MOVED
    silences: tuple[dict[str, Any], ...] = ()
    inventory: dict[str, Any]

    @classmethod
    def of(cls, grounds: Grounds, inventory: Inventory, rules: str) -> "Basis":
        """These grounds as they go on record."""
        told = grounds.model_dump(mode="json", exclude_defaults=True)
        facts = {kind: _told_once(looks) if kind in _ALIKE else looks for kind, looks in told["facts"].items()}
        return cls(
            rules=rules,
            facts=facts,
            memory=told.get("memory", {}),
            between=grounds.between,
            early=grounds.early,
            silences=tuple(told.get("silences", ())),
            inventory=inventory.model_dump(mode="json", exclude_defaults=True, exclude=_LEFT_OUT),
        )

    @property
    def grounds(self) -> Grounds:
        """As they were. ValueError when today's models cannot read them."""
        facts = {kind: _in_full(looks) if kind in _ALIKE else looks for kind, looks in self.facts.items()}
        whole = {"facts": facts, "memory": self.memory, "silences": self.silences}
        return Grounds.model_validate(whole | {"between": self.between, "early": self.early})

    @property
    def judged_by(self) -> Inventory:
        """The inventory, without what no verdict depends on. ValueError when today's model cannot read it."""
        return Inventory.model_validate(self.inventory)


def _told_once(looks: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Each look in full, or as its difference from one that is told in full, whichever is shorter."""
    told: dict[str, dict[str, Any]] = {}
    full: dict[str, dict[str, Any]] = {}
    for name, look in looks.items():
        short = min((_difference(look, one, other) for one, other in full.items()), key=_length, default=look)
        if _length(short) < _length(look):
            told[name] = short
        else:
            told[name] = full[name] = look
    return told


def _difference(look: dict[str, Any], name: str, other: dict[str, Any]) -> dict[str, Any]:
    but = {field: value for field, value in look.items() if field not in other or other[field] != value}
    without = [field for field in other if field not in look]
    return {_LIKE: name, _BUT: but} | ({_WITHOUT: without} if without else {})


def _in_full(told: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    return {name: _look(look, told) for name, look in told.items()}


def _look(look: dict[str, Any], told: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    if _LIKE not in look:
        return look
    same: dict[str, Any] = {
        field: value for field, value in told[look[_LIKE]].items() if field not in look.get(_WITHOUT, ())
    }
    return same | dict(look[_BUT])


def _length(look: dict[str, Any]) -> int:
    return len(json.dumps(look))
