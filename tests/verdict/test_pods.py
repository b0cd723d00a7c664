"""Of several pods each has to be well: the one that is not is named, and nothing is called healthy beside it."""

from pathlib import Path
from typing import Any

import pytest

from activities.parsing.looks import pods_view
from cluster.answers.advice import answers
from cluster.breakglass.against import against_off, against_on
from cluster.breakglass.called import Called, not_called_for
from cluster.breakglass.judged import judged as judged_by_a_run
from cluster.breakglass.power import PowerPlan
from cluster.breakglass.reviving import cannot_write
from cluster.conditions import Condition
from cluster.evidence import array_says
from cluster.facts import Facts
from cluster.inventory import Inventory
from cluster.memory import Memory
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


def told(verdict: Verdict, inventory: Inventory) -> list[str]:
    """What a person is told first of each condition."""
    memory = Memory(placement={one.vmid: NODES[0] for one in inventory.guests})
    found = answers(verdict, memory, inventory)
    return [" ".join((f"{one.title}. {one.stake}", *one.guests)) for one in found]


def test_pods_that_are_served_by_different_arrays_are_told_as_that(inventory: Inventory):
    """Which array keeps the quorum's site does not matter any more: no site has all disks."""
    verdict = judged(seen(pod(b="offline"), pod(a="offline")), inventory)

    none = (
        "No site has all disks; guests go on over the storage network between the sites, and writes are not mirrored."
    )
    assert told(verdict, inventory) == [
        f"{ARRAY_A} alone serves pod {ONE}, and {ARRAY_B} alone serves another pod. {none}",
        f"{ARRAY_B} alone serves pod {TWO}, and {ARRAY_A} alone serves another pod. {none}",
    ]


def test_what_is_so_of_one_pod_names_that_pod_in_what_a_person_is_told(inventory: Inventory):
    """Parted, catching up, without its mediator."""
    parted = judged(seen(pod(), pod(b="offline")), inventory)
    behind = judged(seen(pod(), pod(b="resyncing")), inventory)
    alone = judged(seen(pod(), pod(mediator="unreachable")), inventory)

    assert told(parted, inventory) == [
        f"The replication of pod {TWO} is lost ({ARRAY_B}). Guests go on over one array; writes are not mirrored."
    ]
    assert told(behind, inventory) == [
        f"{ARRAY_B} is catching up on pod {TWO}. Guests go on; until it is done, one array alone serves pod {TWO}."
    ]
    assert told(alone, inventory) == [
        f"{ARRAY_A}, {ARRAY_B} do not reach the mediator of pod {TWO}. "
        "Guests go on; only the pre-elected array survives a break of the replication."
    ]


def test_only_the_guests_of_the_pod_that_is_offline_have_lost_their_disks(inventory: Inventory):
    """The other pod's guests go on."""
    verdict = judged(seen(pod(), pod(a="offline", b="offline")), inventory)

    assert told(verdict, inventory)[0] == (
        f"No array serves the pod {TWO}. Every guest on it has lost its disks. ac-test-vm-03 (302), seen on {NODES[0]}"
    )


def lost_array(inventory: Inventory, apart: str) -> Verdict:
    """The array that alone served the second pod is gone; `apart` is how nodes call that pod's storage."""
    world = seen(pod(b="offline"), pod(a="offline", b="unknown"))
    well = dict.fromkeys(NODES, "available")
    stored = {"storages": well, "more": {"more": well, "apart": dict.fromkeys(NODES, apart)}}
    world.cluster = {name: look.model_copy(update=stored) for name, look in world.cluster.items()}
    return judged(world.silent(ARRAY_B), inventory)


def test_a_pod_whose_only_array_is_lost_is_offline_where_no_node_has_its_disks(inventory: Inventory):
    """The other pod goes on, which makes the loss of the array no smaller."""
    verdict = lost_array(inventory, "unknown")

    assert [one.key for one in (verdict.main, *verdict.also)] == [
        f"pod-offline {ARRAY_A} {ARRAY_B}",
        f"array-lost {ARRAY_B}",
        "storage-inactive " + " ".join(sorted(NODES)),
    ]
    assert verdict.main.reasons == (
        f"pod {TWO}: {ARRAY_A} calls its own copy offline; the other copy is unknown",
        f"pod {TWO}: {ARRAY_B} is lost",
        f"pod {TWO}: its storage is available on no node",
    )
    assert told(verdict, inventory)[1] == (
        f"Array {ARRAY_B} is lost. Guests on pod {ONE} go on over the other array; "
        "another failure of storage stops them."
    )


