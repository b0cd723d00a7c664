"""A folder of audit records on a disk: lines are appended and synced, heads are signed, nothing is ever rewritten.

What a crash has left of a last line is cut off when the folder is opened: that line was never told to anybody.
"""

import errno
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from threading import Lock

from activities.clients.signatures import Key, fingerprint, fingerprint_of_line, line, signed, unsound
from cluster.audit.head import EXPORT, HEADS, NAMESPACE, RUNS, SIGNER, SIGNERS, Head, Part, folder, part_name
from cluster.audit.line import NOTHING, Line, chained, read
from workers.audit.disk import HALF, Changed, as_left, repaired, replaced, synced, written

LOCK = ".lock"


class Held(Exception):
    """Another process keeps this folder; `keeps` is whose runs it records, as far as it says so."""

    def __init__(self, place: Path, keeps: str) -> None:
        self.keeps = keeps
        super().__init__(str(place))


class Files(Mapping[str, bytes]):
    """What a folder of records holds, read when it is asked for. OSError for what is there and may not be read."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def __getitem__(self, name: str) -> bytes:
        try:
            return (self._place / name).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        for room in (HEADS, RUNS):
            found = os.walk(self._place / room, onerror=unless_gone)
            for path in sorted(Path(folder_, name) for folder_, _, names in found for name in names):
                if path.is_file() and path.suffix != HALF:
                    yield path.relative_to(self._place).as_posix()
        if (self._place / EXPORT).is_file():
            yield EXPORT

    def __len__(self) -> int:
        return sum(1 for _ in self)


def unless_gone(error: OSError) -> None:
    """What nobody may look into is not empty."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


