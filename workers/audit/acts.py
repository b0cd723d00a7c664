"""What a history says of one activity: what it was asked, its attempts, and what became of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from temporalio.api.enums.v1 import RetryState
from temporalio.api.history.v1 import HistoryEvent

from cluster.audit.line import Kind
from workers.audit import decoding

# What says what a cluster is taken for, by its names of today and of version 0.1.
VERDICTS = {"watch.look", "watch.judged", "watch.confirm", "facts.watch", "facts.confirm"}
# The fields of a finding that every step has; the rest of it is its evidence.
_SAID = ("finding", "mark", "changed", "changes", "tried")
_OUTCOMES = {
    "activity_task_completed_event_attributes": "done",
    "activity_task_failed_event_attributes": "failed",
    "activity_task_timed_out_event_attributes": "timed out",
    "activity_task_canceled_event_attributes": "stopped",
}

Told = tuple[Kind, str, dict[str, Any]]


@dataclass
class Act:
    """An activity that was scheduled and has not ended; `started` comes with its end where it is tried again."""

    scheduled: HistoryEvent
    started: HistoryEvent | None = None
    asked_to_stop: str = ""

    @property
    def title(self) -> str:
        """What the page, the timeline and the trace call it."""
        attributes = self.scheduled.activity_task_scheduled_event_attributes
        title = decoding.summary(self.scheduled.user_metadata.summary)
        # the whole title stands in the id of a step (workflows.steps), a summary is cut at a hundred letters
        _, _, whole = attributes.activity_id.partition(" ")
        return whole if title and whole.startswith(title) else title or attributes.activity_type.name

    def ended(self, event: HistoryEvent) -> Iterator[Told]:
        """Its failed attempts, as far as the history knows them, and how it ended."""
        said = self._asked() | self._ran(event)
        result, outcome = _outcome(event)
        tried = _tried(result, outcome)
        if self.started is not None:
            tried = _with_the_last(tried, self.started)
        for attempt in tried:
            yield "attempt", _failed(self.title, attempt), {"title": self.title, "activity": said["activity"]} | attempt
        kind: Kind = "verdict" if isinstance(result, dict) and _is_verdict(said["activity"], result) else "step"
        yield kind, f"{self.title}: {_in_words(outcome)}", said | outcome

    def _asked(self) -> dict[str, Any]:
        attributes = self.scheduled.activity_task_scheduled_event_attributes
        asked = decoding.values(attributes.input)
        modes = [one["mode"] for one in asked if isinstance(one, dict) and "mode" in one]
        return {
            "title": self.title,
            "activity": attributes.activity_type.name,
            "mode": modes[0] if modes else "",
            "asked": asked[0] if len(asked) == 1 else asked,
            # what has no line on the page is no step of it
            "quiet": " " not in attributes.activity_id,
        }

    def _ran(self, event: HistoryEvent) -> dict[str, Any]:
        began = self.started.activity_task_started_event_attributes if self.started else None
        return {
            "scheduled": decoding.instant(self.scheduled.event_time),
            "began": decoding.instant(self.started.event_time) if self.started else "",
            "ended": decoding.instant(event.event_time),
            "attempts": began.attempt if began else 0,
            "worker": began.identity if began else "",
            "build": began.worker_version.build_id if began else "",
        } | ({"asked_to_stop": self.asked_to_stop} if self.asked_to_stop else {})


def _outcome(event: HistoryEvent) -> tuple[Any, dict[str, Any]]:
    """The result as it is, and what a line says of the end."""
    which = event.WhichOneof("attributes") or ""
    attributes = getattr(event, which)
    if which == "activity_task_completed_event_attributes":
        result = decoding.only(attributes.result)
        if not isinstance(result, dict) or "finding" not in result:
            return result, {"outcome": "done", "finding": "", "evidence": result}
        said = {name: result[name] for name in _SAID if name in result and name != "tried"}
        evidence = {name: one for name, one in result.items() if name not in _SAID}
        return result, {"outcome": "done"} | said | {"evidence": evidence}
    if which == "activity_task_canceled_event_attributes":
        details = decoding.values(attributes.details)
        return None, {"outcome": "stopped", "word": "Canceled", "message": "", "details": details}
    failed = decoding.failure(attributes.failure)
    why = RetryState.Name(attributes.retry_state).removeprefix("RETRY_STATE_").replace("_", " ").lower()
    outcome = "stopped" if failed["word"] == "Stopped" else _OUTCOMES[which]
    return None, {"outcome": outcome} | failed | {"tried_no_more": why}


def _tried(result: Any, outcome: dict[str, Any]) -> list[dict[str, Any]]:
    """The failed attempts before the last one, as the worker has carried them along (`workers.worker.tried`)."""
    if isinstance(result, dict):
        carried = result.get("tried")
    else:
        failed = outcome if "details" in outcome else outcome.get("cause", {})
        carried = (*failed.get("details", ()), None, None, None)[2]
        if carried is None:  # it died: its last beat has them
            carried = (*outcome.get("last_beat", ()), None, None, None)[2]
    return [one for one in carried if isinstance(one, dict)] if isinstance(carried, list) else []


def _with_the_last(tried: list[dict[str, Any]], started: HistoryEvent) -> list[dict[str, Any]]:
    """Temporal itself keeps the failure of the attempt before: also of one whose worker died and told nothing."""
    attributes = started.activity_task_started_event_attributes
    before = attributes.attempt - 1
    if before < 1 or not attributes.HasField("last_failure"):
        return tried
    if any(one.get("attempt", 0) <= before <= one.get("until", one.get("attempt", 0)) for one in tried):
        return tried
    failed = decoding.failure(attributes.last_failure)
    return [*tried, {"attempt": before, "word": failed["word"], "message": failed["message"]}]


def _failed(title: str, attempt: dict[str, Any]) -> str:
    number, until = attempt.get("attempt", "?"), attempt.get("until", attempt.get("attempt", "?"))
    which = f"attempt {number}" if number == until else f"attempts {number} to {until}"
    return f"{title}: {which}: {attempt.get('word', '')}: {attempt.get('message', '')}"


def _is_verdict(activity: str, result: dict[str, Any]) -> bool:
    return activity in VERDICTS or "verdict" in result


def _in_words(outcome: dict[str, Any]) -> str:
    if outcome["outcome"] == "done":
        return str(outcome["finding"]) or "done"
    return ": ".join(filter(None, (outcome["outcome"], outcome["word"], outcome["message"])))
