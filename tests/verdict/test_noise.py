"""Noise is no incident, and an incident in the noise is found (the figures: `python -m tests.verdict.noise`)."""

import statistics

import pytest

from tests.verdict.noise import drawn, falsely, lost
from tests.verdict.world import scaled

BLOCK = 125
COUNT, LOSSES = scaled(BLOCK), scaled(BLOCK)
# Looks after everybody has the evidence: a management that is out of reach for 40 s hides it for so long.
BOUND = 45


@pytest.mark.parametrize("first", range(0, COUNT, BLOCK))
def test_noise_is_never_called_an_incident(first: int):
    """No lost, isolated or parted site and no lost quorum, at any look of any schedule."""
    assert [text for text in map(falsely, range(first, first + BLOCK)) if text] == []


@pytest.mark.parametrize("first", range(0, LOSSES, BLOCK))
def test_a_site_that_dies_in_the_noise_is_told(first: int):
    """Each of them, soon, and nothing else; where somebody goes on seeing it alive it is not called lost."""
    told = [lost(seed) for seed in range(first, first + BLOCK)]
    delays = [one.delay for one in told if one.keeps is None]

    assert [one for one in told if one.wrong] == []
    assert None not in delays
    known = [delay for delay in delays if delay is not None]
    print(f"looks after the evidence: median {statistics.median(known):.1f}, longest {max(known):.1f}")
    assert max(known) < BOUND
    assert statistics.median(known) < 3


def test_a_schedule_is_its_seed():
    """What failed once fails again."""
    one, other = drawn(7, loss=True), drawn(7, loss=True)

    assert (one.silences, one.unsettled, one.drift, one.dies, one.at) == (
        other.silences, other.unsettled, other.drift, other.dies, other.at,
    )  # fmt: skip
    assert falsely(7) == falsely(7)
