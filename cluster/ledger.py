"""One ledger per cluster: switches that were turned off, homes of guests, nodes in maintenance, runs, lost sites. Pure.

A switch is kept with the value that its first taker met, and with every run that needs it off. It goes back when no
run needs it off *and* turning it on moves nobody it should not; until then it is listed with what holds it back. A
guest's home is where it ran when it was first moved away; it stays the home until the guest is there again. Both
outlive the runs that wrote them.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TypeVar

from pydantic import Field

from cluster.audit.head import Anchor
from cluster.nouns import Value
from cluster.plan import Finding
from cluster.recovery import PRESENT, STOPPED, Frozen, Switch
from cluster.units import shortly

# Runs of these types are incidents: while one is open, nothing goes back.
INCIDENTS = ("SiteLoss", "NodeLoss", "ClusterIncident")
# HA's words for a service that stays as it is and where it is until a person or a loss changes that; under every other
# one it is on its way, or its place is in doubt (reference: pve-ha §7).
SETTLED = ("started", "stopped", "error")
# Of those, the ones that HA leaves where they are whatever failback says; all others end in ``started`` by themselves.
STAYS = (*STOPPED, "error")
# Newest lines of what has happened that are kept.
KEPT = 20


def ledger_id(cluster: str) -> str:
    """The fixed id of its run: one ledger a cluster."""
    return f"ledger/{cluster}"


class RunRef(Value):
    """One run: its workflow id, and Temporal's id of this very execution."""

    run: str
    run_id: str


AnyRef = TypeVar("AnyRef", bound=RunRef)


class Holder(RunRef):
    """A run that needs a switch off."""

    why: str
    since: datetime


class Entry(Value):
    """A switch that was turned off. `held_back` says why it is not back, as of the last look."""

    switch: Frozen
    by: str
    why: str
    since: datetime
    holders: tuple[Holder, ...] = ()
    held_back: str = ""

    @property
    def key(self) -> tuple[Switch, str]:
        """What it is, without its values."""
        return self.switch.kind, self.switch.name


class Home(Value):
    """Where a guest belongs: the node it ran on before; `recovered` is where HA brought it after a loss."""

    sid: str
    node: str
    by: RunRef
    since: datetime
    recovered: str = ""


class Present(RunRef):
    """A run that is at work on this cluster: its workflow type, the site it is about, and its mode."""

    kind: str
    site: str = ""
    mode: str = ""
    since: datetime


class Rest(Value):
    """A node in maintenance, as a run of planned work has met it before its first change.

    `ours`: it took guests then, and the run was about to put it into maintenance. Otherwise it rested already: that is
    the design of people, and no run of ours releases it.
    """

    node: str
    by: RunRef
    since: datetime
    ours: bool = False


class Lost(Value):
    """A site that was lost and has not been released: its quarantine has not held yet."""

    site: str
    by: RunRef
    since: datetime


class Happened(Value):
    """Something worth knowing later."""

    at: datetime
    text: str


class Book(Value):
    """All that the ledger knows. `looked` is when it compared itself with the world last, `trouble` why it could not.

    `leaving` are run ids of runs that have given back and are about to end: they are no longer counted as open.
    `audited` is the newest head of each chain of audit records that was told here, by the key that has signed it.
    """

    cluster: str = ""
    switches: tuple[Entry, ...] = ()
    homes: dict[str, Home] = Field(default_factory=dict)
    present: tuple[Present, ...] = ()
    lost: dict[str, Lost] = Field(default_factory=dict)
    rests: dict[str, Rest] = Field(default_factory=dict)
    leaving: tuple[str, ...] = ()
    happened: tuple[Happened, ...] = ()
    looked: datetime | None = None
    trouble: str = ""
    audited: dict[str, Anchor] = Field(default_factory=dict)

    @property
    def idle(self) -> bool:
        """Nothing is kept that the world could change."""
        return not (self.switches or self.homes or self.present or self.lost or self.rests)

    @property
    def runs(self) -> tuple[RunRef, ...]:
        """Every run that something depends on."""
        found = [*(holder for entry in self.switches for holder in entry.holders), *self.present]
        found += [home.by for home in self.homes.values()]
        found += [rest.by for rest in self.rests.values()]
        return tuple(dict.fromkeys(RunRef(run=one.run, run_id=one.run_id) for one in found))

    def entry(self, kind: Switch, name: str) -> Entry | None:
        """That switch, if it is off."""
        return next((entry for entry in self.switches if entry.key == (kind, name)), None)


