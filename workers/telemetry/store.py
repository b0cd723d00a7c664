"""The embedded store of traces: one SQLite file in the state folder, so that a run on a laptop can be looked at too.

A row is a span: its OTLP bytes, and beside them what a trace is looked for by. Several processes write at once (WAL);
a span that is written twice is there once. It is bounded: the oldest traces go first. It is a view, no record: nobody
has to be able to trust it, and a worker that cannot write goes on working.
"""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from opentelemetry.proto.trace.v1.trace_pb2 import Span as Encoded
from opentelemetry.sdk.trace import ReadableSpan

from cluster.nouns import Value
from cluster.spans.model import MESSAGES, WORKFLOW
from workers.telemetry.encoding import Kept, encoded

NAME = "traces.db"
# Another process writes for milliseconds; a file that is locked for longer than this is no file to wait for.
BUSY = 5.0
# So much is made free at once, as a share of what is allowed: looking for the oldest trace is a scan.
FREED = 0.1
# A trace that takes more than this share of all loses its older half first: one that never ends, as a watch's, must not
# push out the others.
ENDLESS = 0.5
NANO = 1_000_000_000

_TABLES = """
create table if not exists origin (id integer primary key, data blob not null unique);
create table if not exists span (
    trace text not null, id text not null, parent text not null, name text not null,
    start integer not null, end integer, workflow text not null, origin integer not null, data blob not null,
    primary key (trace, id)
) without rowid;
create index if not exists by_workflow on span (workflow, start);
create index if not exists by_start on span (start);
create index if not exists under_way on span (origin) where end is null;
"""
_ADD = """
insert into span values (?, ?, ?, ?, ?, ?, ?, (select id from origin where data = ?), ?)
on conflict (trace, id) do update set
    name = excluded.name, start = excluded.start, end = excluded.end, workflow = excluded.workflow,
    origin = excluded.origin, data = excluded.data
where span.end is null or excluded.end is not null
"""
_LISTED = """
select trace, count(*), count(end), min(start), max(max(coalesce(end, start), start)),
    coalesce((select id from span root where root.trace = span.trace order by parent <> '', start limit 1), ''),
    coalesce((select name from span root where root.trace = span.trace order by parent <> '', start limit 1), ''),
    coalesce((select workflow from span root where root.trace = span.trace and workflow <> ''
              order by parent <> '', start limit 1), '')
from span
"""


class Listed(Value):
    """A trace that is kept: how many spans, how many have ended, its root, and what it is of. Times in nanoseconds."""

    trace: str
    spans: int
    ended: int
    start: int
    newest: int
    root: str
    name: str
    workflow: str


