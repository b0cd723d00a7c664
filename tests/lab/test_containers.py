"""Containers: what lists say of them, and how HA stops, moves and starts them where it moves a machine live."""

import asyncio

import pytest

from lab.built import add_guest
from lab.hosts.node import NODE
from lab.physics import jump
from lab.physics.power import switch_off
from lab.pve.work.shutdown import shut_down
from lab.world import World
from tests.lab.stage import SITE_A, SITE_B, Api, Stage, deployed

HOME, OTHER = "pxmx01-01", "pxmx02-02"
_LXC = "/nodes/{node}/lxc/{vmid}"


def with_containers(world: World) -> None:
    """One under HA, one that nothing looks after, one that is stopped."""
    add_guest(world, 310, HOME, "lxc", name="db", memory=4096, ha="started")
    add_guest(world, 311, HOME, "lxc")
    add_guest(world, 312, "pxmx01-03", "lxc", running=False, ha="stopped")


def play(story) -> None:
    """A story on the deployed cluster with containers."""

    async def run() -> None:
        stage = await deployed(master="pxmx02-01", more=with_containers)
        await story(stage, Api(stage))
        await stage.world.cluster.stop()

    jump.run(run())


def volume(stage: Stage, vmid: int = 310):
    group = stage.world.volume_group(HOME, "pxmx-ac-vg") or stage.world.volume_group(OTHER, "pxmx-ac-vg")
    assert group is not None
    return group.lvs[f"vm-{vmid}-disk-0"]


def tasks(stage: Stage, vmid: int = 310) -> list[tuple[str, str]]:
    """What was done to a guest and where, in order."""
    return [(task.node, task.kind) for task in stage.world.cluster.tasks.all if task.target == str(vmid)]


def test_a_container_is_listed_beside_machines():
    """In the cluster's list, on its node, with HA's word; its file, its volume and its size."""

    async def story(stage: Stage, api: Api) -> None:
        row = (await api.rows())["lxc/310"]
        assert {name: row[name] for name in ("type", "vmid", "name", "node", "status", "hastate", "maxmem")} == {
            "type": "lxc", "vmid": 310, "name": "db", "node": HOME, "status": "running", "hastate": "started",
            "maxmem": 4096 * 2**20,
        }  # fmt: skip
        assert [one["vmid"] for one in await api.call("GET", "/nodes/{node}/lxc", via=HOME)] == [310, 311]
        assert 310 not in [one["vmid"] for one in await api.call("GET", "/nodes/{node}/qemu", via=HOME)]
        assert (await api.current(310, HOME))["ha"] == {"managed": 1, "state": "started"}
        assert (await api.current(311, HOME))["ha"] == {"managed": 0}
        config = await api.call("GET", f"{_LXC}/config", via=HOME, vmid=310)
        assert (config["hostname"], config["rootfs"]) == ("db", "pxmx-ac-shared:vm-310-disk-0,size=8G")
        assert await api.refused("GET", "/nodes/{node}/qemu/{vmid}/config", via=HOME, vmid=310) == (
            f"Configuration file 'nodes/{HOME}/qemu-server/310.conf' does not exist"
        )
        assert await api.refused("GET", f"{_LXC}/config", via=HOME, vmid=300) == (
            f"Configuration file 'nodes/{HOME}/lxc/300.conf' does not exist"
        )
        assert (volume(stage).open_on, volume(stage, 312).open_on) == ({HOME}, set())
        content = await api.call("GET", "/nodes/{node}/storage/{storage}/content", via=HOME, storage="pxmx-ac-shared")
        kinds = {entry["vmid"]: entry["content"] for entry in content}
        assert (kinds[300], kinds[310]) == ("images", "rootdir")

    play(story)


@pytest.mark.parametrize("command", ["migrate", "relocate"])
def test_ha_restarts_a_container_where_it_moves_a_machine_live(command: str):
    """Shut down, moved, started by the other node's LRM; its volume is never open on two nodes, and it was down."""

    async def story(stage: Stage, api: Api) -> None:
        await api.call("POST", f"/cluster/ha/resources/{{sid}}/{command}", sid="ct:310", node=OTHER)
        await stage.until("down", lambda: not stage.guests[310].running, 40)
        assert stage.ha.manager.services["ct:310"].state == command
        down, opened = stage.now, []
        while stage.ha.manager.services["ct:310"].state == command or not stage.guests[310].running:
            opened.append(set(volume(stage).open_on))
            await stage.sleep(0.5)
        assert stage.guests[310].node == OTHER
        assert max(map(len, opened)) <= 1
        assert 5 < stage.now - down < 35
        assert tasks(stage)[-3:] == [(HOME, "vzshutdown"), (HOME, "vzmigrate"), (OTHER, "vzstart")]

    play(story)


def test_maintenance_relocates_containers_and_leaves_what_ha_does_not_know():
    """Machines migrate, the container is relocated; the one that nothing looks after runs on where it is."""

    async def story(stage: Stage, api: Api) -> None:
        states: set[str] = set()
        stage.ha.commands.append(("node-maintenance", HOME, "enable"))
        while stage.guests[310].node == HOME or not stage.guests[310].running:
            states.add(stage.ha.manager.services["ct:310"].state)
            assert stage.now < stage.marked + 120
            await stage.sleep(1)
        assert (states, "migrate" in states) == ({"started", "relocate"}, False)
        rows = await api.rows()
        assert (rows["lxc/311"]["node"], rows["lxc/311"]["status"]) == (HOME, "running")

    play(story)


