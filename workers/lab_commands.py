"""`quorate lab`: the twin as a command."""

import asyncio
import signal
from typing import Annotated

import typer

from workers.errors import Unusable
from workers.inventory_file import load
from workers.options import EXAMPLE, InventoryOption, out

lab = typer.Typer(no_args_is_help=True, help="The twin: two FlashArrays, the nodes and a witness, on loopback.")


@lab.callback()
def about() -> None:
    """Keep `up` a command of its own while it is the only one."""


@lab.command(name="up")
def lab_up(
    inventory: InventoryOption = None,
    speed: Annotated[float, typer.Option(help="Lab seconds per second; 1 is real time.", min=0.1)] = 1.0,
) -> None:
    """Start the twin of an inventory whose addresses are loopback, and stay until Ctrl-C.

    Its tokens, keys and certificates are written where the inventory refers to them.
    """
    from lab.credentials import NotLoopback
    from lab.twin import Twin, control_url

    path = inventory or EXAMPLE
    known = load(path)

    async def stay() -> None:
        twin = Twin(known, path.parent, speed=speed)
        try:
            await twin.start()
        except NotLoopback as error:
            raise Unusable(str(error), "the twin needs an inventory like examples/lab.yaml") from None
        except OSError as error:
            raise Unusable(
                f"the twin cannot listen: {error.strerror or error}", "does another twin run already?"
            ) from None
        said = f"twin of {known.name} is up at speed {speed:g}; control plane at {control_url(known)}"
        out.print(said, soft_wrap=True)
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await stop.wait()
        await twin.stop()

    asyncio.run(stay())
