"""A schedule: what is done to the world and when, drawn from a seed."""

import random
from collections.abc import Iterable
from dataclasses import dataclass

from cluster.inventory import Inventory
from lab.control.table import DRILLS

# The faults of the physics; those of single calls have their own tests, and no view is asked through them here.
PHYSICAL = (
    "site-power", "site-network", "inter-site", "storage-network", "replication", "mediator", "witness", "witness-link",
    "array", "controller", "portal", "node", "node-network", "ring", "watchdog", "clock", "clock-drift",
)  # fmt: skip
# What people do with the guests that HA does not know; the number that a new guest would get comes last.
DEEDS = ("backup", "clone", "move", "describe", "start", "shutdown", "options")
BY_HAND = (400, 401)
SPAN = 420.0  # lab seconds in which things are done
RARE = {"watchdog": 0.4, "clock": 0.4, "clock-drift": 0.3}  # how often they come, measured by the others


@dataclass(frozen=True)
class Act:
    """One thing that is done: ``fail``, ``restore``, a ``command`` to HA, or a person's ``deed`` with a guest."""

    at: float
    verb: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.at:6.1f}  {self.verb} {' '.join(self.words)}"


def draw(seed: int, inventory: Inventory) -> list[Act]:
    """The schedule of a seed, in the order of time: one to six faults, most of them restored, and some commands."""
    lots = random.Random(seed)
    acts: list[Act] = []
    weights = [RARE.get(name, 1.0) for name in PHYSICAL]
    for name in lots.choices(PHYSICAL, weights, k=lots.choice((1, 1, 2, 2, 3, 4, 5, 6))):
        where = tuple(_place(kind, lots, inventory) for kind in _kinds(name, lots))
        began = lots.uniform(0, SPAN * 0.7)
        acts.append(Act(began, "fail", (name, *where)))
        if lots.random() < 0.7:
            lasts = lots.choice((lots.uniform(1, 12), lots.uniform(30, 80), lots.uniform(80, 300)))
            acts.append(Act(min(began + lasts, SPAN), "restore", (name, *where)))
    for _ in range(lots.choice((0, 0, 1, 2, 4))):
        acts.append(Act(lots.uniform(0, SPAN), "command", _command(lots, inventory)))
    return sorted([*acts, *_deeds(seed, acts)], key=lambda act: act.at)


def _deeds(seed: int, acts: list[Act]) -> list[Act]:
    """What people do meanwhile, of lots of its own; half of it right before a fault, which then meets it under way."""
    lots = random.Random(f"deeds of {seed}")
    faults = [act.at for act in acts if act.verb == "fail"]
    found = []
    for number in range(lots.choice((0, 1, 2, 3))):
        at = lots.choice(faults) - lots.uniform(0.5, 12) if lots.random() < 0.5 else lots.uniform(0, SPAN)
        words = (lots.choice(DEEDS), str(lots.choice(BY_HAND)), str(500 + number))
        found.append(Act(max(0.0, at), "deed", words))
    return found


def _kinds(name: str, lots: random.Random) -> Iterable[str]:
    """The kinds of places a fault wants; an optional one in half of the cases."""
    for argument in DRILLS[name].arguments:
        if not argument.optional or lots.random() < 0.5:
            yield f"{argument.kind}:{name}"


def _place(kind: str, lots: random.Random, inventory: Inventory) -> str:
    kind, _, fault = kind.partition(":")
    if kind == "number":
        return f"{lots.uniform(-0.2, 0.2):.3f}" if fault == "clock-drift" else f"{lots.uniform(-90, 90):.0f}"
    known = {
        "site": [site.name for site in inventory.sites],
        "array": [array.name for array in inventory.arrays],
        "node": [node.name for node in inventory.nodes],
        "host": [node.name for node in inventory.nodes],
        "controller": ["CT0", "CT1"],
        "portal": ["0", "1", "2", "3"],
        "ring": ["0", "1"],
    }
    return lots.choice(known[kind])


def _command(lots: random.Random, inventory: Inventory) -> tuple[str, ...]:
    node = lots.choice(inventory.nodes).name
    sid = lots.choice(("vm:300", "vm:301", "vm:302", "vm:303", "ct:304", "ct:305", "vm:306"))
    return lots.choice(
        (
            ("migrate", sid, node),
            ("relocate", sid, node),
            ("node-maintenance", node, "enable"),
            ("node-maintenance", node, "disable"),
            ("disarm-ha", "", lots.choice(("freeze", "ignore"))),
            ("arm-ha", "", ""),
        )
    )
