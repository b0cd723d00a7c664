"""Nodes into maintenance and out of it, by HA's own commands; proof that a site is empty, and that nobody fences it.

HA moves the guests live. Nothing here stops a guest or switches a machine off: that is a person's hand.
"""

import time
from typing import TYPE_CHECKING, Any

from temporalio.exceptions import ApplicationError

from activities.attempt import Changes, look_again, paced
from activities.clients.proxmox_answers import refused
from activities.errors import NotYet, Refuted, Unreachable
from activities.ha.manager import ha_view, is_elsewhere, told_by_quorum
from activities.proxmox.rights import all_guests
from activities.serving import serves
from cluster.approval import Approval
from cluster.contracts import ha
from cluster.contracts.ha import ViewFinding
from cluster.evacuation import MaintenanceFinding, MaintenanceWish, MasterWish, SiteNodes, master_away
from cluster.guests import GuestRow
from cluster.plan import Finding, Intent, Mark
from cluster.recovery import HaView
from cluster.units import counted, shortly

if TYPE_CHECKING:
    from activities.clients.quick import Clients
    from activities.people.approvals import Approvals

# Seconds of the cluster's time. LRM and master take up to 25 s to see a request (reference: pve-ha §11).
POLL, SEEN_WITHIN, MASTER_WITHIN = 1.0, 60.0, 90.0
# Which node takes the lock of a master that steps down is chance: after eight times it is one of the other site in 99
# of 100 cases, also where as many nodes stand here.
TRIES = 8


