"""`quorate audit explain`: what a run judged, from what, and whether that was right given what was seen."""

import asyncio
import os
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from temporalio.service import RPCError

from activities.rules import rules
from cluster.audit.explain import explained
from cluster.audit.explained import Explained, Rules
from cluster.audit.line import Line, read
from cluster.audit.scan import Fault, scan
from cluster.nouns import Value
from cluster.units import counted
from workers.audit.store import unless_gone
from workers.cli.audit.exporting import RECORD, anew, kept
from workers.cli.options import JsonOption, out
from workers.errors import Unusable
from workers.settings import Settings
from workers.temporal.connect import connect

RunOrFile = Annotated[
    str,
    typer.Argument(metavar="RUN|FILE", help="A run, a file of lines or a folder. The watch's run is watch/CLUSTER."),
]
DoubtsOption = Annotated[bool, typer.Option("--doubts", help="Only what was wrong, or is not known.")]
_STYLES = {"right": "green", "wrong": "bold red", "unknown": "yellow"}
_LINES = ".jsonl"


class Told(Value):
    """One record: its judgements, and what is wrong with its lines."""

    run: str
    source: str
    found: tuple[Explained, ...]
    faults: tuple[Fault, ...] = ()
    watch: str = ""  # whose verdict has opened it

    @property
    def count(self) -> dict[str, int]:
        """How many judgements were right, wrong, and not known."""
        count = Counter(one.found for one in self.found)
        return {"right": count["right"], "wrong": count["wrong"], "unknown": count["unknown"]}


def explain(run: RunOrFile, doubts: DoubtsOption = False, as_json: JsonOption = False) -> None:
    """Compute again what a run judged, and say whether it was right given what was seen.

    Verdicts, incidents, votes, gates, fencing. Exit status 1 where any was wrong, or the chain of lines does not hold.

    Example: quorate audit explain watch/metro
    """
    found = [judged(record, source) for source, record in records(run)]
    if as_json:
        out.print_json(data={"ok": all(map(_ok, found)), "records": [_data(one, doubts=doubts) for one in found]})
    else:
        for one in found:
            tell(one, doubts=doubts)
    if not all(map(_ok, found)):
        raise typer.Exit(1)


# --- where the lines are -------------------------------------------------------------------------------------------


def records(run: str) -> list[tuple[str, RECORD]]:
    """What was named: a file, all records of a folder, or a run's own record. Unusable where there is none."""
    path = Path(run)
    if path.is_file():  # whatever its name
        return [(str(path), {f"{path.name.removesuffix(_LINES)}{_LINES}": path.read_bytes()})]
    if path.is_dir():
        found = os.walk(path, onerror=unless_gone)
        folders = sorted({Path(one) for one, _, names in found if any(name.endswith(_LINES) for name in names)})
        if not folders:
            raise Unusable(f"{path} holds no record", f"name a folder with files of lines ({_LINES}) in it")
        return [(str(one), {file.name: file.read_bytes() for file in one.glob(f"*{_LINES}")}) for one in folders]
    place = Settings().audit_folder
    if place.is_dir() and (record := kept(place, run)):
        return [(str(place), record)]
    why = "Temporal has none"
    try:
        if record := asyncio.run(_from_temporal(run)):
            return [("Temporal's history", record)]
    except Unusable as error:
        why = error.what
    except RPCError as error:
        why = f"Temporal: {error.message}"
    raise Unusable(
        f"{run}: there is no record: the folder {place} has none, it is no file, and {why}",
        "see `quorate audit list`, and name the run as it is there",
    )


async def _from_temporal(run: str) -> RECORD:
    return await anew(await connect(), run)


def judged(record: RECORD, source: str) -> Told:
    """The judgements of one record, and what is wrong with its lines. What is no line is left out, and told."""
    files = [(name, record[name]) for name in sorted(record) if name.endswith(_LINES)]
    lines: list[Line] = []
    for _, data in files:
        for text in data.splitlines():
            with suppress(ValueError, RecursionError):
                lines.append(read(text))
    today = Rules(verdict=rules("verdict"), gate=rules("gate"), fencing=rules("fencing"))
    return Told(
        run=lines[0].run if lines else source,
        source=source,
        found=tuple(explained(lines, today)),
        faults=scan(files).faults,
        watch=_watch(lines[0]) if lines else "",
    )


def _watch(first: Line) -> str:
    """The watch whose verdict has opened an incident; empty for all other runs."""
    asked = first.data.get("input")
    return f"watch/{asked.get('cluster')}" if isinstance(asked, dict) and asked.get("opening") else ""


def _ok(one: Told) -> bool:
    return not one.faults and not one.count["wrong"]


def _data(one: Told, *, doubts: bool) -> dict[str, object]:
    shown = [found.model_dump(mode="json") | {"conclusion": found.conclusion} for found in _shown(one, doubts=doubts)]
    return {
        "run": one.run,
        "source": one.source,
        "count": one.count,
        "judgements": shown,
        "faults": [fault.model_dump(mode="json") for fault in one.faults],
    }


def _shown(one: Told, *, doubts: bool) -> Sequence[Explained]:
    return [found for found in one.found if found.found != "right"] if doubts else one.found


# --- what is told --------------------------------------------------------------------------------------------------


def tell(one: Told, *, doubts: bool) -> None:
    """One record: how many judgements were right, then each of them."""
    out.tell(summary(one))
    for fault in one.faults:
        out.tell(f"[red]✗[/red] {escape(str(fault))}")
    if one.faults:
        out.tell("What follows is computed from lines that may have been changed: see `quorate audit verify`.")
    if one.watch:
        out.tell(f"It was opened by a verdict of the watch: `quorate audit explain {escape(one.watch)}` computes that.")
    for found in _shown(one, doubts=doubts):
        out.tell("\n" + paragraph(found))


def summary(one: Told) -> str:
    """How many judgements there were, and how many of them were right."""
    who, count = f"[bold]{escape(one.run)}[/bold] (from {escape(one.source)})", one.count
    if not one.found:
        return f"{who}: no judgement is in it, neither a verdict, an incident, a vote, a gate nor a fencing"
    wrong = f"[bold red]{count['wrong']} WRONG[/bold red]" if count["wrong"] else "none wrong"
    unknown = f", {count['unknown']} not known" if count["unknown"] else ""
    return f"{who}: {counted(len(one.found), 'judgement')}: {count['right']} right, {wrong}{unknown}"


def paragraph(one: Explained) -> str:
    """One judgement: when, what, from what, by which rules, and whether it was right."""
    lines = [f"[bold]{one.at:%Y-%m-%d %H:%M:%S} UTC  {one.kind}: {escape(one.what)}[/bold]  (line {one.n})"]
    lines += [f"  because {escape(reason)}" for reason in one.because]
    lines += [f"  seen: {escape(seen)}" for seen in one.seen]
    lines += [f"  rules: {escape(one.rules)}"] if one.rules else []
    lines.append(f"  [{_STYLES[one.found]}]{escape(one.conclusion)}[/{_STYLES[one.found]}]")
    return "\n".join(lines)
