"""The spans of a run as an indented text, which a test reads aloud."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from cluster.traces import root_of, trace_of


def of_run(spans: Iterable[ReadableSpan], first_run_id: str | None) -> list[ReadableSpan]:
    """Those of one run's trace."""
    return of_trace(spans, trace_of(first_run_id or ""))


def of_trace(spans: Iterable[ReadableSpan], trace: str) -> list[ReadableSpan]:
    """Those of one trace."""
    return [one for one in spans if one.context is not None and f"{one.context.trace_id:032x}" == trace]


def lines(spans: Sequence[ReadableSpan], *, calls: bool = False, beside: Sequence[str] = ()) -> list[str]:
    """Each span as its name, under its parent, in the order in which they began; calls outside only where wanted.

    What began at the same moment stands in the order of names. `beside` are names that are left out with all of theirs.
    """
    known = {one.context.span_id for one in spans if one.context}
    under: dict[int | None, list[ReadableSpan]] = {}
    for one in sorted(spans, key=lambda one: (one.start_time or 0, one.name)):
        parent = one.parent.span_id if one.parent and one.parent.span_id in known else None
        under.setdefault(parent, []).append(one)

    def told(parent: int | None, depth: int) -> Iterator[str]:
        for one in under.get(parent, []):
            if (one.kind is SpanKind.CLIENT and not calls) or one.name in beside:
                continue
            yield "  " * depth + _said(one)
            yield from told(one.context.span_id if one.context else None, depth + 1)

    return list(told(None, 0))


def shape(spans: Sequence[ReadableSpan], *, beside: Sequence[str] = ()) -> list[str]:
    """The same for what goes on at the same time, in whatever order: by name, and what looks the same only once."""

    def told(at: int, depth: int) -> tuple[list[list[str]], int]:
        blocks: list[list[str]] = []
        while at < len(found) and _depth(found[at]) == depth:
            inner, end = told(at + 1, depth + 1)
            blocks.append([found[at], *(line for block in inner for line in block)])
            at = end
        return [list(one) for one in sorted({tuple(block) for block in blocks})], at

    found = lines(spans, beside=beside)
    blocks, _ = told(0, 0)
    return [line for block in blocks for line in block]


def _depth(line: str) -> int:
    return (len(line) - len(line.lstrip(" "))) // 2


def _said(one: ReadableSpan) -> str:
    """The name, and the word of what has failed; events of a wait behind it."""
    word = (one.attributes or {}).get("error.type")
    # a line of the page that took no time is an event too
    said = [event for event in one.events if "quorate.mark" not in (event.attributes or {})]
    events = ", ".join(_event(event.name, event.attributes or {}) for event in said)
    return one.name + (f" ✗ {word}" if word else "") + (f" ({events})" if events else "")


def _event(name: str, about: object) -> str:
    said = dict(about)  # type: ignore[call-overload]
    word = f" {said['quorate.word']}" if "quorate.word" in said else ""
    return f"{name} {said.get('quorate.by', '')}{word}".strip()


def misfits(spans: Sequence[ReadableSpan], trace: str) -> list[str]:
    """What is wrong with a trace: an id that comes twice, a span without end or parent, another root."""
    ids = Counter(one.context.span_id for one in spans if one.context)
    known = {*ids, int(root_of(trace), 16)}
    found = [f"{times} spans have the id {span:016x}" for span, times in ids.items() if times > 1]
    found += [f"{one.name} has no end" for one in spans if one.end_time is None]
    found += [f"{one.name} ends before it begins" for one in spans if (one.end_time or 0) < (one.start_time or 0)]
    found += [f"{one.name} has no parent here" for one in spans if one.parent and one.parent.span_id not in known]
    roots = [one.name for one in spans if one.parent is None]
    return found + ([] if len(roots) == 1 else [f"roots: {roots}"])
