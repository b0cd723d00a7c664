"""Every incident that a verdict can tell apart, on the twin: verdict, incident and page.

UPDATE_PAGES=1 make test-incidents     writes the pages anew, to be read before they are kept
"""

import asyncio
import os
import re
import time
from pathlib import Path

import pytest

from cluster.answers.model import Answer
from cluster.incidents import wanted
from cluster.watching import WatchState
from tests.incidents.conftest import Site, Watched
from tests.incidents.scenarios import SCENARIOS, Scenario
from tests.runs import steps
from tests.twin import CHOSEN
from workflows.page import SIGNS, StepRecord

pytestmark = pytest.mark.slow

PAGES = Path(__file__).parent / "pages"
TOLD = [one for one in SCENARIOS if one.kind != "healthy"]
UPDATES = bool(os.environ.get("UPDATE_PAGES"))
# Seconds of the wall: several rounds of every vantage point, and the longest patience of a verdict.
SETTLES_WITHIN = 10.0
QUIET = [one for one in SCENARIOS if one.kind == "healthy"]


@pytest.mark.parametrize("scenario", TOLD, ids=[one.name for one in TOLD])
async def test_an_incident_is_told_apart(scenario: Scenario, site: Site, watched: Watched):
    """One incident is opened, with the right verdict, and its page says what a person needs."""
    if scenario.prefers:
        for array in site.world.arrays.values():
            for pod in array.pods:
                pod.failover_preferences = [site.named(scenario.prefers)]
    for fault in scenario.faults_on(site.inventory):
        site.fail(*fault)

    where = scenario.where_on(site.inventory, site.named) if scenario.where else None

    def is_told(state: WatchState) -> bool:
        """On a busy machine nodes fall silent one after the other: the first verdict may name fewer."""
        main = state.verdict.main if state.verdict else None
        return main is not None and main.kind == scenario.kind and where in (None, main.where)

    state = await watched.until(is_told, f"{scenario.kind} at {where}")
    assert state.verdict is not None
    site_of = {node.name: one.name for one in site.inventory.sites for node in one.nodes}
    [first, *_] = wanted(state.verdict, (), site_of)
    state = await watched.until(lambda state: state.open is not None and state.open.kind == first.kind, first.kind)
    assert state.open is not None
    assert state.open.run.startswith(first.place(site.inventory.name))

    run = watched.client.get_workflow_handle(state.open.run)
    page = await _page_of(run, "" if UPDATES else _kept(scenario), loss=first.kind != "ClusterIncident")
    if UPDATES:
        _keep(scenario, page)
    assert page == (_kept(scenario) or page)


def _kept(scenario: Scenario) -> str:
    """The page as it was read and kept; of other examples than the article's none is, they are told by the verdict."""
    kept = PAGES / f"{scenario.name}.txt"
    return kept.read_text() if CHOSEN == "lab" and kept.exists() else ""


def _keep(scenario: Scenario, page: str) -> None:
    PAGES.mkdir(exist_ok=True)
    (PAGES / f"{scenario.name}.txt").write_text(page)


@pytest.mark.parametrize("scenario", QUIET, ids=[one.name for one in QUIET])
async def test_what_is_no_incident_opens_none(scenario: Scenario, site: Site, watched: Watched):
    """Two lab minutes of it, and the cluster is still called healthy."""
    for fault in scenario.faults_on(site.inventory):
        site.fail(*fault)

    until = site.world.clock.now() + 120
    while site.world.clock.now() < until:
        state = await watched.state()
        assert state.verdict is not None
        assert (state.verdict.kind, state.open) == ("healthy", None), state.verdict.main.reasons
        await asyncio.sleep(0.2)


async def _page_of(run, kept: str, *, loss: bool) -> str:
    """The lines of the first judgement, without times and addresses; what is noticed later comes after them."""
    deadline, page = time.monotonic() + SETTLES_WITHIN, ""
    while time.monotonic() < deadline and (not kept or page != kept):
        found = await steps(run)
        if len(found) > 2 and (not loss or any(step.title == "Forecast" for step in found)):
            answer = "" if loss else _answered(Answer.model_validate(await run.query("advice")))
            page = answer + "".join(_told(found, loss=loss).splitlines(keepends=True))
            page = "".join(page.splitlines(keepends=True)[: kept.count("\n") or None])
            if not kept:
                break
        await asyncio.sleep(0.05)
    return page


def _answered(answer: Answer) -> str:
    """What a person is told first; what is noticed later adds to the rest. Of a loss it has times."""
    lines = [answer.head, *(f"1. {task}" for task in answer.tasks[:1])]
    text = re.sub(r"127\.\d+\.", "127.N.", "\n".join(lines))
    return re.sub(r"X90R3-Site[AB] is pre-elected", "X90R3-SiteN is pre-elected", text) + "\n"


def _told(found: list[StepRecord], *, loss: bool) -> str:
    lines = [f"{SIGNS[step.state]} {step.title}: {step.finding}" for step in found if step.state != "running"]
    if loss:
        lines = lines[: next(n for n, line in enumerate(lines) if " Forecast:" in line) + 1]
    text = "\n".join(lines)
    text = re.sub(r"127\.\d+\.", "127.N.", text)
    # whose watchdog has expired by now is a matter of its daemons' phases
    text = re.sub(r"has pxmx01-0\d(, pxmx01-0\d)* logged in", "has N logged in", text)
    # the first verdict may name the first node of some that fall silent one after the other
    text = re.sub(r"no answer from pxmx01-0\d \(api\)(, pxmx01-0\d \(api\))*", "no answer from N (api)", text)
    text = re.sub(r"say that pxmx01-0\d(, pxmx01-0\d)* (is|are) on", "say that N are on", text)
    text = re.sub(r"X90R3-Site[AB] is pre-elected", "X90R3-SiteN is pre-elected", text)
    return re.sub(r"does not answer[^\n;]*", "does not answer", text) + "\n"
