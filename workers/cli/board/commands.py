"""`quorate board`: the process that shows the cluster on a wall or a phone. The web framework is imported when run."""

import asyncio
from typing import Annotated

import typer

from workers.cli.extras import needs
from workers.cli.options import InventoryOption, err, inventory_path, out
from workers.cli.serving import CertOption, HostOption, KeyOption, PortOption, certificate, is_local, password_of, url
from workers.errors import Unusable
from workers.inventory_file import load


def board(
    inventory: InventoryOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8320,
    password: Annotated[
        str | None, typer.Option(help="Where the login's password is: env:NAME or file:PATH. Any user name will do.")
    ] = None,
    tls_cert: CertOption = None,
    tls_key: KeyOption = None,
) -> None:
    """Show the cluster on one page, in a browser: what to do now, and all that is seen.

    It reads and changes nothing, and needs no other network than its own server. No login is asked on loopback.

    Example: quorate board
    """
    tls = certificate(tls_cert, tls_key)
    if not password and not is_local(host):
        raise Unusable(
            f"at {host} the board could be read without a login",
            "set a login with --password env:NAME or --password file:PATH",
        )
    needs("gateway")
    from activities.clients.secrets import Secrets
    from workers.cli.board.app import Boards, application
    from workers.cli.board.state import gathered
    from workers.gateway.app import listener, server, until_stopped
    from workers.temporal.connect import connect

    path = inventory_path(inventory)
    known = load(path)
    secret = password_of("--password", password, Secrets(path.parent)) if password else ""

    async def serve() -> None:
        client = await connect()
        boards = Boards(lambda: gathered(client, known.name))
        serving = server(application(known.name, boards, secret), tls)
        place = listener(host, port)
        if tls is None and not is_local(host):
            err.print("without --tls-cert the password travels in clear", style="yellow", soft_wrap=True)
        shown = f"{known.name} is shown at {url(host, place, tls)}/; Ctrl-C stops it"
        await until_stopped(serving, place, lambda: out.print(shown, soft_wrap=True), boards.close)

    asyncio.run(serve())


COMMANDS = (board,)
