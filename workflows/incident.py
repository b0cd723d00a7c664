"""What runbooks of an incident have in common: they are told how the cluster changes, and they tell people."""

import asyncio
import contextlib
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, FailureError

with workflow.unsafe.imports_passed_through():
    from cluster.around import Occasion
    from cluster.notices import Notice, NoticeWish
    from cluster.plan import Finding
    from cluster.verdict import Verdict
    from cluster.watching import Change, watch_id
    from workflows import attributes
    from workflows.failures import reason
    from workflows.runbook import Runbook

TELL = "notices.send"
# Who cannot be told within this time reads it on the page.
TOLD_WITHIN = timedelta(minutes=10)


class Incident(Runbook):
    """A runbook that stays with an incident."""

    def __init__(self) -> None:
        super().__init__()
        self._changes: list[Change] = []
        self._telling: list[asyncio.Task[None]] = []
        self._notices = 0
        self._t0: datetime | None = None
        self._uncertain = timedelta()
        self._speed = 1.0

    # --- the clock of the incident -----------------------------------------------------------------------------

    def starts_at(self, t0: datetime, first_sign: datetime, speed: float) -> None:
        """T0 is the last proof of life; the loss came at some time before the first sign of it."""
        self._t0, self._uncertain, self._speed = t0, max(first_sign - t0, timedelta()), speed
        self.record.began = t0

    def judged(self, verdict: Verdict) -> None:
        """Show in the run list what it is about."""
        workflow.upsert_search_attributes([attributes.VERDICT.value_set(verdict.kind)])

    def since(self, when: datetime) -> float:
        """Seconds of the cluster's own time between T0 and then."""
        return round((when - (self._t0 or when)).total_seconds() * self._speed, 1)

    @property
    def now(self) -> float:
        """T+ in seconds of the cluster's own time."""
        return self.since(workflow.now())

    # --- what it is told ---------------------------------------------------------------------------------------

    @workflow.signal(description="The cluster looks different now: said by its watch")
    def changed(self, change: Change) -> None:
        """Kept for whoever waits; margin alarms are on the page at once."""
        self._changes.append(change)
        said = self.meaning(change.verdict)
        if said:
            self._notes.append(said)
            self.tell_people("changed", change.verdict.sentence, said)
        self.judged(change.verdict)
        self._tell()

    def meaning(self, verdict: Verdict) -> str:
        """What a new verdict means for this incident; empty when it is no news."""
        return f"T+{self.now:.0f} s: the cluster is {verdict.sentence}: {'; '.join(verdict.main.reasons[:2])}"

    # --- whom it tells -----------------------------------------------------------------------------------------

    def tell_people(self, occasion: Occasion, title: str, text: str) -> None:
        """Send a notice; the run does not wait for it."""
        self._notices += 1
        notice = Notice(
            key=f"{workflow.info().workflow_id}/{self._notices}",
            occasion=occasion,
            cluster=self._cluster,
            incident=workflow.info().workflow_id,
            title=title[:200],
            text=text[:1000],
            at=workflow.now(),
        )
        self._telling.append(asyncio.create_task(self._told(notice)))

    async def _told(self, notice: Notice) -> None:
        try:
            await workflow.execute_activity(
                TELL,
                NoticeWish(notice=notice),
                result_type=Finding,
                summary=f"{notice.occasion}: {notice.title}"[:100],
                start_to_close_timeout=timedelta(minutes=1),
                schedule_to_close_timeout=TOLD_WITHIN,
                retry_policy=RetryPolicy(maximum_interval=timedelta(seconds=30)),
            )
        except ActivityError as error:
            word, message = reason(error)
            self._notes.append(f"notice {notice.occasion} was not delivered: {word}: {message}")

    async def _close(self, state: str) -> None:
        """Whatever the end: people are told, and so is the watch."""
        title = f"{self._headline}: {state}"
        self.tell_people("closed", title, f"T+{self.now:.0f} s. {self.closing}")
        await asyncio.gather(*self._telling, return_exceptions=True)
        watch = workflow.get_external_workflow_handle(watch_id(self._cluster))
        with contextlib.suppress(FailureError):  # nobody watches: the incident was opened by hand
            await watch.signal("closed", workflow.info().workflow_id)
        await super()._close(state)

    @property
    def closing(self) -> str:
        """What is said when it is over."""
        return ""
