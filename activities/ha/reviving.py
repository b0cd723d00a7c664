"""Guests in `error`: what is known of each, and HA told to start one again; for break-glass runs that were approved.

Only HA starts a guest: its requested state is set to `disabled`, which ends `error`, and to `started` again. Between
the two it is proven that no node holds its volumes.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from activities.attempt import CURRENT, Changes, look_again, paced
from activities.errors import Conflict, NotYet, Refuted
from activities.ha.manager import ha_view, told_by_quorum
from activities.hosts.lvm import volumes_told
from activities.parsing.guests import parse_guests
from activities.proxmox.rights import all_guests
from activities.serving import serves
from cluster.breakglass.reviving import (
    GivenUp,
    GivenUpFinding,
    GivenUpWish,
    ReviveFinding,
    ReviveWish,
    cannot_write,
    veto_of,
)
from cluster.contracts import ha
from cluster.guests import GuestId, GuestRow
from cluster.inventory import Inventory
from cluster.looks import Facts
from cluster.recovery import HaView, Service
from cluster.units import shortly
from cluster.volumes import Held, holders

if TYPE_CHECKING:
    from activities.clients.proxmox import PveApi
    from activities.clients.quick import Clients
    from activities.people.approvals import Approvals

# Seconds of the cluster's time. LRM and master see a request within 25 s (reference: pve-ha §11); stopping a guest
# that runs takes its shutdown's own limit.
POLL, STOPPED_WITHIN, STARTED_WITHIN, LVS_LIMIT = 1.0, 240.0, 180.0, 10.0
GONE = ("unknown", "gone")
WANTED, DISABLED = ("started", "enabled"), "disabled"
# Both arrays, and the management controllers of these nodes, at this moment.
Looks = Callable[[Sequence[str]], Awaitable[Facts]]


class Reviving:
    """Activities on guests that HA has given up.

    `api` is asked patiently, `looks` sees the arrays and the power of some nodes anew; `speed` is that of a rehearsal's
    time.
    """

    def __init__(
        self,
        inventory: Inventory,
        clients: "Clients",
        api: "PveApi",
        approvals: "Approvals",
        looks: Looks,
        speed: float = 1.0,
    ) -> None:
        self._inventory, self._clients, self._api = inventory, clients, api
        self._approvals, self._looks, self._speed = approvals, looks, speed

    @serves(ha.given_up)
    async def given_up(self, wish: GivenUpWish) -> GivenUpFinding:
        """All guests that HA calls `error`, with what speaks against starting each. Reads only."""
        view = await self._view()
        errors = {sid: one for sid, one in view.services.items() if one.state == "error"}
        requests, listed = await self._requests(), await self._clients.threaded(self._all_listed)
        held, silent = await self._volumes(wish.nodes, wish.vg, view) if errors else ({}, {})
        guests = tuple(
            GivenUp(
                sid=sid,
                node=one.node,
                request=requests.get(sid, ""),
                name=listed[sid].name if sid in listed else "",
                lock=listed[sid].lock if sid in listed else "",
                running=sid in listed and listed[sid].alive,
                doubt=_doubt(sid, one, view, listed.get(sid), held, silent),
            )
            for sid, one in sorted(errors.items(), key=lambda item: GuestId.of(item[0]).vmid)
        )
        said = f"HA has given up {shortly([one.sid for one in guests], 10)}" if guests else "HA has given up no guest"
        return GivenUpFinding(finding=said, mark="warned" if guests else "done", guests=guests)

    @serves(ha.revive)
    async def revive(self, wish: ReviveWish) -> ReviveFinding:
        """HA starts that guest again, and it runs; Refuted when HA gives it up once more.

        An attempt whose answer was lost goes on from where it was: a guest that is disabled by it is started. Whatever
        a person has set meanwhile is left as it is.
        """
        ledger = Changes(wish.mode)
        service, request = await self._state(wish.sid)
        ours = _begun_before(wish)
        if service.state == "started" and await self._runs(wish.sid, service.node):
            return ReviveFinding(finding=f"runs on {service.node}", node=service.node, changes=ledger.changes)
        if request not in WANTED and not (ours and request == DISABLED):
            raise Conflict(f"the requested state of {wish.sid} is {request} now: it is not to run; ask who has set it")
        if service.state not in ("error", "started") and not ours:
            raise Conflict(f"HA calls {wish.sid} {service.state} now: a person or another run changes it; look again")
        if service.node != wish.node:
            raise Conflict(f"HA has {wish.sid} on {service.node} now, agreed was {wish.node}; look again")
        await self._approvals.licence(wish.approval, wish.intent)
        if service.state == "error":
            await self._must_be_alone(wish, stopped=False)
        if not ledger.due(wish.intent):
            return ReviveFinding(finding="planned", node=wish.node, changes=ledger.changes)
        if service.state == "error":
            await self._request(wish.sid, DISABLED)
        if service.state != "started" and (service.state == "error" or request == DISABLED):
            await self._until(wish.sid, "stopped", STOPPED_WITHIN)
            await self._ended(wish.sid, wish.node)
            await self._must_be_alone(wish, stopped=True)
            await self._request(wish.sid, "started")
        node = await self._started(wish.sid)
        return ReviveFinding(finding=f"HA runs it on {node}", changed=ledger.changed, changes=ledger.changes, node=node)

    # --- the way of one guest ----------------------------------------------------------------------------------

    async def _request(self, sid: str, state: str) -> None:
        await self._clients.threaded(lambda: self._api.put(f"cluster/ha/resources/{sid}", state=state))

    async def _until(self, sid: str, state: str, within: float) -> None:
        until = time.monotonic() + within / self._speed
        while (service := (await self._state(sid))[0]).state != state:
            if time.monotonic() > until:
                raise NotYet(f"HA calls {sid} {service.state} {within:.0f} s after its requested state was changed")
            await look_again(paced(POLL, self._speed), f"HA calls {sid} {service.state}")

    async def _ended(self, sid: str, node: str) -> None:
        """HA calls a guest stopped as soon as it is disabled; where it runs, the LRM stops it only then."""
        until = time.monotonic() + STOPPED_WITHIN / self._speed
        guest = GuestId.of(sid)
        while (found := await self._clients.get(f"{guest.path(node)}/status/current", node)).get("status") != "stopped":
            if time.monotonic() > until:
                raise NotYet(f"{sid} is {found.get('status')} on {node} {STOPPED_WITHIN:.0f} s after it was disabled")
            await look_again(paced(POLL, self._speed), f"{sid} is being stopped on {node}")

    async def _must_be_alone(self, wish: ReviveWish, *, stopped: bool) -> None:
        """No other node has a volume of it open, no lock is on it, and it is where it was; `stopped`: it runs nowhere.

        Asked before HA is told to stop it, and right before it is told to start it.
        """
        view, listed = await self._view(), await self._listed()
        held, silent = await self._volumes(wish.nodes, wish.vg, view)
        service, row = view.services.get(wish.sid), listed.get(wish.sid)
        request = (await self._requests()).get(wish.sid, "removed")
        now = ". Its requested state is disabled now" if stopped and request == DISABLED else ""
        if service is None or service.node != wish.node:
            where = service.node if service else "no node"
            raise Refuted(f"{wish.sid} is not started: HA has it on {where} now, agreed was {wish.node}{now}")
        if stopped and request != DISABLED:
            raise Conflict(f"{wish.sid} is not started: its requested state is {request} now; ask who has set it")
        doubt = f"it is locked ({row.lock})" if row is not None and row.lock else ""
        if not stopped and row is not None and row.alive and not _may_be_stopped(wish):
            doubt = f"it runs on {row.node} now, and HA would stop it; that was not agreed to"
        if doubt := doubt or _doubt(wish.sid, service, view, row, held, silent, stopped=stopped):
            raise Refuted(f"{wish.sid} is not started: {doubt}{now}")

    async def _started(self, sid: str) -> str:
        until = time.monotonic() + STARTED_WITHIN / self._speed
        while True:
            service, _ = await self._state(sid)
            if service.state == "started" and await self._runs(sid, service.node):
                return service.node
            if service.state == "error":
                raise Refuted(f"HA has given up {sid} again on {service.node}: read the task log of that node")
            if time.monotonic() > until:
                raise NotYet(f"HA calls {sid} {service.state}, and it does not run after {STARTED_WITHIN:.0f} s")
            await look_again(paced(POLL, self._speed), f"HA calls {sid} {service.state}")

    # --- what it stands on -------------------------------------------------------------------------------------

    async def _view(self) -> HaView:
        return ha_view((await self._clients.threaded(lambda: told_by_quorum(self._clients.api)))[1])

    async def _state(self, sid: str) -> tuple[Service, str]:
        view, requests = await self._view(), await self._requests()
        if sid not in view.services or sid not in requests:
            raise Conflict(f"{sid} is not under HA any more")
        return view.services[sid], requests[sid]

    async def _requests(self) -> dict[str, str]:
        rows = await self._clients.get("cluster/ha/resources")
        return {str(row["sid"]): str(row.get("state") or "started") for row in rows}

    async def _listed(self) -> dict[str, GuestRow]:
        return {row.sid: row for row in parse_guests(await self._clients.get("cluster/resources"))}

    def _all_listed(self) -> dict[str, GuestRow]:
        """The same, with none left out."""
        return {row.sid: row for row in all_guests(self._clients.api)}

    async def _runs(self, sid: str, node: str) -> bool:
        guest = GuestId.of(sid)
        current: Any = await self._clients.get(f"{guest.path(node)}/status/current", node)
        return guest.runs(current)

    async def _volumes(self, nodes: tuple[str, ...], vg: str, view: HaView) -> tuple[Held, dict[str, str]]:
        """Who holds what, on every node; and those that do not tell.

        HA's word for a node that is out of the cluster (``unknown``) says nothing of whether it runs: one that is
        silent holds nothing only where it is off, or has no way to a copy that serves.
        """
        held, silent = await volumes_told(self._clients.ssh, nodes, vg, limit=LVS_LIMIT)
        out = [node for node in silent if view.nodes.get(node) in GONE]
        harmless = cannot_write(await self._looks(out), out, self._inventory) if out else ()
        return held, {node: why for node, why in silent.items() if node not in harmless}


def _may_be_stopped(wish: ReviveWish) -> bool:
    """People have waived that it runs."""
    return wish.approval is not None and any(one.name == veto_of(wish.sid) for one in wish.approval.terms.vetoes)


def _begun_before(wish: ReviveWish) -> bool:
    """An earlier attempt of this very step has begun the change: what is otherwise now is its work."""
    made = attempt.made if (attempt := CURRENT.get()) is not None else wish.earlier.made
    return wish.intent in (*made.changes, *made.doubtful, *wish.earlier.kept)


def _doubt(
    sid: str,
    service: Service,
    view: HaView,
    row: GuestRow | None,
    held: Held,
    silent: Mapping[str, str],
    *,
    stopped: bool = False,
) -> str:
    """Why it is not proven that a start would be the only one; empty when it is. `stopped`: it may run nowhere."""
    if row is None:
        return "the cluster lists no guest of that number"
    if (state := view.nodes.get(service.node, "unknown")) != "online":
        return f"HA calls its node {service.node} {state}: it starts nothing there"
    if fencing := sorted(node for node, word in view.nodes.items() if word == "fence"):
        return f"HA fences {', '.join(fencing)}: wait until that is done"
    if silent:
        nodes = ", ".join(sorted(silent))
        return f"{nodes} {'does' if len(silent) == 1 else 'do'} not report which volumes are open there"
    found = holders(held, GuestId.of(sid).owns)
    if found.unknown:
        return f"whether its volume is open on {', '.join(found.unknown)} is not known"
    allowed = () if stopped or not row.alive else (service.node,)
    if beside := [node for node in found.open if node not in allowed]:
        return f"its volume is open on {', '.join(beside)}: find out what holds it there"
    return ""
