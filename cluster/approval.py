"""Who may say yes, to which plan, until when. Pure: signatures are checked elsewhere, and counted here.

Silence is never a yes (design §2.5). A vote counts when it was said in time, by somebody on the list who has not asked
for the plan, over exactly the text that this gate of this run stands for. Everything else is refused and kept.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, Self

from pydantic import Field, model_validator

from cluster.nouns import Noun, Value
from cluster.plan import Intent, digest
from cluster.units import Duration

# What is signed as something else, a commit or a file, is no approval (`ssh-keygen -Y sign -n quorate`).
NAMESPACE = "quorate"
HEAD = "Quorate approval, version 1"
NOTHING = "-"
LONGEST = 4000  # letters of a text that somebody sends

Decision = Literal["approve", "reject"]


class ApprovalPolicy(Noun):
    """How many people have to agree, who they are, and how long they have.

    `allowed_signers` is OpenSSH's file of that name, beside the inventory: whose names stand there, with a key that is
    valid, may say yes. `revoked_keys` is a file of public keys that count no more. Both are read anew at each check.
    `roles` name people, `per_role` how many of them have to be among the yeses. `unsigned: allowed` lets people click
    their yes in Temporal's UI; it is marked as claimed everywhere.
    """

    needed: int = Field(default=2, ge=1)
    within: Duration = Field(default=timedelta(hours=12), gt=timedelta())
    allowed_signers: str = "allowed_signers"
    revoked_keys: str | None = None
    roles: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    per_role: dict[str, int] = Field(default_factory=dict)
    unsigned: Literal["refused", "allowed"] = "refused"

    @model_validator(mode="after")
    def _roles_can_be_met(self) -> Self:
        for role, count in self.per_role.items():
            people = self.roles.get(role, ())
            if len(people) < count:
                raise ValueError(f"per_role asks for {count} of {role}, roles name {len(people)}: add them to roles")
        return self

    def roles_of(self, person: str) -> tuple[str, ...]:
        """The roles of that person, in the order of the file."""
        return tuple(role for role, people in self.roles.items() if person in people)


class Veto(Value):
    """Something that speaks against the plan. A comfort veto can be waived by its name, a safety veto by nobody."""

    name: str
    text: str
    safety: bool = False

    def __str__(self) -> str:
        return f"{'safety' if self.safety else 'comfort'}: {self.name}: {self.text}"


class Terms(Value):
    """What a gate asks: this plan, under these conditions, in this run, until then."""

    cluster: str
    run: str
    run_id: str
    number: int
    title: str
    plan: str  # the digest of the changes alone
    conditions: tuple[str, ...] = ()
    vetoes: tuple[Veto, ...] = ()
    requester: str
    risk: str = ""
    opened: datetime
    until: datetime

    @property
    def digest(self) -> str:
        """Sixteen hex digits for what is agreed to: the changes, their conditions, and what speaks against them."""
        return agreed_digest(self.plan, self.conditions, self.vetoes)


def agreed_digest(plan: str, conditions: Sequence[str], vetoes: Iterable[Veto]) -> str:
    """The digest over a plan's digest, its conditions and vetoes; the order of these means nothing."""
    against = sorted([veto.name, veto.text, veto.safety] for veto in vetoes)
    whole = json.dumps([plan, sorted(conditions), against], separators=(",", ":"))
    return hashlib.sha256(whole.encode()).hexdigest()[:16]


def plan_digest(subject: str, planned: Iterable[Intent], conditions: Sequence[str], vetoes: Iterable[Veto]) -> str:
    """The same from the changes themselves."""
    return agreed_digest(digest(subject, planned), conditions, vetoes)


class Said(Value):
    """What a vote says. As a text it is what people sign."""

    decision: Decision
    cluster: str
    run: str
    run_id: str
    gate: str  # ``1 Bring 2 guests home``
    digest: str
    until: str
    waives: tuple[str, ...] = ()
    by: str

    @property
    def text(self) -> str:
        """The canonical text, a line for each field."""
        fields = {
            "decision": self.decision,
            "cluster": self.cluster,
            "run": self.run,
            "run id": self.run_id,
            "gate": self.gate,
            "plan": self.digest,
            "until": self.until,
            "waives": ", ".join(self.waives) or NOTHING,
            "by": self.by,
        }
        return "\n".join([HEAD, *(f"{name}: {value}" for name, value in fields.items())]) + "\n"


