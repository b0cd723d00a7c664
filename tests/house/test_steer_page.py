"""docs/steer-a-run.md says only what is so: its messages, signs, commands and hooks are taken at their word."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import BaseModel

from cluster.around import Hook
from cluster.hooks import HookCall
from cluster.plan import Mode
from tests.workers.test_cli import EXAMPLE, ROOT
from workers.cli.main import app
from workers.inventory_file import load
from workers.settings import Settings
from workflows.catalogue import RunbookRequest
from workflows.messages import Abort, Answer, Note, Pause, Resume
from workflows.page import SIGNS

PAGE = (ROOT / "docs" / "steer-a-run.md").read_text()
MESSAGES: dict[str, type[BaseModel]] = {
    "answer": Answer, "pause": Pause, "resume": Resume, "abort": Abort, "note": Note,
}  # fmt: skip
UPDATES = re.findall(r"Update `(\w+)` `(\{.*?\})`", PAGE)


def block(language: str) -> str:
    """The one block of that language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


@pytest.mark.parametrize(("update", "message"), UPDATES)
def test_a_message_is_one_that_the_run_takes(update: str, message: str):
    """Who copies it into the dialog is understood."""
    MESSAGES[update].model_validate_json(message)


def test_every_message_is_shown():
    """None of the five is missing."""
    assert {update for update, _ in UPDATES} == set(MESSAGES)


def test_every_sign_is_explained():
    """No more and no less than the engine draws."""
    table = PAGE.partition("| Sign | The step |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (\S) \| ", table, re.MULTILINE)

    assert sorted(rows) == sorted(SIGNS.values())


def test_the_input_with_a_digest_is_one_that_a_runbook_takes():
    """The second start of plan, agree, apply."""
    (given,) = re.findall(r"`(\{\"mode\".*?\})`", PAGE)

    assert RunbookRequest.model_validate_json(given).plan == "0123456789abcdef"


def commands() -> list[str]:
    """Every `quorate …` of the page, in tables and blocks."""
    found = re.findall(r"`(quorate [^`\n]+)`", PAGE) + re.findall(r"^(quorate .*)$", PAGE, re.MULTILINE)
    return sorted({command.partition("  #")[0].strip() for command in found})


@pytest.mark.parametrize("line", commands())
def test_a_command_is_one_that_there_is(line: str):
    """Name, arguments and options; a command that is only named need not be complete."""
    group: Any = typer.main.get_command(app)
    _, name, *rest = shlex.split(line)
    command = group.commands[name]

    assert command.make_context(name, rest, resilient_parsing=not rest).info_name == name


def test_the_hooks_fit_into_an_inventory(tmp_path: Path):
    """The example is accepted below the shipped inventory, and says what the page says of it."""
    path = tmp_path / "inventory.yaml"
    path.write_text(f"{EXAMPLE.read_text()}\n{block('yaml')}")
    silence, tell = load(path).hooks

    assert (silence.on_failure, tell.on_failure) == ("park", "warn")
    assert (silence.timeout.total_seconds(), tell.timeout.total_seconds()) == (20, 30)


def test_a_hook_is_told_what_the_page_shows():
    """The same names, no more and no less."""
    shown = json.loads(block("json"))
    call = HookCall(mode=Mode.APPLY, hook=Hook(name="x1", before="a", command=("/x",)), **shown)

    assert call.model_dump(mode="json", exclude={"hook", "mode", "earlier"}) == shown


def test_the_allow_list_is_read_as_it_is_written(monkeypatch: pytest.MonkeyPatch):
    """Copied into a shell, it is a setting of the worker."""
    (value,) = re.findall(r"export QUORATE_HOOKS='(.*)'", PAGE)
    monkeypatch.setenv("QUORATE_HOOKS", value)

    assert Settings().hooks == ("/usr/local/bin/silence", "https://chat.example.net/hooks/")


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "docs").glob("*.md")))
def test_links_between_the_pages_lead_somewhere(name: str):
    """Relative ones; addresses elsewhere are not ours."""
    text = (ROOT / "docs" / name).read_text()
    targets = re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", text)

    assert [link for link in targets if not (ROOT / "docs" / Path(link)).exists()] == []
