"""What a fault takes from the world, and how it gives it back.

Nothing here remembers which fault holds what: that is `lab.control.drills`.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.control.places import Unfit, host_of, volumes
from lab.physics.faults import Action, Fault, freeze
from lab.physics.power import switch_array, switch_off, switch_on, switch_witness

if TYPE_CHECKING:
    from lab.world import World


@dataclass(frozen=True)
class Part:
    """One thing that a fault takes: whether it is gone already, how it is taken, how it is given back.

    What is `kept` away is taken again when something else brings it back while the fault holds: a node that boots.
    """

    name: str
    gone: Callable[[], bool]
    take: Callable[[], None]
    give: Callable[[], None]
    kept: bool = False


class Boots:
    """The machines that were given their power back and are booting."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def under_way(self) -> list[str]:
        """Their names."""
        return sorted(name for name, task in self._tasks.items() if not task.done())

    def forget(self) -> None:
        """The world was reset, and with it every boot."""
        self._tasks.clear()

    def begin(self, host: str) -> None:
        """Give a node or the witness its power; it is up when it has booted."""
        booting = switch_on(self._world, [host]) if host in self._world.nodes else self._witness_boots()
        task = asyncio.get_running_loop().create_task(booting)
        self._tasks[host] = task
        self._world.background.add(task)
        task.add_done_callback(self._world.background.discard)

    async def _witness_boots(self) -> None:
        await self._world.clock.sleep(self._world.BOOTS_IN)
        switch_witness(self._world, on=True)

    def end(self, host: str) -> None:
        """Take it again, also in the middle of its boot."""
        if (task := self._tasks.pop(host, None)) is not None:
            task.cancel()
        if host in self._world.nodes:
            switch_off(self._world, [host])
        else:
            switch_witness(self._world, on=False)


Parts = Callable[["World", tuple[str, ...], Boots], list[Part]]


def links(template: str, *, without: str = "") -> Parts:
    """A link whose name is made from the places; `without` is the one that is meant when no place is given."""

    def parts(world: "World", where: tuple[str, ...], _: Boots) -> list[Part]:
        link = template.format(*where) if where or not without else without
        return [
            Part(
                link,
                gone=lambda: link in world.links.cut_now,
                take=lambda: world.links.cut(link),
                give=lambda: world.links.mend(link),
            )
        ]

    return parts


def _node(world: "World", boots: Boots, name: str) -> Part:
    return Part(
        f"power of {name}",
        gone=lambda: not world.nodes[name].powered and name not in boots.under_way,
        take=lambda: boots.end(name),
        give=lambda: boots.begin(name),
        kept=True,
    )


def _array(world: "World", name: str) -> Part:
    return Part(
        f"power of {name}",
        gone=lambda: not world.arrays[name].powered,
        take=lambda: switch_array(world, name, on=False),
        give=lambda: switch_array(world, name, on=True),
    )


def turned(name: str, owner: object, attribute: str, *, off: bool) -> Part:
    """What is one attribute of its owner; `off` is its value while it is gone."""
    return Part(
        name,
        gone=lambda: getattr(owner, attribute) is off,
        take=lambda: setattr(owner, attribute, off),
        give=lambda: setattr(owner, attribute, not off),
    )


def site_power(world: "World", where: tuple[str, ...], boots: Boots) -> list[Part]:
    """The array last: no node tells that it is gone, and it is there again first when the nodes log in."""
    site = next(site for site in world.inventory.sites if site.name == where[0])
    return [
        *(_node(world, boots, node.name) for node in site.nodes),
        *(_controller_of_node(world, node.name) for node in site.nodes),
        _array(world, site.array),
    ]


def _controller_of_node(world: "World", name: str) -> Part:
    return turned(f"management controller of {name}", world.nodes[name], "bmc_powered", off=False)


def node_power(world: "World", where: tuple[str, ...], boots: Boots) -> list[Part]:
    """One node."""
    return [_node(world, boots, where[0])]


def array_power(world: "World", where: tuple[str, ...], _: Boots) -> list[Part]:
    """One array."""
    return [_array(world, where[0])]


def witness_power(world: "World", _: tuple[str, ...], boots: Boots) -> list[Part]:
    """The witness; it boots as long as a node does."""
    if world.inventory.third:
        return [_node(world, boots, node.name) for node in world.inventory.third.nodes]
    name = world.witness.name
    return [
        Part(
            f"power of {name}",
            gone=lambda: not world.witness.powered and name not in boots.under_way,
            take=lambda: boots.end(name),
            give=lambda: boots.begin(name),
        )
    ]


def controller(world: "World", where: tuple[str, ...], _: Boots) -> list[Part]:
    """One controller of an array."""
    array, name = world.arrays[where[0]], where[1]
    return [
        Part(
            f"{name} of {array.name}",
            gone=lambda: name in array.lost_controllers,
            take=lambda: array.lose_controller(name),
            give=lambda: array.restore_controller(name),
        ),
    ]


