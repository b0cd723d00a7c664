"""Long lines in a narrow terminal: labels and numbers keep their column, and a command that is broken still runs."""

import io
import shlex
from datetime import UTC, datetime, timedelta

from rich.text import Text

from cluster.answers.model import Answer, Task
from cluster.moments import Times
from workers.cli.answered import answered
from workers.cli.console import PlainConsole
from workers.cli.hanging import Hanging, hanging
from workers.cli.steps import step_data
from workflows.page import StepRecord, told

REVIVE = (
    "ha-manager set vm:300 --state disabled && ha-manager set vm:300 --state started; ha-manager status --verbose 1"
)
ONE = Answer(
    about="x",
    urgency="act now",
    title="The quorum is lost",
    tasks=(
        Task(do="prove that node-a1, node-a2, node-a3 are off: management controllers, power distribution, on site"),
        Task(do="when the cause is fixed, have HA start them again", command=REVIVE),
    ),
    never=("run `pvecm expected` without a second person and proof that the silent nodes are off",),
)


def shown(*parts: Hanging, width: int = 80, terminal: bool = True) -> list[str]:
    console = PlainConsole(width=width, file=io.StringIO(), record=True, force_terminal=terminal)
    for part in parts:
        console.tell(part)
    return console.export_text().splitlines()


def test_an_answer_reads_well_at_eighty_columns():
    """Tasks keep their numbers, and what wraps stands under its text."""
    assert shown(*answered(ONE)) == [
        "Act now: The quorum is lost.",
        "  1.         prove that node-a1, node-a2, node-a3 are off: management",
        "             controllers, power distribution, on site",
        "  2.         when the cause is fixed, have HA start them again",
        "               ha-manager set vm:300 --state disabled && ha-manager set vm:300 \\",
        "               --state started; ha-manager status --verbose 1",
        "  never      run `pvecm expected` without a second person and proof that the",
        "             silent nodes are off",
    ]


def test_a_command_that_is_broken_is_the_same_command():
    """A shell joins the lines again, and no quoted word is cut."""
    command = "quorate answer site-loss/metro skip --step 'Loss of site-a is confirmed by two places' --why '…'"
    lines = shown(Hanging(Text("    "), Text(command), command=True), width=40)

    assert len(lines) > 1
    assert shlex.split(" ".join(line.removesuffix("\\") for line in lines)) == shlex.split(command)


def test_a_pipe_gets_each_line_whole():
    """Whatever its width is taken for."""
    assert shown(*answered(ONE), terminal=False)[3].strip() == REVIVE


def test_a_terminal_that_is_too_narrow_for_a_column_gets_the_text():
    """Nothing is lost, and nothing is endless."""
    lines = shown(hanging("  1.         look at the array and its mediator", 13), width=20)

    assert " ".join(" ".join(lines).split()) == "1. look at the array and its mediator"


def test_a_step_has_the_same_times_as_data_as_on_its_line():
    """Begin and end by the clock, T+ of its end; of one that goes on, T+ of its begin."""
    times = Times(t0=datetime(2026, 3, 1, 3, 12, 28, tzinfo=UTC))
    over = StepRecord(title="One", state="done", at=timedelta(seconds=15), took=timedelta(seconds=155), finding="well")
    on = over.model_copy(update={"state": "running", "took": timedelta(), "finding": ""})

    assert over.cells(times) == ("02:50", "03:15:18")
    assert step_data(over, times) == {
        "t_plus": 170.0, "title": "One", "state": "done", "finding": "well", "began": "2026-03-01T03:12:43+00:00",
        "ended": "2026-03-01T03:15:18+00:00", "took": 155.0, "changes": 0,
    }  # fmt: skip
    assert told(on, times) == "… One: under way since 03:12:43 UTC (T+00:15)"
    assert (step_data(on, times)["t_plus"], step_data(on, times)["ended"]) == (15.0, None)
