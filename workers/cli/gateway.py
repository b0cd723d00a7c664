"""`quorate gateway`: the process that takes events from outside. The web framework is imported only here, when run."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from workers.cli.extras import needs
from workers.cli.options import InventoryOption, err, inventory_path, out
from workers.errors import Unusable
from workers.inventory_file import load
from workers.settings import Settings

LOOPBACK = ("127.", "::1", "localhost")


def gateway(
    inventory: InventoryOption = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on.", min=0, max=65535)] = 8420,
    tls_cert: Annotated[Path | None, typer.Option(help="The certificate chain as PEM; needs --tls-key.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="The certificate's key as PEM.")] = None,
) -> None:
    """Take events of other systems over HTTP, and bring them to the watch.

    They come from Proxmox VE, Alertmanager, Purity and CloudEvents.

    An answer of 202 means that Temporal has the events. No worker needs to run.

    Example: quorate gateway --host 10.0.0.5 --tls-cert gateway.pem --tls-key gateway.key
    """
    if (tls_cert is None) != (tls_key is None):
        raise Unusable("--tls-cert and --tls-key belong together", "give both, or none to serve plain HTTP")
    needs("gateway")
    from activities.clients.secrets import Secrets
    from workers.gateway.app import Gateway, listener, server, until_stopped
    from workers.gateway.delivery import Delivery
    from workers.temporal.connect import connect

    path, settings = inventory_path(inventory), Settings()
    known = load(path)

    async def serve() -> None:
        delivery = Delivery(await connect(), known.name, settings.task_queue)
        made = Gateway(known, Secrets(path.parent), delivery, settings)
        serving = server(made.app, (str(tls_cert), str(tls_key)) if tls_cert and tls_key else None)
        place = listener(host, port)
        at = f"{'https' if tls_cert else 'http'}://{host}:{place.getsockname()[1]}"
        if not tls_cert and not host.startswith(LOOPBACK):
            err.print("without --tls-cert the senders' secrets travel in clear", style="yellow", soft_wrap=True)

        def ready() -> None:
            names = ", ".join(source.name for source in known.events)
            out.print(f"takes events for {known.name} at {at}/events/ from {names}; Ctrl-C stops it", soft_wrap=True)

        await until_stopped(serving, place, ready)

    asyncio.run(serve())


COMMANDS = (gateway,)
