"""The orders of `quorate lab`: faults by name, and scenarios."""

import time
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import typer
from rich.table import Table
from rich.text import Text

from cluster.units import counted
from workers.cli.extras import needs
from workers.cli.lab import screen as lab_watch
from workers.cli.lab.client import Control, InventoryOption, Refused, me, say
from workers.cli.options import JsonOption, out
from workers.errors import Unusable
from workers.inventory_file import Complaint, InventoryError, load

# How often a scenario that is followed is looked at, seconds.
LOOK = 0.5

# --- faults ----------------------------------------------------------------------------------------------------------

FaultArgument = Annotated[str, typer.Argument(metavar="FAULT", help="A name of `quorate lab faults`.")]
WhereArgument = Annotated[list[str] | None, typer.Argument(metavar="WHERE", help="Its places and amounts.")]


def faults(inventory: InventoryOption = None, as_json: JsonOption = False) -> None:
    """List every fault that can be played, with its arguments, what it means, and where it holds now.

    Example: quorate lab faults
    """
    control, answers = Control(inventory), True
    try:
        known = control.get("/faults-known")
    except Unusable as unusable:
        if isinstance(unusable, Refused):
            raise
        known, answers = _offline(control.inventory), False
    if as_json:
        out.print_json(data=known)
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for column, wraps in (("fault", False), ("what it means", True), ("incidents", True), ("holds now", True)):
        table.add_column(column, no_wrap=not wraps)
    for fault in known:
        name, _, arguments = fault["usage"].partition(" ")
        title = Text(name, style="bold")
        title.append(f" {arguments}", style="cyan")
        holds = "\n".join(" ".join(one["where"]) or "yes" for one in fault["active"])
        table.add_row(title, fault["meaning"], " ".join(fault["incidents"]), Text(holds, style="bold red"))
    out.print(table)
    places = {
        argument["name"]: argument["choices"]
        for fault in known
        for argument in fault["arguments"]
        if argument["choices"] and argument["name"] not in ("SERVICE", "HOST")
    }
    say("\n" + "\n".join(f"{name:<8} {', '.join(values)}" for name, values in places.items()))
    say("HOST     a node, or the witness\nSERVICE  an array, pve:NODE, or ssh:HOST")
    if not answers:
        say(f"\nno twin answers at {control.url}: none of them can hold; start one with `quorate lab up --detach`")


def _offline(path: Path) -> list[dict[str, Any]]:
    """The table without a twin: from a world that nobody starts."""
    needs("lab")
    from lab.control.drills import Drills, table
    from lab.world import World

    world = World(load(path))
    return table(world, Drills(world))


def fail(
    fault: FaultArgument, where: WhereArgument = None, inventory: InventoryOption = None, as_json: JsonOption = False
) -> None:
    """Begin a fault; it holds until it is restored. Begun twice it is one fault.

    Example: quorate lab fail site-power site-a   ·   quorate lab fail clock pxmx01-02 -30
    """
    order = {"fault": fault, "where": where or [], "by": me()}
    answer = _order(Control(inventory), "/fail", order)
    if as_json:
        out.print_json(data=answer)
        return
    title = " ".join([fault, *(where or [])])
    if not answer["changed"]:
        say(f"{title} holds already: nothing was changed")
    elif title in answer["active"]:
        say(f"{title} holds; `quorate lab restore {title}` ends it")
    else:
        say(f"{title} has happened")


