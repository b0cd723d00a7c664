"""Commands around runs: what there is to start, start and follow it, and talk to it while it runs."""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel, ValidationError
from rich.markup import escape
from rich.table import Table
from rich.text import Text
from temporalio.client import Client

from cluster.inventory import Inventory
from cluster.plan import Intent, Mode
from workers import catalogue
from workers.cli import follow, steer
from workers.cli.closing import Closing, Start, Stopped, Waits, closing, waits
from workers.cli.options import InventoryOption, JsonOption, err, inventory_path, out, run_of
from workers.cli.request import example, given_data, me, named, request_of
from workers.cli.story import Story
from workers.errors import Unusable, complaints
from workers.inventory_file import load
from workers.settings import Settings
from workers.temporal.connect import connect
from workflows.catalogue import RunbookReport, RunbookRequest
from workflows.messages import Abort, Answer, Note, Pause, Resume
from workflows.runbook import Runbook

WAITS_FOR_A_PERSON = 3
_STYLES = {"+": "green", "~": "yellow", "→": "cyan", "-": "red"}

RunbookArgument = Annotated[str, typer.Argument(help="Its name: see `quorate runbooks`.")]
RunArgument = Annotated[str, typer.Argument(help="The run's id, for example deploy/metro: see `quorate status`.")]
By = Annotated[
    str, typer.Option(help="Your name. Default: the user of this shell.", callback=named, show_default=False)
]
Why = Annotated[str | None, typer.Option(help="The reason; it stays with the run.")]
InputOption = Annotated[
    str | None, typer.Option("--input", help="What the runbook asks, as JSON; @FILE reads it from a file.")
]
Words = Annotated[list[str] | None, typer.Argument(metavar="FIELD=VALUE", help="What the runbook asks: site=site-a.")]
WhenParked = Annotated[
    str | None,
    typer.Option(
        help="When a step parks: wait for the answer, leave (exit status 3, the run waits), or abort the run. "
        "Default: wait on a terminal, leave in a script."
    ),
]


def runbooks(
    as_json: JsonOption = False,
    markdown: Annotated[bool, typer.Option(help="The README's table.")] = False,
) -> None:
    """List the runbooks: what each does, when to start it, what it asks.

    Example: quorate runbooks
    """
    if as_json:
        out.print_json(data=catalogue.as_data())
    elif markdown:
        print(catalogue.as_markdown())  # noqa: T201  # rich would wrap it
    else:
        table = Table(show_lines=True)
        for heading in ("Runbook", "What it does", "When to start it", "What it asks, for example"):
            table.add_column(heading, overflow="fold")
        for entry in catalogue.as_data():
            example = escape(f"{entry['asks']}\n{json.dumps(entry['example'])}")
            table.add_row(f"[bold]{entry['name']}[/bold]\n{entry['type']}", entry["what"], entry["when"], example)
        out.print(table)


