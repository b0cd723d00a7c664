"""Commands and measurements, forked from a process that has the libraries imported: `python -m tests.quick`.

One that is started anew imports for a second before it does anything. What reads the environment when it is imported
(the commands themselves, their consoles) is left to each fork, which has the environment of its own command.
"""

import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from subprocess import CompletedProcess

ROOT = Path(__file__).parents[1]
# With them comes everything below; `workers.cli.options` and the modules of commands are imported by the fork.
IMPORTED = (
    "pypureclient.flasharray", "rich.live", "rich.markdown", "rich.pretty", "rich.progress", "rich.table",
    "typer.rich_utils", "workers.cli.check", "workers.cli.follow", "workers.cli.incident.runs", "workers.cli.answered",
    "workers.temporal.embedded", "workers.worker.run",
)  # fmt: skip

_one_at_a_time = threading.Lock()
_forks: list[subprocess.Popen[str]] = []


def run(module: str, arguments: list[str], environment: Mapping[str, str]) -> CompletedProcess[str]:
    """`python -m MODULE ARGUMENTS` in a process of its own, with nothing on its standard input."""
    with _one_at_a_time, tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        words = [module, *arguments]
        order = {"words": words, "environment": dict(environment), "out": str(out), "err": str(err)}
        forks = _started()
        assert forks.stdin is not None
        assert forks.stdout is not None
        forks.stdin.write(json.dumps(order) + "\n")
        forks.stdin.flush()
        status = int(forks.stdout.readline())
        return CompletedProcess(words, status, out.read_text(), err.read_text())


def _started() -> subprocess.Popen[str]:
    if not _forks:
        command = [sys.executable, "-m", "tests.quick"]
        _forks.append(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        )  # it ends with this process, when its standard input does
    return _forks[0]


def main() -> None:
    """Fork as ordered, a line each, until whoever gives the orders is gone; the answer is the exit status."""
    for name in IMPORTED:
        importlib.import_module(name)
    assert "workers.cli.options" not in sys.modules, "its consoles belong to the fork"
    for order in sys.stdin:
        child = os.fork()
        if child == 0:
            _become(**json.loads(order))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _become(words: list[str], environment: dict[str, str], out: str, err: str) -> None:
    """Be that module with these arguments, for two minutes at most."""
    signal.alarm(120)
    os.environ.clear()
    os.environ.update(environment)
    for number, place in ((0, os.devnull), (1, out), (2, err)):
        os.dup2(os.open(place, os.O_RDWR | os.O_CREAT, 0o600), number)
    sys.stdin = open(0)  # noqa: SIM115  # lives as long as the process
    sys.argv[:] = words
    try:
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)  # what is run here ends by itself, with a status


if __name__ == "__main__":
    main()
