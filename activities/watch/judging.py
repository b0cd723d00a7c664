"""How the cluster is at this moment, for whoever decides by it: everybody is asked anew. Reads only."""

import asyncio
import time

from temporalio import activity

from activities.attempt import look_again, paced
from activities.clients.quick import Clients
from activities.errors import NotFound, Refuted
from activities.serving import serves
from activities.watch.looking import Watcher
from activities.watch.memory import remembered
from activities.watch.vantage import asking
from cluster.breakglass.judged import Judged, JudgeWish, judged, lacks, reached
from cluster.contracts import watch
from cluster.facts import PowerLook
from cluster.inventory import Inventory
from cluster.watching import WatchWish

# Seconds of the cluster's time between two judgements that wait for something.
JUDGED_EVERY = 5.0
# So long a doubt may pass by itself: an answer that was late, votes that are settling.
DOUBTED_FOR = 60.0
# However fast a rehearsal's time goes, no machine answers faster for that: a doubt lasts at least so long by the wall.
ANSWERED_LATE = 20.0


class Judging:
    """The activity that judges a cluster once, by what its watch remembers."""

    def __init__(self, inventory: Inventory, clients: Clients, place: str = "", speed: float = 1.0) -> None:
        """`place` is where this worker stands, `speed` how much faster than the wall a rehearsal's time runs."""
        self._inventory, self._clients, self._place, self._speed = inventory, clients, place, speed

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
        with asking(self._inventory, self._clients, self._place, self._speed, patient=True) as vantages:
            watcher = Watcher(self._inventory, vantages, WatchWish(memory=memory, urgent=True), self._speed)
            # nobody is judged as silent who has only been slow: each answers, or comes to its own limit
            await asyncio.wait([one.ask() for one in vantages.all if wish.powers or one.kind is not PowerLook])
            seen = await watcher.settled()
            found = judged(seen.verdict, watcher.facts, seen.answers[0].title, watcher.memory)
            return found.model_copy(update={"basis": seen.basis})
