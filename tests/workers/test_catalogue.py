"""The catalogue: what the README, the command line and a script read about each runbook."""

import importlib
import json
import re

import pytest

import runbooks
from runbooks import ALL_RUNBOOKS, gathered
from tests.workers.test_cli import ROOT, quorate
from workers import catalogue
from workflows.runbook import Runbook

EACH = pytest.mark.parametrize("runbook", ALL_RUNBOOKS, ids=[runbook.about.name for runbook in ALL_RUNBOOKS])


def test_the_readmes_table_is_what_the_command_prints():
    """`quorate runbooks --markdown` writes it; nobody has to remember."""
    readme = (ROOT / "README.md").read_text()
    (table,) = re.findall(r"^\| Runbook .*?(?=\n\n)", readme, re.MULTILINE | re.DOTALL)

    assert table == quorate("runbooks", "--markdown").stdout.strip()


def test_names_are_unique():
    """The command line's names and Temporal's: gathering by name must lose nobody."""
    files = [importlib.import_module(name) for name in runbooks._modules()]
    found = [runbook for file in files for runbook in gathered([file])]
    names = [name for runbook in found for name in {runbook.about.name, catalogue.type_name(runbook)}]

    assert sorted(names) == sorted(set(names))
    assert sorted(runbook.about.name for runbook in ALL_RUNBOOKS) == sorted(runbook.about.name for runbook in found)


@EACH
def test_the_example_is_what_the_runbook_takes(runbook: type[Runbook]):
    """Who copies the example into the start form is not refused."""
    request = runbook.about.request.model_validate(runbook.about.example)

    assert request.model_dump(mode="json", exclude_unset=True) == runbook.about.example


@EACH
def test_it_is_found_by_either_name(runbook: type[Runbook]):
    """The one of the command line, and the one that stands in the Temporal UI."""
    assert catalogue.named(runbook.about.name) is runbook
    assert catalogue.named(catalogue.type_name(runbook)) is runbook


@EACH
@pytest.mark.parametrize("field", ["what", "when", "asks", "landing"])
def test_its_entry_reads_as_sentences_of_a_table(runbook: type[Runbook], field: str):
    """No full stop at the end, and nothing that would break a cell."""
    text = getattr(runbook.about, field)

    assert text
    assert not text.endswith(".")
    assert "|" not in text
    assert "\n" not in text


@EACH
def test_its_when_goes_on_after_start_it(runbook: type[Runbook]):
    """As the table says it: *Start it when …*."""
    assert runbook.about.when.startswith(("when ", "before ", "after "))


def test_a_script_reads_the_same_as_json():
    """One entry a runbook, with everything that a person reads."""
    entries = json.loads(quorate("runbooks", "--json").stdout)

    assert entries == catalogue.as_data()
    assert [entry["name"] for entry in entries] == [runbook.about.name for runbook in ALL_RUNBOOKS]
    assert set(entries[0]) == {"type", "name", "what", "when", "asks", "landing", "example", "emergency"}


def test_a_terminal_shows_every_runbook_with_its_example():
    """Name, type, what, when, and what to type."""
    said = quorate("runbooks").stdout

    shown = [one.about.name for one in ALL_RUNBOOKS] + [catalogue.type_name(one) for one in ALL_RUNBOOKS]
    shown += [json.dumps(one.about.example) for one in ALL_RUNBOOKS]
    assert [text for text in shown if text not in said] == []
