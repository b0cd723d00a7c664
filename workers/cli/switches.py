"""`quorate switches`: what is disabled on a cluster, by which run, since when, and what holds it back."""

import asyncio
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowQueryFailedError, WorkflowUpdateFailedError
from temporalio.service import RPCError, RPCStatusCode

from cluster.inventory import Inventory
from cluster.ledger import Book, Entry, ledger_id
from cluster.ledger_calls import BookFinding, Forgetting
from cluster.units import counted
from workers.cli.follow import ASKED_ONCE, SILENT, Run
from workers.cli.options import InventoryOption, JsonOption, inventory_path, out
from workers.cli.request import named
from workers.cli.watch import NOBODY_ANSWERS
from workers.errors import Unusable
from workers.inventory_file import load
from workers.temporal.connect import connect

# A comparison with the cluster asks its API some ten times.
COMPARED_WITHIN = 90.0

RestoreOption = Annotated[
    str | None,
    typer.Option(
        "--restore", help="Try to restore this switch now (vm:300, crs, a backup job): only where that is allowed."
    ),
]
ForgetOption = Annotated[
    str | None, typer.Option("--forget", help="Remove this switch from the ledger without changing it; needs --why.")
]
ForgetHomeOption = Annotated[
    str | None, typer.Option("--forget-home", help="Remove the home of this guest from the ledger; needs --why.")
]


def switches(
    inventory: InventoryOption = None,
    restore: RestoreOption = None,
    forget: ForgetOption = None,
    forget_home: ForgetHomeOption = None,
    why: Annotated[str | None, typer.Option(help="The reason; it stays in the ledger.")] = None,
    by: Annotated[str | None, typer.Option(help="Your name. Default: the user of this shell.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List what is disabled on a cluster, and what holds each switch back.

    Homes of guests and lost sites are listed too; --restore turns switches on again where that moves no guest.

    Exit status 1 when a switch that was to be restored is still disabled.

    Example: quorate switches -i inventory.yaml
    """
    known = load(inventory_path(inventory))
    if sum(option is not None for option in (restore, forget, forget_home)) > 1:
        raise Unusable("more than one of --restore, --forget and --forget-home", "give one at a time")
    name = forget or forget_home
    if name is not None and not why:
        raise Unusable("--why is missing", 'say why, for example --why "restored by hand"')

    async def go() -> Book:
        client = await connect()
        handle = await _running(client, known)
        if handle is None:
            if restore or name:
                raise Unusable(f"{known.name} has no ledger yet: no switch was disabled", "list it without options")
            return Book(cluster=known.name)
        if name is not None:
            asked = Forgetting(name=name, by=named(by or ""), why=str(why), home=forget_home is not None)
            return (await _said(handle, "forget", asked)).book
        if restore is not None:
            before = await _book(handle)
            if restore not in {entry.switch.name for entry in before.switches}:
                raise Unusable(
                    f"{restore} was not disabled by Quorate", "`quorate switches` lists the disabled switches"
                )
            return (await _said(handle, "compare")).book
        return await _book(handle)

    book = asyncio.run(go())
    if as_json:
        out.print_json(data=_data(book))
    else:
        _show(book)
    if restore and restore in {entry.switch.name for entry in book.switches}:
        raise typer.Exit(1)


async def _running(client: Client, known: Inventory) -> Run | None:
    handle: Run = client.get_workflow_handle(ledger_id(known.name))
    try:
        found = await handle.describe()
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        return None
    if found.workflow_type != "ClusterLedger":
        return None
    if found.status != WorkflowExecutionStatus.RUNNING:
        state = found.status.name.lower() if found.status else "not running"
        raise Unusable(
            f"the ledger of {known.name} was ended from outside ({state})",
            "the next runbook on this cluster starts it again, and it goes on from what it knew",
        )
    return handle


async def _book(handle: Run) -> Book:
    try:
        found: Book = await handle.query("book", result_type=Book, rpc_timeout=ASKED_ONCE)
    except WorkflowQueryFailedError:
        raise Unusable(f"{handle.id} has not begun yet", "ask again") from None
    except RPCError as error:
        if error.status not in SILENT:
            raise
        raise Unusable(f"no worker answers for {handle.id}", NOBODY_ANSWERS) from None
    return found


async def _said(handle: Run, update: str, message: Any = None) -> BookFinding:
    try:
        async with asyncio.timeout(COMPARED_WITHIN):
            found: BookFinding = await handle.execute_update(
                update, args=[] if message is None else [message], result_type=BookFinding
            )
    except WorkflowUpdateFailedError as error:
        raise Unusable(str(error.cause), "`quorate switches` lists what is in the ledger") from None
    except TimeoutError:
        raise Unusable(f"no worker takes messages for {handle.id}", NOBODY_ANSWERS) from None
    return found


# --- how it is shown -------------------------------------------------------------------------------------------------


def _show(book: Book) -> None:
    if book.switches:
        many = counted(len(book.switches), "switch is", "switches are")
        out.print(Text(f"{plain(book.cluster)}: {many} off", style="bold"))
        out.print(_table(book))
    else:
        out.print(Text(f"{plain(book.cluster)}: no automatic move is disabled", style="bold green"))
    for home in book.homes.values():
        where = f", brought to {home.recovered} by HA" if home.recovered else ""
        _tell(f"home of {home.sid}: {home.node}{where}, since {_at(home.since)}")
    for lost in book.lost.values():
        _tell(f"{lost.site} was lost ({lost.by.run}, {_at(lost.since)}) and is not released yet")
    for one in book.present:
        _tell(f"at work: {one.run}")
    if book.trouble:
        _tell(f"the last comparison with the cluster failed: {book.trouble}", "yellow")
    if book.looked:
        _tell(f"compared with the cluster at {_at(book.looked)}", "dim")


def _table(book: Book) -> Table:
    table = Table("switch", "was", "since", "by, why", "held back by")
    for entry in book.switches:
        one = entry.switch
        cells = (f"{one.name} {one.field}", one.old, _at(entry.since), f"{entry.by}: {entry.why}", held(entry))
        table.add_row(*(Text(plain(cell)) for cell in cells))
    return table


def _tell(text: str, style: str = "") -> None:
    out.print(Text(plain(text), style=style), soft_wrap=True)


def plain(text: str) -> str:
    """What devices and people have named, without anything that a terminal would obey."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def held(entry: Entry) -> str:
    """What holds a switch back, in words."""
    if entry.holders:
        return f"{entry.holders[0].run} needs it disabled"
    return entry.held_back or "not compared with the cluster yet"


def _at(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M} UTC"


def _data(book: Book) -> dict[str, Any]:
    found = [
        {
            "name": entry.switch.name,
            "kind": entry.switch.kind,
            "field": entry.switch.field,
            "was": entry.switch.old,
            "by": entry.by,
            "why": entry.why,
            "since": entry.since.isoformat(),
            "held_back": held(entry),
            "needed_by": [holder.run for holder in entry.holders],
        }
        for entry in book.switches
    ]
    return {
        "cluster": book.cluster,
        "off": found,
        "homes": {sid: home.node for sid, home in book.homes.items()},
        "recovered": {sid: home.recovered for sid, home in book.homes.items() if home.recovered},
        "lost": {site: lost.by.run for site, lost in book.lost.items()},
        "at_work": [one.run for one in book.present],
        "compared": book.looked.isoformat() if book.looked else None,
        "trouble": book.trouble,
    }


COMMANDS = (switches,)
