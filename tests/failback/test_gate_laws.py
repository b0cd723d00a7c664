"""Every state of a gate is walked at random: it opens for enough people who agree to exactly this, and else never.

The machine knows who is listed, which keys were revoked and what time it is, and keeps its own count of what may count.
"""

from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cluster.approval import Approval, ApprovalPolicy, Bad, Good, Proof, Terms, Veto, Vote, statement
from cluster.gate import Gate
from cluster.plan import Intent, whole_digest
from cluster.standing import licensed

PEOPLE = ("ana", "ben", "cleo", "dora", "eve")  # ana asks; eve is on no list
PLANNED = (Intent(where="HA", what="bring home", target="vm:300", turn=1),)
BEGAN = datetime(2026, 11, 23, 12, tzinfo=UTC)
COMFORT, SAFETY = Veto(name="stays", text="one stays"), Veto(name="resync", text="resyncing", safety=True)
POLICY = ApprovalPolicy(needed=2, roles={"storage": ("cleo", "dora")}, per_role={"storage": 1})


def terms(vetoes: tuple[Veto, ...]) -> Terms:
    return Terms(
        cluster="metro", run="failback/metro", run_id="1", number=1, title="Bring home", requester="ana",
        plan=whole_digest("failback/metro", PLANNED), vetoes=vetoes, opened=BEGAN, until=BEGAN + timedelta(hours=1),
        valid=timedelta(hours=2),
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
            return Bad(word="Unknown", sentence="not listed")
        if not good:
            return Bad(word="Tampered", sentence="does not fit")
        # eve, once she is listed, has got the key of the requester, and cleo is called dora on it, too
        principals = {"eve": ("eve,ana",), "cleo": ("cleo,dora",)}.get(person, (person,))
        return Good(fingerprint=f"SHA256:{person}", principals=principals)

    @rule(safety=st.booleans())
    @precondition(lambda self: self.votes == 0)
    def another_gate(self, safety: bool) -> None:
        vetoes = (COMFORT, SAFETY) if safety else (COMFORT,)
        self.gate = Gate(terms=terms(vetoes), policy=POLICY, subject="failback/metro", planned=PLANNED)

    @rule(
        person=st.sampled_from(PEOPLE),
        good=st.sampled_from([True, True, True, False]),
        waives=st.sampled_from([("stays",), ("stays",), (), ("stays", "resync"), ("rain",)]),
        field=st.sampled_from(["", "", "", "", "run_id", "gate", "digest", "until", "cluster", "valid", "requester"]),
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
            and person in self.listed and person not in ("ana", "eve") and person not in before
            and not (person in ("cleo", "dora") and before & {"cleo", "dora"}) and waives == ("stays",)
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
        if self.gate.outcome == "approved":
            assert (refusal is None) == (person in self.listed and person in self.gate.yes)
            assert refusal is not None or person in self.gate.withdrawn
            return
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
        votes = self.gate.votes
        self.gate.recheck(votes, [self.proof(vote.said.by, good=True) for vote in votes], self.now)
        self.may_count &= self.listed
        if (approval := self.gate.open(self.now)) is not None:
            self.approval = approval
            people = {vote.said.by for vote in approval.votes}
            assert self.now < approval.terms.until
            assert people <= self.may_count <= self.listed - {"ana", "eve"}
            assert not people >= {"cleo", "dora"}
            assert len(people) >= 2
            assert people & {"cleo", "dora"}
            assert all(vote.said.digest == approval.terms.digest and not vote.claimed for vote in approval.votes)
            assert SAFETY not in approval.terms.vetoes

    @rule()
    def an_approval_is_used(self) -> None:
        if (approval := self.gate.approval) is None:
            return
        proofs = [self.proof(vote.said.by, good=True) for vote in approval.votes]
        why = licensed(approval, PLANNED[0], POLICY, proofs, self.now)
        people = {vote.said.by for vote in approval.votes} & self.listed - set(self.gate.withdrawn)
        assert approval.granted is not None
        enough = len(people) >= 2 and people & {"cleo", "dora"} and self.now < approval.granted + timedelta(hours=2)
        assert bool(why) != bool(enough), why
        assert licensed(approval, PLANNED[0].model_copy(update={"turn": 2}), POLICY, proofs, self.now)

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
