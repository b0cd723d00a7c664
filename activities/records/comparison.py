"""What the ledger does by itself: it looks how things stand, and turns on what may be turned on."""

import asyncio
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from temporalio import activity
from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.attempt import Changes
from activities.errors import Unreachable
from activities.ha.manager import told_by_quorum
from activities.ha.switches import Switchboard
from activities.records.interlock import Interlock
from activities.serving import serves
from cluster.contracts import records
from cluster.ledger import Book, Placed, RunRef, World, key_text, may_restore
from cluster.ledger_calls import LookWish, RestoreFinding, RestoreWish
from cluster.plan import Mode
from cluster.together import UNSEEN, rule
from cluster.units import counted

if TYPE_CHECKING:
    from activities.clients.proxmox import PveApi


# A switch that goes back may move guests, as this runbook does: what holds one holds the other.
MOVES = "Failback"
# Seconds for which one reading of the world serves the switches that are turned on one after the other.
FRESH = 2.0


class Comparison:
    """Activities of the ledger's workflow. One worker serves one cluster."""

    def __init__(self, api: "PveApi", interlock: Interlock) -> None:
        self._api, self._interlock = api, interlock

    @serves(records.compare)
    async def look(self, wish: LookWish) -> World:
        """Which runs are over, which incidents are open, who runs where, how the switches are. Reads only."""
        world = await self._world(wish.book)
        if wish.must and world.silent:
            raise Unreachable(f"the state of the cluster is not known: {world.silent}")
        return world

    @serves(records.restore)
    async def restore(self, wish: RestoreWish) -> RestoreFinding:
        """Turn on what may be turned on, judged once more on how things stand right before; each by itself."""
        board, ledger = Switchboard(self._api), Changes(Mode.APPLY)
        settled: dict[str, str] = {}
        held: dict[str, str] = {}
        read, world = time.monotonic(), await self._world(wish.book)
        for entry in wish.book.switches:
            key = key_text(*entry.key)
            if key not in wish.keys:
                continue
            if time.monotonic() - read > FRESH:  # a loss may have begun meanwhile
                read, world = time.monotonic(), await self._world(wish.book)
            if why := may_restore(entry, wish.book, world):
                held[key] = why
            elif key not in world.values:
                settled[key] = "does not exist any more"
            elif world.values[key] == entry.switch.old:
                settled[key] = "is as it was"
            else:
                try:
                    outcome = await board.turn(entry.switch, entry.switch.old, ledger)
                except ApplicationError as error:
                    held[key] = error.message
                else:
                    (settled if outcome.state in ("switched", "already", "gone") else held)[key] = outcome.text
        said = f"{counted(len(settled), 'switch', 'switches')} settled, {len(held)} held back"
        return RestoreFinding(finding=said, changed=ledger.changed, changes=ledger.changes, settled=settled, held=held)

    async def _world(self, book: Book) -> World:
        client = activity.client()
        ended = [run.run_id for run in book.runs if await is_over(client, run)]
        silent: list[str] = []
        incidents: dict[str, str] = {}
        facts: dict[str, Any] = {}
        try:
            incidents = await self._incidents(client)
        except Unreachable as error:
            silent.append(error.message)
        try:
            facts = await asyncio.to_thread(_facts, self._api)
        except ApplicationError as error:
            silent.append(error.message)
        return World(
            finding="; ".join(silent) or f"{len(facts.get('services', ()))} HA services",
            at=datetime.now(UTC),
            ended=tuple(ended),
            incidents=incidents,
            silent="; ".join(silent),
            **facts,
        )

    async def _incidents(self, client: Client) -> dict[str, str]:
        """What would hold a run that moves guests: one guest that HA has given up holds nothing else back."""
        found = await self._interlock.open_incidents(client)
        if blind := [str(one) for one in found if one.kind == UNSEEN]:
            raise Unreachable("; ".join(blind))
        standing = [one for one in found if rule(MOVES, one).may != "lives"]
        return {one.run or f"an incident (the watch sees {', '.join(one.about)})": one.run_id for one in standing}


async def is_over(client: Client, run: RunRef) -> bool:
    """That execution has ended, however; one that continues as new, or that a person has reset, is at work still."""
    try:
        found = await client.get_workflow_handle(run.run, run_id=run.run_id).describe()
        if found.status == WorkflowExecutionStatus.RUNNING:
            return False
        now = await client.get_workflow_handle(run.run).describe()
    except RPCError as error:
        return error.status == RPCStatusCode.NOT_FOUND  # gone with its retention; any other silence proves nothing
    return now.status != WorkflowExecutionStatus.RUNNING or _first(now) != _first(found)


def _first(found: WorkflowExecutionDescription) -> str:
    """The execution with which its chain began."""
    return found.raw_description.workflow_execution_info.first_run_id or found.run_id or ""


def _facts(api: "PveApi") -> dict[str, Any]:
    """HA's services, nodes and rules, and every switch."""
    node, told = told_by_quorum(api)
    manager = told.get("manager_status") or {}
    resources = [entry["sid"] for entry in api.get("cluster/ha/resources", node=node)]
    values = {key_text(*key): value for key, value in Switchboard(api).values().items()}
    services = {
        sid: Placed(state=one["state"], node=one["node"], origin=str(one.get("maintenance_node") or ""))
        for sid, one in (manager.get("service_status") or {}).items()
    }
    return {
        "values": values,
        "services": services,
        "managed": tuple(resources),
        "nodes": manager.get("node_status") or {},
        "preferred": _preferred(api.get("cluster/ha/rules", node=node)),
    }


def _preferred(rules: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """The nodes that a node-affinity rule names for each guest, with their priorities."""
    found: dict[str, dict[str, int]] = {}
    for one in rules:
        if one.get("type") != "node-affinity" or one.get("disable"):
            continue
        named = [part.partition(":") for part in str(one.get("nodes") or "").split(",") if part]
        nodes = {name.strip(): int(weight or 0) for name, _, weight in named}
        found |= {sid.strip(): nodes for sid in str(one.get("resources") or "").split(",") if sid.strip()}
    return found
