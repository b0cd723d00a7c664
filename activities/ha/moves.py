"""A guest is moved by HA's own command and followed until it is proven where it runs.

HA files a command and tells nobody when it refuses one; what counts is what the master, the node, LVM and multipath
say afterwards. Nothing here stops, starts or unlocks a guest.
"""

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING

from temporalio.exceptions import ApplicationError

from activities.attempt import Changes, look_again, paced, told_before
from activities.errors import Conflict, Refuted, Rejected
from activities.ha.manager import ha_view, told_by_quorum
from activities.hosts.lvm import volumes_told
from activities.hosts.maps import usable_paths, volume_wwid
from activities.serving import serves
from cluster.contracts import ha
from cluster.guests import GuestId
from cluster.move import MOVES, Move, MoveFinding, MoveWish, SettledFinding, SettledWish
from cluster.recovery import HaView, Service
from cluster.volumes import holders

if TYPE_CHECKING:
    from activities.clients.proxmox import PveApi
    from activities.clients.quick import Clients
    from activities.people.approvals import Approvals

# Seconds of the cluster's time. The master reads commands each 10 s, an LRM each 5 or 10 s (reference: pve-ha §§1, 10):
# a command that shows nothing after four rounds was refused.
POLL, REFUSED_AFTER, PROVEN_WITHIN = 1.0, 45.0, 60.0
# Seconds of our time: a fast rehearsal's HA needs its machine's time all the same.
AT_LEAST = 5.0
# A landing waits so long for what HA is moving.
SETTLED_WITHIN = 600.0
LIMIT = 15.0


class Migration:
    """Activities on where guests run. `speed` is how much faster than the wall a rehearsal's time runs."""

    def __init__(self, clients: "Clients", api: "PveApi", approvals: "Approvals", speed: float = 1.0) -> None:
        self._clients, self._api, self._approvals, self._speed = clients, api, approvals, speed

    @serves(ha.bring_home)
    async def bring_home(self, wish: MoveWish) -> MoveFinding:
        """The guest runs at home: moved live, and proven. A guest that is there already is only proven.

        Refused without a standing approval for this very move. Conflict when somebody has moved it meanwhile, Refuted
        when HA does not move it or the proof fails.
        """
        ledger, move = Changes(wish.mode), wish.move
        watched = _Watched(move, self._speed)
        if ledger.applying:
            await self._approvals.licence(wish.approval, move.intent(wish.turn))
        view = await self._ha()
        service = _ours(move, view)
        # at home, and on its way elsewhere: where it ends is awaited, not proven too early
        if service.node != move.home or service.state in MOVES:
            if service.state == "started" and not _sent_before():
                await self._must_prove(wish)
                if ledger.due(move.intent(wish.turn)):
                    await self._command(move)
            if ledger.only_planned:
                return MoveFinding(finding="planned", changes=ledger.changes, node=service.node)
            await self._followed(watched)
        proof = await self._proven(wish, watched)
        return MoveFinding(
            finding=proof,
            changed=ledger.changed,
            changes=ledger.changes,
            node=move.home,
            seconds=watched.seconds,
            downtime=watched.down,
        )

    @serves(ha.settled)
    async def settled(self, wish: SettledWish) -> SettledFinding:
        """Wait until HA has brought to an end what it was told to move: nothing calls a command back. Reads only.

        A command that shows nothing after four rounds was refused. What takes longer than ten minutes is named.
        """
        began = time.monotonic()
        while True:
            waited, view = (time.monotonic() - began) * self._speed, await self._ha()
            services = {move: view.services.get(move.sid) for move in wish.moves}
            early = waited < REFUSED_AFTER or time.monotonic() - began < AT_LEAST
            still = [move for move, one in services.items() if one and _goes_on(move, one, early=early)]
            if not still or waited > SETTLED_WITHIN:
                return _settled(services, still)
            await look_again(paced(POLL, self._speed), f"HA moves {', '.join(move.sid for move in still)}")

    async def _must_prove(self, wish: MoveWish) -> None:
        """Refuted when one of the two nodes cannot tell its volumes: where the guest runs could not be proven then."""
        ends = (wish.move.source, wish.move.home)
        _, silent = await volumes_told(self._clients.ssh, ends, wish.vg, limit=LIMIT)
        if silent:
            why = "; ".join(f"{node} does not report its volumes: {said}" for node, said in silent.items())
            raise Refuted(f"{wish.move.sid} is not moved to {wish.move.home}, it could not be proven there: {why}")

    async def _command(self, move: Move) -> None:
        """File it; HA answers at once who stands in the way, and nothing else."""
        path = f"cluster/ha/resources/{move.sid}/migrate"
        answer = await asyncio.to_thread(lambda: self._api.post(path, node=move.home)) or {}
        if blocking := [one["sid"] for one in answer.get("blocking-resources") or []]:
            raise Rejected(f"{move.sid} may not be on the same node as {', '.join(blocking)}: HA does not move it")

    async def _followed(self, watched: "_Watched") -> None:
        """Until HA calls it started at home; Refuted when it does not go, or does not arrive."""
        move = watched.move
        while True:
            view = await self._ha()
            service = _ours(move, view)
            await watched.look(self)
            if service.node == move.home and service.state == "started":
                return
            watched.judge(service, view)
            await look_again(paced(POLL, self._speed), ["sent", f"{move.sid} is {service.state} on {service.node}"])

    async def _proven(self, wish: MoveWish, watched: "_Watched") -> str:
        """It runs at home, its volumes are open there alone, and its path is the local one."""
        until = time.monotonic() + PROVEN_WITHIN / self._speed
        while lacking := await self._lacking(wish, watched):
            if time.monotonic() > until:
                raise Refuted(f"{wish.move.sid}: {lacking}")
            await watched.look(self)
            await look_again(paced(POLL, self._speed), ["sent", lacking])
        home, down = wish.move.home, watched.down
        how = "moved" if wish.move.guest.live else "restarted there"
        seen = f"{down:g} s seen down" if down >= 1 else "less than 1 s seen down"
        moved = f", {how} in {watched.seconds:.0f} s, {seen}" if watched.seconds else ""
        beside = f", as far as nodes report it: not by {', '.join(watched.silent)}" if watched.silent else ""
        return f"runs on {home}{moved}; its volume is open there alone{beside}, its path is local"

    async def _lacking(self, wish: MoveWish, watched: "_Watched") -> str:
        """What is not proven yet. The two nodes of the move have to tell; what another one lacks is said beside it."""
        move = wish.move
        if not await self.runs_on(move.home, move.guest):
            return f"{move.guest.process} does not run on {move.home}"
        found, silent = await volumes_told(self._clients.ssh, wish.nodes, wish.vg, limit=LIMIT)
        for node in (move.home, move.source):
            if node in silent:
                return f"{node} does not report its volumes: {silent[node]}"
        if lacking := holders(found, move.guest.owns).lacks(move.home):
            return lacking
        watched.silent = silent
        for volume, lun in {wish.volume: wish.lun, **wish.more}.items():
            wwid = await self._clients.threaded(
                partial(volume_wwid, self._clients.arrays, wish.arrays, volume, wish.transport)
            )
            if not await usable_paths(self._clients.ssh, move.home, wwid, lun, limit=LIMIT):
                which = f" for {volume}" if wish.more else ""
                return f"{move.home} has no optimized path to its own array{which}"
        return ""

    async def runs_on(self, node: str, guest: GuestId) -> bool:
        """The node's own word that it runs there."""
        try:
            current = await self._clients.get(f"{guest.path(node)}/status/current", node)
        except ApplicationError:
            return False
        return guest.runs(current)

    async def _ha(self) -> HaView:
        """As a quorate node tells it: what another part tells is of before its loss."""
        api = self._clients.api
        return ha_view((await self._clients.threaded(lambda: told_by_quorum(api)))[1])


