"""What the cluster's list says of guests whose process does not work, that move, or whose node is away."""

import pytest

from lab.built import add_guest
from lab.control.drills import Drills
from lab.hosts.node import NODE
from lab.physics import jump
from lab.physics.power import switch_off, switch_on
from lab.pve.ha.state import MOVING
from lab.world import World
from tests.lab.stage import SITE_A, SITE_B, Api, Stage, deployed

HOME, OTHER = "pxmx01-01", "pxmx02-02"
SEEN_BY = "pxmx02-01"
FIGURES = {"name", "uptime", "cpu", "maxcpu", "mem", "maxmem", "disk", "maxdisk", "netin", "diskread"}


def more(world: World) -> None:
    """A machine that nothing looks after, and one that HA keeps stopped."""
    add_guest(world, 320, HOME, memory=2048)
    add_guest(world, 321, HOME, running=False, ha="stopped")


def play(story, *, master: str = SEEN_BY) -> None:
    """A story on the deployed cluster."""

    async def run() -> None:
        stage = await deployed(master=master, more=more)
        await story(stage, Api(stage))
        await stage.world.cluster.stop()

    jump.run(run())


def volume(stage: Stage, vmid: int = 300):
    return next(lv for lv in stage.world.cluster.volumes_of(stage.guests[vmid]) if lv.name == f"vm-{vmid}-disk-0")


@pytest.mark.parametrize("state", ["paused", "prelaunch", "suspended", "internal-error"])
def test_the_list_shows_qemus_own_state(state: str):
    """Where the node itself says running: the process is there, and holds its volume open. HA takes it for started."""

    async def story(stage: Stage, api: Api) -> None:
        drills = Drills(stage.world)
        drills.fail("guest-paused", ["300", state], by="a test")
        await stage.sleep(60)
        row, own = (await api.rows())["qemu/300"], await api.current(300, HOME)
        assert (row["status"], row["hastate"]) == (state, "started")
        assert (own["status"], own["qmpstatus"], "pid" in own) == ("running", state, True)
        assert volume(stage).open_on == {HOME}
        listed = {one["vmid"]: one for one in await api.call("GET", "/nodes/{node}/qemu", via=HOME)}
        assert (listed[300]["status"], "qmpstatus" in listed[300]) == ("running", False)
        ping = ("POST", "/nodes/{node}/qemu/{vmid}/agent/ping")
        assert await api.refused(*ping, via=HOME, vmid=300) == "QEMU guest agent is not running"
        drills.restore("guest-paused", ["300"], by="a test")
        assert await api.call(*ping, via=HOME, vmid=300) == {"result": {}}
        assert (await api.rows())["qemu/300"]["status"] == "running"

    play(story)


def test_a_machine_is_paused_and_resumed_over_the_api():
    """A paused one cannot be asked to shut down; HA's own stop ends it all the same."""

    async def story(stage: Stage, api: Api) -> None:
        template = "/nodes/{node}/qemu/{vmid}/status/"
        assert (await api.ended(await api.call("POST", f"{template}suspend", via=HOME, vmid=300))).kind == "qmpause"
        assert (await api.rows())["qemu/300"]["status"] == "paused"
        said = await api.refused("POST", f"{template}shutdown", via=HOME, vmid=300)
        assert said == "VM is paused - cannot shutdown"
        await api.ended(await api.call("POST", f"{template}resume", via=HOME, vmid=300))
        assert (await api.rows())["qemu/300"]["status"] == "running"
        await api.ended(await api.call("POST", f"{template}suspend", via=HOME, vmid=300))
        await api.call("PUT", "/cluster/ha/resources/{sid}", sid="vm:300", state="stopped")
        await stage.until("stopped", lambda: not stage.guests[300].running, 60)
        assert (await api.rows())["qemu/300"]["status"] == "stopped"

    play(story)


