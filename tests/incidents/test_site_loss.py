"""The loss of a site, from the first sign to the hand-over."""

import re

from runbooks.loss import SiteLossReport
from tests.incidents.conftest import Site, Watched, ended
from tests.runs import steps, until
from workflows.page import SIGNS


async def test_a_site_that_loses_its_power_is_followed_to_the_end(site: Site, watched: Watched):
    """Declared once, nothing made worse, fenced by proof, every guest verified, the returned site listed."""
    site.world.cluster.ha.resources["vm:301"]["failback"] = 1
    site.fail("site-power", "site-a")
    run = await watched.incident()
    await until(run, lambda found: any(step.title == "site-a is back" for step in found), "the guests")
    site.restore("site-power", "site-a")
    await ended(run)

    report = SiteLossReport.model_validate(await run.result())
    assert [_told(step) for step in await steps(run)][:13] == [
        "✓ Inventory is read: pxmx-cluster: 3 nodes at site-a and 3 nodes at site-b, 7 votes",
        "✓ Loss of site-a is confirmed: site lost (site-a)",
        "✓ Forecast: votes settle T+8 to 14 s, fenced T+170 to 203 s, guests run again T+175 to 218 s: "
        "HA's master pxmx01-01 is lost, a new one comes after 110 to 121 s and waits 60 s more",
        "✓ What moves guests by itself is known: on: vm:301 failback 1",
        "✓ What moves guests by itself is frozen: frozen: vm:301 failback 1",
        "✓ site-b is quorate: 4 of 7 votes, quorum 4: no margin, "
        "the loss of one more node or the witness stops site-b too",
        "✓ pxmx01-01 is fenced: pxmx02-0N has its agent lock, its services are taken away",
        "✓ pxmx01-02 is fenced: pxmx02-0N has its agent lock, its services are taken away",
        "✓ pxmx01-03 is fenced: no HA service ran there: HA does not fence it, and what else ran there may be alive",
        "✓ Guests run again: vm:300 on pxmx02-01, vm:301 on pxmx02-02",
        "✓ Pod is served at site-b: X90R3-SiteB serves webb-ac-proxmox-01; mediator online",
        "✓ Nodes of site-b have paths: 4 usable paths to X90R3-SiteB on each of 3 nodes",
        "✓ site-a is back: 3 nodes of site-a are members again",
    ]
    assert all(step.state == "done" for step in await steps(run))
    times, expected = report.timeline, report.forecast
    assert 0 < (times.noticed or 0) <= (times.declared or 0) < 40
    assert set(times.fenced) == {"pxmx01-01", "pxmx01-02"}
    assert set(times.running) == {"vm:300", "vm:301"}
    assert all(expected.fenced.earliest <= seconds <= expected.fenced.latest + 10 for seconds in times.fenced.values())
    assert [str(one) for one in report.frozen] == ["vm:301 failback 1"]
    assert list(report.outstanding) == ["vm:301 failback 1"]
    guests = site.world.cluster.guests
    assert {guest.node for guest in guests.values() if guest.running} == {"pxmx02-01", "pxmx02-02"}
    assert (await watched.until(lambda state: state.open is None, "the end")).verdict is not None
    assert len((await run.query("page")).encode()) < 3000


def _told(step) -> str:
    """Which survivor becomes HA's master is a matter of luck."""
    return re.sub(r"pxmx02-0\d has", "pxmx02-0N has", f"{SIGNS[step.state]} {step.title}: {step.finding}")
