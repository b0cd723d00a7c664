"""One of two pods is not well: whoever waits for the storage waits for that pod too, and calls it by its name."""

import pytest
from temporalio.client import Client, WorkflowFailureError

from cluster.answers.advice import answers
from cluster.watching import WatchState
from tests.failback.people import Person, list_of
from tests.incidents.conftest import Watched, watching
from tests.pods import two_pods
from tests.runs import steps, until
from tests.shapes.conftest import MakeShape
from workflows.page import StepRecord

pytestmark = pytest.mark.slow

ONE, TWO = "webb-ac-proxmox-01", "webb-ac-proxmox-01-two"
A, B = "X90R3-SiteA", "X90R3-SiteB"
POD = "Pod is online on both arrays"


def held_by_the_pod(found: list[StepRecord]) -> bool:
    return any(one.title == POD and one.state == "warned" for one in found)


async def refusal(watch: Watched, kind: str) -> str:
    """Why a break-glass run does not begin."""
    wish = {"by": "ana", "why": "seen by the test", "mode": "plan"}
    run = await watch.client.start_workflow(kind, wish, id=f"{kind}/pods", task_queue=watch.queue)
    with pytest.raises(WorkflowFailureError) as caught:
        await run.result()
    return str(caught.value.cause)


def titles(state: WatchState, site) -> list[str]:
    assert state.verdict is not None
    assert state.memory is not None
    return [one.title for one in answers(state.verdict, state.memory, site.inventory)]


async def test_whoever_needs_the_storage_waits_for_the_pod_that_is_not_in_sync(client: Client, shape: MakeShape):
    """The arrays are connected and the other pod is online at both."""
    site = shape(change=two_pods, which="pods-apart")
    site.rebuild()
    people = [Person(name) for name in ("ana", "ben", "cleo")]
    list_of(site.path.parent / str(site.inventory.approvals.allowed_signers), *people)
    async with watching(client, site) as watch:
        site.fail("pod-preference", TWO, B)
        site.fail("pod-replication", TWO)
        state = await watch.says("replication-lost")
        assert titles(state, site) == [f"The replication of pod {TWO} is lost ({A})"]
        print(await refusal(watch, "RestoreSessions"))
        print(await refusal(watch, "ReconcileArrays"))
        wish = {"by": "ana", "mode": "apply", "site": "site-a"}
        runs = [
            await client.start_workflow(kind, wish, id=f"{kind}/pods", task_queue=watch.queue)
            for kind in ("EvacuateSite",)
        ]
        for run in runs:
            await until(run, held_by_the_pod, "the pod to hold it", 60)
            print([(one.state, one.title, one.finding) for one in await steps(run)])

        site.restore("pod-replication", TWO)
        state = await watch.says("resyncing", 60)
        print(titles(state, site))
        for run in runs:
            await until(run, lambda found: any(one.state == "asked" for one in found), "the gate", 120)
            print([(one.state, one.title, one.finding) for one in await steps(run)])
        await run.terminate("the test is over")
        await watch.says("healthy", 60)
