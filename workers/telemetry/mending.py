"""What a worker that was killed has left in the store, put right by who comes after it.

It takes along the ends of its last moments, and its attempts never end. The run's own spans have the same ids in every
worker: the next one plays the run again, and writes those that are missing. An attempt has died with its worker, and is
ended as lost.
"""

import contextlib
import os
import socket
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from opentelemetry.proto.trace.v1.trace_pb2 import Span as Encoded
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from activities.tracing import SCOPE
from workers.telemetry.encoding import Process, encoded, lost, process_of
from workers.telemetry.masking import masked
from workers.telemetry.store import NANO, Store, write

# A worker has written all but the last second and a half of what it did; a busy one somewhat less.
LAST_MOMENTS = 10 * NANO

_HEARD = """
select max(case when "end" < ?1 then "end" else start end) from span where trace = ?2 and start < ?1
"""


class Missing(SpanExporter):
    """Takes the spans that end once more while a run is played again, and writes what is not there."""

    def __init__(self, state: Path) -> None:
        self._store = Store(state)
        self._born = time.time_ns()
        self._runs: dict[str, _Run] = {}  # by trace

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Never raises, and says nothing: whoever writes the others says what is wrong with the file."""
        try:
            self.complete([masked(span) for span in spans])
        except (sqlite3.Error, OSError):
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS

    def complete(self, spans: Sequence[ReadableSpan]) -> None:
        """Keep those that are not there, or have no end there.

        What is not there although most of its run is has been lost. Where little of a run is there, the store has let
        its spans go, or another version has made them, with other ids: then only the last moments are put right. Raises
        sqlite3.Error and OSError.
        """
        with self._store.connected() as file:
            for origin, span in encoded(spans):
                key = (span.trace_id.hex(), span.span_id.hex())
                there = file.execute("select end from span where trace = ? and id = ?", key).fetchone()
                run = self._runs.setdefault(key[0], _Run())
                run.told, run.kept = run.told + 1, run.kept + (there is not None)
                if there == (None,) or (there is None and (run.mostly_kept or self._is_late(file, span, run))):
                    write(file, origin, span)

    def shutdown(self) -> None:
        """Let go of the file."""
        self._store.close()

    def _is_late(self, file: sqlite3.Connection, span: Encoded, run: "_Run") -> bool:
        if not run.asked:
            run.asked, run.heard = True, file.execute(_HEARD, (self._born, span.trace_id.hex())).fetchone()[0]
        return run.heard is None or span.end_time_unix_nano >= run.heard - LAST_MOMENTS


@dataclass
class _Run:
    """How many of its spans were told again, how many of them were there, and the newest time before this process."""

    told: int = 0
    kept: int = 0
    asked: bool = False
    heard: int | None = None

    @property
    def mostly_kept(self) -> bool:
        return 2 * self.kept >= self.told


def end_lost(state: Path) -> int:
    """End what was under way in processes of this machine that are gone: attempts of steps, and calls; how many.

    When they ended nobody knows: it is the newest time that the process has told in that trace. Nothing is raised: a
    file that cannot be written is told of by whoever writes spans.
    """
    store, born = Store(state), time.time_ns()
    if not store.path.exists():
        return 0
    ended = 0
    with contextlib.suppress(sqlite3.Error, OSError), store.connected() as file:
        origins = [(number, data, *process_of(data)) for number, data in file.execute("select id, data from origin")]
        for number, origin, scope, process in origins:
            if scope == SCOPE and _is_gone(process):
                same = [other for other, _, _, its in origins if its == process]
                ended += _ended(file, number, origin, same, born)
    store.close()
    return ended


def _ended(file: sqlite3.Connection, number: int, origin: bytes, same: Sequence[int], born: int) -> int:
    """Those of that origin; `same` are all origins of its process, whose number another process may have by now."""
    left = "select trace, data from span where origin = ? and end is null and start < ?"
    found = file.execute(left, (number, born)).fetchall()
    heard = f"{_HEARD.strip()} and origin in ({', '.join('?' * len(same))})"
    for trace, span in found:
        write(file, origin, lost(span, file.execute(heard, (born, trace, *same)).fetchone()[0]))
    return len(found)


def _is_gone(process: Process) -> bool:
    """It was on this machine, and is no more; in a container they all have one number."""
    if process.host != socket.gethostname() or process.number <= 0:
        return False
    if process.number == os.getpid():
        return True
    try:
        os.kill(process.number, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
