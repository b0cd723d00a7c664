"""Time that jumps: hours in milliseconds, and always the same."""

import asyncio
import time

import pytest

from lab.physics import jump


def test_a_day_passes_at_once():
    """Appointments come in their order and at their time; the wall hardly moves."""
    met: list[tuple[float, float]] = []
    began, wall = 0.0, time.monotonic()

    async def appointment(clock, at):
        await clock.sleep(at)
        met.append((at, round(clock.now() - began, 6)))

    async def day():
        nonlocal began
        clock = jump.clock()
        began = clock.now()
        await asyncio.gather(*(appointment(clock, at) for at in (86_400, 60, 3600)))

    jump.run(day())

    assert met == [(60, 60), (3600, 3600), (86_400, 86_400)]
    assert time.monotonic() - wall < 5


def test_a_standstill_is_an_error():
    """Nobody has an appointment and somebody waits: that would be for ever."""
    with pytest.raises(RuntimeError, match="everybody waits"):
        jump.run(asyncio.Event().wait())
