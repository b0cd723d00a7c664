"""`quorate lab`: what a person reads, and the status a script gets, against a real twin."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from proxmoxer import ProxmoxAPI

from lab.pve.models import Guest
from lab.twin import control_url
from tests.twin import TwinThread
from tests.workers.test_cli import ROOT, quorate
from workers.cli import main as cli
from workers.cli.lab.client import Control
from workers.cli.options import err, out
from workers.inventory_file import load


@dataclass
class Done:
    """How a command ended."""

    status: int
    said: str
    complained: str


Lab = Callable[..., Done]


@pytest.fixture
def lab(twin: TwinThread, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Lab:
    """Run `quorate lab …` for the twin of the test."""
    monkeypatch.setattr(out, "_width", 160)
    monkeypatch.setattr(err, "_width", 160)

    def run(command: str, *arguments: str) -> Done:
        capsys.readouterr()
        status = cli.run(["lab", command, *arguments, "-i", str(twin.path)])
        said = capsys.readouterr()
        return Done(status, "\n".join(line.rstrip() for line in said.out.splitlines()), said.err)

    return run


def test_status_shows_both_sites_on_one_page(lab: Lab, twin: TwinThread):
    """Time, faults, power, votes, guests, pod and links, in words."""
    twin.world.cluster.guests[300] = Guest(300, "pxmx02-01", {"name": "web"}, running=True)
    lab("fail", "site-power", "site-a")
    twin.call(twin.world.clock.sleep(12))
    page = lab("status").said

    assert re.search(r"pxmx-cluster   lab time \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC   speed 20   \d+ changes", page)
    assert re.search(r"fault   site-power site-a   for \d+ s, by \w+", page)
    assert "site-a   array X90R3-SiteA OFF" in page
    assert "site-b   array X90R3-SiteB has power" in page
    assert re.search(r"pxmx01-01  OFF +- +- +- +- +pxmx02-01  on     3 of 6 NO QUORUM  3 nodes", page)
    assert "witness qdevice on, reached by 3 of 3 running nodes; no quorum device is set up" in page
    assert "links   all carry" in page
    assert re.search(r"300   web +pxmx02-01  site-b  runs +not under HA", page)


def test_status_names_what_must_never_be(lab: Lab, twin: TwinThread):
    """A guest that runs on two nodes is an alarm on top of the page."""
    twin.world.cluster.guests[300] = Guest(300, "pxmx02-01", {"name": "web"}, running=True, elsewhere={"pxmx01-01"})

    assert "ALARM   guest 300 web runs on pxmx01-01 and pxmx02-01" in lab("status").said


def test_status_as_data(lab: Lab, twin: TwinThread):
    """What scripts read: every node's own view, and what each array tells."""
    found = json.loads(lab("status", "--json").said)

    assert [site["name"] for site in found["sites"]] == ["site-a", "site-b"]
    assert found["sites"][0]["nodes"][0]["members"] == list(twin.world.nodes)


def test_watch_prints_one_frame(lab: Lab):
    """The page of `status`, and what happened last with who did it."""
    lab("fail", "mediator", "site-a")
    frame = lab("watch", "--once").said

    assert "links   CUT: mediator:site-a" in frame
    assert re.search(r"\d\d:\d\d:\d\d  drill        fault.begin mediator site-a  by \w+", frame)
    assert re.search(r"\d\d:\d\d:\d\d  links        link.cut mediator:site-a", frame)


def test_a_narrow_terminal_gets_the_sites_one_below_the_other(lab: Lab, monkeypatch: pytest.MonkeyPatch):
    """Eighty columns are enough for every line."""
    monkeypatch.setattr(out, "_width", 80)
    frame = lab("watch", "--once").said

    assert "…" not in frame
    assert not re.search(r"site-a .* site-b ", frame)


def test_a_fault_begins_and_ends_in_one_sentence_each(lab: Lab):
    """And a second time nothing is changed."""
    assert lab("fail", "ring", "pxmx01-02", "1").said == (
        "ring pxmx01-02 1 holds; `quorate lab restore ring pxmx01-02 1` ends it"
    )
    assert lab("fail", "ring", "pxmx01-02", "1").said == "ring pxmx01-02 1 holds already: nothing was changed"
    assert lab("restore", "ring", "pxmx01-02", "1").said == "ring pxmx01-02 1 has ended"
    again = lab("restore", "ring", "pxmx01-02", "1")
    assert (again.status, again.said) == (0, "ring pxmx01-02 1 does not hold: nothing was changed")


def test_a_clock_can_be_behind(lab: Lab, twin: TwinThread):
    """A negative number is no option."""
    assert lab("fail", "clock", "pxmx01-02", "-30").status == 0
    assert twin.world.nodes["pxmx01-02"].clock_offset == -30
    assert "clock -30 s" in lab("status").said