class _Watched:
    """One move while it goes on: since when, whether HA has begun, and for how long the guest ran nowhere."""

    def __init__(self, move: Move, speed: float) -> None:
        self.move, self._speed = move, speed
        self._began = time.monotonic()
        self._begun = False
        self._last = self._began
        self.down = self.seconds = 0.0
        self.silent: dict[str, str] = {}  # nodes that did not tell their volumes, and why

    async def look(self, rooms: Migration) -> None:
        """Is it running? Source first: a guest that has left there is at home by then."""
        now = time.monotonic()
        somewhere = await rooms.runs_on(self.move.source, self.move.guest)
        if not (somewhere or await rooms.runs_on(self.move.home, self.move.guest)):
            self.down += round((now - self._last) * self._speed, 1)
        self._last = now
        self.seconds = (now - self._began) * self._speed

    def judge(self, service: Service, view: HaView) -> None:
        """Refuted when HA has given up, or never began."""
        move, waited = self.move, (time.monotonic() - self._began) * self._speed
        moving = service.state in MOVES
        if service.state == "started" and self._begun:
            raise Refuted(
                f"{move.sid}: the migration to {move.home} failed, it runs on {service.node}: see its task log"
            )
        if not moving and service.state != "started":
            raise Refuted(f"{move.sid} is {service.state} on {service.node} in the middle of its move")
        if not moving and waited > REFUSED_AFTER and time.monotonic() - self._began > AT_LEAST:
            state = view.nodes.get(move.home, "unknown")
            raise Refuted(f"{move.sid}: HA has not begun to move it in {waited:.0f} s; {move.home} is {state} to HA")
        self._begun = self._begun or moving


def _goes_on(move: Move, service: Service, *, early: bool) -> bool:
    """HA moves it, or may have a command that it has not read yet."""
    if service.state in MOVES:
        return True
    return service.node != move.home and service.state == "started" and early


def _settled(services: dict[Move, Service | None], still: list[Move]) -> SettledFinding:
    """How each move has ended, in words."""
    said = []
    for move, service in services.items():
        if move in still:
            said.append(f"HA is still moving {move.sid} to {move.home}: it will end there")
        elif service is None:
            said.append(f"{move.sid} is not under HA any more")
        else:
            word = "has ended at home" if service.node == move.home else "was not moved, it is"
            said.append(f"{move.sid} {word} on {service.node} ({service.state})")
    return SettledFinding(
        finding="; ".join(said),
        where={move.sid: service.node for move, service in services.items() if service is not None},
        still=tuple(move.sid for move in still),
    )


def _ours(move: Move, view: HaView) -> Service:
    """The service as HA has it; Conflict when it is neither where it was planned from nor at home."""
    service = view.services.get(move.sid)
    if service is None:
        raise Conflict(f"{move.sid} is not under HA any more: it was taken out by hand")
    if service.node not in (move.source, move.home):
        raise Conflict(f"{move.sid} is on {service.node}, the plan moves it from {move.source}: it was moved by hand")
    return service


def _sent_before() -> bool:
    """An earlier attempt has filed the command."""
    told = told_before()
    return isinstance(told, list) and bool(told) and told[0] == "sent"
