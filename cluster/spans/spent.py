"""Where the time of a trace went: own times of its spans, by what was done or waited for.

The own time of a span is what none of its children covers; what only went on beside the procedure has none. Spans that
ran side by side count each for itself, so the sum may be more than the trace took; what was on the critical path adds
up to the whole. One span for many calls counts as those calls: the pauses between them are the attempt's.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Literal

from cluster.nouns import Value
from cluster.spans.model import Span
from cluster.spans.path import Stretch
from cluster.spans.tree import Tree

# What a span does while none of its children is under way.
Doing = Literal["api", "command", "people", "world", "engine", "other"]

STEP = "quorate.mark"  # an attribute of steps, by their end
ATTEMPT = "quorate.attempt"  # an attribute of the attempts of a step: the first is 1
WAITS = "quorate.waits_for"  # an attribute of spans that wait: for people, or for the world


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
                return "waiting for the world, between calls"
            case "other":
                return self.where
        return "the run itself: Temporal, deciding"


def doing(span: Span, tree: Tree) -> tuple[Doing, str]:
    """What a span's own time is spent on, and with whom.

    An attempt that makes no call waits for the next look; a step that had several attempts waited between them, and one
    that had none waited for what others found.
    """
    known = span.attributes
    if "process.executable.name" in known:
        return "command", str(known.get("quorate.host") or known.get("server.address", "?"))
    if "server.address" in known:
        port = known.get("server.port")
        return "api", f"{known['server.address']}{f':{port}' if port else ''}"
    if WAITS in known:
        return ("people" if known[WAITS] == "people" else "world"), ""
    below = tree.children(span)
    tried_again = any(int(child.attributes.get(ATTEMPT, 1)) > 1 for child in below)
    waits = ATTEMPT in known or tried_again or (STEP in known and not below)
    return ("world" if waits else "engine"), ""


def own(span: Span, tree: Tree) -> int:
    """Nanoseconds of the span that no child of it covers, those beside the procedure left out."""
    covered, cursor = 0, span.start
    for child in tree.children(span):  # in the order of their start
        began, ended = max(child.start, cursor), min(tree.end(child), tree.end(span))
        if ended > began and not tree.beside(child):
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
        if tree.beside(span) and not span.folded:
            continue
        row = rows[doing(span, tree)]
        row[0] += span.times
        row[1] += span.in_calls if span.folded else own(span, tree)
        row[2] += critical[span.id]
    found = [Spent(doing=what, where=where, spans=n, own=o, critical=c) for (what, where), (n, o, c) in rows.items()]
    return tuple(sorted(found, key=lambda row: (-row.critical, -row.own, row.what)))
