"""`python -m tests.fuzz_runs`: many schedules at a time; prints what was met, and every seed that broke a law.

A seed that has failed once is kept in ``seeds.txt`` and played first.
"""

import argparse
import concurrent.futures
import json
import multiprocessing
import os
import queue
import sys
import time
from collections import Counter
from pathlib import Path

from tests.fuzz_runs.planted import PLANTED
from tests.fuzz_runs.play import Outcome
from tests.fuzz_runs.share import played
from tests.thrift import spare_servers

KEPT = Path(__file__).with_name("seeds.txt")


class Tally:
    """What has come of the schedules so far."""

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose
        self._began = time.monotonic()
        self.done = 0
        self.bad: list[int] = []
        self.once: list[int] = []
        self.met: Counter[str] = Counter()

    def take(self, outcome: Outcome) -> None:
        """Count it, and say at once what was broken."""
        self.done += 1
        self.met.update(outcome.met)
        if self._verbose:
            phases = {name: round(at, 1) for name, at in outcome.phases.items()}
            print(f"seed {outcome.seed}: {outcome.seconds:.1f} s, {phases}, {outcome.met}", flush=True)
        if outcome.broken or outcome.once:
            _tell(outcome)
        self.once += [outcome.seed] if outcome.once else []
        self.bad += [outcome.seed] if outcome.broken else []
        if self.done % 20 == 0:
            print(f"{self.done} schedules, {len(self.bad)} with violations, {self.seconds} s", flush=True)

    @property
    def seconds(self) -> int:
        """Since the first one was begun."""
        return round(time.monotonic() - self._began)

    def summary(self) -> str:
        """In one line of JSON."""
        found = {"schedules": self.done, "violations": len(self.bad), "failing_seeds": self.bad, "seen_once": self.once}
        return json.dumps(found | {"seconds": self.seconds, "met": dict(sorted(self.met.items()))})


def main() -> int:
    """0 when no law was broken; with a planted fault, 0 when it was found."""
    chosen = _chosen()
    seeds = chosen.seeds or [*([] if chosen.planted else _kept()), *range(chosen.first, chosen.first + chosen.count)]
    shares = [seeds[number :: chosen.processes] for number in range(chosen.processes)]
    tally, spawn = Tally(verbose=chosen.verbose), multiprocessing.get_context("spawn")
    with spawn.Manager() as manager, concurrent.futures.ProcessPoolExecutor(chosen.processes, spawn) as pool:
        told = manager.Queue()
        doing = [
            pool.submit(played, number, share, chosen.planted, chosen.logs, told)
            for number, share in enumerate(shares)
            if share
        ]
        while tally.done < len(seeds) and not (chosen.planted and tally.bad):
            try:
                tally.take(told.get(timeout=5))
            except queue.Empty:
                if all(one.done() for one in doing):
                    break
        if chosen.planted and tally.bad:
            found = {"planted": chosen.planted, "found_by_seed": tally.bad[0], "after": tally.done}
            print(json.dumps(found | {"seconds": tally.seconds}), flush=True)
            for process in list((pool._processes or {}).values()):
                process.terminate()
            return 0
        for one in doing:
            one.result()
    print(tally.summary())
    return 1 if tally.bad or chosen.planted or tally.done < len(seeds) else 0


def _chosen() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300, help="schedules to play")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--seeds", type=int, nargs="*", help="these seeds and no others")
    parser.add_argument(
        "--processes", type=int, default=2 * (os.cpu_count() or 1), help="a schedule waits half of its time"
    )
    parser.add_argument("--planted", choices=sorted(PLANTED), default="", help="bend the engine: is it found?")
    parser.add_argument("--verbose", action="store_true", help="a line for each schedule")
    parser.add_argument("--logs", type=Path, help="keep the workers' and servers' logs in this folder")
    return parser.parse_args()


def _kept() -> list[int]:
    lines = KEPT.read_text().splitlines() if KEPT.exists() else []
    return [int(line.split()[0]) for line in lines if line[:1].isdigit()]


def _tell(outcome: Outcome) -> None:
    print(f"seed {outcome.seed} ({outcome.seconds:.1f} s):", file=sys.stderr)
    once = [f"once, not when played again: {line}" for line in outcome.once]
    for line in (*map(str, outcome.acts), *outcome.broken[:8], *once[:8]):
        print(f"    {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    spare_servers()
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
