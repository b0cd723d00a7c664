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
    run = await watched.loss()
    await until(run, lambda found: any(step.title == "site-a is back" for step in found), "the guests")
    site.restore("site-power", "site-a")
    await ended(run)

    report = SiteLossReport.model_validate(await run.result())
    found = [_told(step) for step in await steps(run)]
    assert sorted(found[: found.index("✓ site-a is back: 3 nodes are members again") + 1]) == sorted(
        [
            "✓ Inventory is read: pxmx-cluster: 3 nodes at site-a and 3 nodes at site-b, 7 votes",
            "· Evidence: qdevice has no client of site-a",
            "· Evidence: X90R3-SiteB has no login of site-a and calls the copy of X90R3-SiteA offline",
            "· Evidence: X90R3-SiteA is dark: X90R3-SiteB calls its copy offline",
            "✓ HA's list of services is read: HA lists 2 services",
            "✓ Forecast: votes settle T+00:08 to 00:14, fenced T+02:50 to 03:23, guests run again T+02:55 to 03:38: "
            "HA's master pxmx01-01 is lost, a new one comes after 110 to 121 s and waits 60 s more",
            "✓ Guests run again: vm:300 on pxmx02-01, vm:301 on pxmx02-02",
            "✓ pxmx01-01 is fenced: pxmx02-0N has its agent lock: vm:300 went from started there to pxmx02-01",
            "✓ pxmx01-02 is fenced: pxmx02-0N has its agent lock: vm:301 went from started there to pxmx02-02",
            "– pxmx01-03 is fenced: nothing to fence: HA lists no service on it; "
            "guests outside HA may still be running there",
            "✓ Loss of site-a is confirmed: site lost (site-a)",
            "✓ This incident is in the ledger: noted",
            "✓ site-a is noted as lost: noted",
            "✓ Homes are recorded in the ledger: 2 homes on record",
            "✓ Automatic moves are listed: on: vm:301 failback 1",
            "✓ Switches are recorded in the ledger: recorded before they are disabled: vm:301 failback 1",
            "✓ Automatic moves are disabled: off: vm:301 failback",
            "✓ site-b is quorate: 4 of 7 votes, quorum 4: no margin, "
            "the loss of one more node or the witness stops site-b too",
            "✓ Pod is served at site-b: X90R3-SiteB serves webb-ac-proxmox-01; mediator online",
            "✓ Nodes of site-b have paths: 4 usable paths to X90R3-SiteB on each of 3 nodes",
            "✓ site-a is back: 3 nodes are members again",
        ]
    )
    assert not [step for step in await steps(run) if step.state not in ("done", "told", "unneeded", "warned")]
    assert [one.sid for one in report.outages] == ["vm:300", "vm:301"]
    assert report.unfenced.keys() == {"pxmx01-03"}
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
