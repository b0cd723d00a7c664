"""The forecast of a recovery against what was measured on the HA stack (reference: pve-ha §15, proxmox-api §10)."""

from datetime import timedelta

import pytest

from cluster.facts import Totem
from cluster.forecast import Forecast, Phase, forecast

LOST = frozenset({"pxmx01-01", "pxmx01-02", "pxmx01-03"})
SLOW = Totem(token=timedelta(seconds=5.6), consensus=timedelta(seconds=6.72))
QUICK = Totem(token=timedelta(seconds=3.5), consensus=timedelta(seconds=4.2))
SURVIVES, DIES = "pxmx02-01", "pxmx01-01"


def told(
    master: str, guests: int = 2, survivors: int = 3, totem: Totem | None = SLOW, lost: frozenset[str] = LOST
) -> Forecast:
    return forecast(master=master, lost=lost, guests=guests, survivors=survivors, totem=totem)


# Columns C: first and last second that was measured. One node takes its own row, the master among it or not.
MEASURED = [
    ("site without power", SURVIVES, LOST, (120, 131), (132, 140)),
    ("site without power", DIES, LOST, (173, 189), (180, 198)),
    ("site without network", SURVIVES, LOST, (126, 133), (135, 140)),
    ("site without network", DIES, LOST, (172, 193), (179, 201)),
    ("one node", SURVIVES, frozenset({DIES}), (124, 139), (133, 147)),
    ("one node", DIES, frozenset({DIES}), (174, 174), (180, 180)),
]


@pytest.mark.parametrize(("event", "master", "lost", "lock", "running"), MEASURED)
def test_what_was_measured_was_forecast(
    event: str, master: str, lost: frozenset[str], lock: tuple[float, float], running: tuple[float, float]
):
    """Every measured second lies in the range that is told for it, with the master's seat known or not."""
    for found in (told(master, lost=lost, survivors=6 - len(lost)), told("", lost=lost, survivors=6 - len(lost))):
        assert _holds(found.fenced, lock), event
        assert _holds(found.running, running), event


@pytest.mark.parametrize(("totem", "settled"), [(SLOW, (12.5, 13.3)), (QUICK, (8.5, 12.2))])
def test_votes_settle_when_it_was_forecast(totem: Totem, settled: tuple[float, float]):
    """Token and consensus, or the witness that forgets, whichever is later."""
    assert _holds(told(SURVIVES, totem=totem).quorum, settled)


def _holds(phase: Phase, measured: tuple[float, float]) -> bool:
    return phase.earliest <= measured[0] <= measured[1] <= phase.latest


def test_the_masters_seat_is_worth_a_minute():
    """A master that is lost with the site has to be replaced before anything is fenced."""
    survives, dies, unknown = told(SURVIVES), told(DIES), told("")

    assert (survives.seat, dies.seat, unknown.seat) == ("survivor", "lost", "unknown")
    assert 40 <= dies.fenced.earliest - survives.fenced.earliest <= 60
    assert (unknown.fenced.earliest, unknown.fenced.latest) == (survives.fenced.earliest, dies.fenced.latest)


@pytest.mark.parametrize(
    ("guests", "survivors", "waves"),
    [(0, 3, 1), (1, 3, 1), (12, 3, 1), (13, 3, 2), (24, 3, 2), (100, 3, 9), (100, 1, 25), (100, 0, 25)],
)
def test_guests_start_in_waves_of_four_a_node(guests: int, survivors: int, waves: int):
    """Each further wave is one round of ten seconds more; the first guest is back as early as ever."""
    alone, found = told(SURVIVES, guests=1), told(SURVIVES, guests=guests, survivors=survivors)

    assert found.running.latest - alone.running.latest == (waves - 1) * 10
    assert found.running.earliest == alone.running.earliest


def test_the_line_says_when_and_why():
    """What a person reads at three in the morning."""
    assert told(SURVIVES, guests=100).finding == (
        "votes settle T+12 to 17 s, fenced T+120 to 140 s, guests run again T+125 to 235 s: HA's master pxmx02-01 "
        "survives and waits for locks of 120 s; 100 guests on 3 nodes start in 9 waves"
    )
    assert told(DIES).finding == (
        "votes settle T+12 to 17 s, fenced T+170 to 203 s, guests run again T+175 to 218 s: HA's master pxmx01-01 is "
        "lost, a new one comes after 110 to 121 s and waits 60 s more"
    )
    assert told("", totem=None).why == "where HA's master sat is not known"


@pytest.mark.parametrize("master", [SURVIVES, DIES, ""])
@pytest.mark.parametrize("totem", [SLOW, QUICK, None])
def test_no_phase_comes_before_the_one_it_waits_for(master: str, totem: Totem | None):
    """Votes, then fencing, then guests; and no range is turned round."""
    found = told(master, totem=totem)

    assert found.quorum.earliest <= found.fenced.earliest <= found.running.earliest
    assert found.quorum.latest <= found.fenced.latest <= found.running.latest
    assert all(phase.earliest <= phase.latest for phase in (found.quorum, found.fenced, found.running))
