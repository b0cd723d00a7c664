"""One look after the other: what is asked when, and what is made of it.

Facts, memory and verdict are pure (`cluster.basis`, `cluster.verdict`); here they are gathered. All reads.
"""

import asyncio
import contextlib
import itertools
import math
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.meters import looked
from activities.rules import rules
from activities.watch.vantage import Vantage, Vantages
from cluster.answers.advice import answers
from cluster.basis import Basis, Grounds
from cluster.conditions import GRAVITY, SITE_GONE, Kind
from cluster.facts import ArrayLook, ClusterLook, Facts, PowerLook, VotesLook, WitnessLook, rounds
from cluster.inventory import Inventory
from cluster.memory import NOBODY_MOVED
from cluster.scene import scene
from cluster.verdict import Verdict
from cluster.watching import CALM, Beat, Seen, WatchWish

# A look's answers are waited for so long; who is slower is judged by what it said before, until its limit is over.
GRACE = 0.4
# These cannot wait: a person, or the incident, has to know within seconds. Two looks in a row must say so.
URGENT: tuple[Kind, ...] = ("quorum-lost", "storage-elsewhere", *SITE_GONE)
# Down to this one everybody is asked all the time.
GRAVEST_DOUBT = GRAVITY.index("undetermined")
# What is new is looked at closely for so long, and what has just fallen silent.
YOUNG, LATELY = timedelta(minutes=5), timedelta(minutes=1)
# Seconds between two calls that say that the cluster is looked at.
CALLED_EVERY = 60.0
# Whether a management controller can be asked at all is better known before the loss.
POWER_EVERY = timedelta(minutes=10)


def _grave(verdict: Verdict) -> tuple[str, ...]:
    """The keys of what cannot wait."""
    return tuple(one.key for one in (verdict.main, *verdict.also) if one.kind in URGENT and one.planned is None)


