"""How the log of a process is written: as text for a person, or as one JSON object a line for whoever collects it.

A line says which run and which span it belongs to, so that logs, traces and histories can be read side by side. The
formatters are the standard library's with a dozen lines more: what is to be said comes from Temporal's and
OpenTelemetry's own objects, which no library of JSON logs knows.

Whatever a device or a library repeats of a secret is blanked out.

A record that was made in a workflow is formatted in the workflow's sandbox: nothing is imported here while formatting,
and the time is the record's own.
"""

import json
import logging
import sys
import time
from contextvars import ContextVar
from typing import Any, TextIO

from opentelemetry import trace
from opentelemetry.trace import INVALID_SPAN_CONTEXT, Span, SpanContext
from temporalio import activity, workflow

from activities.clients.masks import MASKS
from cluster.visible import visible, visible_json
from workers.settings import Settings

# Temporal's names of what we call a run; both are extras that its loggers add to a record.
WORKFLOW, ACTIVITY = "temporal_workflow", "temporal_activity"

# The attempt that has run here last: what Temporal's SDK logs of its failure comes when its span has ended already.
_ATTEMPT: ContextVar[SpanContext] = ContextVar("the span of this attempt", default=INVALID_SPAN_CONTEXT)


def of_attempt(span: Span) -> None:
    """What is logged from now on in this task, and in no other span, belongs to that one."""
    _ATTEMPT.set(span.get_span_context())


def configure(settings: Settings, stream: TextIO | None = None) -> None:
    """From now on, for everything in this process that logs; once more replaces what was said before."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(Json() if settings.logs == "json" else Plain())
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    # run and activity have fields of their own in JSON
    workflow.logger.workflow_info_on_message = settings.logs != "json"
    activity.logger.activity_info_on_message = settings.logs != "json"


class Plain(logging.Formatter):
    """Time in UTC, level, who, what; whatever a device said moves no cursor."""

    def __init__(self) -> None:
        self.converter = time.gmtime
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%SZ")

    def format(self, record: logging.LogRecord) -> str:
        """One line; a stack trace below it where there is one."""
        return visible(MASKS.text(super().format(record)), keep="\n\t")


class Json(logging.Formatter):
    """One object a line; fields that are not known are not there."""

    def __init__(self) -> None:
        self.converter = time.gmtime
        super().__init__()

    def format(self, record: logging.LogRecord) -> str:
        """The same line for a worker, a gateway and `quorate up`."""
        moment = self.formatTime(record, "%Y-%m-%dT%H:%M:%S")
        said: dict[str, Any] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_run(record),
            **_span(),
        }
        if record.exc_info and record.exc_info[0] is not None:
            said["error"] = {
                "type": record.exc_info[0].__name__,
                "message": str(record.exc_info[1]),
                "stack": self.formatException(record.exc_info),
            }
        return visible_json(json.dumps(MASKS.data(said), ensure_ascii=False, default=str))


def _run(record: logging.LogRecord) -> dict[str, Any]:
    """The run that it was logged in, by Temporal's own extras."""
    about = getattr(record, ACTIVITY, None) or getattr(record, WORKFLOW, None)
    if not isinstance(about, dict):
        return {}
    known = {
        "workflow_id": about.get("workflow_id"),
        "run_id": about.get("workflow_run_id") or about.get("run_id"),
        "runbook": about.get("workflow_type"),
        "activity": about.get("activity_type"),
        "activity_id": about.get("activity_id"),
        "attempt": about.get("attempt") if about.get("activity_type") else None,
    }
    return {key: value for key, value in known.items() if value is not None}


def _span() -> dict[str, str]:
    """The span that is under way where it was logged, else the attempt's; nothing where nothing is traced."""
    context = trace.get_current_span().get_span_context()
    context = context if context.is_valid else _ATTEMPT.get()
    if not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
