"""Who goes home, in which order, and why others stay: as tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.failback import LossRecord, plan_home
from cluster.placement import Guest, Placement, Rule
from cluster.recovery import Frozen, Service

GIB = 2**30
HOMES = {"vm:300": "a1", "vm:301": "a2"}
NODES = ("a1", "a2", "b1", "b2")


def placed(
    where: dict[str, str] | None = None,
    *,
    states: dict[str, str] | None = None,
    rules: tuple[Rule, ...] = (),
    memory: dict[str, int] | None = None,
    others: dict[str, Guest] | None = None,
    nodes: tuple[str, ...] = NODES,
    switches: tuple[Frozen, ...] = (),
) -> Placement:
    """Guests where HA has put them; each node has 10 GiB."""
    where = where or {"vm:300": "b1", "vm:301": "b2"}
    return Placement(
        finding="",
        services={sid: Service(state=(states or {}).get(sid, "started"), node=node) for sid, node in where.items()},
        guests={sid: Guest(node=node, memory=(memory or {}).get(sid, GIB)) for sid, node in where.items()}
        | (others or {}),
        rules=rules,
        nodes=dict.fromkeys(nodes, 10 * GIB),
        switches=switches,
    )


def rule(kind: str, *nodes: str, strict: bool = False, negative: bool = False, who: str = "vm:300 vm:301") -> Rule:
    return Rule(name="r", type=kind, resources=tuple(who.split()), nodes=nodes, strict=strict, negative=negative)


@pytest.mark.parametrize(
    ("placement", "recovered", "moves", "staying"),
    [
        (placed(), {}, ["vm:300", "vm:301"], {}),
        (placed({"vm:300": "a1", "vm:301": "b2"}), {}, ["vm:301"], {}),
        (placed(states={"vm:300": "error"}), {}, ["vm:301"], {"vm:300": "HA calls it error"}),
        (placed({"vm:301": "b2"}), {}, ["vm:301"], {"vm:300": "is not under HA any more"}),
        (
            placed(),
            {"vm:300": "b2"},
            ["vm:301"],
            {"vm:300": "was moved to b1 by hand; HA had brought it back on b2"},
        ),
        (placed(nodes=("a2", "b1", "b2")), {}, ["vm:301"], {"vm:300": "its home a1 is not online"}),
        (
            placed(rules=(rule("node-affinity", "b1", strict=True, who="vm:300"),)),
            {},
            ["vm:301"],
            {"vm:300": "its home a1: rule r is strict and does not allow it"},
        ),
        (placed(rules=(rule("node-affinity", "b1", who="vm:300"),)), {}, ["vm:300", "vm:301"], {}),
        (placed(rules=(rule("resource-affinity", negative=True),)), {}, ["vm:300", "vm:301"], {}),
        (
            placed(
                {"vm:300": "b1", "vm:301": "b2", "vm:9": "a1"},
                rules=(rule("resource-affinity", negative=True, who="vm:300 vm:9"),),
            ),
            {},
            ["vm:301"],
            {"vm:300": "its home a1: rule r keeps it apart from vm:9"},
        ),
        (
            placed(rules=(rule("resource-affinity"),)),
            {},
            [],
            {
                "vm:300": "its home a1: rule r keeps it together with vm:301",
                "vm:301": "its home a2: rule r keeps it together with vm:300",
            },
        ),
        (
            placed(memory={"vm:301": 19 * GIB // 2}),
            {},
            ["vm:300"],
            {"vm:301": "its home a2: no room, it needs 9.5 GiB, 9 GiB are free"},
        ),
        (
            placed(others={"vm:9": Guest(node="a2", memory=9 * GIB)}),
            {},
            ["vm:300"],
            {"vm:301": "its home a2: no room, it needs 1 GiB, 0 bytes are free"},
        ),
        (placed(others={"vm:9": Guest(node="a2", memory=9 * GIB, running=False)}), {}, ["vm:300", "vm:301"], {}),
    ],
)  # fmt: skip
def test_who_goes_and_who_stays(
    placement: Placement, recovered: dict[str, str], moves: list[str], staying: dict[str, str]
):
    """Each reason by itself."""
    plan = plan_home(HOMES, recovered, placement)

    assert [move.sid for move in plan.moves] == moves
    assert plan.staying == staying


def test_priority_decides_who_goes_first():
    """The first one is the canary; the others follow by number."""
    homes = {"vm:300": "a1", "vm:301": "a1", "vm:1000": "a1"}
    where = dict.fromkeys(homes, "b1")

    assert [move.sid for move in plan_home(homes, {}, placed(where)).moves] == ["vm:300", "vm:301", "vm:1000"]
    first = plan_home(homes, {}, placed(where), first=("vm:1000",))
    assert [str(one) for one in first.intents] == [
        "a1: bring home vm:1000 (from b1)",
        "a1: bring home vm:300 (from b1)",
        "a1: bring home vm:301 (from b1)",
    ]
    assert [one.turn for one in first.intents] == [1, 2, 3]


TWO = {"vm:300": "b1", "vm:301": "b2"}


@pytest.mark.parametrize(
    "placement",
    [
        placed(TWO, memory=dict.fromkeys(TWO, 5 * GIB)),
        placed(TWO, rules=(rule("resource-affinity", negative=True),)),
    ],
    ids=["room for one", "never together"],
)
def test_who_comes_first_gets_the_room(placement: Placement):
    """Two guests with one home that takes one of them: that of the higher priority goes."""
    homes = dict.fromkeys(TWO, "a1")

    assert [move.sid for move in plan_home(homes, {}, placement).moves] == ["vm:300"]
    assert [move.sid for move in plan_home(homes, {}, placement, first=("vm:301",)).moves] == ["vm:301"]


def test_only_switches_that_concern_those_who_move_are_in_the_plan():
    """A failback of a guest that stays is nobody's business here."""
    mine = Frozen(kind="resource", name="vm:300", field="failback", old="1", new="0")
    other = Frozen(kind="resource", name="vm:7", field="failback", old="1", new="0")
    balance = Frozen(kind="options", name="crs", field="ha-auto-rebalance", old="1", new="0")

    plan = plan_home(HOMES, {}, placed(switches=(mine, other, balance)))
    assert plan.switches == (mine, balance)
    assert [str(one) for one in plan.intents][:2] == [
        "HA: set vm:300 (failback 0)",
        "cluster: set crs (ha-auto-rebalance 0)",
    ]


