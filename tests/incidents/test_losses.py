"""Losses that do not go by the book: a second failure, a guest that does not come back, one that HA does not know."""

import json
from typing import Any

import pytest
from temporalio.client import Client

from lab.built import add_guest
from lab.physics.faults import Fault
from runbooks.loss import SiteLossReport
from tests.incidents.conftest import Site, Watched, ended, watching
from tests.receivers import Receiver
from tests.runs import steps, until

pytestmark = pytest.mark.slow


async def _waits_for_the_site(run) -> None:
    await until(run, lambda found: any(step.title == "site-a is back" for step in found), "the guests", 60)


async def test_a_second_failure_is_an_alarm_on_the_incidents_page(site: Site, watched: Watched):
    """The survivor had no margin; when the witness goes too, the open incident says what that means."""
    site.fail("site-power", "site-a")
    run = await watched.loss()
    await _waits_for_the_site(run)

    site.fail("witness")
    state = await watched.says("quorum-lost")

    assert state.open is not None
    assert state.open.run == run.id
    page = await run.query("page")
    assert "Quorum lost (site-a): pxmx02-01, pxmx02-02, pxmx02-03: 3 of 7 votes, 4 are needed" in page


async def test_a_guest_that_ha_does_not_know_is_listed_and_not_touched(site: Site, client: Client):
    """It is lost, or possibly alive: nobody here may start it."""
    site.call(_with_a_stranger(site))
    async with watching(client, site) as watched:
        site.fail("site-power", "site-a")
        run = await watched.loss()
        await _waits_for_the_site(run)
        site.restore("site-power", "site-a")
        await ended(run)

    report = SiteLossReport.model_validate(await run.result())
    assert report.unmanaged == {900: "pxmx01-03"}
    assert report.notes == ("guests outside HA, lost or still running, not touched: 900 on pxmx01-03",)


async def _with_a_stranger(site: Site) -> None:
    add_guest(site.world, 900, "pxmx01-03")
    await site.world.clock.sleep(60)  # HA knows its guests by then


async def test_an_observer_changes_nothing(site: Site, client: Client):
    """Policy `observe`: verdict, page and forecast, and failback stays as somebody has set it."""
    site.world.cluster.ha.resources["vm:301"]["failback"] = 1
    text = site.path.read_text()
    site.path.write_text(f"{text}\nwatch:\n  policy: observe\n")
    try:
        async with watching(client, site) as watched:
            site.fail("site-power", "site-a")
            run = await watched.loss()
            await _waits_for_the_site(run)
            assert "would disable vm:301 failback" in await run.query("page")
            assert "It only observes." in await watched.handle.query("page")
            assert site.world.cluster.ha.resources["vm:301"]["failback"] == 1
    finally:
        site.path.write_text(text)


async def test_a_site_that_is_cut_off_is_followed_to_the_end(site: Site, watched: Watched):
    """Isolated, not dark: its nodes with HA guests reset themselves, and the guests come back all the same."""
    site.fail("site-network", "site-a")
    run = await watched.loss()
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


async def _explained(run: Any) -> str:
    why = "Why guests are not back"
    await until(run, lambda found: any(step.title == why for step in found), "the reasons", 80)
    return next(step.finding for step in await steps(run) if step.title == why)


async def test_a_rule_that_leaves_no_node_is_named(site: Site, watched: Watched):
    """Strict, and all its nodes are lost: HA waits, and the page says for what."""
    rule = {
        "rule": "keep-a",
        "type": "node-affinity",
        "resources": "vm:301",
        "nodes": "pxmx01-01,pxmx01-02",
        "strict": 1,
    }
    site.world.cluster.ha.rules["keep-a"] = rule
    site.fail("site-power", "site-a")
    run = await watched.loss()

    assert await _explained(run) == (
        "vm:301 HA finds no node for it: rules, maintenance or storage leave none; no node can take it: "
        "pxmx02-01, pxmx02-02, pxmx02-03: rule keep-a is strict and does not allow it"
    )
    assert "late against the forecast" in await run.query("page")
    assert "keep-a is strict" in (await run.query("progress"))["waiting"]["vm:301"]


async def test_a_storage_that_no_survivor_has_is_named(site: Site, watched: Watched):
    """HA tries, fails and gives up: error, the task's own words, and no node that could take it."""
    for node in ("pxmx02-01", "pxmx02-02", "pxmx02-03"):
        site.fail("vg-hidden", node)
    site.fail("site-power", "site-a")
    run = await watched.loss()

    said = await _explained(run)
    assert "no node can take it: pxmx02-01, pxmx02-02, pxmx02-03: the storage is not active there" in said


async def test_a_switch_that_was_frozen_by_a_lost_reply_is_not_forgotten(site: Site, watched: Watched):
    """The change was made, its answer never came: the second attempt finds it off, and it is set back at the end."""
    site.world.cluster.ha.resources["vm:301"]["failback"] = 1
    fault = Fault("^pve:", r"^PUT .*/cluster/ha/resources/vm:301", "drop")
    site.world.faults.plant(fault)
    site.fail("site-power", "site-a")
    run = await watched.loss()
    await _waits_for_the_site(run)
    assert fault.met
    site.restore("site-power", "site-a")
    await ended(run)

    report = SiteLossReport.model_validate(await run.result())
    assert [str(one) for one in report.frozen] == ["vm:301 failback 1"]
    assert list(report.outstanding) == ["vm:301 failback 1"]
    assert report.changed == 1


async def test_people_are_told_from_the_first_sign_to_the_end(site: Site, client: Client):
    """Each occasion once, in order, the guests together; a receiver that is busy gets it a little later."""
    receiver = Receiver()
    receiver.refusals = 1
    text = site.path.read_text()
    site.path.write_text(f"{text}\nnotify:\n  - name: pager\n    webhook: {receiver.url}\n")
    try:
        async with watching(client, site) as watched:
            site.fail("site-power", "site-a")
            run = await watched.loss()
            await _waits_for_the_site(run)
            site.restore("site-power", "site-a")
            await ended(run)
            assert all(step.state in ("done", "told", "unneeded") for step in await steps(run))
    finally:
        site.path.write_text(text)
        receiver.stop()
    told = [json.loads(body) for _, body in receiver.got]
    order = sorted(told, key=lambda one: int(one["key"].rpartition("/")[2]))
    titles = [f"{one['occasion']}: {one['title']}" for one in order]
    assert titles[:3] == [
        "opened: Site site-a is lost",
        "quorum: site-b is quorate",
        "fenced: HA has fenced pxmx01-01, pxmx01-02",
    ]
    running = [one for one in titles if one.startswith("running:")]
    assert running in (["running: 2 guests run again"], ["running: 1 guest runs again"] * 2)
    assert titles[-1] == "closed: Site site-a is lost (apply): done"
    assert len({one["key"] for one in told}) == len(told)
