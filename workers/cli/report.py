"""`quorate report`: what happened in a run, as one page for people."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from temporalio.service import RPCError

from workers.cli.extras import needs
from workers.cli.options import JsonOption, out
from workers.errors import Unusable
from workers.report.reading import Found, anew, kept
from workers.report.written import FOLDER, Format, drawn, file_of, written
from workers.settings import Settings
from workers.temporal.connect import connect

RunArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="The run's id, or its beginning: site-loss/CLUSTER is the newest of those.")
]
ToOption = Annotated[
    Path | None, typer.Option("--to", help="The file to write. Default: in the folder reports of the state folder.")
]
FormatOption = Annotated[Format, typer.Option("--format", help="html stands by itself: no network, no script.")]
FolderOption = Annotated[
    Path | None,
    typer.Option("--folder", help="The folder of records. Default: $QUORATE_AUDIT, else the worker's."),
]


def report(
    run: RunArgument,
    to: ToOption = None,
    how: FormatOption = "html",
    folder: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the report of a run as one page: in five sentences, as a picture, in tables.

    It is made from the audit record, or from Temporal's history where there is none. --json prints it as data.

    Example: quorate report site-loss/metro --to report.html
    """
    if how == "html" and not as_json:
        needs("report")
    settings = Settings()
    found = asyncio.run(_found(run, folder or settings.audit_folder))
    made = found.report
    if as_json:
        out.print_json(drawn(made, "json"))
        return
    path = to or settings.state / FOLDER / file_of(made.run, found.told.execution, how)
    try:
        written(made, path, how)
    except OSError as error:
        raise Unusable(f"{path} cannot be written: {error.strerror}", "name another file with --to") from None
    out.print(str(path), markup=False, highlight=False, soft_wrap=True)


async def _found(run: str, place: Path) -> Found:
    """The records of that run: those of the folder, else as Temporal tells them."""
    if found := await asyncio.to_thread(kept, place, run):
        return found
    try:
        client = await connect()
        if found := await anew(client, run):
            return found
        silent = "Temporal has no such run"
    except (Unusable, RPCError) as error:
        silent = error.what if isinstance(error, Unusable) else f"Temporal does not answer: {error.message}"
    raise Unusable(
        f"{run}: there is no record of this run in {place}, and {silent}",
        "`quorate audit list` and `quorate status` show the runs: name one as it is there",
    )
