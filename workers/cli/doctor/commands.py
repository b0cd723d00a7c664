"""`quorate doctor`: looks at everything that a deployment or an incident will need, and changes nothing."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.doctor.check import AREAS, Area, Check, status
from cluster.inventory import Inventory
from workers.cli.options import InventoryOption, JsonOption, err, inventory_path, out
from workers.errors import Unusable
from workers.inventory_file import load
from workers.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workers.cli.doctor.asked import Progress

# So many lines stand beside the others that `quorate up` prints.
SHOWN = 5

OnlyOption = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="AREA", help=f"Look at this alone, again for more: {', '.join(AREAS)}."),
]


def doctor(inventory: InventoryOption = None, only: OnlyOption = None, as_json: JsonOption = False) -> None:
    """Look at all that Quorate will need, change nothing, and say what is wrong.

    Reach, certificates, rights, versions, clocks, packages, paths, votes, Temporal: one line each, with what to do.
    What a deployment makes is not there yet before it, and not wrong.
    It exits with 1 when something is wrong, else with 2 when something is not known, else with 0.

    Example: quorate doctor -i inventory.yaml --only hosts
    """
    from workers.cli.doctor import page

    areas = _areas(only or [])
    path = inventory_path(inventory)
    known = load(path)
    with err.status("looking") as working:
        checks = asyncio.run(
            examined(known, path, areas, lambda done, asked: working.update(f"looking: {done} of {asked} answers"))
        )
    if as_json:
        out.print_json(
            data={"cluster": known.name, "status": status(checks), "checks": [one.model_dump() for one in checks]}
        )
    else:
        for line in page.lines(checks):
            out.print(line, markup=False, highlight=False, soft_wrap=True)
        out.print(page.sentence(checks), markup=False, highlight=False)
    raise typer.Exit(status(checks))


async def glance(known: Inventory, path: Path) -> list[str]:
    """What a person who starts a worker should know: how many things are wrong, the first of them, and where to read.

    Temporal is left out: whoever asks has just reached it.
    """
    from workers.cli.doctor import page

    checks = await examined(known, path, [area for area in AREAS if area != "temporal"])
    lines = [f"doctor: {page.sentence(checks)}"]
    if wrong := [check for check in checks if check.state == "wrong"]:
        lines[0] += f"; what to do about it: quorate doctor -i {path}"
        lines += [line for line in page.lines(wrong) if page.MARKS["wrong"] in line[:4]][:SHOWN]
    return lines


async def examined(
    known: Inventory, path: Path, areas: "Sequence[Area]", progress: "Progress | None" = None
) -> list[Check]:
    """Everything in those areas, read and judged; `progress` is told after each answer."""
    from activities.clients.purity import REST_VERSION
    from activities.doctor.hosts import node_units
    from activities.hosts.reading import WITNESS_PACKAGES, packages
    from cluster.addresses import is_loopback
    from cluster.doctor.whole import Rules, judge
    from workers.cli.doctor.asked import Asking
    from workers.temporal.bootstrap import KEPT

    rules = Rules(
        packages=packages(known.transport),
        witness_packages=WITNESS_PACKAGES,
        units=node_units(known.transport),
        level=REST_VERSION,
        kept=KEPT,
        rehearsal=all(is_loopback(node.address) for node in known.nodes),
    )
    read = await Asking(known, path, Settings(), progress or (lambda done, asked: None)).read(areas)
    return judge(known, read, rules, datetime.now(UTC))


def _areas(only: "Sequence[str]") -> tuple[Area, ...]:
    wanted = [word.strip() for one in only for word in one.split(",")]
    if strange := [word for word in wanted if word not in AREAS]:
        raise Unusable(f"--only {strange[0]}: there is no such area", f"one of {', '.join(AREAS)}")
    return tuple(area for area in AREAS if not wanted or area in wanted)


COMMANDS = (doctor,)
