"""`quorate gateway`: the process that takes events from outside. The web framework is imported only here, when run."""

import asyncio

from workers.cli.extras import needs
from workers.cli.options import InventoryOption, err, inventory_path, out
from workers.cli.serving import CertOption, HostOption, KeyOption, PortOption, certificate, is_local, url
from workers.inventory_file import load
from workers.settings import Settings


def gateway(
    inventory: InventoryOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8420,
    tls_cert: CertOption = None,
    tls_key: KeyOption = None,
) -> None:
    """Take events of other systems over HTTP, and bring them to the watch.

    They come from Proxmox VE, Alertmanager, Purity and CloudEvents.

    An answer of 202 means that Temporal has the events. No worker needs to run.

    Example: quorate gateway --host 10.0.0.5 --tls-cert gateway.pem --tls-key gateway.key
    """
    tls = certificate(tls_cert, tls_key)
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
        serving = server(made.app, tls)
        place = listener(host, port)
        at = url(host, place, tls)
        if tls is None and not is_local(host):
            err.print("without --tls-cert the senders' secrets travel in clear", style="yellow", soft_wrap=True)

        def ready() -> None:
            names = ", ".join(source.name for source in known.events)
            out.print(f"takes events for {known.name} at {at}/events/ from {names}; Ctrl-C stops it", soft_wrap=True)

        await until_stopped(serving, place, ready)

    asyncio.run(serve())


COMMANDS = (gateway,)
