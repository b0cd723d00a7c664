"""A folder of records as a keeper would have written it, in memory; and ways to change it behind its back."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from activities.clients.signatures import Key, new_key
from cluster.audit.head import HEADS, RUNS, Anchor, Head
from tests.audit.histories import events
from workers.audit.history import lines
from workers.audit.store import Files, Store

Folder = dict[str, bytes]
SHORT = ("0.2 deploy-refused", "0.2 cold-start-refused", "0.2 incident-explained", "0.2 failback-rejected")
BEGAN = datetime(2026, 11, 28, 12, tzinfo=UTC)


def kept(
    place: Path, key: Key | None = None, which: tuple[str, ...] = SHORT, cluster: str = "pxmx-cluster"
) -> tuple[Folder, list[Anchor]]:
    """These histories as records, each signed when it began and when it ended; and what was told outside."""
    store = Store(place, key or new_key(), cluster)
    heads: list[Head] = []
    for number, name in enumerate(which):
        told = list(lines(events(name)))
        record = store.record(told[0].run, told[0].data["first_execution"])
        for some in (told[:2], told[2:]):
            record.append(some)
            head = store.sign(record, BEGAN + timedelta(seconds=number))
            assert head is not None
            heads.append(head)
    store.close()
    folder = dict(Files(place)) | {f"{HEADS}/{path.name}": path.read_bytes() for path in (place / HEADS).glob("*.sig")}
    return folder, [Anchor.of(one) for one in heads]


def written(folder: Folder, place: Path) -> Path:
    """The folder on a disk."""
    for name, data in folder.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    return place


# --- what can be done to the lines of a record ----------------------------------------------------------------------

Change = Callable[[Folder, random.Random], str]


def _one(folder: Folder, chance: random.Random) -> tuple[str, list[bytes]]:
    name = chance.choice(sorted(name for name in folder if name.startswith(f"{RUNS}/")))
    return name, folder[name].splitlines(keepends=True)


def a_byte(folder: Folder, chance: random.Random) -> str:
    """Another byte in place of one."""
    name, _ = _one(folder, chance)
    data = bytearray(folder[name])
    at = chance.randrange(len(data))
    data[at] = (data[at] + chance.randrange(1, 256)) % 256
    folder[name] = bytes(data)
    return f"byte {at} of {name}"


def a_word(folder: Folder, chance: random.Random) -> str:
    """A word is put in the place of another: the line stays good JSON."""
    name, found = _one(folder, chance)
    at = chance.randrange(len(found))
    old, new = chance.choice([(b'"kind":"', b'"kind":"x'), (b'"what":"', b'"what":"no, '), (b'"event":', b'"event":1')])
    found[at] = found[at].replace(old, new, 1)
    folder[name] = b"".join(found)
    return f"line {at} of {name}: {new!r}"


def a_line_dropped(folder: Folder, chance: random.Random) -> str:
    """One line, or some, are taken out."""
    name, found = _one(folder, chance)
    at = chance.randrange(len(found))
    count = chance.randint(1, len(found) - at)
    folder[name] = b"".join(found[:at] + found[at + count :])
    return f"lines {at} to {at + count - 1} of {name} dropped"


def a_line_twice(folder: Folder, chance: random.Random) -> str:
    """A line of this record is put in once more, anywhere."""
    name, found = _one(folder, chance)
    line, at = chance.choice(found), chance.randint(0, len(found))
    folder[name] = b"".join([*found[:at], line, *found[at:]])
    return f"a line of {name} put in at {at}"


def a_foreign_line(folder: Folder, chance: random.Random) -> str:
    """A line of another record is put in."""
    name, found = _one(folder, chance)
    _, others = _one(folder, chance)
    at = chance.randint(0, len(found))
    folder[name] = b"".join([*found[:at], chance.choice(others), *found[at:]])
    return f"another run's line put into {name} at {at}"


def lines_swapped(folder: Folder, chance: random.Random) -> str:
    """Two lines change places."""
    name, found = _one(folder, chance)
    one, other = sorted(chance.sample(range(len(found)), 2))
    found[one], found[other] = found[other], found[one]
    folder[name] = b"".join(found)
    return f"lines {one} and {other} of {name} swapped"


def cut_off(folder: Folder, chance: random.Random) -> str:
    """The end is cut off, somewhere."""
    name, _ = _one(folder, chance)
    at = chance.randrange(len(folder[name]))
    folder[name] = folder[name][:at]
    return f"{name} cut off at {at}"


def chained_anew(folder: Folder, chance: random.Random) -> str:
    """A line is edited and all that follow are tied to it: only the signature stands against that."""
    from cluster.audit.line import chained, read

    name, found = _one(folder, chance)
    told = [read(line.removesuffix(b"\n")) for line in found]
    at = chance.randrange(len(told))
    told[at] = told[at].model_copy(update={"what": told[at].what + " (not)"})
    folder[name] = b"".join(line.canonical + b"\n" for line in chained(told))
    return f"line {at} of {name} edited, the chain made anew"


LINES: tuple[Change, ...] = (
    a_byte, a_word, a_line_dropped, a_line_twice, a_foreign_line, lines_swapped, cut_off, chained_anew,
)  # fmt: skip

# --- what can be done to the chain of runs --------------------------------------------------------------------------


def _heads(folder: Folder) -> list[str]:
    return sorted(name for name in folder if name.startswith(f"{HEADS}/") and name.endswith(".json"))


def a_run_dropped(folder: Folder, chance: random.Random) -> str:
    """The files of a run are taken away."""
    run = chance.choice(sorted({name.split("/")[1] for name in folder if name.startswith(f"{RUNS}/")}))
    for name in [name for name in folder if name.startswith(f"{RUNS}/{run}/")]:
        del folder[name]
    return f"{run} dropped"


def a_run_dropped_with_its_heads(folder: Folder, chance: random.Random) -> str:
    """And all that was signed of it, with or without the numbers made good."""
    run = chance.choice(sorted({name.split("/")[1] for name in folder if name.startswith(f"{RUNS}/")}))
    for name in [name for name in folder if name.startswith(f"{RUNS}/{run}/")]:
        del folder[name]
    for name in _heads(folder):
        if run in folder[name].decode():
            del folder[name], folder[f"{name}.sig"]
    closes = chance.random() < 0.5
    for number, name in enumerate(_heads(folder) if closes else []):
        for end in ("", ".sig"):
            folder[f"{HEADS}/{number:08}.json{end}"] = folder.pop(f"{name}{end}")
    return f"{run} dropped with its heads" + (", renumbered" if closes else "")


def a_head_dropped(folder: Folder, chance: random.Random) -> str:
    """A head is taken away."""
    name = chance.choice(_heads(folder))
    del folder[name], folder[f"{name}.sig"]
    return f"{name} dropped"


def the_end_dropped(folder: Folder, chance: random.Random) -> str:
    """The newest heads, with the runs they speak for: only what was told outside stands against that."""
    heads = _heads(folder)
    names = heads[chance.randrange(len(heads)) :]
    dropped = {Head.read(folder[name]).folder for name in names}
    for name in names:
        del folder[name], folder[f"{name}.sig"]
    for name in [name for name in folder if any(name.startswith(f"{one}/") for one in dropped)]:
        del folder[name]
    return f"{names[0]} and all that follows dropped"


def heads_swapped(folder: Folder, chance: random.Random) -> str:
    """Two heads change places, with their signatures."""
    one, other = chance.sample(_heads(folder), 2)
    for end in ("", ".sig"):
        folder[one + end], folder[other + end] = folder[other + end], folder[one + end]
    return f"{one} and {other} swapped"


def a_head_edited(folder: Folder, chance: random.Random) -> str:
    """A field of a head, or any byte of it."""
    name = chance.choice(_heads(folder))
    head = Head.read(folder[name])
    change: dict[str, Any] = chance.choice(
        [{"run": "another"}, {"closed": not head.closed}, {"lines": head.lines + 1}, {"previous": "1" * 64}, {}]
    )
    data = bytearray(head.model_copy(update=change).canonical)
    if not change:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    folder[name] = bytes(data)
    return f"{name}: {change or 'a bit'}"


def signed_by_another(folder: Folder, chance: random.Random) -> str:
    """A head that says something else, signed with a key of one's own."""
    from activities.clients.signatures import signed
    from cluster.audit.head import NAMESPACE

    name = chance.choice(_heads(folder))
    head = Head.read(folder[name]).model_copy(update={"runbook": "Another"})
    folder[name] = head.canonical
    folder[f"{name}.sig"] = signed(head.canonical.decode(), new_key(), NAMESPACE).encode()
    return f"{name} signed with another key"


