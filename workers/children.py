"""Processes of our own that a command starts and ends: the twin, a worker."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from workers.errors import Unusable

# What a process prints when it is ready.
TWIN_READY, WORKER_READY = "is up at speed", "works on"


def quorate(*arguments: str) -> list[str]:
    """The command line of a process of our own: of this installation, never of a `workers` in the current folder."""
    return [sys.executable, "-P", "-m", "workers.cli", *arguments]


class Child:
    """One `quorate` process. Its output goes to a log file; it ends with the command that started it."""

    def __init__(
        self, name: str, arguments: list[str], *, log: Path, environment: dict[str, str] | None = None
    ) -> None:
        self.name, self.log = name, log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                quorate(*arguments),
                stdout=out,
                stderr=out,
                env={**os.environ, **(environment or {})},
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def ended(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._process.poll()

    async def says(self, text: str, within: float = 60.0) -> None:
        """Wait until its log holds that text; Unusable when it ends before or takes too long."""
        deadline = time.monotonic() + within
        while text not in self.log.read_text(errors="replace"):
            if self.ended is not None:
                raise Unusable(f"{self.name} ended at its start: {self.last_words()}", f"read {self.log}")
            if time.monotonic() > deadline:
                raise Unusable(f"{self.name} did not say {text!r} in {within:.0f} s", f"read {self.log}")
            await asyncio.sleep(0.05)

    def last_words(self) -> str:
        """The last line of its log."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else "no output"

    def kill(self) -> None:
        """End it as a crash would."""
        self._process.kill()
        self._process.wait()

    def stop(self, within: float = 15.0) -> None:
        """Ask it to end, and make it end when it does not."""
        if self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(within)
        except subprocess.TimeoutExpired:
            self.kill()
