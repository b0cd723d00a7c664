"""Made-up traces: spans by name, from and to in seconds, indented as they lie below each other."""

from textwrap import dedent
from typing import Any

from cluster.spans.model import Span
from cluster.spans.tree import Tree

SECOND = 1_000_000_000


def trace(text: str, **attributes: dict[str, Any]) -> list[Span]:
    """Lines such as ``step 0 4.5``; two spaces more lie below. An end of ``…`` is not there yet.

    `attributes` are those of the spans of that name. The id of a span is its name.
    """
    found: list[Span] = []
    above: list[Span] = []
    for line in filter(str.strip, dedent(text).splitlines()):
        name, start, end = line.split()
        depth = (len(line) - len(line.lstrip())) // 2
        del above[depth:]
        span = Span(
            trace="t",
            id=name,
            parent=above[-1].id if above else "",
            name=name,
            start=int(float(start) * SECOND),
            end=None if end == "…" else int(float(end) * SECOND),
            attributes=attributes.get(name, {}),
        )
        found.append(span)
        above.append(span)
    return found


def tree(text: str, **attributes: dict[str, Any]) -> Tree:
    """The same as a tree."""
    return Tree(trace(text, **attributes))
