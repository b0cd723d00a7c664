"""What Quorate asks of the Proxmox VE API: the cluster's state, shared storage and HA.

Guests are in `activities.proxmox.guests`. HA fences, places and restarts; it is told what to keep, nothing more.
"""

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from temporalio import activity

from activities.attempt import Changes, look_again_in
from activities.clients import shown
from activities.errors import Conflict, NotYet, Refuted, Unauthorized
from activities.proxmox import placing
from activities.proxmox.rights import GRANT, rights_at
from activities.serving import serves
from cluster import rings
from cluster.alignment import against
from cluster.contracts import proxmox
from cluster.contracts.proxmox import ClusterCheck, HaFinding, HaWish, StorageFinding, StorageWish
from cluster.doctor import versions
from cluster.plan import Finding, Ledger, Mode, once_reached
from cluster.units import counted, size

if TYPE_CHECKING:
    from activities.clients.proxmox import PveApi

POLL = timedelta(seconds=1)


class Proxmox:
    """Activities on the cluster."""

    def __init__(self, api: "PveApi") -> None:
        self._api = api

    @serves(proxmox.preflight, no_thread_cancel_exception=True)
    def preflight(self, check: ClusterCheck) -> Finding:
        """The API answers, the token may do what the runbook will do, and every node is online in a quorate cluster."""
        version = str(self._api.get("version")["version"])
        if (judged := versions.pve("cluster", version)).state == "wrong":
            raise Refuted(f"{judged.evidence}; {judged.remedy}")
        lacks = [
            f"{privilege} at {path}"
            for path, wanted in check.privileges.items()
            for privilege in sorted(set(wanted) - set(rights_at(self._api, path)))
        ]
        if lacks:
            raise Unauthorized(f"the token lacks {', '.join(lacks)}; {GRANT}")
        entries = self._api.get("cluster/status")
        cluster = next((entry for entry in entries if entry["type"] == "cluster"), None)
        if cluster is None or cluster["name"] != check.name:
            called = repr(cluster["name"]) if cluster else "no cluster at all"
            raise Refuted(f"the nodes say they are {called}, the inventory says {check.name!r}; correct name")
        online = {entry["name"]: bool(entry.get("online")) for entry in entries if entry["type"] == "node"}
        if differing := set(online) ^ set(check.nodes):
            raise Refuted(f"cluster and inventory differ in the nodes {', '.join(sorted(differing))}; correct sites")
        if offline := [name for name, is_online in online.items() if not is_online]:
            raise Refuted(f"{', '.join(offline)} offline; all nodes must be online to build the cluster")
        if not cluster.get("quorate"):
            raise Refuted(f"cluster {check.name} is not quorate")
        ids = {entry["name"]: int(entry["nodeid"]) for entry in entries if entry["type"] == "node"}
        if check.prefers and (why := against(check.prefers, check.sites, ids)):
            raise Refuted(why)
        if check.links and (wrong := rings.against(check.links, rings.told(self._api.get("cluster/config/nodes")))):
            raise Refuted("; ".join(wrong))
        ends = shown.ends_soon(*self._api.trusts)
        said = f"Proxmox VE {version}, quorate, {counted(len(online), 'node')} online, privileges complete"
        return Finding(finding="; ".join((said, *ends)), mark="warned" if ends else "done")

    @serves(proxmox.ensure_storage, no_thread_cancel_exception=True)
    def ensure_storage(self, wish: StorageWish) -> StorageFinding:
        """The storage is defined once, shared, and active on every node.

        Proxmox VE accepts a storage whose volume group is missing, so only the nodes' own word counts.
        """
        ledger = Changes(wish.mode)
        defined = {entry["storage"]: entry for entry in self._api.get("storage")}
        existing = defined.get(wish.storage)
        if existing is None:
            alone = f", for {', '.join(wish.nodes)} alone" if wish.only_there else ""
            told = f"shared lvm on {wish.vg}{alone}"
            if ledger.intend("cluster", "add storage", wish.storage, told, verb="add"):
                kept = {"nodes": ",".join(wish.nodes)} if wish.only_there else {}
                self._api.post(
                    "storage",
                    storage=wish.storage,
                    type="lvm",
                    vgname=wish.vg,
                    shared=1,
                    content="images,rootdir",
                    **kept,
                )
        elif (existing.get("type"), existing.get("vgname"), bool(existing.get("shared"))) != ("lvm", wish.vg, True):
            raise Conflict(
                f"storage {wish.storage} is {existing.get('type')} on {existing.get('vgname')}, "
                f"shared {existing.get('shared', 0)}; "
                f"the inventory says shared lvm on {wish.vg}: choose another storage.id"
            )
        elif wish.only_there and (wrong := placing.open_elsewhere(existing, wish)):
            raise Conflict(wrong)
        if ledger.only_planned:
            return StorageFinding(finding="planned", changes=ledger.changes)
        inactive = [node for node in wish.nodes if not self._active(node, wish.storage)]
        if due := [node for node in inactive if node not in wish.awaiting]:
            raise NotYet(f"storage {wish.storage} is not active on {', '.join(due)}")
        active = len(wish.nodes) - len(inactive)
        return StorageFinding(
            finding=f"{wish.storage} active on {counted(active, 'node')}{once_reached(inactive, 'on')}",
            changed=ledger.changed,
            changes=ledger.changes,
            active=active,
        )

    def _active(self, node: str, storage: str) -> bool:
        entries = self._api.get(f"nodes/{node}/storage", storage=storage)
        return any(entry["storage"] == storage and entry.get("active") for entry in entries)

    @serves(proxmox.ensure_ha, no_thread_cancel_exception=True)
    def ensure_ha(self, wish: HaWish) -> HaFinding:
        """The guests are HA resources, requested and really started; HA is armed and every LRM is well."""
        ledger = Changes(wish.mode)
        existing = {entry["sid"]: entry for entry in self._api.get("cluster/ha/resources")}
        for vmid in wish.guests:
            self._register(ledger, wish, f"vm:{vmid}", existing.get(f"vm:{vmid}"))
        if wish.kept_to and wish.guests:
            placing.keep_to_sites(self._api, ledger, wish)
        if ledger.only_planned:
            return HaFinding(finding=f"{counted(len(ledger.changes), 'change')} planned", changes=ledger.changes)
        # counted from the schedule: a second attempt must not wait all over again
        deadline = time.time() + (wish.within - _since_scheduled()).total_seconds()
        while lacking := _lacking(status := self._api.get("cluster/ha/status/current"), wish):
            if time.time() > deadline:
                raise Refuted(f"HA after {wish.within.total_seconds():.0f} s: {'; '.join(lacking)}")
            look_again_in(POLL, lacking)
        return _ha(ledger, status, wish)

    def _register(self, ledger: Ledger, wish: HaWish, sid: str, existing: dict[str, Any] | None) -> None:
        settings = {"max_restart": wish.policy.max_restart, "max_relocate": wish.policy.max_relocate}
        settings["failback"] = int(wish.policy.failback)
        if existing is None:
            if ledger.intend("HA", "register", sid, "state started", verb="create"):
                self._api.post("cluster/ha/resources", sid=sid, state="started", **settings)
            return
        if existing.get("state", "started") not in ("started", "enabled"):
            raise Conflict(
                f"{sid} is registered with HA as {existing['state']!r}, by an operator: set it to started by hand"
            )
        due = {name: value for name, value in settings.items() if int(existing.get(name, 1)) != value}
        changes = ", ".join(f"{name} {value}" for name, value in due.items())
        if due and ledger.intend("HA", "set", sid, changes, verb="set"):
            self._api.put(f"cluster/ha/resources/{sid}", **due)

    @serves(proxmox.ha_state, no_thread_cancel_exception=True)
    def ha_state(self, wish: HaWish) -> HaFinding:
        """What HA says now; Refuted when it lacks anything. Reads only."""
        status = self._api.get("cluster/ha/status/current")
        lacking = _lacking(status, wish)
        if wish.kept_to and wish.guests:
            lacking += placing.lacking(self._api, wish)
        if lacking:
            raise Refuted("HA: " + "; ".join(lacking))
        return _ha(Ledger(Mode.PLAN), status, wish)

    @serves(proxmox.storage_state, no_thread_cancel_exception=True)
    def storage_state(self, wish: StorageWish) -> StorageFinding:
        """On which nodes the storage is active. Reads only."""
        active = [node for node in wish.nodes if self._active(node, wish.storage)]
        if inactive := sorted(set(wish.nodes) - set(active)):
            raise Refuted(f"storage {wish.storage} is not active on {', '.join(inactive)}")
        free = self._api.get(f"nodes/{wish.nodes[0]}/storage", storage=wish.storage)[0].get("avail", 0)
        return StorageFinding(
            finding=f"{wish.storage} active on {counted(len(active), 'node')}, {size(free)} free", active=len(active)
        )


