"""Who may say yes, to which plan, until when. Pure: signatures are checked elsewhere, and counted here.

Silence is never a yes (design §2.5). A vote counts when it was said in time, by somebody on the list who has not asked
for the plan, over exactly the text that this gate of this run stands for. Everything else is refused and kept.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cluster.nouns import Noun, Value
from cluster.plan import Intent, whole_digest
from cluster.reminders import Before
from cluster.units import Duration
from cluster.visible import visible

# What is signed as something else, a commit or a file, is no approval (`ssh-keygen -Y sign -n quorate`).
NAMESPACE = "quorate"
HEAD = "Quorate approval, version 2"
NOTHING = "-"
SHORT = 16  # hex digits of a digest that people compare by eye
LONGEST = 100_000  # letters of a text that is sent; one that waives a few thousand vetoes is not cut

Decision = Literal["approve", "reject"]


class ApprovalPolicy(Noun):
    """How many people have to agree, who they are, how long they have, and how long their approval holds.

    Votes are collected for `within`; who has not decided is told once more at each of the `reminders`, so long before
    its end (``50%`` of the time, ``1h``), and at the last one everybody with `escalates` in `notify` as well. Once
    enough people have agreed, the approval holds for `valid`. `allowed_signers` is OpenSSH's file of that name, beside
    the inventory: whose name stands there, with a valid key, may approve.
    `revoked_keys` is a file of public keys that are no longer valid. Both are read anew at each check. `roles` name
    people, `per_role` how many of them have to be among those who approve. `unsigned: allowed` lets people approve by a
    click in Temporal's UI; that is marked as claimed everywhere.
    """

    needed: int = Field(default=2, ge=1)
    within: Duration = Field(default=timedelta(hours=12), gt=timedelta())
    reminders: tuple[Before, ...] = (0.5, timedelta(hours=1))
    # A night and the day after it: longer than any of our runbooks works, shorter than anybody keeps a plan in mind.
    valid: Duration = Field(default=timedelta(hours=24), ge=timedelta(seconds=1))
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
                raise ValueError(
                    f"per_role asks for {count} of {role}, roles lists {len(people)}: add people to roles.{role}"
                )
        return self

    def at_least(self, needed: int) -> "ApprovalPolicy":
        """The same, with no fewer approvals than that."""
        return self.model_copy(update={"needed": max(self.needed, needed)})

    def signed_by(self, needed: int) -> "ApprovalPolicy":
        """The same for an emergency: a claim, which anybody can make for anybody, is no approval there."""
        return self.at_least(needed).model_copy(update={"unsigned": "refused"})

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
    """What a gate asks: this plan, under these conditions, in this run, by that time.

    `until` ends the collecting of votes; an approval lives for `valid` from the moment in which its gate opened.
    """

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
    valid: timedelta = timedelta()

    @property
    def digest(self) -> str:
        """What is agreed to, all of it, as a SHA-256: nothing that people are shown can be another under the same."""
        whole = self.model_dump(mode="json", exclude={"conditions", "vetoes"})
        vetoes = sorted([veto.name, veto.text, veto.safety] for veto in self.vetoes)  # their order means nothing
        whole |= {"conditions": sorted(self.conditions), "vetoes": vetoes}
        return hashlib.sha256(json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def about(self, plan: str, conditions: Sequence[str], vetoes: Iterable[Veto]) -> "Terms":
        """The same question about another plan."""
        return self.model_copy(update={"plan": plan, "conditions": tuple(conditions), "vetoes": tuple(vetoes)})


def short(digest: str) -> str:
    """A digest as people read it: its first sixteen digits, of a plan those that `quorate plan` shows."""
    return digest[:SHORT]


class Said(Value):
    """What a vote says. As a text it is what people sign: every field is a line of it."""

    decision: Decision
    cluster: str
    run: str
    run_id: str
    gate: str  # ``1 Bring 2 guests home``
    requester: str
    plan: str
    digest: str  # of the terms
    until: str
    valid: str
    waives: tuple[str, ...] = ()
    why: str = ""
    by: str

    @property
    def text(self) -> str:
        """The canonical text, a line for each field."""
        values = self.model_dump() | {"waives": ", ".join(self.waives) or NOTHING, "why": self.why or NOTHING}
        lines = (f"{label}: {values[field]}" for label, field in _LINES.items())
        return "\n".join([HEAD, *lines]) + "\n"


# The lines of the signed text, and the fields that they hold.
_LINES = {
    "decision": "decision", "cluster": "cluster", "run": "run", "run id": "run_id", "gate": "gate",
    "asked for by": "requester", "plan": "plan", "terms": "digest", "until": "until", "valid": "valid",
    "waives": "waives", "why": "why", "by": "by",
}  # fmt: skip


def statement(terms: Terms, by: str, waives: Sequence[str] = (), decision: Decision = "approve", why: str = "") -> Said:
    """What that person says to this gate. Nothing in it can begin a line of its own, or hide."""
    said = {
        "cluster": terms.cluster,
        "run": terms.run,
        "run_id": terms.run_id,
        "gate": f"{terms.number} {terms.title}",
        "requester": terms.requester,
        "plan": terms.plan,
        "valid": _life(terms.valid),
        "why": why,
        "by": by,
    }
    return Said(
        decision=decision,
        digest=terms.digest,
        until=f"{terms.until.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        waives=tuple(sorted(waives)),
        **{field: visible(value) for field, value in said.items()},
    )


def _life(valid: timedelta) -> str:
    """How long an approval holds, to the second."""
    whole = int(valid.total_seconds())
    for size, unit in ((3600, "h"), (60, "min"), (1, "s")):
        if whole and whole % size == 0:
            return f"{whole // size} {unit} after enough people have agreed"
    return "until then"


def read(text: str) -> Said:
    """The vote of that text. ValueError unless it is letter for letter one that `statement` could have made."""
    pairs = dict(line.partition(": ")[::2] for line in text[:LONGEST].split("\n"))
    fields: dict[str, object] = {field: pairs.get(label) for label, field in _LINES.items()}
    waived, why = pairs.get("waives", NOTHING), pairs.get("why", NOTHING)
    fields |= {"waives": () if waived == NOTHING else tuple(waived.split(", ")), "why": "" if why == NOTHING else why}
    try:
        said = Said.model_validate(fields)
    except ValueError:
        raise ValueError("it is not the text of an approval") from None
    if said.text != text:
        raise ValueError("it differs from the text that this gate asks to sign")
    return said


class Vote(Value):
    """A vote as it was sent: signed, or only claimed. `waives` and `by` are those of the text."""

    said: Said
    signature: str = ""
    fingerprint: str = ""
    at: datetime
    claimed: bool = False


class Good(Value):
    """The signature is good now, by this key, which the list gives to these people (patterns, as they stand there).

    A claim that the policy allows has no key.
    """

    kind: Literal["good"] = "good"
    fingerprint: str
    principals: tuple[str, ...]


class Bad(Value):
    """It is not: a word for programs, a sentence for people."""

    kind: Literal["bad"] = "bad"
    word: str
    sentence: str
    fingerprint: str = ""


# What became of checking a signature. There is no default: what was not checked is not good.
Proof = Annotated[Good | Bad, Field(discriminator="kind")]


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
    """What an opened gate gives: the licence for exactly these changes, with the votes that made it.

    `granted` is when the gate opened. `withdrawn` are the votes of those who have taken their approval back since.
    """

    terms: Terms
    votes: tuple[Vote, ...]
    subject: str  # procedure and cluster, part of the plan's digest
    planned: tuple[Intent, ...]
    granted: datetime | None = None
    withdrawn: tuple[Vote, ...] = ()

    def covers(self, intent: Intent) -> bool:
        """That change is one of those that people have agreed to."""
        return self.whole and intent in self.planned

    @property
    def whole(self) -> bool:
        """The changes are those whose digest was signed."""
        return is_digest(self.terms.plan, self.subject, self.planned)

    @property
    def ends(self) -> datetime:
        """When it has lost its force: `valid` after it was granted, and never later than the signed text allows."""
        latest = self.terms.until + self.terms.valid
        return min(latest, self.granted + self.terms.valid) if self.granted and self.terms.valid else latest

    @property
    def claimed(self) -> bool:
        """Not all votes are signed."""
        return any(vote.claimed for vote in self.votes)

    def __str__(self) -> str:
        people = ", ".join(f"{vote.said.by}{' (claimed)' if vote.claimed else ''}" for vote in self.votes)
        return f"plan {short(self.terms.plan)} approved by {people}"


def is_digest(plan: str, subject: str, planned: Sequence[Intent]) -> bool:
    """That is the digest of these changes, or at least the sixteen digits of it that people read."""
    return len(plan) >= SHORT and whole_digest(subject, planned).startswith(plan)
