"""The `quorate` command.

What takes long to import (vendor SDKs, the twin's servers) is imported by the command that needs it.

Exit statuses: 0 done, 1 the run failed or refused, or the file has errors, 2 wrong use or something needed is missing,
3 a step has parked or a gate is open: the run waits for people.
"""

import asyncio
import errno
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table
from typer.core import TyperGroup, TyperOption

from cluster.inventory import Inventory
from cluster.units import counted
from workers.cli import approve as approve_commands
from workers.cli import follow, steer
from workers.cli import gateway as gateway_commands
from workers.cli import report as report_commands
from workers.cli import run as run_commands
from workers.cli import schema as schema_commands
from workers.cli import switches as switch_commands
from workers.cli.audit.commands import audit_app
from workers.cli.board import commands as board_commands
from workers.cli.connect import connect_app
from workers.cli.doctor import commands as doctor_commands
from workers.cli.extras import needs
from workers.cli.freshness import known_cluster
from workers.cli.incident.commands import incident_app
from workers.cli.init import commands as init_commands
from workers.cli.lab.commands import lab
from workers.cli.notify import notify_app
from workers.cli.options import InventoryOption, JsonOption, err, inventory_path, out
from workers.cli.probe import commands as probe_commands
from workers.cli.silence import silence_app
from workers.cli.status import show_status
from workers.cli.story import Story
from workers.cli.trace import commands as trace_commands
from workers.cli.trust import commands as trust_commands
from workers.cli.watch import ensure_watch, tell_verdicts, watch_app
from workers.errors import Unusable
from workers.examples import example_file
from workers.inventory_file import InventoryError, load
from workers.settings import Settings
from workers.temporal.binary import obtain
from workers.temporal.bootstrap import kept_warning
from workers.temporal.connect import connect
from workers.temporal.embedded import TemporalServer
from workers.temporal.place import written

