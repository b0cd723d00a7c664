"""`quorate watch` and `quorate incident`, as a person on duty uses them while a site is lost and comes back."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from temporalio.client import Client

from tests.incidents.conftest import Site, Watched, ended
from tests.patience import Deadline
from tests.runs import until
from tests.workers.test_cli import ROOT
from workers.cli import main as cli
from workers.cli.incident.runs import listed
from workers.cli.options import err, out
from workers.cli.watch import ensure_watch
from workers.inventory_file import load
from workers.temporal.embedded import TemporalServer

pytestmark = pytest.mark.slow

FIXED = "site-loss/pxmx-cluster"
SINCE = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"


class Shell:
    """The terminal of the person on duty; the worker and the watch stand elsewhere."""

    def __init__(self, environment: dict[str, str], said: Callable[[], tuple[str, str]]) -> None:
        self._environment, self._said = environment, said
        self.followed: list[Following] = []

    async def __call__(self, *arguments: str, status: int = 0) -> str:
        """What a person reads, when the command ends with that status."""
        self._said()
        ended = await asyncio.to_thread(cli.run, list(arguments))
        text = "".join(self._said())
        assert ended == status, text
        return "".join(f"{line.rstrip()}\n" for line in text.splitlines())

    async def following(self, *arguments: str, **environment: str) -> "Following":
        """A command that stays, in a process of its own."""
        command = [sys.executable, "-m", "workers.cli", *arguments]
        whole = {**os.environ, **self._environment, **environment}
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, stdout=subprocess.PIPE, env=whole, preexec_fn=_heeds_ctrl_c
        )
        self.followed.append(Following(process))
        return self.followed[-1]


def _heeds_ctrl_c() -> None:
    """A suite in the background of a script is deaf to Ctrl-C, and so would be its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Following:
    """Its output is read while it comes."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._parts: list[str] = []
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while part := await self._process.stdout.readline():
            self._parts.append(part.decode())

    @property
    def text(self) -> str:
        """All that it has said."""
        return "".join(self._parts)

    def kill(self) -> None:
        """Whatever the test found, it does not go on for ever."""
        if self._process.returncode is None:
            self._process.kill()

    async def interrupted(self) -> int:
        """Ctrl-C, once it has said something; its status."""
        deadline = Deadline(20)
        while not self._parts:
            assert not deadline.over, "waited for its first line"
            await deadline.a_while()
        self._process.send_signal(signal.SIGINT)
        await self._reading
        return await self._process.wait()

    async def end(self, within: float = 30) -> list[str]:
        """It ended by itself and well; all that it said, line by line."""
        async with asyncio.timeout(within):
            await self._reading
            assert await self._process.wait() == 0
        return self.text.splitlines()


@pytest.fixture
def shell(
    site: Site, temporal: TemporalServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shell]:
    environment = {"TEMPORAL_ADDRESS": temporal.address, "QUORATE_INVENTORY": str(site.path)}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(out, "_width", 160)
    monkeypatch.setattr(err, "_width", 160)
    shell = Shell(environment, capsys.readouterr)
    yield shell
    for one in shell.followed:
        one.kill()


async def test_a_loss_is_followed_from_the_command_line(site: Site, watched: Watched, client: Client, shell: Shell):
    """Before, while and after: what the commands say of the watch and of the incident."""
    await _is_over(client)
    shown = await shell("watch", "show")
    assert re.match(rf"pxmx-cluster: healthy   since {SINCE}, for \d+ s\n  looked       \d+ s ago\n", shown)
    assert await shell("watch", "start") == "pxmx-cluster is watched already; `quorate watch show` says what is seen\n"
    assert "no incident is open" in await shell("incident", "show", status=2)

    site.fail("site-power", "site-a")
    run = await watched.loss()
    await until(run, lambda found: any(step.title == "Loss of site-a is confirmed" for step in found), "its beginning")
    await _is_listed(client, run.id)
    followed = [
        await shell.following("incident", "watch", COLUMNS="200"),
        await shell.following("incident", "watch", FIXED, FORCE_COLOR="1", COLUMNS="100", LINES="40"),
    ]
    await _while_it_goes_on(run.id, shell)

    await until(run, lambda found: any(step.title == "site-a is back" for step in found), "the guests", 60)
    assert await (await shell.following("incident", "watch", "--json-lines")).interrupted() == 130
    site.restore("site-power", "site-a")
    await ended(run)
    lines, screen = [await one.end() for one in followed]
    _told_line_by_line(lines, run.id)
    _drawn("\n".join(screen))
    await _when_it_is_over(client, run.id, shell)
    await _watched_and_not(shell)


async def _is_listed(client: Client, run: str) -> None:
    """Temporal's list is a moment behind."""
    deadline = Deadline(10)
    while run not in [entry.run for entry in await listed(client, ended=False)]:
        assert not deadline.over
        await deadline.a_while()


