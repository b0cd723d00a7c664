"""Watching a cluster: every vantage point asked at its own rhythm, and a verdict as soon as there is a new one.

Facts, memory and verdict are pure (`cluster.facts`, `cluster.verdict`); here they are gathered. All reads.
"""

import asyncio
import contextlib
import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta

from pydantic import ValidationError
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.attempt import look_again, paced, was_cancelled_by_its_run
from activities.clients.quick import Clients
from activities.errors import NotFound, Refuted
from activities.meters import looked
from activities.serving import serves
from activities.watch.memory import remembered
from activities.watch.vantage import Vantage, Vantages
from cluster.answers.advice import answer, answers
from cluster.breakglass.judged import Judged, JudgeWish, judged, lacks, reached
from cluster.conditions import GRAVITY, SITE_GONE, Condition, Kind, lost_site
from cluster.contracts import watch
from cluster.facts import ArrayLook, ClusterLook, Facts, Memory, PowerLook, VotesLook, WitnessLook, remember, rounds
from cluster.inventory import Inventory
from cluster.judging.planned import announced
from cluster.memory import NOBODY_MOVED
from cluster.scene import scene
from cluster.verdict import Verdict, judge, turned
from cluster.watching import CALM, Awaited, Beat, Reach, Seen, Suspected, WatchWish

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
# Seconds of the cluster's time between two judgements that wait for something.
JUDGED_EVERY = 5.0
# So long a doubt may pass by itself: an answer that was late, votes that are settling.
DOUBTED_FOR = 60.0
# However fast a rehearsal's time goes, no machine answers faster for that: a doubt lasts at least so long by the wall.
ANSWERED_LATE = 20.0
# Whether a management controller can be asked at all is better known before the loss.
POWER_EVERY = timedelta(minutes=10)


def _grave(verdict: Verdict) -> tuple[str, ...]:
    """The keys of what cannot wait."""
    return tuple(one.key for one in (verdict.main, *verdict.also) if one.kind in URGENT and one.planned is None)


class Watching:
    """Activities that look at the whole cluster."""

    def __init__(
        self,
        inventory: Inventory,
        clients: Clients,
        place: str = "",
        speed: float = 1.0,
        alive: Callable[[], None] | None = None,
    ) -> None:
        """`place` is where this worker stands: what it reaches or not is seen from there.

        `speed` is how much faster than the wall a rehearsal's time runs. `alive` is called once a minute while the
        cluster is looked at; it may take its time, and fail.
        """
        self._inventory, self._clients, self._place, self._speed = inventory, clients, place, speed
        self._alive = alive

    @serves(watch.look)
    async def look(self, wish: WatchWish) -> Seen:
        """Look until the verdict differs from the known one, the time is over, or the run asks for an end.

        A look that is cut short tells what it knows all the same, so that nothing is forgotten.
        """
        if wish.cluster not in (None, self._inventory.name):
            raise NotFound(f"cluster {wish.cluster!r} is unknown here: this worker serves {self._inventory.name!r}")
        if (earlier := _earlier()) is not None:
            wish = wish.model_copy(update={"memory": wish.memory.merge(earlier)})
        with self._asking() as vantages:
            watcher = _Watcher(self._inventory, vantages, wish, self._speed, self._alive)
            try:
                return await watcher.watch()
            except asyncio.CancelledError:
                if not was_cancelled_by_its_run() or watcher.verdict is None:
                    raise
                return watcher.seen(watcher.verdict, new=False)

    @serves(watch.confirm)
    async def confirm(self, suspected: Suspected) -> Seen:
        """Ask everybody anew; Refuted when the verdict is another one, as the main thing or beside a graver one."""
        with self._asking() as vantages:
            wish = WatchWish(memory=suspected.memory, urgent=True)
            seen = await _Watcher(self._inventory, vantages, wish, self._speed).settled()
        found = seen.verdict
        if not any(_is(suspected, condition) for condition in (found.main, *found.also)):
            because = "; ".join(found.main.reasons)
            raise Refuted(f"the cluster is {found.sentence} now, not {suspected.kinds[0]} {suspected.where}: {because}")
        return seen

    @serves(watch.judged)
    async def judged(self, wish: JudgeWish) -> Judged:
        """How the cluster is at this moment: everybody asked anew, judged by what the cluster's watch remembers.

        What somebody decides by has to be of now, so nothing is taken from an earlier look but memories.
        """
        if wish.cluster not in (None, self._inventory.name):
            raise NotFound(f"cluster {wish.cluster!r} is unknown here: this worker serves {self._inventory.name!r}")
        began = time.monotonic()
        while True:
            found = await self._judged_now(wish)
            spent = (time.monotonic() - began) * self._speed
            early = spent < DOUBTED_FOR or time.monotonic() - began < ANSWERED_LATE
            if found.verdict.kind == "undetermined" and early:
                await look_again(paced(JUDGED_EVERY, self._speed), found.finding)
                continue
            if wish.until is None:
                return found
            if not (why := lacks(wish, found)):
                return found.model_copy(update={"finding": reached(wish, found), "mark": "done"})
            if spent > wish.limit:
                raise Refuted(f"{why}, {wish.limit:.0f} s after it was looked for. Now: {found.finding}")
            await look_again(paced(JUDGED_EVERY, self._speed), why)

    async def _judged_now(self, wish: JudgeWish) -> Judged:
        memory = await remembered(activity.client(), self._inventory.name)
        with self._asking(patient=True) as vantages:
            watcher = _Watcher(self._inventory, vantages, WatchWish(memory=memory, urgent=True), self._speed)
            # nobody is judged as silent who has only been slow: each answers, or comes to its own limit
            await asyncio.wait([one.ask() for one in vantages.all if wish.powers or one.kind is not PowerLook])
            seen = await watcher.settled()
            return judged(seen.verdict, vantages.facts(), seen.answers[0].title, watcher.memory)

    @serves(watch.reach)
    async def reach(self, where: Awaited) -> Reach:
        """Which nodes of the site answer here: what a worker that stands at the site is asked for."""
        with self._asking() as vantages:
            names = [node.name for node in self._inventory.site(where.site).nodes]
            await asyncio.wait([one.ask() for one in vantages.of(VotesLook, *names)])
            alive = tuple(look.by for look in vantages.facts().votes.values() if look.answered)
        said = f"{len(alive)} of {len(names)} nodes of {where.site} answer"
        cut_off = answer(Condition(kind="site-isolated", where=(where.site,)), Memory(), self._inventory)
        return Reach(finding=said, nodes=alive, answer=cut_off)

    @contextlib.contextmanager
    def _asking(self, *, patient: bool = False) -> Iterator[Vantages]:
        """Vantage points, and nobody left waiting for them."""
        vantages = Vantages(self._inventory, self._clients, self._place, self._speed, patient=patient)
        try:
            yield vantages
        finally:
            for vantage in vantages.all:
                vantage.drop()


