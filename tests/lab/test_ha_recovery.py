"""What the master does with the services of a node that is gone, where that is not as simple as to start them."""

import pytest

from lab import jump
from lab.power import switch_off
from lab.proxmox import workers
from tests.fuzz.laws import _v1_and_v2
from tests.lab.stage import Stage, deployed

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
    broken = []
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
