"""Site A loses its power: HA's own times, in lab seconds, with the master on either side (reference: pve-ha §15.1)."""

import asyncio
from dataclasses import dataclass

import pytest
import pytest_asyncio

from lab.clock import Clock
from lab.power import switch_off, switch_on
from lab.proxmox.models import Guest
from lab.world import World
from tests.twin import EXAMPLE
from workers.inventory_file import load

FAST = 40.0
SITE_A = ["pxmx01-01", "pxmx01-02", "pxmx01-03"]


@dataclass
class Loss:
    """Lab seconds after the loss at which each thing was first seen, and the world afterwards."""

    seen: dict[str, float]
    world: World


async def until(world: World, what: str, condition, limit: float) -> float:
    """The lab time at which a condition came true."""
    deadline = world.clock.now() + limit
    while not condition():
        assert world.clock.now() < deadline, f"{what} did not come in {limit:.0f} lab seconds"
        await asyncio.sleep(0.005)
    return world.clock.now()


async def ready(master: str) -> World:
    """Two guests under HA on site A, seven votes, the master where it is wanted."""
    world = World(load(EXAMPLE), clock=Clock(FAST))
    world.corosync.qdevice, world.corosync.qdevice_since = True, world.clock.now() - 60
    cluster = world.cluster
    cluster.ha.first_master = master
    for vmid, node in ((300, "pxmx01-01"), (301, "pxmx01-02")):
        cluster.guests[vmid] = Guest(vmid, node, {"name": f"vm-{vmid}"}, running=True)
        cluster.ha.resources[f"vm:{vmid}"] = {"state": "started"}
    await cluster.start()
    ha = cluster.ha
    await until(
        world,
        "HA under way",
        lambda: (
            ha.manager is not None
            and len(ha.manager.services) == 2
            and all(service.running for service in ha.manager.services.values())
            and all(ha.lrms[node].state == "active" for node in SITE_A[:2])
        ),
        90,
    )
    return world


@pytest_asyncio.fixture(scope="module", params=["pxmx01-01", "pxmx02-01"], ids=["master-on-a", "master-on-b"])
async def loss(request: pytest.FixtureRequest):
    """Power off site A and note when what happened."""
    world = await ready(request.param)
    ha, guests = world.cluster.ha, world.cluster.guests
    switch_off(world, SITE_A)
    lost = world.clock.now()
    seen = {}
    for what, condition, limit in (
        ("votes fall", lambda: world.votes("pxmx02-01").total == 4, 30),
        ("settled", lambda: len(world.members()) == 3, 30),
        ("unknown", lambda: ha.manager.nodes["pxmx01-03"] == "unknown", 150),
        ("fenced", lambda: any(s.state in ("fence", "recovery") or s.node > "pxmx02" for s in services(world)), 120),
        ("recovered", lambda: all(service.node > "pxmx02" for service in services(world)), 150),
        ("running", lambda: all(guests[vmid].running for vmid in (300, 301)), 60),
    ):
        seen[what] = await until(world, what, condition, limit) - lost
    yield Loss(seen, world)
    await world.cluster.stop()


def services(world: World):
    return world.cluster.ha.manager.services.values()


def master_of(loss: Loss) -> str:
    return "a" if loss.world.cluster.ha.first_master.startswith("pxmx01") else "b"


# Earliest and latest lab second for a master on A and on B; the reference's column C, with a second of measuring.
RANGES = {
    "votes fall": {"a": (7.6, 9), "b": (7.6, 9)},
    "settled": {"a": (7.6, 13), "b": (7.6, 13)},
    "unknown": {"a": (110, 133), "b": (1, 24)},
    "fenced": {"a": (170, 195), "b": (52, 85)},
    "recovered": {"a": (170, 195), "b": (119, 143)},
    "running": {"a": (172, 206), "b": (121, 152)},
}


@pytest.mark.parametrize("what", list(RANGES))
async def test_a_site_loss_takes_its_time(loss: Loss, what: str):
    """Each phase falls into the range that the real stack was seen in."""
    earliest, latest = RANGES[what][master_of(loss)]

    assert earliest <= loss.seen[what] <= latest, loss.seen


async def test_the_survivor_carries_both_guests(loss: Loss):
    """One guest on each of the first two nodes of site B, and nothing runs where there is no power."""
    guests = loss.world.cluster.guests

    assert {guests[vmid].node for vmid in (300, 301)} == {"pxmx02-01", "pxmx02-02"}
    assert loss.world.votes("pxmx02-01").quorate


async def test_a_node_without_services_is_never_fenced(loss: Loss):
    """It stays unknown: there is nothing to recover from it."""
    assert loss.world.cluster.ha.manager.nodes["pxmx01-03"] == "unknown"


async def test_without_the_device_the_survivor_stays_blocked():
    """Three of six votes are not four: nothing is recovered, ever."""
    world = await ready("pxmx02-01")
    world.corosync.qdevice = False
    switch_off(world, SITE_A)
    await until(world, "membership", lambda: len(world.members()) == 3, 30)

    assert not world.votes("pxmx02-01").quorate
    await world.clock.sleep(200)
    assert {service.node for service in services(world)} == {"pxmx01-01", "pxmx01-02"}
    await world.cluster.stop()


async def test_a_returning_site_gets_no_guest_back():
    """Seven votes again, nodes online, guests where they were recovered."""
    world = await ready("pxmx02-01")
    switch_off(world, SITE_A)
    await until(world, "recovery", lambda: all(service.node > "pxmx02" for service in services(world)), 200)

    await switch_on(world, SITE_A)
    ha = world.cluster.ha
    await until(world, "return", lambda: all(ha.manager.nodes[node] == "online" for node in SITE_A), 40)
    await world.clock.sleep(60)

    assert world.votes("pxmx01-01").total == 7
    assert all(service.node > "pxmx02" and service.state == "started" for service in services(world))
    await world.cluster.stop()
