"""What a schedule is played on: a built twin, a Temporal server, a worker to be killed, people with keys, a watch.

One stage serves many schedules, one after the other; between two of them everything is begun anew.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, TypeVar

from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError

from cluster.watching import WatchRequest, WatchState, watch_id
from lab.built import _log_in as log_in
from lab.built import add_guest
from lab.scenery import beside
from tests.failback.conftest import POLICY
from tests.failback.people import Person, list_of
from tests.incidents.conftest import Site
from tests.ledgers import erase
from tests.twin import inventory_file, with_policy
from workers.temporal.bootstrap import bootstrap
from workers.temporal.embedded import TemporalServer, free_port
from workflows.watch import ClusterWatch

SPEED = 60.0
# In lab seconds. A real second of a watch is a sixtieth of one here, and a machine would do nothing but look.
RHYTHM = "\nwatch: {alert: 15s, quick: 20s}\n"
# Another cluster on the same witness, with node ids that are also ours.
NEIGHBOURS = "neighbours: {depot-east: 4}\n"
# Guests besides the two of the example, each under HA.
MORE = {302: "pxmx02-01", 303: "pxmx01-03"}
NAMES = ("ana", "ben", "cleo", "dora")
# A worker that is killed answers no question; nobody waits longer than this.
ANSWERED_WITHIN = 4.0
Answer = TypeVar("Answer")


async def answered(asking: Awaitable[Answer], within: float = ANSWERED_WITHIN) -> Answer:
    """The answer; TimeoutError after so many seconds. No task is made of it, whose end nobody would look at."""
    async with asyncio.timeout(within):
        return await asking


class Stage:
    """Everything that a schedule needs."""

    def __init__(self, folder: Path, planted: str = "") -> None:
        self.folder, self._planted = folder, planted
        path = with_policy(inventory_file(folder, f"fuzz-{os.getpid()}"), POLICY + RHYTHM)
        beside(path).write_text(NEIGHBOURS)
        self.site = Site(path, SPEED)
        self.inventory = self.site.inventory
        self.people = {name: Person(name) for name in NAMES}
        self.signers = folder / "allowed_signers"
        self.server = TemporalServer(database=None, port=free_port(), ui_port=None, log=folder / "temporal.log")
        self.client: Client
        self._zygote: subprocess.Popen[str] | None = None

    async def begin(self) -> None:
        """Start the server, and the process that workers are forked from."""
        self.client = await self.server.start(lambda _: None)
        await bootstrap(self.client)
        await asyncio.to_thread(self._fork_from)

    def _fork_from(self) -> None:
        environment = {**os.environ, "TEMPORAL_ADDRESS": self.server.address, "QUORATE_SPEED": f"{self.site.speed:g}"}
        command = [sys.executable, "-m", "tests.fuzz_runs.worker", str(self.site.path), self._planted]
        with (self.folder / "worker.log").open("a") as log:
            self._zygote = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment, text=True
            )

    async def end(self) -> None:
        """Stop all of it."""
        if self._zygote is not None:
            self._order("end")
            self._zygote.wait(10)
        await self.server.stop()
        self.site.stop()

    def _order(self, order: str) -> None:
        assert self._zygote is not None
        assert self._zygote.stdin is not None
        self._zygote.stdin.write(f"{order}\n")
        self._zygote.stdin.flush()

    def kill_worker(self) -> None:
        """Kill it, and begin another one at once."""
        self._order("start")

    async def stall_worker(self, seconds: float) -> None:
        """It stands still for so many seconds of the wall, as where a machine swaps or its network is away."""
        self._order("stop")
        await asyncio.sleep(seconds)
        self._order("go")

    @property
    def world(self) -> Any:
        """The twin's world, to be read."""
        return self.site.world

    def now(self) -> float:
        """Lab seconds."""
        return float(self.world.clock.read())

    async def afresh(self, *, rule: bool) -> None:
        """A healthy cluster with Proxmox VE's defaults, no run under way, and a watch that has seen it healthy."""
        self._order("kill")
        await self._everything_ends()
        await erase(self.client, self.inventory.name)  # homes of an earlier schedule are those of another world
        self.site.rebuild()
        self.site.call(self._furnish(rule=rule))
        self.write_list()
        self._order("start")
        await self.client.start_workflow(
            ClusterWatch.run, WatchRequest(), id=watch_id(self.inventory.name), task_queue="runbooks"
        )
        await self.until_healthy(30)

    async def _furnish(self, *, rule: bool) -> None:
        ha = self.world.cluster.ha
        for vmid, node in MORE.items():
            add_guest(self.world, vmid, node)
            ha.resources[f"vm:{vmid}"] = {"state": "started"}
        for properties in ha.resources.values():
            properties["failback"] = 1
        if rule:
            for site in self.inventory.sites:
                nodes = [node.name for node in site.nodes]
                sids = [f"vm:{g.vmid}" for g in self.world.cluster.guests.values() if g.node in nodes]
                ha.rules[f"prefer-{site.name}"] = {
                    "rule": f"prefer-{site.name}",
                    "type": "node-affinity",
                    "resources": ",".join(sorted(sids)),
                    "nodes": ",".join(nodes),
                }
        self.world.cluster.options["crs"] = "ha=static,ha-auto-rebalance=1"
        await self.world.clock.sleep(30)  # HA takes its guests over

    def mend(self) -> None:
        """What people do after a double loss: log in again, and set what HA has given up to disabled and to started.

        Guests that had just left a node when it died are looked for in vain: they leave HA for two rounds.
        """

        async def work() -> None:
            ha, world = self.world.cluster.ha, self.world
            log_in(world, next(disk.serial for disk in world.disks.values() if disk.vg))
            services = ha.files.manager.services.items()
            lost = {sid: ha.resources.pop(sid) for sid, one in list(services) if one.node != ha.guest_node(sid)}
            if lost:
                await world.clock.sleep(25)
                ha.resources.update(lost)
            failed = [sid for sid, service in ha.files.manager.services.items() if service.state == "error"]
            for state in ("disabled", "started"):
                for sid in failed:
                    ha.resources[sid]["state"] = state
                await world.clock.sleep(25)

        asyncio.run_coroutine_threadsafe(work(), self.site._loop)

    def write_list(self, *without: str) -> None:
        """The list of approvers; some of them may be taken off it."""
        list_of(self.signers, *(person for name, person in self.people.items() if name not in without))

    async def _everything_ends(self) -> None:
        for _ in range(5):
            running = [run async for run in self.client.list_workflows("ExecutionStatus = 'Running'")]
            if not running:
                return
            for run in running:
                with contextlib.suppress(RPCError):
                    await self.client.get_workflow_handle(run.id).terminate("the schedule is over")
            await asyncio.sleep(0.05)

    # --- looking -----------------------------------------------------------------------------------------------

    async def watch_state(self) -> WatchState | None:
        """What the watch knows; None while nobody answers."""
        handle = self.client.get_workflow_handle(watch_id(self.inventory.name))
        with contextlib.suppress(RPCError, TimeoutError):
            return await answered(handle.query(ClusterWatch.state))
        return None

    async def until_healthy(self, within: float) -> bool:
        """Wait until the watch says so; false when it does not in that many seconds of the wall."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            state = await self.watch_state()
            if state is not None and state.verdict is not None and state.verdict.kind == "healthy":
                return True
            await asyncio.sleep(0.1)
        return False

    async def running(self, *kinds: str) -> list[WorkflowHandle[Any, Any]]:
        """The runs of these kinds that go on."""
        names = ", ".join(f"'{kind}'" for kind in kinds)
        query = f"WorkflowType IN ({names}) AND ExecutionStatus = 'Running'"
        return [
            self.client.get_workflow_handle(run.id, run_id=run.run_id)
            async for run in self.client.list_workflows(query)
        ]
