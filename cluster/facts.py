"""What each vantage point saw: when, how, and in which failure domain it stands.

A source that hangs, fails or lies is a fact about that source and about nothing else. Nothing is concluded here: that
is `cluster.verdict`.
"""

from datetime import datetime, timedelta

from pydantic import Field

from cluster.nouns import Value

# The engine stands at neither site: a third failure domain, beside the witness's.
ENGINE, WITNESS = "engine", "witness"


class Look(Value):
    """One answer of one vantage point, or its silence.

    `at` is when the answer came, by the worker's clock; `silent` says why there was none.
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


class Totem(Value):
    """Corosync's own times, as the cluster runs with them (``runtime.config.totem``)."""

    token: timedelta
    consensus: timedelta

    @property
    def detection(self) -> timedelta:
        """How long a dead node stays a member."""
        return self.token + self.consensus


class VotesLook(Look):
    """What a node's corosync counts (``pvecm status``). `members` are node ids; `device`: the witness's vote counts.

    `settled`: membership and votes were taken at the same moment of corosync's life.
    """

    expected: int = 0
    total: int = 0
    quorum: int = 0
    quorate: bool = False
    members: tuple[int, ...] = ()
    device: bool = False
    settled: bool = False


class ClusterLook(Look):
    """What a node's API says: ids of the nodes, the HA master, node states, and where HA and others have guests.

    `services` are ``sid -> (state, node)``; `guests` is every running guest, under HA or not, as ``vmid -> node``.
    """

    ids: dict[int, str] = Field(default_factory=dict)
    quorate: bool = False
    master: str = ""
    node_states: dict[str, str] = Field(default_factory=dict)
    services: dict[str, tuple[str, str]] = Field(default_factory=dict)
    guests: dict[int, str] = Field(default_factory=dict)


class WitnessLook(Look):
    """Whom the witness has as clients, by node id (``corosync-qnetd-tool -l``)."""

    clients: tuple[int, ...] = ()


class CopyLook(Value):
    """One array's copy of the pod, as the array that was asked tells it."""

    status: str
    mediator: str = ""
    pre_elected: bool = False
    frozen_at: datetime | None = None
    progress: float | None = None


class ArrayLook(Look):
    """What an array says: the pod's copies by array, its link to the peer, and who is logged in at how many ports."""

    copies: dict[str, CopyLook] = Field(default_factory=dict)
    replication: str = ""
    logins: dict[str, int] = Field(default_factory=dict)
    portals: int = 0


class PowerLook(Look):
    """What a node's management controller says."""

    on: bool | None = None


class Facts(Value):
    """The newest look of every vantage point, by its name; `at` is now."""

    at: datetime
    votes: dict[str, VotesLook] = Field(default_factory=dict)
    cluster: dict[str, ClusterLook] = Field(default_factory=dict)
    witness: WitnessLook | None = None
    arrays: dict[str, ArrayLook] = Field(default_factory=dict)
    power: dict[str, PowerLook] = Field(default_factory=dict)

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
        return Facts(
            at=self.at,
            votes=dict(sorted(self.votes.items())),
            cluster=dict(sorted(self.cluster.items())),
            witness=self.witness,
            arrays=dict(sorted(self.arrays.items())),
            power=dict(sorted(self.power.items())),
        )

    @property
    def silent(self) -> tuple[str, ...]:
        """Who said nothing, and how it was asked."""
        return tuple(f"{look.by} ({look.how})" for look in self.looks if not look.answered)


class Memory(Value):
    """What is worth knowing later: who was alive when, and how things stood before.

    `alive` is a node's last proof of life. `counted` is when a settled, quorate node counted it
    as a member last, and for the witness when it had a client last; the first look where that has never been seen.
    `steady` is since when the judgement has been the same, `turns` when it changed. `placement` is where each guest ran
    while all nodes were there.
    """

    ids: dict[int, str] = Field(default_factory=dict)
    totem: Totem | None = None
    alive: dict[str, datetime] = Field(default_factory=dict)
    counted: dict[str, datetime] = Field(default_factory=dict)
    master: str = ""
    placement: dict[int, str] = Field(default_factory=dict)
    services: dict[str, str] = Field(default_factory=dict)
    judged: str = ""
    steady: datetime | None = None
    turns: tuple[datetime, ...] = ()


def remember(memory: Memory, facts: Facts, nodes: tuple[str, ...]) -> Memory:
    """What is known after this look. Placement and master are taken only from a complete, quorate cluster."""
    facts = facts.in_order
    ids = _names(memory, facts, nodes)
    alive = dict(memory.alive)
    for node, when in _lives(facts):
        alive[node] = max(when, alive.get(node, when))
    whole = next((look for look in facts.cluster.values() if _whole(look, facts, nodes)), None)
    return memory.model_copy(
        update={
            "ids": ids,
            "alive": alive,
            "counted": _counts(memory, facts, nodes, ids),
            "master": whole.master if whole else memory.master,
            "placement": whole.guests if whole else memory.placement,
            "services": {sid: node for sid, (_, node) in whole.services.items()} if whole else memory.services,
        }
    )


def _names(memory: Memory, facts: Facts, nodes: tuple[str, ...]) -> dict[int, str]:
    """Names by node id: the newest complete ones of a quorate node; anybody else only fills gaps.

    A node that starts, or that lies, must not rename those who are known.
    """
    told = sorted((look for look in facts.cluster.values() if look.answered), key=lambda look: (look.at, look.by))
    names: dict[int, str] = {}
    for look in told:
        names |= look.ids
    names |= memory.ids
    for look in told:
        if look.quorate and set(nodes) <= set(look.ids.values()):
            names |= look.ids
    return names


def _counts(memory: Memory, facts: Facts, nodes: tuple[str, ...], ids: dict[int, str]) -> dict[str, datetime]:
    """When somebody counted a node, or the witness had a client, for the last time."""
    told = [
        (ids.get(number, ""), look.at)
        for look in facts.votes.values()
        if look.answered and look.settled and look.quorate
        for number in look.members
    ]
    witness = facts.witness
    if witness is not None and witness.answered and witness.clients:
        told.append((witness.by, witness.at))
    counted = dict.fromkeys((*nodes, *((witness.by,) if witness else ())), facts.at) | memory.counted
    for name, when in told:
        if name not in memory.counted or when > counted[name]:
            counted[name] = when
    return counted


def _lives(facts: Facts) -> list[tuple[str, datetime]]:
    """Direct proofs of life: which node, when. What others believe may be old and is none."""
    return [(look.by, look.at) for look in (*facts.votes.values(), *facts.cluster.values()) if look.answered]


def _whole(look: ClusterLook, facts: Facts, nodes: tuple[str, ...]) -> bool:
    """All nodes were members for everyone who answered, and HA knew of no trouble."""
    if not look.answered or not look.quorate or set(look.node_states.values()) - {"online", "maintenance"}:
        return False
    answered = [votes for votes in facts.votes.values() if votes.answered]
    everyone_answers = all(node in facts.votes and facts.votes[node].answered for node in nodes)
    return everyone_answers and all(len(votes.members) == len(nodes) for votes in answered)
