"""Which runs may live together: every pair of the table in both orders, and verdicts that have no incident yet."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import get_args

import pytest

from cluster.conditions import Kind
from cluster.ledger import INCIDENTS
from cluster.together import BREAKING, CHANGING, MOVING, OTHER, UNSEEN, Beside, judged, rule, standing, unseen
from runbooks import ALL_RUNBOOKS

NOW = datetime(2026, 1, 1, tzinfo=UTC)
# Runs that were agreed to for a healthy cluster.
CALM = ("DeployStretchedCluster", *MOVING)
RUNS = (*CALM, "EnsureStorage")
KINDS = tuple(kind for kind in get_args(Kind) if kind != "healthy")
# What the later of two runs may do, when the earlier one is at work; all other pairs may live together.
EXPECTED: dict[tuple[str, str], str] = {
    **{("DeployStretchedCluster", other): "refuses" for other in CHANGING},
    ("EvacuateSite", "DeployStretchedCluster"): "refuses",
    ("EvacuateSite", "EvacuateSite"): "refuses",
    ("EvacuateSite", "ReturnSite"): "refuses",
    ("EvacuateSite", "Failback"): "refuses",
    ("ReturnSite", "DeployStretchedCluster"): "refuses",
    ("ReturnSite", "EvacuateSite"): "holds",
    ("ReturnSite", "ReturnSite"): "refuses",
    ("ReturnSite", "Failback"): "refuses",
    ("Failback", "DeployStretchedCluster"): "refuses",
    ("Failback", "EvacuateSite"): "refuses",
    ("Failback", "ReturnSite"): "refuses",
    ("Failback", "Failback"): "refuses",
    **dict.fromkeys(product(BREAKING, CHANGING), "refuses"),
    **dict.fromkeys(product(CHANGING, BREAKING), "refuses"),
}


@pytest.mark.parametrize(("later", "earlier"), list(product((*RUNS, *BREAKING), (*RUNS, *BREAKING))))
def test_every_pair_of_runs_in_both_orders(later: str, earlier: str):
    """The later one is refused or held, with a reason; the earlier one never learns of it."""
    found = rule(later, Beside(kind=earlier, run="r"))
    assert found.may == EXPECTED.get((later, earlier), "lives")
    assert bool(found.why) == (found.may != "lives")


@pytest.mark.parametrize(("run", "incident"), list(product(RUNS, INCIDENTS)))
def test_whatever_changes_something_holds_while_an_incident_is_open(run: str, incident: str):
    """Of any kind, when nothing is known of what it is about."""
    assert rule(run, Beside(kind=incident, run="i")).may == "holds"


@pytest.mark.parametrize(("run", "about"), list(product(BREAKING, KINDS)))
def test_a_break_glass_run_is_held_by_no_incident(run: str, about: Kind):
    """It is there for one, and judges the cluster itself before each change; nor by a watch that says nothing."""
    for incident in INCIDENTS:
        assert rule(run, Beside(kind=incident, run="i", about=(f"{about} somewhere",))).may == "lives"
    assert rule(run, Beside(kind=UNSEEN, about=("watch/c has given no verdict yet",))).may == "lives"


@pytest.mark.parametrize(("incident", "other"), list(product(INCIDENTS, (*INCIDENTS, *RUNS, *BREAKING))))
def test_an_incident_waits_for_nobody(incident: str, other: str):
    """Neither for runs nor for other incidents."""
    assert rule(incident, Beside(kind=other, run="o", about=("site-lost site-b",))).may == "lives"


@pytest.mark.parametrize(("run", "about"), list(product(RUNS, KINDS)))
def test_a_run_lives_with_what_it_serves_and_with_nothing_else(run: str, about: Kind):
    """A deployment ends what is not as designed; a guest in error concerns nobody else; all the rest holds."""
    deploys = {
        "not-deployed", "pod-unstretched", "resyncing", "replication-degraded", "votes-changed", "witness-lost",
        "paths-lost", "paths-degraded", "storage-inactive", "ha-impaired", "blind", "undetermined", "ha-error",
    }  # fmt: skip
    served = deploys if run == "DeployStretchedCluster" else {"ha-error"}
    found = rule(run, Beside(kind="ClusterIncident", run="i", about=(f"{about} somewhere",)))
    assert (found.may == "lives") == (about in served)


def test_one_condition_that_is_not_served_holds_whatever_else_is_there():
    """The gravest is not the only one that counts."""
    both = Beside(kind="ClusterIncident", run="i", about=("ha-error vm:300", "mediator-lost"))
    assert rule("Failback", both).may == "holds"


def test_a_verdict_holds_before_its_incident_is_open():
    """A few seconds lie between them; an open incident of that kind says it already."""
    verdict = {"main": {"kind": "site-lost", "where": ["site-a"]}, "also": [{"kind": "resyncing", "where": []}]}
    alone = standing(verdict, ())
    assert alone is not None
    assert alone.kind == "SiteLoss"
    assert judged("EvacuateSite", [alone]).holds.startswith(
        "the watch sees site-lost site-a, resyncing: a site is lost"
    )
    assert standing(verdict, [Beside(kind="SiteLoss", run="site-loss/c")]) is None


def test_a_graver_verdict_counts_beside_the_incident_that_is_open():
    """The witness was lost, then a node: what the open incident says is not all any more."""
    known = Beside(kind="ClusterIncident", run="i", about=("witness-lost",))
    verdict = {"main": {"kind": "node-lost", "where": ["n1"]}, "also": [{"kind": "witness-lost", "where": ["w"]}]}
    found = standing(verdict, [known])
    assert found is not None
    assert found.kind == "NodeLoss"


@pytest.mark.parametrize("verdict", [{}, {"main": {"kind": "healthy", "where": []}, "also": []}, {"main": None}])
def test_a_healthy_cluster_holds_nobody(verdict: dict[str, object]):
    """Nor does a watch that has given no verdict yet."""
    assert standing(verdict, ()) is None


def test_the_table_knows_every_runbook():
    """A runbook that is added is in the table, or is treated as any other that changes something."""
    kinds = {runbook.__temporal_workflow_definition.name for runbook in ALL_RUNBOOKS}  # type: ignore[attr-defined]
    assert kinds == {*CHANGING, *INCIDENTS}
    assert rule("Unknown", Beside(kind="SiteLoss", run="s")) == rule(OTHER, Beside(kind="SiteLoss", run="s"))


HEALTHY = {"main": {"kind": "healthy", "where": []}, "also": []}
ROUNDS = timedelta(seconds=33)


@pytest.mark.parametrize(
    ("verdict", "age", "known"),
    [
        (HEALTHY, 0.0, True),
        (HEALTHY, 33.0, True),
        (HEALTHY, 33.1, False),
        (HEALTHY, 3600.0, False),
        (HEALTHY, None, False),
        ({}, 1.0, False),
        (None, 1.0, False),
    ],
)
def test_a_verdict_is_known_while_it_is_of_the_watchs_own_rounds(
    verdict: dict[str, object] | None, age: float | None, known: bool
):
    """An old one says nothing of now, and one that was never given says nothing at all."""
    looked = None if age is None else NOW - timedelta(seconds=age)
    found = unseen("watch/c", verdict, looked, NOW, ROUNDS)
    assert (found is None) == known


def test_the_words_for_an_old_look_do_not_change_with_time():
    """Whoever waits for news would be woken each second."""
    looked = NOW - timedelta(minutes=1)
    said = {str(unseen("watch/c", HEALTHY, looked, NOW + timedelta(seconds=s), ROUNDS)) for s in range(5)}
    assert said == {
        "watch/c last looked at 2025-12-31 23:59:00 UTC, and should look at least every 33 s: is its worker running?"
    }


@pytest.mark.parametrize("kind", RUNS)
def test_whatever_changes_something_holds_while_the_verdict_is_not_known(kind: str):
    """With the reason, and beside all else that is said."""
    blind = unseen("watch/c", None, None, NOW, ROUNDS)
    assert blind is not None
    assert judged(kind, [blind]).holds == (
        "watch/c has given no verdict yet: it is not known whether an incident is about to open, so nothing is changed"
    )


@pytest.mark.parametrize("kind", INCIDENTS)
def test_an_incident_does_not_wait_for_a_verdict(kind: str):
    """It is what the verdict would be about."""
    assert rule(kind, Beside(kind=UNSEEN, about=("watch/c has given no verdict yet",))).may == "lives"
