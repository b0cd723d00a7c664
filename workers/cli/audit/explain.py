"""`quorate audit explain`: what a run judged, from what, and whether that was right given what was seen."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.rules import rules
from cluster.audit.explain import explained
from cluster.audit.explained import Explained, Rules
from cluster.audit.line import NOTHING, Line, read
from cluster.units import counted
from workers.audit.history import Execution
from workers.cli.options import JsonOption, err, out
from workers.errors import Unusable
from workers.temporal.connect import connect

RunOrFile = Annotated[
    str,
    typer.Argument(metavar="RUN|FILE", help="The run's id, watch/CLUSTER for the watch, or a file or folder of lines."),
]
WrongOption = Annotated[bool, typer.Option("--wrong", help="Only what was not right, or is not known.")]
_STYLES = {"right": "green", "wrong": "bold red", "unknown": "yellow"}
_NOTHING = "No judgement is in it: neither a verdict, a vote, an opened gate nor a fencing."


def explain(run: RunOrFile, only_wrong: WrongOption = False, as_json: JsonOption = False) -> None:
    """Compute anew what a run judged, and say whether it was right given what was seen.

    Verdicts, votes, gates, changes under an approval, and fencing. Ends with 1 when a judgement was wrong.

    Example: quorate audit explain watch/metro
    """
    path = Path(run)
    lines = from_files(path) if path.exists() else asyncio.run(_from_temporal(run))
    today = Rules(verdict=rules("verdict"), gate=rules("gate"), fencing=rules("fencing"))
    found = list(explained(lines, today))
    shown = [one for one in found if one.found != "right"] if only_wrong else found
    if as_json:
        told = [one.model_dump(mode="json") | {"conclusion": one.conclusion} for one in shown]
        out.print_json(data={"run": lines[0].run if lines else "", "decisions": told, "count": _count(found)})
    else:
        if broken := chain_broken(lines):
            err.print(f"[yellow]{escape(broken)}[/yellow]")
        for text in (summary(lines, found), *(paragraph(one) for one in shown)):
            out.tell(text)
    if any(one.found == "wrong" for one in found):
        raise typer.Exit(1)


# --- where the lines are -------------------------------------------------------------------------------------------


def from_files(path: Path) -> list[Line]:
    """The lines of a file, or of all files of a folder. Unusable names the line that is none."""
    files = sorted(path.rglob("*.jsonl")) if path.is_dir() else [path]
    if not files:
        raise Unusable(f"there is no file of lines in {path}", "name a file whose name ends in .jsonl")
    found = []
    for file in files:
        for number, text in enumerate(file.read_bytes().splitlines(), start=1):
            try:
                found.append(read(text))
            except ValueError:
                what = f"{file}: line {number} is no line of an audit record"
                raise Unusable(what, "`quorate audit verify` says what has become of it") from None
    return found


async def _from_temporal(run: str) -> list[Line]:
    """All executions of a run as Temporal still has them, the oldest first."""
    client = await connect()
    found, before = await _execution(client, run, None)
    while before:
        lines, before = await _execution(client, run, before)
        found = [*lines, *found]
    return [line.model_copy(update={"n": number}) for number, line in enumerate(found)]


async def _execution(client: Client, run: str, execution: str | None) -> tuple[list[Line], str]:
    """One execution, and the id of the one before it; none where there is none, or it is kept no longer."""
    reading, lines = Execution(), list[Line]()
    try:
        async for event in client.get_workflow_handle(run, run_id=execution).fetch_history_events():
            lines += reading.lines(event)
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        if execution is not None:
            return [], ""
        raise Unusable(
            f"there is no run {run!r}, nor a file of that name", "`quorate status` lists the runs that Temporal keeps"
        ) from None
    return lines, str(lines[0].data.get("goes_on_from", "")) if lines else ""


def chain_broken(lines: Sequence[Line]) -> str:
    """Where a line does not carry the hash of the one before, in words; empty where the chain holds, or is none."""
    if all(line.prev == NOTHING for line in lines):
        return ""
    for one, following in pairwise(lines):
        if following.prev != one.digest:
            return (
                f"The chain is broken at line {following.n}: see `quorate audit verify` before you believe any of it."
            )
    return ""


# --- what is told --------------------------------------------------------------------------------------------------


def summary(lines: Sequence[Line], found: Sequence[Explained]) -> str:
    """How many judgements there were, and how many of them were right."""
    count = _count(found)
    who = escape(lines[0].run) if lines else "empty"
    if not found:
        return f"[bold]{who}[/bold]: {_NOTHING}\n"
    wrong = f"[bold red]{count['wrong']} WRONG[/bold red]" if count["wrong"] else "none wrong"
    unknown = f", {count['unknown']} not known" if count["unknown"] else ""
    return f"[bold]{who}[/bold]: {counted(len(found), 'judgement')}: {count['right']} right, {wrong}{unknown}\n"


def _count(found: Sequence[Explained]) -> dict[str, int]:
    count = Counter(one.found for one in found)
    return {"right": count["right"], "wrong": count["wrong"], "unknown": count["unknown"]}


def paragraph(one: Explained) -> str:
    """One judgement: when, what, from what, by which rules, and whether it was right."""
    lines = [f"[bold]{one.at:%Y-%m-%d %H:%M:%S} UTC  {one.kind}: {escape(one.what)}[/bold]  (line {one.n})"]
    lines += [f"  because {escape(reason)}" for reason in one.because]
    lines += [f"  seen: {escape(seen)}" for seen in one.seen]
    lines += [f"  rules: {escape(one.rules)}"] if one.rules else []
    lines.append(f"  [{_STYLES[one.found]}]{escape(one.conclusion)}[/{_STYLES[one.found]}]")
    return "\n".join(lines) + "\n"
