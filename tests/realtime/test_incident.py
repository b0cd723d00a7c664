"""An incident in real time: how soon after the evidence it is declared, and after HA's own word a guest is verified."""

from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client

from runbooks.loss import SiteLossReport
from tests.incidents.conftest import Site, ended, watching
from tests.incidents.witnesses import Evidence
from tests.runs import until
from tests.twin import inventory_file

pytestmark = pytest.mark.realtime


@pytest.mark.parametrize(("lost", "guests"), [("site-a", {"vm:300", "vm:301"}), ("site-b", set())])
async def test_a_loss_is_declared_and_every_guest_verified_within_seconds(
    client: Client, tmp_path: Path, lost: str, guests: set[str]
):
    """Declared at most 5 s after the evidence exists; verified at most 2 s after HA calls a guest started."""
    site = Site(inventory_file(tmp_path, "realtime"), speed=1.0)
    try:
        site.rebuild()
        site.world.clock.speed = 20
        site.call(site.world.clock.sleep(60))  # HA knows its guests by then
        site.world.clock.speed = 1
        async with watching(client, site) as watched:
            site.fail("site-power", lost)
            evidence = Evidence(site, lost)
            run = await watched.loss(lost)
            await until(run, lambda found: any(step.title == f"{lost} is back" for step in found), "the guests", 300)
            site.world.clock.speed = 20
            site.restore("site-power", lost)
            await ended(run)
            evidence.stop()
            report = SiteLossReport.model_validate(await run.result())
    finally:
        site.stop()

    times = report.timeline
    declared = (times.t0 + timedelta(seconds=times.declared or 0) - evidence.at["evidence"]).total_seconds()
    behind = {
        sid: (times.t0 + timedelta(seconds=seconds) - evidence.at[sid]).total_seconds()
        for sid, seconds in times.running.items()
    }
    print(f"{lost}: declared {declared:.1f} s after the evidence; verified behind HA's started: {behind}")
    assert -0.5 < declared <= 5
    assert all(seconds <= 2 for seconds in behind.values())
    assert set(behind) == guests
