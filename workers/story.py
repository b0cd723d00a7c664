"""What a run did, told on a terminal while it happens."""

import time

from rich.console import Console
from rich.status import Status
from rich.text import Text

from cluster.units import seconds
from workflows.page import StepRecord

_STYLE = {"done": ("✓", "green"), "failed": ("✗", "bold red"), "running": ("…", "yellow")}


class Story:
    """Lines with the time since the start. Nothing is printed when a script reads the output instead."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()
        self._moving: Status | None = None

    def heading(self, text: str) -> None:
        """A new chapter."""
        self._console.print()
        self._console.print(Text(text, style="bold"))

    def line(self, text: str) -> None:
        """Something that happened beside the steps."""
        self._console.print(Text(f"{self._clock()}    {text}", style="dim"), soft_wrap=True)

    def step(self, step: StepRecord | str | list[str]) -> None:
        """A step that has ended, a remark about the run, or what is under way."""
        if isinstance(step, str):
            self.line(step)
        elif isinstance(step, list):
            self._under_way(step)
        else:
            self._ended(step)

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
        sign, style = _STYLE[step.state]
        line = Text(f"{self._clock()} ")
        line.append(f" {sign} ", style=style)
        line.append(step.title, style="bold" if step.changed else "")
        line.append(f"  {step.finding}", style="" if step.changed else "dim")
        notes = ([f"{step.changes} changes" if step.changes != 1 else "1 change"] if step.changed else []) + [
            seconds(step.took)
        ]
        line.append(f"  [{', '.join(notes)}]", style="cyan" if step.changed else "dim")
        self._console.print(line, soft_wrap=True)

    def _clock(self) -> str:
        minutes, rest = divmod(int(time.monotonic() - self._started), 60)
        return f"{minutes:02d}:{rest:02d}"
