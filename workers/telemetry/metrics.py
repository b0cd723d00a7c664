"""Metrics: the SDK's and ours from one runtime, on a page for Prometheus or to an OTLP receiver.

A process has one runtime, made before its first client. Which of the two ways it goes is said by `QUORATE_METRICS` (an
address for Prometheus), else by OpenTelemetry's own variables, which are read as everywhere; without either there are
none. Names are those of the table (`cluster.metrics`), and the SDK's own (``temporal_…``, durations in seconds).
"""

import ipaddress
import os
import platform
from collections.abc import Mapping
from datetime import timedelta
from importlib.metadata import version
from urllib.parse import urlsplit

from opentelemetry.util.re import parse_env_headers
from temporalio.client import Client
from temporalio.common import MetricMeter
from temporalio.runtime import (
    OpenTelemetryConfig,
    OpenTelemetryMetricTemporality,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
)

from activities.clients.masks import MASKS
from cluster.metrics import BUILD, TABLE, record
from workers.errors import Unusable
from workers.settings import Settings
from workers.telemetry.masking import learn

EXAMPLE = "write it as 127.0.0.1:9464, or 0.0.0.0:9464 for a Prometheus on another machine"
# OpenTelemetry's default, in milliseconds.
INTERVAL = 60_000
GRPC, HTTP, HTTP_PORT = "grpc", "http/protobuf", 4318
BUCKETS = {metric.name: metric.buckets for metric in TABLE if metric.buckets}
# The SDK's own end at ten seconds; a task that waits for a worker waits for minutes.
WAITS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0)
BUCKETS |= {f"temporal_{task}_schedule_to_start_latency": WAITS for task in ("activity", "workflow_task")}


def metered(
    settings: Settings, *, cluster: str, program: str, environment: Mapping[str, str] = os.environ
) -> Runtime | None:
    """The runtime of this process from now on, with metrics; None where nobody asks for them.

    `program` is ``worker``, ``up`` or ``gateway``. Unusable where an address or a variable cannot be used.
    """
    runtime = made(settings, cluster=cluster, program=program, environment=environment)
    if runtime is not None:
        Runtime.set_default(runtime)
    return runtime


def made(
    settings: Settings, *, cluster: str, program: str, environment: Mapping[str, str] = os.environ
) -> Runtime | None:
    """The same, for who gives it to a client by itself."""
    learn(environment)
    config = prometheus(settings, environment) or otlp(environment)
    if config is None:
        return None
    tags = {"cluster": cluster, "program": program, **({"at": settings.at} if settings.at else {})}
    if isinstance(config, OpenTelemetryConfig):
        tags |= _resource(environment)
    telemetry = TelemetryConfig(metrics=config, global_tags=tags, attach_service_name=False)
    try:
        runtime = Runtime(telemetry=telemetry)
    except ValueError as error:  # the port is taken, or the address is none of this machine's
        said = MASKS.text(str(error)).removeprefix("Failed starting Prometheus exporter: ").partition(" (os error")[0]
        if isinstance(config, PrometheusConfig):
            remedy = "give each process an address of its own in QUORATE_METRICS, or leave it empty"
            raise Unusable(f"QUORATE_METRICS: cannot listen on {config.bind_address}: {said}", remedy) from None
        raise Unusable(f"the metrics cannot be sent: {said}", "see the variables OTEL_EXPORTER_OTLP_…") from None
    record(runtime.metric_meter, BUILD, 1, build())
    return runtime


def meter_of(client: Client) -> MetricMeter:
    """Who takes the figures of the process that has that client; does nothing where there are no metrics."""
    return (client.service_client.config.runtime or Runtime.default()).metric_meter


def build() -> dict[str, str]:
    """What this process is made of."""
    return {
        "version": version("quorate"),
        "python": platform.python_version(),
        "temporalio": version("temporalio"),
    }


# --- who takes them ------------------------------------------------------------------------------------------------


