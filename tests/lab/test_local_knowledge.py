"""What a node, or the witness, can know: its own processes, its own files, and the last words of the others."""

import pytest

from lab.built import add_guest
from lab.control.drills import Drills
from lab.hosts.node import NODE
from lab.hosts.witness import WITNESS
from lab.physics import jump
from lab.physics.power import switch_off, switch_on
from lab.pve.errors import PveError
from lab.pve.responses import backups
from lab.pve.work.tasks import DIED
from lab.world import World
from tests.lab.stage import SITE_A, SITE_B, Api, Stage, deployed

HOME, OTHER = "pxmx01-01", "pxmx02-02"


def more(world: World) -> None:
    """Machines that nothing looks after, one at each site."""
    add_guest(world, 320, HOME)
    add_guest(world, 330, "pxmx02-03")
    world.cluster.jobs["nightly"] = {"enabled": 1, "vmid": "320", "storage": "local"}


def play(story) -> None:
    """A story on the deployed cluster."""

    async def run() -> None:
        stage = await deployed(master="pxmx02-01", more=more)
        await story(stage, Api(stage), Drills(stage.world))
        await stage.world.cluster.stop()

    jump.run(run())


async def says(stage: Stage, node: str, line: str) -> str:
    return (await NODE.run(stage.world, stage.world.nodes[node], line)).stdout


def label(text: str, name: str) -> list[str]:
    return [line.partition(":")[2].strip() for line in text.splitlines() if line.strip().startswith(f"{name}:")]


# --- files -----------------------------------------------------------------------------------------------------------


def test_a_node_that_is_cut_off_reads_its_old_files():
    """Whatever kind of file the others write: a guest's, a storage's, a job's, options, users."""

    async def story(stage: Stage, api: Api, drills: Drills) -> None:
        drills.fail("node-network", [OTHER], by="a test")
        await stage.sleep(30)
        cluster = stage.world.cluster
        await api.call("PUT", "/nodes/{node}/qemu/{vmid}/config", via=HOME, vmid=320, description="new", tags="new")
        await api.call("PUT", "/cluster/options", description="new")
        await api.call("PUT", "/access/users/{userid}", userid="root@pam", comment="new")
        cluster.jobs["weekly"] = {"enabled": 1, "vmid": "330", "storage": "local"}
        cluster.add_storage("new", "dir", {"path": "/new"})

        async def known(via: str) -> list[bool]:
            return [
                "tags" in (await api.rows(via))["qemu/320"],
                "description" in await api.call("GET", "/cluster/options", via=via),
                "comment" in await api.call("GET", "/access/users/{userid}", via=via, userid="root@pam"),
                len(await api.call("GET", "/cluster/backup", via=via)) == 2,
                "new" in [one["storage"] for one in await api.call("GET", "/storage", via=via)],
            ]

        assert await known("pxmx02-01") == [True] * 5
        assert await known(OTHER) == [False] * 5
        drills.restore("node-network", [OTHER], by="a test")
        await stage.sleep(60)
        assert await known(OTHER) == [True] * 5

    play(story)


def test_a_guest_that_was_destroyed_meanwhile_is_still_in_the_old_files():
    """A node that is cut off lists it, and it does not run there."""

    async def story(stage: Stage, api: Api, drills: Drills) -> None:
        drills.fail("site-network", ["site-a"], by="a test")
        await stage.sleep(30)
        await api.ended(await api.call("POST", "/nodes/{node}/qemu/{vmid}/status/stop", via="pxmx02-03", vmid=330))
        await api.ended(await api.call("DELETE", "/nodes/{node}/qemu/{vmid}", via="pxmx02-03", vmid=330))
        assert "qemu/330" not in await api.rows("pxmx02-01")
        assert (await api.rows(HOME))["qemu/330"]["status"] == "running"  # the last words of its node

    play(story)


def test_nobody_knows_of_tasks_beyond_the_cut():
    """The lists of tasks and the log are what other nodes have told."""

    async def story(stage: Stage, api: Api, drills: Drills) -> None:
        drills.fail("inter-site", [], by="a test")
        await stage.sleep(2)  # nobody has noticed yet
        upid = await api.call("POST", "/nodes/{node}/qemu/{vmid}/status/reboot", via=HOME, vmid=320)
        await api.ended(upid)
        known = {}
        for via in (HOME, SITE_B[0]):
            listed = [task["upid"] for task in await api.call("GET", "/cluster/tasks", via=via)]
            logged = [line["msg"] for line in await api.call("GET", "/cluster/log", via=via, max=200)]
            known[via] = (upid in listed, any(upid in line for line in logged))
        assert known == {HOME: (True, True), SITE_B[0]: (False, False)}

    play(story)


