"""`quorate report`, and the report that is written by itself when an incident has ended."""

import asyncio
import json
import logging
from pathlib import Path

import pytest

from activities.clients.signatures import new_key
from cluster.audit.head import Head
from tests.report.recorded import DAY_AFTER, later, lines
from workers.audit.keeper import Heads
from workers.audit.store import Store
from workers.cli.main import run
from workers.report import written as writing
from workers.report.written import Reports
from workers.temporal.embedded import free_port

LOSS = "site-loss/pxmx-cluster/site-a/20261128T005223Z"


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Head]:
    """A state folder with the records of a loss, of its watch, and of the way home; their heads."""
    monkeypatch.setenv("QUORATE_STATE", str(tmp_path))
    monkeypatch.setenv("QUORATE_AUDIT", str(tmp_path / "audit"))
    monkeypatch.setenv("TEMPORAL_ADDRESS", f"127.0.0.1:{free_port()}")
    monkeypatch.setenv("COLUMNS", "200")
    store, heads = Store(tmp_path / "audit", new_key(), "pxmx-cluster"), []
    home = later(lines("0.2/failback-signed"), DAY_AFTER, incident=LOSS)
    for known in (lines("0.2/site-loss-followed"), lines("0.2/watch-of-both"), home):
        first = str(known[0].data["first_execution"])
        record = store.record(known[0].run, first)
        record.append(known)
        heads.append(store.sign(record))
    store.close()
    return [head for head in heads if head]


def test_it_writes_a_page_and_prints_where(kept: list[Head], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """The beginning of an id is enough; what is in the folder needs no server."""
    status = run(["report", "site-loss/pxmx-cluster"])
    path = Path(capsys.readouterr().out.strip())

    assert status == 0
    assert path == tmp_path / "reports" / f"site-loss_pxmx-cluster_site-a_20261128T005223Z.{kept[0].first[:8]}.html"
    assert "Site site-a was lost" in path.read_text()
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_it_tells_of_the_runs_that_belong_to_it(kept: list[Head], capsys: pytest.CaptureFixture[str]):
    """The watch as far as the report goes, and the way home; each with what its signatures say."""
    run(["report", LOSS, "--json"])
    told = json.loads(capsys.readouterr().out)

    assert [(one["runbook"], one["verified"]) for one in told["sources"]] == [
        ("SiteLoss", "yes: all 39 lines are signed, head 0"),
        ("Failback", "yes: all 90 lines are signed, head 2"),
        ("ClusterWatch", "yes: all 35 lines are signed, head 1"),
    ]
    assert {one["signer"] for one in told["sources"]} == {kept[0].signer}
    assert told["sentences"][-1].endswith("approved by ben and cleo; nothing is outstanding.")


def test_it_writes_markdown(kept: list[Head], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """To the file that is named."""
    status = run(["report", LOSS, "--format", "md", "--to", str(tmp_path / "a" / "loss.md")])

    assert (status, capsys.readouterr().out.strip()) == (0, str(tmp_path / "a" / "loss.md"))
    assert (tmp_path / "a" / "loss.md").read_text().startswith("# Site site-a was lost\n")


def test_a_record_that_was_changed_is_not_called_verified(
    kept: list[Head], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """A vote that was no yes."""
    path = next((tmp_path / "audit").glob("runs/Failback*/0001.jsonl"))
    path.write_bytes(path.read_bytes().replace(b'"by":"cleo"', b'"by":"carl"'))
    run(["report", LOSS, "--json"])
    told = json.loads(capsys.readouterr().out)
    proof = next(one["verified"] for one in told["sources"] if one["runbook"] == "Failback")

    assert proof.startswith("NO: ")
    assert "was edited" in proof
    assert told["doubt"] == f"The record of Failback/9b2a673a does not verify: {proof.removeprefix('NO: ')}"


def test_a_run_that_nobody_knows(kept: list[Head], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Where it was looked for, and what to do."""
    status = run(["report", "deploy/elsewhere"])
    said = capsys.readouterr().err.splitlines()

    assert status == 2
    assert said[0].startswith(
        f"error: deploy/elsewhere: there is no record of this run in {tmp_path / 'audit'}, and no"
    )
    assert said[1] == ("what to do: `quorate audit list` and `quorate status` show the runs: name one as it is there")


async def test_the_end_of_an_incident_is_reported_by_itself(kept: list[Head], tmp_path: Path):
    """Once, in a process of its own; the end of a failback is no incident's. Others are told of each head before."""
    others = Told()
    reports = Reports(others, tmp_path / "audit", tmp_path / "reports")
    for head in (*kept, kept[0]):
        reports.signed(head)
    await reports.finished()

    assert others.heads == [0, 1, 2, 0]
    assert ["Site site-a was lost" in one.read_text() for one in (tmp_path / "reports").iterdir()] == [True]


async def test_a_report_that_cannot_be_written_is_told_once(
    kept: list[Head], tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """And nothing else is disturbed."""
    (tmp_path / "reports").write_text("a file, no folder")
    reports = Reports(Heads(), tmp_path / "audit", tmp_path / "reports" / "of" / "incidents")
    with caplog.at_level(logging.WARNING):
        reports.signed(kept[0])
        await reports.finished()
        reports.signed(kept[0])
        await reports.finished()

    assert [one.getMessage() for one in caplog.records if one.name == "quorate.report"] == [
        f"the report of {LOSS} is not written: {tmp_path / 'reports' / 'of' / 'incidents'}: Not a directory"
    ]


class Told(Heads):
    """Who is told of heads."""

    def __init__(self) -> None:
        self.heads: list[int] = []

    def signed(self, head: Head) -> None:
        self.heads.append(head.number)


async def test_a_report_that_takes_too_long_is_told(
    kept: list[Head], tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    """Its process is ended, and no stack trace is in the log."""
    monkeypatch.setattr(writing, "WITHIN", 0.0)
    reports = Reports(Heads(), tmp_path / "audit", tmp_path / "reports")
    with caplog.at_level(logging.WARNING):
        reports.signed(kept[0])
        await reports.finished()

    assert caplog.messages == [f"the report of {LOSS} is not written: it was not drawn within 0 s"]


async def test_the_incidents_of_years_are_reported_one_after_the_other(
    kept: list[Head], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A keeper whose folder was lost closes all of them within seconds: each drawing takes a hundred megabytes."""
    at_work, most = 0, 0

    class Drawing(Reports):
        async def _drawn(self, head: Head) -> str:
            nonlocal at_work, most
            at_work += 1
            most = max(most, at_work)
            await asyncio.sleep(0)
            at_work -= 1
            return ""

    reports = Drawing(Heads(), tmp_path / "audit", tmp_path / "reports")
    for _ in range(200):
        reports.signed(kept[0])
    await reports.finished()

    assert most == 1