def prometheus(settings: Settings, environment: Mapping[str, str]) -> PrometheusConfig | None:
    """The page that a Prometheus server reads; None where no address is set."""
    address = settings.metrics.strip()
    if not address:
        return None
    if _exporters(environment) == ["otlp"]:
        raise Unusable(
            "QUORATE_METRICS and OTEL_METRICS_EXPORTER=otlp: a process tells its metrics in one way",
            "unset one of them; an OpenTelemetry Collector can read the page as well (its receiver is `prometheus`)",
        )
    host, _, port = address.rpartition(":")
    try:
        ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
        valid = 0 < int(port) < 65536
    except ValueError:
        valid = False
    if not valid:
        raise Unusable(f"QUORATE_METRICS is {address[:80]!r}, which is no IP address with a port", EXAMPLE)
    return PrometheusConfig(bind_address=address, durations_as_seconds=True, histogram_bucket_overrides=BUCKETS)


def otlp(environment: Mapping[str, str]) -> OpenTelemetryConfig | None:
    """An OTLP receiver; None where OpenTelemetry's variables name none, or turn metrics off."""
    exporters = _exporters(environment)
    endpoint = _said(environment, "ENDPOINT")
    off = environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if off or (exporters and exporters != ["otlp"]) or not (exporters or endpoint):
        return None
    protocol = _said(environment, "PROTOCOL").lower()
    if protocol not in ("", GRPC, HTTP):
        raise Unusable(f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol}, which is not spoken here", f"set {GRPC} or {HTTP}")
    url, http = _target(environment, endpoint, protocol)
    preference = environment.get("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "").strip().lower()
    return OpenTelemetryConfig(
        url=url,
        http=http,
        headers=parse_env_headers(_said(environment, "HEADERS"), liberal=True),
        metric_periodicity=_interval(environment),
        metric_temporality=OpenTelemetryMetricTemporality.DELTA
        if preference == "delta"
        else OpenTelemetryMetricTemporality.CUMULATIVE,
        durations_as_seconds=True,
        histogram_bucket_overrides=BUCKETS,
    )


def _target(environment: Mapping[str, str], endpoint: str, protocol: str) -> tuple[str, bool]:
    """The whole address, and whether it is spoken to by HTTP: as said, else by the port, as for traces."""
    parts = urlsplit(endpoint)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if endpoint and (parts.scheme not in ("http", "https") or not parts.hostname or port == -1):
        # never the endpoint itself: it may hold a password
        raise Unusable(
            "OTEL_EXPORTER_OTLP_ENDPOINT is no address with http:// or https://",
            "write it as http://host:4317 (gRPC) or http://host:4318 (HTTP)",
        )
    http = protocol == HTTP if protocol else port == HTTP_PORT
    if not http:
        return endpoint or "http://localhost:4317", False
    if environment.get("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "").strip():  # used as it is (OTLP exporter spec)
        return endpoint, True
    return f"{(endpoint or 'http://localhost:4318').rstrip('/')}/v1/metrics", True


def _exporters(environment: Mapping[str, str]) -> list[str]:
    return [name for one in environment.get("OTEL_METRICS_EXPORTER", "").split(",") if (name := one.strip().lower())]


def _said(environment: Mapping[str, str], what: str) -> str:
    """The word for metrics goes before the one for all signals."""
    names = f"OTEL_EXPORTER_OTLP_METRICS_{what}", f"OTEL_EXPORTER_OTLP_{what}"
    return next((said for name in names if (said := environment.get(name, "").strip())), "")


def _interval(environment: Mapping[str, str]) -> timedelta:
    said = environment.get("OTEL_METRIC_EXPORT_INTERVAL", "").strip() or str(INTERVAL)
    if not said.isdigit() or int(said) == 0:
        raise Unusable(f"OTEL_METRIC_EXPORT_INTERVAL is {said[:80]!r}, which is no number of milliseconds", "set 60000")
    return timedelta(milliseconds=int(said))


def _resource(environment: Mapping[str, str]) -> dict[str, str]:
    """What OpenTelemetry calls this process: its own variables go before ours."""
    tags = {"service.name": "quorate", "service.version": version("quorate")}
    tags |= parse_env_headers(environment.get("OTEL_RESOURCE_ATTRIBUTES", ""), liberal=True)
    if name := environment.get("OTEL_SERVICE_NAME", "").strip():
        tags["service.name"] = name
    return tags
