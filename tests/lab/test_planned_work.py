"""What people ask of HA: maintenance, disarming, shutting down; and what happens when it meets a loss."""

import asyncio

import pytest

from lab.control.drills import Drills
from lab.physics import jump
from lab.physics.power import switch_off, switch_on
from lab.pve.work.shutdown import shut_down
from tests.lab.stage import SITE_A, SITE_B, Stage, healthy

NODE = "pxmx01-01"


def play(story) -> None:
    """Run a story to its end."""

    async def run() -> None:
        stage = await story
        await stage.world.cluster.stop()

    jump.run(run())


def ask(stage: Stage, *command: str) -> None:
    name, about, argument = (*command, "", "")[:3]
    stage.ha.commands.append((name, about, argument))


def fencing(stage: Stage) -> list[str]:
    return [f"{change.what} {change.target}" for change in stage.world.changes if change.what.startswith("ha.fence")]


@pytest.mark.parametrize("failback", [1, 0])
def test_maintenance_empties_a_node_and_takes_its_guests_back(failback: int):
    """Moved away live, lock and watchdog given up; afterwards home again, if the resource's failback says so."""

    async def story() -> Stage:
        stage = await healthy(master="pxmx02-01", failback=failback)
        ha = stage.ha
        ask(stage, "node-maintenance", NODE, "enable")
        await stage.until("mode", lambda: ha.files.lrms[NODE].mode == "maintenance", 25)
        await stage.until("state", lambda: ha.manager.nodes[NODE] == "maintenance", 35)
        await stage.until(
            "empty", lambda: stage.service(300).state == "started" and stage.service(300).node != NODE, 60
        )
        await stage.until("watchdog closed", lambda: not ha.watchdogs[NODE].clients, 30)
        assert (stage.guests[300].running, ha.manager.requests) == (True, {NODE: {"maintenance": 1}})

        ask(stage, "node-maintenance", NODE, "disable")
        await stage.until("online", lambda: ha.manager.nodes[NODE] == "online", 35)
        await stage.sleep(60)
        assert (stage.service(300).node == NODE, stage.guests[300].running) == (bool(failback), True)
        assert fencing(stage) == []
        return stage

    play(story())


def by_command(stage: Stage) -> None:
    for sid in stage.ha.resources:
        ask(stage, "migrate", sid, "pxmx02-02")


def by_maintenance(stage: Stage) -> None:
    ask(stage, "node-maintenance", NODE, "enable")


