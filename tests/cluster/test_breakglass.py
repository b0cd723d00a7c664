"""Which emergency calls for which break-glass runbook: the whole matrix, alone and in pairs, with its count."""

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import product

import pytest

from cluster.answers.advice import _CASES, _KINDS, answer
from cluster.breakglass.called import HANDS, Called, Hand, not_called_for, refusal
from cluster.breakglass.judged import HA_UNTOLD, Judged, JudgeWish, lacks
from cluster.breakglass.power import plan_off, plan_on
from cluster.breakglass.reviving import GivenUp, plan_reviving
from cluster.conditions import Condition, Kind
from cluster.memory import Memory
from cluster.verdict import HELD, Verdict
from tests.verdict.world import ARRAY_A, INVENTORY, NODES, OF, A, B

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SITUATIONS: list[tuple[Kind, str]] = [*((kind, "") for kind in _KINDS), *_CASES]
WHERE: dict[Kind, tuple[str, ...]] = {
    "storage-elsewhere": (A, B), "sites-parted": (A, B), "site-lost": (A,), "site-isolated": (A,), "quorum-lost": (A,),
    "node-lost": (NODES[0],), "array-lost": (ARRAY_A,), "paths-lost": (ARRAY_A,), "paths-degraded": (NODES[0],),
    "storage-inactive": (NODES[0],), "ha-error": ("vm:300",), "ha-impaired": (NODES[0],),
}  # fmt: skip
# Beside these nothing that touches paths or connections is begun: one copy, or nobody knows.
ONE_COPY = {
    "array-lost",
    "pod-unstretched",
    "replication-lost",
    "resyncing",
    "sites-parted",
    "site-lost",
    "site-isolated",
}
DISASTER = {"quorum-lost", "storage-elsewhere", "pod-offline", "undetermined", "not-deployed"}
CALLS: dict[Hand, set[tuple[Kind, str]]] = {
    "hand-over-quorum": {("storage-elsewhere", "")},
    "revive-guests": {("ha-error", "")},
    "restore-sessions": {
        ("paths-lost", ""), ("paths-lost", "everywhere"), ("paths-degraded", ""), ("storage-inactive", ""),
    },
    "reconcile-arrays": {one for one in SITUATIONS if one[0] not in DISASTER | ONE_COPY},
    "cold-start": {("quorum-lost", case) for kind, case in SITUATIONS if kind == "quorum-lost"},
}  # fmt: skip


def condition(kind: Kind, case: str = "") -> Condition:
    return Condition(kind=kind, case=case, where=WHERE.get(kind, ()), reasons=("seen",))


def judged(*conditions: Condition, off: Iterable[str] = ()) -> Judged:
    """How the cluster is: the gravest first, these nodes off."""
    main, *also = sorted(conditions, key=lambda one: one.gravity)
    verdict = Verdict(main=main, also=tuple(also))
    return Judged(
        finding=verdict.sentence, verdict=verdict, at=NOW, off=tuple(off), quorate=OF[A], answers=NODES,
        serving=(INVENTORY.sites[1].array,),
    )  # fmt: skip


@pytest.mark.parametrize(("hand", "situation"), list(product(HANDS, SITUATIONS)), ids=str)
def test_each_is_called_for_by_its_own_emergency_and_by_no_other(hand: Hand, situation: tuple[Kind, str]):
    """One condition alone, with nodes that are off, so that nothing but the condition speaks."""
    why = not_called_for(Called(hand=hand), judged(condition(*situation), off=OF[B]))
    assert (why == "") == (situation in CALLS[hand]), why


def test_a_worse_condition_beside_it_refuses():
    """Each pair of what calls for it and something else; the count of both answers is printed."""
    mine = {hand: min(CALLS[hand], key=lambda one: condition(*one).gravity) for hand in HANDS}
    pairs = [(hand, other) for hand in HANDS for other in SITUATIONS if other[0] != mine[hand][0]]
    refused = {
        (hand, other)
        for hand, other in pairs
        if not_called_for(Called(hand=hand), judged(condition(*mine[hand]), condition(*other), off=OF[B]))
    }
    print(f"{len(HANDS)} runbooks, {len(pairs)} pairs: {len(pairs) - len(refused)} begin, {len(refused)} are refused")
    # a cluster that was never deployed has no quorum to lose, and its nodes may be switched on
    disasters = {pair for pair in pairs if pair[1][0] in DISASTER and pair != ("cold-start", ("not-deployed", ""))}
    assert disasters - refused == set()