# --- processes -------------------------------------------------------------------------------------------------------


def test_a_guest_that_runs_elsewhere_is_not_stopped_by_a_node_that_no_longer_has_it():
    """`qm` works on the processes of its own node."""

    async def story(stage: Stage, api: Api, drills: Drills) -> None:
        stage.world.links.cut("uplink:site-a")
        await stage.until("recovered", lambda: stage.guests[300].node in SITE_B and stage.guests[300].running, 250)
        await stage.until("booted", lambda: stage.world.nodes[HOME].powered, 60)
        await stage.sleep(20)
        await api.call("DELETE", "/cluster/ha/resources/{sid}", sid="vm:300")
        assert (await api.current(300, HOME))["status"] == "stopped"
        assert "stopped" in await says(stage, HOME, "qm list")
        await says(stage, HOME, "qm stop 300")
        assert stage.guests[300].running

    play(story)


# --- rings and votes -------------------------------------------------------------------------------------------------


def test_the_witness_tells_each_clients_membership_ring_and_vote():
    """As in the captured link cut: 1.38 and 4.38, ACK and NACK (host-outputs 1.8)."""

    async def story(stage: Stage, _: Api, drills: Drills) -> None:
        before = label(await says(stage, HOME, "pvecm status"), "Ring ID")[0].partition(".")[2]
        drills.fail("inter-site", [], by="a test")
        await stage.sleep(60)
        ring = f"{int(before, 16) + 4:x}"
        told = (await WITNESS.run(stage.world, stage.world.witness, "corosync-qnetd-tool -lv")).stdout
        assert label(told, "Membership node list") == ["1, 2, 3"] * 3 + ["4, 5, 6"] * 3
        assert label(told, "Ring ID") == [f"1.{ring}"] * 3 + [f"4.{ring}"] * 3
        assert label(told, "Vote") == ["No change (ACK)"] * 3 + ["No change (NACK)"] * 3
        assert label(await says(stage, OTHER, "pvecm status"), "Ring ID") == [f"4.{ring}"]

    play(story)


def test_a_booted_node_expects_no_vote_of_a_device_that_it_has_not_met():
    """Six votes are expected on a site that comes back alone, seven when it has met the others (host-outputs 1.9)."""

    async def story(stage: Stage, _: Api, drills: Drills) -> None:
        drills.fail("site-power", ["site-a"], by="a test")
        await stage.sleep(40)
        drills.fail("inter-site", [], by="a test")
        drills.restore("site-power", ["site-a"], by="a test")
        await stage.sleep(60)
        told = await says(stage, HOME, "pvecm status")
        assert [label(told, name)[0].split()[0] for name in ("Expected votes", "Total votes", "Quorum")] == [
            "6",
            "3",
            "4",
        ]
        drills.restore("inter-site", [], by="a test")
        await stage.sleep(60)
        assert label(await says(stage, HOME, "pvecm status"), "Expected votes") == ["7"]

    play(story)


# --- boots -----------------------------------------------------------------------------------------------------------


def test_a_boot_shows_in_every_uptime_and_in_the_ids_of_processes():
    """API and shell tell the same; before it, the uptime grows; clock ticks and pids begin anew."""

    async def story(stage: Stage, api: Api, _: Drills) -> None:
        async def up() -> int:
            return (await api.call("GET", "/nodes/{node}/status", via=HOME))["uptime"]

        before = await up()
        await stage.sleep(100)
        assert 99 <= await up() - before <= 101
        assert " up 10 days," in await says(stage, HOME, "uptime")
        switch_off(stage.world, [HOME])
        await switch_on(stage.world, [HOME])
        await stage.sleep(60)
        assert 58 <= await up() <= 62
        assert " up 1 min," in await says(stage, HOME, "uptime")
        task = await api.ended(await api.call("POST", "/nodes/{node}/qemu/{vmid}/status/start", via=HOME, vmid=320))
        assert (task.pstart < 70 * 100, task.pid < 5000) == (True, True)

    play(story)


