"""The trace of a deployment, from one plan of it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest_asyncio
from opentelemetry.sdk.trace import ReadableSpan
from temporalio.client import Client

from cluster.plan import Mode
from cluster.traces import trace_of
from runbooks.deploy import DeployReport
from tests.conftest import Deployment, working
from tests.telemetry import COLLECTED
from tests.telemetry.tree import lines, misfits, of_trace
from tests.twin import TwinThread
from workers.inventory_file import load
from workflows.catalogue import RunbookRequest

NODES = [f"pxmx0{site}-0{node}" for site in (1, 2) for node in (1, 2, 3)]


@dataclass(frozen=True)
class Planned:
    """A run that has ended, and its spans."""

    run: Deployment
    report: DeployReport
    spans: list[ReadableSpan]
    first_node: str

    def named(self, name: str) -> ReadableSpan:
        """The span of that name, of which there is one."""
        (found,) = [one for one in self.spans if one.name == name]
        return found

    def under(self, name: str) -> list[ReadableSpan]:
        """Those below it, in the order in which they began."""
        parent = self.named(name).context
        found = [one for one in self.spans if parent and one.parent and one.parent.span_id == parent.span_id]
        return sorted(found, key=lambda one: one.start_time or 0)


@pytest_asyncio.fixture(scope="module")
async def planned(traced: Client, running_twin: TwinThread) -> AsyncIterator[Planned]:
    running_twin.reset()
    COLLECTED.listen()
    inventory = load(running_twin.path)
    async with working(traced, inventory, running_twin.path.parent) as start:
        run = await start(RunbookRequest(mode=Mode.PLAN))
        report = await run.result()
        await run.query("page")  # asking leaves nothing
    spans = of_trace(COLLECTED.spans(), report.trace)
    yield Planned(run, report, spans, inventory.nodes[0].address)
    COLLECTED.leave()


async def test_each_step_stands_under_its_run_and_each_attempt_under_its_step(planned: Planned):
    """What the page tells is what the tree tells."""
    assert lines(planned.spans) == [
        "DeployStretchedCluster",
        "  Inventory is read",
        "    records.inventory",
        "  Claim",
        "  Array X90R3-SiteA is ready",
        "    purity.preflight",
        "  Array X90R3-SiteB is ready",
        "    purity.preflight",
        "  Clocks agree",
        "    hosts.clocks",
        "  Cluster is quorate and complete",
        "    proxmox.preflight",
        *(line for node in NODES for line in (f"  Node {node} is ready", "    hosts.preflight")),
        "  Nodes agree about the votes",
        "    hosts.votes",
        "  Witness qdevice is ready",
        "    hosts.witness_preflight",
        "  Pod webb-ac-proxmox-01 holds the volume",
        "    purity.ensure_pod",
        "  Pod is online on both arrays",
        "    purity.ensure_stretched",
        "  Hosts see the volume on X90R3-SiteA",
        "    purity.ensure_access",
        "  Hosts see the volume on X90R3-SiteB",
        "    purity.ensure_access",
        *(line for node in NODES for line in (f"  Paths of {node}", "    hosts.ensure_paths")),
        "  Quorum device votes",
        "    hosts.ensure_quorum_device",
        "  Volume group pxmx-ac-vg is seen by all nodes",
        "    hosts.ensure_volume_group",
        "  Storage pxmx-ac-shared is active on all nodes",
        "    proxmox.ensure_storage",
        "  Guest ac-test-vm-01 runs on pxmx01-01",
        "    proxmox.ensure_guest",
        "  Guest ac-test-vm-02 runs on pxmx01-02",
        "    proxmox.ensure_guest",
        "  HA keeps the guests started",
        "    proxmox.ensure_ha",
    ]


async def test_every_span_ends_once(planned: Planned):
    """No id comes twice, nothing is left open, and the run is the only root."""
    assert misfits(planned.spans, planned.report.trace) == []


async def test_nothing_is_traced_beside_the_run(planned: Planned):
    """A query, a claim that is released, and the worker itself leave no traces of their own."""
    others = [one for one in COLLECTED.spans() if one not in planned.spans]

    assert [one.name for one in others] == []


async def test_calls_stand_under_the_attempt_that_made_them(planned: Planned):
    """Also those of an activity that runs in a thread."""
    (attempt,) = planned.under("HA keeps the guests started")
    (call,) = planned.under(attempt.name)

    assert (call.name, call.attributes) == (
        "GET /api2/json/cluster/ha/resources",
        {
            "http.request.method": "GET",
            "server.address": planned.first_node,
            "server.port": 8006,
            "url.path": "/api2/json/cluster/ha/resources",
            "http.response.status_code": 200,
        },
    )


async def test_a_step_says_what_it_found(planned: Planned):
    """As its line on the page does."""
    about = planned.named("Quorum device votes").attributes or {}

    assert {key: said for key, said in about.items() if key != "quorate.cluster"} == {
        "quorate.runbook": "deploy",
        "quorate.section": "Plan",
        "quorate.mode": "plan",
        "quorate.mark": "done",
        "quorate.finding": "6 of 6 votes, would be 7",
        "quorate.changed": False,
        "quorate.changes": 1,
    }


async def test_run_page_memo_and_report_name_the_same_trace(planned: Planned):
    """And it follows from the id of the run."""
    described = await planned.run.describe()
    memo = await described.memo()
    trace = trace_of(str(planned.run.first_execution_run_id))

    assert (planned.report.trace, memo["trace"]) == (trace, trace)