def test_everything_is_restored_at_once(lab: Lab):
    """The youngest fault first; who boots is named."""
    lab("fail", "node", "pxmx01-03")
    lab("fail", "inter-site")

    assert lab("restore", "--all").said == (
        "inter-site has ended\nnode pxmx01-03 has ended\nbooting, up in about 17 lab seconds: pxmx01-03"
    )
    assert lab("restore", "--all").said == "no fault holds: nothing was changed"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fail", "site-power", "site-z"], "there is no SITE 'site-z': there are site-a, site-b"),
        (["fail", "site-powr"], "there is no fault 'site-powr': there are alias, array, "),
        (["restore"], "name one fault, or say --all"),
        (["speed", "0"], "speed 0.0 is not a positive number"),
        (["time", "--advance", "10"], "--advance 10 is no duration"),
        (["time", "--advance", "soon"], "--advance soon is no duration"),
        (["scenario"], "which scenario?"),
        (["scenario", "nowhere.yaml"], "nowhere.yaml cannot be read"),
        (["down"], "this twin is part of another program"),
    ],
)
def test_wrong_use_ends_with_two_and_says_what(lab: Lab, arguments: list[str], said: str):
    """A slip gets a sentence, and no stack trace."""
    done = lab(*arguments)

    assert done.status == 2
    assert said in done.complained
    assert "Traceback" not in done.complained


def test_the_faults_are_listed_with_their_meaning(lab: Lab):
    """What is typed, what it does, which incidents it is for, where it holds now."""
    lab("fail", "witness-link", "site-b")
    page = lab("faults").said

    assert re.search(r"site-power SITE +A site loses its power: its nodes and its array are off at once. +I-01", page)
    assert re.search(r"witness-link SITE .* I-04 +site-b", page)
    assert "NODE     pxmx01-01, pxmx01-02," in page
    assert json.loads(lab("faults", "--json").said)[0]["arguments"][0]["choices"] == ["site-a", "site-b"]


def test_speed_and_time(lab: Lab, twin: TwinThread):
    """Set, told, and run through at once: ten minutes take ten seconds and everything in them happens."""
    assert lab("speed", "40").said == "40 lab seconds pass in a second"
    assert lab("speed").said == "40 lab seconds pass in a second"

    before, wall = twin.world.clock.now(), time.monotonic()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, speed 40", lab("time", "--advance", "1m").said)
    assert twin.world.clock.now() - before >= 60
    assert time.monotonic() - wall < 3
    assert [change.target for change in twin.world.changes if change.what == "speed"] == ["40", "60", "40"]


def test_the_log_is_json_lines(lab: Lab):
    """Each with its number, so that a script can go on where it was."""
    lab("fail", "witness")
    lines = [json.loads(line) for line in lab("log").said.splitlines()]

    assert [(line["number"], line["where"], line["what"]) for line in lines] == [
        (1, "drill", "fault.begin"),
        (2, "qdevice", "power.off"),
    ]
    assert [json.loads(line)["number"] for line in lab("log", "--since", "1").said.splitlines()] == [2]


def test_a_reset_is_one_sentence(lab: Lab, twin: TwinThread):
    """Faults and log are gone."""
    lab("fail", "witness")

    assert "the twin is as at the beginning" in lab("reset").said
    assert twin.world.changes == []


def test_a_scenario_is_followed_to_its_end(lab: Lab, tmp_path: Path):
    """One line a step, with the lab time at which it ended."""
    path = tmp_path / "short.yaml"
    path.write_text(
        "name: short\nabout: A node dies.\nsteps:\n  - {at: 5s, fail: node pxmx01-01}\n"
        "  - {wait-for: votes 5, within: 60s}\n  - restore: all\n"
    )
    done = lab("scenario", str(path))
    lines = done.said.splitlines()

    assert done.status == 0
    assert lines[0] == "scenario short  A node dies."
    assert re.fullmatch(r" +\d s ✓ fail node pxmx01-01", lines[1])
    assert re.fullmatch(r" +\d+ s ✓ wait-for votes 5   came after [\d.]+ s", lines[2])
    assert re.fullmatch(r"scenario short: done after \d+ s of lab time", lines[4])


def test_a_scenario_that_waits_in_vain_ends_with_one(lab: Lab, tmp_path: Path):
    """The step says what was not so."""
    path = tmp_path / "vain.yaml"
    path.write_text("name: vain\nsteps:\n  - fail: witness\n  - {wait-for: device-votes, within: 3s}\n")
    done = lab("scenario", str(path))

    assert done.status == 1
    assert "✗ wait-for device-votes   it was not so within 3.0 s; no quorum device is set up" in done.said
    assert done.said.endswith("still held: witness; `quorate lab restore --all` ends that")


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    """A scenario that says of no site that it loses its power."""
    path = tmp_path / "wrong.yaml"
    path.write_text("name: wrong\nsteps:\n  - fail: site-power\n")
    return path


