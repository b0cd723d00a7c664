"""A run's own record, explained: what a test asserts of every judgement that the run has made."""

from collections import Counter
from typing import Any

from temporalio.client import WorkflowHandle

from activities.rules import rules
from cluster.audit.explain import explained
from cluster.audit.explained import Explained, Rules
from cluster.audit.line import Line
from cluster.audit.verdicts import REFUTED
from workers.audit.history import record

TODAY = Rules(verdict=rules("verdict"), gate=rules("gate"), fencing=rules("fencing"))


async def recorded(run: WorkflowHandle[Any, Any]) -> list[Line]:
    """The lines of a run, through all its executions, as far as it has come."""
    executions = [(await run.fetch_history()).events]
    while before := executions[0][0].workflow_execution_started_event_attributes.continued_execution_run_id:
        earlier = run._client.get_workflow_handle(run.id, run_id=before)
        executions.insert(0, (await earlier.fetch_history()).events)
    return list(record(executions))


async def agrees(run: WorkflowHandle[Any, Any]) -> list[Explained]:
    """Every judgement of that run was right given what was seen; how many of each kind is printed.

    Of what was refuted no facts are on record.
    """
    found = list(explained(await recorded(run), TODAY))
    doubts = [one for one in found if one.found != "right" and one.should != REFUTED]
    assert not doubts, "\n".join(f"{run.id} line {one.n}: {one.what}: {one.conclusion}" for one in doubts)
    count = Counter(one.kind for one in found)
    print(f"explained {run.id}: {', '.join(f'{kind} {count[kind]}' for kind in sorted(count)) or 'nothing'}")
    return found
