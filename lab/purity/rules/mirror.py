"""Both copies of a stretched pod: in sync, parted, elected, and copied again (reference: flasharray-rest §6).

There is one election for each parting of each pod: two pods may be decided differently. Who wins it has the newest
data until both are in sync again, and nobody else may serve meanwhile: not after a restart either, and not when the
winner is gone. Times are lab seconds.
"""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.physics.world import World
    from lab.purity.models import Array
    from lab.purity.rules.pods import Pod

# A lost peer is `suspended` before anybody acts: "seconds"; how long is not published, so this is an assumption.
SUSPENDED = 2.0
# A preferred array has a head start of about six seconds; without one the race is a matter of moments (assumption).
HEAD_START, RACE = 6.0, 1.0
# With the mediator out of reach the arrays agree on one that would survive; assumption.
PRE_ELECTED_AFTER = 10.0
# A returning copy shakes hands, and then gets at least the little that was under way; seconds, an assumption
# (reference: flasharray-rest §6.1).
HANDSHAKE, SMALLEST_COPY = 2.0, 6.0
# Bytes a lab second: four replication ports of 25 Gbit/s, less what the protocol takes.
COPY_RATE = 10 * 2**30
# What guests write while the copies are parted, bytes in a lab second for each volume in use; assumption.
WRITE_RATE = 20 * 2**20


@dataclass(frozen=True)
class State:
    """A copy as its own array knows it. `frozen_at` is the last moment in common of a copy that is not current."""

    status: str
    frozen_at: float | None = None
    progress: float | None = None


ONLINE = State("online")


