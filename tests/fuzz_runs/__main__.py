"""`python -m tests.fuzz_runs`: many schedules, two at a time; prints what was met, and every seed that broke a law.

A seed that has failed once is kept in ``seeds.txt`` and played first.
"""

import argparse
import concurrent.futures
import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from pathlib import Path

from tests.fuzz_runs.planted import PLANTED
from tests.fuzz_runs.play import Outcome
from tests.fuzz_runs.share import played

KEPT = Path(__file__).with_name("seeds.txt")


def main() -> int:
    """0 when no law was broken; with a planted fault, 0 when it was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300, help="schedules to play")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--seeds", type=int, nargs="*", help="these seeds and no others")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--planted", choices=sorted(PLANTED), default="", help="bend the engine: is it found?")
    parser.add_argument("--verbose", action="store_true", help="a line for each schedule")
    parser.add_argument("--logs", type=Path, help="keep the workers' and servers' logs in this folder")
    chosen = parser.parse_args()
    kept = (
        [int(line.split()[0]) for line in KEPT.read_text().splitlines() if line[:1].isdigit()] if KEPT.exists() else []
    )
    seeds = chosen.seeds or [*(kept if not chosen.planted else []), *range(chosen.first, chosen.first + chosen.count)]
    shares = [seeds[number :: chosen.processes] for number in range(chosen.processes)]
    began, bad, met, done = time.monotonic(), [], Counter[str](), 0
    once: list[int] = []
    with multiprocessing.get_context("spawn").Manager() as manager:
        told = manager.Queue()
        with concurrent.futures.ProcessPoolExecutor(chosen.processes, multiprocessing.get_context("spawn")) as pool:
            doing = [pool.submit(played, share, chosen.planted, chosen.logs, told) for share in shares if share]
            while done < len(seeds):
                try:
                    outcome: Outcome = told.get(timeout=5)
                except Exception:  # the queue is empty: is anybody still playing?
                    if all(one.done() for one in doing):
                        break
                    continue
                done += 1
                if chosen.verbose:
                    phases = {name: round(at, 1) for name, at in outcome.phases.items()}
                    print(f"seed {outcome.seed}: {outcome.seconds:.1f} s, {phases}, {outcome.met}", flush=True)
                met.update(outcome.met)
                if outcome.broken or outcome.once:
                    _tell(outcome)
                if outcome.once:
                    once.append(outcome.seed)
                if outcome.broken:
                    bad.append(outcome)
                    if chosen.planted:
                        break
                if done % 20 == 0:
                    print(f"{done} schedules, {len(bad)} with violations, {time.monotonic() - began:.0f} s", flush=True)
            for one in doing:
                one.cancel()
            if chosen.planted and bad:
                print(json.dumps({"planted": chosen.planted, "found_by_seed": bad[0].seed, "after": done}), flush=True)
                _stop(pool)
                return 0
            for one in doing:
                one.result()
    summary = {"schedules": done, "violations": len(bad), "failing_seeds": [one.seed for one in bad], "seen_once": once}
    print(json.dumps(summary | {"seconds": round(time.monotonic() - began), "met": dict(sorted(met.items()))}))
    return 1 if bad or chosen.planted or done < len(seeds) else 0


def _stop(pool: concurrent.futures.ProcessPoolExecutor) -> None:
    for process in list((pool._processes or {}).values()):
        process.terminate()


def _tell(outcome: Outcome) -> None:
    print(f"seed {outcome.seed} ({outcome.seconds:.1f} s):", file=sys.stderr)
    once = [f"once, not when played again: {line}" for line in outcome.once]
    for line in (*map(str, outcome.acts), *outcome.broken[:8], *once[:8]):
        print(f"    {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
