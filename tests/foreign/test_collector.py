"""An OpenTelemetry Collector takes what Quorate exports: spans in are spans out."""

from pathlib import Path

import pytest

from cluster.plan import Mode
from cluster.traces import trace_of
from tests.conftest import Start
from tests.foreign.receivers import ARRIVES_WITHIN, Collector, until
from tests.telemetry.test_exporting import spans
from workers.cli.main import run as quorate
from workers.settings import Settings
from workers.telemetry.exporting import processors
from workers.telemetry.store import Store
from workers.telemetry.tracing import flushed, tracing
from workflows.catalogue import RunbookRequest

pytestmark = pytest.mark.foreign


async def test_a_collector_takes_every_span_of_a_run(
    collector: Collector,
    start: Start,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    """While the run goes on by gRPC, and once more from the store, by HTTP and by gRPC: the same ones each time."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.grpc}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    monkeypatch.setenv("QUORATE_STATE", str(tmp_path))
    tracing(Settings(), processors(Settings()))

    run = await start(RunbookRequest(mode=Mode.PLAN))
    await run.result()
    await flushed()

    trace = trace_of(run.first_execution_run_id or "")
    kept = Store(tmp_path).found(trace)[0]
    until(lambda: len(collector.of(trace)) >= kept.ended, f"{kept.ended} spans of the run", ARRIVES_WITHIN)
    live = collector.of(trace)
    assert kept.spans == kept.ended == len(live) == len(set(live)) > 100

    for protocol, port in (("http/protobuf", collector.http), ("grpc", collector.grpc)):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
        assert quorate(["trace", trace, "--send", f"http://127.0.0.1:{port}"]) == 0

    assert capsys.readouterr().out.splitlines() == [
        f"{kept.ended} of {kept.ended} spans sent to http://127.0.0.1:{collector.http}",
        f"{kept.ended} of {kept.ended} spans sent to http://127.0.0.1:{collector.grpc}",
    ]
    until(lambda: len(collector.of(trace)) == 3 * kept.ended, "the same spans twice more", ARRIVES_WITHIN)
    assert set(collector.of(trace)) == set(live)
    print(f"spans in: {kept.ended}, spans out: {len(live)}")


def test_a_receiver_that_takes_nothing_is_told(
    collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Here it is spoken to in the wrong protocol."""
    monkeypatch.setenv("QUORATE_STATE", str(tmp_path))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    Store(tmp_path).add(spans("run"))
    trace = Store(tmp_path).newest()[0].trace

    assert quorate(["trace", trace, "--send", f"http://127.0.0.1:{collector.http}"]) == 2

    assert capsys.readouterr().err.startswith(
        f"error: http://127.0.0.1:{collector.http} does not take spans by grpc; 0 of 1 were sent\n"
        "what to do: see that an OTLP receiver listens there"
    )
    assert collector.of(trace) == []