class Store:
    """The file of a state folder; `megabytes` and `age` bound it. Raises sqlite3.Error and OSError.

    With `read_only` it is only looked at, by whoever may read it: nothing is made that is not there.
    """

    def __init__(
        self, state: Path, megabytes: int = 512, age: timedelta = timedelta(days=30), *, read_only: bool = False
    ) -> None:
        self.path = state / NAME
        self._read_only = read_only
        self._most = megabytes * 2**20
        self._age = age
        self._open: sqlite3.Connection | None = None

    def add(self, spans: Sequence[ReadableSpan]) -> None:
        """Keep them, also those that are under way. Of one that is told again the last end counts."""
        # most calls begin and end within one batch: they are written once
        last = {(one.context.trace_id, one.context.span_id): one for one in spans if one.context is not None}
        with self.connected() as file:
            for origin, span in encoded(list(last.values())):
                write(file, origin, span)

    def newest(self, limit: int = 20, *, runs: bool = False) -> list[Listed]:
        """The traces that began last; with `runs` only those of runs, without what a gateway was told."""
        which = "where trace in (select trace from span where workflow <> '')" if runs else ""
        return self._listed(f"{which} group by trace order by min(start) desc limit ?", limit)

    def found(self, word: str) -> list[Listed]:
        """Traces whose id, or a workflow of theirs, begins with that word; a whole name wins over beginnings."""
        order = "group by trace order by min(start) desc"
        exact = "where trace in (select trace from span where trace = ?1 or workflow = ?1)"
        begins = (
            "where trace in (select trace from span where trace >= ?1 and trace < ?1 || char(1114111) "
            "union select trace from span where workflow >= ?1 and workflow < ?1 || char(1114111))"
        )
        return self._listed(f"{exact} {order}", word) or self._listed(f"{begins} {order}", word)

    def spans(self, trace: str) -> list[Kept]:
        """All that is kept of a trace, in the order of time."""
        chosen = "select o.data, s.data from span s join origin o on o.id = s.origin where s.trace = ? order by s.start"
        with self.connected() as file:
            return [Kept(origin, span) for origin, span in file.execute(chosen, (trace,))]

    def led_to(self, trace: str) -> list[str]:
        """Other traces with a span that follows from this one, newest first; what was only said to them is left out."""
        # a link has the id in its bytes: cheaper than a table of links, and asked for one trace only
        chosen = (
            "select trace from span where trace <> ? and instr(data, ?) and not (name like ? or name like ?) "
            "group by trace order by min(start) desc"
        )
        words = (trace, bytes.fromhex(trace), *(f"{word}%" for word in MESSAGES))
        with self.connected() as file:
            return [one for (one,) in file.execute(chosen, words)]

    def prune(self, now: float | None = None) -> int:
        """Let the oldest go until age and size are as they may be; how many spans went."""
        oldest = int(((time.time() if now is None else now) - self._age.total_seconds()) * NANO)
        with self.connected() as file:
            # what is under way stays: of a run that takes longer than that, the root
            gone = file.execute("delete from span where start < ? and end is not null", (oldest,)).rowcount
        if self._size() > self._most:
            while self._size() > self._most * (1 - FREED) and (went := self._shrink()):
                gone += went
        return gone

    def close(self) -> None:
        """Let go of the file; the next call opens it again."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _listed(self, which: str, value: object) -> list[Listed]:
        names = Listed.model_fields
        with self.connected() as file:
            return [
                Listed(**dict(zip(names, row, strict=True))) for row in file.execute(f"{_LISTED} {which}", (value,))
            ]

    def _shrink(self) -> int:
        """One trace less, or the older half of one that takes more than its share; how many spans went."""
        with self.connected() as file:
            sizes = file.execute(
                "select trace, sum(length(data)) as size, max(start) from span group by trace order by 3"
            ).fetchall()
            share = ENDLESS * sum(size for _, size, _ in sizes)
            endless = next((trace for trace, size, _ in sizes if size > share), None)
            if endless is not None:
                return file.execute(
                    "delete from span where trace = ?1 and start < (select start from span where trace = ?1 "
                    "order by start limit 1 offset (select count(*) / 2 from span where trace = ?1))",
                    (endless,),
                ).rowcount or self._without(file, endless)
            return self._without(file, sizes[0][0]) if sizes else 0

    def _without(self, file: sqlite3.Connection, trace: str) -> int:
        return file.execute("delete from span where trace = ?", (trace,)).rowcount

    def _size(self) -> int:
        """Bytes in use: pages that are free are written again before the file grows."""
        with self.connected() as file:
            pages, free, each = (
                file.execute(f"pragma {what}").fetchone()[0] for what in ("page_count", "freelist_count", "page_size")
            )
        return int((pages - free) * each)

    @contextmanager
    def connected(self) -> Iterator[sqlite3.Connection]:
        """One transaction. After an error the file is opened anew: what is broken may be mended by then."""
        if self._open is None:
            self._open = self._opened()
        try:
            with self._open:
                yield self._open
        except sqlite3.Error:
            self.close()
            raise

    def _opened(self) -> sqlite3.Connection:
        if self._read_only:
            return sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # one thread at a time: that of the batches, or the one that flushes at the end
        file = sqlite3.connect(self.path, timeout=BUSY, check_same_thread=False)
        try:
            _in_wal(file)
            file.execute("pragma synchronous = normal")  # a power cut may take the last spans, never the file
            file.executescript(_TABLES)
        except sqlite3.Error:
            file.close()
            raise
        return file


def write(file: sqlite3.Connection, origin: bytes, span: Encoded) -> None:
    """Keep one span; an end that is known stays."""
    file.execute("insert or ignore into origin (data) values (?)", (origin,))
    workflow = next((a.value.string_value for a in span.attributes if a.key in WORKFLOW), "")
    file.execute(
        _ADD,
        (
            span.trace_id.hex(),
            span.span_id.hex(),
            span.parent_span_id.hex(),
            span.name,
            span.start_time_unix_nano,
            span.end_time_unix_nano or None,
            workflow,
            origin,
            span.SerializeToString(),
        ),
    )


def set_aside(path: Path) -> Path:
    """A file that is no store any more gets another name, so that a new one can begin; which name."""
    broken = path.with_name(f"{path.name}.broken")
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    path.replace(broken)
    return broken


def _in_wal(file: sqlite3.Connection) -> None:
    """Who begins a new file needs it alone for a moment; SQLite waits for nobody there, so it is asked again."""
    until = time.monotonic() + BUSY
    while True:
        try:
            file.execute("pragma journal_mode = wal")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return
