"""The spans of a run as an indented text, which a test reads aloud."""

from collections.abc import Iterable, Sequence

from opentelemetry.sdk.trace import ReadableSpan

from cluster.traces import trace_of


def of_run(spans: Iterable[ReadableSpan], first_run_id: str | None) -> list[ReadableSpan]:
    """Those of one run's trace."""
    return [
        one
        for one in spans
        if one.context is not None and f"{one.context.trace_id:032x}" == trace_of(first_run_id or "")
    ]


def lines(spans: Sequence[ReadableSpan], *, calls: bool = False) -> list[str]:
    """Each span as its name, under its parent, in the order in which they began."""
    known = {one.context.span_id for one in spans if one.context}
    under: dict[int | None, list[ReadableSpan]] = {}
    for one in sorted(spans, key=lambda one: (one.start_time or 0, one.end_time or 0)):
        parent = one.parent.span_id if one.parent and one.parent.span_id in known else None
        under.setdefault(parent, []).append(one)

    def told(parent: int | None, depth: int) -> Iterable[str]:
        for one in under.get(parent, []):
            if not calls and one.kind.name == "CLIENT":
                continue
            yield "  " * depth + _said(one)
            yield from told(one.context.span_id if one.context else None, depth + 1)

    return list(told(None, 0))


def _said(one: ReadableSpan) -> str:
    word = (one.attributes or {}).get("error.type")
    return f"{one.name}" + (f" ✗ {word}" if word else "")