@pytest.mark.parametrize("hand", HANDS)
def test_what_is_only_held_calls_for_nothing(hand: Hand):
    """It was seen within five minutes, and is not seen now."""
    mine = min(CALLS[hand], key=lambda one: condition(*one).gravity)
    held = condition(*mine).model_copy(update={"case": HELD})
    why = not_called_for(Called(hand=hand), judged(held, condition("healthy"), off=OF[B]))
    assert bool(why) == (hand != "reconcile-arrays")


def test_the_quorum_is_not_handed_over_the_other_way_round():
    """What was agreed to was that site; the witness has voted otherwise since."""
    asked = Called(hand="hand-over-quorum", where=(B, A))
    assert not_called_for(asked, judged(condition("storage-elsewhere"))) == "the quorum is at site-a now, not at site-b"


@pytest.mark.parametrize(
    ("conditions", "why"),
    [
        ([condition("sites-parted").model_copy(update={"where": (B, A)})], ""),
        ([condition("site-lost")], ""),
        ([condition("storage-elsewhere")], ""),
        ([condition("sites-parted")], "site-b is the lost site now"),
        ([condition("healthy")], "site-a is not out of the quorate part any more"),
        ([condition("quorum-lost"), condition("site-lost")], "no site has the quorum now"),
        ([condition("pod-offline"), condition("site-lost")], "pod offline stands against it"),
        ([condition("undetermined")], "undetermined stands against it"),
    ],
    ids=lambda one: str(one)[:40],
)
def test_once_it_has_begun_its_own_work_is_no_reason_to_stop(conditions: list[Condition], why: str):
    """After the first node the other site has the quorum; a link that was repaired ends it."""
    begun = Called(hand="hand-over-quorum", where=(A, B), begun=True)
    assert not_called_for(begun, judged(*conditions)) == why


def test_an_order_that_came_to_nothing_leaves_the_emergency_as_it_was():
    """The controller has refused it: the sites are parted as before, and the next attempt may begin."""
    begun = Called(hand="hand-over-quorum", where=(A, B), begun=True)
    assert not_called_for(begun, judged(condition("storage-elsewhere"), condition("sites-parted"))) == ""


def test_the_first_guest_goes_on_after_its_answer_was_lost():
    """It is disabled by then, so HA calls no guest error any more."""
    begun = Called(hand="revive-guests", nodes=(NODES[0],), begun=True)
    assert not_called_for(begun, judged(condition("healthy"))) == ""


def test_a_guest_is_not_revived_onto_a_node_without_its_disks():
    """Its own node is the one that matters."""
    here, there = (Called(hand="revive-guests", nodes=(node,)) for node in (NODES[0], NODES[3]))
    found = judged(condition("ha-error"), condition("storage-inactive"))
    assert not_called_for(here, found) == (
        f"storage inactive ({NODES[0]}) stands against it: {NODES[0]} would run the guests"
    )
    assert not_called_for(there, found) == ""


def test_a_cold_start_needs_a_node_that_is_off_and_an_armed_ha():
    """Nodes that run without a quorum are no cold cluster; a disarmed HA has stopped nobody's guests."""
    assert not_called_for(Called(hand="cold-start"), judged(condition("quorum-lost"))) == (
        "no management controller calls its node switched off"
    )
    disarmed = judged(condition("quorum-lost"), condition("ha-impaired", "disarmed"), off=OF[B])
    assert not_called_for(Called(hand="cold-start"), disarmed).startswith("HA is disarmed")


def test_a_refusal_says_what_it_is_for_and_what_is_so():
    """A person reads one sentence and knows both."""
    found = judged(condition("witness-lost"))
    assert refusal("cold-start", "the cluster has its quorum", found) == (
        "cold-start is for a cluster without quorum, some of whose nodes are switched off. "
        "Now: witness lost; the cluster has its quorum"
    )


OFFERS = [
    (kind, case, task.command.split()[2])
    for kind, case in SITUATIONS
    for task in answer(condition(kind, case), Memory(), INVENTORY).tasks
    if task.command.startswith("quorate plan ") and task.command.split()[2] in HANDS
]


@pytest.mark.parametrize(("kind", "case", "hand"), OFFERS)
def test_what_an_answer_offers_is_called_for(kind: Kind, case: str, hand: Hand):
    """Nobody is sent to a runbook that would refuse."""
    assert not_called_for(Called(hand=hand), judged(condition(kind, case), off=OF[B])) == ""


def test_every_emergency_runbook_is_offered_somewhere():
    """Else nobody finds it at night."""
    assert {hand for _, _, hand in OFFERS} == set(HANDS)


