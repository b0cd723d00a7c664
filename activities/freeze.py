"""What moves guests by itself is switched off while a site is lost, and set back exactly as it was.

Three switches: ``failback`` of HA resources (on unless somebody said otherwise), the automatic rebalancing of the
cluster's scheduler, and backup jobs, which lock the guests they work on. Nothing else is touched.
"""

from typing import TYPE_CHECKING, Any

from temporalio import activity

from activities.attempt import Changes
from activities.inventory import ClusterName
from cluster.plan import Finding, Ledger
from cluster.recovery import FreezeWish, Frozen, Switch, SwitchesFinding, ThawFinding, ThawWish
from cluster.units import counted, shortly

if TYPE_CHECKING:
    from activities.clients.proxmox import PveApi

FAILBACK, REBALANCE, BACKUP = "failback", "ha-auto-rebalance", "enabled"
FIELD: dict[Switch, str] = {"resource": FAILBACK, "options": REBALANCE, "backup": BACKUP}
Switches = dict[tuple[Switch, str], str]


class Freeze:
    """Activities on the switches."""

    def __init__(self, api: "PveApi") -> None:
        self._api = api

    @activity.defn(name="ha.switches", no_thread_cancel_exception=True)
    def known(self, which: ClusterName) -> SwitchesFinding:  # one worker serves one cluster
        """What would move a guest by itself."""
        on = switched_on(self._api)
        return SwitchesFinding(
            finding=f"on: {shortly(map(str, on))}" if on else "nothing is on that moves a guest", on=on
        )

    @activity.defn(name="ha.freeze", no_thread_cancel_exception=True)
    def freeze(self, wish: FreezeWish) -> Finding:
        """Switch these off; one that is off already stays so."""
        ledger, on = Changes(wish.mode), switched_on(self._api)
        for one in wish.switches:
            if one in on:
                self._set(one, one.new, ledger)
        said = f"frozen: {shortly(map(str, wish.switches))}" if wish.switches else "nothing was on that moves a guest"
        said = f"would be {said}" if ledger.only_planned and wish.switches else said
        return Finding(finding=said, changed=ledger.changed, changes=ledger.changes)

    @activity.defn(name="ha.thaw", no_thread_cancel_exception=True)
    def thaw(self, wish: ThawWish) -> ThawFinding:
        """Set back what was frozen, unless that would move a guest or somebody has set it anew meanwhile."""
        ledger = Changes(wish.mode)
        now, services = switches(self._api), self._services()
        restored, outstanding = [], {}
        for one in wish.frozen:
            if why := _not_now(one, now.get((one.kind, one.name)), wish, services):
                outstanding[str(one)] = why
                continue
            if now[one.kind, one.name] != one.old:
                self._set(one, one.old, ledger)
            restored.append(one)
        said = f"{counted(len(restored), 'switch', 'switches')} set back" if wish.frozen else "nothing was frozen"
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

    def _set(self, one: Frozen, value: str, ledger: Ledger) -> None:
        if not ledger.due(one.becomes(value)):
            return
        if one.kind == "resource":
            self._api.put(f"cluster/ha/resources/{one.name}", failback=int(value))
        elif one.kind == "options":
            crs = _crs(self._api.get("cluster/options").get("crs"))
            self._api.put("cluster/options", crs=_text(crs | {one.field: value}))
        else:
            self._api.put(f"cluster/backup/{one.name}", enabled=int(value))


def switches(api: "PveApi") -> Switches:
    """Every switch as it is now, "1" or "0"."""
    found: Switches = {}
    for entry in api.get("cluster/ha/resources"):
        found["resource", entry["sid"]] = str(int(entry.get(FAILBACK, 1)))
    found["options", "crs"] = _crs(api.get("cluster/options").get("crs")).get(REBALANCE, "0")
    for job in api.get("cluster/backup"):
        found["backup", job["id"]] = str(int(job.get(BACKUP, 1)))
    return found


def switched_on(api: "PveApi") -> tuple[Frozen, ...]:
    """What would move a guest by itself, each as it would be frozen."""
    on = [key for key, now in switches(api).items() if now == "1"]
    return tuple(Frozen(kind=kind, name=name, field=FIELD[kind], old="1", new="0") for kind, name in on)


def _not_now(one: Frozen, now: str | None, wish: ThawWish, services: dict[str, str]) -> str:
    """Why it is not set back; empty when it may be."""
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


def _crs(value: Any) -> dict[str, str]:
    """The scheduler's options: the API gives them parsed or as a property string."""
    if isinstance(value, dict):
        return {key: str(int(item) if isinstance(item, bool) else item) for key, item in value.items()}
    parts = [part.partition("=") for part in str(value or "").split(",") if part]
    return {key: item for key, _, item in parts}


def _text(crs: dict[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(crs.items()))
