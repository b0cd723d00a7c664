"""Whether the token may see every guest, as it was lately: a list that leaves some out says nothing of it."""

import asyncio
from datetime import UTC, datetime, timedelta

from temporalio.exceptions import ApplicationError

from activities.clients.quick import Clients
from activities.proxmox.rights import must_see_all_guests

# Rights are a matter of people: what a token may see changes seldom.
EVERY = timedelta(minutes=1)


class Sight:
    """Asked for beside the looks, which have no time for it; what cannot be told makes no silence of anybody.

    `veiled` says why guests may be hidden, empty where none is; None while it is not known. `speed` is how much faster
    than the wall a rehearsal's time runs.
    """

    def __init__(self, clients: Clients, speed: float) -> None:
        self._clients, self._speed = clients, speed
        self._task: asyncio.Task[None] | None = None
        self._asked: datetime | None = None
        self.veiled: str | None = None

    def ask(self, node: str) -> asyncio.Task[None]:
        """Begin to ask that node, where it is time and no answer is awaited."""
        now = datetime.now(UTC)
        due = self._asked is None or (now - self._asked) * self._speed >= EVERY
        if self._task is None or (due and self._task.done()):
            self._asked, self._task = now, asyncio.create_task(self._learn(node))
        return self._task

    def drop(self) -> None:
        """Nobody waits for it any more."""
        if self._task is not None:
            self._task.cancel()

    async def _learn(self, node: str) -> None:
        try:
            await self._clients.threaded(lambda: must_see_all_guests(self._clients.api, node))
            self.veiled = ""
        except ApplicationError as error:
            refused = error.type == "Unauthorized"
            self.veiled = " ".join(error.message.partition("; grant")[0].split())[:200] if refused else None
            self._asked = self._asked if refused else None
