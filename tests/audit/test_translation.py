"""A run's history as an audit record: the same bytes whoever writes it, and everything that happened in it."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import EventType, TimeoutType
from temporalio.api.history.v1 import HistoryEvent

from cluster.audit.line import NOTHING, Line, read
from tests.audit.histories import ALL, events, name, recorded, written
from workers.audit.history import record

FAILBACK = Path(__file__).with_name("failback-signed.txt")
# Temporal's own book-keeping, and what is told with its end.
NO_LINE = {
    "WORKFLOW_TASK_SCHEDULED", "WORKFLOW_TASK_STARTED", "WORKFLOW_TASK_COMPLETED", "MARKER_RECORDED",
    "ACTIVITY_TASK_SCHEDULED", "ACTIVITY_TASK_STARTED", "ACTIVITY_TASK_CANCEL_REQUESTED",
    "WORKFLOW_EXECUTION_UPDATE_ACCEPTED", "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED",
    "START_CHILD_WORKFLOW_EXECUTION_INITIATED",
}  # fmt: skip


@pytest.mark.parametrize("path", ALL, ids=name)
def test_every_recorded_history_translates_to_the_same_bytes_each_time(path: Path):
    """Whoever makes the record of a run anew gets the same file; each line stands on the one before."""
    lines = recorded(path)

    assert written(lines) == written(recorded(path))
    assert [line.n for line in lines] == list(range(len(lines)))
    assert [line.prev for line in lines] == [NOTHING, *(line.digest for line in lines[:-1])]
    assert [read(line.canonical) for line in lines] == lines
    print(f"{name(path)}: {len(events(path))} events, {len(lines)} lines, {dict(Counter(one.kind for one in lines))}")


@pytest.mark.parametrize("path", ALL, ids=name)
def test_no_event_is_left_out_in_silence(path: Path):
    """Every event is a line, or one of those that are book-keeping or told with their end."""
    told = {line.event for line in recorded(path)}

    silent = {
        EventType.Name(one.event_type).removeprefix("EVENT_TYPE_") for one in events(path) if one.event_id not in told
    }

    # which patch of the code a run has passed is a search attribute of Temporal's own
    assert silent - NO_LINE <= {"UPSERT_WORKFLOW_SEARCH_ATTRIBUTES"}


def test_a_failback_reads_as_what_happened():
    """Two signed approvals, a guest home, an approval taken back, a new gate, the other guest home."""
    page = [
        f"{line.n} {line.kind}: {line.what}" for line in recorded("0.2 failback-signed") if not line.data.get("quiet")
    ]

    assert page == FAILBACK.read_text().splitlines()


def test_a_vote_is_kept_with_its_text_its_signature_and_its_key():
    """Whoever doubts it can check the signature with OpenSSH alone."""
    vote = next(line for line in recorded("0.2 failback-signed") if line.kind == "vote").data

    assert vote["text"].startswith("Quorate approval, version 2\ndecision: approve\n")
    assert vote["signature"].startswith("-----BEGIN SSH SIGNATURE-----")
    assert (vote["by"], vote["claimed"], vote["taken"]) == ("ben", False, True)
    assert vote["fingerprint"] == "SHA256:v5Sd9Br4RyojsBibKwnNbP7k6rVBgOCb5ucB8NHjVOs"


def test_a_refused_vote_is_kept_with_the_reason():
    """What was refused has been said all the same."""
    vote, _ = _answered("approve", '{"by": "mallory"}', refused=("Unsigned", "sign with `quorate approve`"))

    assert vote.what == "approve, by mallory: refused: Unsigned: sign with `quorate approve`"
    assert (vote.kind, vote.data["taken"], vote.data["word"], vote.data["claimed"]) == ("vote", False, "Unsigned", True)


def test_a_word_that_nobody_answered_is_told_when_the_run_ends():
    """A run that is terminated has heard it, and its record says so."""
    said, closed = _answered("note", '{"text": "spare ordered", "by": "ana"}')

    assert (said.kind, said.what) == ("said", "note, by ana: spare ordered: not answered")
    assert closed.what == "terminated: wrong cluster"


def test_the_attempts_before_the_last_are_told():
    """What the worker has carried along, and what Temporal itself has kept of the one before."""
    scheduled, started, completed = HistoryEvent(event_id=5), HistoryEvent(event_id=6), HistoryEvent(event_id=7)
    scheduled.activity_task_scheduled_event_attributes.activity_id = "1 Pod is online"
    scheduled.user_metadata.summary.data = b'"Pod is online"'
    scheduled.user_metadata.summary.metadata["encoding"] = b"json/plain"
    began = started.activity_task_started_event_attributes
    began.scheduled_event_id, began.attempt = 5, 4
    began.last_failure.message = "activity Heartbeat timeout"
    began.last_failure.timeout_failure_info.timeout_type = TimeoutType.TIMEOUT_TYPE_HEARTBEAT
    result = completed.activity_task_completed_event_attributes
    result.scheduled_event_id = 5
    tried = '[{"attempt": 1, "until": 2, "word": "NotYet", "message": "it resyncs"}]'
    _payload(result.result, f'{{"finding": "online", "changed": false, "tried": {tried}}}')

    told = [line.what for line in record([[scheduled, started, completed]])]

    assert told == [
        "Pod is online: attempts 1 to 2: NotYet: it resyncs",
        "Pod is online: attempt 3: Timeout: activity Heartbeat timeout",
        "Pod is online: online",
    ]


def test_an_event_that_is_not_known_is_kept_whole():
    """A newer server may write events of which this build knows nothing."""
    event = HistoryEvent(event_id=9, event_type=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_PAUSED)
    event.workflow_execution_paused_event_attributes.reason = "by hand"

    (line,) = record([[event]])

    assert line.what == "WORKFLOW_EXECUTION_PAUSED"
    assert line.data["event"]["workflowExecutionPausedEventAttributes"] == {"reason": "by hand"}


def test_executions_that_go_on_as_new_are_one_record():
    """The numbers and the chain go on; what went on says from where."""
    first = list(events("0.2 failback-signed"))
    goes_on = HistoryEvent(event_id=len(first))
    goes_on.workflow_execution_continued_as_new_event_attributes.new_execution_run_id = "second"
    second = HistoryEvent(event_id=1)
    second.workflow_execution_started_event_attributes.original_execution_run_id = "second"
    second.workflow_execution_started_event_attributes.continued_execution_run_id = "first"

    lines = list(record([[*first[:-1], goes_on], [second]]))

    assert [line.what for line in lines[-2:]] == ["goes on as a new execution", "  goes on"]
    assert lines[-1].prev == lines[-2].digest
    assert (lines[-1].n, lines[-1].event, lines[-1].execution) == (len(lines) - 1, 1, "second")


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("9007199254740991", "9007199254740991"),
        ("9007199254740993", '"9007199254740993"'),
        ("-18446744073709551616", '"-18446744073709551616"'),
        ("1e16", "10000000000000000"),
        ("0.1", "0.1"),
        ("1.0", "1"),
        ("-0.0", "0"),
        ("1e300", "1e+300"),
        ("NaN", '"nan"'),
        ('"\\ud800"', '"\\\\ud800"'),
    ],
)
def test_numbers_and_letters_that_json_cannot_hold_survive(said: str, kept: str):
    """A whole number beyond 2^53 is written as its digits; a float as RFC 8785 spells it; both read back the same."""
    event = HistoryEvent(event_id=1)
    _payload(event.workflow_execution_signaled_event_attributes.input, f'{{"value": {said}}}')

    (line,) = record([[event]])

    assert f'"said":{{"value":{kept}}}' in line.canonical.decode()
    assert read(line.canonical).canonical == line.canonical


def test_a_line_that_is_not_canonical_is_refused():
    """The same facts with another space are other bytes."""
    line = Line(n=0, at=datetime(2026, 11, 28, tzinfo=UTC), run="r", execution="e", event=1, kind="state", what="x")

    with pytest.raises(ValueError, match="canonical"):
        read(line.canonical.replace(b":", b": ", 1))


def _answered(message: str, said: str, refused: tuple[str, str] | None = None) -> list[Line]:
    """A message to a run that is terminated right after it, answered with a refusal or not at all."""
    accepted, completed, terminated = HistoryEvent(event_id=5), HistoryEvent(event_id=6), HistoryEvent(event_id=7)
    request = accepted.workflow_execution_update_accepted_event_attributes.accepted_request
    request.input.name = message
    _payload(request.input.args, said)
    outcome = completed.workflow_execution_update_completed_event_attributes
    outcome.accepted_event_id = 5
    outcome.outcome.failure.application_failure_info.type, outcome.outcome.failure.message = refused or ("", "")
    terminated.workflow_execution_terminated_event_attributes.reason = "wrong cluster"
    return list(record([[accepted, *([completed] if refused else []), terminated]]))


def _payload(payloads, text: str) -> None:
    payload = payloads.payloads.add()
    payload.data = text.encode()
    payload.metadata["encoding"] = b"json/plain"
