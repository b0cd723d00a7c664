"""What each vantage point saw: when, how, and in which failure domain it stands.

A source that hangs, fails or lies is a fact about that source and about nothing else. Nothing is concluded here: that
is `cluster.verdict`.
"""

import operator
from datetime import datetime, timedelta

from pydantic import Field

from cluster.inventory import Inventory
from cluster.nouns import Value

# The witness stands at a third place of its own. The engine stands where its worker says (`quorate worker --at`).
ENGINE, WITNESS = "engine", "witness"


class Look(Value):
    """One answer of one vantage point, or its silence.

    `at` is when it was asked, by the worker's clock; `silent` says why there was no answer.
    """

    by: str
    how: str
    domain: str
    at: datetime
    took: timedelta = timedelta()
    silent: str = ""

    @property
    def answered(self) -> bool:
        """The vantage point said something."""
        return not self.silent

    @property
    def source(self) -> str:
        """Who was asked, and how: ``pxmx01-01 (ssh)``."""
        return f"{self.by} ({self.how})"


class Totem(Value):
    """Corosync's own times, as the cluster runs with them (``runtime.config.totem``)."""

    token: timedelta
    consensus: timedelta

    @property
    def detection(self) -> timedelta:
        """How long a dead node stays a member."""
        return self.token + self.consensus


class Links(Value):
    """A node's knet links (``corosync-cfgtool -s``): how many, ways over them to other nodes, ways that are down."""

    links: int
    ways: int
    down: int


class VotesLook(Look):
    """What a node's corosync counts (``pvecm status``). `members` are node ids; `device`: the witness's vote counts.

    `configured`: a quorum device is registered, voting or not; None where that was not told. `votes` are those of the
    members by id. `settled`: membership and votes were taken at the same moment of corosync's life.
    """

    expected: int = 0
    total: int = 0
    quorum: int = 0
    quorate: bool = False
    members: tuple[int, ...] = ()
    votes: dict[int, int] = Field(default_factory=dict)
    device: bool = False
    configured: bool | None = None
    settled: bool = False
    links: Links | None = None


class ClusterLook(Look):
    """What a node's API says: ids of the nodes, the HA master, node states, and where HA and others have guests.

    `services` are ``sid -> (state, node)``; `guests` is every running guest, under HA or not, as ``vmid -> node``, and
    `stopped` are those that are listed as stopped. `idle` are services that HA calls started and not running. `hidden`
    are services whose guests the list of guests lacks: a right is missing. `storages` is the state of the inventory's
    storage by node, where it is told, and `more` the same of its other storages by their ids.

    `unclear` are nodes with a guest of which it is not told whether it runs. `veiled` says why the list of guests may
    leave some out, for want of a right, empty where it does not; None where that is not known. `sees_all`: the token
    may see every guest, and a node is in maintenance.

    `stamps` is when each LRM and the master (``master``) wrote last, by their own clocks. `lrms_old` are nodes whose
    LRM has not written for 30 s, measured by HA's newest stamps, and `master_old` is the same of the master;
    `called_old` are those that the node that answers calls old by its own clock, and `called_ahead` those whose stamps
    are of the future to it. `modes` are LRMs that do not act, with HA's word for why; `disarmed` says how HA was
    disarmed, `armed` is the word of its fencing, empty before pve-ha-manager 5.1.3. `requests` is what people want
    of a service.
    """

    ids: dict[int, str] = Field(default_factory=dict)
    quorate: bool = False
    master: str = ""
    master_old: bool = False
    node_states: dict[str, str] = Field(default_factory=dict)
    lrms_old: tuple[str, ...] = ()
    stamps: dict[str, int] = Field(default_factory=dict)
    called_old: tuple[str, ...] = ()
    called_ahead: tuple[str, ...] = ()
    modes: dict[str, str] = Field(default_factory=dict)
    disarmed: str = ""
    armed: str = ""
    requests: dict[str, str] = Field(default_factory=dict)
    services: dict[str, tuple[str, str]] = Field(default_factory=dict)
    idle: tuple[str, ...] = ()
    guests: dict[int, str] = Field(default_factory=dict)
    stopped: tuple[int, ...] = ()
    hidden: tuple[str, ...] = ()
    unclear: tuple[str, ...] = ()
    sees_all: bool = False
    veiled: str | None = Field(default=None, exclude_if=lambda why: why is None)
    storages: dict[str, str] = Field(default_factory=dict)
    more: dict[str, dict[str, str]] = Field(default_factory=dict, exclude_if=operator.not_)


class WitnessLook(Look):
    """Whom the witness has as clients of this cluster, by node id (``corosync-qnetd-tool -l -c NAME``)."""

    clients: tuple[int, ...] = ()


