"""Workers are killed before and after every change that a failback makes: nobody moves twice, nothing is forgotten."""

import uuid
from collections import Counter
from pathlib import Path

import pytest
from temporalio.client import Client

from runbooks.homecoming import FailbackReport
from tests.endurance.deaths import dying
from tests.failback.conftest import HOMES
from tests.failback.people import Person
from tests.failback.test_stops import asked, runs_once, touched
from tests.incidents.conftest import Site, ended
from tests.ledgers import erase
from workers.temporal.embedded import TemporalServer

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_failback_survives_a_worker_killed_at_every_change(
    site: Site, temporal: TemporalServer, client: Client, people: dict[str, Person], tmp_path: Path, when: str
):
    """A switch off, two moves, the switch set back: one death at each, and people are asked once.

    What was on is known before it is switched off: a worker that dies right then takes nothing with it.
    """
    site.world.cluster.ha.resources["vm:301"]["failback"] = 1
    await erase(client, site.inventory.name)  # it waits on the queue of an earlier test
    queue = f"kill-{uuid.uuid4()}"
    request = {"site": "site-b", "homes": HOMES, "by": "ana", "mode": "apply"}
    run = await client.start_workflow("Failback", request, id=f"Failback/{queue}", task_queue=queue)
    with dying(site.path, temporal, queue, when, tmp_path, site.speed) as deaths:
        await asked(run)
        await people["ben"].says(run)
        await people["cleo"].says(run)
        await ended(run, 300)

    report = FailbackReport.model_validate(await run.result())
    died = deaths()
    print(f"killed {when} a change: {len(died)} deaths survived, {report.seconds:.0f} s: {'; '.join(died)}")
    assert sorted(died) == sorted([*map(str, report.planned), "HA: set vm:301 (failback 1)"])
    assert {one.sid: one.home for one in report.moved} == HOMES
    assert (report.restored, report.outstanding) == (("vm:301 failback 1",), {})
    assert site.world.cluster.ha.resources["vm:301"]["failback"] == 1
    assert runs_once(site) == {300: "pxmx02-01", 301: "pxmx02-02"}
    again = [line for line, times in Counter(touched(site)).items() if times > 1]
    assert again == [], "something was done twice"
