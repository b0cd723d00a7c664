"""Every attempt of a step is on record, although Temporal's history keeps the failure of one of them alone."""

import contextlib
import uuid
from concurrent.futures import ThreadPoolExecutor

from temporalio.client import Client, WorkflowFailureError
from temporalio.worker import Worker

from tests.audit.stumbles import Stumbles, stumbles, stumbles_too
from workers.audit.history import record
from workers.worker.pulse import Pulse

FAILED = [
    "It is so: attempts 1 to 2: NotYet: it resyncs",
    "It is so: attempt 3: Unreachable: no answer",
    "It is so: attempt 4: ConnectionError: reset",
]


async def test_a_step_that_succeeds_late_has_its_failed_attempts_on_record(client: Client):
    """Both kinds of activities, in the order in which they failed; attempts that failed alike are one line."""
    found = await told(client, for_good=False)

    assert found == [*FAILED, "It is so: it is so", *FAILED, "It is so: it is so"]


async def test_a_step_that_fails_for_good_has_its_failed_attempts_on_record(client: Client):
    """They come with the error."""
    found = await told(client, for_good=True)

    assert found == [*FAILED, "It is so: failed: Refuted: it is not so"]


async def told(client: Client, *, for_good: bool) -> list[str]:
    """What the record of such a run says of its steps."""
    queue = f"test-{uuid.uuid4()}"
    async with Worker(
        client,
        task_queue=queue,
        workflows=[Stumbles],
        activities=[stumbles, stumbles_too],
        activity_executor=ThreadPoolExecutor(1),
        interceptors=[Pulse()],
    ):
        run = await client.start_workflow(Stumbles.run, for_good, id=queue, task_queue=queue)
        with contextlib.suppress(WorkflowFailureError):
            await run.result()
    history = await run.fetch_history()
    return [line.what for line in record([history.events]) if line.kind in ("attempt", "step")]
