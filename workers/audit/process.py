"""The keeper as a part of the worker's process: it is begun with it, ends with it, and never stops it."""

import asyncio
import contextlib
import errno
import logging
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

from temporalio.client import Client

from activities.clients.secrets import Secrets
from activities.clients.signatures import Key, key_of
from workers.audit.anchors import Anchors, File, Ledger, Place, TimeStamps, Webhook
from workers.audit.disk import Changed
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
    """Again and again: a folder that was taken away is begun anew, and a bug of ours ends no worker."""
    while True:
        try:
            await _kept_once(client, cluster, base, settings, told)
        except Changed as error:
            LOG.warning("%s: %s; its records are made again from Temporal's histories", error.filename, error.strerror)
        except Exception:
            LOG.exception("the keeper of audit records has ended; it is started again")
            await asyncio.sleep(AGAIN_IN.total_seconds())


async def _kept_once(
    client: Client, cluster: str, base: Path, settings: Settings, told: Callable[[Heads], Heads]
) -> None:
    store = await _opened(client, cluster, settings)
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


async def _opened(client: Client, cluster: str, settings: Settings) -> Store:
    """The folder, as soon as it can be had; what stands in the way is told once."""
    place, told = settings.audit_folder, ""
    keeps = f"{cluster}: task queue {settings.task_queue} of namespace {client.namespace}"
    while True:
        said = ""
        try:
            return await asyncio.to_thread(lambda: Store(place, _key(settings.audit_signer), cluster, keeps))
        except Held as error:
            if error.keeps != keeps:  # else all is well: that one records the runs of this worker as well
                said = f"no audit records are kept: {place} is kept by another worker ({error.keeps or 'not known'}), "
                said += f"and this one is of {keeps}: name a folder of its own with QUORATE_AUDIT"
        except OSError as error:
            said = f"no audit records are kept: {error.filename or place}: {error.strerror}"
        if said and said != told:
            LOG.warning("%s", said)
            told = said
        await asyncio.sleep(AGAIN_IN.total_seconds())


def _key(path: Path) -> Key:
    """The key that signs. OSError where there is none to sign with."""
    try:
        return key_of(path)
    except ValueError as error:
        said = f"it is no private key ({error}): put it right, or move it away for a new one"
        raise OSError(errno.EINVAL, said, str(path)) from None
