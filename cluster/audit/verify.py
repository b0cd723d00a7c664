"""Whether a folder of records is what was written: offline, over bytes, and nothing is believed that is not signed.

It finds every edit, drop, insertion, reordering and cutting off of lines, and of heads across runs, as far as a head
speaks for them. Whoever holds the key and the folder can write all of it anew: what was said outside before stands
against that, the `anchors`.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from cluster.audit.head import EXPORT, HEADS, RUNS, Anchor, Head, part_name
from cluster.audit.line import NOTHING
from cluster.audit.scan import Fault, Scanned, scan
from cluster.nouns import Value
from cluster.units import counted

# Why the signature of these bytes by the key of that fingerprint does not hold; empty where it does.
Signed = Callable[[bytes, bytes, str], str]

EDITED = "the record was changed after it was signed"
DROPPED = "a record was dropped, or this folder is not whole"
FORGED = "the head was edited, or was signed with another key"
CHAIN = "heads were dropped, put in, edited, or put in another order"
OUTSIDE = "the chain was cut off or rewritten after it was told outside"
UNSIGNED = "the head of its end was dropped, or its keeper has been stopped before it could sign"
PUT_IN = "it was put in, or its keeper has been stopped before it could sign"
# Whatever else lies among the heads was not written by a keeper.
_OF_HEADS = re.compile(rf"{HEADS}/\d{{8,}}\.json(\.sig|\.tsr)?")


class Verified(Value):
    """One record: how much of it is signed, and by which head."""

    run: str
    runbook: str
    folder: str
    lines: int
    signed: int
    began: str
    ended: str
    how: str
    head: int | None = None
    digest: str = ""
    faults: tuple[Fault, ...] = ()


class Verdict(Value):
    """All of it. `export`: a folder of one run, of which the chain across runs cannot be told."""

    records: tuple[Verified, ...] = ()
    heads: int = 0
    digest: str = ""  # of the newest head
    at: datetime | None = None
    anchors: int = 0
    export: bool = False
    faults: tuple[Fault, ...] = ()

    @property
    def whole(self) -> tuple[Fault, ...]:
        """Everything that is wrong."""
        return self.faults + tuple(fault for one in self.records for fault in one.faults)

    @property
    def ok(self) -> bool:
        """Nothing is."""
        return not self.whole


def verified(
    files: Mapping[str, bytes], signed: Signed, anchors: Iterable[Anchor] = (), run: str | None = None
) -> Verdict:
    """The folder of these files; with a `run`, of the records only that one's, and the whole chain."""
    faults: list[Fault] = []
    export = EXPORT in files
    heads = _heads(files, signed, faults, export=export)
    known = list(anchors)
    by_number = {head.number: head for head in heads}
    for anchor in known if not export else [one for one in known if one.number in by_number]:
        head = by_number.get(anchor.number)
        if head is None or head.digest != anchor.sha256:
            told = f"{anchor.at:%Y-%m-%d %H:%M:%S} UTC"
            what = f"head {anchor.number} (of {anchor.run}), told outside at {told}, is not here"
            faults.append(Fault(where=HEADS, what=what, means=OUTSIDE))
    folders = {"/".join(name.split("/")[:2]) for name in files if name.startswith(f"{RUNS}/") and name.count("/") > 1}
    faults += _strays(files)
    of: dict[str, list[Head]] = {}
    for head in heads:
        of.setdefault(head.folder, []).append(head)
    if export and len(folders | of.keys()) > 1:
        what = f"it says that this is one run alone, and {len(folders | of.keys())} are here"
        faults.append(Fault(where=EXPORT, what=what, means="a whole folder was made to look like an export"))
    records = []
    for folder in sorted(folders | of.keys()):
        found = _record(files, folder, of.get(folder, []), export=export)
        if run is None or run in (found.run, folder):
            records.append(found)
    last = heads[-1] if heads else None
    return Verdict(
        records=tuple(records),
        heads=len(heads),
        digest=last.digest if last else "",
        at=last.at if last else None,
        anchors=len(known),
        export=export,
        faults=tuple(faults),
    )


