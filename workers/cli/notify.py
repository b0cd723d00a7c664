"""`quorate notify`: who is told, and whether a notice reaches them."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

import typer
from temporalio.exceptions import ApplicationError

from cluster.around import Notify
from cluster.inventory import Inventory
from cluster.notices import Notice
from workers.cli.options import InventoryOption, JsonOption, inventory_path, out
from workers.errors import Unusable
from workers.inventory_file import load
from workers.settings import Settings

notify_app = typer.Typer(
    name="notify",
    no_args_is_help=True,
    help="Who is told what happens: the receivers of the inventory.\n\nExample: quorate notify test",
)
NameArgument = Annotated[str | None, typer.Argument(help="One receiver of the inventory. Default: all of them.")]


@notify_app.command("list")
def listed(inventory: InventoryOption = None, as_json: JsonOption = False) -> None:
    """List the receivers of the inventory, and the occasions on which each is told.

    Example: quorate notify list
    """
    known = load(inventory_path(inventory))
    if as_json:
        rows = [{"name": one.name, "kind": one.kind, "occasions": list(one.occasions)} for one in known.notify]
        out.print_json(data=rows)
        return
    for one in _some(known, None):
        out.print(f"{one.name}  {one.kind}  {', '.join(one.occasions)}", markup=False, soft_wrap=True)


@notify_app.command("test")
def try_out(name: NameArgument = None, inventory: InventoryOption = None) -> None:
    """Send a test notice to the receivers, from this machine and with its secrets, and say who took it.

    A pager shows it as information and nothing has to be done about it. It exits with 1 when one does not take it.

    Example: quorate notify test duty
    """
    path = inventory_path(inventory)
    known = load(path)
    targets = _some(known, name)
    from activities.clients.secrets import Secrets
    from activities.people.notices import Notices

    settings = Settings()
    room = Notices(known.notify, Secrets(path.parent, settings.secrets), settings.ui)
    taken = [_sent(room.post, one, notice_of(known.name)) for one in targets]
    if not all(taken):
        raise typer.Exit(1)


def notice_of(cluster: str) -> Notice:
    """A notice that asks nothing of its reader."""
    now = datetime.now(UTC)
    return Notice(
        key=f"test/{cluster}/{now:%Y%m%dT%H%M%S}",
        occasion="asked",
        cluster=cluster,
        incident=f"test/{cluster}/{now:%Y%m%dT%H%M%S}",
        title="Test notice",
        text="This receiver gets the notices of Quorate. No action needed.",
        at=now,
        urgency="nothing",
    )


def _sent(post: Callable[[Notify, Notice], None], target: Notify, notice: Notice) -> bool:
    try:
        post(target, notice)
    except ApplicationError as error:
        out.print(f"✗ {target.name}: {error.type}: {error.message}", style="red", markup=False, soft_wrap=True)
        return False
    out.print(f"✓ {target.name} has taken the test notice", style="green", markup=False, soft_wrap=True)
    return True


def _some(known: Inventory, name: str | None) -> tuple[Notify, ...]:
    """The receivers that are meant; Unusable when there is none."""
    names = ", ".join(one.name for one in known.notify)
    if not known.notify:
        raise Unusable("the inventory names no receiver", "add one under notify: docs/follow-an-incident.md shows how")
    found = tuple(one for one in known.notify if name in (None, one.name))
    if not found:
        raise Unusable(f"the inventory has no receiver {name!r}", f"it has {names}")
    return found
