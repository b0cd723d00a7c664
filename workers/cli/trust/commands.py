"""`quorate trust`: who answers, whether the inventory knows it, and writing it down after a yes."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.inventory import Inventory
from cluster.visible import visible
from workers.cli.options import InventoryOption, JsonOption, err, inventory_path, out
from workers.errors import Unusable
from workers.inventory_file import InventoryError, load
from workers.settings import Settings

if TYPE_CHECKING:
    from workers.cli.trust.writing import Wish

HostArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="HOST", help="Names of the inventory, or addresses. Default: all of the inventory."),
]


def trust(
    hosts: HostArgument = None,
    inventory: InventoryOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Write down what is new, without asking.")] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="With --yes: what contradicts the inventory or known_hosts, too.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the certificates and host keys of endpoints; after a yes, write them down.

    A certificate that the inventory does not recognise is pinned there, a host key goes into known_hosts.
    Compare with what the device itself says before you answer. It exits with 1 while one does not fit, or is silent.

    Example: quorate trust -i inventory.yaml
    """
    from workers.cli.trust import looking, page, writing

    if replace and not yes:
        raise Unusable("--replace is given without --yes", "leave it out: each change is shown and asked for")
    wanted = hosts or []
    path, known = _inventory(inventory, wanted)
    endpoints, spoken = asyncio.run(looking.looked(known, path.parent, wanted))
    if not endpoints and not spoken:
        raise Unusable(
            f"nothing answers at {', '.join(wanted)} on the ports 443, 8006 and 22", "name its port: ADDRESS:8443"
        )
    if not as_json:
        for line in page.lines(endpoints, spoken):
            out.print(visible(line), markup=False, highlight=False, soft_wrap=True)
    possible = list(writing.wishes(endpoints, spoken))
    taken = _taken(possible, yes=yes, replace=replace, ask=not as_json and _at_a_terminal())
    written = writing.write(path, known, taken) if taken and known else []
    if as_json:
        seen = looking.as_json(endpoints, spoken)
        out.print_json(data={**seen, "written": [wish.sentence for wish in taken], "notes": written})
    else:
        for line in [*written, *_left(possible, taken, yes=yes)]:
            out.print(visible(line), markup=False, highlight=False, soft_wrap=True)
    silent = any(one.silence for one in endpoints) or any(one.silence for one in spoken)
    raise typer.Exit(1 if silent or len(taken) < len(possible) else 0)


def _inventory(option: Path | None, wanted: Sequence[str]) -> tuple[Path, Inventory | None]:
    """The inventory; for an address alone none is needed."""
    if option is None and wanted:
        path = Settings().inventory
        if not path.exists():
            return path, None
        try:
            return path, load(path)
        except InventoryError:
            err.print(
                f"note: {path} is not complete, so nothing is compared with it: quorate check {path}",
                style="yellow", markup=False, soft_wrap=True,
            )  # fmt: skip
            return path, None
    path = inventory_path(option)
    return path, load(path)


def _at_a_terminal() -> bool:
    return sys.stdin.isatty()


def _taken(possible: "Sequence[Wish]", *, yes: bool, replace: bool, ask: bool) -> "list[Wish]":
    """What is to be written: what a person says yes to, or, with --yes, what is new."""
    if yes:
        return [wish for wish in possible if replace or not wish.changes]
    return [wish for wish in possible if ask and typer.confirm(wish.question, default=False, err=True)]


def _left(possible: "Sequence[Wish]", taken: "Sequence[Wish]", *, yes: bool) -> list[str]:
    left = [wish for wish in possible if wish not in taken]
    if not left:
        return []
    if yes:
        return [
            f"not written, for something else is known there: {wish.sentence}; --replace writes it" for wish in left
        ]
    if _at_a_terminal():
        return []
    return [*(f"not written: {wish.sentence}" for wish in left), "answer at a terminal, or write with --yes"]


COMMANDS = (trust,)
