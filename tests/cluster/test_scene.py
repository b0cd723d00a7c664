"""The cluster as it is drawn: what is seen is told with its age, and what is not seen is not known."""

from cluster.scene import Fact, Scene, scene
from tests.verdict.world import ARRAY_A, ARRAY_B, INVENTORY, NODES, QDEVICE, World, healthy


def drawn(world: World) -> Scene:
    world.looks()
    return scene(world.facts, world.memory, INVENTORY)


def marks(found: Scene) -> set[str]:
    """Every mark on it."""
    facts = [found.quorum, found.witness, found.replication, found.pod, found.manager]
    for site in found.sites:
        facts += [site.copy_, site.mediator]
        facts += [fact for node in site.nodes for fact in (node.member, *node.views.values())]
    return {fact.mark for fact in facts}


def test_a_healthy_cluster_has_one_mark():
    """Nothing is odd, and everything was seen at a time; management controllers are not asked then."""
    found = drawn(healthy())

    assert marks(found) <= {"good", "unknown"}
    assert found.quorum == Fact(text="7 of 7 votes, 4 needed", mark="good", at=found.quorum.at)
    assert found.pod.text == "served by both arrays"
    assert [node.name for site in found.sites for node in site.nodes] == list(NODES)
    assert all(node.views["SSH"].at is not None for site in found.sites for node in site.nodes)


def test_who_is_silent_is_drawn_as_silent():
    """An array that says nothing has no known copy, and sessions to it are not known."""
    found = drawn(healthy().silent(ARRAY_B))

    assert found.sites[1].copy_.text == "no answer"
    assert found.pod == Fact(text=f"served by {ARRAY_A} alone", mark="odd", at=found.pod.at)
    assert {node.views[ARRAY_B].mark for site in found.sites for node in site.nodes} == {"unknown"}


def test_without_any_look_nothing_is_known():
    """No mark is good where nobody has said anything."""
    found = drawn(healthy().silent(*NODES, ARRAY_A, ARRAY_B, QDEVICE).silent(*NODES, how="api"))

    assert "good" not in marks(found)
    assert found.quorum.text == "no node tells its votes"
    assert found.manager.text == "not known"
