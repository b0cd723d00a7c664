"""Guests: cloned once, set, started, each on its node; tasks followed to their real end.

A guest that HA manages is HA's: it is looked at and left alone.
"""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from activities.attempt import Changes, is_first, look_again_in
from activities.errors import Conflict, NotFound, Refuted
from activities.serving import serves
from cluster.contracts import proxmox
from cluster.contracts.proxmox import GuestFinding, GuestWish
from cluster.plan import Ledger, Mode
from cluster.units import counted, size

if TYPE_CHECKING:
    from activities.clients.proxmox import PveApi

POLL = timedelta(milliseconds=500)
MIB = 2**20


class Guests:
    """Activities on guests."""

    def __init__(self, api: "PveApi") -> None:
        self._api = api

    @serves(proxmox.ensure_guest, no_thread_cancel_exception=True)
    def ensure_guest(self, wish: GuestWish) -> GuestFinding:
        """The guest exists on the shared storage with the wished size, and runs.

        Conflict when the id belongs to a guest of another name.
        """
        ledger = Changes(wish.mode)
        self._after_earlier_attempts(wish, self._resource(wish.vmid))
        guest = self._resource(wish.vmid)
        if guest is not None and guest.get("lock") == "clone":
            raise Conflict(self._half_made(wish, str(guest["node"])))
        if guest is not None and guest.get("name") != wish.name:
            raise Conflict(
                f"vmid {wish.vmid} belongs to the guest {guest.get('name')!r} on {guest['node']}; "
                f"the inventory says {wish.name!r}: choose another guests.vmid"
            )
        if guest is None:
            self._clone(ledger, wish)
            guest = self._resource(wish.vmid) if ledger.applying else None
        if guest is None:
            return GuestFinding(finding="planned", changes=(*ledger.changes, *self._rest_of_plan(wish)))
        node = str(guest["node"])
        current = self._api.get(f"nodes/{node}/qemu/{wish.vmid}/status/current")
        if not (current.get("ha") or {}).get("managed"):
            self._set(ledger, wish, node)
            if current["status"] != "running" and ledger.intend(node, "start guest", _who(wish), verb="start"):
                self._follow(node, self._api.post(f"nodes/{node}/qemu/{wish.vmid}/status/start"))
        if ledger.only_planned:
            return GuestFinding(
                finding=f"{counted(len(ledger.changes), 'change')} planned", changes=ledger.changes, node=node
            )
        return self._running(wish, node, ledger)

    @serves(proxmox.guest_state, no_thread_cancel_exception=True)
    def guest_state(self, wish: GuestWish) -> GuestFinding:
        """Where the guest runs; Refuted when it does not. Reads only."""
        guest = self._resource(wish.vmid)
        if guest is None:
            raise Refuted(f"guest {_who(wish)} does not exist")
        return self._running(wish, str(guest["node"]), Ledger(Mode.PLAN))

    def _running(self, wish: GuestWish, node: str, ledger: Ledger) -> GuestFinding:
        """The node's own word; a paused guest also says ``running``, so QEMU's state counts too."""
        current = self._api.get(f"nodes/{node}/qemu/{wish.vmid}/status/current")
        if (current.get("status"), current.get("qmpstatus", "running")) != ("running", "running"):
            raise Refuted(
                f"guest {_who(wish)} on {node} is {current.get('status')}, QEMU says {current.get('qmpstatus')}"
            )
        home = "" if node == wish.node else f" (placed on {wish.node} at first)"
        return GuestFinding(finding=f"runs on {node}{home}", changed=ledger.changed, changes=ledger.changes, node=node)

    def _resource(self, vmid: int) -> dict[str, Any] | None:
        entries = self._api.get("cluster/resources", type="vm")
        return next((entry for entry in entries if entry.get("vmid") == vmid), None)

    def _after_earlier_attempts(self, wish: GuestWish, guest: dict[str, Any] | None) -> None:
        """A clone or start may be under way although its answer was lost: wait for it before judging.

        The log of running tasks names the source of a clone and not the new guest, so any clone of that source is
        waited for, but only when there was an earlier attempt or the guest is locked by its clone: guests are cloned
        side by side.
        """
        if is_first() and not (guest or {}).get("lock"):
            return
        template = self._resource(wish.template)
        places = {str(template["node"]) if template else wish.node, wish.node}
        for node in places:
            for task in self._api.get(f"nodes/{node}/tasks", source="active"):
                if (task["type"], str(task["id"])) in (
                    ("qmclone", str(wish.template)),
                    ("qmconfig", str(wish.vmid)),
                    ("qmstart", str(wish.vmid)),
                ):
                    self._ended(node, task["upid"])

    def _half_made(self, wish: GuestWish, node: str) -> str:
        """A clone that has died leaves a guest that is locked by it and has no name: whose it is, and what to do.

        Only a person may remove it. The tasks of a clone are the template's; their logs name the new volumes.
        """
        template = self._resource(wish.template)
        places = dict.fromkeys((str(template["node"]) if template else wish.node, wish.node))
        remove = f"remove what it has left on {node} (qm unlock {wish.vmid}, qm destroy {wish.vmid}), then answer retry"
        for place in places:
            tasks = self._api.get(f"nodes/{place}/tasks", typefilter="qmclone", vmid=wish.template, limit=20)
            for task in tasks:
                if task.get("status") != "OK" and self._names(place, str(task["upid"]), wish.vmid):
                    ended = task.get("status") or "it has not ended"
                    return f"vmid {wish.vmid} is an unfinished clone of {wish.template} ({ended}): {remove}"
        return (
            f"vmid {wish.vmid} on {node} is locked by a clone that has not ended, and no task of {wish.template} "
            f"explains the lock: find out whose it is; {remove}, or choose another guests.vmid"
        )

    def _names(self, node: str, upid: str, vmid: int) -> bool:
        """The task's log tells of the new guest's volumes."""
        lines = self._api.get(f"nodes/{node}/tasks/{upid}/log", limit=200)
        return any(f"vm-{vmid}-" in str(line.get("t")) for line in lines)

    def _clone(self, ledger: Ledger, wish: GuestWish) -> None:
        template = self._resource(wish.template)
        if template is None:
            raise NotFound(f"guest {_who(wish)}: its template {wish.template} does not exist in the cluster")
        source = template["node"]
        if ledger.intend(
            wish.node, "clone guest", _who(wish), f"from {wish.template}, on {wish.storage}", verb="create"
        ):
            upid = self._api.post(
                f"nodes/{source}/qemu/{wish.template}/clone",
                newid=wish.vmid,
                name=wish.name,
                full=1,
                storage=wish.storage,
                target=wish.node,
            )
            self._follow(source, upid)

    def _rest_of_plan(self, wish: GuestWish) -> tuple[Any, ...]:
        """What would follow the clone; its configuration is the template's until then."""
        ledger = Ledger(Mode.PLAN)
        ledger.intend(wish.node, "configure guest", _who(wish), _size(wish), verb="set")
        ledger.intend(wish.node, "start guest", _who(wish), verb="start")
        return ledger.changes

    def _set(self, ledger: Ledger, wish: GuestWish, node: str) -> None:
        config = self._api.get(f"nodes/{node}/qemu/{wish.vmid}/config")
        due: dict[str, Any] = {}
        if int(config.get("cores", 1)) != wish.cores:
            due["cores"] = wish.cores
        if int(config.get("memory", 512)) != wish.memory // MIB:
            due["memory"] = wish.memory // MIB
        if "net0" in config:
            due["delete"] = "net0"
        if due and ledger.intend(node, "configure guest", _who(wish), _size(wish), verb="set"):
            self._api.put(f"nodes/{node}/qemu/{wish.vmid}/config", **due)

    def _follow(self, node: str, upid: str) -> None:
        """Wait for a task of ours; Refuted with the task's own words when it ended badly."""
        status = self._ended(node, upid)
        said = str(status.get("exitstatus", ""))
        if said != "OK" and not said.startswith("WARNINGS"):
            raise Refuted(f"{node}: task {status.get('type')} {status.get('id')} ended with: {said}")

    def _ended(self, node: str, upid: str) -> dict[str, Any]:
        while True:
            status: dict[str, Any] = self._api.get(f"nodes/{node}/tasks/{upid}/status")
            if status["status"] == "stopped":
                return status
            look_again_in(POLL, f"{status['type']} runs")


def _size(wish: GuestWish) -> str:
    return f"{wish.cores} {'core' if wish.cores == 1 else 'cores'}, {size(wish.memory)}, no network"


def _who(wish: GuestWish) -> str:
    return f"{wish.vmid} {wish.name}"
