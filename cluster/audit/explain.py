"""Each judgement of a run computed anew from what is on record, and compared with what was decided. Pure.

Verdicts and the incidents that were opened for them; votes, the opening of gates and what was begun under an approval;
what was said of the fencing of nodes. Nothing is judged here by a rule of its own: the functions are those that the run
itself has asked.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby

from cluster.audit import fences, verdicts
from cluster.audit.explained import Explained, Rules
from cluster.audit.gates import Gates
from cluster.audit.line import Line
from cluster.audit.openings import Openings
from cluster.audit.votes import Votes


def explained(lines: Iterable[Line], rules: Rules | None = None) -> Iterator[Explained]:
    """The decisions of a record, in its order. `rules` are the versions at hand, to tell where those of then differ."""
    at_hand, openings = rules or Rules(), Openings()
    for _, execution in groupby(lines, key=lambda line: line.execution):
        whole = list(execution)
        gates = Gates(whole, at_hand)
        votes = Votes(gates, whole, at_hand)
        for line in whole:
            yield from verdicts.explained(line, at_hand)
            yield from openings.explained(line)
            yield from fences.explained(line, at_hand)
            yield from gates.explained(line)
            yield from votes.explained(line)
