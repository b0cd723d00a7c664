"""The `quorate` command.

What takes long to import (vendor SDKs, the twin's servers) is imported by the command that needs it.

Exit statuses: 0 done, 1 the run failed or refused, or the file has errors, 2 wrong use or something needed is missing,
3 a step has parked or a gate is open: the run waits for people.
"""

import errno
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from typing import Annotated, Any

import typer
from rich.markup import escape
from typer.core import TyperGroup, TyperOption

from cluster.units import counted
from workers.cli import approve as approve_commands
from workers.cli import begin, follow, steer
from workers.cli import gateway as gateway_commands
from workers.cli import report as report_commands
from workers.cli import run as run_commands
from workers.cli import schema as schema_commands
from workers.cli import status as status_commands
from workers.cli import switches as switch_commands
from workers.cli import up as up_commands
from workers.cli.audit.commands import audit_app
from workers.cli.board import commands as board_commands
from workers.cli.connect import connect_app
from workers.cli.doctor import commands as doctor_commands
from workers.cli.incident.commands import incident_app
from workers.cli.init import commands as init_commands
from workers.cli.lab.commands import lab
from workers.cli.notify import notify_app
from workers.cli.options import err, out
from workers.cli.probe import commands as probe_commands
from workers.cli.silence import silence_app
from workers.cli.trace import commands as trace_commands
from workers.cli.trust import commands as trust_commands
from workers.cli.watch import watch_app
from workers.errors import Unusable
from workers.inventory_file import InventoryError
from workers.settings import Settings

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


for panel, commands in (
    (START, begin.COMMANDS),
    (SERVE, up_commands.COMMANDS),
    (LOOK, status_commands.COMMANDS),
    (START, (*trust_commands.COMMANDS, *doctor_commands.COMMANDS, *probe_commands.COMMANDS)),
    (RUNBOOKS, (*run_commands.COMMANDS, *approve_commands.COMMANDS)),
    (SERVE, gateway_commands.COMMANDS),
    (LOOK, (*switch_commands.COMMANDS, *trace_commands.COMMANDS, *board_commands.COMMANDS)),
):
    for command in commands:
        app.command(rich_help_panel=panel)(command)
# What needs a Temporal server finds one by itself; the Makefile asks for it.
app.command(rich_help_panel=SERVE, hidden=True)(up_commands.server)


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
