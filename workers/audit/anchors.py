"""Heads told to somebody outside the folder: whoever holds folder and key can write all of it anew but these words.

A place that does not take one is told of once in the log, and tried again; no run and no record waits for it. What was
told is noted in the folder (`anchored.jsonl`), as a help to whoever looks for it and as a proof of nothing.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import rfc8785
from pydantic import ValidationError
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.clients import timestamps, webhook
from activities.clients.secrets import Secrets
from activities.errors import Word
from cluster.audit.head import Anchor, Head
from cluster.audit.line import stamp
from cluster.ledger import ledger_id
from cluster.nouns import Value
from workers.audit.keeper import Heads

LOG = logging.getLogger("quorate.audit")
TOLD = "anchored.jsonl"
AGAIN_IN = timedelta(seconds=30)
WEBHOOK_WITHIN = 20.0  # seconds
LEDGER = "ClusterLedger"
MISSING = "time stamps need an extra: pip install 'quorate[audit]'"


class Told(Value):
    """A head that a place has taken, and what it said to that."""

    at: datetime
    place: str
    number: int
    sha256: str
    answer: str = ""


class Place(Protocol):
    """Somebody outside."""

    name: str

    def wants(self, head: Head) -> bool:
        """Whether it is told of this one; those that it is not told of are in the chain of the next."""

    async def tell(self, anchor: Anchor, head: Head) -> str:
        """Tell it; what it has answered. OSError, RPCError or a Word where it does not take it."""


class File:
    """A file elsewhere that only grows: on another machine's disk, or one that can be written once."""

    name = "file"

    def __init__(self, path: Path) -> None:
        self._path = path

    def wants(self, _: Head) -> bool:
        """Every one."""
        return True

    async def tell(self, anchor: Anchor, _: Head) -> str:
        """A line more, on its disk when this returns."""
        await asyncio.to_thread(self._append, anchor.canonical)
        return str(self._path)

    def _append(self, text: bytes) -> None:
        with self._path.open("ab", buffering=0) as file:
            file.write(text)
            os.fsync(file.fileno())


class Webhook:
    """An address that takes JSON; the address is a secret, and a reference here."""

    name = "webhook"

    def __init__(self, reference: str, secrets: Secrets) -> None:
        self._reference, self._secrets = reference, secrets

    def wants(self, _: Head) -> bool:
        """Every one."""
        return True

    async def tell(self, anchor: Anchor, _: Head) -> str:
        """Posted."""
        url = self._secrets.address(self._reference)
        document = {"kind": "audit-head", **anchor.model_dump(mode="json")}
        status = await asyncio.to_thread(webhook.post, url, document, {}, WEBHOOK_WITHIN)
        return f"HTTP {status}"


class TimeStamps:
    """A service that signs when it has seen a digest (RFC 3161); its answer is kept beside the head."""

    name = "time stamp"

    def __init__(self, url: str, place: Path) -> None:
        self._url, self._place = url, place

    def wants(self, _: Head) -> bool:
        """Every one."""
        return True

    async def tell(self, _: Anchor, head: Head) -> str:
        """Stamped, and the stamp looked at."""
        answer = await asyncio.to_thread(timestamps.stamp, self._url, head.canonical)
        path = self._place / f"{head.name}.tsr"
        await asyncio.to_thread(path.write_bytes, answer)
        when, _why = timestamps.stamped(answer, head.canonical)
        return stamp(when) if when else ""


class Ledger:
    """The cluster's ledger at Temporal: another store than the folder, and it outlives every run."""

    name = "ledger"

    def __init__(self, client: Client, cluster: str) -> None:
        self._client, self._run = client, ledger_id(cluster)

    def wants(self, head: Head) -> bool:
        """Those of runs that have ended; the ledger's own would tell it about itself without an end."""
        return head.closed and head.runbook != LEDGER

    async def tell(self, anchor: Anchor, _: Head) -> str:
        """As a signal: it is in the ledger's history, and in its memory from then on."""
        try:
            await self._client.get_workflow_handle(self._run).signal("audited", anchor)
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise
            return "there is no ledger yet"
        return str(self._run)


class Anchors(Heads):
    """Tells each place of the newest head, in its own time."""

    def __init__(self, folder: Path, places: Sequence[Place]) -> None:
        self._folder, self._places = folder, places
        self._due: dict[str, Head] = {}
        self._something = asyncio.Event()
        self._troubles: dict[str, str] = {}
        self._told = {one.place: one.number for one in told(folder)}

    def signed(self, head: Head) -> None:
        """Every place that wants it is told soon."""
        for place in self._places:
            if place.wants(head) and head.number > self._told.get(place.name, -1):
                self._due[place.name] = head
        self._something.set()

    async def keep(self) -> None:
        """Until it is cancelled."""
        while True:
            await self._something.wait()
            self._something.clear()
            await self.tell()
            if self._due:
                await asyncio.sleep(AGAIN_IN.total_seconds())
                self._something.set()

    async def tell(self) -> None:
        """Every place once; what is not taken is still due."""
        for place in self._places:
            if head := self._due.get(place.name):
                await self._tell(place, head)

    async def _tell(self, place: Place, head: Head) -> None:
        try:
            answer = await place.tell(Anchor.of(head), head)
            await asyncio.to_thread(self._noted, place, head, answer)
        except (OSError, RPCError, Word, ImportError) as error:
            said = MISSING if isinstance(error, ImportError) else getattr(error, "message", "") or str(error)
            if self._troubles.get(place.name) != said:
                LOG.warning("head %s is not told outside (%s): %s; it is tried again", head.number, place.name, said)
            self._troubles[place.name] = said
            return
        self._troubles.pop(place.name, None)
        self._told[place.name] = head.number
        if self._due[place.name] is head:
            del self._due[place.name]

    def _noted(self, place: Place, head: Head, answer: str) -> None:
        said = Told(
            at=datetime.now(UTC), place=place.name, number=head.number, sha256=head.digest, answer=answer
        ).model_dump(mode="json")
        with (self._folder / TOLD).open("ab", buffering=0) as file:
            file.write(rfc8785.dumps(said) + b"\n")


def told(folder: Path) -> list[Told]:
    """What was told to whom, oldest first; what cannot be read is left out."""
    try:
        lines = (folder / TOLD).read_bytes().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        with contextlib.suppress(ValidationError):
            found.append(Told.model_validate_json(line))
    return found


def known(path: Path) -> list[Anchor]:
    """The heads of a file elsewhere. OSError where it cannot be read; ValueError where a line is no head."""
    return [Anchor.model_validate_json(line) for line in path.read_bytes().splitlines() if line.strip()]
