"""What people see is what they sign: each field of a vote and of its terms, changed, is refused by gate and licence."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from activities.clients.secrets import Secrets
from activities.people.approvals import Approvals
from cluster.approval import Approval, ApprovalPolicy, Said, Terms, Veto, Vote, statement
from cluster.contracts.people import VerifyFinding, VerifyWish
from cluster.evacuation import maintenance
from cluster.gate import Gate
from cluster.plan import Intent, whole_digest
from tests.failback.people import Person, list_of

NOW = datetime.now(UTC)
PLANNED = (maintenance("pxmx01-01", on=True, turn=1), maintenance("pxmx01-02", on=True, turn=2))
SUBJECT = "evacuate-site/metro"
COMFORT = Veto(name="unmanaged-300", text="vm:300 is not under HA")
TERMS = Terms(
    cluster="metro", run=SUBJECT, run_id="1", number=1, title="Empty site-a", requester="ana",
    plan=whole_digest(SUBJECT, PLANNED), conditions=("site-b holds",), vetoes=(COMFORT,), risk="no redundancy",
    opened=NOW, until=NOW + timedelta(hours=1), valid=timedelta(hours=24),
)  # fmt: skip
POLICY = ApprovalPolicy(needed=2)

SAID = {
    "decision": "reject", "cluster": "other", "run": "failback/metro", "run_id": "2",
    "gate": "2 Empty site-a", "requester": "dora", "plan": "0" * 64, "digest": "0" * 64,
    "until": "2099-01-01T00:00:00Z", "valid": "9000 h after enough people have agreed",
    "waives": (COMFORT.name, "resync"), "why": "so it is", "by": "dora",
}  # fmt: skip
CHANGED = {
    "cluster": "other", "run": "failback/metro", "run_id": "2", "number": 2, "title": "Empty site-b",
    "plan": whole_digest(SUBJECT, PLANNED[:1]), "conditions": (), "vetoes": (), "requester": "dora", "risk": "none",
    "opened": NOW - timedelta(hours=1), "until": NOW + timedelta(hours=2), "valid": timedelta(days=30),
}  # fmt: skip


class Office:
    """Ben and Cleo on a list, and a licence that is asked for."""

    def __init__(self, folder: Path) -> None:
        self.people = {name: Person(name) for name in ("ben", "cleo")}
        list_of(folder / "allowed_signers", *self.people.values())
        self.approvals = Approvals(POLICY, Secrets(folder), cluster="metro", ask=self.run_itself)
        self.held: Approval | None = None

    async def run_itself(self, _: Terms) -> Approval | None:
        return self.held

    def signed(self, said: Said, by: str) -> Vote:
        """Signed by that person's own key, whatever it says."""
        return Vote(said=said, signature=self.people[by].signs(said.text)["signature"], at=NOW)

    def votes(self, terms: Terms) -> list[Vote]:
        return [self.signed(statement(terms, by, (COMFORT.name,)), by) for by in self.people]

    async def opens(self, terms: Terms, votes: list[Vote]) -> bool:
        """A gate with these terms opens by these votes."""
        gate = Gate(terms=terms, policy=POLICY, subject=SUBJECT, planned=PLANNED)
        found = await self.approvals.verify(VerifyWish(votes=tuple(votes)))
        for vote, proof in zip(votes, found.proofs, strict=True):
            gate.hear(vote, proof)
        return gate.open(NOW) is not None

    async def licenses(self, terms: Terms, votes: list[Vote], intent: Intent = PLANNED[0], **more: object) -> str:
        """Why it does not license that change; empty when it does."""
        approval = Approval(terms=terms, votes=tuple(votes), subject=SUBJECT, planned=PLANNED, granted=NOW)
        approval = approval.model_copy(update=more)
        self.held = self.held or approval
        try:
            await self.approvals.licence(approval, intent)
        except ApplicationError as error:
            return f"{error.type}: {error.message}"
        return ""


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


async def test_what_was_signed_opens_and_licenses(office: Office):
    """The gate opens, and each change of the plan may be made."""
    votes = office.votes(TERMS)
    assert await office.opens(TERMS, votes)
    assert [await office.licenses(TERMS, votes, intent) for intent in PLANNED] == ["", ""]


async def test_each_field_of_a_vote_is_signed(office: Office):
    """Ben signs a text with one field changed: his vote counts nowhere."""
    good = office.votes(TERMS)
    gate, licence = [], []
    for field in Said.model_fields:
        said = good[0].said.model_copy(update={field: SAID[field]})
        votes = [office.signed(said, "ben"), good[1]]
        gate += [field] if not await office.opens(TERMS, votes) else []
        licence += [field] if await office.licenses(TERMS, votes) else []
    fields = list(Said.model_fields)
    print(f"Said: {len(fields)} fields, {len(gate)} refused by the gate, {len(licence)} refused by the licence")
    assert gate == licence == fields


