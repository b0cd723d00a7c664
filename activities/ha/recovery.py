"""HA while nodes are lost: its own state is read, again and again, and what it claims is verified at the hosts.

HA fences and restarts. Nothing here starts, stops, moves or unlocks a guest.
"""

import asyncio
import contextlib
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import ValidationError
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.attempt import paced, was_cancelled_by_its_run
from activities.errors import Refuted, Unreachable
from activities.ha.manager import ha_view, told_by_quorum
from activities.ha.standing import Proofs
from activities.rules import rules
from activities.serving import serves
from cluster.contracts import ha
from cluster.fencing import FencingFinding, FencingLook, FencingSeen, FencingWish
from cluster.forecast import WORKERS
from cluster.outages import GuestsFinding, GuestsWish, Standing
from cluster.recovery import Asking, HaFinding, HaView
from cluster.returning import ReturnFinding, ReturnWish, settled
from cluster.units import counted, shortly

if TYPE_CHECKING:
    from activities.clients.quick import Clients

POLL = 1.0
# Guests that come back within this time are told of together.
TOGETHER = 1.0


class Ha:
    """Activities that watch HA. `speed` is how much faster than the wall a rehearsal's time runs."""

    def __init__(self, clients: "Clients", speed: float = 1.0) -> None:
        self._clients, self._speed = clients, speed
        self._view: tuple[float, HaView] | None = None
        self._reading = asyncio.Lock()

    @serves(ha.listed)
    async def listed(self, asking: Asking) -> HaFinding:
        """HA's services and where it has them, as it says itself."""
        view = await self._ha(asking.via)
        workers = WORKERS
        with contextlib.suppress(ApplicationError, ValueError):
            options = await self._clients.get("cluster/options", asking.via[0])
            workers = int(options.get("max_workers") or WORKERS)
        return HaFinding(finding=f"HA lists {counted(len(view.services), 'service')}", view=view, workers=workers)

    @serves(ha.watch_fencing)
    async def watch_fencing(self, wish: FencingWish) -> FencingFinding:
        """Wait until HA has acknowledged the fencing of a lost node, or until there is nothing to acknowledge."""
        look = FencingLook(before=_earlier(wish.seen), speed=self._speed, rules=rules("fencing"))
        activity.heartbeat(look.seen)  # before anything else: an attempt that dies at once must not take it along
        began = time.monotonic()
        try:
            while True:
                with contextlib.suppress(Unreachable):  # nobody answers: nothing is seen, and nothing concluded
                    view = await self._ha(wish.survivors)
                    look = look.model_copy(update={"before": look.seen, "view": view, "at": datetime.now(UTC)})
                    if found := look.found(wish):
                        return found
                if wish.limit is not None and time.monotonic() - began > wish.limit:
                    return look.unknown
                activity.heartbeat(look.seen)
                await asyncio.sleep(paced(POLL, self._speed))
        except asyncio.CancelledError:
            if not was_cancelled_by_its_run():
                raise
            return look.unknown.model_copy(update={"cut": True})

    @serves(ha.watch_guests)
    async def watch_guests(self, wish: GuestsWish) -> GuestsFinding:
        """Wait until any guest stands otherwise than it was known to; those that follow at once are told with it."""
        proofs, began = Proofs(self._clients, wish, self._speed), time.monotonic()
        news: set[str] = set()
        while True:
            try:
                view: HaView | None = await self._ha(wish.via)
            except Unreachable:
                view = None
            standing = await proofs.look(view)
            fresh = {sid for sid, one in standing.items() if not one.same(wish.known.get(sid))}
            waits = sum(one.state == "down" for one in standing.values())
            over = wish.limit is not None and time.monotonic() - began > wish.limit
            if over or (fresh and (fresh == news or not waits)):
                return _told(standing, fresh)
            news = fresh
            activity.heartbeat([f"{sid} {one.text}" for sid, one in standing.items() if one.state == "down"][:3])
            await asyncio.sleep(paced(TOGETHER if news else POLL, self._speed))

    @serves(ha.watch_return)
    async def watch_return(self, wish: ReturnWish) -> ReturnFinding:
        """Wait until all lost nodes are members again, twice in a row.

        Refuted when only some of them are, and no other has followed for the settling time; not where that is enough.
        """
        last: frozenset[str] = frozenset()
        since = time.monotonic()
        while True:
            members = await self._members(wish.via)
            back = frozenset(wish.nodes) & members
            if back != last:
                last, since = back, time.monotonic()
            elif members and settled(wish, back, (time.monotonic() - since) * self._speed):
                missing = tuple(node for node in wish.nodes if node not in back)
                if missing and not wish.some:
                    raise Refuted(wish.partly(missing))
                return ReturnFinding.of(wish, missing)
            activity.heartbeat(f"{len(back)} of {len(wish.nodes)} are members")
            await asyncio.sleep(paced(POLL, self._speed))

    async def _members(self, via: tuple[str, ...]) -> frozenset[str]:
        """The members of the quorate part, as a node of it tells them; none where nobody quorate answers."""
        for node in via:
            try:
                found = await self._clients.get("cluster/status", node)
            except ApplicationError:
                continue
            if any(one["type"] == "cluster" and int(one.get("quorate") or 0) for one in found):
                return frozenset(one["name"] for one in found if one["type"] == "node" and int(one.get("online") or 0))
        return frozenset()

    async def _ha(self, survivors: tuple[str, ...]) -> HaView:
        """The master's state, as the first quorate survivor tells it; one read a second for all who wait."""
        async with self._reading:
            now = time.monotonic()
            if self._view is None or now - self._view[0] > POLL / self._speed / 2:
                self._view = (now, await self._read(survivors))
            return self._view[1]

    async def _read(self, survivors: tuple[str, ...]) -> HaView:
        api = self._clients.api
        return ha_view((await self._clients.threaded(lambda: told_by_quorum(api, survivors)))[1])


def _earlier(seen: FencingSeen) -> FencingSeen:
    """What an earlier attempt saw: an acknowledgement lasts for one round, and its worker may be gone."""
    with contextlib.suppress(ValidationError, IndexError):
        return FencingSeen.model_validate(activity.info().heartbeat_details[0])
    return seen


def _told(standing: dict[str, Standing], fresh: set[str]) -> GuestsFinding:
    up = [f"{sid} on {standing[sid].node}" for sid in sorted(fresh) if standing[sid].state == "running"]
    other = [f"{sid} {standing[sid].text}" for sid in sorted(fresh) if standing[sid].state != "running"]
    said = "; ".join([*([shortly(up, 6)] if up else []), *other[:3]]) or "nothing new"
    return GuestsFinding(finding=said, standing=standing, news=tuple(sorted(fresh)))
