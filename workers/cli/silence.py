"""`quorate silence`: announce planned work to the watch, list what is announced, end it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.service import RPCError
from typer.core import TyperGroup

from cluster.conditions import Condition
from cluster.inventory import Inventory
from cluster.silences import Silence, SilenceWish, UnsilenceWish, at
from cluster.units import parse_duration
from cluster.watching import WatchState, watch_id
from workers.cli import steer
from workers.cli.follow import PATIENCE, SILENT, Run
from workers.cli.options import InventoryOption, JsonOption, inventory_path, out
from workers.cli.request import named
from workers.cli.watch import NOBODY_ANSWERS, running
from workers.errors import Unusable
from workers.inventory_file import load
from workers.temporal.connect import connect
from workflows.watch import ClusterWatch

FOR, UNTIL = "--for 4h", "--until 2026-11-28T18:00Z"


class _Shortened(TyperGroup):
    """``quorate silence site-a …`` is ``quorate silence add site-a …``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """A first word that is no command is where the work is."""
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            args = ["add", *args]
        return super().parse_args(ctx, args)


silence_app = typer.Typer(
    name="silence",
    cls=_Shortened,
    no_args_is_help=True,
    help="Planned work: announce a site or nodes to the watch, list what is announced, end it.\n\n"
    "No incident opens for announced nodes that were empty and in maintenance when they went dark. "
    "[bold]quorate silence site-a …[/bold] is short for [bold]quorate silence add site-a …[/bold].\n\n"
    "Example: quorate silence list",
)
WhereArgument = Annotated[list[str], typer.Argument(metavar="WHERE", help="A site, or nodes.")]
ByOption = Annotated[str | None, typer.Option(help="Your name. Default: the user of this shell.")]


@silence_app.command()
def add(
    where: WhereArgument,
    why: Annotated[str, typer.Option(help="The reason, as others read it.")] = "",
    by: ByOption = None,
    lasts: Annotated[str | None, typer.Option("--for", help="How long: 90m, 4h, 2d; 14 days at most.")] = None,
    until: Annotated[str | None, typer.Option(help="Its end instead, with its time zone.")] = None,
    inventory: InventoryOption = None,
) -> None:
    """Announce planned work at a site or on nodes; announced again, it gets a new end.

    A node that runs a guest, or is not in maintenance, is not covered: its loss opens an incident.

    Example: quorate silence add site-a --by ana --why "replacing PDUs" --for 4h
    """
    known = load(inventory_path(inventory))
    if not why.strip():
        raise Unusable("--why is missing", 'say why, for example --why "replacing PDUs"')
    wish = SilenceWish(where=tuple(where), by=named(by or ""), why=why, until=_end(lasts, until))
    out.print(asyncio.run(_said(known, "silence", wish)), markup=False, soft_wrap=True)


@silence_app.command()
def end(where: WhereArgument, by: ByOption = None, inventory: InventoryOption = None) -> None:
    """End an announcement: what is still dark opens its incident at once.

    Example: quorate silence end site-a --by ana
    """
    known = load(inventory_path(inventory))
    wish = UnsilenceWish(where=tuple(where), by=named(by or ""))
    out.print(asyncio.run(_said(known, "unsilence", wish)), markup=False, soft_wrap=True)


@silence_app.command(name="list")
def list_(inventory: InventoryOption = None, as_json: JsonOption = False) -> None:
    """List what is announced: where, until when, by whom and why, and whether it is dark.

    Example: quorate silence list
    """
    known = load(inventory_path(inventory))
    state = asyncio.run(_state(known))
    dark = {one.planned.where for one in _conditions(state) if one.planned is not None}
    if as_json:
        found = [{**one.model_dump(mode="json", exclude={"told"}), "dark": one.where in dark} for one in state.silences]
        out.print_json(data={"cluster": state.cluster, "silences": found})
        return
    for one in state.silences:
        out.print(_line(one, dark=one.where in dark), markup=False, soft_wrap=True)
    if not state.silences:
        out.print(f"{state.cluster}: nothing is announced", markup=False, soft_wrap=True)


def _line(one: Silence, *, dark: bool) -> str:
    return f"{one}, since {at(one.since)}{': dark, as announced' if dark else ''}"


def _conditions(state: WatchState) -> tuple[Condition, ...]:
    return (state.verdict.main, *state.verdict.also) if state.verdict else ()


def _end(lasts: str | None, until: str | None) -> datetime:
    """When it ends; Unusable where that cannot be read, or is said twice or not at all."""
    if (lasts is None) == (until is None):
        what = "neither --for nor --until is given" if lasts is None else "both --for and --until are given"
        raise Unusable(what, f"give one: {FOR}, or {UNTIL}")
    if until is not None:
        try:
            when = datetime.fromisoformat(until)
        except ValueError:
            raise Unusable(f"--until: {until!r} is no time", f"write {UNTIL}") from None
        if when.tzinfo is None:
            raise Unusable(f"--until: {until!r} has no time zone", f"write {UNTIL}")
        return when.astimezone(UTC)
    try:
        long = parse_duration(lasts)
        if not isinstance(long, timedelta):
            raise ValueError("it is no duration")
        return datetime.now(UTC) + long
    except (ValueError, OverflowError) as error:
        raise Unusable(f"--for: {lasts!r}: {error}", f"write {FOR}, 90m or 2d") from None


async def _said(known: Inventory, update: str, wish: SilenceWish | UnsilenceWish) -> str:
    client = await connect()
    await _watch(client, known)
    return await steer.tell(client, watch_id(known.name), update, wish)


async def _state(known: Inventory) -> WatchState:
    handle = await _watch(await connect(), known)
    try:
        return await handle.query(ClusterWatch.state, rpc_timeout=PATIENCE)
    except WorkflowQueryFailedError:
        raise Unusable(f"{handle.id} has not begun yet", "ask again") from None
    except RPCError as error:
        if error.status not in SILENT:
            raise
        raise Unusable(f"no worker answers for {handle.id}", NOBODY_ANSWERS) from None


async def _watch(client: Client, known: Inventory) -> Run:
    handle = await running(client, known)
    if handle is None:
        raise Unusable(f"{known.name} is not watched", "start it with `quorate watch start`")
    return handle
