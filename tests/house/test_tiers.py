"""`make test-all` and `make test-safety` go on after a failure, and tell of it at their end."""

import re
from pathlib import Path

import pytest

from tests.tiers import Ran, main, table
from tests.workers.test_cli import ROOT

MARK = re.compile(r"^(?:pytestmark = |@)pytest\.mark\.(\w+)$", re.MULTILINE)


def test_a_tier_that_fails_keeps_no_other_from_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The second of three fails: the third has run, and the status says it."""
    (tmp_path / "Makefile").write_text("one three:\n\t@touch $@\ntwo:\n\t@false\n")
    monkeypatch.chdir(tmp_path)

    assert main(["one", "two", "three"]) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"Makefile", "one", "three"}
    assert main(["one", "three"]) == 0


def test_the_table_names_what_failed():
    """A line for each tier, in the order in which they ran."""
    assert table([Ran("test", passed=True, seconds=301.4), Ran("test-incidents", passed=False, seconds=1200)]) == (
        "test              passed      301 s\n"
        "test-incidents    FAILED     1200 s"
    )  # fmt: skip


def test_a_test_that_make_test_leaves_out_is_in_a_tier():
    """What runs by itself is chosen in pyproject.toml; each mark left out there is chosen by a target."""
    left_out = re.search(r"-m 'not \((.*)\)'", (ROOT / "pyproject.toml").read_text())
    assert left_out is not None
    used = {mark for path in (ROOT / "tests").rglob("test_*.py") for mark in MARK.findall(path.read_text())}

    assert used <= set(left_out[1].split(" or "))
    assert used == set(re.findall(r"-m tests .*-m (\w+)", (ROOT / "Makefile").read_text()))
