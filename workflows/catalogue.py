"""What every runbook has in common for the one who starts it: how it is described, asked for, and reported."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from cluster.approval import Audit
from cluster.plan import Intent, Mode
from workflows.page import StepRecord


class RunbookRequest(BaseModel):
    """What a start form takes.

    Without any input the worker's own cluster is planned, and nothing is changed. `plan` is the digest of a plan that
    somebody has read: the run is refused when what it would do now differs. `by` is who asks for it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cluster: str | None = None
    mode: Mode = Mode.PLAN
    plan: str | None = None
    by: str | None = None


class RunbookReport(BaseModel):
    """How a run ended: what it planned, changed and skipped. `changed` counts made changes, `trace` is its trace id."""

    cluster: str
    mode: Mode
    seconds: float
    planned: tuple[Intent, ...] = ()
    digest: str
    changed: int
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    approvals: tuple[Audit, ...] = ()
    steps: tuple[StepRecord, ...]
    trace: str = ""


class About(BaseModel):
    """A runbook's entry in the catalogue: what a person reads before starting it.

    `example` is what a start form takes, and the only one: every error about a wrong request shows it.
    """

    model_config = ConfigDict(frozen=True)

    name: str  # what the command line calls it
    what: str
    when: str
    asks: str
    landing: str  # in which condition an abort leaves things
    example: dict[str, Any]
    request: type[RunbookRequest] = RunbookRequest
    emergency: bool = False  # it is for an incident, and refuses to begin without one
