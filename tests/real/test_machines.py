"""The machines themselves: nothing of them is left, whatever becomes of the tests."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.patience import Deadline
from tests.rooms import ROOT

pytestmark = pytest.mark.real

BEGIN_ONE = """
import sys, time
from pathlib import Path
from tests.real.machine import Machine
machine = Machine("probe", Path(sys.argv[1]))
machine.boot()
machine.do("sh", "-c", "setsid sleep 600 </dev/null >/dev/null 2>&1 &")
print(machine.pid, flush=True)
time.sleep(600)
"""


def test_a_machine_ends_with_the_process_that_made_it(own_network: None, tmp_path: Path):
    """Killed without a word: the kernel ends the machine's first process, and with it what was started there."""
    command = [sys.executable, "-c", BEGIN_ONE, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as maker:
        assert maker.stdout is not None
        first = int(maker.stdout.readline())
        space = os.readlink(f"/proc/{first}/ns/pid")
        assert len(inside(space)) > 1
        maker.send_signal(signal.SIGKILL)

    deadline = Deadline(10)
    while inside(space):
        assert not deadline.over, f"these still run: {inside(space)}"
        time.sleep(0.05)


def inside(space: str) -> list[str]:
    """The processes of a process namespace, by their numbers here."""
    return [one.name for one in Path("/proc").glob("[0-9]*") if _space(one) == space]


def _space(process: Path) -> str:
    try:
        return os.readlink(process / "ns" / "pid")
    except OSError:  # it has ended
        return ""
