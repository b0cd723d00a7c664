"""What the master does with the services of a node that is gone, where that is not as simple as to start them."""

import pytest

from lab.control.drills import Drills
from lab.physics import jump
from lab.physics.power import switch_off
from lab.pve.work import guest_tasks as workers
from tests.fuzz.laws import _v1_and_v2
from tests.lab.stage import SITE_A, SITE_B, Stage, deployed, healthy

pytestmark = pytest.mark.slow  # in `make test-twin`

HOME, TARGET = "pxmx01-01", "pxmx02-02"
# A copy that ends between two rounds of its LRM, which looks at its workers for 8 of 10 seconds.
BETWEEN_ROUNDS = 9.0


async def dies_after_its_last_migration(seed: int, master: str) -> tuple[Stage, list[str]]:
    """Master and node of vm:300 die when the guest has just arrived elsewhere, and nobody has been told."""
    stage = await deployed(master=master, seed=seed)
    world, ha = stage.world, stage.ha
    ha.commands.append(("migrate", "vm:300", TARGET))
    await stage.until("arrived", lambda: stage.guests[300].node == TARGET, 60)
    switch_off(world, [HOME, master])
    broken: list[str] = []
    for _ in range(300):
        await stage.sleep(1)
        broken += _v1_and_v2(world)
    return stage, broken


@pytest.mark.parametrize("master", ["pxmx01-01", "pxmx02-01"])
@pytest.mark.parametrize("seed", range(1, 5))
def test_a_guest_that_has_just_left_a_dead_node_is_not_started_again(master: str, seed: int, monkeypatch):
    """Its file is elsewhere: HA finds none to take, fails in every round, and writes nothing until it is let go.

    The guest runs on where it has arrived; a person takes it out of HA and puts it under HA again.
    """

    monkeypatch.setitem(workers.MIGRATE_SECONDS, True, BETWEEN_ROUNDS)

    async def story():
        stage, broken = await dies_after_its_last_migration(seed, master)
        ha, now = stage.ha, stage.ha.manager.master
        found = {
            "broken": broken,
            "runs on": stage.guests[300].runs_on,
            "state": (stage.service(300).state, stage.service(300).node),
            "old": stage.now - ha.manager.timestamp > 60,
            "said": stage.world.nodes[now].journal["pve-ha-crm"][-1],
        }
        taken = ha.resources.pop("vm:300")
        await stage.until("let go", lambda: "vm:300" not in ha.manager.services, 30)
        ha.resources["vm:300"] = taken
        await stage.until("looked after", lambda: stage.ha.manager.services.get("vm:300") and _started(stage), 60)
        found |= {"at the end": stage.guests[300].runs_on, "others": stage.guests[301].running}
        await stage.world.cluster.stop()
        return found

    assert jump.run(story()) == {
        "broken": [],
        "runs on": {TARGET},
        "state": ("migrate", HOME),
        "old": True,
        "said": f"got unexpected error - Configuration file 'nodes/{HOME}/qemu-server/300.conf' does not exist",
        "at the end": {TARGET},
        "others": True,
    }


def _started(stage: Stage) -> bool:
    service = stage.service(300)
    return service.state == "started" and service.node == TARGET and service.running


# --- starts that fail ------------------------------------------------------------------------------------------------


async def site_lost(stage: Stage) -> None:
    switch_off(stage.world, SITE_A)
    await stage.until("error", lambda: stage.service(300).state == "error", 500)


@pytest.mark.parametrize("seed", range(1, 5))
def test_a_guest_that_can_neither_start_nor_move_ends_in_error(seed: int):
    """A node counts each time it fails, also when the service could not be moved away (§§7, 9).

    Measured on the real stack: four starts, one migration that failed, the error about 100 s later.
    """

    async def story():
        stage = await healthy(master="pxmx02-01", seed=seed)
        stage.guests[300].lock = "create"  # a lock that recovery leaves alone
        await site_lost(stage)
        recovered = next(c.time for c in stage.world.changes if (c.what, c.target) == ("ha.recover", "vm:300"))
        failed = stage.service(300).failed_nodes
        found = failed, stage.seen["error"] - (recovered - stage.marked), tasks(stage, 300)
        await stage.world.cluster.stop()
        return found

    failed, took, done = jump.run(story())

    assert (len(failed), len(set(failed)), done) == (2, 1, {"qmstart": 4, "qmigrate": 1})
    assert 30 <= took <= 125


