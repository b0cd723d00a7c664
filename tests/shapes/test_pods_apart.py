"""One of two pods is not well: whoever waits for the storage waits for that pod too, and calls it by its name."""

import pytest
from temporalio.client import Client, WorkflowFailureError

from cluster.answers.advice import answers
from cluster.watching import WatchState
from tests.failback.conftest import starting
from tests.failback.people import Person, list_of
from tests.incidents.conftest import Site, Watched, watching
from tests.patience import Deadline
from tests.pods import two_pods
from tests.runs import steps, until
from tests.shapes.conftest import MakeShape
from workflows.page import StepRecord

pytestmark = pytest.mark.slow

TWO = "webb-ac-proxmox-01-two"
A, B = "X90R3-SiteA", "X90R3-SiteB"
POD, FREE = "Pod is online on both arrays", "No incident or other run is in the way"


def parted(site: Site) -> None:
    """The second pod is served by the second array alone, while the arrays are connected."""
    site.fail("pod-preference", TWO, B)
    site.fail("pod-replication", TWO)


def status(site: Site) -> set[str]:
    """Every copy of every pod, as the world has it."""
    return {pod.state(array).status for array in site.world.arrays.values() for pod in array.pods}


async def elected(site: Site) -> None:
    """Both copies have settled."""
    deadline = Deadline(30)
    while status(site) != {"online", "offline"}:
        assert not deadline.over, f"waited for the election: {status(site)}"
        await deadline.a_while()


def said(found: list[StepRecord], title: str) -> tuple[str, str]:
    """How that line stands, and its words."""
    return next(((one.state, one.finding) for one in found if one.title == title), ("", ""))


def asks(found: list[StepRecord]) -> bool:
    return any(one.state == "asked" for one in found)


async def refusal(watch: Watched, kind: str) -> str:
    """Why a break-glass run does not begin."""
    wish = {"by": "ana", "why": "seen by the test", "mode": "plan"}
    run = await watch.client.start_workflow(kind, wish, id=f"{kind}/pods", task_queue=watch.queue)
    with pytest.raises(WorkflowFailureError) as caught:
        await run.result()
    return str(caught.value.cause).partition("Now: ")[2].partition(". Nothing")[0]


def titles(state: WatchState, site: Site) -> list[str]:
    """What a person is told first of each condition."""
    assert state.verdict is not None
    assert state.memory is not None
    return [one.title for one in answers(state.verdict, state.memory, site.inventory)]


async def test_no_planned_work_begins_before_every_pod_is_in_sync(client: Client, shape: MakeShape):
    """The incident names the pod, break-glass runs refuse by it, and the gate opens when the last copy is online."""
    site = shape(change=two_pods, which="pods-apart")
    site.rebuild()
    list_of(site.path.parent / str(site.inventory.approvals.allowed_signers), *map(Person, ("ana", "ben", "cleo")))
    async with watching(client, site) as watch:
        parted(site)
        lost = await watch.says("replication-lost")
        refused = {await refusal(watch, kind) for kind in ("RestoreSessions", "ReconcileArrays")}
        wish = {"by": "ana", "mode": "apply", "site": "site-a"}
        run = await client.start_workflow("EvacuateSite", wish, id="evacuate/pods", task_queue=watch.queue)
        await until(run, lambda found: said(found, FREE)[0] == "waiting", "the incident to hold it", 60)
        site.restore("pod-replication", TWO)
        await watch.says("healthy", 60)
        assert status(site) == {"online"}
        await until(run, asks, "the gate", 120)
        await run.terminate("the test is over")

    assert titles(lost, site) == [f"The replication of pod {TWO} is lost ({A})"]
    assert refused == {f"The replication of pod {TWO} is lost ({A}); replication lost ({A}) stands against it"}


@pytest.mark.parametrize("kind", ["EvacuateSite", "Failback"])
async def test_a_quarantine_waits_for_the_pod_that_is_not_in_sync(client: Client, shape: MakeShape, kind: str):
    """Without a watch nothing else would: the line of the pods names the one that is not well."""
    site = shape(change=two_pods, which="pods-quarantine")
    site.rebuild()
    list_of(site.path.parent / str(site.inventory.approvals.allowed_signers), *map(Person, ("ana", "ben", "cleo")))
    async with starting(client, site) as start:
        parted(site)
        await elected(site)
        homes = {} if kind == "EvacuateSite" else {"homes": {"vm:302": "pxmx02-01"}}
        run = await start(kind, site="site-a" if kind == "EvacuateSite" else "site-b", **homes)
        await until(run, lambda found: said(found, POD)[0] == "warned", "the pod to hold it", 60)
        held = said(await steps(run), POD)[1]
        site.restore("pod-replication", TWO)
        await until(run, asks, "the gate", 120)
        assert status(site) == {"online"}
        assert said(await steps(run), POD) == ("done", "both arrays say: online and online, mediator online")

    assert held == f"seen from {A}, pod {TWO} is {B} unknown, mediator unknown, {A} offline"