def restore(
    fault: Annotated[str | None, typer.Argument(metavar="FAULT", help="A name of `quorate lab faults`.")] = None,
    where: WhereArgument = None,
    everything: Annotated[bool, typer.Option("--all", help="End every fault that holds.")] = False,
    inventory: InventoryOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a fault: what it took is as it was before. Without places, every fault of that name.

    Example: quorate lab restore site-power site-a   ·   quorate lab restore --all
    """
    if everything == (fault is not None):
        raise Unusable("name one fault, or say --all", "`quorate lab status` shows the faults that hold")
    order = {"all": True} if everything else {"fault": fault, "where": where or []}
    answer = _order(Control(inventory), "/restore", order | {"by": me()})
    if as_json:
        out.print_json(data=answer)
        return
    if not answer["restored"]:
        title = "no fault" if everything else " ".join([fault or "", *(where or [])])
        say(f"{title} holds: nothing was changed" if everything else f"{title} does not hold: nothing was changed")
    for title in answer["restored"]:
        say(f"{title} has ended")
    if answer["booting"] and answer["restored"]:
        say(f"booting, up in about 17 lab seconds: {', '.join(answer['booting'])}")


def _order(control: Control, path: str, order: dict[str, Any]) -> Any:
    try:
        return control.post(path, order)
    except Refused as refused:
        raise Unusable(refused.what, "`quorate lab faults` lists the faults and their places") from None


# --- scenarios -------------------------------------------------------------------------------------------------------


def scenario(
    file: Annotated[Path | None, typer.Argument(help="A YAML file; see examples/scenarios.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Only check the file; no twin is needed.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="Stop the scenario that is being played.")] = False,
    inventory: InventoryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Play a scenario, timed faults from a file, on lab time, and follow it to its end.

    The twin plays it by itself: Ctrl-C only ends the following. The status is 1 when a wait was in vain.

    Example: quorate lab scenario examples/scenarios/site-loss.yaml
    """
    control = Control(inventory)
    if stop:
        stopped = control.call("DELETE", "/scenario")["stopped"]
        say("the scenario is stopped; its faults still hold: `quorate lab restore --all`" if stopped else
             "no scenario is being played")  # fmt: skip
        return
    if file is None:
        raise Unusable("which scenario?", "name a file, e.g. examples/scenarios/site-loss.yaml")
    text = _text(file)
    if check:
        _check(file, text, control.inventory, as_json=as_json)
        return
    try:
        run = control.call("POST", f"/scenario?{urlencode({'by': me()})}", text)
    except Refused as refused:
        if refused.complaints:
            raise InventoryError(file, [Complaint(**one) for one in refused.complaints]) from None
        raise
    _follow(control, run, as_json=as_json)


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(f"{file} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8 text'}") from None


def _check(file: Path, text: str, inventory: Path, *, as_json: bool) -> None:
    needs("lab")
    from lab.control.scenario import ScenarioError, read
    from lab.world import World

    try:
        found = read(text, World(load(inventory)))
    except ScenarioError as error:
        if as_json:
            out.print_json(data={"ok": False, "errors": [vars(one) for one in error.complaints]})
            raise typer.Exit(1) from None
        raise InventoryError(file, [Complaint(**vars(one)) for one in error.complaints]) from None
    if as_json:
        out.print_json(data={"ok": True, "errors": []})
    else:
        say(f"✓ {file}: scenario {found.name}, {counted(len(found.steps), 'step')}")


def _follow(control: Control, run: dict[str, Any], *, as_json: bool) -> None:
    shown = 0
    if not as_json:
        out.print(Text(f"scenario {run['name']}", style="bold"), Text(f"  {run['about'].strip()}", style="dim"), sep="")
    try:
        while True:
            ended = [step for step in run["steps"] if step["state"] in ("done", "failed")]
            for step in [] if as_json else ended[shown:]:
                out.print(lab_watch.step(step, run["elapsed"]), soft_wrap=True)
            shown = len(ended)
            if run["state"] != "running":
                break
            time.sleep(LOOK)
            run = control.get("/scenario")
            if run is None:
                raise Unusable("the twin was reset in the middle of the scenario", "play it again")
    except KeyboardInterrupt:
        say("no longer followed; the scenario goes on: `quorate lab scenario --stop` ends it")
        raise
    if as_json:
        out.print_json(data=run)
    else:
        say(f"scenario {run['name']}: {run['state']} after {lab_watch.ago(run['elapsed'])} of lab time")
    if run["state"] != "done":
        held = [fault["title"] for fault in control.get("/status")["drills"]]
        if held and not as_json:
            say(f"still held: {', '.join(held)}; `quorate lab restore --all` ends that")
        raise typer.Exit(1)
