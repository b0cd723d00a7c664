"""What a worker's log leaves out: noise of libraries, and stack traces of what is no bug."""

import asyncio
import logging

from temporalio import activity
from temporalio.exceptions import ApplicationError


class _InOneLine(logging.Filter):
    """A refusal in one of the seven words is no bug: its sentence says all, the place in our code nothing."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, ApplicationError | asyncio.CancelledError):
            about = getattr(record, "temporal_activity", {})
            record.msg, record.exc_info = "%s, attempt %s: %s", None
            record.args = (about.get("activity_id", "?"), about.get("attempt", "?"), str(error) or "stopped")
        return True


_IN_ONE_LINE = _InOneLine()


def in_short() -> None:
    """From now on, in this process; once more does nothing."""
    # a run that leaves the cache with a step under way makes OpenTelemetry complain about a context that is gone anyway
    logging.getLogger("opentelemetry.context").setLevel(logging.CRITICAL)
    activity.logger.base_logger.addFilter(_IN_ONE_LINE)