def test_nodes_are_switched_off_in_the_order_of_the_inventory_and_those_that_are_off_are_left_out():
    """What has no controller is a person's."""
    bare = INVENTORY.model_copy(
        update={
            "sites": tuple(
                site.model_copy(
                    update={
                        "nodes": tuple(
                            n.model_copy(update={"bmc": None if n.name == NODES[2] else n.bmc}) for n in site.nodes
                        )
                    }
                )
                for site in INVENTORY.sites
            )
        }
    )
    plan = plan_off(A, judged(condition("storage-elsewhere"), off=(NODES[0],)), bare)
    assert (plan.nodes, plan.by_hand) == ((NODES[1],), (NODES[2],))
    assert [str(one) for one in plan.intents] == [f"BMC: power off {NODES[1]}"]


def test_the_site_whose_array_serves_the_pod_starts_first():
    """Its nodes find their disks at once."""
    plan = plan_on(judged(condition("quorum-lost"), off=NODES), INVENTORY)
    assert plan.nodes == (*OF[B], *OF[A])
    assert plan.differs(plan_on(judged(condition("quorum-lost"), off=OF[A]), INVENTORY), OF[B]) == ""
    fewer = plan_on(judged(condition("quorum-lost"), off=OF[A]), INVENTORY)
    assert fewer.differs(plan, ()) == f"the plan has changed: {', '.join(OF[B])} would be switched too"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({}, ""),
        ({"request": "disabled"}, "its requested state is disabled: set it to started first, if it is to run"),
        ({"lock": "backup"}, "it is locked (backup): find the task that holds the lock, or what it has left"),
        ({"doubt": "its volume is open on n2"}, "its volume is open on n2"),
    ],
)
def test_a_guest_is_held_back_while_anything_speaks_against_a_second_start(changed: dict[str, str], why: str):
    """It is named with its reason; the others are started."""
    one = GivenUp(sid="vm:300", node=NODES[0], request="started").model_copy(update=changed)
    two = GivenUp(sid="vm:301", node=NODES[1], request="started")
    plan = plan_reviving((one, two))
    assert plan.held == ({"vm:300": why} if why else {})
    assert [guest.sid for guest in plan.guests] == (["vm:301"] if why else ["vm:300", "vm:301"])


def test_a_guest_that_runs_although_ha_has_given_it_up_is_waived_by_name_or_left():
    """HA stops it before it starts it: whoever agrees has to know."""
    plan = plan_reviving((GivenUp(sid="vm:300", node=NODES[0], request="started", running=True),))
    assert [str(one) for one in plan.vetoes] == [
        f"comfort: runs-vm-300: vm:300 runs on {NODES[0]} although HA has given it up: "
        "HA stops it, then starts it again"
    ]
    stopped = plan_reviving((GivenUp(sid="vm:300", node=NODES[0], request="started"),))
    assert stopped.differs(plan, set()) == "the plan has changed: vm:300 runs now, and HA would stop it"
    assert stopped.differs(plan, {"vm:300"}) == ""


def test_an_outcome_is_lacking_until_the_facts_have_it():
    """The quorum at those nodes, their answers, their sessions, those guests."""
    found = judged(condition("ha-error"), condition("paths-degraded"))
    assert lacks(JudgeWish(until="quorum there", about=OF[B]), found).startswith("no node of pxmx02-01")
    assert lacks(JudgeWish(until="quorum there", about=OF[A]), found) == ""
    assert lacks(JudgeWish(until="sessions", about=(NODES[0],)), found) == "seen"
    assert lacks(JudgeWish(until="sessions", about=(NODES[1],)), found) == ""
    assert lacks(JudgeWish(until="no errors", about=("vm:301",)), found) == ""
    assert lacks(JudgeWish(until="guests"), found) == "seen"


def test_what_nobody_tells_has_not_come_about():
    """No trouble is seen where nobody looks: HA's word, a guest that the token may not see, an array's sessions."""
    well = judged(condition("healthy"))
    untold = well.model_copy(update={"tells": False, "deaf": (ARRAY_A,)})
    hidden = well.model_copy(update={"hidden": ("vm:301",)})
    assert lacks(JudgeWish(until="guests"), well) == ""
    for until in ("guests", "no errors"):
        assert lacks(JudgeWish(until=until), untold) == HA_UNTOLD
        assert lacks(JudgeWish(until=until), hidden) == ("whether vm:301 runs is not known: VM.Audit is missing there")
    assert lacks(JudgeWish(until="no errors", about=("vm:300",)), hidden) == ""
    assert lacks(JudgeWish(until="sessions"), untold) == (f"which sessions {ARRAY_A} has is not known: no answer")
    assert not_called_for(Called(hand="revive-guests"), untold) == HA_UNTOLD
    assert not_called_for(Called(hand="restore-sessions"), untold).startswith(f"which sessions {ARRAY_A} has")
