"""What the vantage points of the example cluster say, in words that a test can be read by.

`World()` is healthy and well known; each word changes what is seen, `looks()` is one look of the watch. A look is
remembered before it is judged, as the watch does it.
"""

import os
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self, TypeVar

from cluster.basis import Grounds
from cluster.facts import (
    WITNESS,
    ArrayLook,
    ClusterLook,
    CopyLook,
    Facts,
    Look,
    Memory,
    PowerLook,
    Totem,
    VotesLook,
    WitnessLook,
    remember,
)
from cluster.inventory import Inventory
from cluster.verdict import Verdict
from workers.inventory_file import load

# `make test-incidents` tries this many times as many examples as `make test`.
THOROUGH = int(os.environ.get("QUORATE_THOROUGH", "1"))

INVENTORY: Inventory = load(Path(__file__).parents[2] / "examples" / "lab.yaml")
A, B = "site-a", "site-b"
ARRAY_A, ARRAY_B = "X90R3-SiteA", "X90R3-SiteB"
ARRAY = {A: ARRAY_A, B: ARRAY_B}
OTHER = {A: B, B: A}
QDEVICE = "qdevice"
NODES = tuple(node.name for node in INVENTORY.nodes)
OF = {site.name: tuple(node.name for node in site.nodes) for site in INVENTORY.sites}
SITE_OF = {node: site for site, nodes in OF.items() for node in nodes}
IDS = dict(enumerate(NODES, start=1))
NUMBER = {name: number for number, name in IDS.items()}
SLOW, QUICK = Totem(token=timedelta(seconds=5.6), consensus=timedelta(seconds=6.72)), Totem(
    token=timedelta(seconds=3.5), consensus=timedelta(seconds=4.2)
)  # fmt: skip
START = datetime(2026, 11, 22, 19, 38, tzinfo=UTC)
SILENCE = "no answer in 3 s"

L = TypeVar("L", bound=Look)


def scaled(count: int) -> int:
    """So many examples in `make test`, more where there is time."""
    return count * THOROUGH


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


DESK = "desk"  # a place of its own


