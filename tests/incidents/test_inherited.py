"""What one incident goes on with when it has taken over from another: also what people have done in between."""

from typing import Any

import pytest

from runbooks.loss import SiteLossReport
from tests.incidents.conftest import Site, Watched, ended
from tests.incidents.test_levels import waits_for
from tests.incidents.test_truths import first_line
from tests.runs import steps, until

pytestmark = pytest.mark.slow

# Rounds of the watch, one of which has seen it also on a machine with other work.
ROUNDS = 5


async def grown(site: Site, watched: Watched) -> Any:
    """The second and the third node follow the first: the loss of the site takes over."""
    site.fail("node", "pxmx01-02")
    site.fail("node", "pxmx01-03")
    run = await watched.loss(within=90)
    await waits_for(run, within=120)
    return run


async def test_a_guest_that_a_person_has_set_down_is_told_and_not_waited_for(site: Site, watched: Watched):
    """HA brought it back, a person has stopped it, then the site is lost: it is no loss, and asks for nobody."""
    site.fail("node", "pxmx01-01")
    first = await watched.nodes("pxmx01-01")
    await waits_for(first, "pxmx01-01", 90)

    async def set_down() -> None:
        site.world.cluster.ha.resources["vm:300"]["state"] = "stopped"

    site.call(set_down())
    await until(
        first,
        lambda found: any(one.title == "vm:300 was stopped by an operator" for one in found),
        "the person's word",
        60,
    )
    assert "No action needed" in await first_line(first)

    run = await grown(site, watched)
    assert (
        len(said := [one.finding for one in await steps(run) if one.title == "vm:300 was stopped by an operator"]) == 1
    ), said
    assert "No action needed" in await first_line(run)
    for node in ("pxmx01-01", "pxmx01-02", "pxmx01-03"):
        site.restore("node", node)
    await ended(run, 120)
    report = SiteLossReport.model_validate(await run.result())
    assert report.homes["vm:300"] == "pxmx01-01"
    assert report.not_back == {"vm:300": "is stopped by request: an operator stopped it, so HA does not restart it"}


async def test_a_guest_that_was_back_is_not_lost_a_second_time(site: Site, watched: Watched):
    """HA had restarted it, and it runs on a node that is left: it has the one outage that it had."""
    site.fail("node", "pxmx01-01")
    first = await watched.nodes("pxmx01-01")
    await waits_for(first, "pxmx01-01", 90)

    async def moved() -> None:
        site.world.cluster.ha.commands.append(("migrate", "vm:300", "pxmx02-03"))
        site.world.cluster.ha.begins("vm:300")
        while site.world.cluster.guests[300].node != "pxmx02-03":
            await site.world.clock.sleep(1)
        # what no round of the watch has seen looks like HA's own recovery
        await site.world.clock.sleep(ROUNDS * site.inventory.watch.full.total_seconds())

    site.call(moved())
    [before] = (await first.query("progress"))["outages"]

    run = await grown(site, watched)
    progress = await run.query("progress")
    mine = [one for one in progress["outages"] if one["sid"] == "vm:300"]
    assert mine == [before]
    assert "vm:300" not in progress["waiting"]