class Placed(Value):
    """One HA service as the master keeps it. `origin` is the node to which it returns after maintenance, if any."""

    state: str
    node: str
    origin: str = ""


class World(Finding):
    """How things stand, as far as the ledger needs it.

    `ended` are run ids of runs that are over. `incidents` are the workflow ids of open incidents, with their run ids.
    `values` are the switches as they are, by `key_text`; `services` are HA's, `managed` the guests that HA is to care
    for, `nodes` HA's word for each node, `preferred` the nodes that a rule wants each guest on.
    `silent` says what could not be read, and why: nothing goes back then.
    """

    at: datetime
    ended: tuple[str, ...] = ()
    incidents: dict[str, str] = Field(default_factory=dict)
    values: dict[str, str] = Field(default_factory=dict)
    services: dict[str, Placed] = Field(default_factory=dict)
    managed: tuple[str, ...] = ()
    nodes: dict[str, str] = Field(default_factory=dict)
    preferred: dict[str, dict[str, int]] = Field(default_factory=dict)
    silent: str = ""


def key_text(kind: Switch, name: str) -> str:
    """A switch's key as text, ``resource/vm:300``."""
    return f"{kind}/{name}"


# --- switches ---------------------------------------------------------------------------------------------------------


def take(book: Book, holder: Holder, switches: Iterable[Frozen]) -> Book:
    """A run needs these switches off, and every other one that is off already: none goes back while it works.

    The old value is the one that the first taker met. Taken again, nothing changes.
    """
    known = {entry.key: entry for entry in book.switches}
    for one in switches:
        key = (one.kind, one.name)
        if key not in known:
            known[key] = Entry(switch=one, by=holder.run, why=holder.why, since=holder.since)
    entries = tuple(_held(entry, holder) for entry in known.values())
    leaving = tuple(one for one in book.leaving if one != holder.run_id)
    return book.model_copy(update={"switches": entries, "leaving": leaving})


def _held(entry: Entry, holder: Holder) -> Entry:
    if any(one.run_id == holder.run_id for one in entry.holders):
        return entry
    return entry.model_copy(update={"holders": (*entry.holders, holder), "held_back": ""})


def give_back(book: Book, run_id: str, names: Iterable[str] | None = None) -> Book:
    """That run needs them no more: all of them, or those of these names (``vm:300``, ``crs``, a backup job)."""
    which = None if names is None else set(names)
    entries = tuple(
        entry.model_copy(update={"holders": tuple(one for one in entry.holders if one.run_id != run_id)})
        if which is None or entry.switch.name in which
        else entry
        for entry in book.switches
    )
    return book.model_copy(update={"switches": entries})


def held_by(book: Book, run_id: str) -> tuple[Entry, ...]:
    """What that run holds off."""
    return tuple(entry for entry in book.switches if any(one.run_id == run_id for one in entry.holders))


def may_restore(entry: Entry, book: Book, world: World) -> str:
    """Why the switch may not be turned on now; empty when it may. The one place where this is decided."""
    one = entry.switch
    if holders := [holder for holder in entry.holders if holder.run_id not in world.ended]:
        return f"{holders[0].run} needs it disabled: {holders[0].why}"
    if world.silent:
        return f"the state of the cluster is not known: {world.silent}"
    now = world.values.get(key_text(one.kind, one.name))
    if now in (None, one.old):
        return ""  # gone, or on again: nothing to be done
    if now != one.new:
        return f"it was set to {now} outside Quorate meanwhile: Quorate leaves it so"
    if incidents := open_incidents(book, world):
        return f"{incidents[0]} is open"
    if book.lost:
        lost = next(iter(book.lost.values()))
        return f"{lost.site} was lost and has not been through its quarantine yet"
    if one.kind == "resource":
        return _would_move(one.name, book, world)
    if away := guests_away(book, world):
        more = shortly((f"{sid} ({book.homes[sid].node})" for sid in away), 3)
        return f"guests are away from home: {more}; bring them home first"
    return ""


def _would_move(sid: str, book: Book, world: World) -> str:
    """Why turning its failback on would move this guest, or cannot be done."""
    service = world.services.get(sid)
    home = book.homes.get(sid)
    if not world.nodes:
        return "the state of the cluster is not known: HA lists no node"
    if home is not None and sid in guests_away(book, world):
        where = service.node if service else "no node"
        return f"restoring it would move the guest at once: it runs on {where}, its home is {home.node}"
    if service is None:
        return ""
    if service.state == "error":
        return "HA calls the guest error and accepts no change of it until its state is set to disabled"
    if service.state not in SETTLED:
        return f"HA is busy with the guest (it calls it {service.state})"
    if to := goes_to(sid, world):
        return f"HA would move the guest from {service.node} to {to} at once"
    return ""


