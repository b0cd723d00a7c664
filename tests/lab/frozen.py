"""A rehearsal in which everything happens at least once, and what was told all the time without ever changing."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from lab.built import add_guest
from lab.control.drills import Drills
from lab.physics import jump
from lab.purity import responses
from lab.purity.queries import Query
from lab.purity.responses import Call, Write
from lab.world import World
from tests.fuzz.told import told
from tests.lab.stage import Api, Stage, deployed

SEEN = ("pxmx01-01", "pxmx02-02")
LOOKS_EVERY = 13.0
# Right after the end of a fault things are short: a copy that is caught up, a vote that has not been met.
SOON, LOOKS_SOON = 12.0, 3.0
# Each fault for so long, lab seconds, and what it needs to come back.
LASTS, RESTS = 78.0, 39.0
FAULTS: tuple[tuple[str, ...], ...] = (
    ("guest-paused", "300"), ("suspended-lv", "pxmx01-01", "vm-320-disk-0"),
    ("stale-lv", "pxmx02-02", "vm-300-disk-0"), ("watchdog-stopped", "pxmx01-01"), ("vg-hidden", "pxmx01-01"),
    ("clock", "pxmx01-01", "40"), ("neighbour-cluster", "other", "3"), ("storage-network",), ("replication",),
    ("storage-network", "site-a"), ("mediator",), ("ring", "pxmx01-01", "1"), ("array", "X90R3-SiteA"),
    ("controller", "X90R3-SiteA", "CT0"), ("controller", "X90R3-SiteB", "CT1"), ("portal", "X90R3-SiteB", "0"),
    ("node", "pxmx01-01"), ("site-network", "site-b"), ("inter-site",), ("witness",), ("lrm-stalled", "pxmx01-03"),
    ("crm-stopped", "pxmx02-02"), ("site-power", "site-a"),
)  # fmt: skip


GUEST = {"via": "pxmx01-01", "vmid": 320}
DEEDS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("PUT", "/nodes/{node}/qemu/{vmid}/config", {**GUEST, "description": "new", "memory": "2048", "tags": "a"}),
    ("POST", "/nodes/{node}/qemu/{vmid}/status/start", GUEST),
    ("POST", "/nodes/{node}/qemu/{vmid}/clone", {**GUEST, "newid": 321}),
    ("PUT", "/nodes/{node}/qemu/{vmid}/resize", {**GUEST, "disk": "scsi0", "size": "+1G"}),
    ("POST", "/nodes/{node}/qemu/{vmid}/migrate", {**GUEST, "target": "pxmx02-02", "online": 1}),
    ("POST", "/cluster/ha/resources/{sid}/migrate", {"sid": "vm:300", "node": "pxmx02-02"}),
    ("PUT", "/cluster/ha/resources/{sid}", {"sid": "vm:300", "max_restart": 3, "comment": "new"}),
    ("PUT", "/cluster/options", {"ha": "shutdown_policy=migrate"}),
    ("PUT", "/storage/{storage}", {"storage": "pxmx-ac-shared", "content": "images"}),
    ("PUT", "/cluster/backup/{id}", {"id": "nightly", "enabled": 0, "schedule": "22:00"}),
    (
        "POST",
        "/cluster/ha/rules",
        {"rule": "home", "type": "node-affinity", "resources": "vm:300", "nodes": "pxmx01-01"},
    ),
    ("PUT", "/access/users/{userid}", {"userid": "root@pam", "comment": "new"}),
    ("PUT", "/cluster/ha/resources/{sid}", {"sid": "vm:300", "state": "stopped"}),
)


People = Callable[[Stage, Drills, "Values"], Awaitable[None]]


class Values:
    """What was told, and of which names the value has changed for one subject at least."""

    def __init__(self) -> None:
        self.first: dict[tuple[str, tuple[str, ...]], str] = {}
        self.moved: set[str] = set()

    async def look(self, world: World) -> None:
        for name, subject, value in await told(world, SEEN):
            if self.first.setdefault((name, subject), value) != value:
                self.moved.add(name)

    @property
    def names(self) -> set[str]:
        """Of everything that was told at least once."""
        return {name for name, _ in self.first}

    @property
    def frozen(self) -> set[str]:
        """The names of what never changed."""
        return self.names - self.moved


def rehearse(faults: Sequence[tuple[str, ...]] = FAULTS) -> Values:
    """All of it, on lab time that jumps."""
    return jump.run(_rehearse(faults, _people))


def endure(faults: Sequence[tuple[str, ...]]) -> Values:
    """Some faults, and nothing that people do."""
    return jump.run(_rehearse(faults, _nobody))


async def _rehearse(faults: Sequence[tuple[str, ...]], people: People) -> Values:
    stage = await deployed(more=_more)
    drills, values = Drills(stage.world), Values()
    for fault, *where in faults:
        drills.fail(fault, where, by="a rehearsal")
        await _watch(stage, values, LASTS)
        drills.restore(fault, where, by="a rehearsal")
        await _watch(stage, values, SOON, LOOKS_SOON)
        await _watch(stage, values, RESTS)
    await people(stage, drills, values)
    await stage.world.cluster.stop()
    return values


async def _nobody(*_: Any) -> None:
    """People do nothing."""


async def _people(stage: Stage, drills: Drills, values: Values) -> None:
    """A backup, changes of all kinds, a site that comes back alone, and what HA is asked for."""
    drills.fail("backup-run", ["nightly"], by="a rehearsal")
    await _watch(stage, values, 2 * LASTS)
    api = Api(stage)
    await _alone(stage, drills, values)
    for verb, template, given in DEEDS:
        await api.call(verb, template, **given)
        await _watch(stage, values, LOOKS_EVERY * 2)
    _on_the_arrays(stage.world)
    for command in (("node-maintenance", "pxmx01-01", "enable"), ("disarm-ha", "", "freeze"), ("arm-ha", "", "")):
        stage.ha.commands.append(command)
        await _watch(stage, values, LASTS)


def _more(world: World) -> None:
    add_guest(world, 310, "pxmx01-01", "lxc", ha="started")
    add_guest(world, 320, "pxmx01-01")
    world.cluster.jobs["nightly"] = {"enabled": 1, "schedule": "21:00", "vmid": "310,320", "storage": "local"}


async def _watch(stage: Stage, values: Values, seconds: float, every: float = LOOKS_EVERY) -> None:
    until = stage.now + seconds
    while stage.now < until:
        await values.look(stage.world)
        await stage.sleep(every)


async def _alone(stage: Stage, drills: Drills, values: Values) -> None:
    """A site comes back behind a cut link: its nodes have not met the device's vote since they were booted."""
    drills.fail("site-power", ["site-a"], by="a rehearsal")
    await _watch(stage, values, LASTS)
    drills.fail("inter-site", [], by="a rehearsal")
    drills.restore("site-power", ["site-a"], by="a rehearsal")
    await _watch(stage, values, LASTS)
    drills.restore_all(by="a rehearsal")
    await _watch(stage, values, LASTS)


def _on_the_arrays(world: World) -> None:
    """A volume more, and a preference that is taken back."""

    def call(write: Write, body: dict[str, Any] | None = None, **query: str) -> None:
        write(Call(world.arrays["X90R3-SiteA"], Query(query), body or {}))

    pod = world.inventory.pod.name
    call(responses.post_volumes, {"provisioned": 2**30}, names="beside")
    call(responses.patch_pods, {"failover_preferences": []}, names=pod)