def test_a_fenced_nodes_container_is_recovered_like_a_machine():
    """Its file is moved, a lock of its old life is removed, and another node starts it; the unmanaged one is lost."""

    async def story(stage: Stage, api: Api) -> None:
        stage.guests[310].lock = "mounted"
        switch_off(stage.world, SITE_A)
        await stage.until("recovered", lambda: stage.guests[310].node in SITE_B and stage.guests[310].running, 250)
        guest = stage.guests[310]
        assert guest.lock is None
        assert volume(stage).open_on == {guest.node}
        assert (stage.guests[311].node, stage.guests[311].running) == (HOME, False)
        assert tasks(stage)[-1] == (guest.node, "vzstart")
        row = (await api.rows())["lxc/310"]
        assert (row["node"], row["status"]) == (guest.node, "running")

    play(story)


def test_a_container_that_nothing_looks_after_is_stopped_started_and_moved_by_hand():
    """In its own tasks; moving one that runs needs the restart mode, and live there is no way."""

    async def story(stage: Stage, api: Api) -> None:
        template = f"{_LXC}/migrate"
        assert await api.refused("POST", template, via=HOME, vmid=311, target=OTHER) == (
            "can't migrate running container without --online or --restart"
        )
        live = await api.ended(await api.call("POST", template, via=HOME, vmid=311, target=OTHER, online=1))
        assert live.exitstatus == "lxc live migration is currently not implemented"
        assert (await api.ended(await api.call("POST", template, via=HOME, vmid=311, target=OTHER, restart=1))
                ).exitstatus == "OK"  # fmt: skip
        assert (stage.guests[311].node, stage.guests[311].running, volume(stage, 311).open_on) == (OTHER, True, {OTHER})
        stop = await api.call("POST", f"{_LXC}/status/shutdown", via=OTHER, vmid=311)
        assert ((await api.ended(stop)).kind, stage.guests[311].running) == ("vzshutdown", False)
        assert await api.refused("POST", f"{_LXC}/status/stop", via=OTHER, vmid=311) == "CT 311 not running"
        await api.ended(await api.call("POST", f"{_LXC}/status/start", via=OTHER, vmid=311))
        assert await api.refused("POST", f"{_LXC}/status/start", via=OTHER, vmid=311) == "CT 311 already running"

    play(story)


def test_the_containers_own_calls_ask_ha():
    """`hastop` and `hastart`, which end at once; the rest is HA's."""

    async def story(stage: Stage, api: Api) -> None:
        task = await api.ended(await api.call("POST", f"{_LXC}/status/shutdown", via=HOME, vmid=310))
        assert (task.kind, task.exitstatus, task.lines[0]) == ("hastop", "OK", "Requesting HA stop for CT 310")
        await stage.until("stopped", lambda: stage.ha.manager.services["ct:310"].state == "stopped", 60)
        assert (await api.rows())["lxc/310"]["status"] == "stopped"
        await api.ended(await api.call("POST", f"{_LXC}/status/start", via=HOME, vmid=310))
        await stage.until("running", lambda: stage.guests[310].running, 60)
        await api.ended(await api.call("POST", f"{_LXC}/migrate", via=HOME, vmid=310, target=OTHER, online=1))
        await stage.until("moved", lambda: stage.guests[310].node == OTHER and stage.guests[310].running, 60)

    play(story)


def test_a_node_that_goes_down_shuts_its_containers_down():
    """Those under HA by its policy, the others by themselves; both cleanly."""

    async def story(stage: Stage, _: Api) -> None:
        down = asyncio.ensure_future(shut_down(stage.world.cluster, HOME, reboot=False))
        await stage.until("off", lambda: not stage.world.nodes[HOME].powered, 120)
        await down
        assert (HOME, "vzshutdown") in tasks(stage)
        assert (HOME, "vzshutdown") in tasks(stage, 311)

    play(story)


def test_pct_and_qm_know_their_own_kinds():
    """`pct list` is a table of containers, `pct status` a line; each tool finds no file of the other's guests."""

    async def story(stage: Stage, _: Api) -> None:
        async def run(line: str):
            return await NODE.run(stage.world, stage.world.nodes[HOME], line)

        stage.guests[311].lock = "backup"
        head, *rows = [line.split() for line in (await run("pct list")).stdout.splitlines()]
        assert (head, rows) == (
            ["VMID", "Status", "Lock", "Name"], [["310", "running", "db"], ["311", "running", "backup", "ct-311"]],
        )  # fmt: skip
        assert (await run("pct status 310")).stdout == "status: running\n"
        assert "hostname: db\n" in (await run("pct config 310")).stdout
        assert "310" not in (await run("qm list")).stdout
        wrong = await run("pct status 300")
        assert (wrong.status, wrong.stderr) == (
            2, f"Configuration file 'nodes/{HOME}/lxc/300.conf' does not exist\n",
        )  # fmt: skip
        assert "service ct:310 (pxmx01-01, started)" in (await run("ha-manager status")).stdout
        assert "hostname: db\n" in (await run(f"cat /etc/pve/nodes/{HOME}/lxc/310.conf")).stdout

    play(story)