def goes_to(sid: str, world: World) -> str:
    """Where HA would move a guest by itself if its failback were on now; empty when it would stay.

    One that is on its way is judged by where HA has it now: a round later it is ``started``, and moved like the others.
    """
    service = world.services.get(sid)
    if service is None or service.state in STAYS:
        return ""
    online = [node for node, state in world.nodes.items() if state == "online"]
    if service.origin and service.origin != service.node and service.origin in online:
        return service.origin
    wanted = {node: weight for node, weight in world.preferred.get(sid, {}).items() if node in online}
    best = [node for node, weight in wanted.items() if weight == max(wanted.values())]
    return min(best) if best and service.node not in best else ""


def moves_by_itself(
    world: World, released: Iterable[str], failback: Mapping[str, bool] | None = None
) -> dict[str, str]:
    """Guests that HA moves by itself when these nodes are released from maintenance, and where each goes.

    `failback` says of each guest whether it is on; by default it is what the world says now.
    """
    nodes = world.nodes | dict.fromkeys(released, "online")
    then = world.model_copy(update={"nodes": nodes})
    on = failback if failback is not None else {
        sid: world.values.get(key_text("resource", sid), "1") == "1" for sid in world.services
    }  # fmt: skip
    found = {sid: goes_to(sid, then) for sid in world.services if on.get(sid, True)}
    return {sid: node for sid, node in sorted(found.items()) if node}


def restored(book: Book, done: Mapping[str, str], at: datetime) -> Book:
    """These switches are settled, by `key_text`, each with what happened: they leave the ledger."""
    kept = tuple(entry for entry in book.switches if key_text(*entry.key) not in done)
    gone = [entry for entry in book.switches if key_text(*entry.key) in done]
    said = tuple(Happened(at=at, text=f"{entry.switch}: {done[key_text(*entry.key)]}") for entry in gone)
    return happened(book.model_copy(update={"switches": kept}), said)


def listed(book: Book, why: Mapping[str, str]) -> Book:
    """What holds each switch back now, by `key_text`."""
    entries = tuple(
        entry.model_copy(update={"held_back": why.get(key_text(*entry.key), entry.held_back)})
        for entry in book.switches
    )
    return book.model_copy(update={"switches": entries})


# --- homes ------------------------------------------------------------------------------------------------------------


def record_homes(book: Book, by: RunRef, homes: Mapping[str, str], recovered: Mapping[str, str], at: datetime) -> Book:
    """Where guests belong. The first record wins until the guest is there again; `recovered` is where HA brought it."""
    known = dict(book.homes)
    for sid, node in homes.items():
        first = known.get(sid, Home(sid=sid, node=node, by=by, since=at))
        known[sid] = first.model_copy(update={"by": by})  # kept at least as long as this run is at work
    for sid, node in recovered.items():
        if sid in known:
            known[sid] = known[sid].model_copy(update={"recovered": node})
    return book.model_copy(update={"homes": known})


def at_home(book: Book, sids: Iterable[str]) -> Book:
    """These guests are where they belong."""
    there = set(sids)
    return book.model_copy(update={"homes": {sid: home for sid, home in book.homes.items() if sid not in there}})


def guests_away(book: Book, world: World) -> tuple[str, ...]:
    """Guests under HA that are not where they belong, or on their way."""
    return tuple(
        sid
        for sid, home in sorted(book.homes.items())
        if sid in world.managed and not _is_home(home, world.services.get(sid), world.nodes.get(home.node, "online"))
    )


def _is_home(home: Home, service: Placed | None, node: str) -> bool:
    """`node`: HA's word for the home. One that HA calls lost still bears its guests in HA's list, and runs none."""
    here = service is not None and service.node == home.node and service.state in SETTLED
    return here and node in PRESENT


def settled_homes(book: Book, world: World) -> tuple[str, ...]:
    """Guests that need no record any more: they are at home, or no longer under HA.

    Not while the run that has recorded them is at work (it may be about to move them), nor while an incident is open
    or a site is lost: HA's own list still shows a dead node's guests where they were.
    """
    if world.silent or book.lost or open_incidents(book, world):
        return ()
    away = guests_away(book, world)
    return tuple(sid for sid, home in book.homes.items() if sid not in away and home.by.run_id in world.ended)


# --- nodes in maintenance ---------------------------------------------------------------------------------------------


