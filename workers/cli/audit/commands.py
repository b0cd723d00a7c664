"""`quorate audit list|export|verify|explain|key`."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from temporalio.service import RPCError

from cluster.audit.head import RUNS, SIGNERS
from cluster.audit.scan import Fault, scan
from cluster.audit.verify import Verdict, Verified
from cluster.units import counted
from workers.audit.anchors import told
from workers.cli.audit import exporting, reading
from workers.cli.audit.explain import explain
from workers.cli.options import JsonOption, out
from workers.errors import Unusable
from workers.settings import Settings
from workers.temporal.connect import connect

# Letters of a run's end that the list shows.
SHOWN = 70
GROUP = "The audit record of each run: list, export, verify, explain.\n\nExample: quorate audit verify"
audit_app = typer.Typer(name="audit", no_args_is_help=True, help=GROUP)
FolderOption = Annotated[
    Path | None, typer.Option("--folder", help="The folder of records. Default: $QUORATE_AUDIT, else the worker's.")
]
SignersOption = Annotated[
    Path | None,
    typer.Option("--signers", help="Your own copy of allowed_signers. Default: the folder's, which proves less."),
]
AnchorsOption = Annotated[
    Path | None,
    typer.Option("--anchors", help="A file elsewhere of heads that were told. Default: $QUORATE_AUDIT_FILE."),
]


@audit_app.callback(help=GROUP)
def _group() -> None:
    """Records of runs."""


audit_app.command()(explain)


@audit_app.command(name="list")
def list_records(folder: FolderOption = None, as_json: JsonOption = False) -> None:
    """List the runs with a record: lines, times, how much is signed, who outside was told.

    Example: quorate audit list
    """
    settings = Settings()
    place = reading.folder_of(settings, folder)
    found = reading.judged(place, reading.anchored(None, settings))
    outside = _outside(place)
    if as_json:
        records = [_record(one, outside) for one in found.records]
        out.print_json(data={"folder": str(place), "keys": reading.keys(place), "records": records, "ok": found.ok})
        return
    for one in sorted(found.records, key=lambda one: one.began):
        signed = "all signed" if one.signed == one.lines else f"{one.signed} of them signed"
        head = f", head {one.head} {one.digest[:16]}" if one.head is not None else ""
        told_ = f", told to {', '.join(_places(one, outside))}" if _places(one, outside) else ""
        how = shorter(one.how or "goes on")
        began = one.began[:16].replace("T", " ")
        out.print(f"[bold]{escape(one.run)}[/bold]", soft_wrap=True)
        said = f"  {began} UTC, {how}: {counted(one.lines, 'line')}, {signed}{head}{told_}"
        out.print(said, markup=False, highlight=False, soft_wrap=True)
    out.print(f"folder {place}; signed by {', '.join(reading.keys(place)) or 'no key'}", markup=False, soft_wrap=True)
    if not found.ok:
        out.print(f"[red]✗[/red] {counted(len(found.whole), 'fault')}: see `quorate audit verify`", soft_wrap=True)


@audit_app.command()
def key(folder: FolderOption = None) -> None:
    """Print the public key that signs heads, as a line of an allowed_signers file: keep a copy elsewhere.

    Example: quorate audit key
    """
    place = reading.folder_of(Settings(), folder)
    try:
        out.print((place / SIGNERS).read_text(errors="replace").rstrip(), markup=False, highlight=False, soft_wrap=True)
    except OSError:
        raise Unusable(f"{place} has no {SIGNERS}", "a worker makes it when it starts") from None


@audit_app.command()
def export(
    run: Annotated[str, typer.Argument(help="The run's id.")],
    to: Annotated[Path | None, typer.Option("--to", help="A new folder for it. Default: audit-RUN, here.")] = None,
    folder: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a run's record out, with its heads; compare it with Temporal's history, or rebuild it from that.

    Exit status 1 where the record and the history tell different things.

    Example: quorate audit export deploy/metro --to deploy-metro
    """
    settings = Settings()
    place = folder or settings.audit_folder
    ours = exporting.kept(place, run) if place.is_dir() else {}
    theirs, silent = asyncio.run(_anew(run))
    if not ours and not theirs:
        why = silent or "Temporal has no such run any more, and the folder has no record of it"
        raise Unusable(f"{run}: there is no record: {why}", "see `quorate audit list`, and name the run as it is there")
    said, same = (f"not compared: {silent}", None) if silent else exporting.compared(ours, theirs)
    record, source = (ours, "the folder") if ours else (theirs, "Temporal's history")
    target = to or Path(f"audit-{run.replace('/', '-')}")
    exporting.write(record, target, run, source)
    lines = sum(data.count(b"\n") for name, data in record.items() if name.startswith(f"{RUNS}/"))
    done = exporting.Exported(
        run=run, to=str(target), lines=lines, signed=bool(ours), source=source, compared=said, same=same
    )
    if as_json:
        out.print_json(data=done.model_dump(mode="json"))
    else:
        mark = "[red]✗[/red]" if same is False else "[green]✓[/green]"
        out.print(
            f"{mark} {escape(str(target))}: {counted(lines, 'line')} from {source}; {escape(said)}", soft_wrap=True
        )
    if same is False:
        raise typer.Exit(1)


