"""A run's Temporal history as the lines of its audit record.

Pure, given the events: whoever reads the same history writes the same bytes, on whatever worker and whenever. Nothing
is left out in silence: an event that this build does not know is a line with all that it holds. What is left out by
name is Temporal's own book-keeping (`_OURS_NOT`).
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from google.protobuf.json_format import MessageToDict
from temporalio.api.enums.v1 import EventType, ParentClosePolicy
from temporalio.api.history.v1 import HistoryEvent

from cluster.audit.line import Kind, Line, chained, plain
from workers.audit import decoding
from workers.audit.acts import Act, Told
from workers.audit.asked import voted
from workers.audit.masking import masked

# Workflow tasks say when a worker has thought, markers which version of the code it was: neither has happened in the
# world. What was scheduled, initiated or accepted is told with its end.
_OURS_NOT = {
    "workflow_task_scheduled", "workflow_task_started", "workflow_task_completed", "workflow_task_timed_out",
    "marker_recorded",
}  # fmt: skip
_ENDS = {"completed", "failed", "timed_out", "canceled", "terminated", "continued_as_new"}
_WORDS = {"timed_out": "timed out", "canceled": "cancelled", "continued_as_new": "goes on as a new execution"}
# Temporal's own search attributes: which patches of the code a run has passed.
_VERSIONS = {"TemporalChangeVersion", "BuildIds", "TemporalWorkflowVersioningBehavior"}


def record(executions: Iterable[Iterable[HistoryEvent]]) -> Iterator[Line]:
    """The whole record of a run from the histories of its executions, oldest first."""
    return chained(line for events in executions for line in lines(events))


def lines(events: Iterable[HistoryEvent]) -> Iterator[Line]:
    """The lines of one execution, not chained yet: `n` is 0 in each."""
    execution = Execution()
    for event in events:
        yield from execution.lines(event)


class Execution:
    """Reads the events of one execution, in order, and remembers what has begun and not ended.

    `run` and `execution` are its ids where they are known: one that was reset begins with a copy of another's events.
    """

    def __init__(self, run: str = "", execution: str = "") -> None:
        self.run, self.execution, self.first = run, execution, ""
        self.before = ""  # the execution that this one goes on from
        self.over = False
        self._acts: dict[int, Act] = {}
        self._updates: dict[int, HistoryEvent] = {}
        self._admitted: dict[str, HistoryEvent] = {}
        self._begun: dict[int, HistoryEvent] = {}  # children, signals to others, timers

    def lines(self, event: HistoryEvent) -> Iterator[Line]:
        """What that event has to say: mostly one line or none."""
        which = (event.WhichOneof("attributes") or "").removesuffix("_event_attributes")
        if which in _OURS_NOT:
            return
        room: Callable[[HistoryEvent, Any], Iterator[Told]] | None = getattr(self, f"_on_{which}", None)
        attributes = getattr(event, f"{which}_event_attributes") if which else None
        if room is None:
            ending = which.removeprefix("workflow_execution_")
            told = self._closed(ending, attributes) if ending in _ENDS and ending != which else _unknown(event)
        else:
            told = room(event, attributes)
        for kind, what, data in told:
            yield Line(
                n=0,
                at=event.event_time.ToDatetime(tzinfo=decoding.UTC),
                run=self.run,
                execution=self.execution,
                event=event.event_id,
                kind=kind,
                what=plain(what),
                data=masked(data),
            )

    # --- the run itself ----------------------------------------------------------------------------------------

    def _on_workflow_execution_started(self, event: HistoryEvent, said: Any) -> Iterator[Told]:
        self.run = self.run or said.workflow_id
        self.execution = self.execution or said.original_execution_run_id
        self.first, self.before = said.first_execution_run_id, said.continued_execution_run_id
        asked = decoding.only(said.input)
        by = asked.get("by") if isinstance(asked, dict) else None
        runbook = said.workflow_type.name
        data: dict[str, Any] = {
            "runbook": runbook,
            "input": asked,
            "requester": by or "",
            "memo": decoding.named(said.memo.fields.items()),
            "attributes": decoding.named(said.search_attributes.indexed_fields.items()),
            "queue": said.task_queue.name,
            "first_execution": self.first,
            "goes_on_from": said.continued_execution_run_id,
            "parent": said.parent_workflow_execution.workflow_id,
            "client": said.identity,
            "headers": decoding.named(said.header.fields.items()),
            "ends_by": decoding.instant(said.workflow_execution_expiration_time),
            "summary": decoding.summary(event.user_metadata.summary),
        }
        how = "goes on" if said.continued_execution_run_id else "started"
        yield "started", f"{runbook} {self.run} {how}" + (f" by {by}" if by else ""), data

    def _closed(self, ending: str, said: Any) -> Iterator[Told]:
        yield from self._unanswered()
        self.over = True
        data: dict[str, Any] = {"how": ending.replace("_", " "), "open": sorted(a.title for a in self._acts.values())}
        what = _WORDS.get(ending, ending)
        if ending == "completed":
            data["report"] = decoding.only(said.result)
        elif ending == "failed":
            data["failure"] = decoding.failure(said.failure)
            what = f"failed: {data['failure']['word']}: {data['failure']['message']}"
        elif ending == "terminated":
            data |= {"reason": plain(said.reason), "client": said.identity}
            what = f"terminated: {said.reason or 'no reason given'}"
        elif ending == "continued_as_new":
            data |= {"next": said.new_execution_run_id, "input": decoding.only(said.input)}
        yield "closed", what, data

    def _on_workflow_execution_cancel_requested(self, _: HistoryEvent, said: Any) -> Iterator[Told]:
        by = said.external_workflow_execution.workflow_id or said.identity
        data = {"message": "cancel", "why": plain(said.cause), "by": by, "taken": True}
        yield "said", f"cancel, from {by}" + (f": {said.cause}" if said.cause else ""), data

    def _on_workflow_task_failed(self, _: HistoryEvent, said: Any) -> Iterator[Told]:
        if said.base_run_id and said.new_run_id:  # a person has reset the run to an earlier place
            data = {"message": "reset", "from": said.base_run_id, "by": said.identity, "why": said.failure.message}
            yield "said", f"reset, from {said.identity}: {said.failure.message}", plain(data)

    # --- steps -------------------------------------------------------------------------------------------------

    def _on_activity_task_scheduled(self, event: HistoryEvent, _: Any) -> Iterator[Told]:
        self._acts[event.event_id] = Act(event)
        return iter(())

    def _on_activity_task_started(self, event: HistoryEvent, said: Any) -> Iterator[Told]:
        if act := self._acts.get(said.scheduled_event_id):
            act.started = event
        return iter(())

    def _on_activity_task_cancel_requested(self, event: HistoryEvent, said: Any) -> Iterator[Told]:
        if act := self._acts.get(said.scheduled_event_id):
            act.asked_to_stop = decoding.instant(event.event_time)
        return iter(())

    def _act_ended(self, event: HistoryEvent, said: Any) -> Iterator[Told]:
        act = self._acts.pop(said.scheduled_event_id, None)
        return act.ended(event) if act else _unknown(event)

    _on_activity_task_completed = _on_activity_task_failed = _act_ended
    _on_activity_task_timed_out = _on_activity_task_canceled = _act_ended

    # --- people ------------------------------------------------------------------------------------------------

    def _on_workflow_execution_update_admitted(self, event: HistoryEvent, said: Any) -> Iterator[Told]:
        self._admitted[said.request.meta.update_id] = event
        return iter(())

    def _on_workflow_execution_update_accepted(self, event: HistoryEvent, _: Any) -> Iterator[Told]:
        self._updates[event.event_id] = event
        return iter(())

    def _on_workflow_execution_update_completed(self, event: HistoryEvent, said: Any) -> Iterator[Told]:
        accepted = self._updates.pop(said.accepted_event_id, None)
        return self._answered(accepted, said.outcome) if accepted else _unknown(event)

    def _answered(self, accepted: HistoryEvent, outcome: Any) -> Iterator[Told]:
        """A message with what became of it; `outcome` is None where the run ended first."""
        said = accepted.workflow_execution_update_accepted_event_attributes
        admitted = self._admitted.pop(said.protocol_instance_id, None)
        request = said.accepted_request
        if admitted is not None and not request.input.name:
            request = admitted.workflow_execution_update_admitted_event_attributes.request
        answer: dict[str, Any] = {"taken": None, "answer": "the run has ended before it was answered"}
        if outcome is not None and outcome.HasField("failure"):
            failed = decoding.failure(outcome.failure)
            answer = {"taken": False, "word": failed["word"], "sentence": failed["message"]}
        elif outcome is not None:
            answer = {"taken": True, "answer": decoding.only(outcome.success)}
        data = {
            "message": request.input.name,
            "said": decoding.only(request.input.args),
            "sent": decoding.instant(accepted.event_time),
            "client": request.meta.identity,
            "id": request.meta.update_id,
        }
        yield voted(data | answer)

    def _unanswered(self) -> Iterator[Told]:
        for number in sorted(self._updates):
            yield from self._answered(self._updates[number], None)
        self._updates.clear()

    # --- other runs --------------------------------------------------------------------------------------------

    def _on_workflow_execution_signaled(self, _: HistoryEvent, said: Any) -> Iterator[Told]:
        by = said.external_workflow_execution.workflow_id or said.identity
        data = {"way": "in", "message": said.signal_name, "from": by, "said": decoding.only(said.input)}
        yield "told", f"{said.signal_name}, from {by}", data

    def _keeps(self, event: HistoryEvent, _: Any) -> Iterator[Told]:
        self._begun[event.event_id] = event
        return iter(())

    _on_start_child_workflow_execution_initiated = _keeps
    _on_signal_external_workflow_execution_initiated = _keeps
    _on_request_cancel_external_workflow_execution_initiated = _keeps

    def _told_another(self, event: HistoryEvent, said: Any) -> Iterator[Told]:
        began = self._begun.pop(said.initiated_event_id, None)
        if began is None:
            return _unknown(event)
        asked = began.signal_external_workflow_execution_initiated_event_attributes
        to = asked.workflow_execution.workflow_id
        reached = event.HasField("external_workflow_execution_signaled_event_attributes")
        data = {"way": "out", "message": asked.signal_name, "to": to, "said": decoding.only(asked.input)}
        what = f"{asked.signal_name}, to {to}" + ("" if reached else ": it was not there any more")
        return iter([("told", what, data | {"reached": reached})])

    _on_external_workflow_execution_signaled = _told_another
    _on_signal_external_workflow_execution_failed = _told_another

    def _asked_to_end(self, event: HistoryEvent, said: Any) -> Iterator[Told]:
        self._begun.pop(said.initiated_event_id, None)
        reached = event.HasField("external_workflow_execution_cancel_requested_event_attributes")
        run = said.workflow_execution.workflow_id
        what = f"{run} is asked to end" + ("" if reached else ": it was not there any more")
        yield "run", what, {"run": run, "reached": reached}

    _on_external_workflow_execution_cancel_requested = _asked_to_end
    _on_request_cancel_external_workflow_execution_failed = _asked_to_end

    def _on_child_workflow_execution_started(self, _: HistoryEvent, said: Any) -> Iterator[Told]:
        asked = self._initiated(said.initiated_event_id)
        data = {
            "run": said.workflow_execution.workflow_id,
            "execution": said.workflow_execution.run_id,
            "runbook": said.workflow_type.name,
            "input": decoding.only(asked.input) if asked else None,
            "if_we_end": ParentClosePolicy.Name(asked.parent_close_policy) if asked else "",
        }
        yield "run", f"{data['runbook']} {data['run']} is begun", data

    def _child_ended(self, event: HistoryEvent, said: Any) -> Iterator[Told]:
        self._begun.pop(said.initiated_event_id, None)
        which = event.WhichOneof("attributes") or ""
        how = which.removeprefix("child_workflow_execution_").removesuffix("_event_attributes").replace("_", " ")
        data: dict[str, Any] = {
            "run": said.workflow_execution.workflow_id,
            "execution": said.workflow_execution.run_id,
            "runbook": said.workflow_type.name,
            "how": how,
        }
        if how == "completed":  # its own record has its report
            data["report"] = decoding.digested(said.result)
        elif how == "failed":
            data["failure"] = decoding.failure(said.failure)
        yield "run", f"{data['runbook']} {data['run']}: {how}", data

    _on_child_workflow_execution_completed = _on_child_workflow_execution_failed = _child_ended
    _on_child_workflow_execution_canceled = _on_child_workflow_execution_timed_out = _child_ended
    _on_child_workflow_execution_terminated = _child_ended

    def _on_start_child_workflow_execution_failed(self, _: HistoryEvent, said: Any) -> Iterator[Told]:
        self._begun.pop(said.initiated_event_id, None)
        data = {"run": said.workflow_id, "runbook": said.workflow_type.name, "how": "not begun: it runs already"}
        yield "run", f"{said.workflow_type.name} {said.workflow_id}: it runs already", data

    def _initiated(self, number: int) -> Any:
        began = self._begun.get(number)
        return began.start_child_workflow_execution_initiated_event_attributes if began else None

    # --- what it shows, what it waits for ----------------------------------------------------------------------

    def _on_upsert_workflow_search_attributes(self, _: HistoryEvent, said: Any) -> Iterator[Told]:
        found = decoding.named(said.search_attributes.indexed_fields.items())
        shown = {name: one for name, one in found.items() if name not in _VERSIONS}
        if shown:
            yield "state", ", ".join(f"{name}: {one}" for name, one in shown.items()), {"attributes": shown}

    def _on_workflow_properties_modified(self, _: HistoryEvent, said: Any) -> Iterator[Told]:
        memo = decoding.named(said.upserted_memo.fields.items())
        yield "state", f"noted: {', '.join(memo)}", {"memo": memo}

    def _on_timer_started(self, event: HistoryEvent, said: Any) -> Iterator[Told]:
        self._begun[event.event_id] = event
        lasting = decoding.seconds(said.start_to_fire_timeout)
        what = decoding.summary(event.user_metadata.summary)
        data = {"timer": said.timer_id, "waits_for": what, "seconds": lasting, "quiet": not what, "over": False}
        yield "waits", f"{what or 'a pause'}: {lasting:g} s at most", data

    def _timer_over(self, event: HistoryEvent, said: Any) -> Iterator[Told]:
        began = self._begun.pop(said.started_event_id, None)
        what = decoding.summary(began.user_metadata.summary) if began else ""
        fired = event.HasField("timer_fired_event_attributes")
        data = {"timer": said.timer_id, "waits_for": what, "quiet": not what, "over": True, "elapsed": fired}
        yield "waits", f"{what or 'a pause'}: {'the time is over' if fired else 'no more'}", data

    _on_timer_fired = _on_timer_canceled = _timer_over


def _unknown(event: HistoryEvent) -> Iterator[Told]:
    """An event of which this build knows nothing: kept whole, as Temporal spells it."""
    name = EventType.Name(event.event_type) if event.event_type in EventType.values() else str(event.event_type)
    kind: Kind = "state"
    yield kind, name.removeprefix("EVENT_TYPE_"), {"event": plain(MessageToDict(event))}