@pytest.mark.parametrize("move", [by_command, by_maintenance])
@pytest.mark.parametrize("count", [2, 3, 4, 5, 8])
def test_any_number_of_guests_leaves_a_node_at_once(count: int, move):
    """Four workers at a time, each order carried out once: every guest arrives, none is in `error` (LRM.pm)."""

    async def story() -> Stage:
        stage = await healthy(master="pxmx02-01", guests={300 + n: NODE for n in range(count)}, seed=count)
        move(stage)
        away = lambda: all(s.node != NODE and s.state == "started" for s in stage.services())  # noqa: E731
        await stage.until("all away", away, 45 + 25 * ((count + 3) // 4))
        await stage.sleep(60)
        assert away()
        assert all(
            guest.running and guest.node == stage.service(guest.vmid).node
            for guest in stage.guests.values()
            if guest.vmid >= 300
        )
        moves = [change.target for change in stage.world.changes if change.what == "guest.migrate"]
        assert sorted(moves) == [str(300 + n) for n in range(count)]
        return stage

    play(story())


def test_an_empty_node_in_maintenance_may_lose_its_power():
    """No fencing, no mail; it stays in maintenance while it is off and gets its guests when it is back and released."""

    async def story() -> Stage:
        stage = await healthy(master="pxmx02-01")
        ask(stage, "node-maintenance", NODE, "enable")
        await stage.until("empty", lambda: not stage.ha.watchdogs[NODE].clients, 90)
        switch_off(stage.world, [NODE])
        await stage.sleep(300)
        assert (fencing(stage), stage.ha.manager.nodes[NODE]) == ([], "maintenance")

        ask(stage, "node-maintenance", NODE, "disable")
        await switch_on(stage.world, [NODE])
        await stage.until("home", lambda: stage.service(300).node == NODE, 120)
        return stage

    play(story())


def test_maintenance_is_refused_for_a_node_that_is_away():
    """The queue takes it, the master's log says no, and nowhere else can it be seen."""

    async def story() -> Stage:
        stage = await healthy(master="pxmx02-01")
        switch_off(stage.world, [NODE])
        await stage.until("unknown", lambda: stage.ha.manager.nodes[NODE] == "unknown", 40)
        ask(stage, "node-maintenance", NODE, "enable")
        await stage.sleep(15)
        log = stage.world.nodes["pxmx02-01"].journal["pve-ha-crm"]
        assert f"crm command error - node not online: enable-node-maintenance {NODE}" in log
        assert stage.ha.manager.requests == {}
        return stage

    play(story())


def test_a_whole_site_goes_into_maintenance():
    """Three requests at once, and both guests run on the other site."""

    async def story() -> Stage:
        stage = await healthy(master="pxmx02-01")
        for node in SITE_A:
            ask(stage, "node-maintenance", node, "enable")
        await stage.until("moved", lambda: all(s.node in SITE_B and s.state == "started" for s in stage.services()), 90)
        assert stage.seen["moved"] < 62  # §11: 42 s
        return stage

    play(story())


@pytest.mark.parametrize(
    ("mode", "state", "recovers"),
    [("freeze", "freeze", False), ("ignore", "started", True)],
    ids=["frozen for ever", "recovered at once"],
)
def test_a_site_that_dies_while_disarmed(mode: str, state: str, recovers: bool):
    """The trap of freeze: after arming again nothing fences and nothing recovers until the dead LRM is back."""

    async def story() -> Stage:
        stage = await healthy(master="pxmx02-01")
        ha = stage.ha
        ask(stage, "disarm-ha", "", mode)
        await stage.until("disarmed", lambda: (ha.manager.disarm or {}).get("state") == "disarmed", 60)
        assert not any(ha.watchdogs[node].clients for node in stage.world.nodes)
        assert {entry["status"] for entry in ha.status_current("pxmx02-01") if entry["type"] == "fencing"} == {
            f"disarmed, resource mode: {mode} (CRM watchdog released)"
        }
        switch_off(stage.world, SITE_A)
        await stage.sleep(200)
        assert fencing(stage) == []

        ask(stage, "arm-ha")
        stage.mark()
        await stage.sleep(120)
        states = {(service.state, service.node in SITE_B) for service in stage.services()}
        assert states == {(state, recovers)}
        await switch_on(stage.world, SITE_A)
        await stage.until("as before", lambda: {s.state for s in stage.services()} == {"started"}, 200)
        return stage

    play(story())


def test_disarming_waits_for_what_is_under_way():
    """A migration is finished first; meanwhile HA tells that it disarms, and LRMs with nothing to do leave at once."""

    async def story() -> Stage:
        stage = await healthy(master="pxmx02-01")
        ha = stage.ha
        ask(stage, "migrate", "vm:300", "pxmx02-03")
        await stage.until("moving", lambda: stage.service(300).state == "migrate", 20)
        ask(stage, "disarm-ha", "", "freeze")
        await stage.until("disarming", lambda: ha.manager.disarm == {"mode": "freeze", "state": "disarming"}, 12)
        await stage.until("left", lambda: not ha.watchdogs["pxmx01-02"].clients, 12)
        assert (stage.service(300).state, stage.service(301).state) == ("migrate", "started")
        await stage.until("disarmed", lambda: ha.manager.disarm["state"] == "disarmed", 90)
        assert (stage.service(300).node, {s.state for s in stage.services()}) == ("pxmx02-03", {"freeze"})
        ask(stage, "arm-ha")
        await stage.until("armed", lambda: {s.state for s in stage.services()} == {"started"}, 60)
        return stage

    play(story())


def test_disarming_drops_what_was_only_asked_for():
    """A command of the same round is not begun: the service is frozen where it is, and stays there afterwards."""

    async def story() -> Stage:
        stage = await healthy(master="pxmx02-01")
        ask(stage, "migrate", "vm:300", "pxmx02-03")
        ask(stage, "disarm-ha", "", "freeze")
        await stage.until("disarmed", lambda: (stage.ha.manager.disarm or {}).get("state") == "disarmed", 90)
        assert (stage.service(300).state, stage.service(300).node) == ("freeze", NODE)
        ask(stage, "arm-ha")
        await stage.until("armed", lambda: {s.state for s in stage.services()} == {"started"}, 60)
        await stage.sleep(30)
        assert stage.service(300).node == NODE
        return stage

    play(story())


def test_arming_while_a_node_is_cut_off_runs_its_guests_twice():
    """The trap of ignore: nobody's watchdog ran, so nothing has stopped them there, and no lock of its LRM is left."""

    async def story() -> Stage:
        stage = await healthy(master="pxmx02-01")
        ha = stage.ha
        ask(stage, "disarm-ha", "", "ignore")
        await stage.until("disarmed", lambda: (ha.manager.disarm or {}).get("state") == "disarmed", 60)
        drills = Drills(stage.world)
        drills.fail("node-network", [NODE], by="test")
        await stage.sleep(200)
        assert stage.world.nodes[NODE].powered
        assert fencing(stage) == []

        ask(stage, "arm-ha")
        await stage.until("started twice", lambda: len(stage.guests[300].runs_on) == 2, 120)
        assert NODE in stage.guests[300].runs_on
        assert stage.world.nodes[NODE].powered
        return stage

    play(story())


def test_what_was_moved_by_hand_while_ha_did_not_look_stays_there():
    """`arm-ha` takes over the places it finds (mode ignore), and orders nothing."""

    async def story() -> Stage:
        stage = await healthy(master="pxmx02-01")
        ask(stage, "disarm-ha", "", "ignore")
        await stage.until("disarmed", lambda: (stage.ha.manager.disarm or {}).get("state") == "disarmed", 90)
        stage.guests[300].node = "pxmx02-03"
        ask(stage, "arm-ha")
        await stage.until("armed", lambda: stage.ha.manager.disarm is None, 15)
        await stage.sleep(60)
        assert (stage.service(300).state, stage.service(300).node) == ("started", "pxmx02-03")
        assert stage.guests[300].runs_on == {"pxmx02-03"}
        log = stage.world.nodes["pxmx02-01"].journal["pve-ha-crm"]
        assert f"service 'vm:300': updating node '{NODE}' => 'pxmx02-03' (changed while disarmed)" in log
        return stage

    play(story())


def test_maintenance_comes_before_disarming():
    """A node in maintenance stays so while the others disarm, and no other may go into it then."""

    async def story() -> Stage:
        stage = await healthy(master="pxmx02-01")
        ha = stage.ha
        ask(stage, "node-maintenance", NODE, "enable")
        await stage.until("empty", lambda: stage.service(300).node != NODE, 90)
        await stage.until("settled", lambda: stage.service(300).state == "started", 30)
        ask(stage, "disarm-ha", "", "freeze")
        await stage.until("disarmed", lambda: (ha.manager.disarm or {}).get("state") == "disarmed", 90)
        ask(stage, "node-maintenance", "pxmx02-02", "enable")
        await stage.sleep(15)
        assert (ha.lrms[NODE].mode, ha.manager.nodes[NODE]) == ("maintenance", "maintenance")
        assert (ha.lrms["pxmx02-02"].mode, ha.manager.requests) == ("disarm", {NODE: {"maintenance": 1}})
        return stage

    play(story())


# Policy and whether it is a reboot -> (where the guest is 300 s later, whether its node was fenced) (§11).
SHUTDOWNS = {
    ("conditional", False): ("elsewhere", True),
    ("conditional", True): ("home", False),
    ("freeze", False): ("frozen", False),
    ("freeze", True): ("home", False),
    ("failover", False): ("elsewhere", True),
    ("failover", True): ("home", False),
    ("migrate", False): ("elsewhere", False),
    ("migrate", True): ("home", False),
}


@pytest.mark.parametrize(("policy", "reboot"), SHUTDOWNS)
def test_the_shutdown_policy_decides(policy: str, reboot: bool):
    """Stopped and frozen, recovered elsewhere, or moved away first; nothing is ever left running behind."""

    async def story() -> Stage:
        stage = await healthy(master="pxmx02-01")
        stage.world.cluster.options["ha"] = f"shutdown_policy={policy}"
        down = asyncio.ensure_future(shut_down(stage.world.cluster, NODE, reboot=reboot))
        await stage.sleep(300)
        assert down.done()
        service, guest = stage.service(300), stage.guests[300]
        where = "frozen" if service.state == "freeze" else "home" if service.node == NODE else "elsewhere"
        assert (where, bool(fencing(stage))) == SHUTDOWNS[policy, reboot]
        assert guest.running == (where != "frozen")
        return stage

    play(story())


def test_a_masters_orderly_end_finds_the_next_one_within_seconds():
    """It gives its lock back; nobody waits for two minutes."""

    async def story() -> Stage:
        stage = await healthy(master=NODE)
        down = asyncio.ensure_future(shut_down(stage.world.cluster, NODE, reboot=False))
        await stage.until("off", lambda: not stage.world.nodes[NODE].powered, 120)
        stage.mark()
        await stage.until("next master", lambda: stage.ha.manager.master != NODE, 30)
        await down
        return stage

    play(story())
