"""CRM and LRM by the rules of their modules: locks, watchdogs, modes, and ends (pve-ha §§1, 2, 3, 4, 5, 6, 11)."""

import asyncio
from collections.abc import Callable

import pytest

from lab.control.drills import Drills
from lab.physics import jump
from lab.physics.power import _boot, switch_off, switch_on, switch_witness
from lab.pve.etc.cfslocks import agent
from lab.pve.work.shutdown import shut_down
from tests.lab.stage import SITE_A, SITE_B, Stage, healthy

pytestmark = pytest.mark.slow  # in `make test-twin`

NODE = "pxmx01-01"
SEEDS = range(1, 9)
Range = tuple[float, float]


def played(story):
    """What a story finds, on lab time that jumps."""

    async def run():
        stage, found = await story
        await stage.world.cluster.stop()
        return found

    return jump.run(run())


def within(values: list[float], span: Range) -> list[float]:
    """The values that are out of their range."""
    return [value for value in values if not span[0] <= value <= span[1]]


def on_b(stage: Stage) -> bool:
    return all(stage.guests[vmid].running and stage.guests[vmid].node in SITE_B for vmid in (300, 301))


def ask(stage: Stage, *line: str) -> None:
    stage.ha.commands.append((*line, "", "")[:3])


# --- quorum that comes back ------------------------------------------------------------------------------------------


async def votes_return(kind: str, seed: int) -> tuple[Stage, tuple[float, float]]:
    """Seconds from the return of the votes to a master's first round, and to both guests on site B."""
    stage = await healthy(master="pxmx02-01", seed=seed)
    world = stage.world
    if kind == "device first, then the site":
        switch_witness(world, on=False)
        await stage.sleep(50)
        switch_off(world, SITE_A)
        await stage.sleep(300)
        stage.mark()
        switch_witness(world, on=True)
    elif kind == "device after the recovery":
        switch_off(world, SITE_A)
        await stage.sleep(300)
        world.BOOTS_IN = 120.0
        switch_witness(world, on=False)
        await stage.sleep(300)
        stage.mark()
        switch_witness(world, on=True)
    else:
        switch_off(world, SITE_A)
        await stage.sleep(80)
        switch_off(world, ["pxmx02-03"])
        await stage.sleep(220)
        stage.mark()
        _boot(world, world.nodes["pxmx02-03"])
        world.links.changed()
    stamp = stage.ha.manager.timestamp
    await stage.until("master", lambda: stage.ha.manager.timestamp > stamp + 30, 300)
    await stage.until("running", lambda: on_b(stage), 400)
    return stage, (stage.seen["master"], stage.seen["running"])


# What returns -> after how long a master decides and both guests run. Measured on the real stack (one run each, which
# saw the votes at once): master +2, +6, +3, guests +68..72, +12..17, +18..22; here the votes need up to 13 s first.
VOTES_RETURN = {
    "device first, then the site": ((0, 26), (60, 92)),
    "device after the recovery": ((0, 26), (0, 45)),
    "the highest node": ((0, 26), (10, 55)),
}


@pytest.mark.parametrize("kind", VOTES_RETURN)
def test_locks_go_on_ageing_where_only_votes_were_missing(kind: str):
    """Ages begin anew where pmxcfs starts or takes over a fresher database, and nowhere else (§3.3)."""
    runs = [played(votes_return(kind, seed)) for seed in SEEDS]

    master, running = VOTES_RETURN[kind]
    assert within([run[0] for run in runs], master) == []
    assert within([run[1] for run in runs], running) == []


async def blip(lasts: float, seed: int) -> tuple[Stage, float]:
    stage = await healthy(master="pxmx02-01", seed=seed)
    switch_off(stage.world, SITE_A)
    await stage.sleep(70)
    switch_witness(stage.world, on=False)
    await stage.sleep(lasts)
    switch_witness(stage.world, on=True)
    return stage, await stage.until("running", lambda: on_b(stage), 400)


