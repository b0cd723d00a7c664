"""How guests stand, proven at the hosts: the process runs, and its volumes are open on that node alone. All reads."""

import asyncio
import time
from typing import TYPE_CHECKING, Any

from temporalio.exceptions import ApplicationError

from activities.errors import Unauthorized
from activities.hosts.lvm import volumes_told
from cluster.guests import GuestId
from cluster.memory import ON_ITS_WAY
from cluster.move import MOVES
from cluster.outages import NOT_VERIFIED, UP, GuestsWish, Standing
from cluster.recovery import PRESENT, STOPPED, HaView, Service, hopeless, waits_for
from cluster.volumes import holders

if TYPE_CHECKING:
    from activities.clients.quick import Clients

# Seconds of the cluster's time between two looks at a guest that runs.
CHECKED_EVERY = 5.0
# Looks in a row that nobody answers before it counts as unseen: an API that hiccups takes no guest away.
MISSED = 3
LVS_LIMIT = 10.0
# Looks, a second or more apart, in which the source of a live migration closes the volumes.
LETS_GO_WITHIN = 10
# What was lost and is the API's business, not HA's: a guest is looked for on its node whatever HA believes of it.
BY_HAND = ("error", "stopped", "")
# A person has asked for that: HA brings back neither one that is stopped by request nor one that was taken from it.
SET_DOWN = (*STOPPED, "")


