"""Resource-affinity rules as a whole: groups, what follows from them, and commands about their members (§8)."""

from typing import Any

import pytest

from lab.physics import jump
from lab.pve.ha.rules import active, companions, problems
from tests.lab.stage import SITE_A, SITE_B, healthy

NODES = [*SITE_A, *SITE_B]


def rule(affinity: str, *vmids: int) -> dict[str, str]:
    return {"type": "resource-affinity", "affinity": affinity, "resources": ",".join(f"vm:{vmid}" for vmid in vmids)}


def sids(*vmids: int) -> set[str]:
    return {f"vm:{vmid}" for vmid in vmids}


CHAIN = {
    "a": rule("positive", 1, 2),
    "b": rule("positive", 2, 3),
    "c": rule("positive", 3, 4),
    "z": rule("positive", 8, 9),
}
# Rules, a service -> those that must be with it, those that it must not meet.
GROUPS: dict[str, tuple[dict[str, dict[str, Any]], int, set[str], set[str]]] = {
    "a chain is one group": (CHAIN, 1, sids(2, 3, 4), set()),
    "whichever is asked": (CHAIN, 3, sids(1, 2, 4), set()),
    "another group is apart": (CHAIN, 8, sids(9), set()),
    "order does not matter": ({"c": rule("positive", 1, 2), "b": rule("positive", 3, 4), "a": rule("positive", 2, 3)},
                              4, sids(1, 2, 3), set()),
    "a disabled link parts it": ({**CHAIN, "b": {**CHAIN["b"], "disable": 1}}, 1, sids(2), set()),
    "one keeps apart for all": ({**CHAIN, "n": rule("negative", 4, 7)}, 1, sids(2, 3, 4), sids(7)),
    "and the other from all": ({**CHAIN, "n": rule("negative", 4, 7)}, 7, set(), sids(1, 2, 3, 4)),
    "two groups that must not meet": ({**CHAIN, "n": rule("negative", 4, 9)}, 9, sids(8), sids(1, 2, 3, 4)),
    "each member of a group against the other": ({**CHAIN, "n": rule("negative", 4, 9)}, 8, sids(9), sids(4)),
    "negative rules do not add up": ({"m": rule("negative", 1, 2), "n": rule("negative", 2, 3)}, 1, set(), sids(2)),
}  # fmt: skip


@pytest.mark.parametrize("what", GROUPS)
def test_rules_that_share_a_service_are_one_group(what: str):
    """Positive rules are merged, and what one of a group must not meet, none of it must meet."""
    rules, vmid, together, apart = GROUPS[what]
    followed = active(rules, NODES)

    assert companions(followed, f"vm:{vmid}", "positive") == together
    assert companions(followed, f"vm:{vmid}", "negative") >= apart


def test_rules_that_contradict_each_other_are_dropped():
    """Also where the contradiction is between a group and a rule that shares two services with it."""
    rules = {**CHAIN, "n": rule("negative", 1, 4), "m": rule("negative", 1, 7)}

    assert problems(rules, NODES) == {
        "n": {"resources": ["rule shares two or more resources with a positive resource affinity rule"]},
        **{
            name: {"resources": ["rule shares two or more resources with a negative resource affinity rule"]}
            for name in "abc"
        },
    }
    assert set(active(rules, NODES)) == {"m", "z"}


def test_a_command_to_one_of_a_chain_moves_all_of_it():
    """Nobody is pulled back afterwards, and the master's log says why the others went along."""

    async def story():
        stage = await healthy(master="pxmx02-01", guests=dict.fromkeys(range(300, 305), "pxmx01-01"))
        for number in range(4):
            stage.ha.rules[f"r{number}"] = rule("positive", 300 + number, 301 + number)
        await stage.sleep(30)
        stage.ha.commands.append(("migrate", "vm:302", "pxmx02-02"))
        await stage.sleep(120)
        log = stage.world.nodes["pxmx02-01"].journal["pve-ha-crm"]
        moved = [line for line in log if "to 'migrate'" in line]
        found = {(s.node, s.state) for s in stage.services()}, len(moved), [x for x in log if "in positive" in x]
        await stage.world.cluster.stop()
        return found

    where, moves, said = jump.run(story())

    assert (where, moves) == ({("pxmx02-02", "started")}, 5)
    assert said[0] == (
        "crm command 'migrate vm:302 pxmx02-02' - migrate service 'vm:300' to node 'pxmx02-02' "
        "(service 'vm:300' in positive affinity with service 'vm:302')"
    )


# Where vm:302 is and where it is going, whether it runs -> whether it keeps vm:300 from pxmx02-01.
IN_THE_WAY = {
    "it is there": ("pxmx02-01", None, "started", True),
    "it is there and stopped": ("pxmx02-01", None, "stopped", True),
    "it leaves": ("pxmx02-01", "pxmx02-03", "migrate", False),
    "it is on its way there": ("pxmx02-03", "pxmx02-01", "migrate", False),
    "it is elsewhere": ("pxmx02-03", None, "started", False),
}


@pytest.mark.parametrize("what", IN_THE_WAY)
def test_a_service_in_the_way_refuses_a_command(what: str):
    """Whoever is on the target and stays there, stopped or not; the rule may be that of a companion (§10)."""
    node, target, state, refused = IN_THE_WAY[what]

    async def story():
        guests = {300: "pxmx01-01", 301: "pxmx01-01", 302: node}
        stage = await healthy(master="pxmx02-02", guests=guests)
        stage.ha.rules.update({"p": rule("positive", 300, 301), "n": rule("negative", 301, 302)})
        manager = stage.ha.manager
        manager.services["vm:302"].state, manager.services["vm:302"].target = state, target
        stage.ha.commands.append(("migrate", "vm:300", "pxmx02-01"))
        await stage.until("taken", lambda: not stage.ha.commands, 15)
        log = stage.world.nodes["pxmx02-02"].journal["pve-ha-crm"]
        await stage.world.cluster.stop()
        return log

    told = (
        "crm command 'migrate vm:300 pxmx02-01' error - service 'vm:302' on node 'pxmx02-01' in negative affinity "
        "with service 'vm:300'"
    )
    assert (told in jump.run(story())) == refused