def watchdog(world: "World", where: tuple[str, ...], _: Boots) -> list[Part]:
    """A node's softdog."""
    name = where[0]

    def set_fails(fails: bool) -> None:
        world.nodes[name].softdog_fails = fails

    return [
        Part(
            f"watchdog of {name}",
            gone=lambda: world.nodes[name].softdog_fails,
            take=lambda: set_fails(True),
            give=lambda: set_fails(False),
        )
    ]


def watchdog_stopped(world: "World", where: tuple[str, ...], boots: Boots) -> list[Part]:
    """A node's watchdog-mux, and with it all that could reset the node."""
    unit = _taken_from(world.nodes[where[0]].stopped, "watchdog-mux", f"watchdog-mux of {where[0]}")
    return [unit, *watchdog(world, where, boots)]


def group_hidden(world: "World", where: tuple[str, ...], _: Boots) -> list[Part]:
    """The shared volume groups, for one node."""
    groups = [storage.vg for storage in world.inventory.all_storages]
    return [_taken_from(world.nodes[where[0]].hidden_groups, group, f"{group} on {where[0]}") for group in groups]


def _taken_from(away: set[str], what: str, name: str) -> Part:
    return Part(name, gone=lambda: what in away, take=lambda: away.add(what), give=lambda: away.discard(what))


def clock_offset(world: "World", where: tuple[str, ...], _: Boots) -> list[Part]:
    """A step of a host's clock; taken back it is what it would be without."""
    name, step = where[0], float(where[1])

    def move(seconds: float) -> None:
        host = host_of(world, name)
        host.clock_offset = round(host.clock_offset + seconds, 9)

    return [Part(f"clock of {name}", gone=lambda: False, take=lambda: move(step), give=lambda: move(-step))]


def clock_drift(world: "World", where: tuple[str, ...], _: Boots) -> list[Part]:
    """A clock that runs too fast or too slow; taken back, what it has gained is gone too."""
    name, rate = where[0], float(where[1])
    began = 0.0

    def turn(more: float, *, forget: bool) -> None:
        nonlocal began
        host, now = host_of(world, name), world.clock.now()
        gained = host.clock_drift * (now - host.clock_since) - (rate * (now - began) if forget else 0.0)
        host.clock_offset = round(host.clock_offset + gained, 9)
        host.clock_drift, host.clock_since, began = round(host.clock_drift + more, 12), now, now

    return [
        Part(
            f"drift of {name}",
            gone=lambda: False,
            take=lambda: turn(rate, forget=False),
            give=lambda: turn(-rate, forget=True),
        )
    ]


def stale_volume(world: "World", where: tuple[str, ...], _: Boots) -> list[Part]:
    """A volume that is active where it should not be; one that is open there by now stays, as lvchange would refuse."""
    node, name = where
    lv = volumes(world)[name]

    def close() -> None:
        if node not in lv.open_on:
            lv.active_on.discard(node)

    return [
        Part(
            f"{name} on {node}",
            gone=lambda: node in lv.active_on,
            take=lambda: lv.active_on.add(node),
            give=close,
        )
    ]


def plant(action: Action) -> Parts:
    """Every call of one service meets a fault until it is lifted."""

    def parts(world: "World", where: tuple[str, ...], _: Boots) -> list[Part]:
        amount = float(where[1]) if len(where) > 1 else 0.0
        fault = Fault(f"^{re.escape(where[0])}$", "", action, times=None, by="drill")
        if action == "fail":
            fault.status, fault.message = int(amount), "Service Unavailable" if amount == 503 else "fault of a drill"
        fault.seconds = amount if action == "delay" else 0.0

        def take() -> None:
            fault.frozen = freeze(world) if action == "stale" else None
            world.faults.plant(fault)

        return [
            Part(f"{action} of {where[0]}", gone=lambda: False, take=take, give=lambda: world.faults.lift(fault)),
        ]

    return parts


def latency(world: "World", where: tuple[str, ...], _: Boots) -> list[Part]:
    """The round trip between two places, both ways."""
    if where[0] == where[1]:
        raise Unfit(f"'{where[0]}' twice: latency is between two different places")
    pair, milliseconds = frozenset(where[:2]), float(where[2])
    before = world.rtt_ms.get(pair)

    def give() -> None:
        if before is None:
            world.rtt_ms.pop(pair, None)
        else:
            world.rtt_ms[pair] = before

    def take() -> None:
        world.rtt_ms[pair] = milliseconds

    return [Part(f"latency {' '.join(sorted(pair))}", gone=lambda: False, take=take, give=give)]


def end_sessions(world: "World", where: tuple[str, ...], _: Boots) -> list[Part]:
    """All logins of an array, once."""
    array = world.arrays[where[0]]
    return [Part(f"sessions of {array.name}", gone=lambda: False, take=array.expire_sessions, give=lambda: None)]


def package(world: "World", where: tuple[str, ...], _: Boots) -> list[Part]:
    """A package of a host."""
    host, name = host_of(world, where[0]), where[1]
    return [
        Part(
            f"{name} on {host.name}",
            gone=lambda: name not in host.packages,
            take=lambda: host.packages.discard(name),
            give=lambda: host.packages.add(name),
        )
    ]