class CopyLook(Value):
    """One array's copy of the pod, as the array that was asked tells it.

    Where there are several pods, `pod` is the one that this is about: of all of them the one that is least well.
    """

    status: str
    mediator: str = ""
    pre_elected: bool = False
    frozen_at: datetime | None = None
    progress: float | None = None
    pod: str = Field(default="", exclude_if=operator.not_)


class ArrayLook(Look):
    """What an array says: the pod's copies by array, its link to the peer, and who is logged in at how many ports.

    Where there are several pods, `pods` has the copies of each, and `copies` what holds for all of them: an array has
    a copy where it has one of each, and that is as the worst of them is.
    """

    copies: dict[str, CopyLook] = Field(default_factory=dict)
    pods: dict[str, dict[str, CopyLook]] = Field(default_factory=dict, exclude_if=operator.not_)
    replication: str = ""
    logins: dict[str, int] = Field(default_factory=dict)
    portals: int = 0

    @property
    def each(self) -> "tuple[ArrayLook, ...]":
        """The same once for each pod."""
        return tuple(self.of(name) for name in self.pods) if self.pods else (self,)

    def of(self, pod: str) -> "ArrayLook":
        """The same with that pod's copies alone; all that there are where it has one pod."""
        return self.model_copy(update={"copies": self.pods.get(pod, {}), "pods": {}}) if self.pods else self


class PowerLook(Look):
    """What a node's management controller says."""

    on: bool | None = None


class Facts(Value):
    """The newest look of every vantage point, by its name; `at` is now, `place` where the engine stands, if known.

    All times are by the worker's clock. `speed` is how many seconds of the cluster pass in one of them: 1, but in a
    rehearsal.
    """

    at: datetime
    place: str = ""
    speed: float = 1.0
    votes: dict[str, VotesLook] = Field(default_factory=dict)
    cluster: dict[str, ClusterLook] = Field(default_factory=dict)
    witness: WitnessLook | None = None
    arrays: dict[str, ArrayLook] = Field(default_factory=dict)
    power: dict[str, PowerLook] = Field(default_factory=dict)

    def of(self, pod: str) -> "Facts":
        """The same with that pod's copies alone."""
        return self.model_copy(update={"arrays": {name: look.of(pod) for name, look in self.arrays.items()}})

    @property
    def looks(self) -> tuple[Look, ...]:
        """All of them."""
        witness = (self.witness,) if self.witness else ()
        return (
            *self.votes.values(),
            *self.cluster.values(),
            *witness,
            *self.arrays.values(),
            *self.power.values(),
        )

    @property
    def in_order(self) -> "Facts":
        """The same, by name: in which order they were gathered means nothing."""
        return self.model_copy(
            update={
                "votes": dict(sorted(self.votes.items())),
                "cluster": dict(sorted(self.cluster.items())),
                "arrays": dict(sorted(self.arrays.items())),
                "power": dict(sorted(self.power.items())),
            }
        )

    @property
    def silent(self) -> tuple[str, ...]:
        """Who said nothing, and how it was asked."""
        return tuple(look.source for look in self.looks if not look.answered)


def lasts(look: Look, inventory: Inventory, speed: float = 1.0) -> timedelta:
    """How long an answer may be used, by the worker's clock: three rounds of the watch and a slow answer.

    The nodes of a site tell their API's view in turn, one a round; management controllers are asked in an alarm only.
    """
    watch = inventory.watch
    turns = 3 + max(len(place.nodes) for place in inventory.places) if isinstance(look, ClusterLook) else 3
    return turns * watch.full / speed + inventory.limits.look


def fresh(facts: Facts, inventory: Inventory) -> Facts:
    """The same without what is older than the watch's own rounds: that is silence of its source, with its reason.

    A management controller that was not asked for so long has said nothing at all.
    """
    old = [look for look in facts.looks if look.answered and facts.at - look.at > lasts(look, inventory, facts.speed)]
    if not old:
        return facts
    quiet: dict[str, Look] = {}
    for look in old:
        age = (facts.at - look.at) * facts.speed
        said = f"last heard {age.total_seconds():.0f} s ago"
        quiet[look.source] = type(look)(by=look.by, how=look.how, domain=look.domain, at=look.at, silent=said)
    witness = facts.witness
    return facts.model_copy(
        update={
            "votes": {name: quiet.get(look.source, look) for name, look in facts.votes.items()},
            "cluster": {name: quiet.get(look.source, look) for name, look in facts.cluster.items()},
            "arrays": {name: quiet.get(look.source, look) for name, look in facts.arrays.items()},
            "witness": quiet.get(witness.source, witness) if witness else None,
            "power": {name: look for name, look in facts.power.items() if look.source not in quiet},
        }
    )
