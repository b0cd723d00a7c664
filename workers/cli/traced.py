"""The trace of a run, for those who look it up: it follows from the run itself, whether anybody collects it or not."""

from temporalio.client import WorkflowExecution

from cluster.traces import trace_of


async def trace_id(run: WorkflowExecution) -> str:
    """32 hexadecimal digits; a run that has continued as new has the trace of its first part.

    A list does not say which that was, so the run says it in its memo; a run of an earlier build says nothing there.
    """
    told = await run.memo_value("trace", default="")
    return str(told) or trace_of(run.raw_info.first_run_id or run.run_id)