async def _while_it_goes_on(run: str, shell: Shell) -> None:
    page = await shell("incident", "show", FIXED)
    watch = await shell("watch", "show")
    listing = await shell("incident", "list")
    fresh, _, incident = listing.partition("\n")
    assert re.fullmatch(r"pxmx-cluster: site lost, looked \d+ s ago", fresh)
    assert re.fullmatch(rf"… {run}  running(  site lost)?  since {SINCE}  T\+\d\d:\d\d\n", incident)

    assert re.match(r"Site site-a is lost \(apply\) +T\+\d\d:\d\d  \d\d:\d\d:\d\d UTC\n", page)
    assert f"\n{run}\nlast sign of life " in page
    assert "No action needed." in page
    assert re.search(r"0 of 2 guests run again · expected by \d\d:\d\d:\d\d UTC \(T\+03:38\), in ", page)
    assert re.search(r"\nrunning  vm:300 +02:55 - 03:38  .*│.*━.*in [\w ]+ at the earliest\n", page)
    assert re.search(r"\n +\d\d:\d\d \d\d:\d\d:\d\d  ✓ Loss of site-a is confirmed: site lost \(site-a\)", page)
    assert re.search(
        r"\n +… Waiting for HA to restart 2 guests, expected between .* UTC \(T\+02:55 to 03:38\): 0 of 2; ", page
    )

    assert re.match(rf"pxmx-cluster: site lost \(site-a\)   since {SINCE}, for \d+ s\n", watch)
    assert "  evidence     pxmx02-01, pxmx02-02, pxmx02-03 are quorate without site-a\n" in watch
    assert "  revised if   any node of site-a answers, or is a client of qdevice\n" in watch
    assert "  HA's master  pxmx01-01 at site-a\n" in watch
    assert f"  incident     {run}\n" in watch
    assert "  events       0 received\n" in watch


def _told_line_by_line(lines: list[str], run: str) -> None:
    """As it happened: each step when it ended, and how it ended."""
    assert re.fullmatch(rf"Site site-a is lost \(apply\)   {run}   T0 [\d-]+ [\d:]+ UTC", lines[0])
    assert lines[1].split() == ["T+", "UTC"]
    text = "\n".join(lines)
    order = [
        "✓ Loss of site-a is confirmed: site lost (site-a)",
        "✓ Automatic moves are listed: none is on",
        "✓ pxmx01-01 is fenced: pxmx02-0",
        "✓ Guests run again: vm:300 on pxmx02-0",
        "✓ site-a is back: 3 nodes are members again",
        "– What this run disabled is re-enabled: none was disabled",
    ]
    places = [text.index(one) for one in order]
    assert places == sorted(places)
    assert [text.count(one) for one in order] == [1] * len(order)
    assert re.fullmatch(
        r" +\d\d:\d\d \d\d:\d\d:\d\d    Done\. 2 of 2 guests run again; 0 switches outstanding\.", lines[-1]
    )


def _told_as_documents(lines: list[str], run: str) -> None:
    """What a script wants, also afterwards: each with the run and T+, the last one says how it ended."""
    found = [json.loads(line) for line in lines]
    assert {one["run"] for one in found} == {run}
    steps = {one["step"]["title"]: one for one in found if "step" in one}
    assert steps["Loss of site-a is confirmed"]["step"]["state"] == "done"
    assert 170 <= steps["pxmx01-01 is fenced"]["t_plus"] <= 240
    assert found[-1]["ended"] == "done"


def _drawn(screen: str) -> None:
    """Frames on a screen of their own, and the last one stays."""
    frames, _, rest = screen.rpartition("\x1b[?1049l")
    assert "due now" in frames
    assert "0 of 2 guests run again" in frames
    last = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", rest)
    assert re.search(r"Site site-a is lost \(apply\) +over, took \d\d:\d\d\n", last)
    assert re.search(r"\n2 of 2 guests run again, the last one at [\d:]+ UTC \(T\+03:\d\d\)\n", last)
    assert re.search(r"\nrunning  vm:300 +02:55 - 03:38  .*●.*✓ T\+03:\d\d.* on pxmx02-0", last)