async def test_each_field_of_the_terms_is_signed(office: Office):
    """Two have signed; then one field of what they were asked is another: their votes count nowhere."""
    votes = office.votes(TERMS)
    gate, licence = [], []
    for field in Terms.model_fields:
        terms = TERMS.model_copy(update={field: CHANGED[field]})
        assert terms.digest != TERMS.digest
        office.held = None
        gate += [field] if not await office.opens(terms, votes) else []
        licence += [field] if await office.licenses(terms, votes) else []
    fields = list(Terms.model_fields)
    print(f"Terms: {len(fields)} fields, {len(gate)} refused by the gate, {len(licence)} refused by the licence")
    assert gate == licence == fields


async def test_no_other_plan_is_licensed(office: Office):
    """Neither under the signed digest, nor by another procedure, nor a change that is not in it."""
    votes = office.votes(TERMS)
    other = maintenance("pxmx02-01", on=True, turn=1)
    assert "not part of the approved plan" in await office.licenses(TERMS, votes, other)
    assert "not part of the approved plan" in await office.licenses(TERMS, votes, other, planned=(other,))
    assert "not part of the approved plan" in await office.licenses(TERMS, votes, subject="return-site/metro")


async def test_two_signed_noes_are_no_licence(office: Office):
    """A no is never a yes, whoever has collected it."""
    noes = [office.signed(statement(TERMS, by, (), "reject"), by) for by in office.people]
    assert "0 of 2 approvals; not counted: ben (Tampered), cleo (Tampered)" in await office.licenses(TERMS, noes)


async def test_one_vote_twice_is_one(office: Office):
    """Under one name or two, with one key."""
    vote = office.votes(TERMS)[0]
    assert "1 of 2 approvals" in await office.licenses(TERMS, [vote, vote])


async def test_what_was_approved_for_another_cluster_is_no_licence_here(office: Office):
    """A namespace may serve several clusters, and a plan of one looks like a plan of the other."""
    other = TERMS.model_copy(update={"cluster": "other"})
    assert "it was approved for other, this is metro" in await office.licenses(other, office.votes(other))


async def test_an_approval_lives_for_its_time_and_no_longer(office: Office):
    """`valid` from the moment in which the gate opened; never longer than that after the last moment to vote."""
    short = TERMS.model_copy(update={"valid": timedelta(hours=2), "until": NOW - timedelta(hours=1)})
    votes = [vote.model_copy(update={"at": NOW - timedelta(hours=3)}) for vote in office.votes(short)]
    assert await office.licenses(short, votes, granted=NOW - timedelta(hours=1, minutes=30)) == ""
    assert "expired" in await office.licenses(short, votes, granted=NOW - timedelta(hours=2, minutes=1))
    short = short.model_copy(update={"until": NOW - timedelta(hours=2, minutes=1)})
    assert "expired" in await office.licenses(short, office.votes(short), granted=NOW)


async def test_a_withdrawn_approval_reaches_the_activity(office: Office):
    """Kept in the approval, or only known to the run by now: the change is not made."""
    votes = office.votes(TERMS)
    no = office.signed(statement(TERMS, "ben", (), "reject"), "ben")
    why = "1 of 2 approvals; not counted: ben (withdrawn)"
    assert why in await office.licenses(TERMS, votes, withdrawn=(no,))

    whole = Approval(terms=TERMS, votes=tuple(votes), subject=SUBJECT, planned=PLANNED, granted=NOW)
    office.held = whole.model_copy(update={"withdrawn": (no,)})
    assert why in await office.licenses(TERMS, votes)


async def test_a_run_that_does_not_hold_the_approval_licenses_nothing(office: Office):
    """It has ended, or its gate of that number was another one."""
    votes = office.votes(TERMS)
    approvals = Approvals(POLICY, Secrets(Path()), ask=office.run_itself)
    approvals.verify = office.approvals.verify  # type: ignore[method-assign]
    with pytest.raises(ApplicationError, match="does not hold that approval any more"):
        await approvals.licence(Approval(terms=TERMS, votes=tuple(votes), subject=SUBJECT, planned=PLANNED), PLANNED[0])
    office.held = Approval(
        terms=TERMS.model_copy(update={"title": "another"}), votes=(), subject=SUBJECT, planned=PLANNED
    )
    assert "does not hold that approval any more" in await office.licenses(TERMS, votes)


async def test_in_doubt_nothing_is_changed(office: Office, tmp_path: Path):
    """Nothing answers for the run: tried again later, and not changed now."""
    approval = Approval(terms=TERMS, votes=tuple(office.votes(TERMS)), subject=SUBJECT, planned=PLANNED)
    with pytest.raises(ApplicationError, match="cannot be asked whether its approval stands") as doubt:
        await Approvals(POLICY, Secrets(tmp_path), cluster="metro").licence(approval, PLANNED[0])
    assert doubt.value.type == "Unreachable"
    assert not doubt.value.non_retryable


async def test_nothing_that_was_not_checked_is_good():
    """A proof has no default, and a vote without one does not count."""
    with pytest.raises(ValueError, match="Unable to extract tag"):
        VerifyFinding.model_validate({"finding": "", "proofs": [{}]})
    gate = Gate(terms=TERMS, policy=POLICY, subject=SUBJECT, planned=PLANNED)
    counted, refused = gate.standing.recount([Vote(said=statement(TERMS, "ben", (COMFORT.name,)), at=NOW)], [])
    assert (counted, refused["ben"].word) == ({}, "Unchecked")