class Proofs:
    """Looks at the guests of one wish, again and again."""

    def __init__(self, clients: "Clients", wish: GuestsWish, speed: float) -> None:
        self._clients, self._wish, self._speed = clients, wish, speed
        self._known = dict(wish.known)
        self._checked: dict[str, float] = {}
        self._missed: dict[str, int] = {}
        self._unproved: dict[str, int] = {}
        self._arriving: dict[str, int] = {}  # looks since a guest that ran was first seen at its new node

    async def look(self, view: HaView | None) -> dict[str, Standing]:
        """Every guest as it stands now; `view` is None while nobody tells HA's state."""
        found = await asyncio.gather(*(self._stands(sid, known, view) for sid, known in self._known.items()))
        self._known = dict(zip(self._known, found, strict=True))
        return self._known

    async def _stands(self, sid: str, known: Standing, view: HaView | None) -> Standing:
        """One guest. What cannot be learned stays as it was known, until it has been missed too often."""
        try:
            now = await self._asked(sid, known, view)
        except ApplicationError as error:
            if isinstance(error, Unauthorized) and view is not None:
                return self._refused(sid, known, view, error)
            return self._missing(sid, known)
        self._missed.pop(sid, None)
        return now

    def _refused(self, sid: str, known: Standing, view: HaView, error: ApplicationError) -> Standing:
        """A right is missing to look at it. HA calls one started before its node has begun to start it.

        Of a node that was lost its word may be one of before the loss.
        """
        service = view.services.get(sid, Service(state="", node=known.node))
        node = service.node
        if known.state not in UP and (node not in self._wish.via or not service.running):
            return Standing(state="down", node=node, text=f"not known whether it runs on {node}: {error.message}")
        return Standing(state="unproven", node=node, text=f"{NOT_VERIFIED}: {error.message}")

    def _missing(self, sid: str, known: Standing) -> Standing:
        self._missed[sid] = self._missed.get(sid, 0) + 1
        if known.state not in UP or self._missed[sid] < MISSED:
            return known
        return Standing(state="unseen", node=known.node, text=f"not known whether it still runs on {known.node}")

    async def _asked(self, sid: str, known: Standing, view: HaView | None) -> Standing:
        if view is None:
            if known.state in ("down", "hopeless", "unseen"):
                return known
            return await self._still(sid, known, view)
        service = view.services.get(sid, Service(state="", node=known.node))
        moved = service.node != known.node
        if known.state in UP and not moved and service.state == "started":
            return await self._still(sid, known, view)
        if why := hopeless(sid, view):
            return await self._by_hand(sid, service, why)
        if known.set_down and service.state in ON_ITS_WAY:
            return known  # HA fences a node for its stopped guests as well, and gives them another place
        lost = frozenset(node for node, state in view.nodes.items() if state not in PRESENT)
        waits = Standing(state="down", node=service.node, text=waits_for(sid, view, lost))
        if service.state in MOVES and known.state in UP:
            return known  # on its way: judged again where it arrives
        if service.state != "started" or service.node in lost:
            return waits if known.state != "unseen" or service.node in lost else known
        current = await self._current(sid, service.node)
        if proven := await self._proof(sid, service.node, current, view):
            return proven
        if moved and known.state in UP and self._has_arrived(sid, current):
            return known
        return waits

    async def _current(self, sid: str, node: str) -> Any:
        """What the node says of the guest's process."""
        return await self._clients.get(f"{GuestId.of(sid).path(node)}/status/current", node)

    def _has_arrived(self, sid: str, current: Any) -> bool:
        """One that ran elsewhere runs there now, and its source has not let go of its volumes yet: it was never down.

        Only for some looks: what stays open on two nodes is not passed over.
        """
        self._arriving[sid] = self._arriving.get(sid, 0) + 1
        return self._arriving[sid] <= LETS_GO_WITHIN and GuestId.of(sid).runs(current)

    async def _still(self, sid: str, known: Standing, view: HaView | None) -> Standing:
        """One that runs is looked at now and then: its process is asked at its node, and a missing proof tried anew."""
        if time.monotonic() - self._checked.get(sid, 0.0) < CHECKED_EVERY / self._speed:
            return known
        self._checked[sid] = time.monotonic()
        guest, current = GuestId.of(sid), await self._current(sid, known.node)
        if guest.runs(current):
            proven = await self._proof(sid, known.node, current, view) if known.state == "unproven" and view else None
            return proven or known.model_copy(update={"up": float(current.get("uptime") or 0)})
        said = current.get("qmpstatus") or current.get("status") or "not there"
        return Standing(state="down", node=known.node, text=f"{guest.process} is {said} on {known.node}")

    async def _by_hand(self, sid: str, service: Service, why: str) -> Standing:
        """HA will not bring it back; a person may have."""
        lost = Standing(state="hopeless", node=service.node, text=why, set_down=service.state in SET_DOWN)
        if service.state not in BY_HAND or not service.node or service.node not in self._wish.via:
            return lost
        if time.monotonic() - self._checked.get(sid, 0.0) < CHECKED_EVERY / self._speed:
            return self._known[sid] if self._known[sid].state in ("hopeless", "running") else lost
        self._checked[sid] = time.monotonic()
        guest = GuestId.of(sid)
        try:
            current = await self._current(sid, service.node)
        except Unauthorized:  # HA's own word stands, which is not that it runs
            return lost
        if not guest.runs(current):
            return lost
        return Standing(state="running", node=service.node, text=f"{guest.process} runs; HA: {why}")

    async def _proof(self, sid: str, node: str, current: Any, view: HaView) -> Standing | None:
        """It runs there and its volumes are open there alone; None when it is not so yet.

        A node that does not tell its volumes, look after look, leaves that guest unproven, and is named; the proof of
        every other guest does not wait for it.
        """
        guest = GuestId.of(sid)
        if not guest.runs(current):
            return None
        asked = [one for one in self._wish.nodes if view.nodes.get(one) == "online"]
        found, silent = await volumes_told(self._clients.ssh, asked, self._wish.vg, limit=LVS_LIMIT)
        held = holders(found, guest.owns)
        if held.unknown or held.open != ((node,) if node in found else ()):
            return None
        if silent:
            return self._unproven(sid, node, silent, float(current.get("uptime") or 0))
        self._unproved.pop(sid, None)
        self._arriving.pop(sid, None)
        proof = f"{guest.process} runs, its volume is open on {node} alone"
        if current.get("agent"):
            answers = await self._agent(guest.path(node))
            proof += ", agent answers" if answers else ", agent does not answer yet"
        self._checked[sid] = time.monotonic()
        return Standing(state="running", node=node, text=proof, up=float(current.get("uptime") or 0))

    def _unproven(self, sid: str, node: str, silent: dict[str, str], up: float) -> Standing | None:
        """It runs, and nobody contradicts it; None while the silence may still pass."""
        self._unproved[sid] = self._unproved.get(sid, 0) + 1
        if self._unproved[sid] < MISSED:
            return None
        self._checked[sid] = time.monotonic()
        why = "; ".join(f"{one} does not report its volumes: {said}" for one, said in silent.items())
        text = f"{GuestId.of(sid).process} runs on {node}; not proven that its volume is open there alone: {why}"
        return Standing(state="unproven", node=node, text=text, up=up)

    async def _agent(self, path: str) -> bool:
        try:
            await self._clients.threaded(lambda: self._clients.api.post(f"{path}/agent/ping"))
        except ApplicationError:
            return False
        return True