@pytest.mark.parametrize("arguments", [[], ["--check"]], ids=["played", "checked"])
def test_a_wrong_scenario_file_is_told_like_a_wrong_inventory(lab: Lab, wrong: Path, arguments: list[str]):
    """Field, line and remedy, with or without a twin."""
    done = lab("scenario", str(wrong), *arguments)

    assert done.status == 1
    assert "wrong.yaml has 1 error" in done.complained
    assert "line 3: steps[0].fail: SITE is missing: write site-power SITE; SITE is one of" in done.complained


def test_a_script_reads_the_errors_of_a_scenario(lab: Lab, wrong: Path):
    """With the line."""
    assert json.loads(lab("scenario", str(wrong), "--check", "--json").said)["errors"][0]["line"] == 3


@pytest.mark.parametrize("command", ["status", "watch", "log", "reset", "down", "speed", "time"])
def test_without_a_twin_a_command_says_how_to_get_one(tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]):
    """One sentence and the remedy; the status is that of something missing."""
    path = tmp_path / "inventory.yaml"
    path.write_text((ROOT / "examples" / "lab.yaml").read_text().replace("127.21.", "127.251."))

    assert cli.run(["lab", command, "-i", str(path)]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "no twin answers at http://127.251.103.117:8901" in said
    assert "start one with `quorate lab up --detach" in said


def test_the_commands_and_the_twin_mean_the_same_address(twin: TwinThread):
    """The client does not import the servers to know it."""
    assert Control(twin.path).url == control_url(twin.inventory)


def test_a_twin_in_the_background_lives_until_it_is_told_to_end(tmp_path: Path):
    """`up --detach` returns when the twin is up; `down` returns when it is gone; a second `up` is refused."""
    path, state = tmp_path / "inventory.yaml", {"QUORATE_STATE": str(tmp_path / "state")}
    path.write_text(
        (ROOT / "examples" / "lab.yaml").read_text().replace("127.21.", "127.252.").replace("../var/lab/", "")
    )

    up = quorate("lab", "up", "--detach", "--speed", "5", "-i", str(path), **state)
    assert up.returncode == 0, up.stderr
    assert "twin of pxmx-cluster is up at speed 5; control plane at http://127.252.103.117:8901" in up.stdout
    second = quorate("lab", "up", "--detach", "-i", str(path), **state)
    assert (second.returncode, "a twin answers at http://127.252.103.117:8901 already" in second.stderr) == (2, True)

    down = quorate("lab", "down", "-i", str(path), **state)
    assert (down.returncode, down.stdout) == (0, "the twin has ended\n")
    assert quorate("lab", "status", "-i", str(path), **state).returncode == 2


@pytest.mark.parametrize("chosen", [("--password", "moon-and-stars"), ()], ids=["chosen", "written down"])
def test_anybody_can_log_in_with_a_password(tmp_path: Path, chosen: tuple[str, ...]):
    """Clients that take no token, and browsers: the password is written down, or chosen, and not to be seen in `ps`."""
    path, state = tmp_path / "inventory.yaml", {"QUORATE_STATE": str(tmp_path / "state")}
    path.write_text(
        (ROOT / "examples" / "lab.yaml").read_text().replace("127.21.", "127.253.").replace("../var/lab/", "")
    )

    def logged_in(user: str, password: str) -> int:
        first = load(path).nodes[0].address
        api = ProxmoxAPI(first, user=user, password=password, verify_ssl=str(tmp_path / "ca.pem"))
        return len(api.cluster.status.get())

    up = quorate("lab", "up", "--detach", *chosen, "-i", str(path), **state)
    try:
        told = re.search(r"log in as root@pam or engine@pve with the password in (.+)", up.stdout)
        assert told, up.stdout + up.stderr
        password = Path(told[1]).read_text()
        process = re.search(r"process (\d+)", up.stdout)
        assert process
        assert password not in Path(f"/proc/{process[1]}/cmdline").read_text()
        assert (password == "moon-and-stars") is bool(chosen)
        assert Path(told[1]).stat().st_mode & 0o077 == 0
        assert [logged_in(user, password) for user in ("root@pam", "engine@pve")] == [7, 7]
    finally:
        quorate("lab", "down", "-i", str(path), **state)


def test_the_log_can_be_followed(twin: TwinThread, lab: Lab):
    """What happens next comes as it happens."""
    follow = subprocess.Popen(
        [sys.executable, "-m", "workers.cli", "lab", "log", "--follow", "-i", str(twin.path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        lab("fail", "witness")
        assert follow.stdout is not None
        assert json.loads(follow.stdout.readline())["target"] == "witness"
    finally:
        follow.kill()
        follow.wait()