def a_signature_lost(folder: Folder, chance: random.Random) -> str:
    """A signature is taken away, or is another head's."""
    one, other = chance.sample(_heads(folder), 2)
    folder[f"{one}.sig"] = folder[f"{other}.sig"] if chance.random() < 0.5 else b""
    return f"the signature of {one}"


def a_run_put_in(folder: Folder, chance: random.Random) -> str:
    """A run that has ended, of which no head speaks."""
    name = chance.choice(sorted(name for name in folder if name.startswith(f"{RUNS}/")))
    folder[f"{RUNS}/deploy_made_up.{chance.randrange(10**9)}/0001.jsonl"] = folder[name]
    return f"{name} once more under another name"


CHAIN: tuple[Change, ...] = (
    a_run_dropped, a_run_dropped_with_its_heads, a_head_dropped, the_end_dropped, heads_swapped, a_head_edited,
    signed_by_another, a_signature_lost, a_run_put_in,
)  # fmt: skip


def changed(folder: Folder, changes: tuple[Change, ...], seed: int, count: int) -> Iterator[tuple[str, Folder]]:
    """So many changed copies of the folder, and what was done to each; none is what it was."""
    chance = random.Random(seed)
    while count:
        copy, change = dict(folder), chance.choice(changes)
        said = change(copy, chance)
        if copy != folder:
            count -= 1
            yield f"{change.__name__}: {said}", copy