# What a person can put right, and no bug: the user has no right there, the disk is full or cannot be written.
_NO_ROOM_OR_RIGHT = (errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class _Root(TyperGroup):
    """The first page is one screen: what a shell's completion is, is asked for by few, and works unlisted."""

    def get_params(self, ctx: Any) -> Any:
        """Without `--show-completion`, which `--install-completion` stands for, and `--help`, which has been found."""
        params = super().get_params(ctx)
        for one in params:
            if one.name in ("show_completion", "help") and isinstance(one, TyperOption):
                one.hidden = True
        return params


app = typer.Typer(
    name="quorate",
    cls=_Root,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Build and run a stretched Proxmox VE cluster; the demo does it on an emulated world.\n\n"
    "Example: quorate demo",
    rich_markup_mode="rich",
)
# What a person wants to do, in the order of the first weeks.
START = SERVE = "Begin, and keep it running"  # one panel for both: the first page of help fits a screen
RUNBOOKS, LOOK = "Runbooks and people", "See what is so"
app.command(rich_help_panel=START)(init_commands.init)
app.command(name="schema", rich_help_panel=START)(schema_commands.show)
app.command(rich_help_panel=LOOK)(report_commands.report)
app.add_typer(lab, name="lab", rich_help_panel=START)
app.add_typer(watch_app, name="watch", rich_help_panel=LOOK)
app.add_typer(incident_app, name="incident", rich_help_panel=LOOK)
app.add_typer(audit_app, name="audit", rich_help_panel=LOOK)
app.add_typer(silence_app, name="silence", rich_help_panel=RUNBOOKS)
app.add_typer(connect_app, name="connect", rich_help_panel=SERVE)
app.add_typer(notify_app, name="notify", rich_help_panel=SERVE)


def _told_version(wanted: bool) -> None:
    if wanted:
        out.print(f"quorate {version('quorate')}", highlight=False)
        raise typer.Exit


@app.callback()
def _all(
    _: Annotated[
        bool,
        # hidden: the first page fits a screen, and everybody tries this one
        typer.Option("--version", callback=_told_version, is_eager=True, hidden=True, help="Show the version."),
    ] = False,
) -> None:
    """What every command has in common."""


@app.command(rich_help_panel=START)
def check(
    inventory: Annotated[Path, typer.Argument(help="The inventory file.")],
    offline: Annotated[
        bool, typer.Option("--offline", help="Look at the file alone, not at secrets and lists that it refers to.")
    ] = False,
    reach: Annotated[
        bool, typer.Option("--reach", help="Ask each endpoint for its certificate or host key as well.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check an inventory file: its fields, their values, and what they refer to.

    `quorate doctor` looks at everything behind it.

    Example: quorate check inventory.yaml
    """
    from workers.cli.check import checked, reached

    if reach and offline:
        raise Unusable("--reach and --offline are given together", "leave one of them out")
    notes: list[str] = []
    try:
        found = checked(inventory, offline=offline)
        if reach and not found.complaints:
            found = reached(found.inventory, inventory)
        notes, known = found.notes, found.inventory
        if found.complaints:
            raise InventoryError(inventory, found.complaints)
    except InventoryError as error:
        if as_json:
            complaints = [vars(complaint) for complaint in error.complaints]
            out.print_json(data={"ok": False, "errors": complaints, "notes": notes})
            raise typer.Exit(1) from None
        raise
    if as_json:
        out.print_json(data={"ok": True, "errors": [], "notes": notes})
        return
    third = f" and {len(known.third.nodes)} at {known.third.name}" if known.third else ""
    out.print(
        f"[green]✓[/green] {escape(str(inventory))}: cluster {known.name}, {len(known.site_nodes)} nodes on 2 sites"
        f"{third}, "
        f"{known.votes} votes, quorum {known.quorum}, {_pods(known)}, {counted(len(known.guests), 'guest')}"
    )
    for note in notes:
        out.print(f"  [yellow]note:[/yellow] {escape(note)}", soft_wrap=True)


@app.command(rich_help_panel=START)
def demo(
    inventory: InventoryOption = None,
    speed: Annotated[float, typer.Option(help="Lab seconds per second; 1 is real time.", min=0.1)] = 1.0,
    loss_speed: Annotated[float, typer.Option(help="The same while a site is lost.", min=0.5, max=10)] = 5.0,
    stay: Annotated[
        bool, typer.Option("--stay", help="Show the board from the start, and keep everything until Ctrl-C.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Build the example cluster on the twin, bring guests home, lose a whole site.

    It is built twice, and the article's own test is played on it.

    Example: quorate demo --stay
    """
    needs("lab")
    if stay:
        needs("gateway")
    from workers.cli.demo.loss import beside_the_article, seat
    from workers.cli.demo.whole import demo as run_demo

    state = Settings().state / "demo"
    console = err if as_json else out
    summary = asyncio.run(
        run_demo(
            inventory or example_file(), state, speed=speed, loss_speed=loss_speed, story=Story(console), stay=stay
        )
    )
    if as_json:
        out.print_json(data=summary)
        return
    deploy, votes = summary["deploy"], summary["votes"]
    paths = {f"{p['optimized']}+{p['non_optimized']}" for p in summary["paths"].values()}
    out.print(
        f"\n[bold green]{deploy['changed']} changes in {deploy['seconds']} s; "
        f"second run: {deploy['second_run_changed']} changes in {deploy['second_run_seconds']} s[/bold green]\n"
        f"votes {votes['total']} of {votes['expected']}, quorum {votes['quorum']} · "
        f"paths {' '.join(sorted(paths))} on {len(summary['paths'])} nodes · "
        f"HA {'armed' if summary['ha']['armed'] else 'not armed'}, started {', '.join(summary['ha']['started'])}\n"
        f"WWID {summary['wwid']}"
    )
    for title, loss in (("hosts off, array on", summary["article"]), ("whole site off", summary["loss"])):
        table = Table("seconds after the power went", "the article", "forecast", "here", title=title)
        for row in beside_the_article(loss):
            table.add_row(*row)
        out.print(table)
        out.print(f"{seat(loss)}\nThe guests {'stay' if loss['stayed'] else 'do not stay'} where HA has put them.\n")
    home = summary["failback"]
    signed = ", ".join(f"{one['who']} ({one['key']})" for one in home["approvals"])
    table = Table("guest", "from", "home", "seconds", "downtime")
    for sid, one in home["guests"].items():
        table.add_row(sid, one["from"], one["to"], f"{one['seconds']:g}", f"{one['downtime']:g}")
    out.print(table)
    out.print(
        f"plan {home['digest']} signed by {signed}: a demo key; restored: {', '.join(home['restored']) or 'nothing'}",
        soft_wrap=True,
    )
    audit = summary["audit"]
    said = f"{counted(audit['records'], 'record')}, {counted(audit['lines'], 'line')}"
    said += ", whole" if audit["verified"] else f", [red]{counted(len(audit['faults']), 'fault')}[/red]"
    out.print(f"audit: {said}: quorate audit verify {audit['folder']}", soft_wrap=True)
    out.print(f"[dim]summary: {state / 'summary.json'}[/dim]")
    for report in summary["report"]:
        out.print(f"report: {report}", markup=False, soft_wrap=True)
    out.print(f"[dim]trace: QUORATE_STATE={state} quorate trace {loss['incident']}[/dim]", soft_wrap=True)


@app.command(rich_help_panel=START)
def up(
    inventory: InventoryOption = None,
    port: Annotated[int | None, typer.Option(help="Temporal's gRPC port. Default 7233.")] = None,
    ui_port: Annotated[int | None, typer.Option(help="Port of Temporal's web UI. Default 8233.")] = None,
) -> None:
    """Start a Temporal server with its UI, a worker and the watch, until Ctrl-C.

    Runs and their history are kept in the state folder ($QUORATE_STATE, default ./var) and survive a restart.

    Example: quorate up -i inventory.yaml
    """
    from workers.telemetry.metrics import metered
    from workers.telemetry.tracing import traced
    from workers.worker.run import until_stopped

    path, settings = inventory_path(inventory), Settings()
    known = load(path)
    metered(settings, cluster=known.name, program="up")

    async def stay() -> None:
        server = TemporalServer(
            database=settings.state / "temporal.db",
            port=port or settings.temporal_port,
            ui_port=ui_port or settings.ui_port,
            log=settings.state / "temporal.log",
        )
        client = await server.start(lambda line: err.print(line, style="dim"))
        try:
            await ensure_watch(client, known, settings.task_queue)
            out.print(
                f"Temporal server at {server.address}, web UI at {server.ui}\n"
                f"runs that have ended are kept for {server.kept.days} days\n"
                f"worker for {known.name}, which is watched; Ctrl-C stops both"
            )
            telling = asyncio.create_task(tell_verdicts(client, known.name))
            looking = asyncio.create_task(_look(known, path))
            with written(settings.state, server.address):
                await until_stopped(client, known, path.parent, settings)
            telling.cancel()
            looking.cancel()
        finally:
            await server.stop()
        out.print("stopped; runs are kept in the state folder")

    asyncio.run(traced(settings, stay()))


async def _look(known: Inventory, path: Path) -> None:
    """The doctor's first look, while the worker works already: nothing waits for it."""
    try:
        lines = await doctor_commands.glance(known, path)
    except Exception as error:  # a worker is no worse for it; the command itself tells a bug as one
        lines = [f"doctor: it could not look ({type(error).__name__}): quorate doctor -i {path}"]
    for line in lines:
        out.print(line, markup=False, highlight=False, soft_wrap=True)


@app.command(name="worker", rich_help_panel=SERVE)
def run_worker(
    inventory: InventoryOption = None,
    at: Annotated[
        str | None,
        typer.Option(
            help="Where it stands: a site, the witness's name, or another place. A loss is confirmed from two places; "
            "a worker that does not say where it stands is none. Default: $QUORATE_AT."
        ),
    ] = None,
) -> None:
    """Start one worker against the Temporal server of your profile.

    The profile is that of TEMPORAL_PROFILE; TEMPORAL_ADDRESS names a server.

    Example: quorate worker -i inventory.yaml --at site-a
    """
    from workers.telemetry.metrics import metered
    from workers.telemetry.tracing import traced
    from workers.worker.run import until_stopped

    path, settings = inventory_path(inventory), Settings()
    known = load(path)
    if at is not None:
        settings = settings.model_copy(update={"at": at})
    metered(settings, cluster=known.name, program="worker")

    async def work() -> None:
        client = await connect()
        if warning := await kept_warning(client):
            err.print(f"[yellow]warning:[/yellow] {escape(warning)}", soft_wrap=True)

        def ready() -> None:
            target = client.service_client.config.target_host
            said = f"works on {known.name}: queue {settings.task_queue} at {target}; Ctrl-C stops it"
            out.print(f"{said}\n{standing(settings.at, known)}", markup=False, soft_wrap=True)

        await until_stopped(client, known, path.parent, settings, ready)

    asyncio.run(traced(settings, work()))


def _pods(known: Inventory) -> str:
    """The pods by name, and how many volumes where there are several."""
    names = ", ".join(pod.name for pod in known.all_pods)
    volumes = f" with {counted(len(known.disks), 'volume')}" if len(known.disks) > 1 else ""
    return f"{'pod' if len(known.all_pods) == 1 else 'pods'} {names}{volumes}"


def standing(at: str, known: Inventory) -> str:
    """Where the worker stands, and what that makes its word worth."""
    if not at:
        return "does not say where it stands (--at PLACE): a loss is not confirmed by what this worker cannot reach"
    if known.third and at in (known.third.name, *(node.name for node in known.third.nodes)):
        return f"stands at {known.third.name}: it counts as one place with the nodes there"
    if known.witness and at in (known.witness.name, "witness"):
        return "stands beside the witness: the two count as one place"
    if at in [site.name for site in known.sites]:
        return f"stands at {at}: it counts as one place with the array there"
    return f"stands at {at}, a place of its own"


@app.command(rich_help_panel=SERVE, hidden=True)  # what needs a server finds one by itself; the Makefile asks for it
def server() -> None:
    """Make sure that a Temporal server is at hand: find, fetch or build it once.

    Example: quorate server
    """
    binary = asyncio.run(obtain(lambda line: err.print(line, style="dim")))
    out.print(str(binary), soft_wrap=True)


@app.command(rich_help_panel=LOOK)
def status(inventory: InventoryOption = None, as_json: JsonOption = False) -> None:
    """Show how fresh the newest look at the cluster is, and the newest runs.

    Of runs that are running the steps are shown, and what they wait for.

    Example: quorate status
    """
    asyncio.run(show_status(out, as_json=as_json, cluster=known_cluster(inventory), inventory=inventory))


for panel, commands in (
    (START, (*trust_commands.COMMANDS, *doctor_commands.COMMANDS, *probe_commands.COMMANDS)),
    (RUNBOOKS, (*run_commands.COMMANDS, *approve_commands.COMMANDS)),
    (SERVE, gateway_commands.COMMANDS),
    (LOOK, (*switch_commands.COMMANDS, *trace_commands.COMMANDS, *board_commands.COMMANDS)),
):
    for command in commands:
        app.command(rich_help_panel=panel)(command)


def _complain(what: str, remedy: str = "", each: Sequence[str] = (), *, as_json: bool = False) -> None:
    """Tell what is wrong; `each` are its parts. A script that asked for a document gets one, as ever."""
    err.print(f"[bold red]error:[/bold red] {escape(what)}", soft_wrap=True)
    if remedy:
        err.print(f"[bold]what to do:[/bold] {escape(remedy)}", soft_wrap=True)
    for one in each:
        err.print(f"  {escape(one)}", soft_wrap=True)
    if as_json:
        out.print_json(data={"error": what, "remedy": remedy or None, "complaints": list(each)})


def run(arguments: list[str] | None = None) -> int:
    """Run the command; its exit status. A person never sees a stack trace, only a bug's place in a log."""
    complain = partial(_complain, as_json="--json" in (sys.argv[1:] if arguments is None else arguments))
    try:
        result: Any = app(arguments, standalone_mode=False)
        return result if isinstance(result, int) else 0
    except typer.Exit as done:
        return done.exit_code
    except typer.Abort:
        return 130
    except InventoryError as error:
        complain(f"{error.path} has {counted(len(error.complaints), 'error')}", "", list(map(str, error.complaints)))
        return 1
    except follow.Failed as error:
        complain(str(error), error.remedy)
        return 1
    except steer.Refused as error:
        complain(str(error))
        return 1
    except Unusable as error:
        complain(error.what, error.remedy)
        return error.status
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # the last line of defence between a bug and a person
        return _last(error, complain)


def _last(error: Exception, complain: Callable[[str, str], None]) -> int:
    """What no command has told by itself: wrong use, a file that this user may not use, or a bug."""
    if hasattr(error, "format_message"):  # click's own usage errors
        complain(str(error.format_message()), "see --help")
        return 2
    if isinstance(error, OSError) and error.errno in _NO_ROOM_OR_RIGHT and error.filename is not None:
        complain(f"{error.filename}: {error.strerror}", "let this user read or write there, or name another place")
        return 2
    from activities.clients.masks import MASKS

    said, log = MASKS.text(f"{type(error).__name__}: {error}"), Settings().state / "crash.log"
    remedy = f"please report it with {log}"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(MASKS.text("".join(traceback.format_exception(error))))
    except OSError as unwritten:
        remedy = f"please report it; {log} cannot be written ({unwritten.strerror}), QUORATE_STATE names another folder"
    complain(f"a bug in Quorate: {said}", remedy)
    return 70


def main() -> None:
    """Leave with the true status: an interpreter that ran a worker may crash while it finalises (SDK issue 300)."""
    status = run()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
