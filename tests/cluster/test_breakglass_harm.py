"""How a break-glass run could make things worse: what speaks against it although its emergency is there."""

from collections.abc import Iterable

import pytest

from cluster.approval import ApprovalPolicy
from cluster.breakglass.against import against_off, against_on, back_off
from cluster.breakglass.called import BREAKERS, Called, not_called_for
from cluster.breakglass.judged import Judged, JudgeWish, judged, lacks
from cluster.breakglass.power import PowerPlan, nameless, plan_off, plan_on
from cluster.breakglass.reviving import GivenUp, cannot_write, plan_reviving
from cluster.conditions import Condition
from cluster.inventory import Inventory
from tests.verdict.world import ARRAY_A, ARRAY_B, INVENTORY, NODES, OF, A, B, World

HAND_OVER = Called(hand="hand-over-quorum")
COLD = Called(hand="cold-start")


def seen(world: World) -> Judged:
    """What a run keeps of one look at that world."""
    verdict = world.looks()
    return judged(verdict, world.facts, verdict.sentence, world.memory)


def parted() -> World:
    """Site A has the quorum, site B the disks, and no node of A reaches them."""
    world = World().stands("desk").after(20).parts(OF[A], OF[B], device=0)
    world.copies([ARRAY_A], a="offline", b="unknown").copies([ARRAY_B], a="unknown", b="online")
    return world.logins(*OF[B], at=[ARRAY_B]).logins(at=[ARRAY_A]).api(OF[B], quorate=False)


def against(world: World, inventory: Inventory = INVENTORY) -> str:
    """Why the nodes of site A may not go off."""
    found = seen(world)
    assert not_called_for(HAND_OVER, found) == ""
    return against_off(plan_off(A, found, inventory), B, found, inventory)


def without_bmc(*names: str) -> Inventory:
    sites = tuple(
        site.model_copy(
            update={
                "nodes": tuple(
                    node.model_copy(update={"bmc": None}) if node.name in names else node for node in site.nodes
                )
            }
        )
        for site in INVENTORY.sites
    )
    return INVENTORY.model_copy(update={"sites": sites})


# --- the quorum is handed over only to who can take it ------------------------------------------------------------


def test_the_quorum_is_handed_over_while_the_other_site_can_take_it():
    """Its nodes see each other, the witness hears them, its array serves the pod."""
    assert against(parted()) == ""


def test_the_only_quorum_is_not_destroyed_for_a_site_whose_nodes_are_dead():
    """Its array serves the pod, and nobody is there to run a guest."""
    world = parted().clients(*OF[A]).silent(*OF[B], how="ssh").silent(*OF[B], how="api").logins(at=[ARRAY_B])
    world.power = {name: look.model_copy(update={"on": name in OF[A]}) for name, look in world.power.items()}
    world.memory = world.memory.model_copy(update={"counted": {}, "alive": {}})
    found = seen(world)
    assert found.verdict.kind == "storage-elsewhere"
    assert against_off(plan_off(A, found, INVENTORY), B, found, INVENTORY) == (
        "site-b cannot take the quorum: no node there, seen from here, would have 0 of 4 votes; "
        "first its nodes have to run, see each other and reach qdevice"
    )


def test_a_site_with_too_few_nodes_does_not_get_the_quorum():
    """Two nodes and the witness are three of four votes: then no site would have it."""
    world = parted().parts(OF[A], OF[B][:2], device=0).silent(OF[B][2]).clients(*OF[A], *OF[B][:2])
    assert against(world) == (
        "site-b cannot take the quorum: pxmx02-01, pxmx02-02 and the witness would have 3 of 4 votes; "
        "first its nodes have to run, see each other and reach qdevice"
    )


def test_a_site_that_the_witness_does_not_hear_does_not_get_the_quorum():
    """The witness votes for those whom it hears."""
    assert against(parted().clients(*OF[A])).startswith("site-b cannot take the quorum: no node there")


def test_nodes_that_do_not_see_each_other_do_not_get_the_quorum():
    """Each alone has one vote."""
    world = parted().parts(OF[A], *([node] for node in OF[B]), device=0)
    found = seen(world)
    why = against_off(plan_off(A, found, INVENTORY), B, found, INVENTORY)
    assert why.startswith("site-b cannot take the quorum: pxmx02-01 and the witness would have 2 of 4 votes")


def test_a_witness_that_does_not_answer_is_no_vote():
    """Nobody knows whether it could give it."""
    assert against(parted().silent("qdevice")) == (
        "qdevice does not answer: whether it can vote for site-b is not known"
    )


