"""Every state of a gate is walked at random: it opens for enough people who agree to exactly this, and else never.

The machine knows who is listed, which keys were revoked and what time it is, and keeps its own count of what may count.
"""

from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cluster.approval import Approval, ApprovalPolicy, Proof, Terms, Veto, Vote, statement, still
from cluster.gate import Gate
from cluster.plan import Intent, digest

PEOPLE = ("ana", "ben", "cleo", "dora", "eve")  # ana asks; eve is on no list
PLANNED = (Intent(where="HA", what="bring home", target="vm:300", turn=1),)
BEGAN = datetime(2026, 11, 23, 12, tzinfo=UTC)
COMFORT, SAFETY = Veto(name="stays", text="one stays"), Veto(name="resync", text="resyncing", safety=True)
POLICY = ApprovalPolicy(needed=2, roles={"storage": ("cleo", "dora")}, per_role={"storage": 1})


def terms(vetoes: tuple[Veto, ...]) -> Terms:
    return Terms(
        cluster="metro", run="failback/metro", run_id="1", number=1, title="Bring home", requester="ana",
        plan=digest("failback/metro", PLANNED), vetoes=vetoes, opened=BEGAN, until=BEGAN + timedelta(hours=1),
    )  # fmt: skip


class Gates(RuleBasedStateMachine):
    """One gate, and a world in which approvers come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.now = BEGAN
        self.listed = {"ana", "ben", "cleo", "dora"}
        self.gate = Gate(terms=terms((COMFORT,)), policy=POLICY, subject="failback/metro", planned=PLANNED)
        self.may_count: set[str] = set()  # our own count of good yeses
        self.approval: Approval | None = None
        self.votes = 0

    def proof(self, person: str, *, good: bool) -> Proof:
        if person not in self.listed:
            return Proof(word="Unknown", sentence="not listed")
        return Proof(fingerprint=f"SHA256:{person}") if good else Proof(word="Tampered", sentence="does not fit")

    @rule(safety=st.booleans())
    @precondition(lambda self: self.votes == 0)
    def another_gate(self, safety: bool) -> None:
        vetoes = (COMFORT, SAFETY) if safety else (COMFORT,)
        self.gate = Gate(terms=terms(vetoes), policy=POLICY, subject="failback/metro", planned=PLANNED)

    @rule(
        person=st.sampled_from(PEOPLE),
        good=st.sampled_from([True, True, True, False]),
        waives=st.sampled_from([("stays",), ("stays",), (), ("stays", "resync"), ("rain",)]),
        field=st.sampled_from(["", "", "", "", "run_id", "gate", "digest", "until", "cluster"]),
        claimed=st.sampled_from([False, False, False, True]),
    )
    def somebody_says_yes(self, person: str, good: bool, waives: tuple[str, ...], field: str, claimed: bool) -> None:
        said = statement(self.gate.terms, person, waives)
        if field:
            said = said.model_copy(update={field: "another"})
        vote = Vote(said=said, signature="s", at=self.now, claimed=claimed)
        was_open, before, lines = self.gate.outcome == "open", set(self.gate.yes), len(self.gate.audit)
        refusal = self.gate.hear(vote, self.proof(person, good=good))
        self.votes += 1
        fine = (
            was_open and self.now < self.gate.terms.until and not field and not claimed and good
            and person in self.listed and person != "ana" and person not in before and waives == ("stays",)
            and SAFETY not in self.gate.terms.vetoes
        )  # fmt: skip
        assert (refusal is None) == fine, refusal
        assert len(self.gate.audit) == lines + 1
        if fine:
            self.may_count.add(person)

    @rule(person=st.sampled_from(PEOPLE))
    def somebody_says_no(self, person: str) -> None:
        vote = Vote(said=statement(self.gate.terms, person, (), "reject"), signature="s", at=self.now)
        was_open = self.gate.outcome == "open" and self.now < self.gate.terms.until
        refusal = self.gate.hear(vote, self.proof(person, good=True))
        self.votes += 1
        assert (refusal is None) == (was_open and person in self.listed)
        assert refusal is not None or self.gate.outcome == "rejected"

    @rule(minutes=st.integers(1, 40))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        if self.now >= self.gate.terms.until:
            self.gate.expire(self.now)

    @rule(person=st.sampled_from(PEOPLE[1:]))
    def the_list_changes(self, person: str) -> None:
        self.listed ^= {person}

    @rule()
    def it_is_tried(self) -> None:
        self.gate.recheck({name: self.proof(name, good=True) for name in self.gate.yes}, self.now)
        self.may_count &= self.listed
        if (approval := self.gate.open(self.now)) is not None:
            self.approval = approval
            people = {vote.said.by for vote in approval.votes}
            assert self.now < approval.terms.until
            assert people <= self.may_count <= self.listed - {"ana"}
            assert len(people) >= 2
            assert people & {"cleo", "dora"}
            assert all(vote.said.digest == approval.terms.digest and not vote.claimed for vote in approval.votes)
            assert SAFETY not in approval.terms.vetoes

    @rule(withdrawn=st.sets(st.sampled_from(PEOPLE), max_size=2))
    def an_approval_is_used(self, withdrawn: set[str]) -> None:
        if self.approval is None:
            return
        proofs = {name: self.proof(name, good=True) for name in PEOPLE}
        why = still(self.approval, POLICY, proofs, self.now, withdrawn)
        people = {vote.said.by for vote in self.approval.votes} & self.listed - withdrawn
        enough = len(people) >= 2 and people & {"cleo", "dora"} and self.now < self.approval.terms.until
        assert bool(why) != bool(enough), why

    @invariant()
    def it_is_open_only_by_an_approval(self) -> None:
        assert (self.gate.outcome == "approved") == (
            self.approval is not None and self.approval.terms == self.gate.terms
        )
        assert not (self.gate.outcome == "approved" and SAFETY in self.gate.terms.vetoes)

    @invariant()
    def what_is_counted_may_count(self) -> None:
        assert set(self.gate.yes) <= self.may_count | (self.gate.yes.keys() - self.listed)


Gates.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestEveryStateOfAGate = Gates.TestCase
