"""A built twin with its watch, people with keys, and break-glass runs beside the incidents that are open."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError

from runbooks.breaking.asked import BreakGlassReport
from tests.audit.explaining import agrees
from tests.failback.conftest import listed
from tests.failback.people import Person
from tests.incidents.conftest import Site, Watched, watching
from tests.patience import Deadline
from tests.runs import parked_or_ended
from tests.twin import CHOSEN, inventory_file, with_policy

POLICY = """
approvals:
  needed: 1
  within: 10m
"""
WHY = "seen by the test"


# What break-glass runs may do to the world, in the twin's own words; and what nobody may.
COMMANDS = ("bmc.reset", "ha.resource.update", "host.create", "host.update", "connection.create", "host_group.create")
FORBIDDEN = ("destroy", "eradicate", "unstretch", "delete")


class Laws:
    """Looks at the twin from inside for as long as it runs.

    V1: no guest runs twice. V2: no volume is open twice. V4: nothing of a pod or a volume goes away. `commands` are the
    changes that a run can have made since it began to look, without the incidents' own switches (V3).
    """

    def __init__(self, site: Site) -> None:
        self._site, self.broken, self.looks = site, set[str](), 0
        self._from = len(site.world.changes)
        self._task = asyncio.run_coroutine_threadsafe(self._look(), site._loop)

    def stop(self) -> None:
        self._task.cancel()

    @property
    def commands(self) -> list[tuple[str, str, str]]:
        """What was done, to what, and how it was to become."""
        return [
            (one.what, one.target, str(one.detail.get("kind") or one.detail.get("state") or ""))
            for one in self._site.world.changes[self._from :]
            if one.what in COMMANDS and "failback" not in one.detail
        ]

    @property
    def gone(self) -> list[str]:
        """What went away that must not."""
        return [
            f"V4: {one.what} {one.target}"
            for one in self._site.world.changes[self._from :]
            if one.what.partition(".")[0] in ("pod", "volume") and one.what.rpartition(".")[2] in FORBIDDEN
        ]

    async def _look(self) -> None:
        world, until = self._site.world, time.monotonic() + 900
        while time.monotonic() < until:
            guests, disks = world.cluster.guests.values(), world.disks.values()
            twice = {
                f"V1: guest {guest.vmid} runs on {sorted(guest.runs_on)}" for guest in guests if len(guest.runs_on) > 1
            }
            lvs = [lv for disk in disks if disk.vg for lv in disk.vg.lvs.values()]
            twice |= {f"V2: {lv.name} is open on {sorted(lv.open_on)}" for lv in lvs if len(lv.open_on) > 1}
            self.broken |= twice
            self.looks += 1
            await asyncio.sleep(0.02)


class Glass:
    """A worker, a watch, and whoever breaks the glass: Ana asks, Ben and Cleo agree."""

    def __init__(self, client: Client, site: Site, watched: Watched, people: dict[str, Person]) -> None:
        self.client, self.site, self.watched, self.people = client, site, watched, people
        self._runs = list[WorkflowHandle[Any, Any]]()

    async def start(self, kind: str, **request: Any) -> WorkflowHandle[Any, Any]:
        """Begin one, in mode `apply` unless another is given."""
        wish = {"by": "ana", "why": WHY, "mode": "apply"} | request
        name = f"{kind}/{uuid.uuid4().hex[:8]}"
        run = await self.client.start_workflow(kind, wish, id=name, task_queue=self.watched.queue)
        self._runs.append(run)
        return run

    async def asked(self, run: WorkflowHandle[Any, Any], within: float = 60) -> dict[str, Any]:
        """The open gate of a run."""
        deadline = Deadline(within)
        while not (found := await run.query("gate")):
            assert not deadline.over, f"waited for the gate: {await run.query('page')}"
            await deadline.a_while()
        return dict(found)

    async def both_agree(self, run: WorkflowHandle[Any, Any], waives: tuple[str, ...] = ()) -> None:
        """Two people sign what the gate asks."""
        await self.asked(run)
        for name in ("ben", "cleo"):
            await self.people[name].says(run, waives=waives)

    async def done(self, run: WorkflowHandle[Any, Any], within: float = 240) -> BreakGlassReport:
        """What it reports at its end; a step that parks is told with the page, and not waited for."""
        stuck = await parked_or_ended(run, within)
        assert stuck is None, f"{stuck.title}: {stuck.finding}\n{await run.query('page')}"
        return BreakGlassReport.model_validate(await run.result())

    async def judged_right(self) -> None:
        """Every verdict and every vote of its runs was right given what was seen."""
        for run in self._runs:
            await agrees(run)

    async def close(self) -> None:
        for run in self._runs:
            with contextlib.suppress(RPCError):
                await run.terminate("the test is over")
        cluster = self.site.inventory.name
        for name in ("hand-over-quorum", "revive-guests", "restore-sessions", "reconcile-arrays", "cold-start"):
            with contextlib.suppress(RPCError):
                await self.client.get_workflow_handle(f"{name}/{cluster}").terminate("the test is over")


@pytest.fixture(scope="session")
def running_glass_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder: Path = tmp_path_factory.mktemp("glass")
    twin = Site(with_policy(inventory_file(folder, "glass", CHOSEN), POLICY), 10.0)
    yield twin
    twin.stop()


@pytest.fixture
def site(running_glass_site: Site) -> Site:
    """A healthy, built cluster."""
    running_glass_site.rebuild()
    return running_glass_site


@asynccontextmanager
async def breaking(client: Client, site: Site) -> AsyncIterator[Glass]:
    """A worker, and a watch that has found the cluster healthy."""
    people = listed(site)
    async with watching(client, site) as watched:
        glass = Glass(client, site, watched, people)
        try:
            yield glass
            await glass.judged_right()
        finally:
            await glass.close()


@pytest_asyncio.fixture
async def glass(client: Client, site: Site) -> AsyncIterator[Glass]:
    """People beside a watched cluster."""
    async with breaking(client, site) as one:
        yield one


@pytest.fixture
def laws(site: Site) -> Iterator[Laws]:
    """Looks at the twin while the test runs, and fails it when a guest or a volume was anywhere twice."""
    watching = Laws(site)
    yield watching
    watching.stop()
    assert watching.looks
    assert watching.broken == set()
    assert watching.gone == []
