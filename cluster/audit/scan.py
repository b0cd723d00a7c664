"""The lines of one record, read as bytes: whether each is whole, and follows from the one before."""

import hashlib
import json
from collections.abc import Iterable, Iterator

from pydantic import ValidationError

from cluster.audit.line import NOTHING, Line, read
from cluster.nouns import Value

EDITED = "the line was edited, or is damaged"
MOVED = "lines were dropped, put in, or put in another order"
CUT = "the file was cut off here; a writer that died repairs this when it starts again"
FOREIGN = "the line belongs to another record"


class Fault(Value):
    """What is wrong, where, and what follows from it. `line` is the record's own number `n`, `byte` counts from 0."""

    where: str
    line: int | None = None
    byte: int | None = None
    what: str
    means: str

    def __str__(self) -> str:
        place = f", line {self.line}" if self.line is not None else ""
        place += f" (byte {self.byte})" if self.byte is not None else ""
        return f"{self.where}{place}: {self.what}: {self.means}"


class Scanned(Value):
    """What a record is, and what is wrong with it. `digests` are those of its lines as they stand, in order."""

    run: str = ""
    runbook: str = ""
    first: str = ""
    lines: int = 0
    began: str = ""
    ended: str = ""
    how: str = ""  # it has ended, and how
    digests: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()


class _Scan:
    """Goes from line to line."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.digests: list[str] = []
        self.head: Line | None = None
        self.line: Line | None = None
        self._n, self._prev = 0, NOTHING  # what the next line has to be; no digest where that is not known

    def file(self, name: str, data: bytes) -> None:
        """All lines of one file."""
        execution = ""
        for at, text in _lines(data):
            if not text.endswith(b"\n"):
                self._fault(name, self._n, at, "the line has no end", CUT)
            line = self._read(name, at, text.removesuffix(b"\n"))
            if line is None:
                continue
            self._follows(name, at, line)
            if self.head is None:
                self.head = line
            elif line.run != self.head.run:
                self._fault(name, line.n, at, f"it is of run {line.run}, not of {self.head.run}", FOREIGN)
            if execution and line.execution != execution:
                self._fault(name, line.n, at, "it is of another execution than the line before", FOREIGN)
            execution, self.line = line.execution, line

    def _read(self, name: str, at: int, text: bytes) -> Line | None:
        digest = hashlib.sha256(text).hexdigest()
        self.digests.append(digest)
        try:
            return read(text)
        except (ValueError, RecursionError) as error:
            self._fault(name, self._n, at, _why(error), EDITED)
            self._n, self._prev = self._n + 1, digest
            return None

    def _follows(self, name: str, at: int, line: Line) -> None:
        if line.n != self._n:
            self._fault(name, line.n, at, f"line {line.n} stands where line {self._n} has to be", MOVED)
        elif line.prev != self._prev:
            what = f"it does not follow from line {line.n - 1}" if line.n else "it has a line before it"
            means = f"line {line.n - 1} was edited, or this one was" if line.n else EDITED
            self._fault(name, line.n, at, what, means)
        self._n, self._prev = line.n + 1, self.digests[-1]

    def _fault(self, where: str, line: int, byte: int, what: str, means: str) -> None:
        self.faults.append(Fault(where=where, line=line, byte=byte, what=what, means=means))


def scan(files: Iterable[tuple[str, bytes]]) -> Scanned:
    """The record in these files, in order."""
    found = _Scan()
    for name, data in files:
        found.file(name, data)
    head, last = found.head, found.line
    if head is None or last is None:
        return Scanned(digests=tuple(found.digests), lines=len(found.digests), faults=tuple(found.faults))
    over = last.kind == "closed" and last.data.get("how") != "continued as new"
    return Scanned(
        run=head.run,
        runbook=str(head.data.get("runbook", "")),
        first=str(head.data.get("first_execution", "")),
        lines=len(found.digests),
        began=head.at.isoformat(timespec="seconds"),
        ended=last.at.isoformat(timespec="seconds"),
        how=last.what if over else "",
        digests=tuple(found.digests),
        faults=tuple(found.faults),
    )


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Each line with its end, and the byte at which it begins."""
    at = 0
    while at < len(data):
        end = data.find(b"\n", at) + 1 or len(data)
        yield at, data[at:end]
        at = end


def _why(error: Exception) -> str:
    """In words: a library's sentence may quote the whole line."""
    if isinstance(error, (json.JSONDecodeError, UnicodeDecodeError, RecursionError)):
        return "it is no JSON"
    if isinstance(error, ValidationError):
        wrong = ", ".join(sorted({".".join(map(str, one["loc"])) or "the whole" for one in error.errors()}))
        return f"it is no line of a record ({wrong})"
    return str(error)[:200]