def test_a_pod_whose_only_array_is_silent_is_not_called_offline_while_nodes_have_its_disks(inventory: Inventory):
    """A silent management interface proves nothing about the data path."""
    verdict = lost_array(inventory, "available")

    assert told(verdict, inventory) == [
        f"Array {ARRAY_B} is lost. Guests on pod {ONE} go on over the other array; "
        "another failure of storage stops them.",
        f"{ARRAY_A} does not serve pod {TWO}, and the other array does not answer. "
        f"Whether guests on pod {TWO} have their disks is not known.",
    ]


def test_only_the_storage_that_is_inactive_is_named(inventory: Inventory):
    """The others are available everywhere."""
    world = seen(pod(), pod())
    well = dict.fromkeys(NODES, "available")
    stored = {"storages": well, "more": {"more": well, "apart": well | {NODES[1]: "unknown"}}}
    world.cluster = {name: look.model_copy(update=stored) for name, look in world.cluster.items()}

    assert told(judged(world, inventory), inventory) == [
        f"The storage apart is inactive on {NODES[1]}. HA may still place guests there, and their start fails."
    ]


@pytest.mark.parametrize(("apart", "kind"), [("available", "blind"), ("unknown", "pod-offline")])
def test_a_pod_that_no_array_shows_is_judged_by_its_own_storage(inventory: Inventory, apart: str, kind: str):
    """The storages of the other pod are available either way."""
    world = seen(pod(), None)
    well = dict.fromkeys(NODES, "available")
    stored = {"storages": well, "more": {"more": well, "apart": dict.fromkeys(NODES, apart)}}
    world.cluster = {name: look.model_copy(update=stored) for name, look in world.cluster.items()}
    verdict = judged(world, inventory)

    assert kind in {one.kind for one in (verdict.main, *verdict.also)}
    assert {"blind", "pod-offline"} - {kind} - {one.kind for one in (verdict.main, *verdict.also)}


def cut(one: dict[str, Any], two: dict[str, Any]) -> World:
    """The sites and their storage networks are cut; the first site has the quorum."""
    world = World().cut(A, pod=B)
    view = pods_view({ONE: one, TWO: two})
    world.arrays = {name: look.model_copy(update=view) for name, look in world.arrays.items()}
    return world


def test_the_quorum_does_not_follow_one_pod_away_from_the_others(inventory: Inventory):
    """Powering off the nodes beside the first pod would stop its guests to give the second pod's guests their disks."""
    world = cut(pod(b="offline"), pod(a="offline"))
    verdict = judged(world, inventory)

    assert (verdict.main.key, verdict.main.case, verdict.main.of) == (f"storage-elsewhere {A} {B}", "apart", (TWO,))
    assert told(verdict, inventory)[0] == (
        f"The quorum is at {A}, the disks of pod {TWO} are at {B}. Guests on pod {TWO} that HA starts at {A} find no "
        f"disks; the other guests have theirs there. ac-test-vm-03 (302), seen on {NODES[0]}"
    )
    assert f"power off the nodes of {A}" in answers(verdict, Memory(), inventory)[0].never[0]
    why = not_called_for(Called(hand="hand-over-quorum"), judged_by_a_run(verdict, world.facts, ""))
    assert why == f"only pod {TWO} is at {B}: {A} has the disks of the others"


def test_the_quorum_is_handed_over_where_every_pod_is_at_the_other_site(inventory: Inventory):
    """As with one pod."""
    world = cut(pod(a="offline"), pod(a="offline"))
    verdict = judged(world, inventory)

    assert (verdict.main.case, verdict.main.of) == ("", ())
    assert told(verdict, inventory)[0].startswith(f"The quorum is at {A}, the disks are at {B}. This does not heal")
    assert not_called_for(Called(hand="hand-over-quorum"), judged_by_a_run(verdict, world.facts, "")) == ""


def test_an_array_is_not_dark_while_it_is_alive_in_any_pod(inventory: Inventory):
    """Its peer knows of the pods that it serves itself."""
    split = seen(pod(b="offline"), pod(a="offline", b="unknown")).silent(ARRAY_B)
    alive = seen(pod(b="offline"), pod()).silent(ARRAY_B)
    site = inventory.site(B)

    assert array_says(site, split.facts, inventory) == f"{ARRAY_B} is dark: {ARRAY_A} calls its copy offline"
    assert (
        array_says(site, alive.facts, inventory) == f"{ARRAY_B} does not answer here: {ARRAY_A} calls its copy online"
    )
    answering = seen(pod(), pod(b="offline"))
    assert array_says(site, answering.facts, inventory) == f"{ARRAY_B} answers and calls its copy of {TWO} offline"


def test_a_pod_without_its_mediator_is_named_in_the_picture(inventory: Inventory):
    """The other one's answers."""
    world = seen(pod(), pod(mediator="unreachable"))

    drawn = scene(world.facts, world.memory, inventory)

    assert {site.mediator.text for site in drawn.sites} == {f"mediator of {TWO} unreachable"}
