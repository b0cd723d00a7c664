"""Losses that do not go by the book: a second failure, a guest that does not come back, one that HA does not know."""

from temporalio.client import Client

from lab.built import add_guest
from runbooks.loss import SiteLossReport
from tests.incidents.conftest import Site, Watched, ended, watching
from tests.runs import until


async def _waits_for_the_site(run) -> None:
    await until(run, lambda found: any(step.title == "site-a is back" for step in found), "the guests", 60)


async def test_a_second_failure_is_an_alarm_on_the_incidents_page(site: Site, watched: Watched):
    """The survivor had no margin; when the witness goes too, the open incident says what that means."""
    site.fail("site-power", "site-a")
    run = await watched.incident()
    await _waits_for_the_site(run)

    site.fail("witness")
    state = await watched.says("quorum-lost")

    assert state.open is not None
    assert state.open.run == run.id
    page = await run.query("page")
    assert "the cluster is quorum lost (site-a): pxmx02-01, pxmx02-02, pxmx02-03: 3 of 7 votes, 4 are needed" in page


async def test_a_guest_that_ha_does_not_know_is_listed_and_not_touched(site: Site, client: Client):
    """It is lost, or possibly alive: nobody here may start it."""
    site.call(_with_a_stranger(site))
    async with watching(client, site) as watched:
        site.fail("site-power", "site-a")
        run = await watched.incident()
        await _waits_for_the_site(run)
        site.restore("site-power", "site-a")
        await ended(run)

    report = SiteLossReport.model_validate(await run.result())
    assert report.unmanaged == {900: "pxmx01-03"}
    assert report.notes == ("not under HA, lost or possibly alive, not touched: 900 on pxmx01-03",)


async def _with_a_stranger(site: Site) -> None:
    add_guest(site.world, 900, "pxmx01-03")


async def test_an_observer_changes_nothing(site: Site, client: Client):
    """Policy `observe`: verdict, page and forecast, and failback stays as somebody has set it."""
    site.world.cluster.ha.resources["vm:301"]["failback"] = 1
    text = site.path.read_text()
    site.path.write_text(f"{text}\nwatch:\n  policy: observe\n")
    try:
        async with watching(client, site) as watched:
            site.fail("site-power", "site-a")
            run = await watched.incident()
            await _waits_for_the_site(run)
            assert "would be frozen: vm:301 failback 1" in await run.query("page")
            assert "It only observes." in await watched.handle.query("page")
            assert site.world.cluster.ha.resources["vm:301"]["failback"] == 1
    finally:
        site.path.write_text(text)


async def test_a_site_that_is_cut_off_is_followed_to_the_end(site: Site, watched: Watched):
    """Isolated, not dark: its nodes with HA guests reset themselves, and the guests come back all the same."""
    site.fail("site-network", "site-a")
    run = await watched.incident()
    state = await watched.state()
    assert state.verdict is not None
    assert state.verdict.kind == "site-isolated"
    await _waits_for_the_site(run)
    site.restore("site-network", "site-a")
    await ended(run, 90)

    report = SiteLossReport.model_validate(await run.result())
    assert {one.sid for one in report.back if one.ok} == {"vm:300", "vm:301"}
    assert set(report.timeline.fenced) == {"pxmx01-01", "pxmx01-02"}
    assert report.not_back == {}
