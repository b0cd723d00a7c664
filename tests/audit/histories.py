"""The recorded histories of every version, as events."""

import gzip
from collections.abc import Iterable, Sequence
from pathlib import Path

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory

from cluster.audit.line import Line
from workers.audit.history import record

FOLDER = Path(__file__).parents[1] / "histories"
ALL = sorted(FOLDER.glob("*/*.json.gz"))


def name(path: Path) -> str:
    """``0.2 failback-signed``."""
    return f"{path.parent.name} {path.name.removesuffix('.json.gz')}"


def events(which: str | Path) -> Sequence[HistoryEvent]:
    """The events of that history, ``0.2 failback-signed``."""
    path = which if isinstance(which, Path) else FOLDER / (which.replace(" ", "/") + ".json.gz")
    return WorkflowHistory.from_json(path.stem, gzip.decompress(path.read_bytes()).decode()).events


def recorded(which: str | Path) -> list[Line]:
    """The record of that run."""
    return list(record([events(which)]))


def written(lines: Iterable[Line]) -> bytes:
    """The record as a file holds it."""
    return b"".join(line.canonical + b"\n" for line in lines)
