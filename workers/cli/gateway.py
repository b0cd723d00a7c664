"""`quorate gateway`: the process that takes events from outside. The web framework is imported only here, when run."""

import asyncio
from typing import Annotated

import typer

from workers.cli.extras import needs
from workers.cli.options import InventoryOption, err, inventory_path, out
from workers.cli.serving import CertOption, HostOption, KeyOption, PortOption, certificate, is_local, password_of, url
from workers.inventory_file import load
from workers.settings import Settings


def gateway(
    inventory: InventoryOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8420,
    tls_cert: CertOption = None,
    tls_key: KeyOption = None,
    board: Annotated[
        str | None,
        typer.Option(
            metavar="PASSWORD",
            help="Show the board under /board too. Its login: any user name, and the password that this refers to, "
            "env:NAME or file:PATH.",
        ),
    ] = None,
) -> None:
    """Take events of other systems over HTTP, and bring them to the watch.

    They come from Proxmox VE, Alertmanager, Purity and CloudEvents.

    An answer of 202 means that Temporal has the events. No worker needs to run.

    Example: quorate gateway --host 10.0.0.5 --tls-cert gateway.pem --tls-key gateway.key
    """
    tls = certificate(tls_cert, tls_key)
    needs("gateway")
    from activities.clients.secrets import Secrets
    from workers.cli.board.app import Boards, application
    from workers.cli.board.state import gathered
    from workers.gateway.app import Gateway, listener, server, until_stopped
    from workers.gateway.delivery import Delivery
    from workers.gateway.figures import Figures
    from workers.telemetry.metrics import meter_of, metered
    from workers.telemetry.tracing import traced
    from workers.temporal.connect import connect

    path, settings = inventory_path(inventory), Settings()
    known, secrets = load(path), Secrets(path.parent)
    password = password_of("--board", board, secrets) if board is not None else ""

    metered(settings, cluster=known.name, program="gateway")

    async def serve() -> None:
        client = await connect()
        delivery = Delivery(client, known.name, settings.task_queue, figures=Figures(meter_of(client)))
        made = Gateway(known, secrets, delivery, settings)
        boards = Boards(lambda: gathered(client, known.name))
        if password:
            made.show(application(known.name, boards, password), password)
        serving = server(made.app, tls)
        place = listener(host, port)
        at = url(host, place, tls)
        if tls is None and not is_local(host):
            what = "the senders' secrets and the board's password travel" if password else "the senders' secrets travel"
            err.print(f"without --tls-cert {what} in clear", style="yellow", soft_wrap=True)

        def ready() -> None:
            names = ", ".join(source.name for source in known.events)
            out.print(f"takes events for {known.name} at {at}/events/ from {names}; Ctrl-C stops it", soft_wrap=True)
            if password:
                out.print(f"{known.name} is shown at {at}/board/", soft_wrap=True)

        await until_stopped(serving, place, ready, boards.close)

    asyncio.run(traced(settings, serve()))


COMMANDS = (gateway,)