@pytest.mark.parametrize("lasts", [8, 30])
def test_a_short_absence_of_the_witness_costs_a_recovery_nothing(lasts: float):
    """The lost nodes' locks were growing old all the while."""
    assert within([played(blip(lasts, seed)) for seed in SEEDS], (128, 152)) == []


# --- ends in order ---------------------------------------------------------------------------------------------------


async def goes_down(stage: Stage, nodes: list[str], *, reboot: bool = False) -> None:
    for node in nodes:
        stage.world.cluster.spawn(shut_down(stage.world.cluster, node, reboot=reboot))
    await stage.until("off", lambda: not any(stage.world.nodes[node].powered for node in nodes), 300)


@pytest.mark.parametrize("nodes", [[NODE], SITE_A], ids=["one node", "a site"])
@pytest.mark.parametrize("policy", ["conditional", "failover"])
def test_an_lrm_that_has_ended_takes_no_lock_again(policy: str, nodes: list[str]):
    """Its lock is free, so its services wait for the fence delay alone: no two minutes (§11)."""

    async def story(seed: int) -> tuple[Stage, tuple[bool, float]]:
        stage = await healthy(master="pxmx02-01", seed=seed)
        stage.world.cluster.options["ha"] = f"shutdown_policy={policy}"
        await goes_down(stage, nodes)
        held = any(agent(node) in stage.ha.locks.held for node in nodes)
        await stage.until("recovered", lambda: stage.service(300).node != NODE, 300)
        off = next(one.time for one in stage.world.changes if (one.what, one.target) == ("power.off", NODE))
        return stage, (held, stage.seen["recovered"] - (off - stage.marked))

    runs = [played(story(seed)) for seed in range(1, 13)]

    assert {held for held, _ in runs} == {False}
    # 60 s from the master's last sight; its rounds hang while each of a site's nodes leaves the membership
    assert within([took for _, took in runs], (38, 76)) == []