@pytest.mark.parametrize(("array", "status", "why"), [(ARRAY_A, "online", ARRAY_A), (ARRAY_B, "offline", ARRAY_B)])
def test_the_nodes_that_have_the_disks_are_never_powered_off(array: str, status: str, why: str):
    """The pod has changed sides after it was agreed, and after the first node is off as well."""
    found = seen(parted().own_copy(array, status=status))
    assert against_off(plan_off(A, found, INVENTORY), B, found, INVENTORY).startswith(why)


def test_a_controller_that_calls_a_node_off_which_answers_is_of_another_machine():
    """It would cost a node that nobody has agreed to."""
    world = parted()
    world.power[OF[B][0]] = world.power[OF[B][0]].model_copy(update={"on": False})
    assert against(world) == (
        "the controller of pxmx02-01 calls it off, and it answers: correct the bmc in the inventory"
    )


def test_the_witness_stays_with_the_greater_part():
    """Three nodes without a bmc stay on: switching nothing off would move nothing."""
    assert against(parted(), without_bmc(*OF[A][:2])) == ""
    assert against(parted(), without_bmc(*OF[A])).startswith("pxmx01-01, pxmx01-02, pxmx01-03 would stay on")


def test_a_disarmed_ha_starts_no_guest_at_the_other_site():
    """The nodes would be off for nothing."""
    world = parted().api(OF[A], disarmed="freeze")
    assert not_called_for(HAND_OVER, seen(world)) == "HA is disarmed: it would start the guests nowhere else"


def test_guests_outside_of_ha_that_stop_with_their_node_are_waived_by_name():
    """A guest on a local disk runs well without the pod; nobody starts it elsewhere."""
    world = parted().api(OF[A], guests={300: "pxmx01-01", 105: "pxmx01-02", 200: "pxmx02-01"})
    plan = plan_off(A, seen(world), INVENTORY)
    assert [str(one) for one in plan.vetoes] == [
        "comfort: guests-outside-ha: guests outside of HA run on pxmx01-01, pxmx01-02, pxmx01-03 (105 on pxmx01-02): "
        "they stop, and HA starts them nowhere else"
    ]
    assert plan_off(A, seen(parted()), INVENTORY).vetoes == ()
    assert plan_off(A, seen(parted()), INVENTORY).differs(plan, ()) == (
        "the plan has changed: guests outside of HA run there now (105 on pxmx01-02)"
    )


def test_guests_that_nobody_tells_are_not_none():
    """Without a word of the API, of now or remembered, it is said that it is not known."""
    world = parted().silent(*OF[A], how="api")
    untold = (
        "what HA has of the guests is not known: no node with a quorum tells it, and an HA that is disarmed starts none"
    )
    assert [one.text for one in plan_off(A, seen(world), INVENTORY).vetoes] == [untold]
    plan = plan_off(A, judged(world.looks(), world.facts, "parted"), INVENTORY)
    assert [one.text for one in plan.vetoes] == [
        untold,
        "which guests outside of HA run on pxmx01-01, pxmx01-02, pxmx01-03 is not known: "
        "they stop, and HA starts them nowhere else",
    ]


def test_guests_that_a_missing_right_may_hide_are_not_none():
    """The list is short without an error: people are asked, also where the right has gone since they agreed."""
    veiled = "the token lacks VM.Audit at /vms, with propagation"
    plan = plan_off(A, seen(parted().api(OF[A], veiled=veiled)), INVENTORY)
    assert [one.text for one in plan.vetoes] == [
        "which guests outside of HA run on pxmx01-01, pxmx01-02, pxmx01-03 is not known: "
        "they stop, and HA starts them nowhere else"
    ]
    assert plan_off(A, seen(parted()), INVENTORY).differs(plan, ()) == (
        "the plan has changed: which guests outside of HA run there is not known any more"
    )
    assert plan.differs(plan, ()) == ""


# --- nobody is powered on beside a quorum, or against somebody's word -------------------------------------------------


def powered(world: World, *off: str) -> World:
    """These nodes are off and silent."""
    world.silent(*off, how="ssh").silent(*off, how="api")
    for name in off:
        world.power[name] = world.power[name].model_copy(update={"on": False})
    return world


def cut_off_worker() -> World:
    """A worker inside site A, which is cut off: site B is quorate with the witness, and node 2 is off."""
    world = World().stands(A).after(20).dark(B).silent("qdevice").silent(*OF[B], how="bmc")
    powered(world, OF[A][1])
    left = (OF[A][0], OF[A][2])
    return world.parts(left).views(left, quorate=False).api(left, quorate=False).logins(*left, at=[ARRAY_A])


