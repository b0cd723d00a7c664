"""A run's own record, explained: what a test asserts of every judgement that the run has made."""

from collections import Counter
from typing import Any

from temporalio.client import WorkflowHandle

from activities.rules import rules
from cluster.audit.explain import explained
from cluster.audit.explained import Explained, Rules
from cluster.audit.line import Line
from workers.audit.history import record

TODAY = Rules(verdict=rules("verdict"), gate=rules("gate"), fencing=rules("fencing"))


async def recorded(run: WorkflowHandle[Any, Any]) -> list[Line]:
    """The lines of a run's newest execution, as far as it has come."""
    return list(record([(await run.fetch_history()).events]))


async def agrees(run: WorkflowHandle[Any, Any]) -> list[Explained]:
    """Every judgement of that run was right given what was seen; how many of each kind is printed."""
    found = list(explained(await recorded(run), TODAY))
    assert [(one.n, one.what, one.conclusion) for one in found if one.found != "right"] == []
    count = Counter(one.kind for one in found)
    print(f"explained {run.id}: {', '.join(f'{kind} {count[kind]}' for kind in sorted(count)) or 'nothing'}")
    return found
