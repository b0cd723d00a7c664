"""The gates of a run, played once more over the votes that came and the proofs that are on record. Pure.

Each vote is heard in the order in which it was answered: a gate counts one after the other. The moment in which the run
has thought is not on record, only what came just before and just after it; where both give another answer, either is
taken.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from cluster.approval import Approval, ApprovalPolicy, Audit, Bad, Decision, Good, Proof, Said, Terms, Vote, short
from cluster.audit.checks import ACTS_WITHIN, Around, Became, Begun, Check
from cluster.audit.explained import EARLIER, Explained, Rules, others, part
from cluster.audit.line import Line
from cluster.ballot import NOTHING_ASKED, OVER, UNNAMED, Ballot, Unread, held, unchecked, uncounted, what_it_says
from cluster.gate import Gate
from cluster.standing import UNCHECKED, Refusal
from cluster.units import counted, shortly

# What a run's timer is called while a gate is open.
_WAITS_FOR = "approvals of"
_ENDS = ("abort", "cancel")


class Gates:
    """The gates of one execution of a run. `lines` are all of its lines, in order."""

    def __init__(self, lines: Sequence[Line], rules: Rules) -> None:
        self._rules = rules
        self._checks = {check.n: check for check in _readable(Check.of, lines)}
        self._begun = sorted(_readable(Begun.of, lines), key=lambda one: one.scheduled)
        self._around = _readable(Around.of, lines)
        self._terms = sorted({c.asked.terms.number: c.asked.terms for c in self._checks.values()}.values(), key=_opened)
        self._gates: dict[int, Gate] = {}
        self._opened: dict[int, datetime] = {}
        self._unheard: list[Check] = []
        self._heard: dict[int, Refusal | None] = {}  # by the line of the check
        self._unopened = ""  # why the gate could not open after the last vote
        self._asks = self._over = False
        self._audit: list[tuple[str, str, bool, str, str]] = []

    def explained(self, line: Line) -> Iterator[Explained]:
        """What was decided with that line; the lines have to come in order."""
        if check := self._checks.get(line.n):
            yield from self._checked(check)
        elif line.kind == "waits" and str(line.data.get("waits_for", "")).startswith(_WAITS_FOR):
            self._asks = True
        elif line.kind == "vote":
            yield self._voted(line)
        elif line.kind == "said" and line.data.get("message") in _ENDS and line.data.get("taken"):
            self._over = True
        elif line.kind == "closed":
            yield from self._closed(line)

    # --- the checks of votes -----------------------------------------------------------------------------------

    def _gate(self, check: Check) -> Gate:
        asked = check.asked
        if asked.terms.number not in self._gates:
            policy = ApprovalPolicy.model_validate(asked.policy)
            self._gates[asked.terms.number] = Gate(terms=asked.terms, policy=policy, subject="", planned=())
        return self._gates[asked.terms.number]

    def _checked(self, check: Check) -> Iterator[Explained]:
        gate = self._gate(check)
        if check.asked.purpose == "vote":
            self._unheard.append(check)
        elif check.asked.purpose == "opening":
            yield from self._opening(check, gate)
        else:
            yield self._change(check, gate)

    def _hear(self, check: Check, at: datetime) -> Refusal | None:
        """Count the vote of that check, once."""
        if check.n not in self._heard:
            gate, vote = self._gate(check), check.wish.votes[0].model_copy(update={"at": at})
            proofs = check.found.proofs if check.found else ()
            before = len(gate.audit)
            self._heard[check.n] = gate.hear(vote, proofs[0] if proofs else UNCHECKED)
            self._audited(gate.audit[before:])
        return self._heard[check.n]

    def _opening(self, check: Check, gate: Gate) -> Iterator[Explained]:
        """All votes are looked at once more; then it opens, or does not."""
        said = {vote.said.by: vote for vote in check.wish.votes}
        for one in [one for one in self._unheard if one.wish.votes[0].said == _said_by(one, said)]:
            self._hear(one, said[one.wish.votes[0].said.by].at)
        gate.subject, gate.planned = check.asked.subject, check.asked.planned
        self._unopened = "" if check.found else check.failure
        if check.found is None:
            return
        names, held_before = tuple(gate.yes), gate.enough
        before = len(gate.audit)
        gate.recheck(check.wish.votes, check.found.proofs, check.ended)
        self._audited(gate.audit[before:])
        dropped = [one.by for one in gate.audit[before:]]
        gate.open(check.ended)
        if gate.outcome == "approved":
            gate.granted = self._opened[gate.terms.number] = check.ended
        what = f"{_name(gate.terms)}: " + ("opened" if gate.outcome == "approved" else f"stays closed: {gate.missing}")
        wrong = ""
        if tuple(said) != names or not held_before:
            wrong = f"counted were {_people(said)}; it should have been {_people(names)}"
        elif not gate.planned or not _whole(gate):
            wrong = f"the changes are not those of plan {short(gate.terms.plan)}"
        yield self._told(
            check,
            "gate",
            what,
            _proofs(check) + ((f"not counted any more: {', '.join(dropped)}",) if dropped else ()),
            wrong,
        )

    def _change(self, check: Check, gate: Gate) -> Explained:
        """Before a change: whether the approval still stands; and what was begun under it."""
        approval, later = gate.approval, self._next_change(check)
        until = later.ended if later else None
        begun = [
            one
            for one in self._begun
            if one.approval.terms.number == gate.terms.number
            and one.scheduled >= check.ended
            and (until is None or one.scheduled < until)
        ]
        why = "it could not be checked" if check.found is None else "this gate has given no approval"
        if approval is not None and check.found is not None:
            why = gate.standing.why_not(approval, check.found.proofs, check.ended)
        what = f"{_name(gate.terms)}: " + (
            f"begun: {shortly((one.title for one in begun), 3)}" if begun else "no change begun"
        )
        wrong = ""
        if why and begun:
            wrong = f"nothing should have begun: {why}"
        elif strange := [one.title for one in begun if not _as_given(one.approval, approval)]:
            wrong = f"{shortly(strange, 3)}: begun under another approval than the gate has given"
        stands = f"the approval stands no more: {why}" if why else f"the approval stands: {approval}"
        return self._told(check, "change", what, (*_proofs(check), stands), wrong)

    def _next_change(self, check: Check) -> Check | None:
        later = [
            one
            for one in self._checks.values()
            if one.asked.purpose == "change"
            and one.asked.terms.number == check.asked.terms.number
            and one.ended > check.ended
        ]
        return min(later, key=lambda one: one.ended, default=None)

    def _told(self, check: Check, kind: Any, what: str, seen: tuple[str, ...], wrong: str) -> Explained:
        then = check.found.rules if check.found else ""
        return Explained(
            n=check.n,
            at=check.ended,
            kind=kind,
            what=what,
            seen=seen,
            rules=then,
            today=others(then, self._rules.gate),
            found="wrong" if wrong else "right",
            should=wrong,
        )

    # --- votes -------------------------------------------------------------------------------------------------

    def _voted(self, line: Line) -> Explained:
        became = Became.of(line)
        by, what = str(line.data.get("by") or "no name given"), str(line.data.get("message"))
        said: dict[str, Any] = {"n": line.n, "at": line.at, "kind": "vote", "what": f"{what} by {by}: {became}"}
        try:
            ballot = Ballot.model_validate(line.data.get("said") or {})
        except ValidationError as error:
            return Explained(**said, found="unknown", should=f"the ballot cannot be read: {error.errors()[0]['msg']}")
        decision: Decision = "reject" if what == "reject" else "approve"
        sent = datetime.fromisoformat(str(line.data["sent"]))
        terms = next((one for one in reversed(self._terms) if one.opened <= line.at), None)
        check = self._check_of(ballot, decision, terms, sent, line.at)
        said |= {"seen": _ballot(terms, check, self._gates)}
        if check is not None and check.found is not None:
            said |= {"rules": check.found.rules, "today": others(check.found.rules, self._rules.gate)}
        if became.taken == "unanswered":
            return Explained(**said, found="right")
        expected = self._expected(ballot, decision, terms, check, became, (sent, line.at))
        if isinstance(expected, str):
            found = "wrong" if became.taken is True else "unknown"
            return Explained(**said, found=found, should=expected)
        if expected == became:
            return Explained(**said, found="right")
        return Explained(**said, found="wrong", should=f"it should have been {expected}")

    def _expected(
        self,
        ballot: Ballot,
        decision: Decision,
        terms: Terms | None,
        check: Check | None,
        became: Became,
        between: tuple[datetime, datetime],
    ) -> Became | str:
        """What should have become of a ballot; a sentence where the record does not hold enough to say so."""
        gate = self._gates.get(terms.number) if terms else None
        open_ = gate is None or gate.outcome == "open"
        if decision == "approve" and terms is not None and open_ and (why := self._holds(between)):
            return self._refused(what_it_says(ballot, decision, terms).by, decision, "Held", held(why))
        said = what_it_says(ballot, decision, terms)
        if isinstance(said, Unread):
            if said.word == "Early" and self._asks:  # a gate is open, and no vote has been checked by then
                if ballot.by and ballot.by.strip() and ballot.plan is not None:
                    return "the terms of the gate are not on record: no vote was checked by then"
                return self._refused(said.by, decision, "Unsigned", UNNAMED)
            return self._refused(said.by, decision, said.word, said.sentence)
        if terms is None:
            return EARLIER if self._asks else self._refused(said.by, decision, "Early", NOTHING_ASKED)
        if check is None:
            if became.taken is True:
                return "its signature was never checked: it should not have been counted"
            return self._late(said.by, decision, became)
        if check.found is None:
            return self._refused(said.by, decision, "Unchecked", unchecked(check.failure))
        if self._over and became == Became.refused("Late", OVER):
            return self._refused(said.by, decision, "Late", OVER)
        return self._counted(check, became, between)

    def _counted(self, check: Check, became: Became, between: tuple[datetime, datetime]) -> Became:
        gate, until = self._gate(check), check.asked.terms.until
        late = became.word == "Late" and check.ended < until <= between[1]
        refusal = self._hear(check, between[1] if late else check.ended)
        self._unheard = [one for one in self._unheard if one.n != check.n]
        if refusal is not None:
            return Became.refused(refusal.word, refusal.sentence)
        if self._unopened:
            why, self._unopened = self._unopened, ""
            return Became(taken=True, said=uncounted(why))
        return Became(taken=True, said=gate.answer(check.wish.votes[0]))

    def _late(self, by: str, decision: Decision, became: Became) -> Became | str:
        """It was not even checked: the run was at its end."""
        closed = any(gate.outcome in ("rejected", "expired") for gate in self._gates.values())
        if became == Became.refused("Late", OVER) and not (self._over or closed):
            return "that the run was at its end by then is not on record"
        return self._refused(by, decision, "Late", OVER)

    def _refused(self, by: str, decision: Decision, word: str, sentence: str) -> Became:
        self._audit.append((by, decision, False, word, sentence))
        return Became.refused(word, sentence)

    def _holds(self, between: tuple[datetime, datetime]) -> str:
        """Why no yes was taken at that moment: what was seen of other runs while the vote was being answered."""
        seen = [one for one in self._around if between[0] <= one.scheduled and one.ended <= between[1]]
        return next((one.holds for one in seen if one.holds), "")

    def _check_of(
        self, ballot: Ballot, decision: Decision, terms: Terms | None, sent: datetime, answered: datetime
    ) -> Check | None:
        """The check of that very ballot, made between its coming and its answer."""
        said = what_it_says(ballot, decision, terms)
        for one in self._unheard:
            vote = one.wish.votes[0]
            if (vote.said, vote.signature) == (said, ballot.signature or "") and sent <= one.scheduled <= answered:
                return one
        return None

    # --- the end -----------------------------------------------------------------------------------------------

    def _closed(self, line: Line) -> Iterator[Explained]:
        if not self._gates:
            return
        gate = self._gates[max(self._gates)]
        said = str(part(line, "failure").get("message", ""))
        if "too few approvals" in said or (gate.outcome == "open" and line.at >= gate.terms.until and not self._over):
            yield self._expired(line, gate, said)
        report = part(line, "report")
        if isinstance(report.get("approvals"), list):
            yield self._reported(line, gate, report)

    def _expired(self, line: Line, gate: Gate, said: str) -> Explained:
        missing = f"{gate.missing} by {gate.terms.until:%Y-%m-%d %H:%M:%S} UTC"
        wrong = ""
        if gate.outcome != "open":
            wrong = f"the gate was {gate.outcome}"
        elif line.at < gate.terms.until:
            wrong = f"votes were to be taken until {gate.terms.until:%Y-%m-%d %H:%M:%S} UTC"
        elif f"too few approvals: {missing}" not in said:
            wrong = f"the run should have ended with too few approvals: {missing}"
        gate.expire(line.at)
        self._audited(gate.audit[-1:])
        return Explained(
            n=line.n, at=line.at, kind="gate", what=f"{_name(gate.terms)}: expired", seen=(f"until {missing}",),
            found="wrong" if wrong else "right", should=wrong,
        )  # fmt: skip

    def _reported(self, line: Line, gate: Gate, report: dict[str, Any]) -> Explained:
        """The report's own list of votes, and its approval."""
        told = [Audit.model_validate(one) for one in report["approvals"]]
        lines = [(one.by, one.what, one.accepted, one.word, one.sentence) for one in told]
        wrong = ""
        if other := [one for one in lines if lines.count(one) != self._audit.count(one)]:
            wrong = f"the report tells of {other[0][0]}: {other[0][1]} otherwise than the votes on record"
        elif other := [one for one in self._audit if self._audit.count(one) != lines.count(one)]:
            wrong = f"the report leaves out {other[0][0]}: {other[0][1]}"
        given = Approval.model_validate(report["approval"]) if report.get("approval") else None
        if not wrong and given is not None and not _as_given(given, gate.approval):
            wrong = "the report's approval is not the one that the gate has given"
        return Explained(
            n=line.n, at=line.at, kind="gate", what=f"report: {counted(len(lines), 'line')} on votes", seen=(),
            found="wrong" if wrong else "right", should=wrong,
        )  # fmt: skip

    def _audited(self, lines: Sequence[Audit]) -> None:
        self._audit += [(one.by, one.what, one.accepted, one.word, one.sentence) for one in lines]


