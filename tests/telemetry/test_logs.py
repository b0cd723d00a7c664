"""Logs: text for a person, one JSON object a line for whoever collects them, each with its run and its span."""

import io
import json
import logging
import uuid
from collections.abc import Iterator
from contextvars import copy_context
from datetime import timedelta
from typing import Any, Literal

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker

from activities.clients.masks import MASKS
from workers.settings import Settings
from workers.telemetry import logs


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What the process logs, and afterwards everything as it was before."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    suffixes = workflow.logger.workflow_info_on_message, activity.logger.activity_info_on_message
    yield io.StringIO()
    root.handlers[:] = handlers
    root.setLevel(level)
    workflow.logger.workflow_info_on_message, activity.logger.activity_info_on_message = suffixes


def objects(written: io.StringIO) -> list[dict[str, Any]]:
    """Each line as it was meant."""
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_a_line_is_one_object_with_the_span_it_was_logged_in(written: io.StringIO):
    """Time, level, logger and message; ids as `quorate trace` takes them."""
    logs.configure(Settings(logs="json", log_level="info"), written)
    span = TracerProvider().get_tracer("test").start_span("step")

    with trace.use_span(span):
        logging.getLogger("quorate.gateway").warning("source %s: %s", "pve", "refused")

    (line,) = objects(written)
    context = span.get_span_context()
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "warning",
        "logger": "quorate.gateway",
        "message": "source pve: refused",
        "trace_id": f"{context.trace_id:032x}",
        "span_id": f"{context.span_id:016x}",
    }


def test_what_is_logged_after_an_attempt_belongs_to_it(written: io.StringIO):
    """Temporal's SDK tells of a failure when the attempt's span has ended."""
    logs.configure(Settings(logs="json"), written)
    span = TracerProvider().get_tracer("test").start_span("attempt")

    def attempted() -> None:
        logs.of_attempt(span)
        span.end()
        logging.getLogger("temporalio.activity").warning("attempt 1: Unreachable")

    copy_context().run(attempted)
    logging.getLogger("temporalio.activity").warning("another")

    first, second = objects(written)
    assert first["span_id"] == f"{span.get_span_context().span_id:016x}"
    assert "span_id" not in second


def test_a_stack_trace_is_inside_the_object(written: io.StringIO):
    """A collector that reads line by line gets all of it."""
    logs.configure(Settings(logs="json"), written)

    try:
        raise ValueError("no\nnumber")
    except ValueError:
        logging.getLogger("quorate").exception("a bug")

    (line,) = objects(written)
    assert (line["error"]["type"], line["error"]["message"]) == ("ValueError", "no\nnumber")
    assert "test_logs.py" in line["error"]["stack"]
    assert "trace_id" not in line


@pytest.mark.parametrize("how", ["text", "json"])
def test_a_secret_that_a_device_repeats_is_blanked_out(written: io.StringIO, how: Literal["text", "json"]):
    """In what is said as in the words of an error."""
    MASKS.learn("canary-of-logs-7f3a")
    logs.configure(Settings(logs=how), written)

    try:
        raise ValueError("refused: canary-of-logs-7f3a")
    except ValueError:
        logging.getLogger("quorate").exception("token %s is wrong", "canary-of-logs-7f3a")

    assert "canary" not in written.getvalue()
    assert "token [secret] is wrong" in written.getvalue()


def test_text_has_its_time_and_moves_no_cursor(written: io.StringIO):
    """What a device said is shown, and does nothing else."""
    logs.configure(Settings(), written)

    logging.getLogger("quorate").warning("node said %s", "\x1b[2Jgone")

    stamp, rest = written.getvalue().split(" ", 1)
    assert stamp.endswith("Z")
    assert rest == "WARNING quorate: node said \\x1b[2Jgone\n"


@activity.defn(name="test.looks")
def looks() -> None:
    """Says one thing."""
    activity.logger.info("looked")


@workflow.defn(name="LogsInTest")
class Says:
    """Says one thing itself, one in an activity."""

    @workflow.run
    async def run(self) -> None:
        """Both."""
        workflow.logger.info("begins %s", "here")
        await workflow.execute_activity("test.looks", start_to_close_timeout=timedelta(seconds=10))


async def test_what_a_run_logs_names_the_run(client: Client, written: io.StringIO):
    """Also from workflow code, where a formatter runs in the sandbox."""
    from concurrent.futures import ThreadPoolExecutor

    logs.configure(Settings(logs="json", log_level="info"), written)
    name = f"logs/{uuid.uuid4()}"
    async with Worker(
        client, task_queue=name, workflows=[Says], activities=[looks], activity_executor=ThreadPoolExecutor(1)
    ):
        handle = await client.start_workflow("LogsInTest", id=name, task_queue=name)
        await handle.result()

    said = {line["message"]: line for line in objects(written)}
    assert said["begins here"]["workflow_id"] == said["looked"]["workflow_id"] == name
    assert said["begins here"]["run_id"] == said["looked"]["run_id"] == handle.first_execution_run_id
    assert said["begins here"]["runbook"] == "LogsInTest"
    assert (said["looked"]["activity"], said["looked"]["attempt"]) == ("test.looks", 1)
