"""The calls that an attempt makes: which of them have a span of their own, and how many there were.

Where a wait asks the same again and again, only the first reads have spans of their own; the rest is counted. What
fails as it failed before makes one span, with a count, however long that goes on: a watch of a cluster that is dark
asks everybody each second. The first failure, every other kind of failure and the first answer after it have their own,
also where there is no room for more reads.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from time import time_ns

from opentelemetry.trace import INVALID_SPAN, Span
from opentelemetry.util.types import AttributeValue

from cluster.spans.model import IN_CALLS, TIMES

# Enough for the largest plan of ours; a look that goes on for an hour would leave thousands.
SHOWN = 200
# Room for what changes later: a source that comes and goes each second is no news after so many times.
NEWS = 200

About = dict[str, AttributeValue]
Begin = Callable[[str, About, int], Span]  # a span of that name, which began then
Fail = Callable[[Span, BaseException], str]  # the span says how it failed; the same in one text


@dataclass(eq=False)
class Call:
    """One call, and what is known of it; its span, where it has one from its beginning."""

    name: str
    about: About
    began: int
    reads: bool
    span: Span = INVALID_SPAN

    def __post_init__(self) -> None:
        self.to = (self.name, self.about.get("server.address"), self.about.get("server.port"))

    def tell(self, about: About, name: str = "") -> None:
        """What is known now."""
        self.about |= about
        self.span.set_attributes(about)
        if name:
            self.name = name
            self.span.update_name(name)


@dataclass(eq=False)
class _Failing:
    """Somebody who does not answer: how it failed last, and the span of all who failed like that after the first."""

    how: str
    again: Span = INVALID_SPAN
    times: int = 0
    took: int = 0
    last: int = 0

    def end(self) -> None:
        if self.times:
            self.again.set_attribute(IN_CALLS, self.took / 1e9)
            self.again.end(self.last)


@dataclass(eq=False)
class Calls:
    """Those of one attempt. Calls may come from several threads. `begin` and `fail` make spans, and tell failures."""

    begin: Begin
    fail: Fail
    made: int = 0
    failed: int = 0
    _news: int = 0
    _over: bool = False
    _failing: dict[object, _Failing] = field(default_factory=dict)
    _alone: threading.Lock = field(default_factory=threading.Lock)

    def begun(self, name: str, about: About, *, reads: bool) -> Call:
        """A call begins. One to somebody who does not answer waits for its end before it has a span."""
        call = Call(name, about, time_ns(), reads)
        with self._alone:
            self.made += 1
            if not reads or (self.made <= SHOWN and call.to not in self._failing):
                call.span = self.begin(name, about, call.began)
        return call

    def ended(self, call: Call, error: BaseException | None = None) -> None:
        """It has an answer, or has failed."""
        with self._alone:
            self.failed += error is not None
            if call.span is not INVALID_SPAN:
                how = self.fail(call.span, error) if error else ""
                call.span.end()
                self._learned(call, how)
            elif not self._over:
                self._told_late(call, error)

    def over(self) -> None:
        """The attempt ends; what comes later is nobody's any more."""
        with self._alone:
            self._over = True
            for one in self._failing.values():
                one.end()
            self._failing.clear()

    def _told_late(self, call: Call, error: BaseException | None) -> None:
        """One without a span: as before, which is counted, or news."""
        before = self._failing.get(call.to)
        how = self.fail(INVALID_SPAN, error) if error else ""
        if how == (before.how if before else ""):
            if before is not None and error is not None:
                self._again(before, call, error)
            return
        self._learned(call, how)
        if self.made > SHOWN:
            self._news += 1
        if self._news <= NEWS:
            span = self.begin(call.name, call.about, call.began)
            if error is not None:
                self.fail(span, error)
            span.end()

    def _again(self, before: _Failing, call: Call, error: BaseException) -> None:
        if not before.times:
            before.again = self.begin(call.name, call.about, call.began)
            self.fail(before.again, error)
        before.times += 1
        before.again.set_attribute(TIMES, before.times)  # whoever looks meanwhile sees that it is no single call
        before.last = time_ns()
        before.took += before.last - call.began

    def _learned(self, call: Call, how: str) -> None:
        """Whether that somebody answers now; a change that failed says nothing of the next read."""
        before = self._failing.get(call.to)
        if not call.reads or self._over or (before is not None and before.how == how):
            return
        if before is not None:
            before.end()
            del self._failing[call.to]
        if how:
            self._failing[call.to] = _Failing(how)
