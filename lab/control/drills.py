"""The faults of `lab.control.table` that hold now.

A fault *holds* what it takes: two faults may hold the same link or node, and it comes back when the last one lets go.
What was away before the first fault began stays away when the last one ends. How things are taken: `lab.control.parts`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cluster.transports import NAMES
from lab.control.parts import Boots, Part
from lab.control.places import Unfit, checked, choices
from lab.control.table import DRILLS, Drill

if TYPE_CHECKING:
    from lab.world import World


@dataclass(frozen=True)
class Active:
    """A fault that holds now."""

    drill: Drill
    where: tuple[str, ...]
    since: float
    by: str
    taken: tuple[Part, ...]

    @property
    def title(self) -> str:
        """As it is typed: ``site-power site-a``."""
        return " ".join([self.drill.name, *self.where])

    def shown(self) -> dict[str, Any]:
        """As data."""
        return {
            "fault": self.drill.name, "where": list(self.where), "title": self.title,
            "since": self.since, "by": self.by,
        }  # fmt: skip


def known(name: str) -> Drill:
    """The fault of that name; Unfit when there is none."""
    if name not in DRILLS:
        raise Unfit(f"there is no fault '{name}': there are {', '.join(sorted(DRILLS))}")
    return DRILLS[name]


class Drills:
    """The faults that hold in a world. A reset of the world ends them all."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._boots = Boots(world)
        self._active: dict[tuple[str, ...], Active] = {}
        self._held: dict[str, tuple[Part, set[tuple[str, ...]]]] = {}
        self._links = world.links
        world.links.on_change(self._keep)

    @property
    def active(self) -> list[Active]:
        """Those that hold now, the oldest first."""
        if self._links is not self._world.links:  # the world was reset, and with it everything that was taken
            self._links = self._world.links
            self._links.on_change(self._keep)
            self._active.clear()
            self._held.clear()
            self._boots.forget()
        return list(self._active.values())

    @property
    def booting(self) -> list[str]:
        """The nodes that have got their power back and are not up yet."""
        return self._boots.under_way

    def fail(self, name: str, where: list[str], *, by: str) -> bool:
        """Begin a fault; false when it holds already in just that way. Another amount replaces the former one."""
        drill = known(name)
        if drill.only and self._world.inventory.transport not in drill.only:
            fits = " or ".join(NAMES[one] for one in drill.only)
            raise Unfit(f"{name} is a fault of {fits}, and these nodes use {NAMES[self._world.inventory.transport]}")
        place = checked(self._world, drill.usage, drill.arguments, where)
        key = self._key(drill, place)
        holding = next((one for one in self.active if self._key(one.drill, one.where) == key), None)
        if holding is not None and holding.where == place:
            return False
        taken = tuple(drill.parts(self._world, place, self._boots))
        if holding is not None:
            self._end(holding, by)
        title = " ".join((name, *place))
        if drill.momentary:
            self._world.record("drill", "fault.once", title, by=by)
        else:
            self._world.record("drill", "fault.begin", title, by=by)
            self._active[key] = Active(drill, place, self._world.clock.now(), by, taken)
        for part in taken:
            self._take(part, key, keep=not drill.momentary)
        return True

    def restore(self, name: str, where: list[str], *, by: str) -> list[Active]:
        """End a fault, or with no place given all of that name; those that were ended. The amount may be left out."""
        drill = known(name)
        if drill.momentary:
            raise Unfit(f"{name} is over as soon as it has happened: there is nothing to restore")
        places = checked(self._world, drill.usage, drill.arguments, where, partial=True)
        named = [one for one in self.active if one.drill is drill]
        exact = [one for one in named if places in (one.where, self._key(drill, one.where)[1:])]
        ended = exact or ([] if where else named)
        for one in ended:
            self._end(one, by)
        return ended

    def restore_all(self, *, by: str) -> list[Active]:
        """End every fault, the youngest first; those that were ended."""
        ended = self.active[::-1]
        for one in ended:
            self._end(one, by)
        return ended

    def set_speed(self, speed: float, *, by: str) -> None:
        """Let lab time run so fast; who did it is in the log."""
        before = self._world.clock.speed
        try:
            self._world.clock.speed = speed
        except ValueError as error:
            raise Unfit(str(error)) from None
        if speed != before:
            self._world.record("drill", "speed", f"{speed:g}", by=by)

    @staticmethod
    def _key(drill: Drill, where: tuple[str, ...]) -> tuple[str, ...]:
        """What makes a fault this one: its name and places, not how much of it."""
        places = [text for argument, text in zip(drill.arguments, where, strict=False) if not argument.amount]
        return (drill.name, *(sorted(places) if drill.name == "latency" else places))

    def _take(self, part: Part, key: tuple[str, ...], *, keep: bool) -> None:
        if part.name in self._held:
            self._held[part.name][1].add(key)
        elif not part.gone():
            part.take()
            if keep:
                self._held[part.name] = (part, {key})

    def _keep(self) -> None:
        """A node that was down for another reason when its power failed has booted: now it is the fault's."""
        for key, active in list(self._active.items()):
            for part in active.taken:
                if part.kept and not part.gone():
                    self._held.setdefault(part.name, (part, set()))[1].add(key)
                    part.take()

    def _end(self, active: Active, by: str) -> None:
        key = self._key(active.drill, active.where)
        del self._active[key]
        self._world.record("drill", "fault.end", active.title, by=by)
        for part in reversed(active.taken):
            if part.name not in self._held:
                continue  # it was away before
            first, holders = self._held[part.name]
            holders.discard(key)
            if not holders:
                del self._held[part.name]
                first.give()


def table(world: "World", drills: Drills) -> list[dict[str, Any]]:
    """Every fault as data: arguments with what there is to choose from, meaning, incidents, where it holds now."""
    active = drills.active
    return [
        {
            "name": drill.name,
            "usage": drill.usage,
            "arguments": [
                {
                    "name": argument.name,
                    "optional": argument.optional,
                    "amount": argument.amount,
                    "choices": choices(world, argument.kind, ()),
                }
                for argument in drill.arguments
            ],
            "meaning": drill.meaning,
            "incidents": list(drill.incidents),
            "momentary": drill.momentary,
            "active": [one.shown() for one in active if one.drill is drill],
        }
        for drill in DRILLS.values()
    ]
