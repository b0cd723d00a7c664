"""Where guests run and may run, read from the cluster; and why one is not back. All reads."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from temporalio.exceptions import ApplicationError

from activities.ha.manager import ha_view, told_by_quorum
from activities.ha.switches import switched_on
from activities.parsing.guests import parse_guests
from activities.proxmox.rights import seeing_all_guests
from activities.serving import serves
from cluster.causes import CausesFinding, CausesWish, Circumstances, cause
from cluster.contracts import ha
from cluster.guests import GuestId, GuestRow
from cluster.placement import Guest, Placement, PlacementWish, Rule

if TYPE_CHECKING:
    from activities.clients.proxmox import PveApi
    from activities.clients.quick import Clients


class Placements:
    """Activities on where guests are. `api` has time; the others give up early."""

    def __init__(self, api: "PveApi", quick: "Clients") -> None:
        self._api, self._quick = api, quick

    @serves(ha.placement, no_thread_cancel_exception=True)
    def placement(self, wish: PlacementWish) -> Placement:
        """Where everything is: services, guests, rules, memory, and what would move guests by itself.

        Unauthorized where a missing right may hide guests: nodes would be planned as empty or with room.
        """
        node, told = told_by_quorum(self._api)
        with seeing_all_guests(self._api, node):
            found = _placement(self._api, node, told)
        ours = {sid: service.node for sid, service in found.services.items() if not wish.guests or sid in wish.guests}
        where = ", ".join(f"{sid} on {node}" for sid, node in sorted(ours.items())[:6])
        said = where or "no guest that is asked for is under HA"
        return found.model_copy(update={"finding": said, "switches": switched_on(self._api)})

    @serves(ha.causes)
    async def causes(self, wish: CausesWish) -> CausesFinding:
        """What keeps each guest away. A source that fails is named and concludes nothing; it never fails the step."""
        unread: list[str] = []
        api = self._quick.api

        async def tried(what: str, read: Callable[[], Any], otherwise: Any) -> Any:
            try:
                return await self._quick.threaded(read)
            except ApplicationError:
                unread.append(what)
                return otherwise

        empty = Placement(finding="", services={}, guests={})
        placement = await tried("where guests are", lambda: _placement(api, *told_by_quorum(api)), empty)
        states = await tried("HA's nodes", lambda: ha_view(told_by_quorum(api)[1]).nodes, {})
        listed = await tried("locks", lambda: parse_guests(api.get("cluster/resources", type="vm")), ())
        locks = {row.sid: row.lock for row in listed}
        looks = [
            tried(f"the storage of {node}", _storage(api, node, (wish.storage, *wish.more)), None)
            for node in wish.survivors
        ]
        active = dict(zip(wish.survivors, await asyncio.gather(*looks), strict=True))
        causes = {}
        for sid in wish.guests:
            service = placement.services.get(sid)
            failed = ""
            if service is not None and service.state == "error":
                failed = await tried(f"tasks of {service.node}", _failed(api, service.node, sid), "")
            found = Circumstances(
                states=states,
                placement=placement,
                storage={node: bool(yes) for node, yes in active.items() if yes is not None},
                lock=locks.get(sid, ""),
                failed=failed,
                unread=tuple(unread),
            )
            causes[sid] = cause(sid, wish.survivors, found)
        said = "; ".join(f"{sid} {why}" for sid, why in causes.items())
        return CausesFinding(finding=said or "every guest is back", causes=causes)


def _placement(api: "PveApi", node: str, told: dict[str, Any]) -> Placement:
    view = ha_view(told)
    # of the same node: another one may be without quorum, and list guests and nodes as they were
    resources = api.get("cluster/resources", node=node)
    guests = parse_guests(resources)  # refuses what is no list of rows
    sizes = {one["node"]: int(one.get("maxmem") or 0) for one in resources if one["type"] == "node" and one.get("node")}
    return Placement(
        finding="",
        services=view.services,
        guests={row.sid: _guest(row) for row in guests},
        rules=tuple(_rule(entry) for entry in api.get("cluster/ha/rules", node=node) if not entry.get("disable")),
        nodes={node: memory for node, memory in sizes.items() if view.nodes.get(node) == "online"},
        resting={node: memory for node, memory in sizes.items() if view.nodes.get(node) == "maintenance"},
    )


def _storage(api: "PveApi", node: str, storages: tuple[str, ...]) -> Callable[[], bool]:
    def one(storage: str) -> bool:
        entries = api.get(f"nodes/{node}/storage", node=node, storage=storage)
        return any(entry["storage"] == storage and entry.get("active") for entry in entries)

    def active() -> bool:
        return all(map(one, storages))

    return active


def _failed(api: "PveApi", node: str, sid: str) -> Callable[[], str]:
    def last() -> str:
        tasks = api.get(f"nodes/{node}/tasks", node=node, errors=1, vmid=GuestId.of(sid).vmid, limit=1)
        return f"{tasks[0].get('status', '')}"[:200] if tasks else ""

    return last


def _guest(row: GuestRow) -> Guest:
    return Guest(node=row.node, name=row.name, memory=row.memory, running=row.alive, unknown=row.unknown)


def _rule(entry: dict[str, Any]) -> Rule:
    nodes = [word.partition(":")[0] for word in str(entry.get("nodes") or "").replace(",", " ").split()]
    return Rule(
        name=entry["rule"],
        type=entry["type"],
        resources=tuple(str(entry.get("resources") or "").replace(",", " ").split()),
        nodes=tuple(nodes),
        strict=bool(entry.get("strict")),
        negative=entry.get("affinity") == "negative",
    )
