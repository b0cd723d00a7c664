"""What moves guests by itself is switched off while a site is lost, and set back exactly as it was.

Three switches: ``failback`` of HA resources (on unless somebody said otherwise), the automatic rebalancing of the
cluster's scheduler, and backup jobs, which lock the guests they work on. Nothing else is touched.
"""

from typing import TYPE_CHECKING, Any

from temporalio import activity

from activities.attempt import Changes
from cluster.plan import Ledger
from cluster.recovery import FreezeFinding, FreezeWish, Frozen, ThawFinding, ThawWish

if TYPE_CHECKING:
    from activities.clients.proxmox import PveApi

FAILBACK, REBALANCE, BACKUP = "failback", "ha-auto-rebalance", "enabled"


class Freeze:
    """Activities on the switches."""

    def __init__(self, api: "PveApi") -> None:
        self._api = api

    @activity.defn(name="ha.freeze", no_thread_cancel_exception=True)
    def freeze(self, wish: FreezeWish) -> FreezeFinding:
        """Switch off what would move a guest; the old values are in the finding."""
        ledger = Changes(wish.mode)
        frozen = [*self._resources(ledger), *self._options(ledger), *self._backups(ledger)]
        named = ", ".join(map(str, frozen[:5])) + (f" and {len(frozen) - 5} more" if len(frozen) > 5 else "")
        said = f"frozen: {named}" if frozen else "nothing was on that moves a guest"
        return FreezeFinding(
            finding=f"would be {said}" if ledger.only_planned and frozen else said,
            changed=ledger.changed,
            changes=ledger.changes,
            frozen=tuple(frozen),
        )

    def _resources(self, ledger: Ledger) -> list[Frozen]:
        frozen = []
        for entry in self._api.get("cluster/ha/resources"):
            sid, old = entry["sid"], int(entry.get(FAILBACK, 1))
            if old:
                if ledger.intend("HA", "set", sid, f"{FAILBACK} 0"):
                    self._api.put(f"cluster/ha/resources/{sid}", failback=0)
                frozen.append(Frozen(kind="resource", name=sid, field=FAILBACK, old="1", new="0"))
        return frozen

    def _options(self, ledger: Ledger) -> list[Frozen]:
        crs = _crs(self._api.get("cluster/options").get("crs"))
        if crs.get(REBALANCE) != "1":
            return []
        if ledger.intend("cluster", "set", "crs", f"{REBALANCE} 0"):
            self._api.put("cluster/options", crs=_text(crs | {REBALANCE: "0"}))
        return [Frozen(kind="options", name="crs", field=REBALANCE, old="1", new="0")]

    def _backups(self, ledger: Ledger) -> list[Frozen]:
        frozen = []
        for job in self._api.get("cluster/backup"):
            if int(job.get(BACKUP, 1)):
                if ledger.intend("cluster", "set", f"backup job {job['id']}", f"{BACKUP} 0"):
                    self._api.put(f"cluster/backup/{job['id']}", enabled=0)
                frozen.append(Frozen(kind="backup", name=job["id"], field=BACKUP, old="1", new="0"))
        return frozen

    @activity.defn(name="ha.thaw", no_thread_cancel_exception=True)
    def thaw(self, wish: ThawWish) -> ThawFinding:
        """Set back what was frozen, unless that would move a guest or somebody has set it anew meanwhile."""
        ledger = Changes(wish.mode)
        services = self._services()
        restored, outstanding = [], {}
        for one in wish.frozen:
            if why := self._not_now(one, wish, services):
                outstanding[str(one)] = why
            else:
                self._restore(one, ledger)
                restored.append(one)
        said = f"{len(restored)} switches set back" if wish.frozen else "nothing was frozen"
        if outstanding:
            said += f", {len(outstanding)} outstanding: " + "; ".join(
                f"{k}: {v}" for k, v in list(outstanding.items())[:3]
            )
        return ThawFinding(
            finding=said,
            changed=ledger.changed,
            changes=ledger.changes,
            restored=tuple(restored),
            outstanding=outstanding,
        )

    def _services(self) -> dict[str, str]:
        manager = self._api.get("cluster/ha/status/manager_status").get("manager_status") or {}
        return {sid: service["node"] for sid, service in (manager.get("service_status") or {}).items()}

    def _not_now(self, one: Frozen, wish: ThawWish, services: dict[str, str]) -> str:
        now = self._value(one)
        if now == one.old:
            return ""  # it is as it was: a second attempt, or a person's hand
        if now is None:
            return "does not exist any more"
        if now != one.new:
            return f"is {now} now, set by somebody meanwhile: left alone"
        if one.kind == "resource" and services.get(one.name) != wish.placement.get(one.name):
            return (
                f"would move the guest at once: it runs on {services.get(one.name, 'no node')}, "
                f"home is {wish.placement.get(one.name, 'not known')}; the failback sets it back"
            )
        return ""

    def _value(self, one: Frozen) -> str | None:
        if one.kind == "resource":
            found = {entry["sid"]: entry for entry in self._api.get("cluster/ha/resources")}
            return str(int(found[one.name].get(FAILBACK, 1))) if one.name in found else None
        if one.kind == "options":
            return _crs(self._api.get("cluster/options").get("crs")).get(one.field, "0")
        jobs = {job["id"]: job for job in self._api.get("cluster/backup")}
        return str(int(jobs[one.name].get(BACKUP, 1))) if one.name in jobs else None

    def _restore(self, one: Frozen, ledger: Ledger) -> None:
        if self._value(one) == one.old:
            return
        if one.kind == "resource" and ledger.intend("HA", "set", one.name, f"{one.field} {one.old}"):
            self._api.put(f"cluster/ha/resources/{one.name}", failback=int(one.old))
        if one.kind == "options" and ledger.intend("cluster", "set", "crs", f"{one.field} {one.old}"):
            crs = _crs(self._api.get("cluster/options").get("crs"))
            self._api.put("cluster/options", crs=_text(crs | {one.field: one.old}))
        if one.kind == "backup" and ledger.intend("cluster", "set", f"backup job {one.name}", f"{one.field} {one.old}"):
            self._api.put(f"cluster/backup/{one.name}", enabled=int(one.old))


def _crs(value: Any) -> dict[str, str]:
    """The scheduler's options: the API gives them parsed or as a property string."""
    if isinstance(value, dict):
        return {key: str(int(item) if isinstance(item, bool) else item) for key, item in value.items()}
    parts = [part.partition("=") for part in str(value or "").split(",") if part]
    return {key: item for key, _, item in parts}


def _text(crs: dict[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(crs.items()))
