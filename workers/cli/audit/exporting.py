"""One run's record taken out of the folder, or made anew from Temporal's history; compared where both are there."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from temporalio.client import Client

from cluster.audit.head import EXPORT, HEADS, RUNS, SIGNERS, Head, folder, part_name
from cluster.audit.line import NOTHING, read, stamp
from cluster.nouns import Value
from cluster.units import counted
from workers.audit.histories import described, remade
from workers.audit.store import Files
from workers.errors import Unusable

RECORD = dict[str, bytes]  # the files of a record, by name


class Exported(Value):
    """What was written, where it came from, and whether both sources agree."""

    run: str
    to: str
    lines: int
    signed: bool
    source: str
    compared: str  # what the comparison with Temporal's history says
    same: bool | None


def kept(place: Path, run: str) -> RECORD:
    """The files of that run's newest record in the folder, with its heads; none where it has no record."""
    files = Files(place)
    heads: dict[str, list[str]] = {}
    for name in files:
        if name.startswith(f"{HEADS}/") and name.endswith(".json"):
            try:
                head = Head.read(files[name])
            except (ValueError, RecursionError):
                continue
            if head.run == run or head.folder == run:
                heads.setdefault(head.folder, []).append(name)
    if not heads:
        return {}
    newest = max(heads, key=lambda one: heads[one][-1])
    found = {name: files[name] for name in files if name.startswith(f"{newest}/")}
    for name in heads[newest]:
        for beside in (name, f"{name}.sig", f"{name}.tsr"):
            if (data := files.get(beside)) is not None:
                found[beside] = data
    return found | ({SIGNERS: (place / SIGNERS).read_bytes()} if (place / SIGNERS).is_file() else {})


async def anew(client: Client, run: str) -> RECORD:
    """The record of the newest run of that id as Temporal's histories tell it now; none where it has none.

    Of a run that has gone on as new, as far back as the histories are kept.
    """
    newest = await described(client, run)
    if newest is None:
        return {}
    made = await remade(client, run, newest.run_id)
    place = folder(run, made.first)
    return {
        part_name(place, number): b"".join(line.canonical + b"\n" for line in made.lines if line.execution == one)
        for number, one in enumerate(made.executions, 1)
    }


def compared(ours: RECORD, theirs: RECORD) -> tuple[str, bool | None]:
    """What a comparison of the folder's record with the one made anew says; no answer where there is nothing to it."""
    mine, other = _lines(ours), _lines(theirs)
    if not other:
        return "Temporal does not have its history any more: not compared", None
    if not mine:
        return "there is no record in the folder: not compared, not signed", None
    # Temporal may have forgotten the first executions of a run that goes on as new
    first = other[0][0]
    gone = next((n for n, (execution, _) in enumerate(mine) if execution == first), len(mine))
    left = mine[gone:]
    if not left:
        return "Temporal has none of the executions that are on record any more: not compared", None
    before = f"; the {counted(gone, 'line')} before it are of executions that Temporal does not have any more"
    before = before if gone else ""
    if left == other[: len(left)]:
        more = len(other) - len(left)
        longer = f", which has {counted(more, 'line')} more" if more else ""
        return f"identical to what Temporal's history says{longer}{before}", True
    at = next(
        (n for n, (one, two) in enumerate(zip(left, other, strict=False)) if one != two), min(len(left), len(other))
    )
    return f"it differs from what Temporal's history says, from line {gone + at} on{before}", False


def write(record: RECORD, to: Path, run: str, source: str) -> None:
    """The files of an export. Unusable where something is there already, or it cannot be written."""
    try:
        to.mkdir(parents=True, exist_ok=True)
        if any(to.iterdir()):
            raise Unusable(f"{to} is not empty", "name a folder of its own with --to")
        about = {"run": run, "source": source, "at": stamp(datetime.now(UTC))}
        for name, data in {**record, EXPORT: json.dumps(about, indent=2).encode() + b"\n"}.items():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            (to / name).write_bytes(data)
    except OSError as error:
        raise Unusable(f"{to} cannot be written: {error.strerror}", "name another folder with --to") from None


def _lines(record: RECORD) -> Sequence[tuple[str, bytes]]:
    """Each line with its execution, without its place in the record: that is another one where the first are gone."""
    names = sorted(name for name in record if name.startswith(f"{RUNS}/"))
    return [_placeless(line) for name in names for line in record[name].split(b"\n") if line]


def _placeless(text: bytes) -> tuple[str, bytes]:
    try:
        line = read(text)
    except (ValueError, RecursionError):
        return "", text
    return line.execution, line.model_copy(update={"n": 0, "prev": NOTHING}).canonical
