"""What the measurements have in common: what a process takes, and where figures go."""

import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

# `--small`: each measurement is run through in seconds, so that it cannot rot; its figures mean nothing.
SMALL = "--small" in sys.argv
# How fast the twin runs: a measurement is made in real time.
SPEED = 40.0 if SMALL else 1.0


def resident(pid: int, line: str = "VmRSS") -> int:
    """Resident memory of a process in bytes; ``VmHWM`` is the most it has had."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(one for one in status if one.startswith(f"{line}:")).split()[1]) * 1024


def cpu_seconds(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def told(figures: dict[str, Any], name: str) -> NoReturn:
    """Print the figures, keep them in ``var/NAME.json`` unless they are small, and end.

    At once: a process that ran a Worker may crash while Python takes itself apart.
    """
    text = json.dumps(figures, indent=2)
    if not SMALL:
        Path("var").mkdir(exist_ok=True)
        Path(f"var/{name}.json").write_text(text + "\n")
    print(text)
    sys.stdout.flush()
    os._exit(0)
