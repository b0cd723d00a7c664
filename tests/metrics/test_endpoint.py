"""What runs, the watch, the survey and the gateway tell, scraped over HTTP from a process that did the work."""

from collections import Counter
from pathlib import Path

import pytest

from cluster.metrics import TABLE
from cluster.plan import Mode
from lab.physics.faults import Fault
from tests.conftest import working
from tests.failback.desk import opened
from tests.gateways import BEARER, SOURCES, STRUCTURED, cloud, running
from tests.incidents.conftest import Site, ended, watching
from tests.metrics import Endpoint
from tests.metrics.files import TOLD
from tests.runs import parked, said, steps, until
from tests.twin import TwinThread
from workers.gateway.figures import Figures
from workers.inventory_file import load
from workers.telemetry.survey import Survey
from workflows.catalogue import RunbookRequest

FULL = Fault("X90R3-SiteB", "POST /connections", "fail", status=400, message="Array is out of LUNs.")


def named(*sources: str) -> set[str]:
    return {metric.name for metric in TABLE if metric.source in sources}


async def test_a_plan_counts_each_step_once(endpoint: Endpoint, twin: TwinThread):
    """Steps by outcome are those of the page, though every task was replayed; each line says where it comes from."""
    async with working(endpoint.client, load(twin.path), twin.path.parent, cached=0) as start:
        run = await start(RunbookRequest(mode=Mode.PLAN))
        await run.result()
        told = Counter(step.state for step in await steps(run))
        page = endpoint.scraped()

    assert page.lines("quorate_steps_total", "runbook", "outcome", "at", "cluster") == sorted(
        f"{{runbook=deploy, outcome={outcome}, at=site-a, cluster={twin.inventory.name}}} {count}"
        for outcome, count in told.items()
    )
    assert told["done"] > 20
    assert page.value("quorate_step_seconds_count", runbook="deploy") == told.total()
    assert page.lines("quorate_runs_total", "runbook", "ending") == ["{runbook=deploy, ending=done} 1"]
    assert page.value("quorate_run_seconds_sum") > 0
    assert page.value("temporal_activity_execution_latency_sum") > 0
    assert set(TOLD) <= page.names


@pytest.mark.slow
async def test_a_step_that_parked_is_one_step_and_one_question(endpoint: Endpoint, twin: TwinThread):
    """Answered with `retry`, it ends as the page says; the word of the error is told."""
    twin.world.faults.plant(Fault(**{**vars(FULL), "met": []}))
    async with working(endpoint.client, load(twin.path), twin.path.parent) as start:
        run = await start()
        await parked(run)
        await said(run, "answer", {"answer": "retry", "by": "ana"})
        await run.result()
        told = Counter(step.state for step in await steps(run))
        page = endpoint.scraped()

    assert page.lines("quorate_steps_total", "outcome") == sorted(
        f"{{outcome={outcome}}} {count}" for outcome, count in told.items()
    )
    assert page.lines("quorate_steps_parked_total", "runbook", "word") == ["{runbook=deploy, word=Rejected} 1"]


async def test_a_healthy_cluster_is_told_as_healthy(endpoint: Endpoint, site: Site):
    """The look tells when each vantage point answered; the survey what stands, and that nobody is waited for."""
    async with watching(endpoint.client, site):
        await Survey(endpoint.client, site.inventory.name, endpoint.meter).once()
        page = endpoint.scraped()

    assert named("look", "survey", "process") <= page.names
    assert page.lines("quorate_verdict", "kind") == ["{kind=healthy} 1"]
    assert page.lines("quorate_conditions", "kind", "site", "planned") == ["{kind=healthy, site=, planned=no} 1"]
    assert page.lines("quorate_ready", "check") == [
        "{check=healthy} 1", "{check=looking} 1", "{check=rights} 1", "{check=switches} 1", "{check=watched} 1"
    ]  # fmt: skip
    assert page.lines("quorate_verdict_changes_total", "kind") == ["{kind=healthy} 1"]
    assert page.lines("quorate_runs_open", "runbook", "state") == []
    assert page.lines("quorate_gates_open", "runbook") == []
    assert page.lines("quorate_switches_disabled", "held") == []
    assert page.lines("quorate_vantages_silent") == []
    assert page.lines("quorate_survey_failures_total", "of") == []
    now = page.value("quorate_survey_timestamp_seconds")
    assert now - page.value("quorate_watch_look_timestamp_seconds") < 30
    ages = {
        f"{there['vantage']} {there['how']}": now - value
        for name, there, value in page.samples
        if name == "quorate_fact_timestamp_seconds"
    }
    nodes = [node.name for node in site.inventory.nodes]
    arrays = [array.name for array in site.inventory.arrays]
    expected = {*(f"{one} ssh" for one in nodes), *(f"{one} api" for one in (*nodes, *arrays))}
    assert expected | {f"{site.inventory.decider} ssh"} <= ages.keys()
    assert max(ages.values()) < 60


