"""`python -m tests.fuzz`: many seeds side by side; prints what was met, and every seed that broke a law."""

import argparse
import concurrent.futures
import gc
import json
import os
import sys
import time

from tests.fuzz.run import Outcome, run


def main() -> int:
    """0 when no law was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="schedules to play")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    chosen = parser.parse_args()
    seeds = range(chosen.first, chosen.first + chosen.count)
    began = time.monotonic()
    bad: list[Outcome] = []
    counted = ("schedules", "looks", "resets", "recoveries", "double_runs", "contradictions")
    totals: dict[str, float] = dict.fromkeys(counted, 0)
    with concurrent.futures.ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
        for outcome in pool.map(_one, seeds, chunksize=5):
            totals["schedules"] += 1
            totals["looks"] += outcome.looks
            totals["resets"] += outcome.resets
            totals["recoveries"] += outcome.recoveries
            totals["double_runs"] += outcome.doubles > 0
            totals["contradictions"] += len(outcome.contradictions) > 0
            if outcome.contradictions:
                bad.append(outcome)
                _tell(outcome)
            if totals["schedules"] % 100 == 0 and not chosen.json:
                print(f"{totals['schedules']} schedules, {totals['contradictions']} with contradictions", flush=True)
    totals["seconds"] = round(time.monotonic() - began, 1)
    print(json.dumps(totals | {"failing_seeds": [outcome.seed for outcome in bad]}))
    return 1 if bad else 0


def _one(seed: int) -> Outcome:
    """One schedule; its garbage is collected when it is over, not while it runs."""
    gc.disable()
    try:
        return run(seed)
    finally:
        gc.enable()
        gc.collect()


def _tell(outcome: Outcome) -> None:
    print(f"seed {outcome.seed}:", file=sys.stderr)
    for line in (*map(str, outcome.acts), *outcome.contradictions[:6]):
        print(f"    {line}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
