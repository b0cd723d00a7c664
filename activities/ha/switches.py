"""What moves guests by itself: read, turned off, turned on; each switch by itself, with an outcome of its own.

Three kinds of switches: ``failback`` of HA resources (on unless it was set otherwise), the automatic rebalancing of the
cluster's scheduler, and backup jobs, which lock the guests they work on. Nothing else is touched. One that is refused
leaves the others switched. Who turned what off, and when it goes back, is the ledger's (`cluster.ledger`).
"""

import asyncio
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from temporalio import activity

from activities.attempt import Changes
from activities.errors import Conflict, NotFound, NotYet, Refuted, Rejected, Unauthorized, Unreachable
from activities.ha.manager import told_by_quorum
from activities.serving import serves
from cluster.contracts import ha
from cluster.contracts.records import ClusterName
from cluster.ledger import INCIDENTS
from cluster.plan import Ledger, Mark
from cluster.recovery import FreezeFinding, FreezeWish, Frozen, Switch, SwitchesFinding, SwitchOutcome
from cluster.units import counted, shortly

if TYPE_CHECKING:
    from activities.clients.proxmox import PveApi
    from activities.people.approvals import Approvals

FAILBACK, REBALANCE, BACKUP = "failback", "ha-auto-rebalance", "enabled"
FIELD: dict[Switch, str] = {"resource": FAILBACK, "options": REBALANCE, "backup": BACKUP}
KINDS: dict[Switch, str] = {"resource": "HA resources", "options": "the scheduler's options", "backup": "backup jobs"}
Switches = dict[tuple[Switch, str], str]
IN_ERROR = (
    "HA calls it error and accepts no change of it until its state is set to disabled; HA moves no guest in error"
)


class Freeze:
    """Activities on the switches. Runs of the types `unlicensed` turn them off without a licence: incidents alone."""

    def __init__(self, api: "PveApi", approvals: "Approvals", unlicensed: Collection[str] = INCIDENTS) -> None:
        self._api, self._approvals, self._unlicensed = api, approvals, unlicensed

    @serves(ha.switches, no_thread_cancel_exception=True)
    def known(self, which: ClusterName) -> SwitchesFinding:  # one worker serves one cluster
        """What would move a guest by itself. A kind that may not be read leaves the others, and is told."""
        board, on, unread = Switchboard(self._api), [], dict[str, str]()
        for kind, field in FIELD.items():
            try:
                values = board.of_kind(kind)
            except Unauthorized as error:
                unread[KINDS[kind]] = error.message
            else:
                on += [
                    Frozen(kind=kind, name=name, field=field, old="1", new="0")
                    for name, now in values.items()
                    if now == "1"
                ]
        said = [f"on: {shortly(map(str, on))}"] if on else [] if unread else ["none is on"]
        said += [f"not known: {'; '.join(f'{kind}: {why}' for kind, why in unread.items())}"] if unread else []
        mark: Mark = "warned" if unread else "done"
        return SwitchesFinding(finding="; ".join(said), mark=mark, on=tuple(on), unread=tuple(unread))

    @serves(ha.freeze)
    async def freeze(self, wish: FreezeWish) -> FreezeFinding:
        """Turn these off. What cannot be turned off is told with its reason; Unreachable when it may work later.

        Each change is checked against the approval right before it is made. Only an incident needs none, by the type
        of its own run: whatever else asks without one is refused before anything is turned off.
        """
        free = wish.approval is None and (activity.info().workflow_type or "") in self._unlicensed
        board, changes = Switchboard(self._api), Changes(wish.mode)
        outcomes: list[SwitchOutcome] = []
        later: list[str] = []
        for one in wish.switches:
            try:
                if changes.applying and not free:
                    await self._approvals.licence(wish.approval, one.becomes(one.new))
                outcomes.append(await board.turn(one, one.new, changes))
            except (Unreachable, NotYet) as error:  # the others are not kept waiting
                later.append(f"{one.name} {one.field}: {error.message}")
        if later:
            raise Unreachable(f"{counted(len(later), 'switch', 'switches')} not disabled yet: {shortly(later, 3)}")
        refused = any(one.state == "refused" for one in outcomes)
        return FreezeFinding(
            finding=_said(outcomes),
            mark="warned" if refused else "done",
            changed=changes.changed,
            changes=changes.changes,
            outcomes=tuple(outcomes),
        )