def _since_scheduled() -> timedelta:
    return timedelta(seconds=time.time() - activity.info().scheduled_time.timestamp())


def _lacking(status: list[dict[str, Any]], wish: HaWish) -> list[str]:
    """What is not yet as wished, in words."""
    lacking = []
    if not any(entry["type"] == "quorum" and int(entry.get("quorate") or 0) for entry in status):
        lacking.append("no quorum")
    if wish.guests and _armed(status) is False:
        lacking.append("fencing is not armed")
    # An LRM's first word: idle and active are well, anything else (old timestamp - dead?, lost lock) is not.
    well = {entry["node"] for entry in status if entry["type"] == "lrm" and _first_word(entry) in _fine(wish)}
    if sick := [node for node in wish.nodes if node not in well]:
        lacking.append(f"LRM of {', '.join(sick)} is not well")
    services = {entry["sid"]: entry for entry in status if entry["type"] == "service"}
    for vmid in wish.guests:
        state = services.get(f"vm:{vmid}", {}).get("state", "unknown")
        if state != "started":
            lacking.append(f"vm:{vmid} is {state}")
    return lacking


def _armed(status: list[dict[str, Any]]) -> bool | None:
    """None where the cluster is older than the ``fencing`` entry (before pve-ha-manager 5.1.3)."""
    entry = next((entry for entry in status if entry["type"] == "fencing"), None)
    return None if entry is None else entry.get("armed-state") == "armed"


def _fine(wish: HaWish) -> tuple[str, ...]:
    return ("idle", "active", "maintenance mode") if wish.resting else ("idle", "active")


def _first_word(entry: dict[str, Any]) -> str:
    """``pxmx01-01 (idle, watchdog standby, …)`` to ``idle``."""
    return str(entry["status"]).partition("(")[2].partition(",")[0]


def _ha(ledger: Ledger, status: list[dict[str, Any]], wish: HaWish) -> HaFinding:
    started = tuple(f"vm:{vmid}" for vmid in sorted(wish.guests))
    lrms = sum(
        entry["type"] == "lrm" and entry["node"] in wish.nodes and _first_word(entry) in _fine(wish) for entry in status
    )
    armed = _armed(status) is not False and bool(started)
    word = "armed" if armed else "standby"
    said = f"{word}, {lrms} LRMs well, started: {', '.join(started)}" if started else f"{lrms} LRMs well"
    return HaFinding(
        finding=said,
        changed=ledger.changed,
        changes=ledger.changes,
        armed=armed,
        lrms=lrms,
        started=started,
    )
