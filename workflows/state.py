"""What a run knows of itself: one object, which all parts of the engine share.

Parts read and write it and know nothing of each other's insides. `tell` shows what has changed on the page and in the
run list; whoever changes something that a person sees calls it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.approval import Audit
    from cluster.around import Hook, Occasion
    from workflows import spans
    from workflows.claim import Held
    from workflows.messages import Abort, Answer, Pause
    from workflows.page import Question
    from workflows.record import Record


@dataclass(eq=False)
class Running:
    """An activity that runs now, for the step of that title; `stopped` once the engine asked it to stop."""

    handle: workflow.ActivityHandle[Any]
    changing: bool
    title: str = ""
    stopped: bool = False

    def stop(self) -> None:
        """Ask it to stop where nothing is half done."""
        self.stopped = True
        self.handle.cancel()


@dataclass(eq=False)
class Parked:
    """A question that is open, and its answer once there is one."""

    question: Question
    answer: Answer | None = field(default=None)


@dataclass(eq=False)
class RunState:
    """All of it. `tell` is the run's own way to show itself."""

    tell: Callable[[], None]
    record: Record = field(default_factory=Record)

    # what it is
    headline: str = ""
    subject: str = ""  # the procedure and its cluster, ``deploy/metro``
    requester: str = ""
    inventory: str = ""  # the digest of the one that it goes by
    planned: str = ""  # what a plan came to, in a sentence
    links: list[tuple[str, str]] = field(default_factory=list)  # where it leads
    hooks: tuple[Hook, ...] = ()

    # what goes on
    main: "asyncio.Task[Any] | None" = None
    running: list[Running] = field(default_factory=list)
    parked: list[Parked] = field(default_factory=list)
    activities: int = 0  # how many were begun
    paused: Pause | None = None
    abort: Abort | None = None
    landing: bool = False
    alarms: dict[str, str] = field(default_factory=dict)

    # what is kept
    notes: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    hooked: set[str] = field(default_factory=set)
    audit: list[Audit] = field(default_factory=list)

    # how far it is
    begun: bool = False  # its claim is held: from now on every end lands
    claim: Held | None = None  # the id of its procedure, where it bears another one itself
    entered: bool = False  # the ledger counts it as being at work
    over: bool = False  # nothing can be said to it any more
    closed: bool = False  # the next run of its procedure may begin
    left: str | None = None  # the condition in which an ended run left things
    cause: str = ""  # why it failed
    word: str = ""  # its state, as the run list shows it
    approved: bool = False  # people have agreed to it, and want to know how it ended
    occasion: Occasion = "closed"  # of the notice of its end

    @property
    def cluster(self) -> str:
        """The cluster of the subject."""
        return self.subject.partition("/")[2].partition("/")[0]

    @property
    def ending(self) -> bool:
        """Aborted, or cancelled from outside."""
        return self.abort is not None or workflow.cancellation_reason() is not None

    @property
    def stopping(self) -> bool:
        """The same; no longer so while the landing itself is at work."""
        return not self.landing and self.ending

    @property
    def changing(self) -> bool:
        """A change is under way."""
        return any(running.changing for running in self.running)

    def stop_if_asked(self) -> None:
        """CancelledError when the run is being ended."""
        if self.stopping:
            raise asyncio.CancelledError

    async def resumed(self) -> None:
        """Wait as long as the run is paused."""
        self.tell()
        if (order := self.paused) is None:
            await workflow.wait_condition(lambda: self.paused is None)
            return
        about = {"quorate.waits_for": "people", "quorate.by": order.by or "", "quorate.why": order.why or ""}
        with spans.span("Paused", {key: said for key, said in about.items() if said}):
            await workflow.wait_condition(lambda: self.paused is None)

    def alarm(self, key: str, text: str) -> None:
        """What a person must know before anything else, until it is called off (empty text); state `attention`."""
        if text:
            self.alarms[key] = text
        else:
            self.alarms.pop(key, None)
        self.tell()