def _earlier() -> Memory | None:
    """What an earlier attempt knew when it was heard last: who was alive is not forgotten with the worker."""
    told = activity.info().heartbeat_details[:1]
    with contextlib.suppress(ValidationError):
        return Beat.model_validate(told[0]).memory if told and told[0] else None
    return None


def _is(suspected: Suspected, condition: Condition) -> bool:
    """The condition is the suspected one. Of parted sites only the one without quorum is lost."""
    if condition.kind not in suspected.kinds:
        return False
    if condition.kind in SITE_GONE:
        return lost_site(condition) == suspected.where
    return suspected.where in condition.where


class _Watcher:
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
        self._facts: Facts | None = None
        self._started = self._looked = datetime.now(UTC)
        self._totem_read = datetime.min.replace(tzinfo=UTC)
        self._key, self._since, self._looks = "", datetime.now(UTC), 0
        self._grave: tuple[str, ...] = ()
        self._graves = 0
        self._odd_since: datetime | None = None
        self._other_since = self._since
        self._turn = itertools.count()

    async def watch(self) -> Seen:
        """Until there is something new."""
        over = datetime.now(UTC) + self._wish.until
        verdict = await self._look(everybody=True)
        while True:
            if self._facts is not None:
                looked(self._facts)
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
            scene=scene(self._facts, self.memory, self._inventory) if self._facts else None,
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
        self._looked, self._facts = facts.at, facts
        await self._read_totem(facts)
        nodes = tuple(node.name for node in self._inventory.nodes)
        between, early = rounds(self._inventory, self._speed), NOBODY_MOVED / self._speed
        self.memory = remember(self.memory, facts, nodes, between, early)
        verdict = judge(facts, self.memory, self._inventory)
        self.memory = turned(self.memory, verdict, facts.at)
        verdict = announced(verdict, self._wish.silences, self.memory, self._inventory)
        self._count(verdict, facts.at)
        self.verdict = verdict
        return verdict

    def _whose_turn(self, now: datetime) -> Iterable[Vantage]:
        """All is well: a node of each site often, everything else seldom, the management controllers hardly ever."""
        rhythm, speed = self._inventory.watch, self._speed
        turn = next(self._turn)
        for site in self._inventory.sites:
            node = site.nodes[turn % len(site.nodes)].name
            yield from self._vantages.of(VotesLook, node)
        seldom = [*self._vantages.of(ArrayLook), *self._vantages.of(WitnessLook), *self._vantages.of(VotesLook)]
        yield from (one for one in seldom if one.due(rhythm.full / speed, now))
        for site in self._inventory.sites:  # the nodes of a site tell the API's view in turn
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
        )
