"""Changes of a folder that look like something which a keeper leaves by itself, or which no reader expects."""

from collections.abc import Callable
from pathlib import Path

import pytest

from activities.clients.signatures import Key, line, new_key, signed
from cluster.audit.head import EXPORT, NAMESPACE, SIGNER, SIGNERS, Head
from cluster.audit.line import Line, chained, read
from cluster.audit.verify import Verdict, verified
from tests.audit.chains import Folder, kept
from workers.audit.store import Signatures

Disguise = Callable[[Folder], None]


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> tuple[Folder, Signatures]:
    """A folder of four runs that have ended, and whose signatures count."""
    place = tmp_path_factory.mktemp("disguises") / "audit"
    folder, _ = kept(place)
    return folder, Signatures((place / SIGNERS).read_bytes())


def judged(audit: tuple[Folder, Signatures], disguise: Disguise) -> Verdict:
    folder = dict(audit[0])
    disguise(folder)
    return verified(folder, audit[1])


def _first(folder: Folder) -> str:
    return min(name for name in folder if name.startswith("runs/"))


def _line(folder: Folder, old: bytes, new: bytes) -> None:
    name = _first(folder)
    folder[name] = folder[name].replace(old, new, 1)


def _time(folder: Folder) -> bytes:
    return folder[_first(folder)].partition(b'"at":"')[2].partition(b'"')[0]


def a_tail(folder: Folder) -> None:
    """Another execution of a run that has ended, as one that a person has reset has."""
    name = _first(folder)
    last = read(folder[name].splitlines()[-1])
    said = Line(n=0, at=last.at, run=last.run, execution="made-up", event=1, kind="said", what="yes, by ana")
    (tied,) = chained([said], last.n + 1, last.digest)
    folder[name.replace("0001", "0002")] = tied.canonical + b"\n"


def a_run_that_goes_on(folder: Folder) -> None:
    """The beginning of a run, of which no head speaks yet."""
    folder["runs/deploy_made_up.1/0001.jsonl"] = b"".join(folder[_first(folder)].splitlines(keepends=True)[:3])


def an_export(folder: Folder) -> None:
    """A run is dropped with its heads, and the gap looks like that of an export."""
    run = _first(folder).split("/")[1]
    gone = [name for name in folder if name.startswith("heads/") and run in folder[name].decode(errors="replace")]
    for name in [name for name in folder if run in name] + gone + [f"{name}.sig" for name in gone]:
        folder.pop(name, None)
    folder[EXPORT] = b"{}"


def a_loose_file(folder: Folder) -> None:
    """A file that belongs to no record."""
    folder["runs/notes.txt"] = b"nothing to see here"


def a_note_among_the_heads(folder: Folder) -> None:
    """A file that is neither a head nor its signature."""
    folder["heads/notes.json"] = b"{}"


@pytest.mark.parametrize(
    ("disguise", "told"),
    [
        (a_tail, ": 1 line after the signed end: it was put in, or its keeper has been stopped before it could sign"),
        (a_run_that_goes_on, "runs/deploy_made_up.1: no head speaks of it: it was put in, or its keeper has been"),
        (an_export, "export.json: it says that this is one run alone, and 3 are here: a whole folder was made to"),
        (a_loose_file, "runs/notes.txt: it is no file of a record: it was put in"),
        (a_note_among_the_heads, "heads/notes.json: it is no file of a record: it was put in"),
    ],
)
def test_what_looks_like_a_keepers_own_work_is_found(audit: tuple[Folder, Signatures], disguise: Disguise, told: str):
    """No signature speaks for it, so it is told."""
    faults = [str(fault) for fault in judged(audit, disguise).whole]

    assert any(told in fault for fault in faults), faults


@pytest.mark.parametrize(
    "at", [b"0001-01-01T00:00:00.000000+23:59", b"9999-12-31T23:59:59.000000-23:59"], ids=["before", "after"]
)
def test_a_time_that_no_calendar_has_is_an_edit_as_any_other(audit: tuple[Folder, Signatures], at: bytes):
    """In a line, and in a head."""

    def edited(folder: Folder) -> None:
        _line(folder, b'"at":"' + _time(folder) + b'"', b'"at":"' + at + b'"')
        head = "heads/00000000.json"
        folder[head] = folder[head].replace(b'"at":"2026-11-28T12:00:00.000000Z"', b'"at":"' + at + b'"')

    faults = [str(fault) for fault in judged(audit, edited).whole]

    assert any(fault.startswith("heads/00000000.json: it is no head") for fault in faults), faults
    assert any("line 0 (byte 0): the time" in fault and "is out of range" in fault for fault in faults), faults


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"event":1,', b'"event":NaN,'),
        (b'"event":1,', b'"event":9007199254740993,'),
        (b'"event":1,', b'"event":' + b"1" * 5000 + b","),
        (b'"event":1,', b'"event":1,"event":1,'),
        (b'{"at"', b"\xef\xbb\xbf" + b'{"at"'),
        (b"\n", b"\r\n"),
        (b"{", b"[" * 200_000),
        (b"\n", b"\n" + b"x" * 1_000_000 + b"\n"),
    ],
    ids=["NaN", "a whole number too large", "five thousand digits", "a key twice", "a BOM", "CRLF", "deep", "huge"],
)
def test_what_other_readers_of_json_let_pass_is_found(audit: tuple[Folder, Signatures], old: bytes, new: bytes):
    """A line is the very bytes that were written."""
    assert not judged(audit, lambda folder: _line(folder, old, new)).ok


def test_a_head_counts_only_with_a_signature_of_the_key_that_it_names(audit: tuple[Folder, Signatures]):
    """A key of earlier days stays on the list; whoever has got hold of it signs no head of today's."""
    folder, signers = dict(audit[0]), audit[1].signers
    earlier: Key = new_key()
    listed = Signatures(signers + f"{line(SIGNER, earlier, NAMESPACE)}\n".encode())
    folder["heads/00000007.json.sig"] = signed(folder["heads/00000007.json"].decode(), earlier, NAMESPACE).encode()

    faults = [str(fault) for fault in verified(folder, listed).whole]

    key = Head.read(folder["heads/00000007.json"]).signer
    assert faults == [
        f"heads/00000007.json: it names the key {key}, and was signed with another one: "
        "the head was edited, or was signed with another key"
    ]


def test_an_export_whose_newest_head_was_taken_away_is_not_whole(audit: tuple[Folder, Signatures], tmp_path: Path):
    """A run that has ended has a signed end, in an export as well."""

    def cut(folder: Folder) -> None:
        for name in list(folder):
            if not (name.startswith("runs/Failback") or name in ("heads/00000006.json", "heads/00000006.json.sig")):
                del folder[name]
        folder[EXPORT] = b"{}"

    faults = [fault.what for fault in judged(audit, cut).whole]

    assert faults == ["it has ended and its end is not signed"]
