"""A guest that HA moves from one node to another, by its own command. Pure."""

import operator

from pydantic import Field

from cluster.approval import Approval
from cluster.guests import GuestId
from cluster.nouns import Value
from cluster.plan import Finding, Intent, Wish
from cluster.transports import Transport

# HA's words for a service that it takes to another node (reference: pve-ha §7); each ends in ``started`` there.
MOVES = ("migrate", "relocate", "request_start_balance")


class Move(Value):
    """A guest that goes from `source` to `home`; `away` when that is not its home but where it is taken meanwhile."""

    sid: str
    name: str
    source: str
    home: str
    away: bool = False

    @property
    def guest(self) -> GuestId:
        """Its kind and number."""
        return GuestId.of(self.sid)

    def intent(self, turn: int) -> Intent:
        """The change; who goes first is part of its meaning, and that HA moves a container by a restart."""
        how = "" if self.guest.live else ", with a restart"
        what = "move away" if self.away else "bring home"
        detail = f"from {self.source}{how}"
        return Intent(where=self.home, what=what, target=self.sid, detail=detail, turn=turn, verb="move")


class MoveWish(Wish):
    """One guest to its home, in its turn of the plan, under this approval.

    `nodes` may all hold its volume of the group `vg`, which stands on the arrays' `volume`; `lun` is that volume's at
    the home's own array, the first of `arrays`. Of several volumes, `more` are the others with their LUNs there, and
    `vg` are all groups with a space between.
    """

    move: Move
    turn: int
    approval: Approval | None
    nodes: tuple[str, ...]
    vg: str
    volume: str
    arrays: tuple[str, ...]
    lun: int
    more: dict[str, int] = Field(default_factory=dict, exclude_if=operator.not_)
    transport: Transport = Field(default="iscsi", exclude_if=lambda given: given == "iscsi")


class MoveFinding(Finding):
    """Where it runs now. `seconds` it took and for how long it ran nowhere, in the cluster's time."""

    node: str
    seconds: float = 0.0
    downtime: float = 0.0


class SettledWish(Value):
    """Moves that HA may still be making."""

    moves: tuple[Move, ...]


class SettledFinding(Finding):
    """Where each of these guests runs now; `still` are those that HA is moving even now."""

    where: dict[str, str] = Field(default_factory=dict)
    still: tuple[str, ...] = ()
