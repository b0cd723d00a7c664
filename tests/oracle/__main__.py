"""`python -m tests.oracle`: N random scenarios in the original's simulator and in the twin, and what differs.

The original is no part of this project: PVE_HA_MANAGER names a checkout of pve-ha-manager, PERL5LIB the folders of
the modules that it needs. Without them nothing is compared, and the reason is told.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from tests.oracle import original, ours
from tests.oracle.scenario import draw
from tests.oracle.story import differences


def main() -> int:
    """0 when both tell the same in all scenarios, or when there is nothing to compare with."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="scenarios to play")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--seeds", type=int, nargs="*", help="these seeds and no others")
    chosen = parser.parse_args()
    try:
        source = original.checkout()
    except original.Missing as error:
        print(f"skipped: {error}")
        return 0
    began, differing, placed, equal = time.monotonic(), [], 0, 0
    seeds = chosen.seeds or range(chosen.first, chosen.first + chosen.count)
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            scenario = draw(seed, ours.NODES)
            theirs = original.play(scenario, source, Path(folder) / str(seed))
            mine = ours.play(scenario)
            found = differences(theirs, mine, len(scenario.steps))
            placed += len(theirs.ends)
            equal += sum(theirs.ends[sid] == mine.ends.get(sid) for sid in theirs.ends)
            if found:
                differing.append(seed)
                print(scenario.told(), *(f"    {line}" for line in found), sep="\n", flush=True)
    summary = {"scenarios": len(seeds), "differing": differing, "placements": placed, "equal_placements": equal}
    print(json.dumps(summary | {"seconds": round(time.monotonic() - began)}))
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
