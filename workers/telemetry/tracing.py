"""Traces: one provider for a process, one trace for a run. Who takes the spans is said by `processors`.

``OTEL_SDK_DISABLED=true`` turns it all off. What a resource is called and who takes its spans is configured as
everywhere: ``OTEL_SERVICE_NAME``, ``OTEL_RESOURCE_ATTRIBUTES``, ``OTEL_TRACES_SAMPLER``, ``OTEL_EXPORTER_OTLP_…``.

Spans end on the thread of a workflow, which may not wait: a processor that sends them somewhere is a batch processor.
"""

import asyncio
import os
import socket
import threading
from collections.abc import Coroutine, Iterable
from importlib.metadata import version
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.util.types import AttributeValue

from workers.settings import Settings
from workers.telemetry import logs, wired
from workers.telemetry.exporting import processors
from workers.telemetry.interceptor import Spans
from workers.telemetry.plugin import ReplaySafeTracerProvider, made, plugins
from workers.telemetry.settling import Settling

FLUSHED_WITHIN = 5.0


def disabled() -> bool:
    """Whether the environment has turned telemetry off."""
    return os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def resource(settings: Settings) -> Resource:
    """What this process is; the environment's own words go before ours."""
    ours: dict[str, AttributeValue] = {
        "service.name": "quorate",
        "service.version": version("quorate"),
        "host.name": socket.gethostname(),
        "process.pid": os.getpid(),
        **({"quorate.at": settings.at} if settings.at else {}),
    }
    return Resource.create({**ours, **OTELResourceDetector().detect().attributes})


def tracing(settings: Settings, processors: Iterable[SpanProcessor] = ()) -> bool:
    """Trace from now on what this process does; whether it is traced.

    Call it before a client is made. A second call only adds its processors: a process has one provider for its life.
    """
    if disabled():
        return False
    provider = trace.get_tracer_provider()
    if not isinstance(provider, ReplaySafeTracerProvider):
        provider = made(resource(settings), Settling())
        trace.set_tracer_provider(provider)
        wired.plugins += plugins(Spans())
    for processor in processors:
        provider.add_span_processor(processor)
    return True


async def flushed() -> None:
    """What has ended goes to those who take it; beside the event loop, and nobody waits longer than five seconds."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, ReplaySafeTracerProvider):
        # on a thread that may be left behind: OpenTelemetry's flush knows no time limit
        flush = threading.Thread(target=provider.force_flush, name="last spans", daemon=True)
        flush.start()
        await asyncio.to_thread(flush.join, FLUSHED_WITHIN)


async def traced(settings: Settings, work: Coroutine[Any, Any, None]) -> None:
    """Do the work of a process: it logs and is traced, and its last spans are kept and sent before it ends."""
    logs.configure(settings)
    tracing(settings, processors(settings))
    try:
        await work
    finally:
        await flushed()