def test_a_blind_worker_does_not_start_a_node_beside_a_quorum():
    """What it cannot see may be quorate."""
    found = seen(cut_off_worker())
    assert not_called_for(COLD, found) == ""
    assert against_on(found, INVENTORY) == (
        "no votes from pxmx02-01, pxmx02-02, pxmx02-03, which no controller calls off, and qdevice does not answer: "
        "they may have the quorum, and this worker may be cut off; look there, or start the run on a worker that "
        "sees them"
    )


def test_a_witness_without_them_as_clients_is_proof():
    """Three nodes alone are three of four votes."""
    world = cut_off_worker()
    world.witness = World().after(20).clients(OF[A][0], OF[A][2]).witness
    assert against_on(seen(world), INVENTORY) == ""


def test_a_node_whose_votes_nobody_tells_may_be_quorate_although_its_api_answers():
    """Its API may even say so."""
    world = cut_off_worker()
    world.cluster |= {node: World().after(20).cluster[node] for node in OF[B]}
    assert "no votes from pxmx02-01" in against_on(seen(world), INVENTORY)


def dark() -> World:
    """All nodes are off; witness and arrays answer."""
    world = powered(World().stands("desk").after(60), *NODES).clients()
    return world.logins().after(60)


def test_a_dark_cluster_may_be_started():
    """All are called off by their controllers."""
    found = seen(dark())
    assert (not_called_for(COLD, found), against_on(found, INVENTORY)) == ("", "")


def test_no_node_starts_without_disks():
    """The arrays have fallen silent after it was agreed."""
    assert against_on(seen(dark().silent(ARRAY_A, ARRAY_B)), INVENTORY) == (
        "no array says that it serves the pod: bring the arrays up first"
    )


def test_a_node_in_maintenance_is_off_on_purpose():
    """HA said so before the lights went out, and the watch remembers it."""
    world = (
        World()
        .stands("desk")
        .after(1)
        .api(NODES, node_states=dict.fromkeys(NODES, "online") | {NODES[1]: "maintenance"})
    )
    world.looks()
    powered(world.after(60), *NODES).clients().logins().after(60)
    plan = plan_on(seen(world), INVENTORY)
    assert plan.nodes == tuple(node for node in NODES if node != NODES[1])
    assert plan.left == {NODES[1]: "HA had it in maintenance: switch it on by hand once that is over"}


def test_where_no_watch_remembers_people_say_that_no_node_is_off_on_purpose():
    """A cluster that is dark tells nothing of its maintenance."""
    found = judged(dark().looks(), dark().facts, "quorum lost")
    assert [str(one) for one in plan_on(found, INVENTORY).vetoes] == [
        "comfort: maintenance-not-known: what HA had in maintenance is not known, as no watch remembers it: "
        "make sure that no node is locked off"
    ]
    assert plan_on(seen(dark()), INVENTORY).vetoes == ()


def test_a_node_that_goes_into_maintenance_after_it_was_agreed_stays_off():
    """By the word of the part that has its quorum again."""
    agreed = plan_on(seen(dark()), INVENTORY)
    now = agreed.model_copy(update={"nodes": agreed.nodes[:5], "left": {agreed.nodes[5]: "HA had it in maintenance"}})
    assert agreed.differs(now, ()) == f"the plan has changed: {agreed.nodes[5]}: HA had it in maintenance"
    assert agreed.differs(now, agreed.nodes) == ""


def test_a_node_that_a_person_leaves_off_stays_off():
    """The request names it."""
    plan = plan_on(seen(dark()), INVENTORY, leave=(NODES[5],))
    assert NODES[5] not in plan.nodes
    assert plan.left == {NODES[5]: "the request says to leave it off"}


def test_a_node_that_was_on_meanwhile_and_is_off_again_is_not_started():
    """A day has passed since it was agreed."""
    assert back_off(NODES[:2], NODES[1:3], seen(dark())) == (
        f"{NODES[1]} was on after the plan was made and is off again: ask who has switched it off"
    )


def test_a_verdict_that_flaps_switches_nothing():
    """It stands at this moment, and has come and gone six times."""
    world = parted()
    world.looks()
    key = f"storage-elsewhere {A} {B}"
    world.memory = world.memory.model_copy(update={"changes": {key: (world.now,) * 6}})
    assert not_called_for(HAND_OVER, seen(world)) == f"storage elsewhere ({A}, {B}) comes and goes: wait until it stays"


def test_a_quorum_that_flaps_is_no_cold_cluster():
    """Nodes are joining and leaving: nobody is started into that."""
    world = dark()
    world.looks()
    world.memory = world.memory.model_copy(update={"changes": {"quorum-lost": (world.now,) * 6}})
    assert not_called_for(COLD, seen(world)) == "quorum lost comes and goes: wait until it stays"