async def _is_over(client: Client) -> None:
    deadline = Deadline(10)
    while await listed(client, ended=False):
        assert not deadline.over
        await deadline.a_while()


async def _when_it_is_over(client: Client, run: str, shell: Shell) -> None:
    await _is_over(client)
    listing = await shell("incident", "list", "--all")
    page = await shell("incident", "show", FIXED)
    document = await shell("incident", "show", run, "--json")
    _told_as_documents((await shell("incident", "watch", run, "--json-lines")).splitlines(), run)
    fresh, _, none = (await shell("incident", "list")).partition("\n")
    assert re.match(r"pxmx-cluster: [\w ]+, looked \d+ s ago", fresh)
    assert none == "no incident is known to be open; --all lists those that are over\n"
    assert re.search(rf"^✓ {run}  done(  [\w ]+)?  since {SINCE}  over after \d\d:\d\d$", listing, re.MULTILINE)
    assert "\nDone. 2 of 2 guests run again; 0 switches outstanding.\n" in page
    assert "\nQuarantine of site-a\n" in page
    found = json.loads(document)
    assert (found["state"], found["progress"]["guests"]) == ("done", {"vm:300": "pxmx01-01", "vm:301": "pxmx01-02"})
    assert set(found["progress"]["timeline"]["running"]) == {"vm:300", "vm:301"}
    assert "is no incident: it is a ClusterWatch" in await shell("incident", "show", "watch/pxmx-cluster", status=2)
    assert "there is no run 'site-loss/nowhere'" in await shell("incident", "watch", "site-loss/nowhere", status=2)


async def _watched_and_not(shell: Shell) -> None:
    """Stopped twice: the second time changes nothing."""
    state = json.loads(await shell("watch", "show", "--json"))
    assert (state["cluster"], state["incident"], state["received"]) == ("pxmx-cluster", None, 0)
    assert await shell("watch", "stop") == "pxmx-cluster is not watched any more\n"
    assert await shell("watch", "stop") == "pxmx-cluster is not watched\n"
    assert "start it with `quorate watch start`" in await shell("watch", "show", status=2)


async def test_a_watch_without_a_worker_is_started_once_and_shown_as_silent(site: Site, client: Client, shell: Shell):
    """Started twice, it is one watch; that nobody looks is said, not hidden."""
    path = site.path.with_name("elsewhere.yaml")
    path.write_text(site.path.read_text().replace("name: pxmx-cluster", "name: elsewhere"))
    which = ("-i", str(path))
    try:
        assert await ensure_watch(client, load(path), "a-queue-without-a-worker")
        assert not await ensure_watch(client, load(path), "a-queue-without-a-worker")
        assert "elsewhere is watched already" in await shell("watch", "start", *which)
        assert "no worker answers for watch/elsewhere" in await shell("watch", "show", *which, status=2)
        fresh, _, none = (await shell("incident", "list", *which)).partition("\n")
        assert fresh == "elsewhere: not looked at yet: no worker answers for its watch"
        assert "no incident is known to be open" in none
        assert "stop waits at the server and is taken when a worker starts" in await shell(
            "watch", "stop", *which, status=4
        )
    finally:
        await client.get_workflow_handle("watch/elsewhere").terminate("the test is over")
    assert await shell("watch", "stop", *which) == "elsewhere is not watched\n"
    assert "elsewhere: no watch is running, so the cluster is not watched" in await shell("incident", "list", *which)


async def test_an_incident_without_a_worker_is_shown_as_far_as_temporal_knows_it(client: Client, shell: Shell):
    """What it is, since when, and what is missing; a run that was terminated is listed as what it is."""
    run = "incident/elsewhere/20260301T031231Z"
    handle = await client.start_workflow(
        "ClusterIncident", {}, id=run, task_queue="a-queue-without-a-worker", static_summary="witness lost (qdevice)"
    )
    try:
        page = await shell("incident", "show", run)
    finally:
        await handle.terminate("the test is over")

    assert re.match(r"witness lost \(qdevice\) +T\+\d", page)
    assert f"\n{run}\nsince 2026-03-01 03:12:31 UTC\n" in page
    assert "no worker answers for this run: start one with `quorate worker` or `quorate up`" in page
    await _is_over(client)
    listing = await shell("incident", "list", "--all")
    assert re.search(rf"^✗ {run}  terminated  since 2026-03-01 03:12:31 UTC  over after ", listing, re.MULTILINE)