def _said(outcomes: list[SwitchOutcome]) -> str:
    off = [f"{one.switch.name} {one.switch.field}" for one in outcomes if one.done]
    left = [f"{one.switch.name} {one.switch.field}: {one.text}" for one in outcomes if not one.done]
    planned = [f"{one.switch.name} {one.switch.field}" for one in outcomes if one.state == "planned"]
    if planned:
        return f"would disable {shortly(planned)}"
    parts = [f"off: {shortly(off)}"] if off else []
    parts += [f"not disabled: {shortly(left, 3)}"] if left else []
    return "; ".join(parts) or "no automatic move is on"


class Switchboard:
    """The switches of one cluster, as its API has them at this moment."""

    def __init__(self, api: "PveApi") -> None:
        self._api = api

    def values(self) -> Switches:
        """Every switch as it is now, "1" or "0"."""
        return {(kind, name): now for kind in FIELD for name, now in self.of_kind(kind).items()}

    def of_kind(self, kind: Switch) -> dict[str, str]:
        """The switches of that kind, by name."""
        if kind == "resource":
            return {entry["sid"]: _flag(entry.get(FAILBACK, 1)) for entry in self._api.get("cluster/ha/resources")}
        if kind == "backup":
            return {job["id"]: _flag(job.get(BACKUP, 1)) for job in self._api.get("cluster/backup")}
        return {"crs": self._crs().get(REBALANCE, "0")}

    async def turn(self, one: Frozen, value: str, changes: Ledger) -> SwitchOutcome:
        """Read, compare, change, read back. Refusals are outcomes; Unreachable and NotYet are raised."""
        try:
            return await self._turned(one, value, changes)
        except NotFound:
            return SwitchOutcome(switch=one, state="gone", text="does not exist any more")
        except (Unauthorized, Rejected, Conflict, Refuted) as error:
            return SwitchOutcome(switch=one, state="refused", text=error.message)

    async def _turned(self, one: Frozen, value: str, changes: Ledger) -> SwitchOutcome:
        if await asyncio.to_thread(self._now, one) == value:
            return SwitchOutcome(switch=one, state="already", text=f"is {value} already")
        if one.kind == "resource" and await asyncio.to_thread(self._state, one.name) == "error":
            return SwitchOutcome(switch=one, state="refused", text=IN_ERROR)
        if not changes.due(one.becomes(value)):
            return SwitchOutcome(switch=one, state="planned", text=f"would be set to {value}")
        remark = await asyncio.to_thread(self._put, one, value)
        if (now := await asyncio.to_thread(self._now, one)) != value:
            raise Refuted(f"{one.name} {one.field} reads {now} right after it was set to {value}")
        return SwitchOutcome(switch=one, state="switched", text=f"set to {value}{remark}")

    def _now(self, one: Frozen) -> str:
        if one.kind == "resource":
            return _flag(self._api.get(f"cluster/ha/resources/{one.name}").get(FAILBACK, 1))
        if one.kind == "options":
            return self._crs().get(one.field, "0")
        return _flag(self._api.get(f"cluster/backup/{one.name}").get(BACKUP, 1))

    def _put(self, one: Frozen, value: str) -> str:
        """What else was found changed meanwhile, in words."""
        if one.kind == "resource":
            self._api.put(f"cluster/ha/resources/{one.name}", failback=int(value))
        elif one.kind == "backup":
            self._api.put(f"cluster/backup/{one.name}", enabled=int(value))
        else:
            before = self._crs()
            self._api.put("cluster/options", crs=_text(before | {one.field: value}))
            # the API takes crs as a whole and knows no digest of it: a change between reading and writing is lost
            before.pop(one.field, None)
            after = {key: item for key, item in self._crs().items() if key != one.field}
            if differing := sorted(key for key in before | after if before.get(key) != after.get(key)):
                return f"; crs was changed at the same moment, look at {', '.join(differing)}"
        return ""

    def _state(self, sid: str) -> str:
        manager = told_by_quorum(self._api)[1].get("manager_status") or {}
        return str((manager.get("service_status") or {}).get(sid, {}).get("state", ""))

    def _crs(self) -> dict[str, str]:
        """The scheduler's options: the API gives them parsed or as a property string."""
        value = self._api.get("cluster/options").get("crs")
        if isinstance(value, dict):
            return {key: str(int(item) if isinstance(item, bool) else item) for key, item in value.items()}
        parts = [part.partition("=") for part in str(value or "").split(",") if part]
        return {key: item for key, _, item in parts}


def switched_on(api: "PveApi") -> tuple[Frozen, ...]:
    """What would move a guest by itself, each as it would be turned off."""
    on = [key for key, now in Switchboard(api).values().items() if now == "1"]
    return tuple(Frozen(kind=kind, name=name, field=FIELD[kind], old="1", new="0") for kind, name in on)


def _flag(value: Any) -> str:
    return str(int(value))


def _text(crs: dict[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(crs.items()))
