"""Who takes the spans of this process: the embedded store, and an OTLP receiver where the environment names one.

Both take them in batches, on threads of their own. Neither may disturb a run: what cannot be written or sent is told in
one line of the log, and in one more when it works again.
"""

import logging
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from urllib.parse import urlsplit

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from activities.clients.masks import MASKS
from workers.errors import Unusable
from workers.settings import Settings
from workers.telemetry.masking import learn, masked, shown
from workers.telemetry.mending import Missing, end_lost
from workers.telemetry.settling import Again, replayed
from workers.telemetry.store import Store, set_aside

logger = logging.getLogger(__name__)
LETTERS = 200

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
HTTP, GRPC = "http/protobuf", "grpc"
HTTP_PORT = 4318

# Whoever looks at a trace while the run goes on sees what was a second ago.
DELAY_MS = 1000
# A deployment of six nodes ends some hundred spans in a second; a batch takes far less than that to write.
QUEUE = 16_384
BATCH = 512
# Spans that wait for a receiver that is down: some minutes of a busy worker, 20 MB at most.
WAITING = 20_000
# Seconds until a receiver that did not answer is asked again: a question may take ten, also while a worker stops.
PAUSE = 5
# After so many batches the store looks whether it has grown too large.
PRUNED_EVERY = 50


def processors(settings: Settings, environment: Mapping[str, str] = os.environ) -> Iterator[SpanProcessor]:
    """Those that take this process's spans, made one by one. Unusable where a variable says what nobody understands."""
    learn(environment)
    if endpoint := receiver(environment):
        exporter = Waiting(otlp_exporter(endpoint, protocol(endpoint, environment), configured=True), endpoint)
        yield BatchSpanProcessor(exporter, max_queue_size=QUEUE, schedule_delay_millis=DELAY_MS)
    if settings.traces == "store":
        store = Store(settings.state, settings.traces_megabytes, settings.traces_age)
        yield FromTheStart(StoreExporter(store), max_queue_size=QUEUE, schedule_delay_millis=DELAY_MS)
        yield Again(Missing(settings.state), max_queue_size=QUEUE, schedule_delay_millis=DELAY_MS)
        # beside: a process begins to work at once, however large the file is
        threading.Thread(target=end_lost, args=(settings.state,), name="lost spans", daemon=True).start()


def receiver(environment: Mapping[str, str]) -> str:
    """Where spans are sent by the environment's word; empty where it names nothing."""
    if environment.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower() == "none":
        return ""
    return next((value for name in ENDPOINTS if (value := environment.get(name, "").strip())), "")


def protocol(endpoint: str, environment: Mapping[str, str]) -> str:
    """The protocol that the environment names, else that of the endpoint's port: 4318 is OTLP over HTTP, else gRPC."""
    said = next((value for name in PROTOCOLS if (value := environment.get(name, "").strip().lower())), "")
    if said and said not in (HTTP, GRPC):
        raise Unusable(
            f"OTEL_EXPORTER_OTLP_PROTOCOL is {said}, which is not spoken here",
            f"set it to {GRPC} or {HTTP}",
        )
    try:
        port = urlsplit(endpoint).port
    except ValueError:  # its own words may hold a password
        raise Unusable(f"the endpoint {shown(endpoint)!r} has no usable port", EXAMPLE) from None
    return said or (HTTP if port == HTTP_PORT else GRPC)


EXAMPLE = "write it as http://host:4317 (gRPC) or http://host:4318 (HTTP)"


def otlp_exporter(
    endpoint: str, spoken: str, *, configured: bool = False, timeout: float | None = None
) -> SpanExporter:
    """OpenTelemetry's own exporter; headers, certificates and compression are those of ``OTEL_EXPORTER_OTLP_…``.

    `configured`: the endpoint is the environment's own word, which the exporter reads by itself and by its own rules.
    Imported here: gRPC takes a third of a second, and most processes send nothing.
    """
    if urlsplit(endpoint).scheme not in ("http", "https"):
        raise Unusable(f"the endpoint {shown(endpoint)!r} is no address with http:// or https://", EXAMPLE)
    if spoken == HTTP:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as OverHttp

        path = "" if urlsplit(endpoint).path.strip("/") else "/v1/traces"
        return OverHttp(endpoint=None if configured else endpoint.rstrip("/") + path, timeout=timeout)
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as OverGrpc

    return OverGrpc(endpoint=None if configured else endpoint, timeout=timeout)


