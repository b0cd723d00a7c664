"""The folder on the disk: what a crash leaves, what two threads do at once, what is there when it is opened again."""

import errno
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from activities.clients.signatures import fingerprint, key_of, new_key
from cluster.audit.verify import verified
from tests.audit.histories import ALL, events
from workers.audit.disk import Changed
from workers.audit.history import lines
from workers.audit.store import Files, Record, Store, soundness


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty folder."""
    return Store(tmp_path / "audit", new_key(), "metro")


def put(store: Store, path: Path, *, until: int | None = None) -> Record:
    """The record of that history, or its first lines."""
    told = list(lines(events(path)))
    record = store.record(told[0].run, told[0].data["first_execution"])
    record.append(told[record.lines : until])
    return record


def faults(store: Store) -> list[str]:
    return [str(fault) for fault in verified(Files(store.place), soundness(store.place)).whole]


def test_records_that_are_signed_at_once_are_one_chain(store: Store):
    """A keeper that is stopped while it signs has two threads at it."""
    records = [put(store, path) for path in ALL[:12]]

    with ThreadPoolExecutor(12) as pool:
        heads = list(pool.map(store.sign, records))

    assert sorted(head.number for head in heads if head) == list(range(12))
    assert faults(store) == []


def test_a_record_that_is_opened_again_goes_on_with_its_numbers_and_its_chain(store: Store):
    """By another process, on a line that was cut in two."""
    path = ALL[0]
    store.sign(put(store, path, until=5))
    store.close()
    (file,) = store.place.glob("runs/*/*.jsonl")
    with file.open("ab") as torn:
        torn.write(b'{"at":"2026-11')

    again = Store(store.place, new_key(), "metro")
    again.sign(put(again, path))

    assert faults(again) == []
    assert [len(one.read_text().splitlines()) for one in (store.place / "heads").glob("*.json")] == [1, 1]
    assert len((store.place / "allowed_signers").read_text().splitlines()) == 2


def test_nothing_is_left_of_lines_that_did_not_fit_on_the_disk(store: Store):
    """The next attempt begins where the last whole line ends."""
    record = put(store, ALL[0], until=5)
    file = store.place / record.parts[0].name
    before = file.read_bytes()
    file.rename(file.with_suffix(".kept"))
    file.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        put(store, ALL[0])
    file.unlink()
    file.with_suffix(".kept").rename(file)

    put(store, ALL[0])
    store.sign(record)

    assert file.read_bytes().startswith(before)
    assert faults(store) == []


def test_what_somebody_else_has_written_into_a_file_is_not_written_on(store: Store):
    """The keeper says so, and reads the file anew at its next attempt."""
    record = put(store, ALL[0], until=5)
    with (store.place / record.parts[0].name).open("ab") as file:
        file.write(b"hello\n")

    with pytest.raises(Changed, match="another program has written to it"):
        put(store, ALL[0])


def test_nothing_is_written_where_the_folder_was_taken_away(store: Store):
    """Half a record in a new folder would be worse than none: the keeper begins it anew."""
    record = put(store, ALL[0], until=5)
    shutil.rmtree(store.place)

    with pytest.raises(Changed, match="it was taken away, or replaced, while a keeper was at work"):
        put(store, ALL[0])
    with pytest.raises(Changed):
        store.sign(record)

    assert not store.place.exists()


def test_a_file_system_without_locks_is_told_and_not_taken_for_another_keeper(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Else nobody would keep the records, and nobody would say so."""

    def without(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", without)

    with pytest.raises(OSError, match="No locks available"):
        Store(tmp_path / "audit", new_key(), "metro")


def test_a_file_among_the_heads_that_is_none_stops_no_keeper(store: Store):
    """Nor does a list of signers that is no text; `verify` tells of what lies there."""
    store.close()
    (store.place / "heads" / "notes.json").write_text("{}")
    with (store.place / "allowed_signers").open("ab") as file:
        file.write(b"\xff\xfe\n")

    again = Store(store.place, new_key(), "metro")
    again.sign(put(again, ALL[0]))

    assert faults(again) == ["heads/notes.json: it is no file of a record: it was put in"]


def test_a_key_that_many_processes_look_for_at_once_is_one_key(tmp_path: Path):
    """None of them sees half of it, and a crash leaves none that nobody can read."""
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda _: fingerprint(key_of(tmp_path / "state" / "audit.key")), range(32)))

    assert len(set(keys)) == 1
    assert [one.name for one in (tmp_path / "state").iterdir()] == ["audit.key"]
    assert oct((tmp_path / "state" / "audit.key").stat().st_mode & 0o777) == "0o600"
