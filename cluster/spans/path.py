"""The critical path: for each instant of a trace the one span that the end was waiting for.

Read from the end backwards, as Jaeger and others do: of all children the one that ended last was waited for, before
its start the one that ended last before that, and in it the same again. What no child covers is the span's own time.
Of two that ran side by side the one that ended later is on the path. What only goes on beside the procedure (a claim, a
look that is cut off at the run's end) is waited for by nobody; what was stopped is on the path only while nothing else
was under way.
"""

from collections.abc import Iterable, Iterator, Sequence

from cluster.nouns import Value
from cluster.spans.model import Span
from cluster.spans.tree import Tree


class Stretch(Value):
    """From when to when a span was what the end was waiting for; `span` is empty between two roots."""

    span: str
    start: int
    end: int

    @property
    def took(self) -> int:
        """Nanoseconds."""
        return self.end - self.start


def critical_path(tree: Tree) -> tuple[Stretch, ...]:
    """The stretches in the order of time; they touch each other, and together are as long as the trace."""
    found = list(_backwards("", tree.start, tree.until, tree.roots, tree))
    return tuple(reversed(found))


def _backwards(span: str, start: int, until: int, children: Sequence[Span], tree: Tree) -> Iterator[Stretch]:
    waited = [child for child in children if not tree.beside(child) and not child.stopped]
    stopped = [child for child in children if not tree.beside(child) and child.stopped]
    cursor = until
    for child in sorted(waited or stopped, key=lambda one: (tree.end(one), one.start), reverse=True):
        ended, began = min(tree.end(child), cursor), max(child.start, start)
        if began >= ended:
            continue  # it ran beside what is on the path already, or took no time
        yield from _between(span, ended, cursor, stopped if waited else (), tree)
        yield from _backwards(child.id, began, ended, tree.children(child), tree)
        cursor = began
    yield from _between(span, start, cursor, stopped if waited else (), tree)


def _between(span: str, start: int, until: int, stopped: Sequence[Span], tree: Tree) -> Iterator[Stretch]:
    """What no child covers that came to its own end: one that was stopped, else the span itself."""
    if stopped and start < until:
        yield from _backwards(span, start, until, stopped, tree)
    elif start < until:
        yield Stretch(span=span, start=start, end=until)


def on_path(path: Iterable[Stretch], tree: Tree) -> frozenset[str]:
    """The spans that the path goes through: those with a stretch of their own, and what they lie in."""
    found: set[str] = set()
    for stretch in path:
        at = tree.spans.get(stretch.span)
        while at is not None and at.id not in found:
            found.add(at.id)
            at = tree.parent(at)
    return frozenset(found)
