"""The spans of a run: opened by the engine, in the run's own time, and the same again in every replay.

Whether anybody collects them is said by the process (`workers.telemetry`); without it all of this does nothing, and in
no case does it order anything of Temporal. A span's times are those of the workflow, from the history: a step that was
under way when its worker died is as long as it really took, and so is one that waited for a month.

Whatever ends a run ends all of its spans. Only a bug of ours does not: Temporal tries that task again, and its spans
are made anew, with the same ids.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
)
from opentelemetry.util.types import AttributeValue
from temporalio import workflow
from temporalio.exceptions import ApplicationError
from temporalio.workflow import ContinueAsNewError

from cluster.traces import root_of, trace_of

_TRACER = trace.get_tracer("quorate.runbook")  # does nothing until telemetry is configured
_BEGINNING: ContextVar[bool] = ContextVar("a root is being made", default=False)
_KEPT = "_quorate_trail"
# What is said in an attribute is for a glance: the record has it in full.
LETTERS = 300
# Stands in the headers of a run that goes on as a new one, where they name a cause and not the part before.
_CAUSE = TraceState([("quorate", "cause")])


@dataclass(eq=False)
class _Trail:
    """The root of this part of the run, once it has begun, and what is open under it."""

    root: Span | None = None
    open: list[Span] = field(default_factory=list)
    handed: SpanContext | None = None  # by the part before: the cause of what this one finds


def is_root() -> bool:
    """The span that is being made now is a run's root."""
    return _BEGINNING.get()


def trace_id() -> str:
    """The trace of this run: the same whether it is collected or not."""
    return trace_of(workflow.info().first_execution_run_id)


def remote(trace_hex: str, span_hex: str, *, sampled: bool = True) -> SpanContext:
    """A span of another process, by its ids."""
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    return SpanContext(int(trace_hex, 16), int(span_hex, 16), is_remote=True, trace_flags=flags)


def run_span(trace_hex: str) -> SpanContext:
    """The span that is the whole run of that trace."""
    return remote(trace_hex, root_of(trace_hex))


def of_run() -> Context:
    """Under this run's span, also where it has not begun yet or an earlier part of the run has made it."""
    root = _trail().root
    one = root if root is not None else NonRecordingSpan(run_span(trace_id()))
    return trace.set_span_in_context(one, Context())


@contextmanager
def run(name: str, parent: Context | None, cause: SpanContext | None) -> Iterator[Span]:
    """The whole run, or the part of it until it continues as new; at its end nothing of it is open any more.

    `parent` where it stands in the trace of another run. `cause` is what has started it, shown as a link.
    """
    info, trail = workflow.info(), _trail()
    first = parent is None and info.continued_run_id is None
    if parent is None:
        parent = Context() if first else of_run()
    about = {"quorate.run": info.workflow_id, "quorate.run_id": info.run_id, "quorate.runbook": info.workflow_type}
    began = int(info.workflow_start_time.timestamp() * 1e9)
    token = _BEGINNING.set(first)
    try:
        root = _TRACER.start_span(name, parent, SpanKind.SERVER, about, _links(cause), start_time=began)
    finally:
        _BEGINNING.reset(token)
    trail.root = root
    with _current(root, trail):
        yield root


@contextmanager
def handing_on(cause: SpanContext | None) -> Iterator[None]:
    """A run that goes on as a new one in this block takes that cause along, in the headers; see `handed_on`."""
    if cause is None or not cause.is_valid:
        yield
        return
    marked = SpanContext(cause.trace_id, cause.span_id, cause.is_remote, cause.trace_flags, _CAUSE)
    token = attach(trace.set_span_in_context(NonRecordingSpan(marked)))
    try:
        yield
    finally:
        detach(token)


def took_over(sender: SpanContext) -> None:
    """What the headers of a run say that goes on from another one."""
    if sender.trace_state.get("quorate") == _CAUSE.get("quorate"):
        _trail().handed = SpanContext(sender.trace_id, sender.span_id, sender.is_remote, sender.trace_flags)


