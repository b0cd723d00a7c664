"""Where the metrics go: an address for Prometheus, or what OpenTelemetry's variables say; what is wrong is said."""

import logging
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from aiohttp import web
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from temporalio.client import Client
from temporalio.common import MetricMeter
from temporalio.runtime import OpenTelemetryMetricTemporality

import activities.meters
import workflows.meters
from cluster.metrics import LOOKED_AT, STEPS, record
from tests.metrics import Endpoint
from tests.patience import Deadline
from tests.twin import EXAMPLE
from tests.workers.test_cli_runs import here, said
from workers.errors import Unusable
from workers.gateway.figures import Figures
from workers.settings import Settings
from workers.telemetry.metrics import made, otlp, prometheus
from workers.telemetry.survey import Survey
from workers.temporal.embedded import free_port

LISTENING = "http://collector:4318"


def told(settings: Settings, environment: dict[str, str]) -> str:
    """What a person reads of it."""
    with pytest.raises(Unusable) as refused:
        made(settings, cluster="metro", program="worker", environment=environment)
    return f"{refused.value.what}; {refused.value.remedy}"


def test_nothing_is_told_unless_it_is_asked_for():
    """Neither an address nor a variable: no page, no connection."""
    assert made(Settings(metrics=""), cluster="metro", program="worker", environment={}) is None


@pytest.mark.parametrize("address", ["9464", ":9464", "localhost:9464", "127.0.0.1:0", "127.0.0.1:http", "[::1"])
def test_an_address_is_an_ip_address_with_a_port(address: str):
    """Anything else is refused with an example."""
    assert told(Settings(metrics=address), {}) == (
        f"QUORATE_METRICS is {address!r}, which is no IP address with a port; "
        "write it as 127.0.0.1:9464, or 0.0.0.0:9464 for a Prometheus on another machine"
    )


def test_a_port_that_is_taken_is_named():
    """The second process on one machine is told to have an address of its own."""
    settings = Settings(metrics=f"127.0.0.1:{free_port()}")
    first = made(settings, cluster="metro", program="worker", environment={})

    assert first is not None
    assert told(settings, {}) == (
        f"QUORATE_METRICS: cannot listen on {settings.metrics}: Address already in use; "
        "give each process an address of its own in QUORATE_METRICS, or leave it empty"
    )


@pytest.mark.parametrize("command", [("worker",), ("gateway",), ("up",)])
def test_each_program_says_it_before_it_does_anything(command: tuple[str, ...], tmp_path: Path):
    """Two lines and a status, whatever else would be wrong."""
    found = said(here(*command, "-i", str(EXAMPLE), QUORATE_METRICS="9464", QUORATE_STATE=str(tmp_path)), 2)

    assert "error: QUORATE_METRICS is '9464', which is no IP address with a port" in found
    assert "what to do: write it as 127.0.0.1:9464" in found


@pytest.mark.parametrize(
    ("environment", "url", "http"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317"}, "http://collector:4317", False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": LISTENING}, f"{LISTENING}/v1/metrics", True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": f"{LISTENING}/"}, f"{LISTENING}/v1/metrics", True),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{LISTENING}/own"}, f"{LISTENING}/own", True),
        ({"OTEL_METRICS_EXPORTER": "otlp"}, "http://localhost:4317", False),
        ({"OTEL_METRICS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
         "http://localhost:4318/v1/metrics", True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c:443", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "http/protobuf"},
         "https://c:443/v1/metrics", True),
    ],
)  # fmt: skip
def test_an_endpoint_is_read_as_everywhere(environment: dict[str, str], url: str, http: bool):
    """The word for metrics before the one for all signals; the port says the protocol where nothing does."""
    found = otlp(environment)

    assert found is not None
    assert (found.url, found.http) == (url, http)


def test_all_that_opentelemetry_lets_say_is_heard():
    """Headers, the time between two exports, and temporality."""
    found = otlp(
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": LISTENING,
            "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20x,tenant=a",
            "OTEL_METRIC_EXPORT_INTERVAL": "5000",
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta",
        }
    )

    assert found is not None
    assert found.headers == {"authorization": "Bearer x", "tenant": "a"}
    assert found.metric_periodicity == timedelta(seconds=5)
    assert found.metric_temporality is OpenTelemetryMetricTemporality.DELTA


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": LISTENING, "OTEL_METRICS_EXPORTER": "none"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": LISTENING, "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": LISTENING},
    ],
)
def test_what_is_for_others_sends_no_metrics(environment: dict[str, str]):
    """Turned off, or said of traces alone."""
    assert otlp(environment) is None


