"""Faults that the control plane plants on calls: the next matching call meets one.

A service is an API or an sshd of one device: ``X90R3-SiteA``, ``pve:pxmx01-01``, ``ssh:pxmx01-01``.
A call is what stands in that device's log: ``POST /pods`` or a host's command line.
"""

import asyncio
import copy
import copyreg
import re
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from lab.physics.clock import Clock

if TYPE_CHECKING:
    from lab.physics.world import World

Action = Literal["delay", "fail", "drop", "hang", "reset", "stale", "garbage", "expire"]

# How many of the calls that met a lasting fault are remembered, the newest ones.
REMEMBERED = 20


@dataclass
class Fault:
    """One planted fault.

    `delay` answers after `seconds` of lab time; `fail` answers `status` and `message` without doing anything, and over
    HTTP asks to be left alone for `retry_after` seconds of the wall, or sends the caller to `location`; `garbage`
    answers success and `message`, in which nobody can read anything, without doing anything; `expire` forgets the
    caller's session before the call; `drop` does the work and closes the connection without a reply; `hang` never
    answers; `reset` closes at once; `stale` answers reads from the world as it was when the fault was planted. `times`
    None: until it is lifted.
    """

    service: str
    call: str
    action: Action
    times: int | None = 1
    seconds: float = 0.0
    status: int = 503
    message: str = "Service Unavailable"
    retry_after: int | str | None = None  # a string for what no client can read
    location: str = ""
    met: list[str] = field(default_factory=list)
    by: str = "control"
    frozen: "World | None" = field(default=None, repr=False, compare=False)

    def shown(self) -> dict[str, Any]:
        """The fault as data."""
        return {name: value for name, value in asdict(replace(self, frozen=None)).items() if name != "frozen"}

    def matches(self, service: str, call: str) -> bool:
        """Both patterns are regular expressions, searched anywhere in the text."""
        return (
            (self.times is None or len(self.met) < self.times)
            and re.search(self.service, service) is not None
            and re.search(self.call, call) is not None
        )


class Faults:
    """The faults that are planted now, in the order they were planted."""

    def __init__(self) -> None:
        self.planted: list[Fault] = []

    def plant(self, fault: Fault) -> None:
        """Add a fault; it is met `times` times and then rests."""
        self.planted.append(fault)

    def take(self, service: str, call: str) -> Fault | None:
        """The fault this call meets, counted as met; None for an ordinary call."""
        for fault in self.planted:
            if fault.matches(service, call):
                fault.met.append(f"{service} {call}")
                if fault.times is None:
                    del fault.met[:-REMEMBERED]
                return fault
        return None

    def lift(self, fault: Fault) -> None:
        """Take one fault back; nothing when it is gone already."""
        self.planted = [one for one in self.planted if one is not fault]

    async def lifted(self, fault: Fault) -> None:
        """Wait until it is taken back."""
        while any(one is fault for one in self.planted):  # noqa: ASYNC110  (seconds at least; no event is worth it)
            await asyncio.sleep(0.1)

    def clear(self) -> None:
        """Forget all of them."""
        self.planted.clear()


# --- the world as it was ---------------------------------------------------------------------------------------------


class _Stopped(Clock):
    """A clock that shows one moment; who waits by it waits in the real one's time."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._moment, self._speed = clock, clock.now(), clock.speed

    def now(self) -> float:
        return self._moment

    async def sleep(self, lab_seconds: float) -> None:
        await self._clock.sleep(lab_seconds)


Whole = TypeVar("Whole", bound="World")


def _itself(thing: object) -> str:
    """For `copy`: what is under way has no copy, only itself."""
    return type(thing).__name__


for _kind in (asyncio.Task, asyncio.Future, asyncio.Event, asyncio.Lock):
    copyreg.pickle(_kind, _itself)


def freeze(world: Whole) -> Whole:
    """The world as it is now, for reads: nothing in it goes on. Logins, tasks and the random numbers stay shared."""
    arrays, cluster = world.arrays.values(), world.cluster
    shared: list[object] = [world.inventory, world.random, world.faults, world.busy, world.background]
    shared += [*cluster.shared(), *(each for array in arrays for each in array.shared())]
    memo: dict[int, Any] = {id(each): each for each in shared}
    memo[id(world.clock)] = _Stopped(world.clock)
    memo[id(world.changes)] = list(world.changes)
    return copy.deepcopy(world, memo)


def rebound(handler: Any, world: "World", frozen: "World") -> Any:
    """The same bound method, of an object that looks at the frozen world."""
    return copy.deepcopy(handler, {id(world): frozen})
