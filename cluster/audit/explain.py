"""Each judgement of a run computed anew from what is on record, and compared with what was decided. Pure.

Verdicts and the incidents that were opened for them; votes, the opening of gates and what was begun under an approval;
what was said of the fencing of nodes. Nothing is judged here by a rule of its own: the functions are those that the run
itself has asked.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby

from pydantic import ValidationError

from cluster.audit import fences, verdicts
from cluster.audit.explained import Explained, Rules, What
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
            yield from _read("verdict", line, lambda one: verdicts.explained(one, at_hand))
            yield from _read("incident", line, openings.explained)
            yield from _read("fencing", line, lambda one: fences.explained(one, at_hand))
            yield from _read("gate", line, gates.explained)
            yield from _read("vote", line, votes.explained)


def _read(kind: What, line: Line, explains: Callable[[Line], Iterator[Explained]]) -> list[Explained]:
    """The judgements of that line; a line of another shape than ours ends no explanation of the others."""
    try:
        return list(explains(line))
    except ValidationError as error:
        why = error.errors()[0]["msg"]
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        why = f"{type(error).__name__}: {error}"
    should = f"today's version cannot read this line: {why}"
    return [Explained(n=line.n, at=line.at, kind=kind, what=line.what, found="unknown", should=should)]