class Mirror:
    """The pair of copies of one pod. It looks when something changes, and at the moments it has set itself."""

    def __init__(self, world: "World", pod: "Pod", first: str, second: str, copy: float) -> None:
        self._world = world
        self._pod = pod
        self._arrays = (first, second)
        now = world.clock.now()
        # In the beginning the first array has all the data, as after an election, and the second one gets its copy.
        self.holder: str | None = first
        self.parted_at: float | None = now
        self.frozen_at: float | None = None
        self.pre_elected: str | None = None
        self._copy = copy
        self._synced_at: float | None = now + HANDSHAKE + copy
        self._unmediated_since: float | None = None
        self._turns: dict[str, float] = {}  # array -> when it may ask the mediator
        self._alive = {name: world.arrays[name].up for name in self._arrays}
        self._mediated = self._reached()
        self._touch = self._touches()
        self._timer: asyncio.Task[None] | None = None
        world.links.on_change(self.changed)
        self._arm()

    # --- what an array tells -------------------------------------------------------------------------------------

    def state(self, array: str) -> State:
        """A copy as its own array knows it."""
        self._advance()
        if self.parted_at is None:
            return ONLINE
        if self.holder == array:
            return ONLINE
        if self.holder is None:
            waits = self._now < self.parted_at + SUSPENDED or array in self._turns
            return State("suspended") if waits else State("offline", self.frozen_at)
        if self._synced_at is not None:
            began = self._synced_at - self._copy
            if self._now < began:
                return State("offline", self.frozen_at)
            share = (self._now - began) / self._copy
            return State("resyncing", self.frozen_at, round(min(share, 0.99), 2))
        return State("offline", self.frozen_at)

    def told_by(self, array: str, of: str) -> State:
        """A copy as another array tells of it: an array that is offline itself knows nothing of its peer."""
        own = self.state(array)
        if array == of or self._touch:
            return self.state(of)
        if own.status == "online":
            return State("offline", self.frozen_at)
        return State("suspended") if own.status == "suspended" else State("unknown")

    def serves(self, array: str) -> bool:
        """Hosts get answers from a copy that is online; while it is suspended their I/O just waits."""
        return self.state(array).status in ("online", "suspended")

    def mediated(self, array: str) -> bool:
        """Whether an array reaches the mediator."""
        return self._mediated[array]

    # --- changes -------------------------------------------------------------------------------------------------

    def changed(self) -> None:
        """A link or an array has changed: bring the old world to its end, then look at the new one."""
        if self._world.arrays.get(self._arrays[0]) is None or self._pod.mirror is not self:
            return
        self._advance()
        before = (self._alive, self._touch, self._mediated)
        self._alive = {name: self._world.arrays[name].up for name in self._arrays}
        self._mediated = self._reached()
        self._touch = self._touches()
        if before != (self._alive, self._touch, self._mediated):
            self._respond(was_touching=before[1])
        self._arm()

    @property
    def _now(self) -> float:
        return self._world.clock.now()

    def _touches(self) -> bool:
        a, b = (self._world.arrays[name] for name in self._arrays)
        return a.up and b.up and a.link is not None and self._world.links.mirrors(self._pod.name)

    def _reached(self) -> dict[str, bool]:
        return {name: self._world.links.mediator(name, self._pod.name) for name in self._arrays}

    def _respond(self, *, was_touching: bool) -> None:
        now = self._now
        if self.parted_at is None and not self._touch:
            self.parted_at = self.frozen_at = now
            self.holder, self._synced_at = None, None
            self._world.record("replication", "pod.suspend", self._pod.name)
            self._begin_race(now + SUSPENDED)
        elif self.parted_at is not None and self._touch:
            self._meet(now)
        elif self.parted_at is not None:
            if was_touching:
                self._synced_at = None  # a copy that was cut short begins anew
            if self.holder is None:
                self._begin_race(max(now, self.parted_at + SUSPENDED))
        self._look_at_mediator(now)

    def _meet(self, now: float) -> None:
        """The arrays are in touch again."""
        if self.holder is None:
            self._in_sync()  # nobody has written since: both are where they were
        elif self._synced_at is None:
            if self.frozen_at is not None:
                written = WRITE_RATE * self._volumes_in_use() * (now - self.frozen_at)
                self._copy = SMALLEST_COPY + written / COPY_RATE
            self._synced_at = now + HANDSHAKE + self._copy
            self._world.record("replication", "pod.resync", self._pod.name, source=self.holder)

    def _volumes_in_use(self) -> int:
        groups = (self._world.disks[volume.serial].vg for volume in self._pod.volumes)
        return sum(bool(lv.open_on) for group in groups if group is not None for lv in group.lvs.values())

    def _in_sync(self) -> None:
        again = self.frozen_at is not None
        self.parted_at = self.frozen_at = self.holder = self._synced_at = None
        self._turns.clear()
        if again:
            self._world.record("replication", "pod.in_sync", self._pod.name)

    def _look_at_mediator(self, now: float) -> None:
        """Without a mediator for either, the arrays agree on one of them while they can."""
        missing = not any(self._mediated.values())
        if not missing:
            self._unmediated_since = None
            if self.parted_at is None:
                self.pre_elected = None
        elif self._unmediated_since is None:
            self._unmediated_since = now

    # --- the race ------------------------------------------------------------------------------------------------

    def _begin_race(self, start: float) -> None:
        """Who is alive and may win gets a turn; the others have a start to catch up with when someone is preferred."""
        preferred = [name for name in self._pod.failover_preferences if name in self._arrays]
        for name in self._arrays:
            if not (self._alive[name] and (self._mediated[name] or self.pre_elected == name)):
                self._turns.pop(name, None)
            elif name not in self._turns:
                late = HEAD_START if len(preferred) == 1 and name not in preferred else 0.0
                self._turns[name] = start + late + self._world.random.uniform(0.0, RACE)

    def _win(self, array: str) -> None:
        self.holder = array
        self._turns.clear()
        self.pre_elected = None if any(self._mediated.values()) else self.pre_elected
        self._world.record("replication", "pod.elected", self._pod.name, array=array)

    def _advance(self) -> None:
        """Everything that is due by now."""
        now = self._now
        if self._synced_at is not None and now >= self._synced_at:
            self._in_sync()
            self._look_at_mediator(now)
        first = min(self._turns, key=lambda name: self._turns[name], default=None)
        if first is not None and now >= self._turns[first]:
            self._win(first)
        waited = self._unmediated_since is not None and now >= self._unmediated_since + PRE_ELECTED_AFTER
        if waited and self.parted_at is None and self.pre_elected is None:
            self.pre_elected = self._choose()
            self._world.record("replication", "pod.pre_elected", self._pod.name, array=self.pre_elected)

    def _choose(self) -> str:
        preferred = [name for name in self._pod.failover_preferences if name in self._arrays]
        return preferred[0] if len(preferred) == 1 else self._world.random.choice(self._arrays)

    def _arm(self) -> None:
        """Look again at the next moment that something is due; without a running loop it is done when someone asks."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = [*self._turns.values(), *([self._synced_at] if self._synced_at is not None else [])]
        if self._unmediated_since is not None and self.parted_at is None and self.pre_elected is None:
            due.append(self._unmediated_since + PRE_ELECTED_AFTER)
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return
        if due:
            self._timer = self._world.after(max(0.0, min(due) - self._now) + 0.001, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._advance()
        self._arm()


def sole(array: "Array") -> State:
    """The one copy of a pod that is not stretched."""
    return ONLINE if array.up else State("offline")