def test_a_lost_array_shows_as_io_error_in_the_list():
    """On every node whose paths are all gone; HA goes on calling the guests started."""

    async def story(stage: Stage, api: Api) -> None:
        drills = Drills(stage.world)
        drills.fail("storage-network", [], by="a test")
        drills.fail("array", ["X90R3-SiteA"], by="a test")
        await stage.sleep(30)
        rows = await api.rows()
        assert {(rows[f"qemu/{vmid}"]["status"], rows[f"qemu/{vmid}"]["hastate"]) for vmid in (300, 301)} == {
            ("io-error", "started")
        }
        assert rows["qemu/320"]["status"] == "io-error"
        assert (await api.current(300, HOME))["status"] == "running"

    play(story)


def test_a_live_migration_has_its_volume_open_on_both_nodes():
    """Locked `migrate`, in HA's state migrate, and one owner again at its end."""

    async def story(stage: Stage, api: Api) -> None:
        await api.call("POST", "/cluster/ha/resources/{sid}/migrate", sid="vm:300", node=OTHER)
        await stage.until("on its way", lambda: stage.guests[300].lock == "migrate", 40)
        await stage.sleep(5)
        row = (await api.rows())["qemu/300"]
        assert (row["node"], row["status"], row["lock"], row["hastate"]) == (HOME, "running", "migrate", "migrate")
        assert volume(stage).open_on == volume(stage).active_on == {HOME, OTHER}
        await stage.until("arrived", lambda: stage.service(300).state not in MOVING, 60)
        row = (await api.rows())["qemu/300"]
        assert (row["node"], row["status"], "lock" in row) == (OTHER, "running", False)
        assert volume(stage).open_on == volume(stage).active_on == {OTHER}
        assert row["uptime"] < 60  # another process

    play(story)


def test_a_migration_whose_target_dies_leaves_one_owner():
    """The guest stays where it was, and HA says started there."""

    async def story(stage: Stage, api: Api) -> None:
        await api.call("POST", "/cluster/ha/resources/{sid}/migrate", sid="vm:300", node=OTHER)
        await stage.until("on its way", lambda: stage.guests[300].incoming == OTHER, 40)
        switch_off(stage.world, [OTHER])
        await stage.until("given up", lambda: stage.guests[300].lock is None, 40)
        assert (stage.guests[300].node, stage.guests[300].running, volume(stage).open_on) == (HOME, True, {HOME})

    play(story)


def test_a_migration_whose_source_dies_is_recovered():
    """The lock is removed, and the guest runs once, although the target keeps the volume active."""

    async def story(stage: Stage, api: Api) -> None:
        await api.call("POST", "/cluster/ha/resources/{sid}/migrate", sid="vm:300", node=OTHER)
        await stage.until("on its way", lambda: stage.guests[300].incoming == OTHER, 40)
        switch_off(stage.world, [HOME])
        await stage.until("recovered", lambda: stage.guests[300].running, 250)
        guest = stage.guests[300]
        assert (guest.lock, guest.incoming, volume(stage).open_on) == (None, None, {guest.node})
        assert OTHER in volume(stage).active_on

    play(story)


CUTS = {
    "power": lambda drills: drills.fail("site-power", ["site-a"], by="a test"),
    "network": lambda drills: drills.fail("site-network", ["site-a"], by="a test"),
    "inter-site": lambda drills: drills.fail("inter-site", [], by="a test"),
}


@pytest.mark.parametrize("how", CUTS)
def test_a_silent_node_is_believed_for_five_minutes(how: str):
    """Running all the time whatever cut it off, then nothing is known: no name, no size, no storage."""

    async def story(stage: Stage, api: Api) -> None:
        seen_by = SEEN_BY if how != "inter-site" else HOME
        away, guest = (SITE_A, 320) if how != "inter-site" else (SITE_B, 330)
        add_guest(stage.world, 330, "pxmx02-03")
        CUTS[how](Drills(stage.world))
        states = []
        for _ in range(28):
            await stage.sleep(10)
            states.append((await api.rows(seen_by))[f"qemu/{guest}"]["status"])
        assert set(states) == {"running"}

        await stage.sleep(60)
        row = (await api.rows(seen_by))[f"qemu/{guest}"]
        assert (row["status"], FIGURES & row.keys()) == ("unknown", set())
        assert row["node"] in away
        rows = await api.rows(seen_by)
        node, storage = rows[f"node/{row['node']}"], rows[f"storage/{row['node']}/pxmx-ac-shared"]
        assert (node["status"], {"uptime", "cpu", "mem", "maxmem", "level"} & node.keys()) == ("offline", set())
        assert (storage["status"], "maxdisk" in storage) == ("unknown", False)

    play(story)