def tasks(stage: Stage, vmid: int) -> dict[str, int]:
    """How many tasks of each kind there were about a guest since the mark."""
    found: dict[str, int] = {}
    for task in stage.world.cluster.tasks.all:
        if task.target == str(vmid) and task.starttime >= int(stage.marked):
            found[task.kind] = found.get(task.kind, 0) + 1
    return found


# max_relocate, max_restart -> the starts that are tried before the error, on three nodes that are left.
POLICIES = {(0, 0): 1, (0, 3): 4, (1, 1): 4, (2, 0): 3, (3, 0): 4, (5, 0): 6}


@pytest.mark.parametrize(("relocate", "restart"), POLICIES)
def test_a_start_that_fails_everywhere_ends_in_error(relocate: int, restart: int):
    """Also where more relocations are allowed than there are nodes: then it is tried again where it is."""

    async def story():
        stage = await healthy(master="pxmx02-01", max_relocate=relocate, max_restart=restart)
        Drills(stage.world).fail("start-fails", ["300"], by="test")
        await site_lost(stage)
        found = tasks(stage, 300)["qmstart"], len(stage.service(300).failed_nodes)
        await stage.world.cluster.stop()
        return found

    assert jump.run(story()) == (POLICIES[relocate, restart], relocate + 1)


@pytest.mark.parametrize(("times", "moved"), [(1, False), (2, True), (3, True)])
def test_a_start_that_fails_some_times_is_got_over(times: int, moved: bool):
    """One retry on the node, then another node; success clears the counters."""

    async def story():
        stage = await healthy(master="pxmx02-01")
        drills = Drills(stage.world)
        drills.fail("start-fails", ["300", str(times)], by="test")
        switch_off(stage.world, SITE_A)
        await stage.until("running", lambda: stage.guests[300].running and stage.guests[300].node in SITE_B, 400)
        await stage.sleep(25)
        first = next(c.detail["to"] for c in stage.world.changes if (c.what, c.target) == ("ha.recover", "vm:300"))
        service = stage.service(300)
        found = service.state, service.failed_nodes, service.node != first
        await stage.world.cluster.stop()
        return found

    assert jump.run(story()) == ("started", [], moved)


def test_a_migration_that_fails_leaves_the_guest_where_it_was():
    """The command is not tried again; the next one succeeds."""

    async def story():
        stage = await healthy(master="pxmx02-01", failback=0)
        Drills(stage.world).fail("migration-fails", ["300", "1"], by="test")
        seen = []
        for _ in range(2):
            stage.ha.commands.append(("migrate", "vm:300", TARGET))
            await stage.until("moving", lambda: stage.service(300).state == "migrate", 20)
            await stage.until("over", lambda: stage.service(300).state == "started", 60)
            seen.append((stage.service(300).node, stage.guests[300].runs_on))
        await stage.world.cluster.stop()
        return seen

    assert jump.run(story()) == [(HOME, {HOME}), (TARGET, {TARGET})]


def test_a_stopped_guest_on_a_dead_node_in_maintenance_is_fenced_for_when_it_shall_start():
    """Nothing is fenced for what is stopped; once it shall start, both mails come and it is recovered at once."""

    async def story():
        stage = await healthy(master="pxmx02-01")
        ha = stage.ha
        ha.resources["vm:300"]["state"] = "stopped"
        await stage.until("stopped", lambda: stage.service(300).state == "stopped", 60)
        ha.commands.append(("node-maintenance", HOME, "enable"))
        await stage.until("away", lambda: ha.manager.nodes[HOME] == "maintenance", 120)
        await stage.until("empty", lambda: not ha.watchdogs[HOME].clients, 120)
        switch_off(stage.world, [HOME])
        await stage.sleep(300)
        before = [c.what for c in stage.world.changes if c.what.startswith("ha.fence")]
        ha.resources["vm:300"]["state"] = "started"
        stage.mark()
        await stage.until("running", lambda: stage.guests[300].running, 90)
        after = [c.what for c in stage.world.changes if c.what.startswith("ha.fence")]
        await stage.world.cluster.stop()
        return before, after, stage.guests[300].node != HOME, stage.seen["running"] < 40

    assert jump.run(story()) == ([], ["ha.fence", "ha.fenced"], True, True)
