"""What a run did, told on a terminal while it happens."""

import time

from rich.console import Console
from rich.status import Status
from rich.text import Text

from cluster.units import counted, seconds
from workers.cli.follow import Look
from workflows.page import SIGNS, StepRecord

_STYLE = {"done": "green", "failed": "bold red", "stopped": "red", "parked": "bold yellow", "asked": "bold yellow"}


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

    def tell(self, look: Look) -> None:
        """A remark about the run, steps that have ended or parked, what is under way."""
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
        line = Text(f"{self._clock()} ")
        line.append(f" {SIGNS[step.state]} ", style=_STYLE.get(step.state, "yellow"))
        line.append(step.title, style="bold" if step.changed else "")
        line.append(f"  {step.finding}", style="" if step.changed else "dim")
        notes = [counted(step.changes, "change")] if step.changed else []
        if step.took and step.state not in ("parked", "asked"):  # a step that waits has taken no time yet
            notes.append(seconds(step.took))
        if notes:
            line.append(f"  [{', '.join(notes)}]", style="cyan" if step.changed else "dim")
        self._console.print(line, soft_wrap=True)

    def _clock(self) -> str:
        minutes, rest = divmod(int(time.monotonic() - self._started), 60)
        return f"{minutes:02d}:{rest:02d}"
