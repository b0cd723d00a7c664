"""The faults a drill can play: the table of their names, arguments and meanings, and which of them hold now.

A fault *holds* what it takes: two faults may hold the same link or node, and it comes back when the last one lets go.
What was away before the first fault began stays away when the last one ends. How things are taken: `lab.drill_parts`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab import drill_guests
from lab import drill_parts as parts
from lab.drill_parts import Boots, Part, Parts
from lab.places import Argument, Unfit, checked, choices

if TYPE_CHECKING:
    from lab.world import World

SITE = Argument("SITE", "site")
ARRAY = Argument("ARRAY", "array")
NODE = Argument("NODE", "node")
HOST = Argument("HOST", "host")
SERVICE = Argument("SERVICE", "service")
MAYBE_SITE = Argument("SITE", "site", optional=True)
SECONDS = Argument("SECONDS", "number", amount=True)


@dataclass(frozen=True)
class Drill:
    """One fault of the table. `incidents` are numbers of the catalogue of incidents.

    A `momentary` one happens and is over: there is nothing to restore.
    """

    name: str
    arguments: tuple[Argument, ...]
    meaning: str
    incidents: tuple[str, ...]
    parts: Parts
    momentary: bool = False

    @property
    def usage(self) -> str:
        """``ring NODE RING``, ``mediator [SITE]``."""
        return " ".join([self.name, *(argument.usage for argument in self.arguments)])


_ALL = (
    Drill(
        "site-power", (SITE,), "A site loses its power: its nodes and its array are off at once.",
        ("I-01", "I-05", "I-06", "I-21"), parts.site_power,
    ),
    Drill(
        "site-network", (SITE,), "All that leaves a site's network is cut: other site, witness, mediator, engine.",
        ("I-02",), parts.links("uplink:{0}"),
    ),
    Drill(
        "inter-site", (), "The network between the sites is cut: management and both corosync rings.",
        ("I-03",), parts.links("inter-site"),
    ),
    Drill(
        "storage-network", (MAYBE_SITE,), "The storage network between the sites is cut, or the one within a site.",
        ("I-09", "I-14"), parts.links("san:{0}", without="san"),
    ),
    Drill("replication", (), "The arrays do not reach each other.", ("I-09",), parts.links("replication")),
    Drill(
        "mediator", (MAYBE_SITE,), "The mediator is gone, or a site's array does not reach it.",
        ("I-10",), parts.links("mediator:{0}", without="mediator"),
    ),
    Drill("witness", (), "The witness loses its power.", ("I-04", "I-05"), parts.witness_power),
    Drill("witness-link", (SITE,), "A site does not reach the witness.", ("I-04",), parts.links("witness:{0}")),
    Drill("array", (ARRAY,), "An array loses its power; the site's nodes run on.", ("I-08", "I-11"), parts.array_power),
    Drill(
        "controller", (ARRAY, Argument("CT", "controller")), "One controller of an array fails.",
        ("I-08", "I-13"), parts.controller,
    ),
    Drill(
        "portal", (ARRAY, Argument("PORTAL", "portal")), "One iSCSI port of an array is dark.",
        ("I-13",), parts.links("portal:{0}:{1}"),
    ),
    Drill("node", (NODE,), "One node loses its power.", ("I-17",), parts.node_power),
    Drill(
        "node-network", (NODE,), "One node's network cards are dead, all but storage.",
        ("I-17", "I-20"), parts.links("node:{0}"),
    ),
    Drill(
        "ring", (NODE, Argument("RING", "ring")), "One corosync ring of a node is cut.",
        ("I-25",), parts.links("ring{1}:{0}"),
    ),
    Drill("watchdog", (NODE,), "A node's watchdog does not reset it, whatever happens.", ("I-22", "I-23"),
          parts.watchdog),
    Drill("watchdog-stopped", (NODE,), "A node's watchdog-mux does not run: nothing would reset it.", ("I-22",),
          parts.watchdog_stopped),
    Drill("vg-hidden", (NODE,), "LVM's filter on a node hides the shared volume group.", ("I-14", "I-21"),
          parts.group_hidden),
    Drill("clock", (HOST, SECONDS), "A host's clock is off by so many seconds, ahead when positive.",
          ("I-24",), parts.clock_offset),
    Drill(
        "clock-drift", (HOST, Argument("RATE", "number", amount=True)),
        "A host's clock gains so many seconds in each second.", ("I-24",), parts.clock_drift,
    ),
    Drill("stale-lv", (NODE, Argument("LV", "lv")), "A logical volume is active on a node that does not own it.",
          ("I-15", "I-21"), parts.stale_volume),
    Drill("hung-api", (SERVICE,), "An API, or an sshd, takes every call and never answers.", ("I-32",),
          parts.plant("hang")),
    Drill(
        "failing-api", (SERVICE, Argument("STATUS", "status", amount=True)),
        "Every call is refused with a status (over SSH: an exit status).", ("I-32",), parts.plant("fail"),
    ),
    Drill(
        "lying-api", (SERVICE,), "Reads are answered as they were when the fault began; writes work.",
        ("I-31",), parts.plant("stale"),
    ),
    Drill("slow-api", (SERVICE, SECONDS), "Every answer comes so many lab seconds late.", ("I-31", "I-32"),
          parts.plant("delay")),
    Drill(
        "latency",
        (Argument("PLACE", "place"), Argument("PLACE", "place"), Argument("MS", "positive", amount=True)),
        "The round trip between two places takes so many milliseconds.", ("I-29",), parts.latency,
    ),
    Drill("session-expiry", (ARRAY,), "An array ends all sessions: every client has to log in again.", ("I-32",),
          parts.end_sessions, momentary=True),
    Drill("package-missing", (HOST, Argument("PACKAGE", "package")), "A package is not installed on a host.",
          ("I-21",), parts.package),
    Drill(
        "guest-paused", (Argument("GUEST", "machine"), Argument("STATE", "qmp", optional=True, amount=True)),
        "A virtual machine's process is there and does not work; the cluster shows its state in place of running.",
        ("I-08",), drill_guests.guest_paused,
    ),
)  # fmt: skip

DRILLS: dict[str, Drill] = {drill.name: drill for drill in _ALL}


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
        for part in active.taken:
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