def statement(terms: Terms, by: str, waives: Sequence[str] = (), decision: Decision = "approve") -> Said:
    """What somebody says to this gate."""
    return Said(
        decision=decision,
        cluster=terms.cluster,
        run=terms.run,
        run_id=terms.run_id,
        gate=f"{terms.number} {terms.title}",
        digest=terms.digest,
        until=f"{terms.until.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        waives=tuple(sorted(waives)),
        by=by,
    )


def read(text: str) -> Said:
    """The vote of that text. ValueError unless it is letter for letter one that `statement` could have made."""
    lines = text[:LONGEST].splitlines()
    pairs = dict(line.partition(": ")[::2] for line in lines[1:])
    waived = pairs.get("waives", NOTHING)
    try:
        said = Said.model_validate(
            {
                "decision": pairs.get("decision"),
                "cluster": pairs.get("cluster"),
                "run": pairs.get("run"),
                "run_id": pairs.get("run id"),
                "gate": pairs.get("gate"),
                "digest": pairs.get("plan"),
                "until": pairs.get("until"),
                "waives": () if waived == NOTHING else tuple(waived.split(", ")),
                "by": pairs.get("by"),
            }
        )
    except ValueError:
        raise ValueError("it is no text of an approval") from None
    if said.text != text:
        raise ValueError("it is not letter for letter what this gate asks for")
    return said


class Vote(Value):
    """A vote as it was sent: signed, or only claimed. `waives` and `by` are those of the text."""

    said: Said
    signature: str = ""
    fingerprint: str = ""
    at: datetime
    claimed: bool = False


class Proof(Value):
    """What became of checking a signature; `word` is empty when it is good."""

    word: str = ""
    sentence: str = ""
    fingerprint: str = ""


class Audit(Value):
    """One line of the record: who said what to which gate, and what became of it."""

    at: datetime
    by: str
    what: str
    accepted: bool
    word: str = ""
    sentence: str = ""

    def __str__(self) -> str:
        taken = "accepted" if self.accepted else f"refused, {self.word}"
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.by}: {self.what}: {taken}" + (
            f": {self.sentence}" if self.sentence else ""
        )


class Approval(Value):
    """What an opened gate gives: the licence for exactly these changes, with the votes that made it."""

    terms: Terms
    votes: tuple[Vote, ...]
    subject: str  # procedure and cluster, part of the plan's digest
    planned: tuple[Intent, ...]

    def covers(self, intent: Intent) -> bool:
        """That change is one of those that people have agreed to."""
        return digest(self.subject, self.planned) == self.terms.plan and intent in self.planned

    @property
    def claimed(self) -> bool:
        """Not all yeses are signed."""
        return any(vote.claimed for vote in self.votes)

    def __str__(self) -> str:
        people = ", ".join(f"{vote.said.by}{' (claimed)' if vote.claimed else ''}" for vote in self.votes)
        return f"{self.terms.digest} approved by {people}"


def missing(policy: ApprovalPolicy, people: Iterable[str]) -> str:
    """What the yeses of these people lack, in words; empty when they are enough."""
    yes = list(dict.fromkeys(people))
    lacks = []
    if len(yes) < policy.needed:
        lacks.append(f"{len(yes)} of {policy.needed} yeses")
    for role, count in policy.per_role.items():
        there = sum(role in policy.roles_of(person) for person in yes)
        if there < count:
            lacks.append(f"{there} of {count} from {role}")
    return ", ".join(lacks)


def still(
    approval: Approval,
    policy: ApprovalPolicy,
    proofs: Mapping[str, Proof],
    now: datetime,
    withdrawn: Iterable[str] = (),
) -> str:
    """Why an approval does not stand any more, given fresh proofs by name; empty while it does."""
    if now >= approval.terms.until:
        return f"the approval has expired at {approval.terms.until:%Y-%m-%d %H:%M:%S} UTC"
    gone = set(withdrawn)
    words = {vote.said.by: proofs.get(vote.said.by, Proof(word="Unchecked")).word for vote in approval.votes}
    good = [by for by, word in words.items() if by not in gone and not word]
    if lacks := missing(policy, good):
        lost = [f"{by} ({'taken back' if by in gone else word})" for by, word in words.items() if by not in good]
        return f"the approval does not stand any more: {lacks}; not counted: {', '.join(lost)}"
    return ""