@given(
    homes=st.dictionaries(st.sampled_from([f"vm:{n}" for n in range(100, 108)]), st.sampled_from(["a1", "a2"])),
    sizes=st.lists(st.integers(1, 8), min_size=8, max_size=8),
)
def test_no_home_is_ever_filled_beyond_its_tenth(homes: dict[str, str], sizes: list[int]):
    """Whatever is planned, every home keeps a tenth of its memory for itself; nobody is in both lists."""
    memory = {sid: sizes[number] * GIB for number, sid in enumerate(sorted(homes))}
    placement = placed(dict.fromkeys(homes, "b1"), memory=memory) if homes else placed()

    plan = plan_home(homes, {}, placement)

    for node in ("a1", "a2"):
        assert sum(memory[move.sid] for move in plan.moves if move.home == node) <= 9 * GIB
    assert {move.sid for move in plan.moves} | plan.staying.keys() == homes.keys()
    assert not {move.sid for move in plan.moves} & plan.staying.keys()


FAILBACK = Frozen(kind="resource", name="vm:300", field="failback", old="1", new="0")
CRS = Frozen(kind="options", name="crs", field="ha-auto-rebalance", old="1", new="0")


def test_a_node_that_rests_is_no_target_and_says_so():
    """In maintenance is another reason than not being online: a person's order keeps it so."""
    placement = placed(nodes=("a2", "b1", "b2")).model_copy(update={"resting": {"a1": 10 * GIB}})
    plan = plan_home(HOMES, {}, placement)
    assert [move.sid for move in plan.moves] == ["vm:301"]
    assert plan.staying == {"vm:300": "its home a1 is in maintenance"}


@pytest.mark.parametrize(
    ("rested", "emptied", "keeps"),
    [
        ((), (), {"a1": False, "a2": False}),  # nobody knows: people see in the plan what would be released
        (("a1",), (), {"a1": True, "a2": False}),
        (("a1",), ("a2",), {"a1": True, "a2": False}),
        ((), ("a2",), {"a1": True, "a2": False}),  # put there by another hand since
    ],
)
def test_only_what_we_have_put_into_maintenance_is_ours_to_release(
    rested: tuple[str, ...], emptied: tuple[str, ...], keeps: dict[str, bool]
):
    """As the ledger has it."""
    record = LossRecord(run="", site="a", homes={}, rested=rested, emptied=emptied)
    assert {node: record.keeps(node) for node in ("a1", "a2")} == keeps


@pytest.mark.parametrize("which", [FAILBACK, CRS])
def test_a_switch_that_is_on_again_between_two_moves_is_another_plan(which: Frozen):
    """It was planned and turned off; whoever turns it on again would have the guest moved back."""
    plan = plan_home(HOMES, {}, placed(switches=(FAILBACK, CRS)))
    still_off = plan_home(HOMES, {}, placed())
    assert plan.differs(still_off, [], (FAILBACK, CRS)) == ""
    undone = plan_home(HOMES, {}, placed(switches=(which,)))
    assert plan.differs(undone, [], (FAILBACK, CRS)) == (
        f"the plan has changed: {which.name} {which.field} was disabled for this run and is on again: "
        "disable it, or ask who has enabled it"
    )
    assert plan.differs(undone, []) == ""  # before it was turned off, that it is on is what was planned


def test_a_switch_of_a_guest_that_is_at_home_counts_as_well():
    """It is done, and HA would take it away again."""
    plan = plan_home(HOMES, {}, placed(switches=(FAILBACK,)))
    now = plan_home(HOMES, {}, placed({"vm:300": "a1", "vm:301": "b2"}, switches=(FAILBACK,)))
    assert "vm:300 failback was disabled for this run and is on again" in plan.differs(now, ["vm:300"], (FAILBACK,))
