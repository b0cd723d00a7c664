"""`quorate up`: it says what it sees, other commands in the same folder find its server, and it stops without noise."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.metrics import text_at
from tests.patience import Deadline
from tests.twin import TwinThread
from tests.workers.test_cli_runs import here, said
from workers.temporal.embedded import free_port
from workers.temporal.place import NAME, read, written


@pytest.fixture
def shell(twin: TwinThread, tmp_path: Path) -> dict[str, str]:
    return {
        "QUORATE_STATE": str(tmp_path / "state"),
        "QUORATE_INVENTORY": str(twin.path),
        "QUORATE_METRICS": f"127.0.0.1:{free_port()}",
    }


@pytest.fixture
def up(shell: dict[str, str], tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    words = [sys.executable, "-m", "workers.cli", "up", "--port", str(free_port()), "--ui-port", str(free_port())]
    with (tmp_path / "up.log").open("wb") as log:
        process = subprocess.Popen(words, env={**os.environ, **shell}, stdout=log, stderr=log, start_new_session=True)
    yield process
    if process.poll() is None:
        process.kill()
    process.wait()


async def test_other_commands_find_it_and_it_stops_without_noise(
    up: subprocess.Popen[bytes], shell: dict[str, str], tmp_path: Path
):
    """At any port, in the same folder; its log has the verdicts and nothing that frightens; it tells its metrics."""
    log, deadline = tmp_path / "up.log", Deadline(90)
    while " UTC  " not in log.read_text() or "doctor:" not in log.read_text():
        assert up.poll() is None, log.read_text()
        assert not deadline.over, f"waited for a verdict and the doctor: {log.read_text()}"
        await deadline.a_while()

    metrics = text_at(shell["QUORATE_METRICS"])
    status = said(here("status", **shell))
    os.killpg(up.pid, signal.SIGINT)  # as Ctrl-C does: to all that stand in the foreground
    ended = up.wait(60)
    told = log.read_text()

    assert re.search(r'^quorate_verdict_changes_total{kind="not-deployed",.*program="up"} 1$', metrics, re.MULTILINE)
    assert re.search(
        r'^quorate_survey_timestamp_seconds{cluster="pxmx-cluster",program="up"} \d+', metrics, re.MULTILINE
    )
    assert "no runs yet" in status
    assert ended == 0, told
    assert "No action needed: pxmx-cluster is not deployed." in told
    assert re.search(
        rf"^doctor: \d+ ok, \d+ wrong, .*\d+ not there yet; .*: quorate doctor -i {shell['QUORATE_INVENTORY']}$",
        told,
        re.MULTILINE,
    )
    assert told.rstrip().endswith("stopped; runs are kept in the state folder")
    assert "WARN" not in told
    assert "Traceback" not in told
    assert not (tmp_path / "state" / NAME).exists()


def test_an_address_that_nobody_serves_any_more_is_passed_over(tmp_path: Path):
    """What a killed process has left, half a file, and none at all."""
    assert read(tmp_path) is None
    with written(tmp_path, "127.0.0.1:1234"):
        assert read(tmp_path) == "127.0.0.1:1234"
    assert read(tmp_path) is None
    child = subprocess.Popen(["true"])
    child.wait()
    for left in (json.dumps({"address": "127.0.0.1:1", "pid": child.pid}), '{"addr'):
        (tmp_path / NAME).write_text(left)
        assert read(tmp_path) is None
