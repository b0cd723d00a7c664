"""The commands that keep it running: `up` with a server of its own, `worker` beside one that is there."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from cluster.inventory import Inventory
from workers.cli.doctor import commands as doctor_commands
from workers.cli.options import InventoryOption, err, inventory_path, out
from workers.cli.watch import ensure_watch, tell_verdicts
from workers.inventory_file import load
from workers.settings import Settings
from workers.temporal.binary import obtain
from workers.temporal.bootstrap import kept_warning
from workers.temporal.connect import connect
from workers.temporal.embedded import TemporalServer
from workers.temporal.place import written


def up(
    inventory: InventoryOption = None,
    port: Annotated[int | None, typer.Option(help="Temporal's gRPC port. Default 7233.")] = None,
    ui_port: Annotated[int | None, typer.Option(help="Port of Temporal's web UI. Default 8233.")] = None,
) -> None:
    """Start a Temporal server with its UI, a worker and the watch, until Ctrl-C.

    Runs and their history are kept in the state folder ($QUORATE_STATE, default ./var) and survive a restart.

    Example: quorate up -i inventory.yaml
    """
    from workers.telemetry.metrics import metered
    from workers.telemetry.tracing import traced
    from workers.worker.run import until_stopped

    path, settings = inventory_path(inventory), Settings()
    known = load(path)
    metered(settings, cluster=known.name, program="up")

    async def stay() -> None:
        server = TemporalServer(
            database=settings.state / "temporal.db",
            port=port or settings.temporal_port,
            ui_port=ui_port or settings.ui_port,
            log=settings.state / "temporal.log",
        )
        client = await server.start(lambda line: err.print(line, style="dim"))
        try:
            await ensure_watch(client, known, settings.task_queue)
            out.print(
                f"Temporal server at {server.address}, web UI at {server.ui}\n"
                f"runs that have ended are kept for {server.kept.days} days\n"
                f"worker for {known.name}, which is watched; Ctrl-C stops both"
            )
            telling = asyncio.create_task(tell_verdicts(client, known.name))
            looking = asyncio.create_task(_look(known, path))
            with written(settings.state, server.address):
                await until_stopped(client, known, path.parent, settings)
            telling.cancel()
            looking.cancel()
        finally:
            await server.stop()
        out.print("stopped; runs are kept in the state folder")

    asyncio.run(traced(settings, stay()))


async def _look(known: Inventory, path: Path) -> None:
    """The doctor's first look, while the worker works already: nothing waits for it."""
    try:
        lines = await doctor_commands.glance(known, path)
    except Exception as error:  # a worker is no worse for it; the command itself tells a bug as one
        lines = [f"doctor: it could not look ({type(error).__name__}): quorate doctor -i {path}"]
    for line in lines:
        out.print(line, markup=False, highlight=False, soft_wrap=True)


def worker(
    inventory: InventoryOption = None,
    at: Annotated[
        str | None,
        typer.Option(
            help="Where it stands: a site, the witness's name, or another place. A loss is confirmed from two places; "
            "a worker that does not say where it stands is none. Default: $QUORATE_AT."
        ),
    ] = None,
) -> None:
    """Start one worker against the Temporal server of your profile.

    The profile is that of TEMPORAL_PROFILE; TEMPORAL_ADDRESS names a server.

    Example: quorate worker -i inventory.yaml --at site-a
    """
    from workers.telemetry.metrics import metered
    from workers.telemetry.tracing import traced
    from workers.worker.run import until_stopped

    path, settings = inventory_path(inventory), Settings()
    known = load(path)
    if at is not None:
        settings = settings.model_copy(update={"at": at})
    metered(settings, cluster=known.name, program="worker")

    async def work() -> None:
        client = await connect()
        if warning := await kept_warning(client):
            err.print(f"[yellow]warning:[/yellow] {escape(warning)}", soft_wrap=True)

        def ready() -> None:
            target = client.service_client.config.target_host
            said = f"works on {known.name}: queue {settings.task_queue} at {target}; Ctrl-C stops it"
            out.print(f"{said}\n{standing(settings.at, known)}", markup=False, soft_wrap=True)

        await until_stopped(client, known, path.parent, settings, ready)

    asyncio.run(traced(settings, work()))


def standing(at: str, known: Inventory) -> str:
    """Where the worker stands, and what that makes its word worth."""
    if not at:
        return "does not say where it stands (--at PLACE): a loss is not confirmed by what this worker cannot reach"
    if known.third and at in (known.third.name, *(node.name for node in known.third.nodes)):
        return f"stands at {known.third.name}: it counts as one place with the nodes there"
    if known.witness and at in (known.witness.name, "witness"):
        return "stands beside the witness: the two count as one place"
    if at in [site.name for site in known.sites]:
        return f"stands at {at}: it counts as one place with the array there"
    return f"stands at {at}, a place of its own"


def server() -> None:
    """Make sure that a Temporal server is at hand: find, fetch or build it once.

    Example: quorate server
    """
    binary = asyncio.run(obtain(lambda line: err.print(line, style="dim")))
    out.print(str(binary), soft_wrap=True)


COMMANDS = (up, worker)
