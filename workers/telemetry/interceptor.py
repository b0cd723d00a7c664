"""The spans of runs, of what is said to them, and of every attempt of a step.

The SDK's plugin carries the context along with activities, children and signals; its own spans are not used. Each run
is a trace of its own, however it was started: whoever started it is a link, so that no watch swallows its incidents.
Queries leave nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanContext
from temporalio import workflow
from temporalio.client import Interceptor as ClientInterceptor
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    ExecuteWorkflowInput,
    HandleSignalInput,
    HandleUpdateInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from activities import tracing
from workers.telemetry import logs
from workflows import spans

# What only serves the run that has started it stands in that run's trace.
PLUMBING = ("Claim",)
# What is asked of the ledger is a call of whoever asks; it lives for years and has nothing to tell of its own.
SERVING = ("ClusterLedger",)


class Spans(ClientInterceptor, Interceptor):
    """On a client it comes before all that its workers are given: what those do belongs to the attempt."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002  # SDK's name
        """Wrap every attempt."""
        return _Activity(next)

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:  # noqa: A002  # SDK's name
        """Wrap every run."""
        return _Workflow


class _Activity(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002  # SDK's name
        with tracing.attempt() as span:
            logs.of_attempt(span)
            return await super().execute_activity(input)


class _Workflow(WorkflowInboundInterceptor):
    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:  # noqa: A002  # SDK's name
        info, by = workflow.info(), _sender()
        serves = info.workflow_type in PLUMBING and by.is_valid
        parent = trace.set_span_in_context(trace.NonRecordingSpan(by), Context()) if serves else None
        # the part before is no cause: the trace goes on
        cause = by if not serves and info.continued_run_id is None else None
        if info.continued_run_id is not None:
            spans.took_over(by)
        with spans.run(info.workflow_type, parent, cause):
            return await super().execute_workflow(input)

    async def handle_signal(self, input: HandleSignalInput) -> None:  # noqa: A002  # SDK's name
        with _said(f"signal {input.signal}"):
            await super().handle_signal(input)

    async def handle_update_handler(self, input: HandleUpdateInput) -> Any:  # noqa: A002  # SDK's name
        with _said(f"update {input.update}"):
            return await super().handle_update_handler(input)


def _sender() -> SpanContext:
    """Who has started or told it, as the plugin has read it from the headers."""
    return trace.get_current_span().get_span_context()


@contextmanager
def _said(name: str) -> Iterator[None]:
    """What is said to a run stands in the run's trace; who said it is a link."""
    if workflow.info().workflow_type in PLUMBING:
        yield
        return
    by = _sender()
    if workflow.info().workflow_type in SERVING and by.is_valid:
        with spans.span(name):
            yield
        return
    with spans.span(name, parent=spans.of_run(), cause=by):
        yield
