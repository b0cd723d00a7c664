"""`python -m tests.tiers TARGET...`: make's targets one after the other, whatever fails, and a table at the end."""

import subprocess
import sys
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Ran:
    """What has come of a tier; `seconds` of the wall."""

    tier: str
    passed: bool
    seconds: float


def run(tier: str) -> Ran:
    """Make it, with its output where ours goes."""
    print(f"\n=== make {tier}", flush=True)
    began = time.monotonic()
    status = subprocess.run(["make", "--no-print-directory", tier], check=False).returncode
    return Ran(tier, status == 0, time.monotonic() - began)


def table(ran: list[Ran]) -> str:
    """One line for each tier, in the order in which they ran."""
    lines = [f"{one.tier:<18}{'passed' if one.passed else 'FAILED':<8}{one.seconds:>7.0f} s" for one in ran]
    return "\n".join(lines)


def main(tiers: list[str]) -> int:
    """0 when all have passed."""
    ran = [run(tier) for tier in tiers]
    print(f"\n{table(ran)}")
    return 0 if all(one.passed for one in ran) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