@pytest.mark.parametrize("nodes", [[NODE], SITE_A], ids=["one node", "a site"])
@pytest.mark.parametrize("policy", ["conditional", "freeze", "failover", "migrate"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_node_in_maintenance_stays_in_it_when_it_is_shut_down(seed: int, policy: str, nodes: list[str]):
    """Whatever the policy says, nothing moves, nothing is fenced, and its guests go home when all is over."""

    async def story():
        stage = await healthy(master="pxmx02-01", seed=seed)
        ha, world = stage.ha, stage.world
        world.cluster.options["ha"] = f"shutdown_policy={policy}"
        for node in nodes:
            ask(stage, "node-maintenance", node, "enable")
        away = [vmid for vmid, home in ((300, NODE), (301, "pxmx01-02")) if home in nodes]
        await stage.until("empty", lambda: all(stage.service(v).node not in nodes for v in away), 120)
        await stage.until("arrived", lambda: {stage.service(v).state for v in away} == {"started"}, 60)
        await stage.sleep(20 + world.random.uniform(0, 10))
        stage.mark()
        places = {vmid: stage.service(vmid).node for vmid in away}
        await goes_down(stage, nodes)
        states: set[str] = set()
        for _ in range(300):
            await stage.sleep(1)
            states |= {ha.manager.nodes[node] for node in nodes}
            states |= {stage.service(vmid).state for vmid in away}
        stayed = {vmid: stage.service(vmid).node for vmid in away} == places
        fenced = [change for change in world.changes if change.what == "ha.fence"]
        await switch_on(world, nodes)
        for node in nodes:
            ask(stage, "node-maintenance", node, "disable")
        await stage.until("home", lambda: all(stage.service(v).node in nodes for v in away), 300)
        return stage, (states, stayed, fenced)

    assert played(story()) == ({"maintenance", "started"}, True, [])


def test_a_whole_site_moves_away_before_it_goes_down():
    """Policy migrate: each LRM tells at once that it leaves, so no guest goes to another node of its site."""

    async def story(seed: int):
        stage = await healthy(master="pxmx02-01", seed=seed)
        world, ha = stage.world, stage.ha
        world.cluster.options["ha"] = "shutdown_policy=migrate"
        for node in SITE_A:
            world.cluster.spawn(shut_down(world.cluster, node, reboot=False))
        targets: set[str] = set()
        for _ in range(240):
            await stage.sleep(0.5)
            targets |= {service.target for service in stage.services() if service.target}
        states = {ha.manager.nodes[node] for node in SITE_A}
        return stage, (targets <= set(SITE_B), states, on_b(stage), any(world.nodes[n].powered for n in SITE_A))

    assert {repr(played(story(seed))) for seed in range(1, 13)} == {repr((True, {"maintenance"}, True, False))}


@pytest.mark.parametrize("policy", ["conditional", "freeze", "failover", "migrate"])
def test_a_stopped_guest_keeps_no_node_from_going_down(policy: str):
    """Only services that are active count."""

    async def story():
        stage = await healthy(master="pxmx02-01", guests={300: NODE, 301: NODE})
        stage.world.cluster.options["ha"] = f"shutdown_policy={policy}"
        stage.ha.resources["vm:301"]["state"] = "stopped"
        await stage.until("stopped", lambda: stage.service(301).state == "stopped", 60)
        stage.mark()
        await goes_down(stage, [NODE])
        return stage, stage.seen["off"]

    assert played(story()) < 75


# --- watchdogs -------------------------------------------------------------------------------------------------------


def asked_for(state: str) -> Callable[[Stage], None]:
    return lambda stage: stage.ha.resources["vm:300"].update(state=state)


def in_error(stage: Stage) -> None:
    stage.ha.manager.services["vm:300"].state = "error"


@pytest.mark.parametrize(
    "bring", [asked_for("stopped"), asked_for("disabled"), in_error], ids=["stopped", "disabled", "error"]
)
def test_an_lrm_stays_active_for_services_that_do_not_run(bring: Callable[[Stage], None]):
    """What is configured here counts, whatever its state: without its network such a node is reset."""

    async def story():
        stage = await healthy(master="pxmx02-01")
        ha, world = stage.ha, stage.world
        bring(stage)
        await stage.sleep(900)
        found = [ha.lrms[NODE].state, set(ha.watchdogs[NODE].clients)]
        world.links.cut(f"node:{NODE}")
        await stage.sleep(120)
        resets = [change.target for change in world.changes if change.what == "watchdog.reset"]
        return stage, (*found, resets)

    assert played(story()) == ("active", {"lrm"}, [NODE])


def test_an_lrm_without_a_service_goes_idle_after_ten_minutes():
    """Lock and watchdog are given back, and a cut does not reset the node any more."""

    async def story():
        stage = await healthy(master="pxmx02-01")
        ask(stage, "migrate", "vm:300", "pxmx02-03")
        await stage.until("left", lambda: stage.service(300).node != NODE, 90)
        stage.mark()
        await stage.until("idle", lambda: stage.ha.lrms[NODE].state == "wait_for_agent_lock", 900)
        return stage, stage.seen["idle"]

    assert within([played(story())], (590, 650)) == []


@pytest.mark.parametrize(("node", "resets"), [(NODE, [NODE]), ("pxmx01-03", [])], ids=["active", "idle"])
def test_a_stalled_lrm_costs_the_node_if_it_is_active(node: str, resets: list[str]):
    """Nobody feeds the watchdog: 60 to 72 s later the node is reset, and boots with a fresh daemon."""

    async def story():
        stage = await healthy(master="pxmx02-01")
        world, drills = stage.world, Drills(stage.world)
        stage.mark()
        drills.fail("lrm-stalled", [node], by="test")
        await stage.sleep(400)
        off = [change for change in world.changes if change.what == "watchdog.reset"]
        late = within([change.time - stage.marked for change in off], (58, 72))
        running = all(stage.guests[vmid].running for vmid in (300, 301))
        drills.restore_all(by="test")
        return stage, ([change.target for change in off], late, running, stage.ha.lrms[node].stalled)

    assert played(story()) == (resets, [], True, False)


def test_a_stopped_crm_leaves_the_master_to_another_node():
    """It gives its lock back; a reboot, or the fault's end, starts it again."""

    async def story():
        stage = await healthy(master="pxmx02-01")
        ha, drills = stage.ha, Drills(stage.world)
        stage.mark()
        drills.fail("crm-stopped", ["pxmx02-01"], by="test")
        await stage.until("next", lambda: ha.manager.master != "pxmx02-01", 30)
        await stage.sleep(120)
        stopped = ha.crms["pxmx02-01"].state
        drills.restore_all(by="test")
        await stage.until("slave", lambda: ha.crms["pxmx02-01"].state == "slave", 20)
        return stage, (stage.seen["next"] < 20, stopped)

    assert played(story()) == (True, "wait_for_quorum")


# --- maintenance -----------------------------------------------------------------------------------------------------


# State, whether its watchdog is held, and its text: in maintenance, and after it.
LEFT = [
    ("maintenance", False, "maintenance mode, watchdog active"),
    ("active", True, "active, watchdog active"),
]
IDLE = [
    ("wait_for_agent_lock", False, "maintenance mode, watchdog standby"),
    ("wait_for_agent_lock", False, "idle, watchdog standby"),
]


@pytest.mark.parametrize(("node", "states"), [(NODE, LEFT), ("pxmx01-03", IDLE)], ids=["with a guest", "idle"])
def test_an_lrms_states_around_maintenance(node: str, states: list[tuple[str, bool, str]]):
    """One that is idle stays so; one that was active is active again afterwards, also when nobody comes back."""

    async def story():
        stage = await healthy(master="pxmx02-01", failback=0)
        ha, seen = stage.ha, []
        ask(stage, "node-maintenance", node, "enable")
        await stage.until("away", lambda: ha.manager.nodes[node] == "maintenance", 40)
        await stage.sleep(90)
        seen.append((ha.lrms[node].state, bool(ha.watchdogs[node].clients), _text(stage, node)))
        ask(stage, "node-maintenance", node, "disable")
        await stage.until("back", lambda: ha.manager.nodes[node] == "online", 40)
        await stage.sleep(20)
        seen.append((ha.lrms[node].state, bool(ha.watchdogs[node].clients), _text(stage, node)))
        return stage, seen

    assert played(story()) == states


def _text(stage: Stage, node: str) -> str:
    """What HA's status says of an LRM, without its name and date."""
    entry = next(one for one in stage.ha.status_current("pxmx02-01") if one["id"] == f"lrm:{node}")
    return str(entry["status"]).partition(" (")[2].rpartition(", ")[0]


def test_a_node_that_dies_right_after_its_maintenance_is_unknown():
    """Its LRM had left the mode: nobody takes it for empty any more, and its guests are recovered."""

    async def story():
        stage = await healthy(master="pxmx02-01")
        ha = stage.ha
        ask(stage, "node-maintenance", "pxmx01-03", "enable")
        await stage.until("away", lambda: ha.manager.nodes["pxmx01-03"] == "maintenance", 40)
        ha.files.lrms["pxmx01-03"].mode = "active"
        ha.lrms["pxmx01-03"].stalled = True
        switch_off(stage.world, ["pxmx01-03"])
        await stage.sleep(40)
        return stage, ha.manager.nodes["pxmx01-03"]

    assert played(story()) == "unknown"


def test_a_dead_node_in_maintenance_is_told_by_its_mode():
    """Not as one that is too old: the mode is the first word, the watchdog is in standby."""

    async def story():
        stage = await healthy(master="pxmx02-01")
        ask(stage, "node-maintenance", NODE, "enable")
        await stage.until("empty", lambda: not stage.ha.watchdogs[NODE].clients, 120)
        switch_off(stage.world, [NODE])
        await stage.sleep(90)
        return stage, _text(stage, NODE)

    assert played(story()) == "maintenance mode, watchdog standby"


# --- masters ---------------------------------------------------------------------------------------------------------


def test_no_crm_leads_from_a_node_that_waits_for_its_fencing():
    """It waits for quorum, as it calls it, until its services have been taken away."""

    async def story():
        stage = await healthy(master="pxmx02-01")
        ha, world = stage.ha, stage.world
        switch_off(world, [NODE])
        await stage.until("fence", lambda: stage.service(300).state == "fence", 120)
        await switch_on(world, [NODE])
        await stage.sleep(12)
        seen = (stage.service(300).state, ha.crms[NODE].state, ha.crms["pxmx01-02"].state)
        await stage.until("slave", lambda: ha.crms[NODE].state == "slave", 240)
        return stage, (seen, stage.service(300).state)

    assert played(story()) == (("fence", "wait_for_quorum", "slave"), "started")


def test_without_any_service_a_master_is_found_for_a_pending_command():
    """It takes the command, and gives up when nothing is left to do for a quarter of an hour."""

    async def story():
        stage = await healthy(master="pxmx02-01")
        ha = stage.ha
        ha.resources.clear()
        await stage.until("no master", lambda: {crm.state for crm in ha.crms.values()} == {"wait_for_quorum"}, 1200)
        ask(stage, "node-maintenance", NODE, "enable")
        await stage.until("taken", lambda: ha.manager.nodes[NODE] == "maintenance", 60)
        return stage, ha.manager.requests

    assert played(story()) == {NODE: {"maintenance": 1}}


# --- chance ----------------------------------------------------------------------------------------------------------


def test_the_daemons_phases_fill_a_whole_round():
    """Over some seeds every second of a round is met, by CRMs and LRMs alike, and a seed's world repeats itself."""

    async def rounds(seed: int) -> list[int]:
        stage = await healthy(master="pxmx02-01", seed=seed)
        began = stage.now
        met: list[int] = []
        stamps = {node: lrm.timestamp for node, lrm in stage.ha.files.lrms.items()}
        while len(met) < 3:
            await asyncio.sleep(0.25)
            new = {node: lrm.timestamp for node, lrm in stage.ha.files.lrms.items()}
            met += [int((stage.now - began) % 10) for node in SITE_A if new[node] != stamps[node]]
            stamps = new
        await stage.world.cluster.stop()
        return sorted(met)

    runs = [jump.run(rounds(seed)) for seed in range(40)]

    assert {second for run in runs for second in run} >= set(range(8))
    assert jump.run(rounds(3)) == runs[3]


def test_the_masters_line_tells_what_it_is_about_behind_its_date():
    """Disarming and the scheduler are suffixes of their own, behind the bracket, whichever node is asked."""

    async def story():
        stage = await healthy(master="pxmx02-01")
        stage.world.cluster.options["crs"] = "ha=static"
        ask(stage, "disarm-ha", "", "freeze")
        await stage.until("disarmed", lambda: (stage.ha.manager.disarm or {}).get("state") == "disarmed", 60)
        _, master, fencing, *_ = stage.ha.status_current(NODE)
        return stage, (master["status"].rpartition(")")[2], fencing["node"])

    assert played(story()) == (" - disarmed, resource mode: freeze - static load CRS", "pxmx02-01")


@pytest.mark.parametrize("seed", range(1, 5))
def test_a_returning_site_takes_over_the_file_system_of_the_others(seed: int):
    """It never brings its older one along, in whatever order its nodes announce the membership."""

    async def story():
        stage = await healthy(master="pxmx02-01", seed=seed)
        switch_off(stage.world, SITE_A)
        await stage.until("recovered", lambda: on_b(stage), 250)
        await switch_on(stage.world, SITE_A)
        await stage.sleep(60)
        return stage, [change.detail for change in stage.world.changes if change.what == "pmxcfs.revert"]

    assert played(story()) == []
