"""The answers of a bundle, as the twin looks them up; and where its addresses are on this machine.

A bundle's addresses are those of a test network (198.18.0.0/15) and of IPv6's documentation: each gets one on
loopback, in the same order, so that whatever is sorted by address stays sorted.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from cluster.inventory import Inventory
from cluster.probing.bundle import Bundle
from cluster.probing.cleaning import Of

_V4 = re.compile(r"\b198\.18\.(\d{1,3})\.(\d{1,3})\b")
_V6 = re.compile(r"\b2001:db8:0:([0-9a-f]{1,2})::([0-9a-f]{1,2})\b")
_NAMED = re.compile(r"\bserver-(\d{2})\.example\b")
# Where IPv6's networks and hosts by name begin among the 256 networks of a loopback net.
_V6_FROM, _NAMED_NET = 128, 251


def on_loopback(text: str, net: int, *, names: bool = False) -> str:
    """The text with every address of the bundle moved to ``127.NET.x.y``; with `names` also those of named hosts."""
    text = _V4.sub(lambda found: f"127.{net}.{found[1]}.{found[2]}", text)
    text = _V6.sub(lambda found: f"127.{net}.{_V6_FROM + int(found[1], 16)}.{int(found[2], 16)}", text)
    return _NAMED.sub(lambda found: f"127.{net}.{_NAMED_NET}.{int(found[1])}", text) if names else text


class Facts:
    """What a bundle says, with its addresses on loopback."""

    def __init__(self, bundle: Bundle, net: int) -> None:
        self.words = {(one.of, one.who, one.what, one.item): one.word for one in bundle.answers if one.word}
        told = ((one, json.loads(on_loopback(json.dumps(one.data), net))) for one in bundle.answers)
        self._data = {(one.of, one.who, one.what, one.item): data for one, data in told if data is not None}

    def rows(self, of: Of, who: str, what: str) -> list[dict[str, Any]]:
        """An answer that is a list; an empty one where there is none."""
        found = self._data.get((of, who, what, ""))
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

    def item(self, of: Of, who: str, what: str, item: str = "") -> dict[str, Any]:
        """An answer that is one object; an empty one where there is none."""
        found = self._data.get((of, who, what, item))
        return found if isinstance(found, dict) else {}

    def value(self, of: Of, who: str, what: str) -> Any:
        """An answer that is a list of words or a single one; None where there is none."""
        return self._data.get((of, who, what, ""))

    def lines(self, of: Of, who: str, what: str) -> list[str]:
        """An answer that is text."""
        found = self._data.get((of, who, what, ""))
        return [str(one) for one in found] if isinstance(found, list) else []

    def after(self, of: Of, who: str, what: str, label: str) -> Iterator[str]:
        """What stands behind a label, line by line."""
        for line in self.lines(of, who, what):
            if line.strip().startswith(label):
                yield line.strip()[len(label) :].strip()

    def stretched(self, inventory: Inventory) -> bool:
        """Whether there is a pod to build: the inventory's, on both arrays, as either of them tells it."""
        return any(len(pod.get("arrays", ())) > 1 for pod in self.pods(inventory))

    def pods(self, inventory: Inventory) -> list[dict[str, Any]]:
        """The pod, as the first array tells it that tells it."""
        return next(filter(None, (self.rows("array", array.name, "pods") for array in inventory.arrays)), [])

    def off(self, inventory: Inventory) -> list[str]:
        """Nodes without power: no members, dark, and no controller calls them on."""
        status = self.rows("cluster", inventory.name, "status")
        away = {row.get("name") for row in status if row.get("type") == "node" and not row.get("online", 1)}
        return [
            node.name
            for node in inventory.nodes
            if node.name in away
            and ("node", node.name, "login", "") in self.words
            and self.value("controller", node.name, "power") is not True
        ]

    def instead(self, of: Of, who: str, others: Iterable[str], what: str) -> str:
        """Whose answer is played: the one's own, or another's of its kind where it was silent."""
        told = [name for name in (who, *others) if (of, name, what, "") in self._data]
        return told[0] if told else who
