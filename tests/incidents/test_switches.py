"""What an incident turns off: it comes back when that moves nobody, and the incident never waits for its own hands."""

from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import Client

from cluster.ledger import Book, ledger_id
from tests.incidents.conftest import Site, Watched, ended
from tests.ledgers import book
from tests.runs import steps, until

pytestmark = pytest.mark.slow

BALANCED = "ha=dynamic,ha-auto-rebalance=1"
JOB = "backup-nightly"


@pytest.fixture
def moving(site: Site) -> Site:
    """A cluster with Proxmox VE's defaults: a balancer, a backup job, failback."""
    site.world.cluster.options["crs"] = BALANCED
    site.world.cluster.jobs[JOB] = {"enabled": 1, "schedule": "21:00", "storage": "local", "all": 1}
    for resource in site.world.cluster.ha.resources.values():
        resource["failback"] = 1
    return site


def off(site: Site) -> set[str]:
    """What is off now."""
    cluster = site.world.cluster
    found = {sid for sid, one in cluster.ha.resources.items() if not int(one["failback"])}
    found |= {"crs"} if "ha-auto-rebalance=0" in str(cluster.options["crs"]) else set()
    return found | {name for name, job in cluster.jobs.items() if not int(job["enabled"])}


async def frozen(site: Site, names: set[str], run: Any) -> None:
    """Wait until exactly these are off."""
    await until(run, lambda _: off(site) == names, f"{names} off", 60)


async def waits_for_the_site(run: Any) -> None:
    def waits(found: Any) -> bool:
        return any(one.title == "site-a is back" for one in found) and any(
            one.title == "Guests run again" and one.state == "done" for one in found
        )

    await until(run, waits, "the guests", 90)


async def test_nothing_is_turned_on_while_the_site_is_held_back(moving: Site, watched: Watched, client: Client):
    """The balancer would fill three empty nodes, one of which nothing would reset; all of it is listed."""
    moving.fail("site-power", "site-a")
    run = await watched.loss()
    await waits_for_the_site(run)
    everything = {"vm:300", "vm:301", "crs", JOB}
    await frozen(moving, everything, run)
    moving.fail("watchdog-stopped", "pxmx01-01")
    moving.restore("site-power", "site-a")
    await ended(run, 120)
    report = await run.result()
    assert off(moving) == everything
    assert len(report["outstanding"]) == 4
    known = await book(client, moving.inventory.name)
    assert {entry.switch.name for entry in known.switches} == everything
    assert {sid: home.node for sid, home in known.homes.items()} == {"vm:300": "pxmx01-01", "vm:301": "pxmx01-02"}
    assert list(known.lost) == ["site-a"]


async def test_a_terminated_incident_leaves_nothing_off_and_unlisted(moving: Site, watched: Watched, client: Client):
    """Its site is back, its guests are not: what may go back does, the rest is in the ledger."""
    moving.fail("site-power", "site-a")
    run = await watched.loss()
    await frozen(moving, {"vm:300", "vm:301", "crs", JOB}, run)
    await waits_for_the_site(run)
    await run.terminate("by hand")
    known = await compared(client, moving.inventory.name)
    assert {entry.switch.name for entry in known.switches} == off(moving) == {"vm:300", "vm:301", "crs", JOB}
    assert all(entry.held_back or entry.holders for entry in known.switches)


async def test_a_missing_right_stops_neither_the_watching_nor_the_other_switches(moving: Site, watched: Watched):
    """The token lacks `Sys.Modify`: what it may not turn off stays on and is named, HA is followed all the same."""
    moving.world.cluster.drop_privilege(moving.inventory.api.token_id, "Sys.Modify")
    moving.fail("site-power", "site-a")
    run = await watched.loss()
    await waits_for_the_site(run)
    lines = {one.title: one for one in await steps(run)}
    assert off(moving) == {"vm:300", "vm:301"}
    assert "Sys.Modify" in lines["crs ha-auto-rebalance stays on"].finding
    assert "Sys.Modify" in lines[f"{JOB} enabled stays on"].finding
    assert not [one for one in lines.values() if one.state == "parked"]
    assert lines["pxmx01-01 is fenced"].state == "done"


async def test_a_service_in_error_leaves_the_other_switches_off(moving: Site, watched: Watched):
    """HA takes no change of it and moves nothing that is in error."""
    moving.manager.services["vm:301"].state = "error"
    moving.fail("site-power", "site-a")
    run = await watched.loss()
    await frozen(moving, {"vm:300", "crs", JOB}, run)
    await until(run, lambda found: any(one.title == "vm:301 failback stays on" for one in found), "what stays on")
    lines = {one.title: one for one in await steps(run)}
    assert lines["vm:301 failback stays on"].state == "warned"
    assert not [one for one in lines.values() if one.state == "parked"]


async def compared(client: Client, cluster: str) -> Book:
    """The ledger compares itself with the cluster now."""
    await client.get_workflow_handle(ledger_id(cluster)).execute_update("compare", rpc_timeout=timedelta(seconds=60))
    return await book(client, cluster)