class Watcher:
    """One watch: what is asked when, and what was made of it."""

    def __init__(
        self,
        inventory: Inventory,
        vantages: Vantages,
        wish: WatchWish,
        speed: float,
        alive: Callable[[], None] | None = None,
    ) -> None:
        self._inventory, self._vantages, self._wish, self._speed = inventory, vantages, wish, speed
        self._alive, self._called = alive, -math.inf
        self._calls: set[asyncio.Task[None]] = set()
        self.memory = wish.memory
        self.verdict: Verdict | None = None
        self._grounds: Grounds | None = None
        self._started = self._looked = datetime.now(UTC)
        self._totem_read = datetime.min.replace(tzinfo=UTC)
        self._key, self._since, self._looks = "", datetime.now(UTC), 0
        self._grave: tuple[str, ...] = ()
        self._graves = 0
        self._odd_since: datetime | None = None
        self._other_since = self._since
        self._turn = itertools.count()

    @property
    def facts(self) -> Facts:
        """Those that the newest verdict is of. ValueError before the first look."""
        if self._grounds is None:
            raise ValueError("no look was made yet")
        return self._grounds.facts

    async def watch(self) -> Seen:
        """Until there is something new."""
        over = datetime.now(UTC) + self._wish.until
        verdict = await self._look(everybody=True)
        while True:
            looked(self.facts)
            if self._ripe(verdict):
                return self.seen(verdict, new=True)
            if datetime.now(UTC) >= over:
                return self.seen(verdict, new=False)
            activity.heartbeat(self._beat(verdict))
            self._says_that_it_looks()
            rhythm = self._inventory.watch
            pause = rhythm.alert if self._alarmed(verdict) else rhythm.quick
            await asyncio.sleep(pause.total_seconds() / self._speed)
            verdict = await self._look(everybody=self._alarmed(verdict))

    def _says_that_it_looks(self) -> None:
        """To whoever tells people when this stays away; nothing waits for it."""
        if self._alive is None or time.monotonic() - self._called < CALLED_EVERY:
            return
        self._called = time.monotonic()
        call = asyncio.create_task(self._call(self._alive))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    async def _call(self, alive: Callable[[], None]) -> None:
        try:
            await asyncio.to_thread(alive)
        except ApplicationError as error:
            activity.logger.warning("the dead-man's address was not called: %s: %s", error.type, error.message)

    def _beat(self, verdict: Verdict) -> Beat:
        return Beat(
            verdict=verdict,
            memory=self.memory,
            looked_at=self._looked,
            answers=answers(verdict, self.memory, self._inventory),
            scene=scene(self._grounds.facts, self.memory, self._inventory) if self._grounds else None,
        )

    async def settled(self) -> Seen:
        """The verdict once the cluster has made up its mind, seen twice; the attempt's limit bounds it."""
        verdict = await self._look(everybody=True)
        while verdict.settling or self._looks < 2:
            activity.heartbeat(verdict.main.reasons)
            await asyncio.sleep(self._inventory.watch.alert.total_seconds() / self._speed)
            verdict = await self._look(everybody=True)
        return self.seen(verdict, new=True)

    def _alarmed(self, verdict: Verdict) -> bool:
        """Something is odd: nodes are lost, a verdict that is young, or a vantage point that has just fallen silent."""
        now = datetime.now(UTC)
        if self._wish.urgent and now - self._started < LATELY / self._speed:
            return True
        # what was announced stands behind what was not, and is watched as closely
        grave = any(one.gravity <= GRAVEST_DOUBT for one in (verdict.main, *verdict.also))
        young = verdict.kind not in CALM and self._steady_for(now) < YOUNG
        return grave or young or self._just_silent(now)

    def _steady_for(self, now: datetime) -> timedelta:
        """How long it has been the same judgement, in the cluster's time, whoever has made it."""
        return (now - min(self._since, self.memory.steady or self._since)) * self._speed

    def _just_silent(self, now: datetime) -> bool:
        lately = LATELY / self._speed
        silences = [one.silent_for(now) for one in self._vantages.all if one.kind is not PowerLook]
        return any(timedelta() < silence < lately for silence in silences)

    async def _look(self, *, everybody: bool) -> Verdict:
        """Ask whose turn it is, and judge what is known then."""
        now = datetime.now(UTC)
        asked = [one.ask() for one in (self._vantages.all if everybody else self._whose_turn(now))]
        if asked:
            await asyncio.wait(asked, timeout=GRACE if self._key else self._inventory.limits.look.total_seconds())
        facts = self._vantages.facts()
        self._looked = facts.at
        await self._read_totem(facts)
        self._grounds = Grounds(
            facts=facts,
            memory=self.memory,
            between=rounds(self._inventory, self._speed),
            early=NOBODY_MOVED / self._speed,
            silences=self._wish.silences,
        )
        verdict, self.memory = self._grounds.verdict(self._inventory)
        self._count(verdict, facts.at)
        self.verdict = verdict
        return verdict

    def _whose_turn(self, now: datetime) -> Iterable[Vantage]:
        """All is well: a node of each site often, everything else seldom, the management controllers hardly ever."""
        rhythm, speed = self._inventory.watch, self._speed
        turn = next(self._turn)
        for site in self._inventory.places:
            node = site.nodes[turn % len(site.nodes)].name
            yield from self._vantages.of(VotesLook, node)
        seldom = [*self._vantages.of(ArrayLook), *self._vantages.of(WitnessLook), *self._vantages.of(VotesLook)]
        yield from (one for one in seldom if one.due(rhythm.full / speed, now))
        for site in self._inventory.places:  # the nodes of a site tell the API's view in turn
            views = self._vantages.of(ClusterLook, *(node.name for node in site.nodes))
            if all(one.due(rhythm.full / speed, now) for one in views):
                yield min(views, key=lambda one: one.asked or datetime.min.replace(tzinfo=UTC))
        yield from (one for one in self._vantages.of(PowerLook) if one.due(POWER_EVERY / speed, now))

    async def _read_totem(self, facts: Facts) -> None:
        """Corosync's own times, from a node of a whole cluster; read again now and then, for they may be changed."""
        fresh = facts.at - self._totem_read < timedelta(minutes=10)
        settled = [look.by for look in facts.votes.values() if look.answered and look.quorate and look.settled]
        if (self.memory.totem is not None and fresh) or not settled:
            return
        with contextlib.suppress(ApplicationError):
            self.memory = self.memory.model_copy(update={"totem": await self._vantages.totem(settled[0])})
        self._totem_read = facts.at

    def _count(self, verdict: Verdict, now: datetime) -> None:
        """How long it has been the same verdict."""
        if verdict.key != self._key:
            self._key, self._since, self._looks = verdict.key, now, 0
        self._looks += 1
        if (grave := _grave(verdict)) != self._grave:
            self._grave, self._graves = grave, 0
        self._graves += 1
        # what has stood for a minute is as usual: the next thing has a first sign of its own
        settled = verdict.kind == "healthy" or self._steady_for(now) > LATELY
        if settled and not self._just_silent(now):
            self._odd_since = None
        elif self._odd_since is None:
            self._odd_since = now

    def _ripe(self, verdict: Verdict) -> bool:
        """New, and steady enough to be told. A graver condition is never held back by a lesser one that changes."""
        if verdict.settling:
            return False
        known = self._wish.known.split(" + ")
        if set(self._grave) - set(known):
            return self._graves >= 2
        now, speed, patience = datetime.now(UTC), self._speed, self._inventory.watch.patience
        if verdict.key == self._wish.known:
            self._other_since = now
        if verdict.key == self._wish.known or self._looks < 2:
            return False
        if not self._wish.known and verdict.kind in CALM:
            return True
        # what changes all the time is told as well, later
        return (now - self._since) * speed >= patience or (now - self._other_since) * speed >= 3 * patience

    def seen(self, verdict: Verdict, *, new: bool) -> Seen:
        """What is told of it."""
        return Seen(
            finding=verdict.sentence,
            cluster=self._inventory.name,
            policy=self._inventory.watch.policy,
            verdict=verdict,
            memory=self.memory,
            at=datetime.now(UTC),
            odd_since=self._odd_since,
            looked_at=self._looked,
            new=new,
            workers_at=self._inventory.watch.workers_at,
            answers=answers(verdict, self.memory, self._inventory),
            # a verdict that tells nothing new leaves nothing new on record
            basis=Basis.of(self._grounds, self._inventory, rules("verdict")) if new and self._grounds else None,
        )
