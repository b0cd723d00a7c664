"""Would this build carry on the runs that are going on? Replay their histories and see."""

from dataclasses import dataclass

from temporalio.client import Client
from temporalio.worker import Replayer

from runbooks import ALL_RUNBOOKS
from workers.catalogue import types
from workers.telemetry import wired
from workers.temporal.connect import CONVERTER
from workers.worker.run import FAILURES, SANDBOX
from workflows.claim import Claim
from workflows.ledger import ClusterLedger
from workflows.watch import ClusterWatch


@dataclass
class Replayed:
    """One run, and what stands in the way of carrying it on; nothing when it fits."""

    run: str
    runbook: str
    trouble: str | None


def replayer() -> Replayer:
    """With the converter, sandbox and failure types of the worker, or replay would lie."""
    return Replayer(
        workflows=[*ALL_RUNBOOKS, Claim, ClusterLedger, ClusterWatch],
        data_converter=CONVERTER,
        workflow_runner=SANDBOX,
        workflow_failure_exception_types=FAILURES,
        plugins=wired.plugins,
    )


async def running_runs(client: Client) -> list[Replayed]:
    """Every run that is going on, replayed with the code of this build."""
    found: list[Replayed] = []
    entities = " OR ".join(f"WorkflowType = '{name}'" for name in ("Claim", "ClusterLedger", "ClusterWatch"))
    ours = f"{types()} OR {entities}"
    async for run in client.list_workflows(f"ExecutionStatus = 'Running' AND ({ours})"):
        history = await client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()
        outcome = await replayer().replay_workflow(history, raise_on_replay_failure=False)
        trouble = str(outcome.replay_failure).splitlines()[0] if outcome.replay_failure else None
        found.append(Replayed(run.id, run.workflow_type, trouble))
    return found
