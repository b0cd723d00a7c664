"""The spans of one trace as a tree in time.

A span lies below its parent as long as the parent is under way. Temporal's instant spans ("start this activity") end
before what they started begins, and a run of days goes on as another one whose parent has ended: such a span is lifted
to the nearest ancestor that is still under way, so that durations add up.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from cluster.spans.model import Span


class Tree:
    """Spans by id, children in the order of their start, roots first of all.

    A span whose parent is not among them is a root as well: the parent has not ended, or is not kept any more.
    """

    def __init__(self, spans: Iterable[Span]) -> None:
        self.spans = {span.id: span for span in sorted(spans, key=lambda span: (span.start, span.end or 0, span.id))}
        known = self.spans.values()
        self.start = min((span.start for span in known), default=0)
        # as far as is known: nothing is said about the time after the newest span
        self.until = max((max(span.start, span.end or 0) for span in known), default=0)
        self.roots: list[Span] = []
        self._beside = {span.id for span in known if _beside(span)}
        self._parents: dict[str, Span] = {}
        self._children: dict[str, list[Span]] = defaultdict(list)
        for span in known:
            above = self._above(span)
            if above is None:
                self.roots.append(span)
            else:
                self._children[above.id].append(span)
                self._parents[span.id] = above

    def children(self, span: Span) -> list[Span]:
        """What lies directly below it."""
        return self._children.get(span.id, [])

    def parent(self, span: Span) -> Span | None:
        """What it lies in; None of a root."""
        return self._parents.get(span.id)

    def end(self, span: Span) -> int:
        """When it ended; of one that is under way, the newest time that the trace knows."""
        return self.until if span.end is None else max(span.end, span.start)

    def took(self, span: Span) -> int:
        """Nanoseconds from start to end, so far."""
        return self.end(span) - span.start

    def took_of(self, spans: Iterable[Span]) -> int:
        """Nanoseconds of all of them; of calls that one span stands for, without the pauses between them."""
        return sum(span.in_calls if span.folded else self.took(span) for span in spans)

    def beside(self, span: Span) -> bool:
        """It only goes on beside the procedure, or lies in something that does: nobody waits for its end."""
        while span.id not in self._beside:
            above = self._parents.get(span.id)
            if above is None:
                return False
            span = above
        return True

    def below(self, span: Span) -> Iterator[Span]:
        """Everything in it, in the order of the tree."""
        for child in self.children(span):
            yield child
            yield from self.below(child)

    @property
    def under_way(self) -> list[Span]:
        """Those that have not ended."""
        return [span for span in self.spans.values() if span.end is None]

    @property
    def orphans(self) -> list[Span]:
        """Roots that name a parent which is not among the spans."""
        return [span for span in self.roots if span.parent and span.parent not in self.spans]

    def _above(self, span: Span) -> Span | None:
        passed = {span.id}
        above = self.spans.get(span.parent)
        while above is not None and above.id not in passed and self._was_over(above, span):
            passed.add(above.id)
            above = self.spans.get(above.parent)
        return None if above is None or above.id in passed else above

    def _was_over(self, above: Span, span: Span) -> bool:
        return span.start >= self.end(above) and span.start > above.start


def _beside(span: Span) -> bool:
    """A claim lasts as long as its run; what was cut off ended because the run did; nobody waits for no answer."""
    known = span.attributes
    claims = known.get("quorate.runbook") == "Claim" and "quorate.run" in known
    return bool(known.get("quorate.cut_off")) or claims or span.folded
