"""What people have posted, judged: each input stands beside this file with its right answer in the `.md`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from activities.parsing.looks import votes_view
from activities.parsing.votes import parse_votes
from activities.parsing.witness import parse_clients
from cluster.answers.advice import advice
from cluster.verdict import Verdict
from tests.verdict.world import ARRAY_A, ARRAY_B, INVENTORY, NODES, QDEVICE, A, World, healthy

HERE = Path(__file__).parent
FACTS = ("array-connection-partial", "array-connection-unbalanced", "ha-error-unseen", "quorum-lost-everybody-answers",
         "sessions-gone-at-one-array")  # fmt: skip


def _replication(world: World, word: str) -> None:
    world.copies([ARRAY_A, ARRAY_B], replication=word)


def _api(world: World, said: dict[str, Any]) -> None:
    services = {sid: tuple(where) for sid, where in said["services"].items()}
    world.api(NODES, services=services)


def _alone(world: World, _: bool) -> None:
    world.parts(*[(node,) for node in NODES]).clients()


def _logins(world: World, said: dict[str, Any]) -> None:
    world.logins(*said["nodes"], at=said["at"], count=said["count"])


STEPS: dict[str, Callable[[World, Any], None]] = {
    "replication": _replication,
    "api": _api,
    "alone": _alone,
    "logins": _logins,
}


def _words(verdict: Verdict) -> str:
    told = (verdict.main, *verdict.also)
    return " ".join(" ".join((one.key, *one.reasons)) for one in told)


@pytest.mark.parametrize("name", FACTS)
def test_what_was_posted_is_told_for_what_it_is(name: str):
    """Kind, names and advice, as the answer beside the input says."""
    case = yaml.safe_load((HERE / f"{name}.yaml").read_text())
    world = healthy()
    for step in case["steps"]:
        [(word, said)] = step.items()
        STEPS[word](world, said)
        verdict = world.after(5).looks()

    wanted = case["expect"]
    assert verdict.kind == wanted.get("kind", verdict.kind)
    assert verdict.kind not in [*wanted.get("kind_not_in", []), wanted.get("not_kind")]
    assert all(name in _words(verdict) for name in wanted.get("names", []))
    assert any(word in _words(verdict) for word in wanted.get("names_any", [""]))
    told = advice(verdict.main, INVENTORY)
    said = (told.title, told.stake, told.alone, *(task.do for task in told.do), told.never)
    assert wanted.get("advice_not", "never said") not in " ".join(said)


def test_no_session_at_an_array_is_told_for_every_node():
    """Graver than one port that is missing, and each node is named with what it has."""
    world = healthy().logins(*NODES, at=[ARRAY_B], count=3)
    fewer = world.looks()
    none = world.logins(at=[ARRAY_B]).after(5).looks()

    assert (fewer.kind, none.kind) == ("paths-degraded", "paths-lost")
    assert none.main.gravity < fewer.main.gravity
    assert none.main.where == (ARRAY_B,)
    assert none.main.reasons == tuple(f"{node} has 0 of 4 sessions to {ARRAY_B}" for node in NODES)


def test_a_node_without_any_session_has_no_disks():
    """The ports of both arrays are dark for it: its guests do not go on over the other array."""
    verdict = healthy().logins(*NODES[:4]).looks()

    assert (verdict.kind, verdict.main.case) == ("paths-lost", "everywhere")
    assert f"{NODES[4]} has no session to any array: its guests have no disks" in verdict.main.reasons
    assert "go on" not in advice(verdict.main, INVENTORY).stake


def _without_pod(*arrays: str) -> World:
    world = healthy()
    for name, look in world.arrays.items():
        left = {other: copy for other, copy in look.copies.items() if other not in arrays}
        world.arrays[name] = look.model_copy(update={"copies": left})
    return world


def test_ha_without_nodes_is_not_healthy():
    """It has guests to keep and names nobody that could."""
    assert healthy().api(NODES, node_states={}).looks().kind == "ha-impaired"


def test_nobody_is_said_to_serve_who_does_not_answer():
    """One array is offline, the other one silent: that the other one serves is a guess."""
    world = healthy().own_copy(ARRAY_A, status="offline").silent(ARRAY_B)
    (told,) = [one for one in (world.looks().main,) if one.kind == "replication-lost"]

    assert (told.where, told.case) == ((ARRAY_A,), "unseen")
    assert "not known" in advice(told, INVENTORY).stake


def test_a_pod_with_one_copy_is_told_while_the_other_array_is_silent():
    """The array that answers knows who has a copy."""
    assert _without_pod(ARRAY_A).silent(ARRAY_A).looks().main.key == f"pod-unstretched {ARRAY_A}"


def test_a_pod_that_is_gone_is_no_cluster_to_deploy():
    """Other guests under HA than the inventory's, or an API that tells nothing: nobody shall deploy over that."""
    others = _without_pod(ARRAY_A, ARRAY_B).api(NODES, services={"vm:500": ("started", NODES[0])})
    untold = _without_pod(ARRAY_A, ARRAY_B).silent(*NODES, how="api")

    assert (others.looks().kind, untold.looks().kind) == ("pod-offline", "pod-offline")


def _counted(world: World, name: str) -> Verdict:
    """All nodes say what the file says, each with its own settled view."""
    view = votes_view(parse_votes((HERE / name).read_text()))
    return world.views(NODES, **view).looks()


def test_a_device_that_was_taken_out_is_told():
    """`pvecm qdevice remove`, and nobody put it back: six of seven votes, and never `healthy`."""
    verdict = _counted(healthy(), "votes-qdevice-removed.txt")

    assert verdict.sentence == f"witness lost ({QDEVICE})"
    assert verdict.main.reasons == (
        "no quorum device is configured: 6 of 7 votes", "the loss of a site stops everything",
    )  # fmt: skip
    assert advice(verdict.main, INVENTORY).do[0].do.startswith("set up the quorum device again")
    assert "7 of 7" not in _words(verdict)


def test_a_node_with_two_votes_is_named():
    """One site lives without the other one, and not the other way round."""
    verdict = _counted(healthy(), "votes-one-node-has-two.txt")

    assert (verdict.kind, verdict.main.where) == ("votes-changed", ("pxmx02-01",))
    assert "pxmx02-01 has 2 votes, the design has 1" in verdict.main.reasons
    assert (
        "site-a and the witness have 4 of 5 votes: the loss of the other site stops everything" in verdict.main.reasons
    )


def test_a_witness_of_two_clusters_hides_no_loss():
    """Ids count from one in each cluster: only the clients under our own name are ours."""
    clients = parse_clients((HERE / "qnetd-two-clusters.txt").read_text(), "pxmx-cluster")

    assert clients == (4, 5, 6)
    assert healthy().dead(A).clients(*clients).looks().main.key == f"site-lost {A}"


def test_a_witness_that_has_only_another_cluster_has_none_of_ours():
    """All our nodes are dark: that is a lost quorum, whatever else the witness serves."""
    clients = parse_clients((HERE / "qnetd-other-cluster-only.txt").read_text(), "pxmx-cluster")
    world = healthy().silent(*NODES).clients(*clients).logins().after(60)

    assert clients == ()
    assert world.looks().kind == "quorum-lost"
