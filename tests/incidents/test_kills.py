"""Killed at every point of an incident: the worker after each of its steps, the Temporal server again and again."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError

from cluster.watching import WatchRequest
from runbooks.loss import SiteLossReport
from tests.incidents.conftest import Site, Watched
from tests.runs import steps
from workers.children import WORKER_READY, Child
from workers.temporal.embedded import TemporalServer, free_port
from workflows.watch import ClusterWatch

pytestmark = pytest.mark.slow

# A dead worker is noticed after 10 s of the wall, so a lab at ten times the speed sees an incident many times as long.
PATIENCE = 900.0


class Stage:
    """A server and a worker that can be killed, and a watch."""

    def __init__(self, server: TemporalServer, site: Site, folder: Path) -> None:
        self.server, self._site, self._folder = server, site, folder
        self.kills = 0
        self.client: Any = None
        self.worker: Child | None = None

    async def begin(self) -> Watched:
        self.client = await self.server.start()
        await self.work()
        cluster = self._site.inventory.name
        handle = await self.client.start_workflow(
            ClusterWatch.run, WatchRequest(), id=f"watch/{cluster}", task_queue="runbooks"
        )
        watch = Watched(self.client, handle, cluster)
        await watch.says("healthy", 60)
        return watch

    async def work(self) -> None:
        log = self._folder / f"worker-{self.kills}.log"
        environment = {"TEMPORAL_ADDRESS": self.server.address, "QUORATE_SPEED": f"{self._site.speed:g}"}
        self.worker = Child("the worker", ["worker", "-i", str(self._site.path)], log=log, environment=environment)
        await self.worker.says(WORKER_READY)

    async def kill_worker(self) -> None:
        assert self.worker is not None
        self.worker.kill()
        self.kills += 1
        await self.work()

    async def kill_server(self) -> None:
        process = self.server._process
        assert process is not None
        process.kill()
        await asyncio.to_thread(process.wait)
        self.kills += 1
        self.client = await self.server.start()

    async def end(self) -> None:
        if self.worker is not None:
            await asyncio.to_thread(self.worker.stop)
        await self.server.stop()


@asynccontextmanager
async def stage(site: Site, folder: Path) -> AsyncIterator[Stage]:
    server = TemporalServer(database=folder / "t.db", port=free_port(), ui_port=None, log=folder / "temporal.log")
    found = Stage(server, site, folder)
    try:
        yield found
    finally:
        await found.end()


async def _done(client: Any, run: str) -> set[tuple[str, str]]:
    with contextlib.suppress(RPCError, Exception):
        handle = client.get_workflow_handle(run)
        return {(step.title, step.finding) for step in await asyncio.wait_for(steps(handle), 3) if step.state == "done"}
    return set()


async def _lived_through(found: Stage, site: Site, kill: Any, every: int) -> SiteLossReport:
    """Kill whenever `every` more steps are done; the report of the incident."""
    site.world.cluster.ha.resources["vm:301"]["failback"] = 1
    watch = await found.begin()
    site.fail("site-power", "site-a")
    run = (await watch.loss(within=120)).id
    seen, deadline, given = 0, time.monotonic() + PATIENCE, False
    while True:
        handle = found.client.get_workflow_handle(run)
        if (await handle.describe()).status != WorkflowExecutionStatus.RUNNING:
            return SiteLossReport.model_validate(await handle.result())
        done = await _done(found.client, run)
        if not given and any(title == "Nodes of site-b have paths" for title, _ in done) and _all_run(site):
            given = True
            site.restore("site-power", "site-a")
        if len(done) >= seen + every:
            seen = len(done)
            await kill()
        assert time.monotonic() < deadline, f"{seen} steps done, {found.kills} kills"
        await asyncio.sleep(0.1)


def _all_run(site: Site) -> bool:
    guests = site.world.cluster.guests.values()
    return all(guest.running and guest.node.startswith("pxmx02") for guest in guests if guest.vmid in (300, 301))


def _complete(report: SiteLossReport, site: Site) -> None:
    """Nothing is missing from the story, and nothing was done twice.

    HA acknowledges a fencing once. Who was away at that moment says so, and calls no node fenced.
    """
    assert set(report.timeline.fenced) | set(report.unfenced) >= {"pxmx01-01", "pxmx01-02"}
    assert all(node in report.timeline.fenced or "not seen" in why for node, why in _of_services(report).items())
    assert {one.sid for one in report.back if one.ok} == {"vm:300", "vm:301"}
    assert report.timeline.rejoined is not None
    assert all(step.state in ("done", "told", "unneeded", "warned") for step in report.steps)
    assert list(report.outstanding) == ["vm:301 failback 1"]
    lines = [line for line in site.change_lines() if "failback" in line]
    assert len(lines) == len(set(lines)) == 1, lines


def _of_services(report: SiteLossReport) -> dict[str, str]:
    """Node of the guests to why it is not called fenced; blank for one that is."""
    return {node: report.unfenced.get(node, "") for node in ("pxmx01-01", "pxmx01-02")}


async def test_a_worker_killed_after_each_step_leaves_the_story_complete(site: Site, tmp_path: Path):
    """Every point between two steps, enumerated by the run itself."""
    async with stage(site, tmp_path) as found:
        report = await _lived_through(found, site, found.kill_worker, every=1)
    _complete(report, site)
    print(f"worker killed after {found.kills} of {len(report.steps)} steps, all survived")


async def test_a_server_killed_again_and_again_leaves_the_story_complete(site: Site, tmp_path: Path):
    """The history is on disk; the worker goes on when the server is back."""
    async with stage(site, tmp_path) as found:
        report = await _lived_through(found, site, found.kill_server, every=2)
    _complete(report, site)
    print(f"server killed {found.kills} times in {len(report.steps)} steps, all survived")
