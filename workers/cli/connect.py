"""`quorate connect`: what leads the events of other systems to the gateway."""

from typing import Annotated

import typer
from rich.markup import escape

from activities.clients.proxmox import PveApi
from activities.clients.secrets import Secrets
from activities.errors import Word
from activities.proxmox.notifications import GatewayWish, PveNotifications
from cluster.around import EventSource
from cluster.inventory import Inventory
from cluster.plan import Mode
from workers.cli.options import InventoryOption, JsonOption, inventory_path, out
from workers.errors import Unusable
from workers.inventory_file import load

GROUP = (
    "Lead the events of other systems to the gateway.\n\n"
    "Example: quorate connect pve-notifications --gateway https://quorate:8420"
)
connect_app = typer.Typer(name="connect", no_args_is_help=True, help=GROUP)


@connect_app.callback(help=GROUP)
def _group() -> None:
    """Lead the events of other systems to the gateway."""


@connect_app.command(name="pve-notifications")
def pve_notifications(
    gateway: Annotated[str, typer.Option(help="Where the nodes reach it, for example https://quorate:8420.")],
    inventory: InventoryOption = None,
    source: Annotated[str | None, typer.Option(help="The event source of kind pve. Default: the only one.")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Make the changes; else they are only shown.")] = False,
    renew_secret: Annotated[bool, typer.Option("--renew-secret", help="Send the secret again.")] = False,
    test: Annotated[bool, typer.Option("--test", help="Let PVE send a trial message afterwards.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Let Proxmox VE tell the gateway when it fences a node: a webhook target and a matcher.

    Needs Mapping.Modify on /mapping/notifications, and Sys.AccessNetwork (or Sys.Audit and Sys.Modify) on /.

    Example: quorate connect pve-notifications --gateway https://quorate:8420
    """
    path = inventory_path(inventory)
    known = load(path)
    chosen = _source(known, source)
    secrets = Secrets(path.parent)
    room = PveNotifications(PveApi(known, secrets), secrets)
    wish = GatewayWish(
        mode=Mode.APPLY if apply else Mode.PLAN,
        url=f"{gateway.rstrip('/')}/events/{chosen.name}",
        secret=chosen.secret,
        renew=renew_secret,
    )
    try:
        found = room.ensure(wish)
        tried = room.test().finding if test and apply else ""
    except Word as error:
        raise Unusable(f"{error.type}: {error.message}", "see `quorate connect pve-notifications --help`") from None
    if as_json:
        changes = [str(change) for change in found.changes]
        out.print_json(data={"changed": found.changed, "changes": changes, "finding": found.finding, "test": tried})
        return
    for change in found.changes:
        out.print(f"{'made' if found.changed else '+'} {escape(str(change))}", soft_wrap=True)
    out.print(escape(found.finding), soft_wrap=True)
    if tried:
        out.print(tried)
    if found.changes and not apply:
        out.print("nothing was changed: add --apply to make these changes")


def _source(known: Inventory, name: str | None) -> EventSource:
    there = [one for one in known.events if one.kind == "pve" and name in (None, one.name)]
    if len(there) == 1 and there[0].auth == "bearer":
        return there[0]
    if len(there) == 1:
        raise Unusable(f"event source {there[0].name}: PVE cannot sign what it sends", "set its auth to bearer")
    named = f" named {name!r}" if name else ""
    raise Unusable(
        f"the inventory has {len(there)} event sources of kind pve{named}",
        "add one under events, for example {name: pve, kind: pve, secret: env:PVE_EVENTS}, or choose with --source",
    )
