"""A runbook: a Temporal workflow whose `run` reads like the procedure.

The engine adds to Temporal what an operator sees: steps with titles, findings and times, the page, the state in the
run list, a step that parks instead of failing the run, a pause that really pauses, an abort that lands. History,
retries, timers and resumption are Temporal's.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Any, ClassVar, TypeVar, overload

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from cluster.answers.model import Answer as Advised
    from cluster.approval import Approval, ApprovalPolicy, Audit
    from cluster.around import Hook
    from cluster.ballot import Ballot
    from cluster.contracts import proxmox, records
    from cluster.contracts.proxmox import RIGHTS, RightsWish
    from cluster.contracts.records import ClusterName
    from cluster.contracts.reference import Activity
    from cluster.inventory import Inventory
    from cluster.plan import Finding, Intent, Mode, digest
    from workflows import attributes, meters, spans
    from workflows.ballot import GateView
    from workflows.catalogue import About, RunbookReport, RunbookRequest
    from workflows.checking import Checks
    from workflows.claim import claimed, released
    from workflows.endings import Ending
    from workflows.face import Face
    from workflows.gate import Gates
    from workflows.interlock import Interlock
    from workflows.messages import Abort, Answer, Note, Pause, Resume
    from workflows.notices import Notices
    from workflows.page import Question, Section, Sheet, StepRecord, render
    from workflows.people import People
    from workflows.plans import differences
    from workflows.record import Line, Record
    from workflows.state import RunState
    from workflows.steps import ASKED_WITHIN, ATTEMPT, Failing, Given, Steps
    from workflows.words import AGAIN, plan_sentence

Asked = TypeVar("Asked")
Found = TypeVar("Found", bound=Finding)
Answers = TypeVar("Answers")
Result = TypeVar("Result")
Report = TypeVar("Report", bound=RunbookReport)


class Runbook:
    """Base of every runbook. A subclass carries `@workflow.defn`, says what it is in `about`, and defines `run`.

    It is put together from parts that share one state; what it has itself are the messages that Temporal brings, and
    the verbs in which procedures are written.
    """

    about: ClassVar[About]

    def __init__(self) -> None:
        self.state = RunState(self.tell)
        self.state.headline = type(self).__name__
        self.people = People(self.state, lambda: self.beyond)
        self.steps = self.does_steps()
        self.checks = Checks(self.state)
        self.interlock = Interlock(self.state, self.steps)
        self.notices = Notices(self.state, lambda: self.face.answer)
        self.gates = Gates(self.state, self.checks, self.interlock, self.people, self.notices)
        self.ending = Ending(self.state, self, self.notices)
        self.face = Face(self.state, self.gates, self)

    def does_steps(self) -> Steps:
        """The part that does steps; a run that goes on as a new one has one that remembers."""
        return Steps(self.state, self.about.name, self.parks)

    # --- what people say to it ---------------------------------------------------------------------------------

    @workflow.update(
        description='Begin nothing more until resumed; {"by": "ana", "why": "…"} or empty. '
        "A change that is under way ends first; the answer then says so."
    )
    async def pause(self, order: Pause | None = None) -> str:
        """Acknowledged when no change is under way any more."""
        return await self.people.pause(order)

    @pause.validator
    def _may_pause(self, order: Pause | None = None) -> None:
        self.people.may_pause(order)

    @workflow.update(description='Go on after a pause; {"by": "ana"} or empty')
    def resume(self, order: Resume | None = None) -> str:
        """Steps that were stopped begin again: they read first."""
        return self.people.resume(order)

    @resume.validator
    def _may_resume(self, order: Resume | None = None) -> None:
        self.people.may_resume(order)

    @workflow.update(
        description='Answer a parked step: {"answer": "retry"}, {"answer": "skip", "step": "…", "why": "…"} '
        'or {"answer": "abort"}; the page lists what can be skipped'
    )
    def answer(self, answer: Answer | None = None) -> str:
        """Recorded; the run goes on by itself."""
        return self.people.answer(answer)

    @answer.validator
    def _may_answer(self, answer: Answer | None = None) -> None:
        self.people.may_answer(answer)

    @workflow.update(
        description='End the run in its safe condition; {"by": "ana", "why": "…"} or empty. '
        "A change that is under way ends first; the answer then says how things were left."
    )
    async def abort(self, order: Abort | None = None) -> str:
        """Answered with the condition in which things were left."""
        return await self.people.abort(order)

    @abort.validator
    def _may_abort(self, order: Abort | None = None) -> None:
        self.people.may_abort(order)

    @workflow.update(description='Keep a remark with the run: {"text": "spare controller ordered", "by": "ana"}')
    def note(self, note: Note | None = None) -> str:
        """Shown on the page, kept in the report."""
        return self.people.note(note)

    @note.validator
    def _may_note(self, note: Note | None = None) -> None:
        self.people.may_note(note)

    @workflow.update(
        description="Agree to the plan of an open gate: use `quorate approve RUN`; "
        '{"by": "ana", "plan": "…"} only where the inventory allows unsigned claims'
    )
    async def approve(self, ballot: Ballot | None = None) -> str:
        """Counted, or refused with the reason; either leaves a line."""
        return await self.gates.voted("approve", ballot or Ballot())

    @workflow.update(
        description="Reject the plan of an open gate, or withdraw your approval: use `quorate reject RUN`; "
        '{"by": "ana", "plan": "…"} only where the inventory allows unsigned claims'
    )
    async def reject(self, ballot: Ballot | None = None) -> str:
        """A no ends the run in its safe condition; an approval that is withdrawn stops the next change."""
        return await self.gates.voted("reject", ballot or Ballot())

    # --- what is asked of it -----------------------------------------------------------------------------------

    @workflow.query(name="gate", description="The open gate: what is asked, what is missing, what holds it back")
    def gate_view(self) -> GateView | None:
        """None when no gate was opened yet."""
        return self.gates.view()

    @workflow.query(name="approvals", description="Every vote so far, and what became of it")
    def approvals(self) -> list[Audit]:
        """The audit lines, oldest first."""
        return self.state.audit

    @workflow.query(name="approval", description="What the gate of that number has given, and who has withdrawn since")
    def approval_now(self, number: int) -> Approval | None:
        """None when it has given nothing, or the run is at its end: asked right before each change."""
        return self.gates.approval(number)

    # --- what a runbook may say of its own ---------------------------------------------------------------------

    @property
    def beyond(self) -> str:
        """What goes on outside although nothing more is begun here, in a sentence."""
        return ""

    @property
    def unlanded(self) -> str:
        """What is left over as far as the run itself knows, when its landing could not look."""
        return ""

    async def landing(self) -> str:
        """What an abort does before the run ends; the condition in words.

        Steps of a landing do not park: one that fails ends the landing, and the page says so.
        """
        return ""

    def parks(self, question: Question) -> None:
        """A person is about to be waited for."""

    @property
    def answers(self) -> tuple[Advised, ...]:
        """What else a person has to know or to do, though no step has parked and no gate is open."""
        return ()

    @property
    def idle(self) -> str:
        """What the run does while no step is under way."""
        return "waiting for the next step"

    def under_way(self) -> list[StepRecord]:
        """The lines that tell what the run does now."""
        return self.state.record.under_way()

    @property
    def then(self) -> str:
        """What follows from a failure of the run."""
        return AGAIN

    @property
    def closing(self) -> str:
        """What the page says of a run that ended well."""
        return ""

    # --- what a procedure is written in ------------------------------------------------------------------------

    @property
    def record(self) -> Record:
        """What was done so far."""
        return self.state.record

    def conclusion(self) -> AbstractAsyncContextManager[None]:
        """Wrap the whole procedure: the run list and the page show how it ended, whatever the end."""
        return self.ending.conclusion()

    @asynccontextmanager
    async def opened(
        self,
        request: RunbookRequest,
        headline: str,
        *,
        site: str = "",
        refused: Callable[[Inventory], str] = lambda _: "",
        rights: bool = False,
    ) -> AsyncIterator[Inventory]:
        """The procedure of a runbook that changes something: opened, wrapped in its end, and put on record.

        It reads the inventory, refuses a request that does not fit (`refused` says why), begins under `headline` (in
        which ``{cluster}`` stands for its name), asks for the token's rights if they are needed, and enters.
        """
        async with self.conclusion():
            which = ClusterName(cluster=request.cluster)
            inventory = (await self.step("Inventory is read", records.inventory, which, parks=False)).inventory
            self.state.inventory = inventory.digest
            if wrong := refused(inventory):
                raise ApplicationError(wrong, type="WrongInput", non_retryable=True)
            hooks = inventory.hooks if request.mode is Mode.APPLY else ()
            await self.begin(f"{headline.format(cluster=inventory.name)} ({request.mode})", inventory.name, hooks)
            if rights:
                wish = RightsWish(runbook=self.about.name, must=True)
                await self.step(RIGHTS, proxmox.rights, wish, waiting="Asking what the token may do")
            await self.enter(request.mode, site)
            yield inventory

    async def begin(self, headline: str, cluster: str, hooks: tuple[Hook, ...] = (), *, place: str = "") -> None:
        """Name the run on its page and in the run list, and make sure that it is the only one of its kind.

        `hooks` are called around the steps from now on. `place`: of its kind at that site. ApplicationError when
        another run does this procedure on this cluster.
        """
        self.state.headline, self.state.subject = headline, "/".join(filter(None, (self.about.name, cluster, place)))
        workflow.upsert_search_attributes([attributes.CLUSTER.value_set(cluster)])
        spans.about_run({"quorate.cluster": cluster, "quorate.headline": headline})
        self.state.tell()
        self.state.claim = await claimed(self.state.subject, headline)
        self.state.begun = True
        await self.steps.use_hooks(hooks)

    def section(self, title: str, *, rehearsal: bool = False, folds: bool = True) -> Section:
        """What follows belongs together: a heading of the page. A rehearsal changes nothing and calls no hook.

        Later it shrinks to one line, unless every line of it matters to the end (`folds` off).
        """
        return self.state.record.section(title, rehearsal=rehearsal, folds=folds)

    @overload
    async def step(
        self,
        title: str,
        activity: Activity[Asked, Found],
        wish: Asked,
        *,
        within: timedelta = ...,
        attempt: timedelta | None = ...,
        parks: bool = ...,
        given: Given | None = ...,
        waiting: str = ...,
    ) -> Found: ...

    @overload
    async def step(
        self,
        title: str,
        activity: Activity[Asked, Found],
        wish: Asked,
        *,
        within: timedelta = ...,
        attempt: timedelta | None = ...,
        skip: str | None,
        given: Given | None = ...,
        waiting: str = ...,
    ) -> Found | None: ...

    async def step(
        self,
        title: str,
        activity: Activity[Any, Any],
        wish: Any,
        *,
        within: timedelta = timedelta(minutes=10),
        attempt: timedelta | None = None,
        skip: str | None = None,
        parks: bool = True,
        given: Given | None = None,
        waiting: str = "",
    ) -> Any:
        """One line of the page, one span, one activity.

        `within` bounds all attempts together, `attempt` one of them (90 s unless said). A step that fails for good
        parks the run until a person has answered. `skip` says what follows from leaving the step out, and allows it:
        the result is None then. With `parks` off the run fails at once: right for wrong input, and nothing else.

        `given` says why the step may not be begun, or nothing: it is asked before every attempt, after each pause, and
        after each answer; what does not hold parks the step, and the world is not touched. `waiting` is what the line
        is called until the step has ended: a title is a fact, and not one yet.
        """
        await self.steps.call_hooks("before", title)
        failing: Failing = "park" if parks and not self.state.landing else "fail"
        found = await self.steps.do(
            title,
            activity,
            wish,
            within=within,
            attempt=attempt,
            skip=skip,
            failing=failing,
            given=given,
            waiting=waiting,
        )
        if found is not None:
            await self.steps.call_hooks("after", title, found.finding)
        return found

    async def learn(
        self,
        activity: Activity[Asked, Answers],
        wish: Asked,
        *,
        within: timedelta = ASKED_WITHIN,
        attempt: timedelta = ATTEMPT,
    ) -> Answers:
        """A look that has no line on the page: what a precondition reads. ActivityError when nothing can be learned."""
        return await self.steps.learn(activity, wish, within=within, attempt=attempt)

    async def look(self, line: Line, activity: Activity[Asked, Found], wish: Asked, within: timedelta) -> Found:
        """A reading step whose line stands on the page already and is written anew each time."""
        found = await self.steps.do(
            line.title, activity, wish, within=within, attempt=within, failing="park", line=line
        )
        assert found is not None  # noqa: S101  # it cannot be skipped
        return found

    async def together(self, *steps: Awaitable[Result]) -> list[Result]:
        """Steps that do not wait for each other; when one fails, the others come to their end first.

        A change that is half made would be worse than one made in full, so nothing is cancelled.
        """
        results = await asyncio.gather(*steps, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return [result for result in results if not isinstance(result, BaseException)]

    async def enter(self, mode: Mode, site: str = "") -> None:
        """Say that this run is at work, in mode `apply`; then wait while an incident is open."""
        await self.interlock.enter(mode, site)

    async def clear(self) -> None:
        """Wait while an incident is open that this run does not serve. ApplicationError when it may not run at all."""
        await self.interlock.clear()

    def alarm(self, key: str, text: str) -> None:
        """What a person must know before anything else, until it is called off (empty text); state `attention`."""
        self.state.alarm(key, text)

    async def signers_ready(self, policy: ApprovalPolicy, by: str | None) -> None:
        """Enough people may approve what `by` asks for: said at the start, not after days of quarantine."""
        await self.checks.signers_ready(policy, by)

    async def require_agreement(self, request: RunbookRequest, planned: tuple[Intent, ...]) -> str:
        """The digest of what is planned now; the run list shows it.

        ApplicationError, with the difference, when the request names another plan.
        """
        found = digest(self.state.subject, planned)
        self.state.requester = (request.by or "").strip()
        workflow.upsert_search_attributes([attributes.PLAN.value_set(found)])
        if request.mode is Mode.PLAN:
            given = request.model_dump(mode="json", exclude_defaults=True, exclude={"mode", "plan"})
            asks = {"by": "…"} if "by" in self.about.example else {}  # who applies it has to say so
            self.state.planned = plan_sentence(len(planned), found, asks | given)
        if request.plan in (None, found):
            return found
        raise ApplicationError(
            f"the plan has changed: agreed was {request.plan}, now it is {found}. "
            + "; ".join(await differences(str(request.plan), planned)),
            type="PlanChanged",
            non_retryable=True,
        )

    def report(self, kind: type[Report], *, mode: Mode, planned: tuple[Intent, ...], **more: Any) -> Report:
        """The result of the run: what all reports say, and `more`."""
        return kind(
            cluster=self.state.cluster,
            mode=mode,
            seconds=self.state.record.elapsed.total_seconds(),
            planned=planned,
            digest=digest(self.state.subject, planned),
            changed=len(self.state.record.changes),
            skipped=tuple(self.state.skipped),
            notes=tuple(self.state.notes),
            approvals=tuple(self.state.audit),
            steps=tuple(self.state.record.steps()),
            trace=spans.trace_id(),
            **more,
        )

    # --- what it shows -----------------------------------------------------------------------------------------

    def tell(self) -> None:
        """Show what has changed; in a run that is at work, people are told what they are asked."""
        self.face.tell()
        if self.state.entered and not self.state.over:
            self.asks_people()

    def asks_people(self) -> None:
        """Tell of what a person has to do or to decide."""
        self.notices.ask(self.face.asking())

    @workflow.query(name="page", description="The page of this run, as Markdown")
    def page(self) -> str:
        """The page as it stands."""
        return render(self.face.sheet())

    @workflow.query(name="sheet", description="What the page is made of, as data: nothing of it is cut")
    def sheet(self) -> Sheet:
        """What `quorate incident` shows."""
        return self.face.sheet()

    @workflow.query(name="advice", description="What to do now: how urgent it is, tasks, what never to do, guests")
    def advice(self) -> Advised:
        """The same that the page, the terminal and notices show."""
        return self.face.answer

    @workflow.query(name="steps", description="All steps so far: title, state, finding, times")
    def sections(self) -> list[Section]:
        """The steps as data: what `quorate status` shows."""
        return self.state.record.sections

    # --- how it ends -------------------------------------------------------------------------------------------

    async def close(self, state: str) -> None:
        """Nobody is kept waiting: neither the next run nor those who sent a message."""
        self.state.over = True
        await self.interlock.leave()
        await released(self.state.claim)
        self.state.claim = None
        self.state.closed = True
        self.state.word = state
        meters.run_ended(self.about.name, state, self.state.record.elapsed)
        workflow.upsert_search_attributes([attributes.STATE.value_set(state)])
        spans.about_run({"quorate.state": state, "quorate.changes": len(self.state.record.changes)})
        self.state.tell()
        await workflow.wait_condition(workflow.all_handlers_finished)
