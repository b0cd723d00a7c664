"""The gates of a run, played once more over the proofs that are on record. Pure.

A gate counts one vote after the other, and each is heard here in the order in which it was answered. The moment in
which the run has thought is not on record, only what came just before and just after it.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from cluster.approval import Approval, ApprovalPolicy, Audit, Terms, short
from cluster.audit.checks import ACTS_WITHIN, Begun, Check, name, named, proofs, readable
from cluster.audit.explained import Explained, Rules, What, others
from cluster.audit.line import Line
from cluster.gate import Gate
from cluster.standing import UNCHECKED, Refusal
from cluster.units import shortly

# One line of the list of votes, without its time.
Noted = tuple[str, str, bool, str, str]


class Gates:
    """The gates of one execution of a run. `lines` are all of its lines, in order.

    `unheard` are votes that were checked and not answered yet, `unopened` is why a gate could not open after the last
    vote, and `audit` the list of votes as it should be in the report.
    """

    def __init__(self, lines: Sequence[Line], rules: Rules) -> None:
        self.rules = rules
        self.checks = {check.n: check for check in readable(Check.of, lines)}
        self._begun = readable(Begun.of, lines)
        self.played: dict[int, Gate] = {}
        self.unheard: list[Check] = []
        self.unopened = ""
        self.audit: list[Noted] = []
        self._heard: dict[int, Refusal | None] = {}  # by the line of the check
        self._before: dict[int, str] = {}

    @property
    def terms(self) -> list[Terms]:
        """Those of every gate whose votes were ever checked, the newest first."""
        known = {check.asked.terms.number: check.asked.terms for check in self.checks.values()}
        return sorted(known.values(), key=lambda one: one.opened, reverse=True)

    def explained(self, line: Line) -> Iterator[Explained]:
        """The opening of a gate, or what was begun under its approval, where that line is a check for it."""
        check = self.checks.get(line.n)
        if check is None:
            return
        gate = self.gate(check)
        if check.asked.purpose == "vote":
            self.unheard.append(check)
        elif check.asked.purpose == "opening":
            yield from self._opening(check, gate)
        else:
            yield self._change(check, gate)

    def gate(self, check: Check) -> Gate:
        """The gate whose votes were checked."""
        asked = check.asked
        if asked.terms.number not in self.played:
            policy = ApprovalPolicy.model_validate(asked.policy)
            self.played[asked.terms.number] = Gate(terms=asked.terms, policy=policy, subject="", planned=())
        return self.played[asked.terms.number]

    def hear(self, check: Check, at: datetime) -> Refusal | None:
        """Count the vote of that check, once."""
        if check.n not in self._heard:
            gate, vote = self.gate(check), check.wish.votes[0].model_copy(update={"at": at})
            found, before = check.found.proofs if check.found else (), len(gate.audit)
            self._before[check.n] = named(gate.yes)
            self._heard[check.n] = gate.hear(vote, found[0] if found else UNCHECKED)
            self.note(gate.audit[before:])
        return self._heard[check.n]

    def before(self, check: Check) -> str:
        """Whose votes counted when that one was heard."""
        return self._before.get(check.n) or named(self.gate(check).yes)

    def answered(self, check: Check) -> None:
        """The vote of that check has been answered."""
        self.unheard = [one for one in self.unheard if one.n != check.n]

    def note(self, lines: Sequence[Audit]) -> None:
        """Lines that the list of votes should have."""
        self.audit += [(one.by, one.what, one.accepted, one.word, one.sentence) for one in lines]

    # --- opening -----------------------------------------------------------------------------------------------

    def _opening(self, check: Check, gate: Gate) -> Iterator[Explained]:
        """All votes are looked at once more; then it opens, or does not."""
        votes = {(vote.said, vote.signature): vote for vote in check.wish.votes}
        for one in list(self.unheard):
            vote = one.wish.votes[0]
            if counted := votes.get((vote.said, vote.signature)):
                self.hear(one, counted.at)
        gate.subject, gate.planned = check.asked.subject, check.asked.planned
        self.unopened = "" if check.found else check.failure
        if check.found is None:
            return
        asked, names, enough, before = (
            [vote.said.by for vote in check.wish.votes],
            list(gate.yes),
            gate.enough,
            len(gate.audit),
        )
        gate.recheck(check.wish.votes, check.found.proofs, check.ended)
        self.note(gate.audit[before:])
        gate.open(check.ended)
        dropped = tuple(f"not counted any more: {one.by} ({one.word})" for one in gate.audit[before:])
        wrong = ""
        if asked != names:
            wrong = f"{named(asked)} were counted; it should have been {named(names)}"
        elif not enough:
            wrong = f"the votes were not enough to open it: {gate.missing or 'a safety veto stands'}"
        elif not Approval(terms=gate.terms, votes=(), subject=gate.subject, planned=gate.planned).whole:
            wrong = f"its changes are not those of plan {short(gate.terms.plan)}"
        became = "opened" if gate.outcome == "approved" else f"stays closed: {gate.missing}"
        yield self._told(check, "gate", f"{name(gate.terms)}: {became}", (*proofs(check), *dropped), wrong)

    # --- changes -----------------------------------------------------------------------------------------------

    def _change(self, check: Check, gate: Gate) -> Explained:
        """Before a change: whether the approval still stands; and what was begun under it."""
        approval, begun = gate.approval, self._begun_after(check)
        why = "it could not be checked" if check.found is None else "this gate has given no approval"
        if approval is not None and check.found is not None:
            why = gate.standing.why_not(approval, check.found.proofs, check.ended)
        stands = f"the approval stands no more: {why}" if why else f"the approval stands: {approval}"
        titles = shortly((one.title for one in begun), 3)
        wrong = ""
        if why and begun:
            wrong = f"nothing should have begun: {why}"
        elif strange := [one.title for one in begun if not as_given(one.approval, approval)]:
            wrong = f"{shortly(strange, 3)}: begun under another approval than the gate has given"
        what = f"{name(gate.terms)}: " + (f"begun: {titles}" if begun else "no change begun")
        return self._told(check, "change", what, (*proofs(check), stands), wrong)

    def _begun_after(self, check: Check) -> list[Begun]:
        """What was begun under that gate's approval before its votes were checked once more."""
        number = check.asked.terms.number
        later = [
            one.ended
            for one in self.checks.values()
            if one.asked.purpose == "change" and one.asked.terms.number == number and one.ended > check.ended
        ]
        until = min(later, default=None)
        ours = [one for one in self._begun if one.approval.terms.number == number and one.scheduled >= check.ended]
        return sorted((one for one in ours if until is None or one.scheduled < until), key=lambda one: one.scheduled)

    def _told(self, check: Check, kind: What, what: str, seen: tuple[str, ...], wrong: str) -> Explained:
        then = check.found.rules if check.found else ""
        return Explained(
            n=check.n,
            at=check.ended,
            kind=kind,
            what=what,
            seen=seen,
            rules=then,
            today=others(then, self.rules.gate),
            found="wrong" if wrong else "right",
            should=wrong,
        )


def as_given(used: Approval, given: Approval | None) -> bool:
    """It is the approval that the gate gave: the same terms, changes and votes, of that moment."""
    if given is None or used.terms != given.terms or used.planned != given.planned:
        return False
    if [(vote.said, vote.signature) for vote in used.votes] != [(vote.said, vote.signature) for vote in given.votes]:
        return False
    return used.granted is None or given.granted is None or abs(used.granted - given.granted) <= ACTS_WITHIN
