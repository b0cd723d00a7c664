"""The cluster of the article on lab time that jumps: set up, bend, and note when what was first seen."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from lab.built import build
from lab.physics import jump
from lab.pve.daemon.calls import Call
from lab.pve.errors import PveError
from lab.pve.etc.access import ROOT
from lab.pve.models import Guest
from lab.pve.urls import routes
from lab.pve.work.tasks import Task
from lab.world import World
from tests.twin import EXAMPLE
from workers.inventory_file import load

SITE_A = ["pxmx01-01", "pxmx01-02", "pxmx01-03"]
SITE_B = ["pxmx02-01", "pxmx02-02", "pxmx02-03"]
INVENTORY = load(EXAMPLE)
TABLE = routes().table


@dataclass
class Stage:
    """A running cluster; `seen` holds lab seconds since `mark`."""

    world: World
    seen: dict[str, float] = field(default_factory=dict)
    marked: float = 0.0

    @property
    def ha(self):
        return self.world.cluster.ha

    @property
    def guests(self) -> dict[int, Guest]:
        return self.world.cluster.guests

    @property
    def now(self) -> float:
        return self.world.clock.now()

    def mark(self) -> None:
        """From now on seconds count."""
        self.marked, self.seen = self.now, {}

    def service(self, vmid: int):
        return self.ha.manager.services[f"vm:{vmid}"]

    def services(self):
        return list(self.ha.manager.services.values())

    async def until(self, what: str, condition: Callable[[], Any], limit: float) -> float:
        """Seconds after the mark at which a condition came true."""
        deadline = self.now + limit
        while not condition():
            assert self.now < deadline, f"{what} did not come in {limit:.0f} lab seconds; {self.seen}"
            await asyncio.sleep(0.25)
        self.seen[what] = self.now - self.marked
        return self.seen[what]

    async def sleep(self, seconds: float) -> None:
        await self.world.clock.sleep(seconds)


class Api:
    """The handlers, as root@pam calls them on one node."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    async def call(self, verb: str, template: str, *, via: str = "pxmx02-01", **parameters: Any) -> Any:
        there = {"node": via} if template.startswith("/nodes/{node}") else {}
        return await TABLE[verb, template](Call(self.stage.world.cluster, via, ROOT, {**there, **parameters}))

    async def rows(self, via: str = "pxmx02-01") -> dict[str, dict[str, Any]]:
        """``/cluster/resources`` of one node, by the entries' ids."""
        return {entry["id"]: entry for entry in await self.call("GET", "/cluster/resources", via=via)}

    async def current(self, vmid: int, via: str) -> dict[str, Any]:
        """A node's own word about a guest."""
        kind = self.stage.guests[vmid].kind
        return await self.call("GET", f"/nodes/{{node}}/{kind}/{{vmid}}/status/current", via=via, vmid=vmid)

    async def ended(self, upid: str) -> Task:
        """A task once it has ended."""
        task = next(task for task in self.stage.world.cluster.tasks.all if task.upid == upid)
        await task.done.wait()
        return task

    async def refused(self, verb: str, template: str, **parameters: Any) -> str:
        with pytest.raises(PveError) as caught:
            await self.call(verb, template, **parameters)
        return caught.value.message


async def healthy(
    *, master: str = "pxmx01-01", seed: int = 1, device: bool = True, guests=None, **resource: Any
) -> Stage:
    """Guests under HA that run, seven votes, the master where it is wanted, at a random moment of its rounds."""
    world = World(INVENTORY, clock=jump.clock(), seed=seed)
    stage = Stage(world)
    if device:
        world.membership.set_up_device(settled=True)
    cluster = world.cluster
    cluster.ha.first_master = master
    for vmid, node in (guests or {300: "pxmx01-01", 301: "pxmx01-02"}).items():
        cluster.guests[vmid] = Guest(vmid, node, {"name": f"vm-{vmid}"}, running=True)
        cluster.ha.resources[f"vm:{vmid}"] = {"state": "started", **resource}
    await cluster.start()
    await stage.until("HA under way", lambda: under_way(stage), 90)
    await stage.sleep(20 + world.random.uniform(0, 10))
    stage.mark()
    return stage


def under_way(stage: Stage) -> bool:
    manager = stage.ha.manager
    return (
        manager is not None
        and len(manager.services) == len(stage.ha.resources)
        and all(service.running for service in manager.services.values())
        and all(stage.ha.lrms[service.node].state == "active" for service in manager.services.values())
    )


async def deployed(*, master: str = "pxmx01-01", seed: int = 1, more: Callable[[World], object] | None = None) -> Stage:
    """The article's cluster with paths, pod and shared volumes, and what `more` adds to it; HA is under way."""
    world = World(INVENTORY, clock=jump.clock(), seed=seed)
    stage = Stage(world)
    world.cluster.ha.first_master = master
    await world.cluster.start()
    await build(world)
    if more is not None:
        more(world)
    await stage.until("HA under way", lambda: _settled(stage), 120)
    await stage.sleep(20 + world.random.uniform(0, 10))
    stage.mark()
    return stage


def _settled(stage: Stage) -> bool:
    """Every service is what it shall be; those that run have an LRM that looks after them."""
    manager, wanted = stage.ha.manager, stage.ha.resources
    if manager is None or len(manager.services) < len([r for r in wanted.values() if r.get("state") != "ignored"]):
        return False
    return all(
        (service.running and stage.ha.lrms[service.node].state == "active")
        if wanted[sid].get("state", "started") == "started"
        else service.state == "stopped"
        for sid, service in manager.services.items()
    )
