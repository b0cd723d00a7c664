"""HA while a site is lost: its own state is read, again and again, and what it claims is verified at the hosts.

HA fences and restarts. Nothing here starts, stops, moves or unlocks a guest.
"""

import asyncio
import time
from typing import TYPE_CHECKING, Any

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.errors import Unreachable
from activities.storage import active_volumes
from cluster.guests import GuestId
from cluster.recovery import (
    Back,
    FencingFinding,
    FencingWish,
    HaView,
    RecoveryFinding,
    RecoveryWish,
    Service,
    acknowledged,
    hopeless,
    waits_for,
)
from cluster.units import shortly
from cluster.volumes import holders

if TYPE_CHECKING:
    from activities.vantage import Clients

POLL = 1.0
# Guests that come back within this time are told of together.
TOGETHER = 1.0


class Ha:
    """Activities that watch HA. `speed` is how much faster than the wall a rehearsal's time runs."""

    def __init__(self, clients: "Clients", speed: float = 1.0) -> None:
        self._clients, self._speed = clients, speed
        self._view: tuple[float, HaView] | None = None
        self._reading = asyncio.Lock()

    @activity.defn(name="ha.watch_fencing")
    async def watch_fencing(self, wish: FencingWish) -> FencingFinding:
        """Wait until the master has taken the lost node's agent lock."""
        if not wish.services:
            said = "no HA service ran there: HA does not fence it, and what else ran there may be alive"
            return FencingFinding(finding=said, node=wish.node, needed=False)
        seen = bool(next(iter(activity.info().heartbeat_details), None) == "fence seen")
        while True:
            view = await self._ha(wish.survivors)
            seen = seen or view.nodes.get(wish.node) == "fence"
            if acknowledged(wish, view):
                found = f"{view.master} has its agent lock, its services are taken away"
                return FencingFinding(finding=found, node=wish.node, fence_seen=seen)
            activity.heartbeat("fence seen" if seen else view.nodes.get(wish.node, "gone"))
            await asyncio.sleep(POLL / self._speed)

    @activity.defn(name="ha.watch_recovery")
    async def watch_recovery(self, wish: RecoveryWish) -> RecoveryFinding:
        """Wait until at least one of the guests is back, verified, or given up by HA; those that follow at once too."""
        until = time.monotonic() + wish.limit
        decided: dict[str, Back] = {}
        while True:
            view = await self._ha(wish.survivors)
            open_ones = [sid for sid in wish.pending if sid not in decided]
            looks = await asyncio.gather(*(self._back(sid, view, wish) for sid in open_ones))
            fresh = {back.sid: back for back in looks if back is not None}
            if (decided and not fresh) or len(decided | fresh) == len(wish.pending):
                return _recovery(wish, decided | fresh, view)
            decided |= fresh
            if time.monotonic() > until:
                return _recovery(wish, decided, view)
            activity.heartbeat([f"{sid} {waits_for(sid, view, _lost(wish, view))}" for sid in open_ones[:3]])
            await asyncio.sleep((TOGETHER if decided else POLL) / self._speed)

    async def _back(self, sid: str, view: HaView, wish: RecoveryWish) -> Back | None:
        """What is known of one guest; None while it has to be waited for."""
        if why := hopeless(sid, view):
            return Back(sid=sid, ok=False, text=why)
        service = view.services[sid]
        if service.state != "started" or service.node not in wish.survivors:
            return None
        try:
            proof = await self._proof(GuestId.of(sid), service.node, wish)
        except ApplicationError:
            return None  # a source that fails is asked again with the next look
        return Back(sid=sid, ok=True, node=service.node, text=proof) if proof else None

    async def _proof(self, guest: GuestId, node: str, wish: RecoveryWish) -> str:
        """It runs there and its volumes are open there alone; empty when it is not so yet."""
        path = guest.path(node)
        current = await self._clients.get(f"{path}/status/current", node)
        if not guest.runs(current):
            return ""
        found = await active_volumes(self._clients.ssh, wish.survivors, wish.vg, limit=10.0)
        held = holders(found, guest.owns)
        if held.unknown or held.open != (node,):
            return ""
        proof = f"{guest.process} runs, its volume is open on {node} alone"
        if current.get("agent"):
            proof += ", agent answers" if await self._agent(path) else ", agent does not answer yet"
        return proof

    async def _agent(self, path: str) -> bool:
        try:
            await self._clients.threaded(lambda: self._clients.api.post(f"{path}/agent/ping"))
        except ApplicationError:
            return False
        return True

    async def _ha(self, survivors: tuple[str, ...]) -> HaView:
        """The master's state, as the first survivor that answers tells it; one read a second for all who wait."""
        async with self._reading:
            now = time.monotonic()
            if self._view is None or now - self._view[0] > POLL / self._speed / 2:
                self._view = (now, await self._read(survivors))
            return self._view[1]

    async def _read(self, survivors: tuple[str, ...]) -> HaView:
        for number, node in enumerate(survivors, start=1):
            try:
                found = await self._clients.get("cluster/ha/status/manager_status", node)
            except Unreachable:
                if number == len(survivors):
                    raise
            else:
                return ha_view(found)
        raise Unreachable("no survivor is known")


def ha_view(found: dict[str, Any]) -> HaView:
    """``/cluster/ha/status/manager_status`` in our words."""
    manager = found.get("manager_status") or {}
    return HaView(
        master=str(manager.get("master_node") or ""),
        nodes=manager.get("node_status") or {},
        services={
            sid: Service(state=entry["state"], node=entry["node"], running=bool(entry.get("running")))
            for sid, entry in (manager.get("service_status") or {}).items()
        },
    )


def _lost(wish: RecoveryWish, view: HaView) -> frozenset[str]:
    return frozenset(view.nodes) - set(wish.survivors)


def _recovery(wish: RecoveryWish, decided: dict[str, Back], view: HaView) -> RecoveryFinding:
    waiting = {sid: waits_for(sid, view, _lost(wish, view)) for sid in wish.pending if sid not in decided}
    back = [f"{one.sid} on {one.node}" for one in decided.values() if one.ok]
    lost = [f"{one.sid} {one.text}" for one in decided.values() if not one.ok]
    said = [shortly(back, 6)] if back else []
    return RecoveryFinding(
        finding="; ".join([*said, *lost[:3]]) or f"{len(waiting)} guests are not back yet",
        decided=tuple(decided.values()),
        waiting=waiting,
    )
