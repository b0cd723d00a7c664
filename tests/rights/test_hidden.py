"""Forty guests, a part of which the token is not shown: by entries of their own and by a pool that is closed to it.

The watch has never seen them, or has known them for long; nothing is called empty, back, gone or well for that, and
nobody is told to stop or start what may be running.
"""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from temporalio.client import Client

from lab.built import add_guest
from lab.pve.etc.access import Pool
from lab.pve.etc.acl import Entry
from runbooks.loss import LossReport
from tests.incidents.conftest import Site, Watched, ended, watching
from tests.patience import Deadline
from tests.rights.conftest import take_away
from tests.rights.outcome import Run
from tests.runs import parked_or_ended, until
from workflows.page import StepRecord

pytestmark = pytest.mark.slow

GUESTS = 40
# By their numbers; those at even places are outside HA. Of both kinds there are some on the nodes of site-a.
IN_POOL, ALONE = {301, 400, 401, 402, 407}, {408, 413}
HIDDEN = {"vm:301", "vm:401", "vm:407", "vm:413"}
ASKED = "not verified: HA calls them started"
UNKNOWN = "which guests outside HA ran there is not known: some may still be running, others may be lost"


async def _more(site: Site) -> None:
    nodes = [node.name for node in site.inventory.nodes]
    for number in range(GUESTS - 2):
        ha = "started" if number % 2 else None
        add_guest(site.world, 400 + number, nodes[number % len(nodes)], ha=ha, memory=64)
    await site.world.clock.sleep(60)


def hide(site: Site) -> None:
    """Part of them is closed to the token."""
    access, token = site.world.cluster.access, site.inventory.api.token_id
    access.pools["apart"] = Pool(guests=set(IN_POOL))
    for path in ("/pool/apart", *(f"/vms/{vmid}" for vmid in ALONE)):
        access.acl.entries[Entry(path, "token", token, "NoAccess")] = True


def show(site: Site) -> None:
    """The token sees every guest again."""
    site.world.cluster.access.pools.pop("apart", None)
    take_away(site)


@pytest.fixture
def many(site: Site) -> Site:
    """Forty guests."""
    site.call(_more(site))
    return site


@pytest_asyncio.fixture
async def blind(many: Site, client: Client) -> AsyncIterator[Watched]:
    """A watch that has never seen all of them."""
    hide(many)
    async with watching(client, many, first="blind") as watched:
        yield watched


async def says(run: Run, words: str, within: float = 90) -> str:
    deadline = Deadline(within)
    while words not in (page := str(await run.query("page"))):
        assert not deadline.over, f"waited for {words!r}: {page}"
        await deadline.a_while()
    return page


def judged_of_all(found: list[StepRecord]) -> bool:
    return any(one.title == "Guests run again" and one.state != "running" for one in found)


async def test_a_watch_that_never_saw_them_claims_nothing_of_them(blind: Watched, many: Site):
    """The site is lost and returns while they are hidden; then they are shown."""
    first = str(await blind.handle.query("page"))
    assert "Quorate is not shown vm:301, vm:401" in first
    assert "and some may be hidden: a right is missing" in first
    many.fail("site-power", "site-a")
    run = await blind.loss()

    page = await says(run, ASKED)

    await until(run, judged_of_all, "all guests", 90)
    page = str(await run.query("page"))
    assert UNKNOWN in page
    assert "never** set them to disabled, or start them by hand: they may be running" in page
    assert "--state disabled" not in page
    claimed = {one["sid"] for one in (await run.query("progress"))["back"] if one["ok"]}
    assert claimed.isdisjoint(HIDDEN)
    many.restore("site-power", "site-a")
    assert (stuck := await parked_or_ended(run, 200)) is None, stuck
    report = LossReport.model_validate(await run.result())
    closing = str(await run.query("page"))
    unproven = sorted(HIDDEN & report.homes.keys())
    assert len(unproven) > 1
    assert f"not verified: {', '.join(unproven)}" in closing
    assert "not running" not in closing
    assert (report.unmanaged, UNKNOWN in report.notes) == ({}, True)
    await blind.says("blind")

    show(many)
    await blind.says("healthy", 60)


async def test_guests_that_are_shown_in_the_middle_are_proven_by_itself(blind: Watched, many: Site):
    """Nobody answers anything: the question goes, and each of them is seen to run."""
    many.fail("site-power", "site-a")
    run = await blind.loss()
    await says(run, ASKED)

    show(many)

    deadline = Deadline(60)
    while ASKED in (page := str(await run.query("page"))):
        assert not deadline.over, f"waited for the end of the question: {page}"
        await deadline.a_while()
    progress = await run.query("progress")
    assert {one["sid"] for one in progress["back"] if one["ok"]} == set(progress["guests"])
    many.restore("site-power", "site-a")
    await ended(run, 200)


async def test_a_right_that_comes_and_goes_takes_nothing_back_that_is_proven(many: Site, client: Client):
    """Known to the watch, then hidden, shown, and hidden once more while the incident is open."""
    async with watching(client, many) as watched:
        hide(many)
        await watched.says("blind")
        many.fail("site-power", "site-a")
        run = await watched.loss()
        await says(run, ASKED)
        show(many)
        await until(run, judged_of_all, "all guests", 90)
        hide(many)
        page = await says(run, ASKED)
        many.restore("site-power", "site-a")
        assert (stuck := await parked_or_ended(run, 200)) is None, stuck
        report = LossReport.model_validate(await run.result())
        shown = {one.sid for one in report.back if one.ok}
        show(many)
        await watched.says("healthy", 60)

    assert "is down again" not in page
    assert shown | set(report.not_back) == set(report.homes)
    assert all("not verified" in why for why in report.not_back.values())
    assert {len([out for out in report.outages if out.sid == sid]) for sid in report.homes} == {1}
