"""Planned work: a site is emptied, goes dark without a fence, comes back and gets its guests again."""

from collections.abc import Callable
from typing import Any

import pytest

from lab.built import add_guest
from runbooks.homecoming import FailbackReport
from runbooks.site_work import EvacuationReport
from tests.failback.conftest import Begin
from tests.failback.people import Person
from tests.failback.test_stops import runs_once
from tests.incidents.conftest import Site, ended
from tests.runs import aborted, steps, until
from workflows.page import SIGNS, StepRecord

pytestmark = pytest.mark.slow


async def agreed(run: Any, people: dict[str, Person], *waives: str) -> None:
    """Ben and Cleo say yes as soon as they are asked."""
    await until(run, lambda found: any(step.state == "asked" for step in found), "the gate", 40)
    for name in ("ben", "cleo"):
        await people[name].says(run, waives=waives)


def under_way(title: str) -> Callable[[list[StepRecord]], bool]:
    return lambda found: any(step.title == title and step.state == "running" for step in found)


async def test_a_site_is_emptied_goes_dark_and_comes_back(site: Site, start: Begin, people: dict[str, Person]):
    """Nobody is fenced, no guest is down, everybody is at home at the end."""
    run = await start("EvacuateSite", site="site-a")
    await agreed(run, people)
    await until(run, under_way("site-a is dark, and no node was fenced"), "the dark", 60)
    where = runs_once(site)
    assert set(where) == {300, 301}
    assert all(node.startswith("pxmx02") for node in where.values())
    site.fail("site-power", "site-a")
    await ended(run)
    report = EvacuationReport.model_validate(await run.result())
    print("\n".join(f"{SIGNS[step.state]} {step.title}: {step.finding}" for step in await steps(run)))
    assert report.homes == {"vm:300": "pxmx01-01", "vm:301": "pxmx01-02"}
    assert {f"{one.sid} {one.node}" for one in report.back} == {f"vm:{vmid} {node}" for vmid, node in where.items()}
    assert "pxmx02" in report.master
    assert not [line for line in site.change_lines() if "fence" in line]
    moves = [line for line in site.change_lines() if "guest.migrate" in line]
    assert len(moves) == 2, "nobody moves twice"
    assert runs_once(site) == where

    site.restore("site-power", "site-a")
    back = await start("ReturnSite", site="site-a", incident=run.id)
    await agreed(back, people)
    await ended(back, 90)
    print("\n".join(f"{SIGNS[step.state]} {step.title}: {step.finding}" for step in await steps(back)))
    home = FailbackReport.model_validate(await back.result())
    assert {one.sid: one.home for one in home.moved} == report.homes
    assert [one.downtime for one in home.moved] == [0.0, 0.0]
    assert runs_once(site) == {300: "pxmx01-01", 301: "pxmx01-02"}
    assert set(site.manager.nodes.values()) == {"online"}


async def test_what_ha_does_not_know_has_to_be_waived(site: Site, start: Begin, people: dict[str, Person]):
    """It would go down with the site; the run says so before anybody signs, and again at the proof."""

    async def stranger() -> None:
        add_guest(site.world, 900, "pxmx01-03")

    site.call(stranger())
    run = await start("EvacuateSite", site="site-a")
    await agreed(run, people, "unmanaged-vm-900")
    await until(
        run, lambda found: any(s.title == "site-a is empty" and s.state == "parked" for s in found), "the proof", 60
    )
    finding = next(step.finding for step in await steps(run) if step.title == "site-a is empty")
    assert finding == "Refuted: vm:900 on pxmx01-03 is running and would go down with the site: stop or move it by hand"
    await run.execute_update("abort")
    assert "In maintenance: pxmx01-01, pxmx01-02, pxmx01-03." in await aborted(run)


async def test_a_survivor_without_room_keeps_the_gate_closed(site: Site, start: Begin, people: dict[str, Person]):
    """No approval can make room."""

    async def fill() -> None:
        for number, node in enumerate(("pxmx02-01", "pxmx02-02", "pxmx02-03")):
            add_guest(site.world, 900 + number, node).config["memory"] = str(1024 * 1024)

    site.call(fill())
    run = await start("EvacuateSite", site="site-a")
    await until(run, lambda found: any(step.state == "asked" for step in found), "the gate", 40)
    assert "safety veto `room-vm-300`: vm:300 has no place" in await run.query("page")
    assert runs_once(site)[300] == "pxmx01-01"