def test_a_page_for_prometheus_goes_before_the_endpoint_of_all_signals():
    """A collector that takes traces does not take the metrics away from it."""
    settings = Settings(metrics="127.0.0.1:9464")

    assert prometheus(settings, {"OTEL_EXPORTER_OTLP_ENDPOINT": LISTENING}) is not None
    assert told(settings, {"OTEL_METRICS_EXPORTER": "otlp"}) == (
        "QUORATE_METRICS and OTEL_METRICS_EXPORTER=otlp: a process tells its metrics in one way; unset one of them; "
        "an OpenTelemetry Collector can read the page as well (its receiver is `prometheus`)"
    )


def test_a_wrong_variable_is_named_and_its_secret_is_not():
    """An endpoint may hold a password."""
    assert told(Settings(), {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector://ana:pw@host"}) == (
        "OTEL_EXPORTER_OTLP_ENDPOINT is no address with http:// or https://; "
        "write it as http://host:4317 (gRPC) or http://host:4318 (HTTP)"
    )
    assert told(Settings(), {"OTEL_EXPORTER_OTLP_ENDPOINT": LISTENING, "OTEL_METRIC_EXPORT_INTERVAL": "1m"}) == (
        "OTEL_METRIC_EXPORT_INTERVAL is '1m', which is no number of milliseconds; set 60000"
    )
    assert told(Settings(), {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}) == (
        "OTEL_EXPORTER_OTLP_PROTOCOL is http/json, which is not spoken here; set grpc or http/protobuf"
    )


async def test_a_receiver_gets_names_units_and_the_name_of_the_process():
    """Over HTTP, as OpenTelemetry's own schema reads it."""
    taken: list[tuple[str, ExportMetricsServiceRequest]] = []

    async def take(request: web.Request) -> web.Response:
        taken.append((request.headers["x-token"], ExportMetricsServiceRequest.FromString(await request.read())))
        return web.Response(body=b"", content_type="application/x-protobuf")

    app, port = web.Application(), free_port()
    app.router.add_post("/v1/metrics", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_HEADERS": "x-token=abc",
        "OTEL_METRIC_EXPORT_INTERVAL": "200",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=lab",
    }
    runtime = made(Settings(at="site-a"), cluster="metro", program="worker", environment=environment)
    try:
        deadline = Deadline(10)
        while not taken:
            assert not deadline.over, "waited for an export"
            await deadline.a_while()
    finally:
        told_by = runtime is not None
        del runtime  # or it would go on to send to where soon nothing listens
        await runner.cleanup()

    token, found = taken[0]
    assert told_by
    assert token == "abc"
    [resource] = found.resource_metrics
    about = {one.key: one.value.string_value for one in resource.resource.attributes}
    assert about["service.name"] == "quorate"
    assert about["deployment.environment"] == "lab"
    assert (about["cluster"], about["at"], about["program"]) == ("metro", "site-a", "worker")
    assert [one.name for scope in resource.scope_metrics for one in scope.metrics] == ["quorate_build_info"]


async def test_a_survey_without_an_answer_says_so_once_and_goes_on(caplog: pytest.LogCaptureFixture):
    """Nothing listens there: the failures are counted, the time of the survey stays, and no worker ends by it."""
    settings, nowhere = Settings(metrics=f"127.0.0.1:{free_port()}"), f"127.0.0.1:{free_port()}"
    runtime = made(settings, cluster="metro", program="worker", environment={})
    assert runtime is not None
    client = await Client.connect(nowhere, lazy=True, runtime=runtime)
    survey = Survey(client, "metro", runtime.metric_meter)
    with caplog.at_level(logging.WARNING, "quorate.metrics"):
        await survey.once()
        await survey.once()
    page = Endpoint(settings.metrics, client, runtime.metric_meter).scraped()

    assert page.lines("quorate_survey_failures_total", "of") == ["{of=ledger} 2", "{of=runs} 2", "{of=watch} 2"]
    assert "quorate_survey_timestamp_seconds" not in page.names
    assert [line.getMessage().partition(" of ")[2].partition(":")[0] for line in caplog.records] == [
        "watch", "ledger", "runs"
    ]  # fmt: skip


def test_a_figure_that_cannot_be_told_stops_nothing():
    """Neither a label that the table does not have, nor a place that has no meter."""
    workflows.meters.tell(STEPS, runbook="deploy", outcome="done")
    activities.meters.tell(LOOKED_AT, 1, where="here")
    Figures(cast(MetricMeter, None)).waiting(3)
    with pytest.raises(ValueError, match="quorate_steps_total has the labels"):
        record(MetricMeter.noop, STEPS, 1, {"guest": "vm:300"})
