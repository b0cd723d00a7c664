"""A deployment on a site as it is delivered: everything that the inventory can say about paths, at once."""

from pathlib import Path

import pytest
from temporalio.client import Client

from cluster.inventory import Inventory
from cluster.paths import Chap, PathPolicy
from lab.physics.power import switch_off, switch_on
from tests.conftest import working
from tests.storage.conftest import A
from tests.twin import TwinThread

pytestmark = pytest.mark.slow

HOSTILE = 'defaults {\n  no_path_retry queue\n  user_friendly_names yes\n}\nblacklist {\n  wwid ".*"\n}\n'


def as_delivered(twin: TwinThread) -> None:
    """Two storage cards a node, a portal without a cable, queues for ever, units that do not boot along."""
    for host in twin.world.nodes.values():
        host.ifaces = ("storage0", "storage1")
        host.files = {"/etc/multipath.conf": HOSTILE}
        host.settings = host.multipath_files()
        host.friendly_names = True
        host.disabled |= {"open-iscsi", "multipathd"}
    twin.call(_cut(twin))


async def _cut(twin: TwinThread) -> None:
    twin.world.links.cut(f"portal:{A}:3")


def as_wished(twin: TwinThread) -> Inventory:
    """What people write down for that site."""
    (Path(twin.path.parent) / "secrets" / "chap").write_text("not-to-be-seen-1234\n")
    inventory, used = twin.inventory, twin.world.arrays[A].portals[:3]
    arrays = tuple(one.model_copy(update={"portals": used} if one.name == A else {}) for one in inventory.arrays)
    policy = PathPolicy(chap=Chap(user="quorate", password="file:secrets/chap"), multipath="set", tuning="set")
    pod = inventory.pod.model_copy(update={"failover_preference": A})
    return inventory.model_copy(update={"arrays": arrays, "paths": policy, "pod": pod})


async def boots_again(twin: TwinThread, node: str) -> None:
    """The node loses its power and boots."""
    switch_off(twin.world, [node])
    await switch_on(twin.world, [node])


async def test_a_site_as_it_is_delivered_gets_paths_that_last(client: Client, twin: TwinThread):
    """Six and eight paths a node by name, a second run changes nothing, and a reboot brings all of them back."""
    as_delivered(twin)
    inventory = as_wished(twin)
    async with working(client, inventory, twin.path.parent) as start:
        first = await (await start(limit=300)).result()
        changed = twin.change_lines()
        second = await (await start(limit=300)).result()

    assert first.proof is not None
    assert {(one.optimized, one.non_optimized) for one in first.proof.paths.values()} == {(6, 8), (8, 6)}
    assert first.changed == len(first.planned)
    assert (second.changed, second.planned, second.proof) == (0, (), first.proof)
    assert [line for line in twin.change_lines()[len(changed) :] if " iscsi." in line or " file." in line] == []
    assert "Paths of pxmx01-01: 6 optimized, 8 non-optimized, there again after a reboot" in [
        f"{step.title}: {step.finding}" for step in second.steps
    ]
    twin.call(boots_again(twin, "pxmx02-01"))
    assert len(twin.world.paths("pxmx02-01")) == 14