async def test_a_cluster_that_nobody_watches_is_not_ready(endpoint: Endpoint):
    """No watch, no ledger: nothing is known, and nothing is disabled."""
    await Survey(endpoint.client, "unwatched", endpoint.meter).once()
    page = endpoint.scraped()

    assert page.lines("quorate_ready", "check") == ["{check=switches} 1"]
    assert {"watched", "looking", "healthy"} <= {
        there["check"] for name, there, _ in page.samples if name == "quorate_ready"
    }
    assert page.lines("quorate_verdict", "kind") == []


async def test_a_gate_tells_who_waits_and_what_became_of_each_vote(endpoint: Endpoint, tmp_path: Path):
    """Refused votes are counted with their word; the wait ends with the gate."""
    async with opened(endpoint.client, tmp_path) as desk:
        run = await desk.run()
        ballot = desk.people["ben"].signs((await desk.said(run, "ben")).text)
        await run.execute_update("approve", ballot)
        with pytest.raises(Exception, match="Workflow update failed"):
            await run.execute_update("approve", {"text": "no text of ours"})
        await desk.people["cleo"].says(run)
        await run.result()
        page = endpoint.scraped()

    assert page.lines("quorate_votes_total", "runbook", "decision", "word") == [
        "{runbook=asking, decision=approve, word=Tampered} 1",
        "{runbook=asking, decision=approve, word=counted} 2",
    ]
    assert page.lines("quorate_gate_wait_seconds_count", "runbook", "outcome") == [
        "{runbook=asking, outcome=approved} 1"
    ]


async def test_the_gateway_counts_what_it_takes_and_what_it_refuses(endpoint: Endpoint):
    """Each request of each source, its events, duplicates, and why it was refused."""
    async with running(endpoint.client, sources=SOURCES, figures=Figures(endpoint.meter)) as gate:
        await gate.post("others", cloud(1), STRUCTURED)
        await gate.post("others", cloud(1), STRUCTURED)
        await gate.post("others", b"{ no json", STRUCTURED)
        await gate.post("pve", {}, {})
        await gate.post("pve", {}, BEARER)
        page = endpoint.scraped()

    assert named("gateway") <= page.names
    assert page.lines("quorate_gateway_requests_total", "source") == ["{source=others} 3", "{source=pve} 2"]
    assert page.lines("quorate_gateway_events_total", "source", "outcome") == [
        "{source=others, outcome=delivered} 1",
        "{source=others, outcome=duplicate} 1",
    ]
    assert page.lines("quorate_gateway_refused_total", "source", "reason") == [
        "{source=others, reason=unreadable} 1",
        "{source=pve, reason=invalid} 1",
        "{source=pve, reason=unauthorized} 1",
    ]
    assert page.lines("quorate_gateway_events_waiting") == []
    assert page.lines("quorate_gateway_delivery_seconds_count", "source") == ["{source=others} 2"]


@pytest.mark.slow
async def test_the_loss_of_a_site_is_measured_beside_its_forecast(endpoint: Endpoint, site: Site):
    """Each phase once, with the bounds that were forecast; the incident is open, and its switches are held."""
    site.world.cluster.ha.resources["vm:301"]["failback"] = 1
    async with watching(endpoint.client, site) as watched:
        survey = Survey(endpoint.client, site.inventory.name, endpoint.meter)
        await survey.once()
        site.fail("site-power", "site-a")
        run = await watched.loss()
        await until(run, lambda found: any(step.title == "site-a is back" for step in found), "the guests")
        await survey.once()
        page = endpoint.scraped()
        site.restore("site-power", "site-a")
        await ended(run)
        await watched.until(lambda state: state.verdict is not None and "site-lost" not in state.verdict.key, "its end")
        await survey.once()
        after = endpoint.scraped()

    assert page.lines("quorate_loss_phase_seconds_count", "runbook", "phase") == [
        f"{{runbook=site-loss, phase={phase}}} 1" for phase in ("declared", "fenced", "noticed", "quorum", "recovered")
    ]
    for phase in ("quorum", "fenced", "recovered"):
        forecast = "quorate_loss_phase_forecast_seconds_sum"
        measured = page.value("quorate_loss_phase_seconds_sum", phase=phase)
        early, late = (page.value(forecast, phase=phase, bound=bound) for bound in ("earliest", "latest"))
        assert early < late
        assert measured > 0, phase
    assert page.value("quorate_conditions", kind="site-lost", site="site-a", planned="no") == 1
    assert page.value("quorate_runs_open", runbook="site-loss") == 1
    assert page.lines("quorate_switches_disabled", "held") == ["{held=yes} 1"]
    assert page.value("quorate_ready", check="healthy") == 0
    assert after.value("quorate_conditions", kind="site-lost") == 0
    assert after.lines("quorate_switches_disabled", "held") == ["{held=no} 1"]
    assert after.lines("quorate_runs_total", "runbook", "ending") == ["{runbook=site-loss, ending=done} 1"]