def held(place: Path) -> bool:
    """A keeper is at work on that folder."""
    try:
        with (place / LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def soundness(place: Path) -> "Signatures":
    """Whether a signature is one of those whose keys that folder lists."""
    with suppress(OSError):
        return Signatures((place / SIGNERS).read_bytes())
    return Signatures(b"")


class Signatures:
    """A list of signers: OpenSSH's own file. A line that says nothing takes no other line's word away."""

    def __init__(self, signers: bytes) -> None:
        lines = signers.decode(errors="replace").splitlines()
        self.signers = "".join(f"{one}\n" for one in lines if fingerprint_of_line(one)).encode()

    def __call__(self, text: bytes, signature: bytes, by: str = "") -> str:
        """Why it does not hold, `by` that key where one is named; empty where it does."""
        return unsound(text, signature, self.signers, SIGNER, NAMESPACE, by)


class Record:
    """One run's record: its files, and where the next line goes."""

    def __init__(self, place: Path, run: str, first: str, there: Callable[[], None] = lambda: None) -> None:
        """`there` raises Changed where the folder is not the one any more that was opened."""
        self.run, self.first, self.folder = run, first, folder(run, first)
        self._place, self.there = place, there
        self.lines, self.last, self.runbook = 0, NOTHING, ""
        self.closed = False
        self.parts: list[Part] = []
        self.signed: dict[str, int] = {}  # how many bytes of each file a head speaks for
        self._sum = hashlib.sha256()
        self.lock = Lock()  # lines are appended in a thread
        self._unsure = False  # more may be there than is counted: a write has failed
        for name in _names(place, self.folder):
            self._take(name, (place / name).read_bytes())

    def _take(self, name: str, data: bytes) -> None:
        """A file that is there already; of what is no line only the digest is known."""
        self._sum, execution, over = hashlib.sha256(), "", False
        whole = data.split(b"\n")[:-1]
        if not whole:
            return
        for text in whole:
            self._sum.update(text + b"\n")
            self.last = hashlib.sha256(text).hexdigest()
        with suppress(ValueError, IndexError):
            newest = read(whole[-1])
            execution, over = newest.execution, newest.kind == "closed"
            self.closed = over and not _continues(newest)
        with suppress(ValueError, IndexError):
            self.runbook = str(read(whole[0]).data.get("runbook", ""))
        self.lines += len(whole)
        self.parts.append(self._part(name, execution, len(whole), sum(len(one) + 1 for one in whole), over=over))

    def _part(self, name: str, execution: str, lines: int, size: int, *, over: bool) -> Part:
        # a file without a line is no part of a head; what is counted here is what is there
        return Part.model_construct(
            name=name, execution=execution, lines=lines, bytes=size, sha256=self._sum.hexdigest(), whole=over
        )

    def written(self, execution: str) -> Sequence[bytes]:
        """The lines of that execution that are there; it is the last one, or has none yet."""
        for part in self.parts:
            if part.execution == execution:
                return (self._place / part.name).read_bytes().split(b"\n")[:-1]
        return ()

    def append(self, lines: Sequence[Line]) -> None:
        """These lines of one execution, on the disk when it returns. OSError, and nothing is there of them."""
        with self.lock:
            self.there()
            self._append(lines)

    def _append(self, lines: Sequence[Line]) -> None:
        tied = list(chained(lines, self.lines, self.last))
        if not tied:
            return
        begins = not self.parts or self.parts[-1].execution != tied[0].execution
        name = part_name(self.folder, len(self.parts) + 1) if begins else self.parts[-1].name
        size, count = (0, 0) if begins else (self.parts[-1].bytes, self.parts[-1].lines)
        data = b"".join(one.canonical + b"\n" for one in tied)
        path = self._place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if self._unsure and path.exists():
            os.truncate(path, size)
        as_left(path, size)
        self._unsure = True
        written(path, data, size)
        self._unsure = False
        if begins:
            synced(path.parent)
            self._sum = hashlib.sha256()
        self._sum.update(data)
        newest = tied[-1]
        over = newest.kind == "closed"
        part = self._part(name, newest.execution, count + len(tied), size + len(data), over=over)
        self.parts = [*(self.parts if begins else self.parts[:-1]), part]
        self.lines, self.last = newest.n + 1, newest.digest
        self.runbook = self.runbook or str(tied[0].data.get("runbook", ""))
        self.closed = over and not _continues(newest)

    @property
    def unsigned(self) -> tuple[Part, ...]:
        """The files of which no head speaks as they are now."""
        return tuple(part for part in self.parts if part.lines and self.signed.get(part.name) != part.bytes)


class Store:
    """The folder, for the one process that writes it. OSError where it cannot be made, Held where another one does.

    `keeps` says to other processes whose runs are recorded here.
    """

    def __init__(self, place: Path, key: Key, cluster: str, keeps: str = "") -> None:
        self.place, self._key, self._cluster = place, key, cluster
        for room in (place, place / HEADS, place / RUNS):
            room.mkdir(parents=True, exist_ok=True, mode=0o750)
        self._lock = (place / LOCK).open("a+b")
        try:
            self._locked(keeps)
            self._listed()
        except BaseException:
            self._lock.close()
            raise
        self.records: dict[tuple[str, str], Record] = {}
        self.done: set[str] = set()  # executions that are written to their end, and signed
        self.newest: Head | None = None
        self._signed: dict[str, dict[str, int]] = {}
        self._number, self._previous = 0, NOTHING
        self._signing = Lock()
        for path in sorted((place / HEADS).glob("*.json")):
            self._knows(path)

    def _locked(self, keeps: str) -> None:
        """A file system that knows no locks is an OSError: two writers would spoil the chain."""
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.seek(0)
            raise Held(self.place, self._lock.read().decode(errors="replace").strip()) from None
        self._lock.truncate(0)
        self._lock.write(keeps.encode())
        self._lock.flush()

    def there(self) -> None:
        """Changed where the folder was taken away, or another one stands in its place."""
        with suppress(OSError):
            if os.path.samestat(os.fstat(self._lock.fileno()), os.stat(self.place / LOCK)):
                return
        raise Changed(errno.ENOENT, "it was taken away, or replaced, while a keeper was at work", str(self.place))

    def _listed(self) -> None:
        """The public key beside what it signs: keys of earlier days stay on the list."""
        path, ours = self.place / SIGNERS, line(SIGNER, self._key, NAMESPACE).encode()
        known = path.read_bytes().splitlines() if path.exists() else []
        if ours not in known:
            replaced(path, b"\n".join([*known, ours, b""]))

    def _knows(self, path: Path) -> None:
        if not (path.stem.isascii() and path.stem.isdigit()):
            return  # nothing of ours: `quorate audit verify` tells of it
        text = path.read_bytes()
        self._number, self._previous = int(path.stem) + 1, hashlib.sha256(text).hexdigest()
        with suppress(ValueError):  # `quorate audit verify` says what is wrong with it
            head = Head.read(text)
            self.newest = head
            self._signed.setdefault(head.folder, {}).update({part.name: part.bytes for part in head.parts})
            self.done |= {part.execution for part in head.parts if part.whole}

    def record(self, run: str, first: str) -> Record:
        """That run's record, with what is there of it; the rest of a torn line is cut off."""
        if (run, first) not in self.records:
            for name in _names(self.place, folder(run, first)):
                repaired(self.place / name)
            record = Record(self.place, run, first, self.there)
            record.signed = dict(self._signed.get(record.folder, {}))
            self.records[run, first] = record
        return self.records[run, first]

    def sign(self, record: Record, now: datetime | None = None) -> Head | None:
        """A head for what is new of that record; None where nothing is. OSError, and there is none."""
        # a keeper that is stopped leaves a thread that signs, and signs what is left: each head names the one before
        with self._signing, record.lock:
            self.there()
            return self._sign(record, now)

    def _sign(self, record: Record, now: datetime | None) -> Head | None:
        parts = record.unsigned
        if not parts:
            return None
        head = Head(
            number=self._number,
            at=now or datetime.now(UTC),
            cluster=self._cluster,
            run=record.run,
            runbook=record.runbook,
            first=record.first,
            lines=record.lines,
            last=record.last,
            parts=parts,
            closed=record.closed,
            signer=fingerprint(self._key),
            quorate=version("quorate"),
            previous=self._previous,
        )
        path = self.place / head.name
        # a head without its signature is never seen; a signature without its head is written again
        replaced(path.with_name(f"{path.name}.sig"), signed(head.canonical.decode(), self._key, NAMESPACE).encode())
        replaced(path, head.canonical)
        record.signed |= {part.name: part.bytes for part in parts}
        self._signed[record.folder] = dict(record.signed)
        self.done |= {part.execution for part in parts if part.whole}
        self._number, self._previous, self.newest = head.number + 1, head.digest, head
        return head

    def close(self) -> None:
        """Let another process keep it."""
        self._lock.close()


def _continues(line_: Line) -> bool:
    return line_.data.get("how") == "continued as new"


def _names(place: Path, folder_: str) -> list[str]:
    names: list[str] = []
    while (place / (name := part_name(folder_, len(names) + 1))).is_file():
        names.append(name)
    return names
