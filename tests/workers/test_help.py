"""Every help page fits a screen and shows a line that can be typed as it stands."""

import re
import shlex
from collections.abc import Iterator

import pytest
import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

from workers.cli.main import app

WIDTH, SCREEN = 100, 50
ROOT_COMMAND = typer.main.get_command(app)


def commands(command: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """All of them, groups included."""
    yield path
    for name, one in getattr(command, "commands", {}).items():
        yield from commands(one, (*path, name))


ALL = list(commands(ROOT_COMMAND))


def page(path: tuple[str, ...]) -> str:
    """What `--help` prints on a terminal of that width."""
    shown = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": str(WIDTH), "TERMINAL_WIDTH": str(WIDTH)})
    assert shown.exit_code == 0, shown.output
    return shown.output.rstrip()


@pytest.mark.parametrize("path", ALL, ids=[" ".join(("quorate", *path)) for path in ALL])
def test_a_help_page_fits_a_screen(path: tuple[str, ...]):
    """Whoever asks for it reads all of it."""
    lines = page(path).splitlines()

    assert len(lines) <= SCREEN
    assert max(map(len, lines)) <= WIDTH


@pytest.mark.parametrize("path", ALL, ids=[" ".join(("quorate", *path)) for path in ALL])
def test_a_help_page_shows_a_line_that_runs(path: tuple[str, ...]):
    """Of this very command, or of one in this group; the command line takes it."""
    found = re.search(r"^ *Example: (.*)$", page(path), re.MULTILINE)
    assert found

    for line in found[1].split(" · "):
        program, *words = shlex.split(line.partition(" | ")[0])
        assert (program, tuple(words[: len(path)])) == ("quorate", path)
        command = ROOT_COMMAND
        while isinstance(command, TyperGroup):
            command = command.commands[words.pop(0)]
        assert command.make_context(command.name, words).params is not None


def test_every_command_stands_on_one_line_of_the_first_page():
    """A sentence that wraps pushes the end of the list off the screen."""
    groups = page(()).partition("─ Begin")[2]
    inside = [line for line in groups.splitlines() if line.startswith("│")]

    assert len(inside) > 20
    assert all(re.match("│ [a-z]", line) for line in inside)
