"""How a run shows itself: its page, its sentence, its links, its state in the run list."""

from collections.abc import Sequence
from typing import Protocol
from urllib.parse import quote

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.units import counted
    from workflows import attributes
    from workflows.claim import address
    from workflows.gate import Gates
    from workflows.page import Sheet, StepRecord, render
    from workflows.state import RunState
    from workflows.words import ended, going_on

ENDED = ("done", "failed", "aborted")


class Says(Protocol):
    """What a run says of itself in its own words."""

    @property
    def asks(self) -> tuple[str, ...]:
        """What a person has to do now, though no step has parked."""

    @property
    def idle(self) -> str:
        """What the run does while no step is under way."""

    @property
    def closing(self) -> str:
        """What is said of one that ended well."""

    def under_way(self) -> Sequence[StepRecord]:
        """The lines that tell what it does now."""


class Face:
    """The part of a run that people see."""

    def __init__(self, state: RunState, gates: Gates, run: Says) -> None:
        self.state, self._gates, self._run = state, gates, run

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
        )

    def _now(self) -> str:
        if self.state.word == "done" and self._run.closing:
            return f"Done. {self._run.closing}"
        if self.state.word in ENDED:
            known, record = self.state, self.state.record
            told = ended(known.word, list(record.steps()), len(record.changes), known.left, known.planned)
            return f"Failed: {known.cause.rstrip('.')}. {known.left} {told}" if known.word == "failed" else told
        questions = [parked.question for parked in self.state.parked]
        paused = self.state.paused.signed if self.state.paused else None
        quiet = not questions and not self.state.alarms and self.state.paused is None
        if quiet and (gate := self._gates.asking) is not None:
            return f"Waiting for approvals: {gate.terms.title}: {gate.missing}."
        return going_on(
            self._condition(),
            self._run.under_way(),
            questions,
            changing=self.state.changing,
            paused=paused,
            asks=self._run.asks,
            idle=self._run.idle,
        )

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
        workflow.set_current_details(render(self.sheet()))

    def _condition(self) -> str:
        if self.state.ending:
            return "aborting"
        if (
            self._gates.asking is not None
            or self._run.asks
            or any(parked.answer is None for parked in self.state.parked)
        ):
            return "attention"
        return "paused" if self.state.paused is not None else "running"
