"""Of several pods each has to be well: the one that is not is named, and nothing is called healthy beside it."""

from pathlib import Path
from typing import Any

import pytest

from activities.parsing.looks import pods_view
from cluster.breakglass.against import against_off, against_on
from cluster.breakglass.judged import judged as judged_by_a_run
from cluster.breakglass.power import PowerPlan
from cluster.breakglass.reviving import cannot_write
from cluster.conditions import Condition
from cluster.facts import Facts
from cluster.inventory import Inventory
from cluster.scene import scene
from cluster.verdict import Verdict, judge
from tests.pods import two_pods
from tests.verdict.world import ARRAY_A, ARRAY_B, NODES, A, B, World
from workers.inventory_file import load

EXAMPLE = Path(__file__).parents[2] / "examples" / "lab.yaml"
ONE, TWO = "webb-ac-proxmox-01", "webb-ac-proxmox-01-two"


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    """Two pods with three volumes."""
    path = tmp_path / "inventory.yaml"
    path.write_text(two_pods(EXAMPLE.read_text()))
    return load(path)


def pod(a: str = "online", b: str = "online", mediator: str = "online") -> dict[str, Any]:
    """A pod as an array tells it, with the states of both copies."""
    rows = [(ARRAY_A, a), (ARRAY_B, b)]
    return {"arrays": [{"name": name, "status": status, "mediator_status": mediator} for name, status in rows]}


def seen(one: dict[str, Any] | None, two: dict[str, Any] | None, **more: object) -> World:
    """Both arrays tell both pods so; `more` is what they tell besides."""
    world = World()
    view = pods_view({ONE: one, TWO: two})
    world.arrays = {name: look.model_copy(update={**view, **more}) for name, look in world.arrays.items()}
    return world


def judged(world: World, inventory: Inventory) -> Verdict:
    """What that is called."""
    return judge(world.facts, world.memory, inventory)


def pod_line(facts: Facts, world: World, inventory: Inventory) -> str:
    """What the picture of the cluster says of its pods."""
    return scene(facts, world.memory, inventory).pod.text


def test_two_pods_that_are_well_are_healthy(inventory: Inventory):
    """How many there are is said."""
    verdict = judged(seen(pod(), pod()), inventory)

    assert verdict.kind == "healthy"
    assert "2 pods online on 2 arrays that answer, 1 HA guests as requested" in verdict.main.reasons


def test_a_pod_that_is_suspended_at_one_array_is_named(inventory: Inventory):
    """The other pod is online at both, which makes nothing healthy."""
    world = seen(pod(), pod(b="suspended"))
    verdict = judged(world, inventory)

    assert verdict.main.key == f"replication-lost {ARRAY_B}"
    assert verdict.main.reasons == (f"pod {TWO}: {ARRAY_B} calls its own copy suspended; the other copy is online",)
    assert pod_line(world.facts, world, inventory) == f"{TWO} served by {ARRAY_A} alone"


def test_pods_that_are_served_by_different_arrays_are_told_each_by_its_name(inventory: Inventory):
    """No array serves both, and no pod is offline."""
    world = seen(pod(b="suspended"), pod(a="suspended"))
    verdict = judged(world, inventory)

    assert [one.key for one in (verdict.main, *verdict.also)] == [
        f"replication-lost {ARRAY_B}",
        f"replication-lost {ARRAY_A}",
    ]
    assert verdict.also[0].reasons == (f"pod {TWO}: {ARRAY_A} calls its own copy suspended; the other copy is online",)
    assert pod_line(world.facts, world, inventory) == (
        f"{ONE} served by {ARRAY_A} alone; {TWO} served by {ARRAY_B} alone"
    )


def test_a_pod_that_no_array_serves_is_offline_whatever_the_other_one_is(inventory: Inventory):
    """The gravest of all that is so."""
    verdict = judged(seen(pod(), pod(a="suspended", b="offline")), inventory)

    assert verdict.kind == "pod-offline"
    assert verdict.main.reasons == (
        f"pod {TWO}: {ARRAY_A} calls its own copy suspended",
        f"pod {TWO}: {ARRAY_B} calls its own copy offline",
    )


def test_a_resync_of_one_pod_is_a_resync(inventory: Inventory):
    """Nothing is back to normal before the last one is."""
    verdict = judged(seen(pod(), pod(b="resyncing")), inventory)

    assert verdict.main.key == f"resyncing {ARRAY_B}"
    assert verdict.main.reasons == (f"pod {TWO}: {ARRAY_B} calls its copy resyncing",)


def test_what_is_so_of_every_pod_is_told_once(inventory: Inventory):
    """The mediator is lost to all of them."""
    verdict = judged(seen(pod(mediator="unreachable"), pod(mediator="unreachable")), inventory)

    assert verdict.kind == "mediator-lost"
    assert verdict.main.reasons == (
        f"{ARRAY_A} calls the mediator unreachable",
        f"{ARRAY_B} calls the mediator unreachable",
    )


def test_a_pod_that_is_stretched_no_more_is_named(inventory: Inventory):
    """It was there, and the other pod has both copies."""
    alone = {"arrays": [{"name": ARRAY_A, "status": "online", "mediator_status": "online"}]}
    verdict = judged(seen(pod(), alone), inventory)

    assert verdict.main.key == f"pod-unstretched {ARRAY_B}"
    assert verdict.main.reasons == (f"{ARRAY_B} has no copy of pod {TWO}; {ARRAY_A} has the only one",)


def test_a_node_can_write_where_any_pod_may_be_served_by_a_silent_array(inventory: Inventory):
    """The peer calls one copy offline there, and the other online."""
    first, *others = NODES
    dark = seen(pod(b="offline"), pod(), logins={first: 4}).silent(ARRAY_B)

    lost = seen(pod(b="offline"), pod(b="offline"), logins={first: 4}).silent(ARRAY_B)

    assert cannot_write(dark.facts, NODES, inventory) == ()
    assert cannot_write(lost.facts, NODES, inventory) == tuple(others)


def test_no_node_is_switched_off_beside_an_array_that_serves_any_pod(inventory: Inventory):
    """Guests there may have their disks, although the array does not serve all pods; and not all have theirs here."""
    facts = seen(pod(b="suspended"), pod(a="suspended")).facts
    found = judged_by_a_run(Verdict(main=Condition(kind="quorum-lost")), facts, "")
    plan = PowerPlan(on=False, nodes=(), by_hand=(), left={})

    assert (found.serving, found.partly) == ((), (ARRAY_A, ARRAY_B))
    assert against_off(plan, A, found, inventory) == (
        f"{ARRAY_B} serves some of the pods: the nodes of {B} may have disks there"
    )
    assert against_on(found, inventory) == (
        f"no array serves all pods, some are served by {ARRAY_A}, {ARRAY_B}: bring the arrays up first"
    )


def test_a_storage_that_is_inactive_on_a_node_is_named(inventory: Inventory):
    """The first one is available everywhere."""
    world = seen(pod(), pod())
    told = dict.fromkeys(NODES, "available")
    more = {"more": told, "apart": told | {NODES[1]: "unknown"}}
    world.cluster = {
        name: look.model_copy(update={"storages": told, "more": more}) for name, look in world.cluster.items()
    }
    verdict = judged(world, inventory)

    assert verdict.main.key == f"storage-inactive {NODES[1]}"
    assert verdict.main.reasons == (f"storage apart is unknown on {NODES[1]}",)
