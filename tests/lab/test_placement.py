"""Where HA puts services: load, rules, failed starts; and what a failed watchdog or a wrong clock makes of it."""

import pytest

from lab.physics import jump
from lab.physics.power import switch_off
from lab.pve.ha import rules as ha_rules
from lab.pve.ha.placement import Choice
from lab.pve.ha.rules import candidates, companions, problems
from lab.pve.ha.state import Service
from tests.lab.stage import SITE_A, SITE_B, Stage, healthy

NODES = [*SITE_A, *SITE_B]
PRIORITIES = {"type": "node-affinity", "resources": "vm:300", "nodes": "pxmx01-01:2,pxmx01-02:2,pxmx02-01:1"}
STRICT = {"type": "node-affinity", "resources": "vm:300", "nodes": "pxmx01-01,pxmx01-02", "strict": 1}
APART = {"type": "resource-affinity", "resources": "vm:300,vm:301", "affinity": "negative"}
TOGETHER = {"type": "resource-affinity", "resources": "vm:300,vm:301", "affinity": "positive"}


def play(story) -> None:
    """Run a story to its end."""

    async def run() -> None:
        stage = await story
        await stage.world.cluster.stop()

    jump.run(run())


# Rule, nodes that are online -> allowed nodes, best nodes (§8).
CANDIDATES = [
    (None, NODES, NODES, NODES),
    (PRIORITIES, NODES, NODES, ["pxmx01-01", "pxmx01-02"]),
    (PRIORITIES, ["pxmx02-01", "pxmx02-02"], ["pxmx02-01", "pxmx02-02"], ["pxmx02-01"]),
    (PRIORITIES, ["pxmx02-02", "pxmx02-03"], ["pxmx02-02", "pxmx02-03"], ["pxmx02-02", "pxmx02-03"]),
    (STRICT, NODES, ["pxmx01-01", "pxmx01-02"], ["pxmx01-01", "pxmx01-02"]),
    (STRICT, SITE_B, [], []),
]


@pytest.mark.parametrize(("rule", "online", "allowed", "best"), CANDIDATES)
def test_node_affinity_leaves_candidates(rule, online, allowed, best):
    """The highest priority that is there; a rule that is not strict forbids nothing."""
    found = candidates({"home": rule} if rule else {}, "vm:300", online)

    assert (sorted(found.allowed), sorted(found.best)) == (sorted(allowed), sorted(best))


def choice(services: dict[str, tuple[str, str]], online: list[str] = NODES, rules=None, others=None) -> Choice:
    known = {sid: Service(node, state, sid) for sid, (node, state) in services.items()}
    return Choice(known, frozenset(online), rules or {}, others or {})


def test_the_least_loaded_node_wins_and_then_its_name():
    """Stopped services count for nothing, moving ones on both ends, guests that HA does not know for one."""
    one = choice(
        {
            "vm:300": ("gone", "recovery"),
            "vm:301": ("pxmx01-01", "started"),
            "vm:302": ("pxmx01-02", "stopped"),
            "vm:303": ("pxmx01-03", "migrate"),
        },
        others={"pxmx01-02": 1},
    )
    one.services["vm:303"].target = "pxmx02-01"

    assert one.load() == {
        "pxmx01-01": 1, "pxmx01-02": 1, "pxmx01-03": 1, "pxmx02-01": 1, "pxmx02-02": 0, "pxmx02-03": 0,
    }  # fmt: skip
    assert one.select("vm:300", failback=True, preference="best") == "pxmx02-02"


@pytest.mark.parametrize(("failback", "node"), [(True, "pxmx01-01"), (False, "pxmx02-02")])
def test_failback_decides_whether_a_started_service_moves(failback: bool, node: str):
    """With it the service goes to a better node; without it stays where it may be."""
    one = choice({"vm:300": ("pxmx02-02", "started")}, rules={"home": PRIORITIES})

    assert one.select("vm:300", failback=failback) == node


def test_a_strict_rule_moves_even_without_failback():
    """The node is not allowed."""
    one = choice({"vm:300": ("pxmx02-02", "started")}, rules={"home": STRICT})

    assert one.select("vm:300", failback=False) == "pxmx01-01"


def test_services_that_must_not_meet_are_kept_apart():
    """Also on the way to each other."""
    services = {"vm:300": ("gone", "recovery"), "vm:301": ("pxmx01-01", "migrate")}
    one = choice(services, ["pxmx01-01", "pxmx01-02", "pxmx01-03"], {"apart": APART})
    one.services["vm:301"].target = "pxmx01-02"

    assert one.select("vm:300", failback=True, preference="best") == "pxmx01-03"


def test_services_that_belong_together_follow_each_other():
    """The node where the companion is, whatever its load."""
    services = {"vm:300": ("gone", "recovery"), "vm:301": ("pxmx02-03", "started"), "vm:302": ("pxmx02-03", "started")}

    one = choice(services, rules={"pair": TOGETHER})

    assert one.select("vm:300", failback=True, preference="best") == "pxmx02-03"
    assert companions({"pair": TOGETHER}, "vm:300", "positive") == {"vm:301"}


