"""The quorum at one site and the disks at the other: the nodes without disks go off, and the quorum moves."""

import pytest

from tests.breakglass.conftest import Glass, Laws
from tests.breakglass.emergencies import parted
from tests.incidents.conftest import Site
from tests.runs import steps

pytestmark = pytest.mark.slow


async def test_the_quorum_goes_to_the_site_with_the_disks(glass: Glass, site: Site, laws: Laws):
    """Two people agree; node after node is off, the witness votes for the other site, HA runs the guests there."""
    await parted(glass, site)
    run = await glass.start("HandOverQuorum")
    await glass.both_agree(run)

    report = await glass.done(run)

    print(*(f"{step.state} {step.title}: {step.finding}" for step in await steps(run)), sep="\n")
    assert report.before == "The quorum is at site-a, the disks are at site-b"
    assert [str(one) for one in report.planned] == [
        f"BMC: power off {node}" for node in ("pxmx01-01", "pxmx01-02", "pxmx01-03")
    ]
    assert report.changed == 3
    assert not any(site.world.nodes[node].powered for node in ("pxmx01-01", "pxmx01-02", "pxmx01-03"))
    assert laws.commands == [("bmc.reset", node, "ForceOff") for node in ("pxmx01-01", "pxmx01-02", "pxmx01-03")]
    guests = site.world.cluster.guests
    await glass.watched.until(lambda _: all(guests[one].node.startswith("pxmx02") for one in (300, 301)), "guests", 90)
