"""How a run shows itself: its page, its sentence, its links, its state in the run list."""

from collections.abc import Sequence
from typing import Protocol
from urllib.parse import quote

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.answers.model import URGENCIES, Answer, Urgency, together
    from cluster.moments import Times
    from cluster.units import counted
    from workflows import attributes, spans
    from workflows.asking import HELD, of_alarm, of_end, of_gate, of_question
    from workflows.claim import address
    from workflows.gate import Gates
    from workflows.page import Sheet, StepRecord, render
    from workflows.state import RunState
    from workflows.words import ended, going_on

ENDED = ("done", "failed", "aborted")


class Says(Protocol):
    """What a run says of itself in its own words."""

    @property
    def answers(self) -> tuple[Answer, ...]:
        """What else a person has to know or to do, though no step has parked and no gate is open."""

    @property
    def idle(self) -> str:
        """What the run does while no step is under way."""

    @property
    def then(self) -> str:
        """What follows from a failure of the run."""

    @property
    def closing(self) -> str:
        """What is said of one that ended well."""

    def under_way(self) -> Sequence[StepRecord]:
        """The lines that tell what it does now."""


class Face:
    """The part of a run that people see."""

    def __init__(self, state: RunState, gates: Gates, run: Says) -> None:
        self.state, self._gates, self._run = state, gates, run
        self._urgency: Urgency = "nothing"  # as the run list shows it

    def sheet(self) -> Sheet:
        """All that the page is made of."""
        changes, doubtful = self.state.record.changes, self.state.record.doubtful
        before = f"{counted(len(changes), 'change')}, the last one {changes[-1]}" if changes else "nothing"
        if doubtful:
            before += f"; begun last, not confirmed: {doubtful[-1]}"
        return Sheet(
            headline=self.state.headline,
            now=self._now(),
            questions=tuple(parked.question for parked in self.state.parked),
            before=before,
            gate=self._gates.question,
            notes=tuple(self.state.skipped + self.state.notes),
            sections=self.state.record.sections,
            links=self._links(),
            answer=together(self._told()),
            times=Times(t0=self.state.record.began, speed=self.state.record.speed),
            trace=spans.trace_id(),
        )

    @property
    def answer(self) -> Answer:
        """What a person has to do about this run now."""
        if self.state.word in ENDED:
            return of_end(self.state.word, self._now(), self._run.then)
        now = Answer(about="run", urgency="nothing", title=self._now().rstrip("."))
        return together((*self._told(), *self._waiting())) or now

    def _told(self) -> tuple[Answer, ...]:
        """What has no place of its own on the page."""
        if self.state.word in ENDED:
            return ()
        return (*(of_alarm(key, text) for key, text in self.state.alarms.items()), *self._run.answers)

    def _waiting(self) -> tuple[Answer, ...]:
        """Parked steps, and the gate."""
        run, gate = workflow.info().workflow_id, self._gates.view() if self._gates.asking else None
        parked = tuple(of_question(run, one.question) for one in self.state.parked if one.answer is None)
        return (*parked, *((of_gate(run, gate),) if gate is not None else ()))

    def _now(self) -> str:
        if self.state.word == "done" and self._run.closing:
            return f"Done. {self._run.closing}"
        if self.state.word in ENDED:
            known, record = self.state, self.state.record
            by = known.abort.signed if known.abort else ""
            told = ended(
                known.word, list(record.steps()), len(record.changes), known.left, known.planned, by, self._run.then
            )
            return f"Failed: {known.cause.rstrip('.')}. {known.left} {told}" if known.word == "failed" else told
        held = [text for key, text in self.state.alarms.items() if key in HELD]
        said = going_on(
            self._condition(),
            self._run.under_way(),
            self.asking(),
            changing=self.state.changing,
            paused=self.state.paused.signed if self.state.paused else None,
            idle=self._run.idle,
        )
        return " ".join((*held, said))

    def asking(self) -> list[Answer]:
        """What people have to do or to decide, the most urgent first."""
        found = [one for one in (*self._told(), *self._waiting()) if one.urgency in ("act now", "decide")]
        return sorted(found, key=lambda one: URGENCIES.index(one.urgency))

    def _links(self) -> tuple[tuple[str, str], ...]:
        """Where to look and what to do next. A step that is tried again shows attempt and next try in the first."""
        here = f"{address(workflow.info().workflow_id)}/{workflow.info().run_id}"
        if self.state.word in ENDED:
            again = f"/namespaces/{workflow.info().namespace}/workflows/start-workflow"
            start = f"{again}?workflowType={workflow.info().workflow_type}&taskQueue={workflow.info().task_queue}"
            if workflow.info().workflow_id == self.state.subject:  # the form copies the input of that very procedure
                start += f"&workflowId={quote(self.state.subject, safe='')}"
            return (*self.state.links, ("History", f"{here}/history"), ("Start again", start))
        tries = (("Attempts and next tries", f"{here}/pending-activities"),) if self.state.running else ()
        return (*self.state.links, *tries, ("History", f"{here}/history"))

    def tell(self) -> None:
        """On the page and in the run list."""
        if self.state.word not in ENDED:
            word = self._condition()
            if word != self.state.word:
                self.state.word = word
                workflow.upsert_search_attributes([attributes.STATE.value_set(word)])
        urgency = self.answer.urgency
        if urgency != self._urgency and workflow.patched("tells-its-urgency"):
            self._urgency = urgency
            workflow.upsert_search_attributes([attributes.URGENCY.value_set(urgency)])
        workflow.set_current_details(render(self.sheet()))

    def _condition(self) -> str:
        if self.state.ending:
            return "aborting"
        # a gate that is held, and an alarm that is over by itself, have this word too: `Urgency` tells them apart
        if self.asking() or self._gates.asking is not None or self.state.alarms:
            return "attention"
        return "paused" if self.state.paused is not None else "running"
