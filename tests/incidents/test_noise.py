"""Noise that every cluster makes, fifty schedules of it on the twin: nothing is declared, nobody is woken."""

import asyncio
import random

import pytest

from tests.incidents.conftest import Site, Watched

pytestmark = pytest.mark.slow

SCHEDULES, LASTS = 50, 40.0
ARRAYS = ("X90R3-SiteA", "X90R3-SiteB")
NODES = tuple(f"pxmx0{site}-0{node}" for site in (1, 2) for node in (1, 2, 3))


def noise(draw: random.Random) -> tuple[tuple[str, ...], float]:
    """A fault that is no incident, and for how many lab seconds it lasts."""
    node, array = draw.choice(NODES), draw.choice(ARRAYS)
    kinds = (
        (("hung-api", f"pve:{node}"), 30.0),
        (("hung-api", f"ssh:{node}"), 30.0),
        (("slow-api", array, "8"), 30.0),
        (("failing-api", array, "503"), 30.0),
        (("ring", node, draw.choice("01")), 20.0),
        (("witness",), 8.0),  # a restart of its daemon, or of the host
        (("portal", array, draw.choice("0123")), 15.0),
        (("clock", node, f"{draw.uniform(-1, 1):.2f}"), 40.0),
    )
    fault, longest = draw.choice(kinds)
    return fault, draw.uniform(2, longest)


async def test_noise_declares_nothing(site: Site, watched: Watched):
    """A failing schedule is named by its seed."""
    looks, judged = 0, set()
    for seed in range(SCHEDULES):
        draw = random.Random(seed)
        ends: list[tuple[float, tuple[str, ...]]] = []
        for _ in range(draw.randint(1, 3)):
            fault, lasts = noise(draw)
            site.fail(*fault)
            ends.append((site.world.clock.now() + lasts, fault))
        until = site.world.clock.now() + LASTS
        while site.world.clock.now() < until or ends:
            for end in [end for end in ends if end[0] <= site.world.clock.now()]:
                ends.remove(end)
                site.restore(*end[1])
            state = await watched.state()
            looks += 1
            assert state.verdict is not None
            judged.add(state.verdict.kind)
            assert state.open is None, f"seed {seed}: {state.open.run} was opened: {state.verdict.main}"
            await asyncio.sleep(0.1)
    print(f"{SCHEDULES} schedules, {looks} looks, judged {sorted(judged)}, 0 incidents")
