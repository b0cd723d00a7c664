"""The base installation is a worker's: it does without the twin and the gateway, and says how to get them."""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator

import pytest

from tests.rooms import ROOT
from workers.cli.extras import BRINGS

Command = Callable[..., subprocess.CompletedProcess[str]]
EXAMPLE = ROOT / "examples" / "lab.yaml"
# By what they are imported as, where that is not their name.
IMPORTED = {"pyjwt": "jwt", "rfc3161-client": "rfc3161_client", "sse-starlette": "sse_starlette"}

# What stands in front of every import of a process: these are not installed. `lab` is ours, and comes with the wheel.
BARE = """
import sys

class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {missing!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, NotInstalled())
"""
# PyJWT comes along with py-pure-client, and cryptography with asyncssh.
ANYHOW = {"jwt", "cryptography"}
MISSING = {module for modules in BRINGS.values() for module in modules} - ANYHOW


# Each command is a fork of one process, which imports once: a line of JSON has its words, a line back its status.
FORKS = """
import json, os
from workers.cli.main import run

for line in sys.stdin:
    words, files = json.loads(line)
    child = os.fork()
    if not child:
        for number, file in zip((1, 2), files):
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600), number)
        status = run(words)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def started(code: str, *, missing: set[str] = MISSING) -> "subprocess.Popen[str]":
    """A process of an installation without these."""
    return subprocess.Popen(
        [sys.executable, "-c", BARE.format(missing=missing) + code],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    """Commands of an installation without the extras."""
    place = tmp_path_factory.mktemp("bare")
    with started(FORKS) as forks:
        given, told = forks.stdin, forks.stdout
        assert given is not None
        assert told is not None

        def ran(*words: str) -> subprocess.CompletedProcess[str]:
            out, err = (place / f"{name}-{len(list(place.iterdir()))}" for name in ("out", "err"))
            print(json.dumps([words, [str(out), str(err)]]), file=given, flush=True)
            status = int(told.readline())
            return subprocess.CompletedProcess(words, status, out.read_text(), err.read_text())

        yield ran
        given.close()


def test_a_worker_is_imported_without_the_twin_and_the_gateway():
    """With all that it is wired from; not even our own `lab` is looked at."""
    code = "import workers.worker.run, workers.worker.wiring, workers.cli.main"
    with started(code, missing=MISSING | {"lab"}) as process:
        _, said = process.communicate(timeout=120)

    assert (process.returncode, said) == (0, "")


@pytest.mark.parametrize("arguments", [("--version",), ("runbooks",), ("check", "--offline", str(EXAMPLE))])
def test_the_commands_of_a_worker_do_without(command: Command, arguments: tuple[str, ...]):
    """What everybody uses."""
    done = command(*arguments)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "what", "remedy"),
    [
        (("lab", "up"), "the twin is not installed here: aiohttp, trustme missing", "pip install 'quorate[lab]'"),
        (("lab", "up", "-d"), "the twin is not installed here: aiohttp, trustme missing", "pip install 'quorate[lab]'"),
        (("lab", "faults"), "the twin is not installed here: aiohttp, trustme missing", "pip install 'quorate[lab]'"),
        (("lab", "scenario", "examples/scenarios/site-loss.yaml", "--check"),
         "the twin is not installed here: aiohttp, trustme missing", "pip install 'quorate[lab]'"),
        (("demo",), "the twin is not installed here: aiohttp, trustme missing", "pip install 'quorate[lab]'"),
        (("gateway",), "what serves over HTTP is not installed here: fastapi, jinja2, sse_starlette, uvicorn missing",
         "pip install 'quorate[gateway]'"),
        (("report", "deploy/metro"), "what draws reports is not installed here: jinja2, matplotlib missing",
         "pip install 'quorate[report]'"),
    ],
)  # fmt: skip
def test_what_is_not_installed_is_said_in_one_sentence(
    command: Command, arguments: tuple[str, ...], what: str, remedy: str
):
    """With the command that installs it, and no stack trace."""
    done = command(*arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: {what}\nwhat to do: {remedy}\n"


def test_what_the_commands_look_for_is_what_the_package_brings():
    """Two lists that say the same."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    brought = {
        extra: {IMPORTED.get(name, name) for line in lines for name in re.findall(r"^[a-z0-9-]+", line)}
        for extra, lines in extras.items()
    }

    assert brought == {extra: set(modules) for extra, modules in BRINGS.items()}
