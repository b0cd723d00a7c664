"""Where the time of a trace went: own times of its spans, by what was done or waited for.

The own time of a span is what none of its children covers. Spans that ran side by side count each for itself, so the
sum may be more than the trace took; what was on the critical path adds up to the whole.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Literal

from cluster.nouns import Value
from cluster.spans.model import Span
from cluster.spans.path import Stretch
from cluster.spans.tree import Tree

# What a span does while none of its children is under way.
Doing = Literal["api", "command", "people", "world", "engine"]

WAITS = "quorate.waits"  # an attribute of spans that wait: for people, or for the world


class Spent(Value):
    """One row: what, where, how many spans, and nanoseconds."""

    doing: Doing
    where: str = ""
    spans: int
    own: int
    critical: int

    @property
    def what(self) -> str:
        """In words."""
        match self.doing:
            case "api":
                return f"API calls to {self.where}"
            case "command":
                return f"commands on {self.where}"
            case "people":
                return "waiting for people"
            case "world":
                return "waiting for the world"
        return "the engine: Temporal, the worker, reading and deciding"


def doing(span: Span) -> tuple[Doing, str]:
    """What a span's own time is spent on, and with whom."""
    known = span.attributes
    host = str(known.get("server.address", ""))
    if "http.request.method" in known:
        return "api", host or "?"
    if "process.executable.name" in known or "process.command" in known:
        return "command", host or "?"
    match str(known.get(WAITS, "")):
        case "people":
            return "people", ""
        case "world":
            return "world", ""
    return "engine", ""


def own(span: Span, tree: Tree) -> int:
    """Nanoseconds of the span that no child of it covers."""
    covered, cursor = 0, span.start
    for child in tree.children(span):  # in the order of their start
        began, ended = max(child.start, cursor), min(tree.end(child), tree.end(span))
        if ended > began:
            covered += ended - began
            cursor = ended
    return tree.took(span) - covered


def spent(tree: Tree, path: Iterable[Stretch]) -> tuple[Spent, ...]:
    """The rows, what was longest on the critical path first."""
    critical: dict[str, int] = defaultdict(int)
    for stretch in path:
        critical[stretch.span] += stretch.took
    rows: dict[tuple[Doing, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for span in tree.spans.values():
        row = rows[doing(span)]
        row[0] += 1
        row[1] += own(span, tree)
        row[2] += critical[span.id]
    found = [Spent(doing=what, where=where, spans=n, own=o, critical=c) for (what, where), (n, o, c) in rows.items()]
    return tuple(sorted(found, key=lambda row: (-row.critical, -row.own, row.what)))