def test_an_offline_node_has_sizes_and_no_figures():
    """Its uptime, load and use are of a node that is there; for five minutes its sizes are known."""

    async def story(stage: Stage, api: Api) -> None:
        switch_off(stage.world, [HOME])
        await stage.until("gone", lambda: HOME not in stage.world.membership.members(SEEN_BY), 30)
        rows = await api.rows()
        node = rows[f"node/{HOME}"]
        assert (node["status"], "maxmem" in node) == ("offline", True)
        assert not {"uptime", "cpu", "mem", "disk"} & node.keys()
        assert rows[f"storage/{HOME}/pxmx-ac-shared"]["status"] == "available"
        await switch_on(stage.world, [HOME])
        await stage.until("back", lambda: HOME in stage.world.membership.members(SEEN_BY), 30)
        assert (await api.rows())[f"node/{HOME}"]["uptime"] < 60

    play(story)


def test_a_node_that_booted_knows_nothing_of_the_silent_ones():
    """What was broadcast before is not in its memory."""

    async def story(stage: Stage, api: Api) -> None:
        switch_off(stage.world, [HOME, OTHER])
        await stage.sleep(30)
        await switch_on(stage.world, [OTHER])
        await stage.until("back", lambda: stage.world.votes(OTHER).quorate, 30)
        assert (await api.rows(OTHER))["qemu/320"]["status"] == "unknown"
        assert (await api.rows(SEEN_BY))["qemu/320"]["status"] == "running"

    play(story)


def test_a_fenced_node_that_comes_back_isolated_claims_no_guest():
    """It reads its old files, and no process of its own: its guest is stopped there, and runs elsewhere."""

    async def story(stage: Stage, api: Api) -> None:
        stage.world.links.cut("uplink:site-a")
        await stage.until("recovered", lambda: stage.guests[300].node in SITE_B and stage.guests[300].running, 250)
        await stage.until("booted", lambda: stage.world.nodes[HOME].powered, 60)
        row, own = (await api.rows(HOME))["qemu/300"], await api.current(300, HOME)
        assert (row["node"], row["status"], own["status"], "pid" in own) == (HOME, "stopped", "stopped", False)
        assert (await api.rows())["qemu/300"]["status"] == "running"

    play(story)


def test_a_stopped_service_keeps_its_node_from_nothing():
    """It has a row and a state in HA, does not run, and stays while the others are moved away by maintenance."""

    async def story(stage: Stage, api: Api) -> None:
        row = (await api.rows())["qemu/321"]
        assert (row["status"], row["hastate"], volume(stage, 321).active_on) == ("stopped", "stopped", set())
        stage.ha.commands.append(("node-maintenance", HOME, "enable"))
        await stage.until("moved", lambda: stage.guests[300].node != HOME, 90)
        await stage.sleep(60)
        assert (stage.guests[321].node, stage.ha.manager.services["vm:321"].state) == (HOME, "stopped")
        assert stage.guests[320].running

    play(story)


def test_a_suspended_volume_is_shown_as_such():
    """`lvs` says suspended and open in place of active and open, on that node alone."""

    async def story(stage: Stage, _: Api) -> None:
        async def attributes(node: str) -> str:
            listed = (await NODE.run(stage.world, stage.world.nodes[node], "lvs")).stdout.splitlines()
            return next(line.split()[2] for line in listed if line.split()[0] == "vm-300-disk-0")

        drills = Drills(stage.world)
        drills.fail("suspended-lv", [HOME, "vm-300-disk-0"], by="a test")
        assert (await attributes(HOME), await attributes(OTHER)) == ("-wi-so----", "-wi-------")
        drills.restore("suspended-lv", [HOME, "vm-300-disk-0"], by="a test")
        assert await attributes(HOME) == "-wi-ao----"

    play(story)
