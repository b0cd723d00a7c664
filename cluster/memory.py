"""What a watch knows from earlier looks, each thing with its time.

Who was alive when, who ran where before a loss, since when a source says nothing. Nothing here is ever dropped by an
event, an hour or a new worker: memories of one watch are merged, in whatever order they arrive. What was not seen in
an unbroken series of looks is not known, and nothing is counted from it.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Self

from pydantic import Field

from cluster.inventory import Inventory
from cluster.looks import Totem
from cluster.nouns import Value

# A worker that dies is noticed ten seconds later by Temporal, and another one goes on.
HANDED_OVER = timedelta(seconds=15)
# How far apart two looks of one series may be where no rhythm is said; a watch says its own (`rounds`).
ROUNDS = timedelta(minutes=15)
# HA moves nothing earlier than this after a node was seen last, in the cluster's time (reference: pve-ha §1).
NOBODY_MOVED = timedelta(seconds=60)
# HA calls what was written longer ago `old timestamp - dead?`; its daemons write every 5 or 10 s
# (reference: pve-ha §§1, 12).
OLD = timedelta(seconds=30)
# Names in `Memory.as_of`, beside guests (``300``) and services (``vm:300``).
MASTER, SERVICES, GUESTS = "master", "services", "guests"
# While HA fences and recovers, its own view of a service's place says where it is not any more.
ON_ITS_WAY = ("fence", "recovery")


class Written(Value):
    """A stamp of HA, by its writer's clock, and since when it has been this one, by the worker's.

    `moved`: there was another one before, so that its writer was alive then.
    """

    stamp: int
    since: datetime
    moved: bool = False


class Before(Value):
    """Where a guest ran before HA brought it from a node that is lost, and when it was seen there last.

    `moved` is when it was first seen elsewhere.
    """

    node: str
    as_of: datetime
    moved: datetime


class Memory(Value):
    """What is worth knowing later.

    `alive` is a node's last proof of life. `counted` is when a settled, quorate node counted it as a member last, and
    for the witness when it had a client last; the first look where that has never been seen. `heard` is when a source
    answered last, `quiet` since when it says nothing, `woke` when it answered first after such a silence.

    `master`, `placement` (running guests) and `services` (HA's, with their `states`) are the newest word of the quorate
    part, and `as_of` says of when: of each, and of ``services`` and ``guests`` as a whole. A guest of a lost node keeps
    the place it had; one that HA has brought elsewhere has its earlier place in `before` until the node is back.
    `resting` are the nodes that HA had in maintenance when its word was heard last.
    `rested` is the newest look that found a node in maintenance and no guest running on it, while it was alive.
    `worked` is the newest look that found it online or with a guest.
    `layers` are parts of the design that were seen, so that their absence is a loss.
    `veiled` says why the lists of guests leave some out, as it was told last; None where nobody has asked.
    `written` are the stamps of HA's master and LRMs, each with the first look that has seen it: one that stays is old
    by our own clock.

    `looked` is when the last look was, `unbroken` since when no look was missed. So `early` after a loss HA has moved
    nobody yet, by the worker's clock.
    `steady` is since when the main judgement has been the same; `standing` are the conditions of the last settled
    judgement, and `changes` when each came or went.
    """

    ids: dict[int, str] = Field(default_factory=dict)
    totem: Totem | None = None
    alive: dict[str, datetime] = Field(default_factory=dict)
    counted: dict[str, datetime] = Field(default_factory=dict)
    heard: dict[str, datetime] = Field(default_factory=dict)
    quiet: dict[str, datetime] = Field(default_factory=dict)
    woke: dict[str, datetime] = Field(default_factory=dict)
    master: str = ""
    resting: tuple[str, ...] = ()
    placement: dict[int, str] = Field(default_factory=dict)
    services: dict[str, str] = Field(default_factory=dict)
    states: dict[str, str] = Field(default_factory=dict)
    before: dict[str, Before] = Field(default_factory=dict)
    as_of: dict[str, datetime] = Field(default_factory=dict)
    rested: dict[str, datetime] = Field(default_factory=dict)
    worked: dict[str, datetime] = Field(default_factory=dict)
    layers: dict[str, datetime] = Field(default_factory=dict)
    veiled: str | None = Field(default=None, exclude_if=lambda why: why is None)
    written: dict[str, Written] = Field(default_factory=dict)
    looked: datetime | None = None
    unbroken: datetime | None = None
    rounds: timedelta = ROUNDS
    early: timedelta = NOBODY_MOVED
    judged: str = ""
    steady: datetime | None = None
    standing: tuple[str, ...] = ()
    changes: dict[str, tuple[datetime, ...]] = Field(default_factory=dict)

    def t0(self, nodes: Collection[str]) -> datetime | None:
        """When one of these nodes was a living member last; None when it is not known, and nothing may be counted.

        From then on HA counts, also of hosts that go on answering without a quorum, or that have booted since.
        """
        last = max((when for node in nodes if (when := self.seen(node))), default=None)
        return last if last is not None and self._is_known(last) else None

    def seen(self, node: str) -> datetime | None:
        """When a node was alive and counted as a member last; None where it has never been alive."""
        alive = self.alive.get(node)
        return alive and min(alive, self.counted.get(node, alive))

    def homes(self, nodes: Collection[str]) -> dict[str, str] | None:
        """HA's services that ran on these nodes, with the node; None when HA's list is not known.

        However late anybody looked: one that HA has brought elsewhere meanwhile is among them. One that was elsewhere
        before HA can have moved it was lost with an earlier loss.
        """
        told = self.as_of.get(SERVICES)
        if told is None or not self._is_known(told):
            return None
        brought = {sid: one.node for sid, one in self._brought(nodes).items() if self._is_known(one.as_of)}
        lived = {sid: node for sid, node in self.services.items() if node in nodes}
        return dict(sorted((lived | brought).items()))

    def perhaps(self, nodes: Collection[str]) -> dict[str, Before]:
        """HA's services that HA has brought from these nodes, and that nobody had looked at for a long time before."""
        return {sid: one for sid, one in self._brought(nodes).items() if not self._is_known(one.as_of)}

    def _brought(self, nodes: Collection[str]) -> dict[str, Before]:
        """Services that HA has brought from these nodes by this loss: it moves nobody so early after it."""
        t0 = self.t0(nodes)
        return {
            sid: one
            for sid, one in sorted(self.before.items())
            if one.node in nodes and (t0 is None or one.moved - t0 >= self.early)
        }

    def unmanaged(self, nodes: Collection[str]) -> dict[int, str] | None:
        """Guests that HA does not know and that were seen running on these nodes; None when that is not known.

        One that had not been seen for some rounds when the nodes were heard last, had left before. Where a missing
        right may hide guests, nobody knows how many ran there.
        """
        if self.veiled:
            return None
        told, last = self.as_of.get(GUESTS), self.t0(nodes)
        if told is None or last is None or not self._is_known(told) or last - told > self.rounds:
            return None
        under_ha = {sid.partition(":")[2] for sid in self.services}
        return {
            vmid: node
            for vmid, node in sorted(self.placement.items())
            if node in nodes and str(vmid) not in under_ha and last - self.as_of.get(str(vmid), last) <= self.rounds
        }

    def was_seen(self, name: str) -> bool:
        """The word on a guest, a service or the master was heard since the looks are unbroken."""
        return name in self.as_of and self._is_known(self.as_of[name])

    def _is_known(self, when: datetime) -> bool:
        """It falls into the series of looks that has not been broken since."""
        return self.unbroken is not None and when >= self.unbroken - self.rounds

    def merge(self, other: Self) -> Self:
        """All that one of the two knows, the newer word of each thing: the order does not matter."""
        old, new = sorted((self, other), key=lambda one: (_when(one.looked), one.model_dump_json()))
        joined = old.looked is not None and new.unbroken is not None and new.unbroken - old.looked <= new.rounds
        since = min(one.unbroken for one in (old, new) if one.unbroken) if joined and old.unbroken else new.unbroken
        heard = _latest(old.heard, new.heard)
        quiet = {
            source: min(times)
            for source in sorted({*old.quiet, *new.quiet})
            if (times := [one for one in _both(source, old.quiet, new.quiet) if _when(one) > _when(heard.get(source))])
        }
        kept = self._kept(old, new)
        return new.model_copy(
            update={
                "ids": old.ids | new.ids,
                "totem": new.totem or old.totem,
                "alive": _latest(old.alive, new.alive),
                "counted": _latest(old.counted, new.counted),
                "heard": heard,
                "quiet": quiet,
                "woke": _latest(old.woke, new.woke),
                "rested": _latest(old.rested, new.rested),
                "worked": _latest(old.worked, new.worked),
                "layers": _latest(old.layers, new.layers),
                "veiled": old.veiled if new.veiled is None else new.veiled,
                "written": {
                    name: _later(*(found[name] for found in (old.written, new.written) if name in found))
                    for name in sorted({*old.written, *new.written})
                },
                "unbroken": since,
                "changes": {
                    key: tuple(sorted({*old.changes.get(key, ()), *new.changes.get(key, ())}))
                    for key in sorted({*old.changes, *new.changes})
                },
                **kept,
            }
        )

    @staticmethod
    def _kept(old: "Memory", new: "Memory") -> dict[str, object]:
        """Master, services and guests: of each the word that is newer; what was told as gone stays gone."""

        def side(key: str) -> Memory:
            return old if _when(old.as_of.get(key)) > _when(new.as_of.get(key)) else new

        sids, vmids = sorted({*old.services, *new.services}), sorted({*old.placement, *new.placement})
        return {
            "as_of": _latest(old.as_of, new.as_of),
            "master": side(MASTER).master,
            "resting": side(SERVICES).resting,
            "services": {sid: known.services[sid] for sid in sids if sid in (known := side(sid)).services},
            "states": {sid: known.states[sid] for sid in sids if sid in (known := side(sid)).states},
            "before": {sid: known.before[sid] for sid in sids if sid in (known := side(sid)).before},
            "placement": {v: known.placement[v] for v in vmids if v in (known := side(str(v))).placement},
        }


def rounds(inventory: Inventory, speed: float = 1.0) -> timedelta:
    """How far apart two looks of one series may be, by the worker's clock; `speed`: the cluster's time against it."""
    return 3 * inventory.watch.full / speed + inventory.limits.look + HANDED_OVER


def _later(*written: Written) -> Written:
    """The stamp that was seen last; of the same one, the first look that has seen it."""
    newest = max(written, key=lambda one: (one.since, one.stamp))
    return min((one for one in written if one.stamp == newest.stamp), key=lambda one: one.since)


def _when(when: datetime | None) -> float:
    return when.timestamp() if when else float("-inf")


def _both(key: str, one: dict[str, datetime], other: dict[str, datetime]) -> list[datetime]:
    return [found[key] for found in (one, other) if key in found]


def _latest(one: dict[str, datetime], other: dict[str, datetime]) -> dict[str, datetime]:
    return {key: max(_both(key, one, other)) for key in sorted({*one, *other})}
