"""The keeper as a part of the worker's process: it is begun with it, ends with it, and never stops it."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

from temporalio.client import Client

from activities.clients.secrets import Secrets
from activities.clients.signatures import key_of
from workers.audit.anchors import Anchors, File, Ledger, Place, TimeStamps, Webhook
from workers.audit.keeper import Heads, Keeper
from workers.audit.store import Held, Store
from workers.settings import Settings

LOG = logging.getLogger("quorate.audit")
# Where the folder cannot be opened, or another process keeps it: that one may end.
AGAIN_IN = timedelta(seconds=30)
# For telling the last heads when the process ends, seconds; the next one tells what was not taken.
LAST_WORDS = 5.0


@contextlib.asynccontextmanager
async def keeping(
    client: Client,
    cluster: str,
    base: Path,
    settings: Settings,
    told: Callable[[Heads], Heads] = lambda heads: heads,
) -> AsyncIterator[None]:
    """While a worker of that cluster is at work. `base` is the folder of its inventory, for references to secrets.

    `told` puts somebody before those who are told of each signed head.
    """
    work = asyncio.create_task(_kept(client, cluster, base, settings, told))
    try:
        yield
    finally:
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work


async def _kept(client: Client, cluster: str, base: Path, settings: Settings, told: Callable[[Heads], Heads]) -> None:
    store = await _opened(cluster, settings)
    anchors = Anchors(settings.audit_folder, places(client, cluster, base, settings))
    if store.newest is not None:  # signed by a process that had no time to tell it
        anchors.signed(store.newest)
    telling = asyncio.create_task(anchors.keep())
    try:
        await Keeper(client, settings.task_queue, store, told(anchors)).keep()
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(anchors.tell(), LAST_WORDS)
        await asyncio.to_thread(store.close)


def places(client: Client, cluster: str, base: Path, settings: Settings) -> list[Place]:
    """Who is told of heads: the ledger always, and what the settings name."""
    found: list[Place] = [Ledger(client, cluster)]
    if settings.audit_file:
        found.append(File(settings.audit_file))
    if settings.audit_webhook:
        found.append(Webhook(settings.audit_webhook, Secrets(base, settings.secrets)))
    if settings.audit_timestamps:
        found.append(TimeStamps(settings.audit_timestamps, settings.audit_folder))
    return found


async def _opened(cluster: str, settings: Settings) -> Store:
    """The folder, as soon as it can be had; what stands in the way is told once."""
    told = ""
    while True:
        try:
            return await asyncio.to_thread(lambda: Store(settings.audit_folder, key_of(settings.audit_signer), cluster))
        except Held:  # all is well: that one records the runs of this worker as well
            await asyncio.sleep(AGAIN_IN.total_seconds())
            continue
        except ValueError as error:
            said = f"{settings.audit_signer} is no private key ({error}): put it right, or move it away for a new one"
        except OSError as error:
            said = f"no audit records are kept: {error.filename or settings.audit_folder}: {error.strerror}"
        if said != told:
            LOG.warning("%s", said)
            told = said
        await asyncio.sleep(AGAIN_IN.total_seconds())
