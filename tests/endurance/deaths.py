"""Workers that are killed at every change of a run, from outside: `dying` starts them, and reads what they died of."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from workers.temporal.embedded import TemporalServer


@contextmanager
def dying(
    inventory: Path, temporal: TemporalServer, queue: str, when: str, folder: Path, speed: float = 1.0
) -> Iterator[Callable[[], list[str]]]:
    """Workers on that queue, each killed before or after one change; the changes at which they have died so far.

    `speed` is how much faster than the wall the cluster's time runs for them.
    """
    log = folder / "deaths"
    given = {"TEMPORAL_ADDRESS": temporal.address, "QUORATE_TASK_QUEUE": queue, "QUORATE_SPEED": f"{speed:g}"}
    environment = os.environ | given
    with log.open("w") as out, (folder / "errors").open("w") as errors:
        command = [sys.executable, "-m", "tests.endurance.zygote", str(inventory), when]
        zygote = subprocess.Popen(command, stdout=out, stderr=errors, env=environment)
        try:
            yield lambda: [json.loads(line)["change"] for line in log.read_text().splitlines()]
        finally:
            zygote.terminate()
            zygote.wait(10)