def _as_given(used: Approval, given: Approval | None) -> bool:
    """It is the approval that the gate gave: the same terms, the same votes, of that moment."""
    if given is None or used.terms != given.terms or used.planned != given.planned:
        return False
    if [vote.said for vote in used.votes] != [vote.said for vote in given.votes]:
        return False
    return used.granted is None or given.granted is None or abs(used.granted - given.granted) <= ACTS_WITHIN


def _whole(gate: Gate) -> bool:
    return Approval(terms=gate.terms, votes=(), subject=gate.subject, planned=gate.planned).whole


def _ballot(terms: Terms | None, check: Check | None, gates: dict[int, Gate]) -> tuple[str, ...]:
    """What a vote was measured by."""
    if terms is None:
        return ("no gate with its terms is on record by then",)
    gate = gates.get(terms.number)
    policy = f", {gate.policy.needed} needed" if gate else ""
    asks = f"{_name(terms)}, plan {short(terms.plan)}, terms {short(terms.digest)}, until {terms.until:%Y-%m-%d %H:%M:%S} UTC{policy}"
    return (asks, f"counted before: {_people(gate.yes if gate else ())}", *(_proofs(check) if check else ()))


def _proofs(check: Check) -> tuple[str, ...]:
    if check.found is None:
        return (f"not checked: {check.failure}",)
    return tuple(
        f"{vote.said.by}: {_proof(proof)}" for vote, proof in zip(check.wish.votes, check.found.proofs, strict=False)
    )


def _proof(proof: Proof) -> str:
    if isinstance(proof, Bad):
        return f"{proof.word}: {proof.sentence}"
    assert isinstance(proof, Good)  # noqa: S101  # there is no third
    return f"good signature by {proof.fingerprint}" if proof.fingerprint else "claimed, and listed"


def _said_by(check: Check, votes: dict[str, Vote]) -> Said | None:
    vote = votes.get(check.wish.votes[0].said.by)
    return vote.said if vote is not None and vote.signature == check.wish.votes[0].signature else None


def _name(terms: Terms) -> str:
    return f"gate {terms.number} {terms.title}"


def _people(names: Any) -> str:
    return ", ".join(names) or "nobody"


def _opened(terms: Terms) -> datetime:
    return terms.opened


def _readable(of: Any, lines: Sequence[Line]) -> list[Any]:
    """What can be read of the lines; what cannot, is as if it were not on record."""
    found = []
    for line in lines:
        try:
            one = of(line)
        except (ValidationError, KeyError):
            continue
        if one is not None:
            found.append(one)
    return found
