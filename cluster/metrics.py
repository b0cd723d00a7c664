"""What Quorate measures of itself: one table, from which code, docs, dashboard and tests take names and labels.

Names are Prometheus' own: a unit at the end, ``_total`` for what only grows. No label names a guest or the id of a run;
each has few values, so that a year of them stays small. `record` is told where the numbers go and never raises: no run
fails because of a figure.
"""

from collections.abc import Mapping
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict

Kind = Literal["counter", "gauge", "histogram"]
# Seconds: of a step or a run; of what waits for people; of a loss, where HA's own limits stand (`cluster.forecast`).
STEP = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
PEOPLE = (60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0, 86400.0, 259200.0)
LOSS = (5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 90.0, 120.0, 140.0, 160.0, 180.0, 203.0, 240.0, 300.0, 600.0, 1800.0)


class Metric(BaseModel):
    """One figure: what it is called on the page of a Prometheus server, and what it says.

    `source` is who tells it: runs, the look of the watch, the worker's own survey, or the gateway.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    kind: Kind
    says: str
    labels: tuple[str, ...] = ()
    source: Literal["run", "look", "survey", "gateway", "process"]
    buckets: tuple[float, ...] = ()

    @property
    def unit(self) -> str:
        """As OpenTelemetry writes it (UCUM); empty for a number of things."""
        return "s" if self.name.endswith("_seconds") else ""


# --- what runs tell while they work --------------------------------------------------------------------------------

STEPS = Metric(
    name="quorate_steps_total", kind="counter", source="run", labels=("runbook", "outcome"),
    says="Steps that have ended, by what the page says of them: done, unneeded, told, warned, skipped, failed or "
    "stopped.",
)  # fmt: skip
STEP_SECONDS = Metric(
    name="quorate_step_seconds", kind="histogram", source="run", labels=("runbook", "outcome"), buckets=STEP,
    says="How long a step took from its first attempt to its end, waiting for people included.",
)  # fmt: skip
PARKED = Metric(
    name="quorate_steps_parked_total", kind="counter", source="run", labels=("runbook", "word"),
    says="Steps that failed for good and wait for a person, by the word of the error: Unauthorized, NotFound, "
    "Rejected, Conflict, Unreachable, NotYet, Refuted, or the engine's own.",
)  # fmt: skip
RUNS = Metric(
    name="quorate_runs_total", kind="counter", source="run", labels=("runbook", "ending"),
    says="Runs that have ended: done, failed, aborted. One that was terminated tells nothing.",
)  # fmt: skip
RUN_SECONDS = Metric(
    name="quorate_run_seconds", kind="histogram", source="run", labels=("runbook", "ending"), buckets=STEP,
    says="How long a run took from its start to its end.",
)  # fmt: skip
VERDICT_CHANGES = Metric(
    name="quorate_verdict_changes_total", kind="counter", source="run", labels=("kind",),
    says="Verdicts of the watch that were new, by their gravest condition.",
)  # fmt: skip
PHASE = Metric(
    name="quorate_loss_phase_seconds", kind="histogram", source="run", labels=("runbook", "phase"), buckets=LOSS,
    says="When a phase of a loss was reached, in seconds of the cluster's time since the last proof of life: noticed, "
    "declared, quorum, fenced (the last node that had guests), recovered (every guest that can run does).",
)  # fmt: skip
PHASE_FORECAST = Metric(
    name="quorate_loss_phase_forecast_seconds", kind="histogram", source="run", labels=("runbook", "phase", "bound"),
    buckets=LOSS,
    says="The forecast of that same phase, recorded at the moment when it is reached: bound is earliest or latest. "
    "There is none of noticed and declared.",
)  # fmt: skip
GATE_SECONDS = Metric(
    name="quorate_gate_wait_seconds", kind="histogram", source="run", labels=("runbook", "outcome"), buckets=PEOPLE,
    says="How long a gate was open until it was approved, rejected, expired, or ended with its run (stopped).",
)  # fmt: skip
VOTES = Metric(
    name="quorate_votes_total", kind="counter", source="run", labels=("runbook", "decision", "word"),
    says="Votes at gates: decision approve or reject, word counted or why it was refused (Late, Early, Tampered, "
    "Unsigned, Held and others).",
)  # fmt: skip

# --- what the look of the watch tells ------------------------------------------------------------------------------

FACT_AT = Metric(
    name="quorate_fact_timestamp_seconds", kind="gauge", source="look", labels=("vantage", "how"),
    says="When a vantage point has answered last, as Unix time: its age is time() less the largest of these.",
)  # fmt: skip
LOOKED_AT = Metric(
    name="quorate_watch_look_timestamp_seconds", kind="gauge", source="look",
    says="When the watch has looked at the cluster last, as Unix time.",
)  # fmt: skip
SILENT = Metric(
    name="quorate_vantages_silent", kind="gauge", source="look",
    says="Vantage points that gave no answer in the newest look.",
)  # fmt: skip

# --- what every worker asks for, several times a minute ------------------------------------------------------------

SURVEYED_AT = Metric(
    name="quorate_survey_timestamp_seconds", kind="gauge", source="survey",
    says="When this worker has asked Temporal for all that follows here, as Unix time; older figures are of then.",
)  # fmt: skip
SURVEYS_FAILED = Metric(
    name="quorate_survey_failures_total", kind="counter", source="survey", labels=("of",),
    says="Surveys that got no answer: of watch, ledger, runs or gate.",
)  # fmt: skip
READY = Metric(
    name="quorate_ready", kind="gauge", source="survey", labels=("check",),
    says="1 where it is as it should be before a loss, 0 where not: watched (a watch runs), looking (it has looked "
    "within a minute), healthy (so says its verdict), rights (the token lacks none), switches (none is disabled).",
)  # fmt: skip
VERDICT = Metric(
    name="quorate_verdict", kind="gauge", source="survey", labels=("kind",),
    says="1 for the gravest condition that the watch sees now, 0 for all others.",
)  # fmt: skip
CONDITIONS = Metric(
    name="quorate_conditions", kind="gauge", source="survey", labels=("kind", "site", "planned"),
    says="Conditions that the watch sees now; site is the lost one where a site's hosts are gone, planned says whether "
    "it was announced.",
)  # fmt: skip
SWITCHES = Metric(
    name="quorate_switches_disabled", kind="gauge", source="survey", labels=("held",),
    says="Switches that are disabled by the ledger: held by a run that needs them off (yes), or outstanding (no).",
)  # fmt: skip
RUNS_OPEN = Metric(
    name="quorate_runs_open", kind="gauge", source="survey", labels=("runbook", "state"),
    says="Runs that go on now, by what the run list says of them: running, attention (a person is needed), paused, "
    "aborting.",
)  # fmt: skip
GATES_OPEN = Metric(
    name="quorate_gates_open", kind="gauge", source="survey", labels=("runbook",),
    says="Gates that wait for approvals now.",
)  # fmt: skip
GATE_UNTIL = Metric(
    name="quorate_gate_closes_timestamp_seconds", kind="gauge", source="survey", labels=("runbook",),
    says="When the first of the open gates closes, as Unix time; 0 while none is open.",
)  # fmt: skip

# --- what the gateway tells ----------------------------------------------------------------------------------------

GATEWAY_REQUESTS = Metric(
    name="quorate_gateway_requests_total", kind="counter", source="gateway", labels=("source",),
    says="Requests of an event source, whatever became of them.",
)  # fmt: skip
GATEWAY_EVENTS = Metric(
    name="quorate_gateway_events_total", kind="counter", source="gateway", labels=("source", "outcome"),
    says="Events of an event source that Temporal has: delivered now, or duplicate of one before.",
)  # fmt: skip
GATEWAY_REFUSED = Metric(
    name="quorate_gateway_refused_total", kind="counter", source="gateway", labels=("source", "reason"),
    says="Requests that were refused: unauthorized, unreadable, invalid, replayed, too-large, too-slow, too-many, "
    "hung-up, unavailable (Temporal does not take them) or bug.",
)  # fmt: skip
GATEWAY_WAITING = Metric(
    name="quorate_gateway_events_waiting", kind="gauge", source="gateway",
    says="Events that Temporal does not have yet, and whose senders wait.",
)  # fmt: skip
GATEWAY_SECONDS = Metric(
    name="quorate_gateway_delivery_seconds", kind="histogram", source="gateway", labels=("source",), buckets=STEP,
    says="From the beginning of a request to its 202: until Temporal has its events.",
)  # fmt: skip

# --- what every process tells --------------------------------------------------------------------------------------

BUILD = Metric(
    name="quorate_build_info", kind="gauge", source="process", labels=("version", "python", "temporalio"),
    says="1: which build this process is.",
)  # fmt: skip

TABLE: tuple[Metric, ...] = (
    STEPS, STEP_SECONDS, PARKED, RUNS, RUN_SECONDS, VERDICT_CHANGES, PHASE, PHASE_FORECAST, GATE_SECONDS, VOTES,
    LOOKED_AT, FACT_AT, SILENT,
    READY, VERDICT, CONDITIONS, SWITCHES, RUNS_OPEN, GATES_OPEN, GATE_UNTIL, SURVEYED_AT, SURVEYS_FAILED,
    GATEWAY_REQUESTS, GATEWAY_EVENTS, GATEWAY_REFUSED, GATEWAY_WAITING, GATEWAY_SECONDS,
    BUILD,
)  # fmt: skip


class _Counter(Protocol):
    def add(self, value: int, additional_attributes: Mapping[str, Any] | None = ...) -> None: ...


class _Histogram(Protocol):
    def record(self, value: float, additional_attributes: Mapping[str, Any] | None = ...) -> None: ...


class _Gauge(Protocol):
    def set(self, value: float, additional_attributes: Mapping[str, Any] | None = ...) -> None: ...


class Meter(Protocol):
    """Who takes figures: that of a run, of an activity, or of the process."""

    def create_counter(self, name: str, description: str | None = ..., unit: str | None = ...) -> _Counter:
        """A number that grows."""

    def create_histogram_float(self, name: str, description: str | None = ..., unit: str | None = ...) -> _Histogram:
        """Numbers that are counted by their size."""

    def create_gauge_float(self, name: str, description: str | None = ..., unit: str | None = ...) -> _Gauge:
        """A number as it is now."""


def record(meter: Meter, metric: Metric, value: float, labels: Mapping[str, str]) -> None:
    """Add to a counter, set a gauge, or count a value. ValueError for other labels than the table's."""
    if set(labels) != set(metric.labels):
        raise ValueError(f"{metric.name} has the labels {metric.labels}, not {tuple(labels)}")
    about = (metric.name, metric.says, metric.unit)
    if metric.kind == "counter":
        meter.create_counter(*about).add(int(value), labels)
    elif metric.kind == "gauge":
        meter.create_gauge_float(*about).set(float(value), labels)
    else:
        meter.create_histogram_float(*about).record(float(value), labels)
