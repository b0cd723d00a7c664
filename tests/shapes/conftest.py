"""The journey that a cluster of any shape makes on the twin: built, built again, a site lost and back, guests home.

`travelled` is the whole of it, and asserts what holds for every shape; what is special about one is asserted by its
own file, on the reports that come back.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle

from cluster.plan import Mode
from runbooks.deploy import DeployReport
from runbooks.homecoming import FailbackReport
from runbooks.loss import SiteLossReport
from tests.conftest import working
from tests.failback.people import Person, list_of
from tests.incidents.conftest import Site, Watched, ended, watching
from tests.runs import parked_or_ended, until
from tests.twin import bent, inventory_file
from workers.inventory_file import load
from workflows.catalogue import RunbookRequest

Run = WorkflowHandle[Any, Any]
# How much faster than the wall lab time runs.
SPEED = 10.0
MakeShape = Callable[..., Site]


@dataclass(frozen=True)
class Journey:
    """What the runs of a journey have reported; `after` is a plan made when everything was over."""

    site: Site
    lost: str
    deployed: DeployReport
    again: DeployReport
    loss: SiteLossReport
    home: FailbackReport
    after: DeployReport

    @property
    def running(self) -> dict[str, str]:
        """Where each of HA's guests runs now."""
        return where(self.site)


@pytest.fixture
def shape(tmp_path: Path) -> Iterator[MakeShape]:
    """Make a twin with bare arrays and a bare cluster, of a shipped example whose text `change` may bend."""
    made: list[Site] = []

    def make(example: str = "lab", change: Callable[[str], str] = str, which: str = "shape") -> Site:
        path = bent(inventory_file(tmp_path, which, example), change)
        made.append(Site(path, SPEED))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def where(site: Site) -> dict[str, str]:
    """Where each of HA's guests runs, as the world has it."""
    guests = site.world.cluster.guests.values()
    managed = site.world.cluster.ha.resources
    return {f"vm:{one.vmid}": one.node for one in guests if one.running and f"vm:{one.vmid}" in managed}


async def deployed(client: Client, site: Site, *, limit: float = 300) -> tuple[DeployReport, DeployReport]:
    """Apply twice; the second run changes nothing."""
    async with working(client, load(site.path), site.path.parent) as start:
        first = await _reported(await start(limit=limit))
        again = await _reported(await start(limit=limit))
    assert first.proof is not None
    assert (again.planned, again.changed) == ((), 0)
    return first, again


async def travelled(client: Client, site: Site, lost: str = "") -> Journey:
    """Build, build again, lose the hosts of a site with its array alive, get them back, bring the guests home.

    `lost` is the first site where nothing is said.
    """
    lost = lost or site.inventory.sites[0].name
    first, again = await deployed(client, site)
    homes = where(site)
    print(f"deployed: {first.changed} changes in {first.seconds:.0f} s, then {again.changed}; guests at {homes}")
    async with watching(client, site) as watch:
        loss = await _lost(watch, site, lost, homes)
        home = await _brought_home(watch, site, lost, loss)
        after = await _planned(watch)
    assert where(site) == homes
    assert after.planned == ()
    return Journey(site, lost, first, again, loss, home, after)


async def _lost(watch: Watched, site: Site, lost: str, homes: dict[str, str]) -> SiteLossReport:
    """Every host of the site loses its power, its array goes on; then the hosts have power again."""
    names = [node.name for node in site.inventory.site(lost).nodes]
    for name in names:
        site.fail("node", name)
    run = await watch.loss(lost)
    await until(run, lambda found: any(f"{lost} is back" in step.title for step in found), "the guests", 90)
    elsewhere = where(site)
    assert elsewhere.keys() == homes.keys()
    assert not set(elsewhere.values()) & set(names)
    for name in names:
        site.restore("node", name)
    await ended(run, 120)
    report = SiteLossReport.model_validate(await run.result())
    assert report.not_back == {}
    assert {sid: node for sid, node in report.homes.items() if node in names} == {
        sid: node for sid, node in homes.items() if node in names
    }
    print(f"lost: fenced {report.timeline.fenced}, running {report.timeline.running} s after T0")
    return report


async def _brought_home(watch: Watched, site: Site, lost: str, loss: SiteLossReport) -> FailbackReport:
    """As many people agree as the inventory asks for."""
    people = [Person(name) for name in ("ana", "ben", "cleo", "dora")]
    list_of(site.path.parent / str(site.inventory.approvals.allowed_signers), *people)
    await watch.says("healthy", 90)
    wish = {"by": "ana", "mode": "apply", "site": lost}
    run = await _started(watch, "Failback", wish)
    try:
        await until(run, _gate_is_open, "the gate", 120)
        for person in people[1 : 1 + site.inventory.approvals.needed]:
            await person.says(run)
        report = FailbackReport.model_validate(await _result(run))
    finally:
        with contextlib.suppress(Exception):
            await run.terminate("the test is over")
    print(f"home: {[f'{one.sid} {one.source} to {one.home}, downtime {one.downtime}' for one in report.moved]}")
    assert report.staying == {}
    return report


def _gate_is_open(found: list[Any]) -> bool:
    return any(one.title.startswith("Bring ") and one.state == "asked" for one in found)


async def _planned(watch: Watched) -> DeployReport:
    """Every layer as the inventory says: a plan that has nothing in it."""
    run = await _started(watch, "DeployStretchedCluster", RunbookRequest(mode=Mode.PLAN))
    return DeployReport.model_validate(await _result(run))


async def _started(watch: Watched, kind: str, request: Any) -> Run:
    return await watch.client.start_workflow(kind, request, id=f"{kind}/{watch.cluster}/shape", task_queue=watch.queue)


async def _result(run: Run) -> Any:
    assert (step := await parked_or_ended(run, 240)) is None, f"{step.title}: {step.finding}"
    return await run.result()


async def _reported(run: Any) -> DeployReport:
    return DeployReport.model_validate(await _result(run))