def handed_on() -> SpanContext | None:
    """The cause that the part before this one has handed on."""
    return _trail().handed if workflow.in_workflow() else None


@contextmanager
def span(
    name: str,
    attributes: Mapping[str, AttributeValue] | None = None,
    *,
    parent: Context | None = None,
    cause: SpanContext | None = None,
) -> Iterator[Span]:
    """One thing that the run does or waits for, under what goes on here unless `parent` says otherwise."""
    trail = _trail()
    one = _TRACER.start_span(name, parent, attributes=attributes, links=_links(cause), start_time=workflow.time_ns())
    trail.open.append(one)
    with _current(one, trail):
        yield one


def lasted(name: str, length: timedelta, attributes: Mapping[str, AttributeValue]) -> None:
    """Something that is over now and went on beside the procedure; what took no time is an event of the run."""
    if length <= timedelta():
        event(name, attributes)
        return
    now = workflow.time_ns()
    began = now - int(length.total_seconds() * 1e9)
    _TRACER.start_span(name, of_run(), attributes=attributes, start_time=began).end(now)


def event(name: str, attributes: Mapping[str, AttributeValue], *, on: Span | None = None) -> None:
    """Something that happened at one moment; on the run's own span unless `on` says otherwise."""
    one = on if on is not None else _trail().root
    if one is not None:
        one.add_event(name, {key: said for key, said in attributes.items() if said != ""}, workflow.time_ns())


def here() -> SpanContext:
    """The span that is under way here, as a cause of what follows."""
    return trace.get_current_span().get_span_context()


def about_run(attributes: Mapping[str, AttributeValue]) -> None:
    """What is known of the run by now, on its span."""
    if (root := _trail().root) is not None:
        root.set_attributes({key: said for key, said in attributes.items() if said != ""})


def link(to: SpanContext, why: str) -> None:
    """What this run follows from, besides its own start."""
    if (root := _trail().root) is not None and to.is_valid:
        root.add_link(to, {"quorate.because": why})


def failed(one: Span, word: str, said: str = "") -> None:
    """It has not come to a good end: a word, and a sentence."""
    one.set_attribute("error.type", word)
    one.set_status(Status(StatusCode.ERROR, f"{word}: {said}"[:LETTERS] if said else word))


def _trail() -> _Trail:
    instance = workflow.instance()
    found: _Trail | None = getattr(instance, _KEPT, None)
    if found is None:
        found = _Trail()
        setattr(instance, _KEPT, found)
    return found


def _links(cause: SpanContext | None) -> Sequence[Link]:
    return [Link(cause)] if cause is not None and cause.is_valid else []


@contextmanager
def _current(one: Span, trail: _Trail) -> Iterator[None]:
    """What is begun meanwhile stands under it; it ends with the block, at the workflow's time."""
    token = attach(trace.set_span_in_context(one))
    try:
        yield
    except BaseException as error:
        if _ends(error):
            if not isinstance(error, ContinueAsNewError):
                failed(one, *_told(error))
            _end(one, trail)
        raise
    else:
        _end(one, trail)
    finally:
        detach(token)


def _end(one: Span, trail: _Trail) -> None:
    if one is trail.root:
        for left in reversed(trail.open):  # what goes on beside the procedure is over with it
            left.set_attribute("quorate.cut_off", value=True)
            left.end(workflow.time_ns())
        trail.open.clear()
    elif one in trail.open:
        trail.open.remove(one)
    else:
        return  # it was cut off with its run
    one.end(workflow.time_ns())


def _ends(error: BaseException) -> bool:
    """Whether it ends what it leaves; a bug does not, and neither does a run that only leaves the worker's memory."""
    if isinstance(error, GeneratorExit) or not workflow.in_workflow():
        return False
    return not isinstance(error, Exception) or workflow.is_failure_exception(error)


def _told(error: BaseException) -> tuple[str, str]:
    if isinstance(error, ApplicationError):
        return error.type or "Error", error.message
    if isinstance(error, asyncio.CancelledError):
        return "Stopped", ""
    return type(error).__name__, ""
