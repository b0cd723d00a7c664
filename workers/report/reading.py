"""The records that a report is made from: out of the worker's folder of records, or from Temporal's histories."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from temporalio.client import Client

from cluster.audit.head import HEADS, RUNS, Head
from cluster.audit.line import Line, read
from cluster.audit.verify import Verified, verified
from cluster.report.compose import HOMEWARD, belongs, report
from cluster.report.model import Report, Source
from cluster.report.reading import Unreadable
from cluster.report.reading import read as told_by
from cluster.report.told import Told
from workers.audit.histories import described, remade
from workers.audit.store import Files, soundness
from workers.errors import Unusable

WATCH = "ClusterWatch"
WRONG = "NO: "
ANEW = "not signed: made from Temporal's history"


@dataclass
class Found:
    """The run that is asked for, and those that belong to it. `proofs`: what is known of each record."""

    told: Told
    beside: list[Told] = field(default_factory=list)
    proofs: dict[str, tuple[str, str]] = field(default_factory=dict)

    def add(self, other: Told, proof: tuple[str, str]) -> None:
        """A run that belongs to it."""
        self.beside.append(other)
        self.proofs[other.execution] = proof

    @property
    def report(self) -> Report:
        """The report of it."""
        try:
            made = report(self.told, self.beside)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            said = f"the record of {self.told.run} has another shape than a report can be made of"
            remedy = "`quorate audit verify` says whether it was changed; the version that has written it can read it"
            raise Unusable(f"{said} ({type(error).__name__}: {error})", remedy) from error
        sources = tuple(self._proven(one) for one in made.sources)
        wrong = next((one for one in sources if one.verified.startswith(WRONG)), None)
        doubt = f"The record of {wrong.run} does not verify: {wrong.verified.removeprefix(WRONG)}" if wrong else ""
        return made.model_copy(update={"sources": sources, "doubt": doubt})

    def _proven(self, source: Source) -> Source:
        verified_, signer = self.proofs.get(source.execution, ("", ""))
        return source.model_copy(update={"verified": verified_, "signer": signer})


# --- from the folder ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kept:
    """A record in the folder, by its first line."""

    folder: str
    run: str
    runbook: str
    began: datetime


def kept(place: Path, run: str) -> Found | None:
    """The newest run of that id, or the newest whose id begins with it; None where the folder has none."""
    known = list(_listed(place))
    mine = [one for one in known if run in (one.run, one.folder)] or [
        one for one in known if one.run.startswith(run.rstrip("/") + "/")
    ]
    if not mine:
        return None
    main = max(mine, key=lambda one: one.began)
    told = _told(_lines(place, main.folder))
    found = Found(told, proofs={told.execution: _proof(place, main)})
    for one in known:
        if one.runbook in HOMEWARD and one.began >= main.began:
            other = _told(_lines(place, one.folder))
            if belongs(told, other):
                found.add(other, _proof(place, one))
    until = max(one.last for one in (told, *found.beside))
    watches = [one for one in known if one.run == told.parent and one.runbook == WATCH and one.began <= until]
    for one in watches:
        if watch := _until(_lines(place, one.folder), until):
            found.add(watch, _proof(place, one))
    return found


def _listed(place: Path) -> Iterator[Kept]:
    """Every record in the folder. One whose first line cannot be read is told by `quorate audit verify`, not here."""
    folders = sorted((place / RUNS).iterdir()) if (place / RUNS).is_dir() else []
    for path in (one / "0001.jsonl" for one in folders):
        if not path.is_file():
            continue
        with path.open("rb") as file, suppress(ValueError):
            first = read(file.readline().rstrip(b"\n"))
            folder = path.parent.relative_to(place).as_posix()
            yield Kept(folder, first.run, str(first.data.get("runbook", "")), first.at)


def _lines(place: Path, folder: str) -> list[Line]:
    lines = []
    for path in sorted((place / folder).glob("*.jsonl")):
        for number, text in enumerate(path.read_bytes().split(b"\n")[:-1]):
            try:
                lines.append(read(text))
            except ValueError as error:
                said = f"{path}, line {number}: {str(error).splitlines()[0]}"
                raise Unusable(said, f"`quorate audit verify {folder}` says what is wrong with this record") from None
    return lines


def _told(lines: Sequence[Line]) -> Told:
    try:
        return told_by(lines)
    except Unreadable as error:
        raise Unusable(str(error), "`quorate audit verify` says what is wrong with it") from None


def _until(lines: Sequence[Line], until: datetime) -> Told | None:
    """The watch, as far as this report goes: what it has seen later does not change it. None where nothing is read."""
    if early := [line for line in lines if line.at <= until]:
        with suppress(Unreadable):
            return told_by(early)
    return None


def _proof(place: Path, one: Kept) -> tuple[str, str]:
    """What the signatures say of a record, in words, and the key that has signed it."""
    verdict = verified(Files(place), soundness(place), run=one.folder)
    record = next((record for record in verdict.records if record.folder == one.folder), None)
    if record is None or record.head is None:
        return "no: it is not signed yet", ""
    if record.faults or verdict.faults:
        return f"{WRONG}{(*record.faults, *verdict.faults)[0]!s}", ""
    with suppress(ValueError, KeyError):
        signer = Head.read(Files(place)[f"{HEADS}/{record.head:08}.json"]).signer
        return _in_words(record), signer
    return _in_words(record), ""


def _in_words(record: Verified) -> str:
    which = f"head {record.head}"
    if record.signed == record.lines:
        return f"yes: all {record.lines} lines are signed, {which}"
    return f"yes, as far as it is signed: {record.signed} of {record.lines} lines, {which}"


# --- from Temporal -----------------------------------------------------------------------------------------------


async def anew(client: Client, run: str) -> Found | None:
    """The same from Temporal's histories as they are now; None where Temporal has no such run."""
    main = await described(client, run)
    if main is None:
        return None
    told = _told(await _history(client, main.id, main.run_id))
    found = Found(told, proofs={told.execution: (ANEW, "")})
    if told.runbook == "SiteLoss":
        kinds = ", ".join(f"'{name}'" for name in HOMEWARD)
        asked = f"WorkflowType IN ({kinds}) AND StartTime > '{told.began.isoformat()}'"
        async for one in client.list_workflows(asked):
            other = _told(await _history(client, one.id, one.run_id))
            if belongs(told, other):
                found.add(other, (ANEW, ""))
    until = max(one.last for one in (told, *found.beside))
    watch = await described(client, told.parent) if told.parent else None
    if watch and (seen := _until(await _history(client, watch.id, watch.run_id), until)):
        found.add(seen, (ANEW, ""))
    return found


async def _history(client: Client, run: str, execution: str) -> list[Line]:
    return (await remade(client, run, execution)).lines
