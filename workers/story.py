"""What a run did, told on a terminal while it happens."""

import time

from rich.console import Console
from rich.text import Text

from cluster.units import seconds
from workflows.page import StepRecord

_STYLE = {"done": ("✓", "green"), "failed": ("✗", "bold red"), "running": ("…", "yellow")}


class Story:
    """Lines with the time since the start. Nothing is printed when a script reads the output instead."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()

    def heading(self, text: str) -> None:
        """A new chapter."""
        self._console.print()
        self._console.print(Text(text, style="bold"))

    def line(self, text: str) -> None:
        """Something that happened beside the steps."""
        self._console.print(Text(f"{self._clock()}    {text}", style="dim"), soft_wrap=True)

    def step(self, step: StepRecord | str) -> None:
        """A step that has ended, or a remark about the run."""
        if isinstance(step, str):
            self.line(step)
            return
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
