"""What a run did, told on a terminal while it happens."""

from datetime import UTC, datetime

from rich.status import Status
from rich.text import Text

from cluster.moments import Times, utc
from cluster.units import counted, seconds
from workers.cli.console import PlainConsole
from workers.cli.follow import Look
from workers.cli.hanging import Hanging
from workers.cli.incident.view import COLUMNS
from workflows.page import OPEN, SIGNS, StepRecord

_STYLE = {"done": "green", "failed": "bold red", "stopped": "red", "parked": "bold yellow", "asked": "bold yellow"}


class Story:
    """Lines with their times: T+ since the run began, and UTC. Nothing is printed when a script reads the output.

    What happens beside the run's steps has the time of day alone.
    """

    def __init__(self, console: PlainConsole) -> None:
        self._console = console
        self._moving: Status | None = None
        self._times: Times | None = None

    def heading(self, text: str) -> None:
        """A new chapter."""
        self._console.print()
        self._console.print(Text(text, style="bold"))

    def line(self, text: str) -> None:
        """Something that happened beside the steps."""
        beside = self._times.t0 if self._times else datetime.now(UTC)
        head = Text(f"{'':>8} {utc(datetime.now(UTC), beside):>8}    ", style="dim")
        self._console.tell(Hanging(head, Text(text, style="dim")))

    def tell(self, look: Look) -> None:
        """A remark about the run, steps that have ended or parked, what is under way."""
        if look.times and look.times != self._times:
            self._times = look.times
            self._console.print(Text(f"{COLUMNS} {look.times.t0:%Y-%m-%d}", style="dim"))
        if look.remark:
            self.line(look.remark)
        for step in look.steps:
            self._ended(step)
        self._under_way(look.under_way)

    def _under_way(self, titles: list[str]) -> None:
        """A moving line at the bottom of a terminal; a log file gets none."""
        if not self._console.is_terminal:
            return
        if not titles:
            self.rest()
            return
        more = f" and {len(titles) - 1} more" if len(titles) > 1 else ""
        text = Text(f"{titles[0]}{more}", style="yellow")
        if self._moving is None:
            self._moving = self._console.status(text)
            self._moving.start()
        else:
            self._moving.update(text)

    def rest(self) -> None:
        """Nothing is under way any more."""
        if self._moving is not None:
            self._moving.stop()
            self._moving = None

    def _ended(self, step: StepRecord) -> None:
        counted_from, wall = step.cells(self._times)
        head = Text(f"{counted_from:>8} {wall:>8} ")
        head.append(f" {SIGNS[step.state]} ", style=_STYLE.get(step.state, "yellow"))
        line = Text(step.title, style="bold" if step.changed else "")
        line.append(f"  {step.finding}", style="" if step.changed else "dim")
        notes = [counted(step.changes, "change")] if step.changed else []
        if step.took and step.state not in OPEN:
            notes.append(seconds(step.took))
        if notes:
            line.append(f"  [{', '.join(notes)}]", style="cyan" if step.changed else "dim")
        self._console.tell(Hanging(head, line))