def test_the_witness_shows_its_own_boot():
    """Its uptime is its own, too."""

    async def story(stage: Stage, _: Api, drills: Drills) -> None:
        drills.fail("witness", [], by="a test")
        await stage.sleep(30)
        drills.restore("witness", [], by="a test")
        await stage.sleep(20)
        assert " up 0 min," in (await WITNESS.run(stage.world, stage.world.witness, "uptime")).stdout

    play(story)


def test_a_service_that_was_stopped_shows_in_the_api_and_in_the_shell():
    """The API tells of a daemon what `systemctl` does."""

    async def story(stage: Stage, api: Api, drills: Drills) -> None:
        path = "/nodes/{node}/services/{service}/state"
        drills.fail("crm-stopped", [HOME], by="a test")
        assert (await api.call("GET", path, via=HOME, service="pve-ha-crm"))["state"] == "dead"
        assert await says(stage, HOME, "systemctl is-active pve-ha-crm") == "inactive\n"
        assert (await api.call("GET", path, via=OTHER, service="pve-ha-crm"))["state"] == "running"

    play(story)


# --- under way -------------------------------------------------------------------------------------------------------


def test_a_task_dies_with_its_node_although_that_is_soon_up_again():
    """A backup takes longer than a boot: its lock stays, and its task has no good end."""

    async def story(stage: Stage, api: Api, _: Drills) -> None:
        task = backups.run(stage.world.cluster, "nightly")[0]
        await stage.sleep(5)
        switch_off(stage.world, [HOME])
        listed = {one["upid"]: one for one in await api.call("GET", "/cluster/tasks")}
        assert "endtime" not in listed[task.upid]  # nobody else knows of its end
        await switch_on(stage.world, [HOME])
        await stage.sleep(90)
        assert (task.exitstatus, stage.guests[320].lock) == (DIED, "backup")
        own = await api.call("GET", "/nodes/{node}/tasks/{upid}/status", via=HOME, upid=task.upid)
        assert (own["status"], own["exitstatus"]) == ("stopped", DIED)
        with pytest.raises(PveError, match=r"locked \(backup\)"):
            await api.call("POST", "/nodes/{node}/qemu/{vmid}/clone", via=HOME, vmid=320, newid=500)

    play(story)


def test_without_a_quorum_a_lock_cannot_be_taken_away():
    """A backup that ends on a node that may not write leaves it."""

    async def story(stage: Stage, _: Api, drills: Drills) -> None:
        task = backups.run(stage.world.cluster, "nightly")[0]
        await stage.sleep(5)
        drills.fail("node-network", [HOME], by="a test")
        await task.done.wait()
        assert (task.exitstatus, stage.guests[320].lock) == ("job errors", "backup")

    play(story)


def test_a_migration_waits_for_a_membership_that_is_under_way():
    """The file is moved when the cluster may write again; nothing is aborted because some other node was lost."""

    async def story(stage: Stage, api: Api, _: Drills) -> None:
        upid = await api.call(
            "POST", "/nodes/{node}/qemu/{vmid}/migrate", via=HOME, vmid=320, target=SITE_A[1], online=1
        )
        await stage.sleep(12)
        switch_off(stage.world, ["pxmx02-03"])
        assert (await api.ended(upid)).exitstatus == "OK"
        assert (stage.guests[320].node, stage.guests[320].lock) == (SITE_A[1], None)

    play(story)


def test_what_runs_on_request_dies_with_its_host():
    """A transient unit ends with the power, and its name is free after the boot."""

    async def story(stage: Stage, _: Api, drills: Drills) -> None:
        host = stage.world.nodes[HOME]
        line = f"systemd-run --wait --unit=work ssh root@{stage.world.nodes[OTHER].address} true"
        assert (await NODE.run(stage.world, host, line)).status == 0
        line = "systemd-run --wait --unit=clone qm clone 320 555"
        running = stage.world.cluster.spawn(_ignored(NODE.run(stage.world, host, line)))
        await stage.sleep(2)
        assert host.units == {"clone"}
        switch_off(stage.world, [HOME])
        await running
        await switch_on(stage.world, [HOME])
        assert (host.units, host.processes, stage.guests[555].lock) == (set(), set(), "clone")

    play(story)


async def _ignored(work) -> None:
    await work
