"""The ids of spans: those of a run follow from its own id, and replaying a history makes the same ones again."""

from temporalio import workflow

# the class that `create_tracer_provider` wraps every generator in: what is drawn in a workflow is drawn here alone
from temporalio.contrib.opentelemetry._id_generator import TemporalIdGenerator

from cluster.traces import root_of, trace_of
from workflows.spans import is_root


class RunIds(TemporalIdGenerator):
    """The trace of a run is that of its run id, however it was started; so is its root span."""

    def generate_trace_id(self) -> int:
        """In a workflow that of its run; else one by lot."""
        if workflow.in_workflow():
            return int(trace_of(workflow.info().first_execution_run_id), 16)
        return super().generate_trace_id()

    def generate_span_id(self) -> int:
        """The root's, while a run begins; else from the workflow's own lots, which are the same in every replay."""
        if workflow.in_workflow() and is_root():
            return int(root_of(trace_of(workflow.info().first_execution_run_id)), 16)
        return super().generate_span_id()
