"""What became of each vote, and of the gates at the end of their run: compared with what should have. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from cluster.approval import Approval, Audit, Decision, Terms, short
from cluster.audit.checks import Around, Became, Check, by_second, name, proofs, readable
from cluster.audit.explained import EARLIER, Explained, Rules, others, part
from cluster.audit.gates import Gates, as_given
from cluster.audit.line import Line
from cluster.ballot import NOTHING_ASKED, OVER, UNNAMED, Ballot, Unread, held, unchecked, uncounted, what_it_says
from cluster.gate import Gate
from cluster.units import counted

# What a run's timer is called while a gate is open.
_WAITS_FOR = "approvals of"
_ENDS, _RELEASE = ("abort", "cancel"), "release"
# The orders of one moment stand on record in any order, some milliseconds apart.
_MOMENT = timedelta(seconds=1)
# Between these two moments the run has thought: when the vote came, and when it was answered.
Between = tuple[datetime, datetime]


class Votes:
    """The votes of one execution of a run, over its gates."""

    def __init__(self, gates: Gates, lines: Sequence[Line], rules: Rules) -> None:
        self._gates, self._rules = gates, rules
        self._around = readable(Around.of, lines)
        # a run gives its claim back at its end
        ends = [line.at for line in lines if line.kind == "told" and line.data.get("message") == _RELEASE]
        self._ends = min(ends, default=None)
        self._asks = self._over = False

    def explained(self, line: Line) -> Iterator[Explained]:
        """What was decided with that line; the lines have to come in order."""
        if line.kind == "waits" and str(line.data.get("waits_for", "")).startswith(_WAITS_FOR):
            self._asks = True
        elif line.kind == "vote":
            yield self._voted(line)
        elif line.kind == "said" and line.data.get("message") in _ENDS and line.data.get("taken"):
            self._over = True
        elif line.kind == "closed":
            yield from self._closed(line)

    # --- one vote ----------------------------------------------------------------------------------------------

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
        terms = next((one for one in self._gates.terms if one.opened <= line.at), None)
        check = self._check_of(ballot, decision, terms, sent, line.at)
        said |= {"seen": self._measured_by(terms, check)}
        if check is not None and check.found is not None:
            said |= {"rules": check.found.rules, "today": others(check.found.rules, self._rules.gate)}
        if became.taken == "unanswered":
            return Explained(**said, found="right")
        expected = self._expected(ballot, decision, terms, check, became, (sent, line.at))
        if isinstance(expected, str):
            return Explained(**said, found="unknown", should=expected)
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
        between: Between,
    ) -> Became | str:
        """What should have become of a ballot; a sentence where the record does not hold enough to say so."""
        gate = self._gates.played.get(terms.number) if terms else None
        open_ = gate is None or gate.outcome == "open"
        said = what_it_says(ballot, decision, terms)
        if isinstance(said, Unread):
            if said.word != "Early" or not self._asks:
                return self._refused(said.by, decision, said.word, said.sentence)
            if not (ballot.by and ballot.by.strip()) or ballot.plan is None:  # a gate is open, of no known terms
                return self._refused(said.by, decision, "Unsigned", UNNAMED)
        asked = decision == "approve" and open_ and (terms is not None or self._asks)
        if asked and (why := self._holds(between)):
            return self._refused(said.by, decision, "Held", held(why))
        if isinstance(said, Unread):
            return "the terms of the gate are not on record: no vote was checked by then"
        if terms is None:
            return EARLIER if self._asks else self._refused(said.by, decision, "Early", NOTHING_ASKED)
        late = became == Became.refused("Late", OVER)
        if late and self._at_its_end(between[1]):
            return self._refused(said.by, decision, "Late", OVER)
        if check is None and late:
            return "that the run was at its end by then is not on record"
        if check is None:
            return Became.refused("Unchecked", "its signature was never looked at")
        if check.found is None:
            return self._refused(said.by, decision, "Unchecked", unchecked(check.failure))
        return self._counted(check, became, between)

    def _counted(self, check: Check, became: Became, between: Between) -> Became:
        gate, until = self._gates.gate(check), check.asked.terms.until
        late = became.word == "Late" and check.ended < until <= between[1]
        refusal = self._gates.hear(check, between[1] if late else check.ended)
        self._gates.answered(check)
        if refusal is not None:
            return Became.refused(refusal.word, refusal.sentence)
        if self._gates.unopened:
            why, self._gates.unopened = self._gates.unopened, ""
            return Became(taken=True, said=uncounted(why))
        return Became(taken=True, said=gate.answer(check.wish.votes[0]))

    def _at_its_end(self, moment: datetime) -> bool:
        """The run was being ended, or had done all that it was there for."""
        closed = any(gate.outcome in ("rejected", "expired") for gate in self._gates.played.values())
        return self._over or closed or (self._ends is not None and moment >= self._ends - _MOMENT)

    def _refused(self, by: str, decision: Decision, word: str, sentence: str) -> Became:
        self._gates.audit.append((by, decision, False, word, sentence))
        return Became.refused(word, sentence)

    def _holds(self, between: Between) -> str:
        """Why no yes was taken at that moment: what was seen of other runs while the vote was being answered."""
        seen = [one for one in self._around if between[0] <= one.scheduled and one.ended <= between[1]]
        return next((one.holds for one in seen if one.holds), "")

    def _check_of(
        self, ballot: Ballot, decision: Decision, terms: Terms | None, sent: datetime, answered: datetime
    ) -> Check | None:
        """The check of that very ballot, made between its coming and its answer."""
        said = what_it_says(ballot, decision, terms)
        for one in self._gates.unheard:
            vote = one.wish.votes[0]
            if (vote.said, vote.signature) == (said, ballot.signature or "") and sent <= one.scheduled <= answered:
                return one
        return None

    def _measured_by(self, terms: Terms | None, check: Check | None) -> tuple[str, ...]:
        """What a vote was measured by."""
        if terms is None:
            return ("no gate with its terms is on record by then",)
        gate = self._gates.played.get(terms.number)
        needed = f", {gate.policy.needed} needed" if gate else ""
        plan = f"plan {short(terms.plan)}, terms {short(terms.digest)}, until {by_second(terms.until)}{needed}"
        if check is None:
            return (f"{name(terms)}, {plan}", "its signature was not looked at")
        return (f"{name(terms)}, {plan}", f"counted before: {self._gates.before(check)}", *proofs(check))

    # --- the end -----------------------------------------------------------------------------------------------

    def _closed(self, line: Line) -> Iterator[Explained]:
        if not self._gates.played:
            return
        gate = self._gates.played[max(self._gates.played)]
        said = str(part(line, "failure").get("message", ""))
        if "too few approvals" in said or (gate.outcome == "open" and line.at >= gate.terms.until and not self._over):
            yield self._expired(line, gate, said)
        report = part(line, "report")
        if isinstance(report.get("approvals"), list):
            yield self._reported(line, gate, report)

    def _expired(self, line: Line, gate: Gate, said: str) -> Explained:
        missing = f"{gate.missing} by {by_second(gate.terms.until)}"
        wrong = ""
        if gate.outcome != "open":
            wrong = f"the gate was {gate.outcome}"
        elif line.at < gate.terms.until:
            wrong = f"votes were to be taken until {by_second(gate.terms.until)}"
        elif f"too few approvals: {missing}" not in said:
            wrong = f"the run should have ended with too few approvals: {missing}"
        gate.expire(line.at)
        self._gates.note(gate.audit[-1:])
        return Explained(
            n=line.n, at=line.at, kind="gate", what=f"{name(gate.terms)}: expired", seen=(f"until {missing}",),
            found="wrong" if wrong else "right", should=wrong,
        )  # fmt: skip

    def _reported(self, line: Line, gate: Gate, report: dict[str, Any]) -> Explained:
        """The report's own list of votes, and its approval."""
        told = [Audit.model_validate(one) for one in report["approvals"]]
        lines = [(one.by, one.what, one.accepted, one.word, one.sentence) for one in told]
        wrong = ""
        if other := [one for one in lines if lines.count(one) != self._gates.audit.count(one)]:
            wrong = f"the report tells of {other[0][0]}: {other[0][1]} otherwise than the votes on record"
        elif other := [one for one in self._gates.audit if self._gates.audit.count(one) != lines.count(one)]:
            wrong = f"the report leaves out {other[0][0]}: {other[0][1]}"
        given = Approval.model_validate(report["approval"]) if report.get("approval") else None
        if not wrong and given is not None and not as_given(given, gate.approval):
            wrong = "the report's approval is not the one that the gate has given"
        return Explained(
            n=line.n, at=line.at, kind="gate", what=f"report: {counted(len(lines), 'line')} on votes", seen=(),
            found="wrong" if wrong else "right", should=wrong,
        )  # fmt: skip