def _heads(files: Mapping[str, bytes], signed: Signed, faults: list[Fault], *, export: bool) -> list[Head]:
    """The heads that can be read, in order; the chain of an export has gaps."""
    found: list[Head] = []
    number, previous = 0, NOTHING
    for name in sorted(one for one in files if _OF_HEADS.fullmatch(one) and one.endswith(".json")):
        text = files[name]
        try:
            head = Head.read(text)
        except (ValueError, RecursionError):
            faults.append(Fault(where=name, what="it is no head", means=FORGED))
            number, previous = number + 1, hashlib.sha256(text).hexdigest()
            continue
        if why := signed(text, files.get(f"{name}.sig", b""), head.signer):
            faults.append(Fault(where=name, what=why, means=FORGED))
        if head.name != name:
            faults.append(Fault(where=name, what=f"it is head {head.number}", means=CHAIN))
        gap = head.number != number
        if gap and not export:
            what = f"head {head.number} stands where head {number} has to be"
            faults.append(Fault(where=name, what=what, means=CHAIN))
        elif not gap and head.previous != previous:
            what = f"it does not follow from head {head.number - 1}" if number else "it has a head before it"
            faults.append(Fault(where=name, what=what, means=CHAIN))
        found.append(head)
        number, previous = head.number + 1, hashlib.sha256(text).hexdigest()
    return found


def _record(files: Mapping[str, bytes], folder: str, heads: list[Head], *, export: bool) -> Verified:
    """One record against the heads that speak for it."""
    names = _parts(files, folder)
    found = scan((name, files[name]) for name in names)
    faults = list(found.faults)
    last = heads[-1] if heads else None
    for number, head in enumerate(heads):
        faults += _against(files, head, found, newest=number == len(heads) - 1)
    stray = [one for one in files if one.startswith(f"{folder}/") and one not in names]
    for name in stray:
        faults.append(Fault(where=name, what="it is no file of this record", means="a file was dropped or put in"))
    signed = last.lines if last else 0
    if last is not None and last.closed and len(found.digests) > last.lines:
        # also where a person has reset the run: a keeper signs a new execution as soon as it begins
        what = f"{counted(len(found.digests) - last.lines, 'line')} after the signed end"
        faults.append(Fault(where=folder, line=last.lines, what=what, means=PUT_IN))
    elif export and last is None:
        pass  # made from Temporal's history: nothing of it was ever signed
    elif found.how and not (last and last.closed):
        faults.append(Fault(where=folder, what="it has ended and its end is not signed", means=UNSIGNED))
    elif found.lines and last is None:
        faults.append(Fault(where=folder, what="no head speaks of it", means=PUT_IN))
    return Verified(
        run=last.run if last else found.run,
        runbook=last.runbook if last else found.runbook,
        folder=folder,
        lines=found.lines,
        signed=min(signed, found.lines),
        began=found.began,
        ended=found.ended,
        how=found.how,
        head=last.number if last else None,
        digest=last.digest if last else "",
        faults=tuple(faults),
    )


def _against(files: Mapping[str, bytes], head: Head, found: Scanned, *, newest: bool) -> list[Fault]:
    """The files of the record as that head has signed them."""
    faults = []
    for part in head.parts:
        data = files.get(part.name)
        if data is None:
            what = f"the file is missing that head {head.number} has signed"
            faults.append(Fault(where=part.name, what=what, means=DROPPED))
        elif hashlib.sha256(data[: part.bytes]).hexdigest() != part.sha256:
            what = f"its first {part.bytes} bytes ({part.lines} lines) are not those that head {head.number} has signed"
            faults.append(Fault(where=part.name, what=what, means=EDITED))
        elif part.whole and len(data) > part.bytes:
            what = f"{len(data) - part.bytes} bytes after the end that head {head.number} has signed"
            faults.append(Fault(where=part.name, byte=part.bytes, what=what, means="lines were put in"))
    if newest and not faults and (found.lines < head.lines or found.digests[head.lines - 1] != head.last):
        what = f"line {head.lines - 1} is not the one that head {head.number} has signed"
        faults.append(Fault(where=head.folder, line=head.lines - 1, what=what, means=EDITED))
    return faults


def _strays(files: Mapping[str, bytes]) -> list[Fault]:
    """What lies in the rooms of the folder and belongs to no record."""
    loose = [name for name in files if name.startswith(f"{RUNS}/") and name.count("/") == 1]
    loose += [name for name in files if name.startswith(f"{HEADS}/") and not _OF_HEADS.fullmatch(name)]
    return [Fault(where=name, what="it is no file of a record", means="it was put in") for name in sorted(loose)]


def _parts(files: Mapping[str, bytes], folder: str) -> list[str]:
    """The files of a record, in order, up to the first that is missing."""
    names: list[str] = []
    while (name := part_name(folder, len(names) + 1)) in files:
        names.append(name)
    return names
