"""The critical path: for each instant of a trace the one span that the end was waiting for.

Read from the end backwards, as Jaeger and others do: of all children the one that ended last was waited for, before
its start the one that ended last before that, and in it the same again. What no child covers is the span's own time.
Of two that ran side by side the one that ended later is on the path. What only goes on beside the procedure (a claim, a
look that is cut off at the run's end) is waited for by nobody.
"""

from collections.abc import Iterable, Iterator

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


def _backwards(span: str, start: int, until: int, children: Iterable[Span], tree: Tree) -> Iterator[Stretch]:
    cursor = until
    for child in sorted(children, key=lambda one: (tree.end(one), one.start), reverse=True):
        ended, began = min(tree.end(child), cursor), max(child.start, start)
        if began >= ended or tree.beside(child):
            continue  # it ran beside what is on the path already, or took no time
        if ended < cursor:
            yield Stretch(span=span, start=ended, end=cursor)
        yield from _backwards(child.id, began, ended, tree.children(child), tree)
        cursor = began
    if start < cursor:
        yield Stretch(span=span, start=start, end=cursor)


def on_path(path: Iterable[Stretch], tree: Tree) -> frozenset[str]:
    """The spans that the path goes through: those with a stretch of their own, and what they lie in."""
    found: set[str] = set()
    for stretch in path:
        at = tree.spans.get(stretch.span)
        while at is not None and at.id not in found:
            found.add(at.id)
            at = tree.parent(at)
    return frozenset(found)
