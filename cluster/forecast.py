"""When the guests will be back: each phase of a recovery with its earliest and latest second after the loss.

The numbers are those of the HA stack and cannot be configured (reference: pve-ha §§1, 3, 15 and incidents, facts 3).
The seat of HA's master decides most: one at the lost site has to be replaced first, and its successor counts the fence
delay anew.
"""

from datetime import timedelta
from math import ceil
from typing import Literal

from pydantic import BaseModel, ConfigDict

from cluster.facts import Totem
from cluster.moments import clock_of, t_plus

# An agent lock is free when it has not been refreshed for more than 120 s; rounds of 10 s and the two steps of a
# take-over add up to 20 s.
LOCK = (120.0, 140.0)
# A new master comes 110 to 121 s after the old one's death and then waits 60 s more: 173 to 189 s were measured, and
# the votes may settle up to 13 s late.
LOCK_NEW_MASTER = (170.0, 203.0)
# An LRM looks every 5 to 10 s, and a guest needs some seconds to start where nobody says how many.
START = (5.0, 15.0)
# How many guests a node starts at a time (`max_workers` in datacenter.cfg), and how often it begins with more.
WORKERS, ROUND = 4, 10.0
# A node that joins counts every lock anew, and it may be the one that decides (reference: pve-ha §3).
REJOINED = (120.0, 140.0)
# The witness forgets dead clients after 4 to 12 s; corosync settles after that.
WITNESS = (4.0, 14.0)

Seat = Literal["survivor", "lost", "unknown"]


class Phase(BaseModel):
    """Seconds after the last proof of life between which something is expected."""

    model_config = ConfigDict(frozen=True)

    earliest: float
    latest: float

    def __str__(self) -> str:
        return f"{t_plus(self.earliest)} to {clock_of(self.latest)}"


class Forecast(BaseModel):
    """What is expected after a loss, and why."""

    model_config = ConfigDict(frozen=True)

    seat: Seat
    quorum: Phase
    fenced: Phase
    running: Phase
    why: str

    @property
    def finding(self) -> str:
        """The line a person reads."""
        return f"votes settle {self.quorum}, fenced {self.fenced}, guests run again {self.running}: {self.why}"


def forecast(
    *,
    master: str,
    lost: frozenset[str],
    guests: int,
    survivors: int,
    totem: Totem | None,
    start: float | None = None,
    workers: int = WORKERS,
) -> Forecast:
    """The phases after the loss of these nodes. `guests` are those under HA that ran there.

    `start`: seconds that a guest's start takes, where they are known; `workers`: starts at a time on one node.
    """
    seat: Seat = "unknown" if not master else "lost" if master in lost else "survivor"
    detection = (totem.detection if totem else timedelta(seconds=12.3)).total_seconds()
    lock = {"survivor": LOCK, "lost": LOCK_NEW_MASTER, "unknown": (LOCK[0], LOCK_NEW_MASTER[1])}[seat]
    first, last = START if start is None else (start, ROUND + start)
    waves = max(1, ceil(ceil(guests / max(1, survivors)) / max(1, workers)))
    between = max(ROUND, start or 0.0)
    return Forecast(
        seat=seat,
        quorum=Phase(earliest=detection, latest=max(detection + 5, WITNESS[1])),
        fenced=Phase(earliest=lock[0], latest=lock[1]),
        running=Phase(earliest=lock[0] + first, latest=lock[1] + last + (waves - 1) * between),
        why=_why(seat, master, guests, survivors, waves),
    )


def rejoined(expected: Forecast, at: float) -> Forecast:
    """The same after nodes have come back at T+`at`: where the locks were not free yet, they are counted anew."""
    if at >= expected.fenced.latest:
        return expected
    spread = expected.running.latest - expected.fenced.latest
    first = expected.running.earliest - expected.fenced.earliest
    fenced = Phase(earliest=expected.fenced.earliest, latest=at + REJOINED[1])
    if at < expected.fenced.earliest:
        fenced = Phase(earliest=at + REJOINED[0], latest=at + REJOINED[1])
    return expected.model_copy(
        update={
            "fenced": fenced,
            "running": Phase(earliest=fenced.earliest + first, latest=fenced.latest + spread),
            "why": f"{expected.why}; nodes came back at {t_plus(at)}, before the locks were free: locks count "
            f"again for {REJOINED[0]:.0f} s",
        }
    )


def _why(seat: Seat, master: str, guests: int, survivors: int, waves: int) -> str:
    seats = {
        "survivor": f"HA's master {master} survives and waits for locks of 120 s",
        "lost": f"HA's master {master} is lost, a new one comes after 110 to 121 s and waits 60 s more",
        "unknown": "where HA's master ran is not known",
    }
    more = f"; {guests} guests on {survivors} nodes start in {waves} waves" if waves > 1 else ""
    return seats[seat] + more
