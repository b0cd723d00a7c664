"""One process of a fuzz: a stage, and its share of the seeds."""

import asyncio
import logging
import os
import tempfile
from pathlib import Path
from queue import Queue

from tests.fuzz_runs.play import Outcome, Play
from tests.fuzz_runs.stage import Stage
from tests.thrift import keep_imports


def played(number: int, seeds: list[int], planted: str, logs: Path | None, told: Queue[Outcome]) -> None:
    """One process, and which one it is: a stage, and its share of the seeds."""
    os.environ["PYTEST_XDIST_WORKER"] = f"gw{number}"  # by that its twin has a net of its own
    keep_imports()
    # what is still written to a worker that has just been killed
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    asyncio.run(_all(seeds, planted, logs, told))


async def _all(seeds: list[int], planted: str, logs: Path | None, told: Queue[Outcome]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) if logs is None else logs / str(os.getpid())
        place.mkdir(parents=True, exist_ok=True)
        stage = Stage(place, planted)
        await stage.begin()
        try:
            for seed in seeds:
                outcome = await _one(stage, seed)
                if outcome.broken and not planted:
                    outcome = _both(outcome, await _one(stage, seed))
                told.put(outcome)
        finally:
            await stage.end()


async def _one(stage: Stage, seed: int) -> Outcome:
    """That schedule; an error of the harness is told like a broken law, and the next one is played."""
    play = Play(stage, seed)
    try:
        return await play.run()
    except Exception as error:
        play.outcome.broken = [f"harness: {type(error).__name__}: {error}"]
        return play.outcome


def _both(first: Outcome, again: Outcome) -> Outcome:
    """A schedule that has broken a law is played again at once: what happens by bad luck alone is told as that."""
    if not again.broken:
        first.once, first.broken = first.broken, []
    return first