class FromTheStart(BatchSpanProcessor):
    """Hands spans over when they begin as well as when they end: what is under way can be looked at.

    Not while a history is replayed: those spans have been told before, maybe long ago.
    """

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """The exporter reads it a moment later, with what it has by then."""
        if not replayed():
            self.on_end(span)


class _Once:
    """One line when something begins to fail, one when it works again."""

    def __init__(self) -> None:
        self._failing = False
        self.lost = 0

    def failed(self, said: str, *words: object) -> None:
        if not self._failing:
            logger.warning(said, *words)
        self._failing = True

    def works(self, said: str, *words: object) -> None:
        if self._failing:
            logger.warning(said, *words)
        self._failing, self.lost = False, 0


class StoreExporter(SpanExporter):
    """Writes spans to the store. What it cannot write is lost, and said so."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._said = _Once()
        self._batches = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Never raises: a full disk is no reason to stop a failover."""
        try:
            # those that have ended are clean already (`settling`)
            self._store.add([masked(span) if span.end_time is None else span for span in spans])
            self._batches += 1
            if self._batches % PRUNED_EVERY == 1:
                self._store.prune()
        except sqlite3.DatabaseError as error:
            broken = not isinstance(error, sqlite3.OperationalError)
            return self._lost(spans, f"{error}{self._begun_anew() if broken else ''}")
        except OSError as error:
            return self._lost(spans, error.strerror or str(error))
        except (ArithmeticError, TypeError, ValueError) as error:  # a span holds what no receiver could be told
            return self._lost(spans, f"{type(error).__name__}: {MASKS.text(str(error))[:LETTERS]}")
        self._said.works("traces are kept again in %s; %d spans were lost", self._store.path, self._said.lost)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Let go of the file."""
        self._store.close()

    def _lost(self, spans: Sequence[ReadableSpan], why: str) -> SpanExportResult:
        self._said.lost += len(spans)
        self._said.failed("traces cannot be kept in %s: %s; runs go on without", self._store.path, why)
        return SpanExportResult.FAILURE

    def _begun_anew(self) -> str:
        try:
            return f"; it is now {set_aside(self._store.path).name}, a new one begins"
        except OSError as error:
            return f", and it cannot be renamed: {error.strerror}"


class Waiting(SpanExporter):
    """Lets spans wait for a receiver that does not answer, the oldest are let go first.

    The exporters try again for ten seconds (``OTEL_EXPORTER_OTLP_TIMEOUT``) and give the batch up; a receiver that is
    restarted takes longer.
    """

    def __init__(
        self, exporter: SpanExporter, endpoint: str, most: int = WAITING, pause: timedelta = timedelta(seconds=PAUSE)
    ) -> None:
        self._exporter, self._pause = exporter, pause.total_seconds()
        self._again_at = 0.0
        self._where = address(endpoint)
        self._waiting: deque[ReadableSpan] = deque(maxlen=most)
        self._said = _Once()
        quiet()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Those that wait go before."""
        self._said.lost += max(0, len(self._waiting) + len(spans) - (self._waiting.maxlen or 0))
        self._waiting.extend(spans)
        if time.monotonic() < self._again_at:
            return SpanExportResult.FAILURE
        while self._waiting:
            batch = [self._waiting[n] for n in range(min(BATCH, len(self._waiting)))]
            if self._exporter.export(batch) is not SpanExportResult.SUCCESS:
                self._again_at = time.monotonic() + self._pause
                self._said.failed(
                    "%s takes no spans: up to %d wait for it, runs go on; `quorate trace RUN --send` sends them later",
                    self._where,
                    self._waiting.maxlen,
                )
                return SpanExportResult.FAILURE
            for _ in batch:
                self._waiting.popleft()
        self._said.works("%s takes spans again; %d were not kept for it", self._where, self._said.lost)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """What still waits is lost here; the store has it."""
        self._exporter.shutdown()


def address(endpoint: str) -> str:
    """The endpoint without a user, a password or a query: what may stand in a log."""
    try:
        parts = urlsplit(endpoint)
        return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}"
    except ValueError:
        return "the OTLP endpoint"


def quiet() -> None:
    """The exporters log every attempt that fails; whoever uses them says it once, in words."""
    for name in ("opentelemetry.exporter.otlp", "opentelemetry.exporter.http"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
