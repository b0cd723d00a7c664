"""From a reference to a secret, at the last moment: inside a client, never in a workflow or a message."""

import os
from pathlib import Path

from activities.errors import NotFound


class Secrets:
    """Resolves ``env:NAME`` and ``file:PATH``; a relative path counts from the inventory's folder."""

    def __init__(self, base: Path) -> None:
        self._base = base

    def path(self, path: str) -> Path:
        """A path of the inventory as the process sees it."""
        return (self._base / path).resolve()

    def read(self, reference: str) -> str:
        """The secret itself; NotFound names the reference and nothing else."""
        kind, _, name = reference.partition(":")
        if kind == "env":
            if value := os.environ.get(name, "").strip():
                return value
            raise NotFound(
                f"secret {reference}: the worker's environment has no {name}; set it and start the worker again"
            )
        try:
            return self.path(name).read_text().strip()
        except OSError as error:
            raise NotFound(f"secret {reference}: cannot be read by the worker ({error.strerror})") from None
