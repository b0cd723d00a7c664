"""The commands of the first day: an inventory is checked, and the demonstration shows what it is all for.

What they need is imported when they are called: vendor SDKs and the twin's servers take long.
"""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from cluster.inventory import Inventory
from cluster.units import counted
from workers.cli.extras import needs
from workers.cli.options import InventoryOption, JsonOption, err, out
from workers.cli.story import Story
from workers.errors import Unusable
from workers.examples import example_file
from workers.inventory_file import InventoryError
from workers.settings import Settings


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


def _pods(known: Inventory) -> str:
    """The pods by name, and how many volumes where there are several."""
    names = ", ".join(pod.name for pod in known.all_pods)
    volumes = f" with {counted(len(known.disks), 'volume')}" if len(known.disks) > 1 else ""
    return f"{'pod' if len(known.all_pods) == 1 else 'pods'} {names}{volumes}"


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


COMMANDS = (check, demo)