def record_rests(book: Book, by: RunRef, rested: Iterable[str], emptied: Iterable[str], at: datetime) -> Book:
    """Nodes that are in maintenance before a run begins, and those that it is about to put into it.

    One that an earlier run has put into maintenance stays ours, however that run has ended.
    """
    known = dict(book.rests)
    for node in rested:
        first = known.get(node, Rest(node=node, by=by, since=at))
        known[node] = first.model_copy(update={"by": by})  # kept at least as long as this run is at work
    known |= {node: Rest(node=node, by=by, since=at, ours=True) for node in emptied}
    return book.model_copy(update={"rests": known})


def rests_no_more(book: Book, world: World) -> tuple[str, ...]:
    """Nodes that take guests again, and those that HA does not know any more.

    Not while the run that has recorded them is at work: it may be about to put them into maintenance.
    """
    if world.silent or not world.nodes:
        return ()
    over = [rest.node for rest in book.rests.values() if rest.by.run_id in world.ended]
    return tuple(node for node in over if world.nodes.get(node, "online") == "online")


def released(book: Book, nodes: Iterable[str]) -> Book:
    """These nodes take guests again."""
    gone = set(nodes)
    return book.model_copy(update={"rests": {node: rest for node, rest in book.rests.items() if node not in gone}})


# --- runs and sites ---------------------------------------------------------------------------------------------------


def present(book: Book, run: Present) -> Book:
    """That run is at work."""
    others = tuple(one for one in book.present if one.run_id != run.run_id)
    leaving = tuple(one for one in book.leaving if one != run.run_id)
    return book.model_copy(update={"present": (*others, run), "leaving": leaving})


def continued(book: Book, was: str, by: RunRef) -> Book:
    """The run goes on in another execution: whatever the earlier one holds or has said is this one's now."""

    def same(one: AnyRef) -> AnyRef:
        return one.model_copy(update={"run_id": by.run_id}) if (one.run, one.run_id) == (by.run, was) else one

    def once(found: Iterable[AnyRef]) -> tuple[AnyRef, ...]:
        return tuple({(one.run, one.run_id): one for one in map(same, found)}.values())

    return book.model_copy(
        update={
            "switches": tuple(entry.model_copy(update={"holders": once(entry.holders)}) for entry in book.switches),
            "homes": {sid: home.model_copy(update={"by": same(home.by)}) for sid, home in book.homes.items()},
            "present": once(book.present),
            "lost": {site: lost.model_copy(update={"by": same(lost.by)}) for site, lost in book.lost.items()},
        }
    )


def left(book: Book, run_id: str) -> Book:
    """That run is no longer at work: it counts no more, even while Temporal still lists it as running."""
    others = tuple(one for one in book.present if one.run_id != run_id)
    leaving = (*(one for one in book.leaving if one != run_id), run_id)[-KEPT:]
    return book.model_copy(update={"present": others, "leaving": leaving})


def open_incidents(book: Book, world: World | None = None) -> tuple[str, ...]:
    """Workflow ids of the incidents that are open: those that said so, and those that Temporal lists."""
    ended = set(world.ended) if world else set()
    told = [one.run for one in book.present if one.kind in INCIDENTS and one.run_id not in ended]
    seen = [run for run, run_id in world.incidents.items() if run_id not in book.leaving] if world else []
    return tuple(dict.fromkeys([*told, *seen]))


def site_lost(book: Book, by: RunRef, site: str, at: datetime) -> Book:
    """A site is lost; the first word stands."""
    return book.model_copy(update={"lost": {site: Lost(site=site, by=by, since=at), **book.lost}})


def site_released(book: Book, site: str) -> Book:
    """Its quarantine has held."""
    return book.model_copy(update={"lost": {name: lost for name, lost in book.lost.items() if name != site}})


def without_ended(book: Book, world: World) -> Book:
    """Runs that are over hold nothing and are not at work, however they ended."""
    ended = set(world.ended)
    entries = tuple(
        entry.model_copy(update={"holders": tuple(one for one in entry.holders if one.run_id not in ended)})
        for entry in book.switches
    )
    here = tuple(one for one in book.present if one.run_id not in ended)
    leaving = tuple(one for one in book.leaving if one not in ended)
    return book.model_copy(update={"switches": entries, "present": here, "leaving": leaving})


def happened(book: Book, said: Iterable[Happened]) -> Book:
    """More lines of what has happened; the oldest give way."""
    return book.model_copy(update={"happened": (*book.happened, *said)[-KEPT:]})
