"""What a break-glass run is asked for, and what it reports. Pure."""

from typing import Self

from pydantic import Field, model_validator

from cluster.approval import Approval
from cluster.inventory import Inventory
from cluster.plan import Mode
from workflows.catalogue import RunbookReport, RunbookRequest


class BreakGlassRequest(RunbookRequest):
    """Who asks for it, and why: whoever approves reads it. `by` is not among those who approve."""

    why: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.mode is Mode.APPLY and not (self.by or "").strip():
            raise ValueError('"by" is required: who asks for it; that person cannot approve it')
        if self.mode is Mode.APPLY and not (self.why or "").strip():
            raise ValueError('"why" is required: what you have seen and done already; it is shown to those who approve')
        return self


class HandOverRequest(BreakGlassRequest):
    """What `hand-over-quorum` is asked for: who asks, and why."""


class SessionsRequest(BreakGlassRequest):
    """What `restore-sessions` is asked for: who asks, and why."""


class ReconcileRequest(BreakGlassRequest):
    """What `reconcile-arrays` is asked for: who asks, and why."""


class ReviveRequest(BreakGlassRequest):
    """What `revive-guests` is asked for: who asks, and why.

    `guests` are those that are meant, as HA names them (``vm:300``); none means all.
    """

    guests: tuple[str, ...] = ()

    def wrong_guests(self, _: Inventory) -> str:
        """Empty when each is named as HA does."""
        odd = [sid for sid in self.guests if sid.partition(":")[0] not in ("vm", "ct") or not sid[3:].isdigit()]
        return f"guests: {', '.join(odd)}: a guest is named as HA does, vm:300 or ct:137" if odd else ""


class ColdStartRequest(BreakGlassRequest):
    """What `cold-start` is asked for: who asks, and why; `leave` are nodes that are off on purpose and stay off."""

    leave: tuple[str, ...] = ()

    def wrong_nodes(self, inventory: Inventory) -> str:
        """Empty when the inventory has each of them."""
        known = [node.name for node in inventory.nodes]
        odd = [node for node in self.leave if node not in known]
        return f"leave: {', '.join(odd)}: the inventory has {', '.join(known)}" if odd else ""


class BreakGlassReport(RunbookReport):
    """How the cluster was called before and after, who has agreed, what was left to people."""

    before: str
    after: str
    approval: Approval | None = None
    held: dict[str, str] = Field(default_factory=dict)
