"""Whatever ends a run, it lands: what is left is told, the state is set, the next run may begin."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.worker import Worker

from tests.runs import aborted, parked, said, steps, until
from tests.stumbling import Stumbling, Tries
from workers.temporal.bootstrap import bootstrap
from workers.worker.pulse import Pulse
from workers.worker.run import FAILURES, SANDBOX
from workflows.attributes import STATE
from workflows.claim import Claim

Run = WorkflowHandle[Any, Any]
Stumble = Callable[..., Awaitable[Run]]


@pytest.fixture
def tries() -> Tries:
    """What the activities of one test have met."""
    return Tries()


@pytest_asyncio.fixture
async def stumble(client: Client, tries: Tries) -> AsyncIterator[Stumble]:
    """Start a run that stumbles."""
    await bootstrap(client)
    queue = f"test-{uuid.uuid4()}"

    async def start(how: str, **request: Any) -> Run:
        name = uuid.uuid4().hex
        wish = {"mode": "apply", "cluster": name, "how": how, **request}
        return await client.start_workflow("Stumbling", wish, id=f"stumbling-{name}", task_queue=queue)

    async with Worker(
        client,
        task_queue=queue,
        workflows=[Stumbling, Claim],
        activities=[tries.change, tries.other_shape, tries.again, tries.refuted],
        activity_executor=ThreadPoolExecutor(2),
        workflow_runner=SANDBOX,
        workflow_failure_exception_types=FAILURES,
        interceptors=[Pulse()],
    ):
        yield start


async def state(run: Run) -> str:
    return str((await run.describe()).typed_search_attributes.get(STATE))


@pytest.mark.parametrize(
    ("how", "cause"),
    [("final", "It is so: Refuted: it is not so"), ("our model", "Counted: count: Field required")],
)
async def test_a_run_that_fails_lands_and_says_why(stumble: Stumble, how: str, cause: str):
    """The cause stands on the page, with what was left; the state is not `running` any more."""
    run = await stumble(how)
    left = "1 change was made and stays. One switch is off: vm:300 failback."
    assert await aborted(run) == f"{cause}. {left}"
    assert await state(run) == "failed"
    page = await run.query("page")
    assert cause.replace("_", r"\_") in page
    assert "One switch is off: vm:300 failback." in page


async def test_a_run_that_is_cancelled_lands(stumble: Stumble):
    """From the UI as well: its state says so, and the claim is free."""
    run = await stumble("waits")
    await until(run, lambda found: any(one.title == "It is changed" and one.state == "done" for one in found))
    await run.cancel()
    await aborted(run)
    assert (await run.describe()).status == WorkflowExecutionStatus.CANCELED
    assert await state(run) == "aborted"
    assert "One switch is off: vm:300 failback." in await run.query("page")


async def test_a_landing_that_fails_lists_what_is_known_to_be_left(stumble: Stumble):
    """It cannot look; so it says what it has turned off itself."""
    run = await stumble("waits", lands=False)
    await until(run, lambda found: any(one.title == "It is changed" and one.state == "done" for one in found))
    left = await said(run, "abort")
    assert left == (
        "1 change was made and stays. The run could not finish its cleanup: It is so: Refuted: it is not so. "
        "Still off: vm:300 failback."
    )


async def test_an_answer_that_cannot_be_read_parks(stumble: Stumble, tries: Tries):
    """A worker of another version answered: the run waits, and goes on once that one is gone."""
    run = await stumble("other shape")
    step = await parked(run)
    assert step.finding.startswith(
        "Undecodable: tries.other_shape answered in a form that this build cannot read (count"
    )
    await said(run, "answer", {"answer": "retry"})
    await run.result()
    assert await state(run) == "done"


async def test_what_an_attempt_has_told_goes_with_the_next_one(stumble: Stumble, tries: Tries):
    """A step with preconditions is begun anew by the engine; its activity knows what was sent before."""
    run = await stumble("again")
    await run.result()
    assert tries.handed == [(0, None), (1, "sent 1"), (2, "sent 2")]
    assert [one.title for one in await steps(run)].count("It is done") == 1


async def test_a_precondition_is_asked_before_each_attempt(stumble: Stumble, tries: Tries):
    """It fails between two attempts: the step parks with its reason, and a retry asks again."""
    tries.open_again = 10**6
    run = await stumble("again")
    await until(run, lambda _: len(tries.handed) > 0, "the first attempt")
    await run.signal("because", "the witness is gone")
    step = await parked(run)
    assert step.finding == "Held: the witness is gone"
    before = len(tries.handed)
    await said(run, "answer", {"answer": "retry"})
    await until(run, lambda found: found[-1].state == "parked", "held again")
    assert len(tries.handed) == before
    tries.open_again = 0
    await run.signal("because", "")
    await said(run, "answer", {"answer": "retry"})
    await run.result()
    assert len(tries.handed) == before + 1