# --- what counts as proof ------------------------------------------------------------------------------------------


def lost_paths(*where: str, case: str = "") -> Condition:
    return Condition(kind="paths-lost", where=where, case=case, reasons=("no session",))


def of(*conditions: Condition) -> Judged:
    """How the cluster is, with these conditions in this order."""
    found = seen(World())
    verdict = found.verdict.model_copy(update={"main": conditions[0], "also": conditions[1:]})
    return found.model_copy(update={"verdict": verdict})


@pytest.mark.parametrize(
    ("where", "lacking"), [((ARRAY_A,), True), ((ARRAY_A, NODES[0]), True), ((ARRAY_A, NODES[1]), False)]
)
def test_sessions_that_every_node_has_lost_are_not_back(where: Iterable[str], lacking: bool):
    """Such a condition names the array alone."""
    wish = JudgeWish(until="sessions", about=(NODES[0],))
    assert bool(lacks(wish, of(lost_paths(*where)))) == lacking


def test_no_guest_is_revived_while_nodes_have_no_disks_at_all():
    """Such a condition names the array alone, where every node has lost it."""
    called = Called(hand="revive-guests", nodes=(NODES[0],))
    error = Condition(kind="ha-error", where=("vm:300",), reasons=("error",))
    found = of(lost_paths(ARRAY_A, case="everywhere"), error)
    assert not_called_for(called, found) == f"paths lost ({ARRAY_A}) stands against it: no session"
    assert not_called_for(called, of(lost_paths(ARRAY_A), error)) == ""


# --- who may agree ------------------------------------------------------------------------------------------------


def test_a_claim_is_no_approval_behind_the_glass():
    """Whoever asks could claim to be two others; and one approval is not enough, whatever the policy asks for."""
    policy = ApprovalPolicy(needed=1, unsigned="allowed").signed_by(BREAKERS)
    assert (policy.needed, policy.unsigned) == (2, "refused")
    assert ApprovalPolicy(needed=3).signed_by(BREAKERS).needed == 3


def test_a_controller_without_a_name_is_waived_by_name():
    """It may be that of another node: people look at the device first."""
    assert [str(one) for one in nameless(NODES[:1])] == [
        f"comfort: nameless-{NODES[0]}: the controller of {NODES[0]} tells no name of its machine: "
        f"make sure at the device that it is {NODES[0]}"
    ]


def test_a_plan_of_before_has_nothing_more():
    """What an older worker has told is still read."""
    assert PowerPlan(on=True, nodes=NODES).vetoes == ()


# --- who can write ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("world", "harmless"),
    [
        (World().silent(NODES[0]), False),
        (World().logins(*NODES[1:], at=[ARRAY_A]), False),
        (World().logins(*NODES[1:]), True),
        (World().logins(*NODES[1:]).silent(ARRAY_A), False),
        (World().logins(*NODES[1:]).silent(ARRAY_A).copies([ARRAY_B], a="offline"), True),
        (World().logins(*NODES[1:]).silent(ARRAY_A, ARRAY_B), False),
        # a list without any node of the cluster may be one that Quorate's user is not shown
        (World().logins(at=[ARRAY_A]).logins(*NODES[1:], at=[ARRAY_B]), False),
        (World().logins(at=[ARRAY_A]).logins(*NODES[1:], at=[ARRAY_B]).own_copy(ARRAY_A, status="offline"), True),
        (powered(World(), NODES[0]), True),
        (powered(World().silent(ARRAY_A, ARRAY_B), NODES[0]), True),
    ],
)
def test_a_silent_node_is_harmless_only_where_it_can_write_nothing(world: World, harmless: bool):
    """HA's word for it, `unknown`, is as true of a node that runs on without the cluster."""
    assert cannot_write(world.facts, NODES[:1], INVENTORY) == (NODES[:1] if harmless else ())


def test_a_guest_that_ha_lists_no_more_is_held_back():
    """What is not in a list is not `started` there."""
    plan = plan_reviving((GivenUp(sid="vm:300", node=NODES[0], request=""),))
    assert plan.held == {"vm:300": "HA's list of resources does not have it: add it to HA again, if it is to run"}


def test_a_guest_that_somebody_has_helped_meanwhile_holds_up_no_other():
    """Of forty guests, one runs again: the others are as they were agreed to."""
    agreed = plan_reviving(tuple(GivenUp(sid=f"vm:{300 + n}", node=NODES[0], request="started") for n in range(40)))
    assert agreed.differs(plan_reviving(agreed.guests[1:]), set()) == ""
