"""How a site is emptied, on paper: who goes where and in which order, what stays, what speaks against it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.evacuation import Evacuation, SiteNodes, plan_evacuation
from cluster.placement import Guest, Placement, Rule
from cluster.recovery import Frozen, Service

AT = SiteNodes(site="site-a", nodes=("a1", "a2", "a3"), others=("b1", "b2", "b3"))
GIB = 2**30


def placed(services: dict[str, str], *, states: dict[str, str] | None = None, **more: Any) -> Placement:
    """`services` by their nodes; all are started unless said, and each of 1 GiB."""
    states = states or {}
    nodes = dict.fromkeys((*AT.nodes, *AT.others), 64 * GIB)
    resting = more.pop("resting", ())
    return Placement(
        finding="",
        services={sid: Service(state=states.get(sid, "started"), node=node) for sid, node in services.items()},
        guests={
            sid: Guest(node=node, memory=GIB, running=states.get(sid, "started") != "stopped")
            for sid, node in services.items()
        }
        | more.pop("guests", {}),
        nodes={node: size for node, size in nodes.items() if node not in resting},
        resting={node: size for node, size in nodes.items() if node in resting},
        **more,
    )


def planned(placement: Placement, master: str = "b1") -> Evacuation:
    return plan_evacuation(AT, placement, master)


def test_the_node_with_the_fewest_running_guests_goes_first():
    """A stopped guest is none that has to be moved, and does not upset the order."""
    plan = planned(
        placed({"vm:300": "a1", "vm:301": "a2", "vm:302": "a2", "vm:400": "a3"}, states={"vm:400": "stopped"})
    )
    assert plan.order == ("a3", "a1", "a2")
    assert plan.stopped == {"vm:400": "a3"}
    assert "vm:400" not in plan.homes
    assert not [one for one in plan.intents if one.target == "vm:400"]


def test_a_container_is_planned_with_its_restart():
    """People sign it: HA cannot move one while it runs."""
    plan = planned(placed({"ct:200": "a1", "vm:300": "a1"}))
    assert {one.target: one.detail for one in plan.intents if one.what == "move away"} == {
        "ct:200": "from a1, with a restart",
        "vm:300": "from a1",
    }


def test_a_node_that_rested_before_is_no_part_of_the_plan():
    """It is in maintenance already, and not ours to release afterwards."""
    plan = planned(placed({"vm:300": "a1"}, resting=("a2",)))
    assert plan.rested == ("a2",)
    assert [one.target for one in plan.intents if one.what == "enable maintenance"] == ["a3", "a1"]


def test_guests_that_a_rule_keeps_together_stay_together():
    """Both find the same place, and neither is called without one."""
    rule = Rule(name="pair", type="resource-affinity", resources=("vm:300", "vm:301"))
    plan = planned(placed({"vm:300": "a1", "vm:301": "a2"}, rules=(rule,)))
    assert plan.vetoes == ()
    assert len({move.home for move in plan.moves}) == 1


def test_guests_that_a_rule_keeps_apart_stay_apart():
    """Also on the other site."""
    rule = Rule(name="apart", type="resource-affinity", resources=("vm:300", "vm:301"), negative=True)
    plan = planned(placed({"vm:300": "a1", "vm:301": "a2"}, rules=(rule,)))
    assert len({move.home for move in plan.moves}) == 2


def test_what_lives_without_ha_is_named():
    """It would go down with the site: running, paused, or not known whether it runs."""
    guests = {"vm:900": Guest(node="a1"), "ct:901": Guest(node="a2", running=False, unknown=True)}
    names = {veto.name: veto.text for veto in planned(placed({}, guests=guests)).vetoes}
    assert names == {
        "unmanaged-vm-900": "vm:900 on a1 is not under HA: it is not moved",
        "unmanaged-ct-901": "ct:901 on a2 is not under HA: it is not moved, and it is not known whether it runs",
    }


def test_what_ha_is_moving_cannot_be_waived():
    """A plan made of a snapshot in between would be another one a moment later; a guest in error may be left there."""
    states = {"vm:300": "migrate", "vm:301": "error"}
    found = {veto.name: veto.safety for veto in planned(placed({"vm:300": "a1", "vm:301": "a1"}, states=states)).vetoes}
    assert found == {"state-vm-300": True, "state-vm-301": False}


def test_only_switches_of_guests_that_move_are_turned_off():
    """And those of the whole cluster."""
    switches = (
        Frozen(kind="resource", name="vm:300", field="failback", old="1", new="0"),
        Frozen(kind="resource", name="vm:500", field="failback", old="1", new="0"),
        Frozen(kind="options", name="crs", field="ha-auto-rebalance", old="1", new="0"),
    )
    plan = planned(placed({"vm:300": "a1", "vm:500": "b1"}, switches=switches))
    assert [one.name for one in plan.switches] == ["vm:300", "crs"]


def test_a_plan_differs_when_anything_that_was_signed_does():
    """A guest that came, one that went, one that was moved, a switch, a stranger; what is done does not count."""
    before = placed({"vm:300": "a1", "vm:301": "a2"})
    plan = planned(before)

    def told(after: Placement, done: tuple[str, ...] = ()) -> str:
        return plan.differs(planned(after), after, done)

    assert told(before) == ""
    assert told(placed({"vm:300": "b1", "vm:301": "a2"}), ("vm:300",)) == ""
    assert "vm:300 is no longer on a1" in told(placed({"vm:300": "b1", "vm:301": "a2"}))
    assert "vm:301 runs on a1 now" in told(placed({"vm:300": "a1", "vm:301": "a1"}))
    assert "vm:302 runs on a3 now" in told(placed({"vm:300": "a1", "vm:301": "a2", "vm:302": "a3"}))
    on = (Frozen(kind="resource", name="vm:301", field="failback", old="1", new="0"),)
    assert "vm:301 failback is on now" in told(placed({"vm:300": "a1", "vm:301": "a2"}, switches=on))
    stranger = {"vm:900": Guest(node="a1")}
    assert "vm:900 on a1 is not under HA" in told(placed({"vm:300": "a1", "vm:301": "a2"}, guests=stranger))
    full = {f"vm:{900 + number}": Guest(node=node, memory=63 * GIB) for number, node in enumerate(AT.others)}
    assert "has no place on" in told(placed({"vm:300": "a1", "vm:301": "a2"}, guests=full))


@given(
    homes=st.dictionaries(st.integers(100, 200).map(lambda n: f"vm:{n}"), st.sampled_from(AT.nodes), max_size=45),
    there=st.dictionaries(st.integers(300, 400).map(lambda n: f"vm:{n}"), st.sampled_from(AT.others), max_size=45),
)
def test_nobody_is_moved_twice_and_nobody_is_forgotten(homes: dict[str, str], there: dict[str, str]):
    """Forty guests and more: each goes once, straight to the other site; the places differ by one guest at most."""
    plan = planned(placed(homes | there))
    assert sorted(move.sid for move in plan.moves) == sorted(homes)
    assert all(move.home in AT.others for move in plan.moves)
    assert [move.source for move in plan.moves] == sorted((m.source for m in plan.moves), key=plan.order.index)
    load = {node: list(there.values()).count(node) for node in AT.others}
    after = {node: load[node] + sum(move.home == node for move in plan.moves) for node in AT.others}
    filled = [after[node] for node in AT.others if after[node] > load[node]]
    assert not filled or max(filled) - min(after.values()) <= 1


@pytest.mark.parametrize(("state", "news"), [("migrate", False), ("relocate", False), ("error", True)])
def test_a_guest_that_ha_moves_for_us_is_no_news(state: str, news: bool):
    """A pause in the middle of a move, or another guest's retry, finds it in `migrate`; one in error is news."""
    plan = planned(placed({"vm:300": "a1", "vm:301": "a2"}))
    meanwhile = placed({"vm:300": "a1", "vm:301": "a2"}, states={"vm:300": state})

    assert bool(plan.differs(planned(meanwhile), meanwhile, {"vm:300"})) is news
    assert plan.differs(planned(meanwhile), meanwhile, ())


def test_a_switch_that_is_on_again_between_two_moves_stops_the_next():
    """It was turned off for this plan; on again it would move guests back while their nodes are emptied."""
    crs = Frozen(kind="options", name="crs", field="ha-auto-rebalance", old="1", new="0")
    before = placed({"vm:300": "a1", "vm:301": "a2"}, switches=(crs,))
    plan = planned(before)
    said = plan.differs(planned(before), before, (), (crs,))
    assert said.startswith("the plan has changed: crs ha-auto-rebalance was disabled for this run and is on again")
    assert plan.differs(planned(before), before, ()) == ""
