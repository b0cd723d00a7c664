"""Watching a cluster: every vantage point asked at its own rhythm, and a verdict as soon as there is a new one.

What is asked when is in `activities.watch.looking`; whoever decides by how the cluster is at this moment asks
`activities.watch.judging`. All reads.
"""

import asyncio
import contextlib
from collections.abc import Callable

from pydantic import ValidationError
from temporalio import activity

from activities.attempt import was_cancelled_by_its_run
from activities.clients.quick import Clients
from activities.errors import NotFound, Refuted
from activities.serving import serves
from activities.watch.looking import Watcher
from activities.watch.vantage import asking
from cluster.answers.advice import answer
from cluster.conditions import Condition
from cluster.contracts import watch
from cluster.facts import Memory, VotesLook
from cluster.inventory import Inventory
from cluster.watching import Awaited, Beat, Reach, Seen, Suspected, WatchWish


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
        with asking(self._inventory, self._clients, self._place, self._speed) as vantages:
            watcher = Watcher(self._inventory, vantages, wish, self._speed, self._alive)
            try:
                return await watcher.watch()
            except asyncio.CancelledError:
                if not was_cancelled_by_its_run() or watcher.verdict is None:
                    raise
                return watcher.seen(watcher.verdict, new=False)

    @serves(watch.confirm)
    async def confirm(self, suspected: Suspected) -> Seen:
        """Ask everybody anew; Refuted when the verdict is another one, as the main thing or beside a graver one."""
        with asking(self._inventory, self._clients, self._place, self._speed) as vantages:
            wish = WatchWish(memory=suspected.memory, urgent=True)
            seen = await Watcher(self._inventory, vantages, wish, self._speed).settled()
        found = seen.verdict
        if not any(suspected.fits(condition) for condition in (found.main, *found.also)):
            because = "; ".join(found.main.reasons)
            raise Refuted(f"the cluster is {found.sentence} now, not {suspected.kinds[0]} {suspected.where}: {because}")
        return seen

    @serves(watch.reach)
    async def reach(self, where: Awaited) -> Reach:
        """Which nodes of the site answer here: what a worker that stands at the site is asked for."""
        with asking(self._inventory, self._clients, self._place, self._speed) as vantages:
            names = [node.name for node in self._inventory.site(where.site).nodes]
            await asyncio.wait([one.ask() for one in vantages.of(VotesLook, *names)])
            alive = tuple(look.by for look in vantages.facts().votes.values() if look.answered)
        said = f"{len(alive)} of {len(names)} nodes of {where.site} answer"
        cut_off = answer(Condition(kind="site-isolated", where=(where.site,)), Memory(), self._inventory)
        return Reach(finding=said, nodes=alive, answer=cut_off)


def _earlier() -> Memory | None:
    """What an earlier attempt knew when it was heard last: who was alive is not forgotten with the worker."""
    told = activity.info().heartbeat_details[:1]
    with contextlib.suppress(ValidationError):
        return Beat.model_validate(told[0]).memory if told and told[0] else None
    return None