def plan(
    runbook: RunbookArgument,
    fields: Words = None,
    inventory: InventoryOption = None,
    given: InputOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a runbook would change now, and change nothing.

    Example: quorate plan deploy -i inventory.yaml
    """
    known, wanted, start = _meant(runbook, inventory, given, fields)
    request = request_of(wanted, known, dict(start.data or {}), mode=Mode.PLAN)
    report = _followed(wanted, request, known, start, "abort", as_json=as_json)
    if as_json:
        out.print_json(data=report.model_dump(mode="json"))
        return
    out.print()
    for line in plan_lines(report.planned):
        out.print(line, soft_wrap=True)
    _close(closing(start, report))


def run(
    runbook: RunbookArgument,
    fields: Words = None,
    inventory: InventoryOption = None,
    agreed: Annotated[
        str | None,
        typer.Option("--plan", help="The digest of a plan: refuse when what would be done now differs."),
    ] = None,
    given: InputOption = None,
    when_parked: WhenParked = None,
    as_json: JsonOption = False,
) -> None:
    """Start a runbook and follow it; started again, it changes only what still differs.

    Example: quorate run failback site=site-a
    """
    known, wanted, start = _meant(runbook, inventory, given, fields)
    parked = when_parked or ("wait" if sys.stdout.isatty() and not as_json else "leave")
    if parked not in ("wait", "leave", "abort"):
        raise Unusable(f"--when-parked {parked!r} is unknown", "say wait, leave or abort")
    request = request_of(wanted, known, dict(start.data or {}), mode=Mode.APPLY, **({"plan": agreed} if agreed else {}))
    report = _followed(wanted, request, known, start, parked, as_json=as_json)
    if as_json:
        out.print_json(data=report.model_dump(mode="json"))
        return
    out.print()
    for line in report.skipped:
        out.print(f"[yellow]skipped[/yellow] {escape(line)}", soft_wrap=True)
    _close(closing(start, report))


def _meant(
    runbook: str, inventory: Path | None, given: str | None, fields: list[str] | None
) -> tuple[Inventory, type[Runbook], Start]:
    """The cluster, the runbook, and what was typed."""
    known, wanted = load(inventory_path(inventory)), catalogue.named(runbook)
    data = given_data(wanted, given, fields or ())
    return known, wanted, Start(wanted.about.name, given or "", data, str(inventory) if inventory else "")


def _close(told: Closing) -> None:
    """The last lines; nothing stands after the command."""
    style = "bold green" if told.well else "bold yellow"
    out.print(Text(told.lines[0], style=style), soft_wrap=True)
    for line in told.lines[1:]:
        out.print(Text(line), soft_wrap=True)


def _followed(
    runbook: type[Runbook], request: RunbookRequest, known: Inventory, start: Start, when_parked: str, *, as_json: bool
) -> RunbookReport:
    """Start it and tell its story until it has ended."""
    story = Story(err if as_json else out)

    async def go() -> RunbookReport:
        client = await connect()
        handle = await follow.start_run(client, runbook, request, known.name, Settings().task_queue)
        hinted = ""
        try:
            async for look in follow.looks(handle):
                story.tell(look)
                if look.parked and when_parked == "abort":
                    raise await _aborted(client, handle, look)
                before, hinted = hinted, "answer" if look.parked else "gate" if look.asked else ""
                if hinted and hinted != before:
                    story.line(await _hint(handle, look))
                if hinted and when_parked == "leave":
                    raise typer.Exit(WAITS_FOR_A_PERSON)
        finally:
            story.rest()
        return await follow.result(handle, catalogue.result_type(runbook))

    try:
        return asyncio.run(go())
    except follow.Failed as failed:
        if failed.word == "WrongInput":
            raise failed.with_remedy(example(runbook)) from None
        raise failed.with_remedy(closing(start, Stopped(failed.word, str(failed))).lines[-1]) from None
    except KeyboardInterrupt:
        err.print("no longer followed; the run goes on: see `quorate status`")
        raise


async def _hint(handle: follow.Run, look: follow.Look) -> str:
    """What people have to say before it goes on, as the command that says it."""
    if not look.parked:
        return waits(Waits(handle.id, "gate")).lines[-1]
    return waits(Waits(handle.id, "answer", await follow.skippable(handle))).lines[-1]


async def _aborted(client: Client, handle: follow.Run, look: follow.Look) -> follow.Failed:
    """A step has parked and nobody is to be asked: the run lands."""
    stopped = next(step for step in look.steps if step.state == "parked")
    left = await steer.tell(client, handle.id, "abort", Abort(by=me(), why="a step failed"))
    return follow.Failed(f"{stopped.title}: {stopped.finding} - the run was aborted: {left}", "Parked")


def plan_lines(planned: tuple[Intent, ...]) -> list[str]:
    """The plan like a difference, place by place: ``+`` comes into being, ``~`` is changed, ``→`` goes elsewhere."""
    lines: list[str] = []
    for number, intent in enumerate(planned):
        if number == 0 or planned[number - 1].where != intent.where:
            lines.append(f"[bold]{escape(intent.where)}[/bold]")
        style = _STYLES[intent.sign]
        detail = f" ({intent.detail})" if intent.detail else ""
        lines.append(f"  [{style}]{intent.sign}[/{style}] {escape(f'{intent.what} {intent.target}{detail}')}")
    return lines


def replay(as_json: JsonOption = False) -> None:
    """Check that running workflows can continue on this build; run it before upgrading.

    Example: quorate replay
    """
    from workers.cli.replay import running_runs

    async def go() -> list[Any]:
        return await running_runs(await connect())

    found = asyncio.run(go())
    if as_json:
        out.print_json(data=[vars(one) for one in found])
    for one in [] if as_json else found:
        said = f"[red]✗[/red] {escape(one.run)}: {escape(one.trouble)}" if one.trouble else f"✓ {escape(one.run)}"
        out.print(said, soft_wrap=True)
    bad = sum(one.trouble is not None for one in found)
    if not as_json:
        runs = "1 run is" if len(found) == 1 else f"{len(found)} runs are"
        out.print(f"{runs} going on; this build can carry on {len(found) - bad if bad else 'all'} of them")
    raise typer.Exit(1 if bad else 0)


# --- talking to a run ------------------------------------------------------------------------------------------------


def answer(
    run: RunArgument,
    reply: Annotated[str, typer.Argument(metavar="retry|skip|abort", help="What to do about the parked step.")],
    step: Annotated[str | None, typer.Option(help="Which one; needed to skip, else all that are parked.")] = None,
    why: Why = None,
    by: By = "",
    inventory: InventoryOption = None,
) -> None:
    """Answer a parked step: try it again, go on without it, or end the run.

    Example: quorate answer deploy/metro retry
    """
    _tell(
        run_of(run, inventory),
        "answer",
        lambda: Answer.model_validate({"answer": reply, "step": step, "why": why, "by": by}),
    )


def pause(run: RunArgument, why: Why = None, by: By = "", inventory: InventoryOption = None) -> None:
    """Let a run change nothing more until it is resumed.

    A change that is under way ends first.

    Example: quorate pause deploy/metro --why "the array is being repaired"
    """
    _tell(run_of(run, inventory), "pause", lambda: Pause(by=by, why=why))


def resume(run: RunArgument, why: Why = None, by: By = "", inventory: InventoryOption = None) -> None:
    """Let a paused run go on.

    Example: quorate resume deploy/metro
    """
    _tell(run_of(run, inventory), "resume", lambda: Resume(by=by, why=why))


def abort(run: RunArgument, why: Why = None, by: By = "", inventory: InventoryOption = None) -> None:
    """End a run in its safe condition, and say how things were left.

    Example: quorate abort deploy/metro --why "wrong cluster"
    """
    _tell(run_of(run, inventory), "abort", lambda: Abort(by=by, why=why))


def note(
    run: RunArgument,
    text: Annotated[str, typer.Argument(help="The remark.")],
    by: By = "",
    inventory: InventoryOption = None,
) -> None:
    """Keep a remark with a run: on its page and in its report.

    Example: quorate note deploy/metro "spare controller ordered"
    """
    _tell(run_of(run, inventory), "note", lambda: Note(text=text, by=by))


def _tell(run: str, update: str, message: Callable[[], BaseModel]) -> None:
    try:
        said = message()
    except ValidationError as error:
        raise Unusable("; ".join(complaints(error)), "see --help") from None

    async def go() -> str:
        return await steer.tell(await connect(), run, update, said)

    out.print(escape(asyncio.run(go())), soft_wrap=True)


COMMANDS = (runbooks, plan, run, answer, pause, resume, abort, note, replay)
