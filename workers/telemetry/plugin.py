"""The SDK's OpenTelemetry plugin, which is experimental: nobody else imports it, so that its changes meet one module.

The ids of spans are ours. Those of a run follow from its own id, and replaying a history makes the same ones again.
"""

from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SynchronousMultiSpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Span, Tracer
from temporalio import workflow
from temporalio.client import Interceptor as ClientInterceptor
from temporalio.contrib.opentelemetry import OpenTelemetryPlugin, ReplaySafeTracerProvider

# the class that `create_tracer_provider` wraps every generator in: what is drawn in a workflow is drawn there alone
from temporalio.contrib.opentelemetry._id_generator import TemporalIdGenerator

# what its provider wraps spans in: it drops an end in a replay, which may be what a killed worker has taken along
from temporalio.contrib.opentelemetry._tracer_provider import _ReplaySafeSpan, _ReplaySafeTracer
from temporalio.plugin import SimplePlugin

from cluster.traces import root_of, trace_of
from workers.telemetry.settling import replayed
from workflows.spans import is_root

__all__ = ["ReplaySafeTracerProvider", "made", "plugins"]


class RunIds(TemporalIdGenerator):
    """The trace of a run is that of its run id, however it was started; so is its root span."""

    def generate_trace_id(self) -> int:
        """In a workflow that of its run; else one by lot."""
        if workflow.in_workflow():
            return int(trace_of(workflow.info().first_execution_run_id), 16)
        return super().generate_trace_id()

    def generate_span_id(self) -> int:
        """The root's, while a run begins; else from the workflow's own lots, which are the same in every replay."""
        if workflow.in_workflow() and is_root():
            return int(root_of(trace_of(workflow.info().first_execution_run_id)), 16)
        return super().generate_span_id()


class _EndedAgain(_ReplaySafeSpan):
    """A span that ends in replays too: `settling` says who is told of that."""

    def end(self, end_time: int | None = None) -> None:
        """At the time that the history says."""
        if replayed():
            self._span.end(end_time=end_time)
        else:
            super().end(end_time)


class _Tracer(_ReplaySafeTracer):
    def start_span(self, *given: Any, **named: Any) -> Span:
        """One that ends in replays too."""
        one = super().start_span(*given, **named)
        return _EndedAgain(one._span) if isinstance(one, _ReplaySafeSpan) else one


class _Provider(ReplaySafeTracerProvider):
    def get_tracer(self, *given: Any, **named: Any) -> Tracer:
        """The SDK's, whose spans end in replays too."""
        return _Tracer(self._tracer_provider.get_tracer(*given, **named))


def made(resource: Resource, processor: SynchronousMultiSpanProcessor) -> ReplaySafeTracerProvider:
    """What `create_tracer_provider` makes, with ids of our own: it takes none for what is in a workflow."""
    ids = RunIds(RandomIdGenerator())
    provider = TracerProvider(
        resource=resource, shutdown_on_exit=False, active_span_processor=processor, id_generator=ids
    )
    return _Provider(provider, ids)


def plugins(spans: ClientInterceptor) -> list[SimplePlugin]:
    """For a client, in this order: what the first one reads from the headers is what `spans` go by."""
    return [OpenTelemetryPlugin(), SimplePlugin("quorate.spans", interceptors=[spans])]
