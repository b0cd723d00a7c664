"""Workers die in the middle of a deployment; the run goes on, and nothing is done twice."""

import asyncio
import random
import uuid
from datetime import timedelta

import pytest
from temporalio.client import Client

from activities.clients import purity
from cluster.plan import Mode
from lab.physics.faults import Fault
from runbooks.deploy import DeployStretchedCluster
from tests.conftest import Start
from tests.patience import Deadline
from tests.twin import SPEED, TwinThread
from workers.children import Child
from workers.temporal.embedded import TemporalServer
from workflows.catalogue import RunbookRequest

KILLS = 1  # `make test-kills` kills at every change


@pytest.mark.slow
async def test_a_run_survives_a_worker_killed_at_random(
    twin: TwinThread, temporal: TemporalServer, client: Client, no_ledger: None
):
    """The worker is killed (`kill -9`) between two changes of the world, and another one started."""
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance, queue = random.Random(seed), f"kill-{uuid.uuid4()}"

    def begin(number: int) -> Child:
        environment = {"TEMPORAL_ADDRESS": temporal.address, "QUORATE_TASK_QUEUE": queue}
        log = twin.path.parent / f"worker-{number}.log"
        return Child("worker", ["worker", "--inventory", str(twin.path)], log=log, environment=environment)

    run = await client.start_workflow(
        DeployStretchedCluster.run,
        RunbookRequest(mode=Mode.APPLY),
        id=f"deploy/kill/{uuid.uuid4()}",
        task_queue=queue,
        execution_timeout=timedelta(minutes=5),
    )
    # Points in the world's own log: after so many changes the worker dies.
    points = sorted(chance.sample(range(2, 100), KILLS))
    child = begin(0)
    try:
        for number, point in enumerate(points, start=1):
            await reached(twin, point)
            child.kill()
            child = begin(number)
        report = await asyncio.wait_for(run.result(), 120)
    finally:
        child.stop()

    print(f"killed after {points} changes")
    assert report.proof is not None
    assert report.proof.ha.started == ("vm:300", "vm:301")
    changes = twin.change_lines()
    assert len(changes) == len(set(changes)), "something was done twice"


LOST_REPLIES = [
    ("X90R3-SiteA", "POST /pods webb"),
    ("X90R3-SiteA", "POST /volumes"),
    ("X90R3-SiteA", "POST /pods/members"),
    ("X90R3-SiteA", "POST /hosts pxmx01-02"),
    ("X90R3-SiteB", "POST /host-groups pxmx-cluster-02"),
    ("X90R3-SiteB", "POST /host-groups/hosts"),
    ("X90R3-SiteB", "POST /connections"),
    ("ssh:pxmx01-03", "iscsiadm -m discovery"),
    ("ssh:pxmx02-01", "--login"),
    ("ssh:pxmx02-02", "multipath -a"),
    ("ssh:pxmx01-01", "pvcreate"),
    ("ssh:pxmx01-01", "vgcreate"),
    ("ssh:pxmx01-01", "systemd-run"),
    ("pve:", "POST /storage"),
    ("pve:", "POST .*/qemu/101/clone"),
    ("pve:", "PUT .*/qemu/300/config"),
    ("pve:", "POST .*/qemu/301/status/start"),
    ("pve:", "POST /cluster/ha/resources"),
]


@pytest.mark.slow
async def test_a_run_survives_replies_that_are_lost_after_their_effect(twin: TwinThread, start: Start):
    """Every kind of change is made once although its answer never came."""
    for service, call in LOST_REPLIES:
        twin.world.faults.plant(Fault(service, call, "drop"))

    report = await (await start()).result()

    met = [fault for fault in twin.world.faults.planted if fault.met]
    print(f"{len(met)} of {len(LOST_REPLIES)} replies lost")
    assert len(met) == len(LOST_REPLIES)
    assert report.proof is not None
    changes = twin.change_lines()
    assert len(changes) == len(set(changes)), "something was done twice"


async def reached(twin: TwinThread, changes: int) -> None:
    """Wait until the world's log has that many changes."""
    deadline = Deadline(60)
    while len(twin.world.changes) < changes:
        assert not deadline.over, f"the world stays at {len(twin.world.changes)} of {changes} changes"
        await asyncio.sleep(0.01)


async def test_a_change_that_takes_effect_late_is_no_conflict(
    twin: TwinThread, start: Start, monkeypatch: pytest.MonkeyPatch
):
    """The client gave the call up, tried again and was refused, because the first one came through in between."""
    monkeypatch.setattr(purity, "READ_TIMEOUT", 1.0)
    fault = Fault("X90R3-SiteB", "POST /host-groups/hosts", "delay", seconds=1.9 * SPEED)
    twin.world.faults.plant(fault)

    report = await (await start()).result()

    assert fault.met
    assert report.proof is not None
    assert report.changed == len(report.planned)
    changes = twin.change_lines()
    assert len(changes) == len(set(changes)), "something was done twice"
