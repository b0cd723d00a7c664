"""The forecast of a recovery against what was measured on the HA stack (reference: pve-ha §15, proxmox-api §10)."""

from datetime import timedelta
from typing import Any

import pytest

from cluster.facts import Totem
from cluster.forecast import Forecast, Phase, forecast, rejoined

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
        "votes settle T+00:12 to 00:17, fenced T+02:00 to 02:20, guests run again T+02:05 to 03:55: HA's master "
        "pxmx02-01 survives and waits for locks of 120 s; 100 guests on 3 nodes start in 9 waves"
    )
    assert told(DIES).finding == (
        "votes settle T+00:12 to 00:17, fenced T+02:50 to 03:23, guests run again T+02:55 to 03:38: HA's master "
        "pxmx01-01 is lost, a new one comes after 110 to 121 s and waits 60 s more"
    )
    assert told("", totem=None).why == "where HA's master ran is not known"


@pytest.mark.parametrize("master", [SURVIVES, DIES, ""])
@pytest.mark.parametrize("totem", [SLOW, QUICK, None])
def test_no_phase_comes_before_the_one_it_waits_for(master: str, totem: Totem | None):
    """Votes, then fencing, then guests; and no range is turned round."""
    found = told(master, totem=totem)

    assert found.quorum.earliest <= found.fenced.earliest <= found.running.earliest
    assert found.quorum.latest <= found.fenced.latest <= found.running.latest
    assert all(phase.earliest <= phase.latest for phase in (found.quorum, found.fenced, found.running))


def test_a_start_that_is_known_to_be_long_is_waited_for():
    """A database that starts for two minutes is not late after fifteen seconds; the next wave begins when it is up."""
    common: dict[str, Any] = {"master": SURVIVES, "lost": LOST, "survivors": 1, "totem": SLOW}
    usual, long = forecast(guests=5, **common), forecast(guests=5, start=120.0, **common)

    assert (usual.running.earliest, usual.running.latest) == (125, 165)
    assert (long.running.earliest, long.running.latest) == (240, 390)


def test_a_node_starts_as_many_guests_at_a_time_as_it_is_set_to():
    """`max_workers` in datacenter.cfg: one at a time makes eight waves of eight guests."""
    common: dict[str, Any] = {"master": SURVIVES, "lost": LOST, "guests": 8, "survivors": 1, "totem": SLOW}

    assert forecast(workers=1, **common).running.latest - forecast(workers=8, **common).running.latest == 70
    assert "8 guests on 1 nodes start in 8 waves" in forecast(workers=1, **common).why


def test_nodes_that_return_before_the_locks_are_free_cost_two_minutes_more():
    """A node that joins counts every lock anew (reference: pve-ha §3); the reason is told."""
    expected = told(DIES)
    early = rejoined(expected, 60.0)

    assert (early.fenced.earliest, early.fenced.latest) == (180, 200)
    assert (early.running.earliest, early.running.latest) == (185, 215)
    assert "nodes came back at T+01:00, before the locks were free: locks count again for 120 s" in early.why


def test_nodes_that_return_while_the_locks_become_free_may_cost_time():
    """Some may be taken already: the range begins where it did, and ends where the last one is free."""
    found = rejoined(told(SURVIVES), 130.0)

    assert (found.fenced.earliest, found.fenced.latest) == (120, 270)


def test_nodes_that_return_later_change_nothing():
    """The locks were free before."""
    assert rejoined(told(SURVIVES), 141.0) == told(SURVIVES)