class World:
    """The newest look of every vantage point, and what is remembered. Words chain; times are seconds."""

    def __init__(self, *, totem: Totem | None = SLOW, known: bool = True, memory: Memory | None = None) -> None:
        self.now, self.place = START, ""
        self.votes = {
            node: VotesLook(
                by=node, how="ssh", domain=SITE_OF[node], at=START, expected=7, total=7, quorum=4, quorate=True,
                members=tuple(IDS), device=True, settled=True,
            )
            for node in NODES
        }  # fmt: skip
        self.cluster = {
            node: ClusterLook(
                by=node, how="api", domain=SITE_OF[node], at=START, ids=IDS, quorate=True, master="pxmx01-01",
                node_states=dict.fromkeys(NODES, "online"), services={"vm:300": ("started", "pxmx01-01")},
                guests={300: "pxmx01-01"},
            )
            for node in NODES
        }  # fmt: skip
        self.witness: WitnessLook | None = WitnessLook(
            by=QDEVICE, how="ssh", domain=WITNESS, at=START, clients=tuple(IDS)
        )
        both = dict.fromkeys(ARRAY.values(), CopyLook(status="online", mediator="online"))
        self.arrays = {
            name: ArrayLook(
                by=name, how="api", domain=site, at=START, copies=both, replication="connected",
                logins=dict.fromkeys(NODES, 4), portals=4,
            )
            for site, name in ARRAY.items()
        }  # fmt: skip
        self.power = {node: PowerLook(by=node, how="bmc", domain=SITE_OF[node], at=START, on=True) for node in NODES}
        self.memory = memory or Memory(totem=totem)
        if known and memory is None:
            self.memory = remember(self.memory, self.facts, NODES)

    # --- time --------------------------------------------------------------------------------------------------

    @property
    def facts(self) -> Facts:
        """One look of everybody."""
        return Facts(
            at=self.now, place=self.place, votes=self.votes, cluster=self.cluster, witness=self.witness,
            arrays=self.arrays, power=self.power,
        )  # fmt: skip

    def after(self, number: float) -> Self:
        """So much later everybody is asked again, and says what was set by then."""
        self.now += seconds(number)
        self._all(lambda look: look.model_copy(update={"at": self.now}))
        return self

    def stands(self, place: str) -> Self:
        """The engine's worker says where it is."""
        self.place = place
        return self

    def looks(self) -> Verdict:
        """Remember, judge, and note whether that is new."""
        verdict, self.memory = self.grounds.verdict(INVENTORY)
        return verdict

    @property
    def grounds(self) -> Grounds:
        """What the next look is judged by."""
        return Grounds(facts=self.facts, memory=self.memory)

    # --- who says nothing -----------------------------------------------------------------------------------------

    def silent(self, *names: str, how: str = "", why: str = SILENCE) -> Self:
        """These vantage points say nothing; by all ways, or by one of ssh, api and bmc."""
        self._each(names, how, lambda look: quiet(look, why))
        return self

    def unasked(self, *names: str) -> Self:
        """These have never been asked."""
        self.votes = {name: look for name, look in self.votes.items() if name not in names}
        self.cluster = {name: look for name, look in self.cluster.items() if name not in names}
        self.power = {name: look for name, look in self.power.items() if name not in names}
        self.arrays = {name: look for name, look in self.arrays.items() if name not in names}
        self.witness = None if QDEVICE in names else self.witness
        return self

    def dark(self, site: str) -> Self:
        """Nothing of a site answers the engine."""
        return self.silent(*OF[site], ARRAY[site])

    # --- what corosync counts ------------------------------------------------------------------------------------

    def parts(self, *parts: Iterable[str], device: int | None = None) -> Self:
        """Memberships, settled: the nodes of each part count each other. Part number `device` has the witness."""
        for number, part in enumerate(parts):
            total = len(tuple(part)) + (number == device)
            self.views(part, members=part, total=total, quorate=total >= 4, device=number == device)
        return self

    def views(self, nodes: Iterable[str], *, members: Iterable[str | int] | None = None, **more: object) -> Self:
        """These nodes count so."""
        if members is not None:
            more["members"] = tuple(NUMBER[one] if isinstance(one, str) else one for one in members)
        for node in nodes:
            if node in self.votes and self.votes[node].answered:
                self.votes[node] = self.votes[node].model_copy(update=more)
        return self

    def without(self, site: str) -> Self:
        """The other site, with the witness, counts three members and four votes."""
        return self.parts(OF[OTHER[site]], device=0)

    def api(self, nodes: Iterable[str], **more: object) -> Self:
        for node in nodes:
            self.cluster[node] = self.cluster[node].model_copy(update=more)
        return self

    # --- what the witness, arrays and controllers say ---------------------------------------------------------------

    def clients(self, *nodes: str | int) -> Self:
        """The witness has these as clients."""
        assert self.witness is not None
        numbers = tuple(NUMBER[one] if isinstance(one, str) else one for one in nodes)
        self.witness = self.witness.model_copy(update={"clients": numbers})
        return self

    def logins(self, *nodes: str, at: Iterable[str] = ARRAY.values(), count: int = 4) -> Self:
        """These are logged in at the arrays that answer."""
        return self._storage(at, lambda look: {"logins": dict.fromkeys(nodes, count)})

    def copies(self, at: Iterable[str], *, a: str = "online", b: str = "online", **more: object) -> Self:
        """What these arrays say of both copies."""
        said = {ARRAY_A: CopyLook(status=a, mediator="online"), ARRAY_B: CopyLook(status=b, mediator="online")}
        return self._storage(at, lambda look: {"copies": said, **more})

    def own_copy(self, array: str, **more: object) -> Self:
        """What an array says of its own copy."""
        return self._storage(
            [array], lambda look: {"copies": {**look.copies, array: look.copies[array].model_copy(update=more)}}
        )

    def bmc(self, *nodes: str, on: bool) -> Self:
        """The management controllers of these nodes answer."""
        for node in nodes:
            look = self.power.get(node) or PowerLook(by=node, how="bmc", domain=SITE_OF[node], at=self.now)
            self.power[node] = look.model_copy(update={"silent": "", "on": on, "at": self.now})
        return self

    def _storage(self, at: Iterable[str], said: Callable[[ArrayLook], dict[str, object]]) -> Self:
        for name in at:
            if name in self.arrays and self.arrays[name].answered:
                self.arrays[name] = self.arrays[name].model_copy(update=said(self.arrays[name]))
        return self

    # --- whole events -------------------------------------------------------------------------------------------

    def dead(self, site: str, *, after: float = 30) -> Self:
        """A site without power, settled: nothing answers, nobody has heard of it for `after` seconds."""
        left, array = OF[OTHER[site]], ARRAY[OTHER[site]]
        self.dark(site).without(site).clients(*left).logins(*left, at=[array])
        gone = {"a": "offline"} if site == A else {"b": "offline"}
        return self.copies([array], **gone, replication="connecting").after(after)

    def cut(self, winner: str, *, pod: str, after: float = 30) -> Self:
        """Both sites are alive and do not see each other."""
        self.parts(OF[winner], OF[OTHER[winner]], device=0)
        for site, array in ARRAY.items():
            own, other = ("online", "offline") if site == pod else ("offline", "unknown")
            said = {"a": own, "b": other} if site == A else {"a": other, "b": own}
            self.copies([array], **said, replication="connecting").logins(*OF[site], at=[array])
        return self.after(after)

    # --- parts -------------------------------------------------------------------------------------------------

    def _each(self, names: Iterable[str], how: str, change: Callable[[Look], Look]) -> None:
        chosen = set(names)

        def maybe(look: Look) -> Look:
            return change(look) if look.by in chosen and how in ("", look.how) else look

        self._all(maybe)

    def _all(self, change: Callable[[Look], Look]) -> None:
        self.votes = {name: _same(look, change(look)) for name, look in self.votes.items()}
        self.cluster = {name: _same(look, change(look)) for name, look in self.cluster.items()}
        self.arrays = {name: _same(look, change(look)) for name, look in self.arrays.items()}
        self.power = {name: _same(look, change(look)) for name, look in self.power.items()}
        self.witness = _same(self.witness, change(self.witness)) if self.witness else None


def changed(facts: Facts, source: str, change: Callable[[Look], Look]) -> Facts:
    """The same facts with one source's look changed."""

    def one(look: L) -> L:
        return _same(look, change(look)) if look.source == source else look

    return facts.model_copy(
        update={
            "votes": {name: one(look) for name, look in facts.votes.items()},
            "cluster": {name: one(look) for name, look in facts.cluster.items()},
            "arrays": {name: one(look) for name, look in facts.arrays.items()},
            "power": {name: one(look) for name, look in facts.power.items()},
            "witness": one(facts.witness) if facts.witness else None,
        }
    )


def quiet(look: L, why: str = SILENCE) -> L:
    """The vantage point said nothing: all its fields are empty, as the watch has them."""
    return type(look)(by=look.by, how=look.how, domain=look.domain, at=look.at, silent=why)


def _same(kind: L, look: Look) -> L:
    assert isinstance(look, type(kind))
    return look


def healthy(**more: object) -> World:
    """All is well, and has been looked at."""
    return World(**more)  # type: ignore[arg-type]