@audit_app.command()
def verify(
    what: Annotated[
        str | None, typer.Argument(help="A run, a folder, or a file of lines. Default: every record.")
    ] = None,
    folder: FolderOption = None,
    signers: SignersOption = None,
    anchors: AnchorsOption = None,
    roots: Annotated[
        Path | None, typer.Option(help="Certificates (PEM) of the time stamp service. Default: $QUORATE_AUDIT_ROOTS.")
    ] = None,
    ledger: Annotated[
        bool, typer.Option("--ledger", help="Ask the cluster's ledger at Temporal which head it was told last.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Find whatever was edited, dropped, put in, moved or cut off in records, and in the chain of runs.

    Needs no network, unless the ledger is asked. Exit status 1 where anything is wrong.

    Example: quorate audit verify
    """
    settings = Settings()
    path = Path(what) if what else None
    if path is not None and path.is_file():
        _verify_file(path, as_json=as_json)
        return
    place = path if path is not None and path.is_dir() else reading.folder_of(settings, folder)
    run = None if place == path else what
    known, strange = asyncio.run(reading.remembered(place)) if ledger else ([], [])
    found = reading.judged(place, reading.anchored(anchors, settings) + known, run=run, signers=signers)
    if run and not found.records:
        raise Unusable(f"{place} has no record of {run}", "see `quorate audit list`")
    if not found.records and not found.heads:
        raise Unusable(f"{place} holds no record", "name a folder with heads and runs in it")
    count, faults, unchecked = reading.stamps(place, roots or settings.audit_roots)
    found = found.model_copy(update={"faults": (*found.faults, *strange, *faults)})
    unheard = reading.uncompared(anchors, settings)
    if as_json:
        told_ = {"ok": found.ok, "stamps": count, "not_compared": unheard}
        out.print_json(data=told_ | found.model_dump(mode="json"))
    else:
        _show(found, place, count, unchecked, own=signers is not None)
        if unheard:
            out.print(f"[yellow]![/yellow] {escape(unheard)}", soft_wrap=True)
    if not found.ok:
        raise typer.Exit(1)


def _verify_file(path: Path, *, as_json: bool) -> None:
    """One file of lines: its chain alone, since what signs it is not there."""
    found = scan([(str(path), path.read_bytes())])
    if not found.lines:
        raise Unusable(f"{path} holds no line", "name a file of lines of a record")
    if as_json:
        out.print_json(data={"ok": not found.faults, **found.model_dump(mode="json", exclude={"digests"})})
    else:
        _faults(found.faults)
        if not found.faults:
            said = f"{escape(str(path))}: {counted(found.lines, 'line')}, each follows from the one before"
            out.print(f"[green]✓[/green] {said}", soft_wrap=True)
            out.print("a file alone has no signature: verify its folder to know that it was not rewritten as a whole")
    if found.faults:
        raise typer.Exit(1)


def _show(found: Verdict, place: Path, stamps: int, unchecked: str, *, own: bool) -> None:
    _faults(found.whole)
    lines, open_ = sum(one.lines for one in found.records), sum(one.lines - one.signed for one in found.records)
    said = f"{counted(len(found.records), 'record')}, {counted(lines, 'line')}, {counted(found.heads, 'head')}"
    if found.ok and not found.heads:  # taken out of Temporal's history
        out.print(f"[yellow]![/yellow] {said}: each line follows from the one before, and nothing is signed")
    elif found.ok:
        out.print(f"[green]✓[/green] {said}: nothing was changed since it was signed", soft_wrap=True)
    else:
        out.print(f"[red]✗[/red] {said}: {counted(len(found.whole), 'fault')}", soft_wrap=True)
    if open_:
        out.print(f"{counted(open_, 'line')} of runs that go on will be signed within ten minutes", soft_wrap=True)
    if found.export:
        out.print("this is one run alone: whether another run was dropped, only the whole folder can say")
    keys = ", ".join(reading.keys(place)) or "no key"
    whose = "the list that you named" if own else f"the folder itself ({keys}): name your own copy with --signers"
    out.print(f"whose signatures count: {whose}", markup=False, soft_wrap=True)
    if found.anchors:
        out.print(f"{counted(found.anchors, 'head')} told outside: compared", soft_wrap=True)
    if stamps:
        out.print(f"{counted(stamps, 'time stamp')}{': ' + unchecked if unchecked else ': checked'}", soft_wrap=True)


def _faults(faults: tuple[Fault, ...]) -> None:
    for fault in faults:
        out.print(f"[red]✗[/red] {escape(str(fault))}", soft_wrap=True)


async def _anew(run: str) -> tuple[exporting.RECORD, str]:
    """The record as Temporal tells it, or why it does not."""
    try:
        return await exporting.anew(await connect(), run), ""
    except Unusable as error:
        return {}, error.what
    except RPCError as error:
        return {}, f"Temporal: {error.message}"


def _outside(place: Path) -> dict[str, int]:
    """The newest head that each place has taken."""
    return {one.place: one.number for one in told(place)}


def shorter(text: str) -> str:
    """As much of it as stands in a list."""
    return text if len(text) <= SHOWN else f"{text[:SHOWN].rstrip()}…"


def _places(one: Verified, outside: dict[str, int]) -> list[str]:
    """Who was told of this record's head, or of a later one, in whose chain it is."""
    return [place for place, number in outside.items() if one.head is not None and number >= one.head]


def _record(one: Verified, outside: dict[str, int]) -> dict[str, Any]:
    return one.model_dump(mode="json", exclude={"faults"}) | {
        "told": _places(one, outside),
        "faults": [str(fault) for fault in one.faults],
    }
