"""The trace of a deployment."""

from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from cluster.plan import Mode
from tests.conftest import Start
from tests.telemetry.tree import lines, of_run
from workflows.catalogue import RunbookRequest


async def test_a_plan_is_one_tree(start: Start, collected: InMemorySpanExporter):
    """A step, and under it every attempt."""
    run = await start(RunbookRequest(mode=Mode.PLAN))
    await run.result()

    trace = of_run(collected.get_finished_spans(), run.first_execution_run_id)

    assert lines(trace) == []
