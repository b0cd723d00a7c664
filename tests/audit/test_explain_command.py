"""`quorate audit explain`: what an auditor reads of each judgement, and what a script is told."""

import json
from collections.abc import Iterable
from pathlib import Path

from typer.testing import CliRunner, Result

from activities.rules import rules
from cluster.audit.line import Line, chained
from tests.audit.test_explained_fencing import FENCED, WISH
from tests.audit.test_explained_fencing import recorded as fencing
from tests.audit.test_explained_verdicts import edited, recorded
from tests.verdict.world import A, healthy
from workers.cli.main import app

LOST, WELL = recorded(healthy().dead(A).grounds), recorded(healthy().after(1).grounds)


def explained(folder: Path, lines: Iterable[Line], *options: str) -> Result:
    """What the command says of a file of these lines."""
    path = folder / "0001.jsonl"
    path.write_bytes(b"".join(line.canonical + b"\n" for line in lines))
    return CliRunner().invoke(app, ["audit", "explain", str(path), *options])


def test_each_judgement_is_a_paragraph(tmp_path: Path):
    """When, what, why, who had answered by then and who had not, by which rules, and that it was right."""
    fenced = fencing(FENCED.found(WISH) or FENCED.unknown).model_copy(update={"run": WELL.run})
    told = explained(tmp_path, chained([WELL, fenced]))

    assert told.exit_code == 0
    assert told.stdout.splitlines() == [
        f"watch/x (from {tmp_path}/0001.jsonl): 2 judgements: 2 right, none wrong",
        "",
        "2026-11-22 19:38:00 UTC  verdict: healthy  (line 0)",
        "  because 7 of 7 votes, 6 of 6 nodes answer",
        "  because pod online on 2 arrays that answer, 1 HA guests as requested",
        "  seen: answered, 21 of 21, the oldest answer 0.0 s old: pxmx01-01, pxmx01-02, pxmx01-03, pxmx02-01, "
        "pxmx02-02, pxmx02-03, qdevice (ssh); pxmx01-01, pxmx01-02, pxmx01-03, pxmx02-01, pxmx02-02, pxmx02-03, "
        "X90R3-SiteA, X90R3-SiteB (api); pxmx01-01, pxmx01-02, pxmx01-03, pxmx02-01, pxmx02-02, pxmx02-03 (bmc)",
        "  seen: remembered: 6 nodes had been seen alive, the look before was 1.0 s earlier",
        f"  rules: {rules('verdict')}",
        "  right given what was seen",
        "",
        "2026-11-22 19:38:00 UTC  fencing: pxmx01-01: fenced  (line 1)",
        "  because pxmx02-01 has its agent lock: HA called it fence and then unknown",
        "  seen: before: HA calls it fence and lists vm:300 fence on it, as of 19:38:00 UTC",
        "  seen: HA's list by pxmx02-01: pxmx01-01 unknown, on it vm:300 recovery",
        f"  rules: {rules('fencing')}",
        "  right given what was seen",
    ]


def test_a_planted_verdict_is_told_although_the_chain_holds(tmp_path: Path):
    """Who has the folder can make the chain anew; the facts still say otherwise."""
    planted = edited(LOST, "verdict", to=WELL.data["evidence"]["verdict"])
    told = explained(tmp_path, chained([WELL, planted]), "--doubts")

    assert told.exit_code == 1
    first, _, title, *_, last = told.stdout.splitlines()
    assert first.endswith(": 2 judgements: 1 right, 1 WRONG")
    assert title == "2026-11-22 19:38:00 UTC  verdict: healthy  (line 1)"
    assert last.startswith("  WRONG: it should have been: site lost (site-a), because pxmx02-01, pxmx02-02, pxmx02-03")


def test_a_chain_that_does_not_hold_is_told_first(tmp_path: Path):
    """Somebody has edited a line and left it at that."""
    told = explained(tmp_path, [*chained([WELL]), LOST.model_copy(update={"n": 1})])

    assert told.exit_code == 1
    assert told.stdout.splitlines()[1].startswith("✗ 0001.jsonl, line 1")
    assert "lines that may have been changed: see `quorate audit verify`." in told.stdout.splitlines()[2]


def test_a_script_reads_the_same(tmp_path: Path):
    """Each judgement with what it was made of, and whether all of them were right."""
    told = json.loads(explained(tmp_path, chained([LOST]), "--json").stdout)

    assert told["ok"]
    [record] = told["records"]
    assert record["count"] == {"right": 1, "wrong": 0, "unknown": 0}
    assert [(one["kind"], one["what"], one["found"]) for one in record["judgements"]] == [
        ("verdict", "site lost (site-a)", "right")
    ]


def test_a_folder_without_records_is_told(tmp_path: Path):
    """What it holds, and what to name."""
    told = CliRunner().invoke(app, ["audit", "explain", str(tmp_path)])

    assert told.exit_code != 0
    assert "holds no record" in f"{told.output}{told.exception}"


def test_a_record_is_explained_whatever_its_file_is_called(tmp_path: Path):
    """Else a planted verdict would go unnoticed in a file that was renamed."""
    explained(tmp_path, chained([WELL, edited(LOST, "verdict", to=WELL.data["evidence"]["verdict"])]))
    (tmp_path / "0001.jsonl").rename(tmp_path / "record.txt")

    found = CliRunner().invoke(app, ["audit", "explain", str(tmp_path / "record.txt")])

    assert found.exit_code == 1
    assert ": 2 judgements: 1 right, 1 WRONG" in found.stdout