class Maintenance:
    """Activities for planned work. `speed` is how much faster than the wall a rehearsal's time runs."""

    def __init__(self, clients: "Clients", approvals: "Approvals", speed: float = 1.0) -> None:
        self._clients, self._approvals, self._speed = clients, approvals, speed

    @serves(ha.view)
    async def view(self, at: SiteNodes) -> ViewFinding:
        """HA's master and the states of all nodes. Reads only."""
        node, told = await self._quorate(at.others)
        view = ha_view(told)
        status = await self._clients.get("cluster/ha/status/current", node)
        word = next((str(one["status"]) for one in status if one["type"] == "master"), "not known")
        said = f"HA's master is {word}, as {node} reports, which is quorate"
        return ViewFinding(finding=said, master=view.master, states=view.nodes)

    @serves(ha.move_master)
    async def move_master(self, wish: MasterWish) -> Finding:
        """The master's CRM is stopped in good order and started again, until a node of the other site leads.

        Where none takes it in three tries it is told: HA then needs two to three minutes for a new one if the site
        goes dark, instead of none.
        """
        ledger = Changes(wish.mode)
        master = (await self._view(wish.at.others)).master
        for _ in range(TRIES):
            if master not in wish.at.nodes:
                break
            await self._may(wish.approval, master_away(wish.at.site))
            if not ledger.due(master_away(wish.at.site)):
                return Finding(finding=f"{master} leads now", changes=ledger.changes)
            await self._clients.ssh.read(master, "systemctl", "restart", "pve-ha-crm", limit=30.0)
            master = await self._other_master(wish.at, master)
        away = "" if master not in wish.at.nodes else ", and no node of the other site took it"
        mark: Mark = "warned" if away else "done"
        return Finding(finding=f"{master} leads{away}", mark=mark, changed=ledger.changed, changes=ledger.changes)

    async def _other_master(self, at: SiteNodes, before: str) -> str:
        until = time.monotonic() + MASTER_WITHIN / self._speed
        began = (await self._manager(at.others)).get("timestamp", 0)
        while time.monotonic() < until:
            manager = await self._manager(at.others)
            master = str(manager.get("master_node") or "")
            if master and (master != before or manager.get("timestamp", 0) > began + 15):
                return master
            await look_again(paced(POLL, self._speed), "waiting for a new master")
        return before

    @serves(ha.maintenance)
    async def maintenance(self, wish: MaintenanceWish) -> MaintenanceFinding:
        """The node is in maintenance and HA has nothing there; or it may take guests again."""
        ledger = Changes(wish.mode)
        if ledger.applying:
            await self._may(wish.approval, wish.intent)
        view = await self._view(wish.via)
        before = {
            sid: one.node for sid, one in view.services.items() if one.node == wish.node and one.state != "stopped"
        }
        differs = (view.nodes.get(wish.node) == "maintenance") != wish.on
        if differs and ledger.due(wish.intent):
            await self._request(wish)
        if ledger.only_planned:
            return MaintenanceFinding(finding="planned", changes=ledger.changes)
        view = await self._settled(wish)
        moved = {sid: view.services[sid].node for sid in before if sid in view.services}
        went = ", ".join(f"{sid} to {node}" for sid, node in moved.items() if node != wish.node)
        said = f"in maintenance, {went or 'no guest ran there'}" if wish.on else "takes guests again"
        return MaintenanceFinding(finding=said, changed=ledger.changed, changes=ledger.changes, moved=moved)

    async def _request(self, wish: MaintenanceWish) -> None:
        """File it with the first node that can take it now: filed twice it is the same.

        A node without quorum, or whose cluster file system is gone, refuses what the next one takes.
        """
        word = "enable" if wish.on else "disable"
        command = ("ha-manager", "crm-command", "node-maintenance", word, wish.node)
        said: list[str] = []
        for node in wish.via:
            try:
                answer = await self._clients.ssh.run(node, *command, limit=30.0)
            except ApplicationError as error:
                if not is_elsewhere(error):
                    raise
                said.append(error.message)
                continue
            if answer.ok:
                return
            if not is_elsewhere(refused(answer.stderr or answer.stdout)):
                answer.or_rejected()
            said.append(f"{node}: {(answer.stderr or answer.stdout).strip()[-200:]}")
        raise Unreachable(f"no node takes the request for {wish.node}: {'; '.join(said)}")

    async def _settled(self, wish: MaintenanceWish) -> HaView:
        """Wait until HA has done it. While guests move it waits as long as the step may take."""
        until = time.monotonic() + SEEN_WITHIN / self._speed
        while True:
            view = await self._view(wish.via)
            state = view.nodes.get(wish.node, "unknown")
            held = {sid: one for sid, one in view.services.items() if one.node == wish.node and one.state != "stopped"}
            there = [f"{sid} ({one.state})" for sid, one in held.items() if one.state != "error"]
            stuck = [f"{sid} is in {one.state}" for sid, one in held.items() if one.state in ("fence", "recovery")]
            if wish.on and stuck:
                raise Refuted(f"{', '.join(stuck)} on {wish.node}: HA does not move a guest in this state")
            if wish.on and state == "maintenance" and not there:
                return view
            if not wish.on and state == "online":
                return view
            if state != ("maintenance" if wish.on else "online") and time.monotonic() > until:
                raise Refuted(f"{wish.node} is {state} to HA {SEEN_WITHIN:.0f} s after the request")
            left = f", HA still has {shortly(there)} there" if there and wish.on else ""
            await look_again(paced(POLL, self._speed), f"{wish.node} is {state} to HA{left}")

    @serves(ha.empty)
    async def empty(self, at: SiteNodes) -> Finding:
        """Nothing runs at the site and all its nodes are in maintenance: it may go dark without being fenced.

        An LRM's status line says *watchdog active* for as long as it is in maintenance, empty or not, and proves
        nothing (reference: pve-ha §12); `dark` sees to it that HA fences nobody.
        """
        view = await self._view(at.others)
        there = {sid: service for sid, service in view.services.items() if service.node in at.nodes}
        if left := sorted(sid for sid, service in there.items() if service.state not in ("stopped", "error")):
            raise NotYet(f"HA still has {', '.join(left)} at {at.site}")
        listed = await self._clients.threaded(lambda: self._listed(at.others))
        here = [row for row in listed if row.node in at.nodes]
        if running := [f"{row.sid} on {row.node} is {row.status}" for row in here if row.alive]:
            raise Refuted(f"{', '.join(running)} and would go down with the site: stop or move it by hand")
        if unknown := [f"{row.sid} on {row.node}" for row in here if row.unknown]:
            raise Refuted(f"whether {', '.join(unknown)} runs is not known: look at the node itself")
        if awake := [node for node in at.nodes if view.nodes.get(node) != "maintenance"]:
            raise Refuted(f"{', '.join(awake)} is not in maintenance: HA would fence it")
        stopped = f"; stopped there and left so: {', '.join(sorted(there))}" if there else ""
        resting = f"{counted(len(at.nodes), 'node')} in maintenance"
        return Finding(finding=f"{resting}, no guest runs there: HA has nothing to fence for{stopped}")

    # --- what it stands on -------------------------------------------------------------------------------------

    def _listed(self, via: tuple[str, ...]) -> tuple[GuestRow, ...]:
        """Every guest of the cluster, by the word of a quorate node."""
        api = self._clients.api
        node, _ = told_by_quorum(api, via)
        return all_guests(api, node)

    async def _may(self, approval: Approval | None, intent: Intent) -> None:
        await self._approvals.licence(approval, intent)

    async def _view(self, via: tuple[str, ...]) -> HaView:
        return ha_view(await self._told(via))

    async def _manager(self, via: tuple[str, ...]) -> dict[str, Any]:
        return (await self._told(via)).get("manager_status") or {}

    async def _told(self, via: tuple[str, ...]) -> dict[str, Any]:
        """HA's state by the first node that answers and is quorate: what another part tells may be of yesterday."""
        return (await self._quorate(via))[1]

    async def quorate(self, via: tuple[str, ...]) -> tuple[str, HaView]:
        """The first of these nodes that answers and is quorate, and HA's state as it tells it."""
        node, found = await self._quorate(via)
        return node, ha_view(found)

    async def _quorate(self, via: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
        api = self._clients.api
        return await self._clients.threaded(lambda: told_by_quorum(api, via))