PROBLEMS = [
    ({"a": PRIORITIES, "b": STRICT}, {"a": ["resources"], "b": ["resources"]}),
    ({"a": PRIORITIES, "b": STRICT | {"disable": 1}}, {}),
    ({"a": PRIORITIES, "b": TOGETHER}, {"a": ["resources"], "b": ["resources"]}),
    ({"a": STRICT, "b": TOGETHER}, {}),
    ({"b": APART | {"resources": ",".join(f"vm:{300 + n}" for n in range(7))}}, {"b": ["resources"]}),
    ({"b": APART | {"resources": "vm:300"}}, {"b": ["resources"]}),
]


@pytest.mark.parametrize(("rules", "wrong"), PROBLEMS)
def test_rules_that_cannot_be_followed_are_named(rules, wrong):
    """By rule and property; the scheduler leaves them out."""
    found = problems(rules, NODES)

    assert {name: list(fields) for name, fields in found.items()} == wrong
    assert set(ha_rules.active(rules, NODES)) == {n for n in rules if n not in wrong and not rules[n].get("disable")}


def test_recovery_without_a_node_goes_on_trying():
    """Strictly bound to a lost site: recovery, until a node is back; then any allowed one will do."""

    async def story() -> Stage:
        stage = await healthy(master="pxmx02-01")
        stage.ha.rules["home"] = {**STRICT, "nodes": ",".join(SITE_A)}
        switch_off(stage.world, SITE_A)
        await stage.sleep(300)
        assert (stage.service(300).state, stage.service(301).node in SITE_B) == ("recovery", True)
        stage.ha.rules["home"]["nodes"] += ",pxmx02-03"
        await stage.until("recovered", lambda: stage.service(300).node == "pxmx02-03", 30)
        return stage

    play(story())


def test_a_start_that_fails_is_tried_twice_on_two_nodes():
    """Then HA gives up; `disabled` is the only way out."""

    async def story() -> Stage:
        stage = await healthy(master="pxmx02-01")
        guest = stage.guests[300]
        guest.config["scsi0"] = "nowhere:vm-300-disk-0"
        stage.world.cluster.add_storage("nowhere", "lvm", {"vgname": "none"})
        stage.mark()
        guest.running = False
        await stage.until("error", lambda: stage.service(300).state == "error", 120)
        tries = [task.node for task in stage.world.cluster.tasks.all if task.kind == "qmstart"]
        assert (tries[:2], len(tries), len(set(tries))) == ([SITE_A[0]] * 2, 4, 2)

        stage.ha.update_resource("vm:300", {"state": "disabled"})
        await stage.until("stopped", lambda: stage.service(300).state == "stopped", 30)
        assert stage.service(300).failed_nodes == []
        return stage

    play(story())


def doubles(stage: Stage) -> list[int]:
    """Guests that run on two nodes."""
    return [
        guest.vmid for guest in stage.guests.values() if guest.elsewhere and (guest.running or len(guest.elsewhere) > 1)
    ]


@pytest.mark.parametrize(("fails", "double"), [(False, []), (True, [300])])
def test_only_a_watchdog_that_fails_lets_a_guest_run_twice(fails: bool, double: list[int]):
    """HA restarts it all the same: it waits for the lock and never looks at the node (V1)."""

    async def story() -> Stage:
        stage = await healthy(master="pxmx02-01")
        stage.world.nodes["pxmx01-01"].softdog_fails = fails
        stage.world.links.cut("uplink:site-a")
        await stage.until("running on B", lambda: stage.guests[300].running and stage.guests[300].node in SITE_B, 200)
        await stage.sleep(20)
        assert doubles(stage) == double
        assert any(change.what == "watchdog.failed" for change in stage.world.changes) == fails
        return stage

    play(story())


def test_a_clock_that_is_set_back_eats_the_margin():
    """The watchdog counts by the node's own clock: an hour back, and it has an hour more (V1, I-24)."""

    async def story() -> Stage:
        stage = await healthy(master="pxmx02-01")
        stage.world.links.cut("uplink:site-a")
        await stage.sleep(5)
        stage.world.nodes["pxmx01-01"].clock_offset = -3600.0
        await stage.until("running on B", lambda: stage.guests[300].running and stage.guests[300].node in SITE_B, 200)
        assert doubles(stage) == [300]
        return stage

    play(story())


def test_locks_of_a_lost_node_are_removed_or_stay():
    """A snapshot's lock goes with the node; that of a creation stays and makes every start fail."""

    async def story() -> Stage:
        stage = await healthy(master="pxmx02-01")
        stage.guests[300].lock, stage.guests[301].lock = "snapshot", "create"
        switch_off(stage.world, SITE_A)
        await stage.until("recovered", lambda: all(service.node in SITE_B for service in stage.services()), 200)
        await stage.sleep(60)
        locks = [(guest.lock, guest.running) for guest in (stage.guests[300], stage.guests[301])]
        assert locks == [(None, True), ("create", False)]
        return stage

    play(story())


def test_max_workers_limits_a_boot_storm():
    """Nine guests on one node start four at a time, five seconds each."""

    async def story() -> Stage:
        guests = {300 + number: "pxmx01-01" for number in range(9)}
        stage = await healthy(master="pxmx02-01", guests=guests)
        began = stage.now
        for guest in stage.guests.values():
            guest.running = guest.vmid not in guests
        most = 0
        while not all(stage.guests[vmid].running for vmid in guests):
            running = [task for task in stage.world.cluster.tasks.all if task.kind == "qmstart" and not task.exitstatus]
            most = max(most, len(running))
            assert stage.now < began + 120
            await stage.sleep(0.5)
        assert most == 4
        return stage

    play(story())
