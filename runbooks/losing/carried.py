"""What the loss of nodes hands to its next run, when it continues as new: the whole of its record. Pure."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from cluster.conditions import Condition
from cluster.fencing import FencingSeen
from cluster.forecast import Forecast
from cluster.outages import Outages, Standing, Waits
from cluster.recovery import SwitchesState
from runbooks.loss import Loss, Timeline
from workflows.carried import IncidentState, Place

# Where the procedure is: guests are waited for, all nodes are, or some, their quarantine is listed, the last guests are
# waited for, what was disabled is given back.
Phase = Literal["deciding", "returning", "some", "quarantine", "settling", "handing"]


class RecoveryState(BaseModel):
    """The guests: how each stands, why, its outages, who is late, and the notes that say so."""

    line: Place | None
    recovered: bool = False
    standing: dict[str, Standing]
    causes: dict[str, str]
    unseen: dict[str, datetime]
    waits: Waits
    late_notes: dict[str, tuple[str, ...]]
    running: dict[str, datetime]
    outages: Outages


class FencingState(BaseModel):
    """The lost nodes: `seen` is what the looks that go on have seen so far, `until` when each is told as not known."""

    lines: dict[str, Place]
    needed: list[str]
    seen: dict[str, FencingSeen]
    until: dict[str, datetime]
    fenced: dict[str, datetime]
    proofs: dict[str, str]
    others: dict[str, str]


class LossState(IncidentState):
    """All of it. `following` are nodes whose guests are not known yet; `unlisted`: nobody has told HA's list."""

    loss: Loss
    times: Timeline | None
    forecast: Forecast | None
    recovery: RecoveryState
    fencing: FencingState
    switches: SwitchesState
    stand: dict[str, Condition]
    plain_headline: str
    phase: Phase
    returning: str
    waiting: str
    awaited: tuple[str, ...]
    back: tuple[str, ...]
    missing: tuple[str, ...]
    any_back: bool
    were_back: list[str]
    told_when_back: int
    settling_since: int
    unlisted: bool
    following: list[tuple[tuple[str, ...], datetime]]
