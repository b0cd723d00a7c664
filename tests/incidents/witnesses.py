"""What the twin itself knows, and when: the evidence that verdicts and proofs are measured against."""

import asyncio
import time
from datetime import UTC, datetime

from tests.incidents.conftest import Site


class Evidence:
    """Watches the twin from inside: wall times at which things became true, for as long as it runs."""

    def __init__(self, site: Site, lost: str) -> None:
        self._site, self._inventory = site, site.inventory
        self._gone = {node.name for node in self._inventory.site(lost).nodes}
        self._left = [node.name for node in self._inventory.other_site(lost).nodes]
        self.at: dict[str, datetime] = {}
        self._task = asyncio.run_coroutine_threadsafe(self._look(), site._loop)

    def stop(self) -> None:
        self._task.cancel()

    def _note(self, what: str) -> None:
        self.at.setdefault(what, datetime.now(UTC))

    async def _look(self) -> None:
        world, survivors = self._site.world, frozenset(self._left)
        until = time.monotonic() + 600
        while time.monotonic() < until:
            members = world.membership
            settled = all(members.members(node) == survivors for node in self._left)
            if settled and not set(members.clients()) & self._gone:
                self._note("evidence")
            manager = world.cluster.ha.manager
            for sid, service in (manager.services if manager else {}).items():
                guest = world.cluster.guests.get(int(sid.partition(":")[2]))
                if (
                    service.running
                    and service.node in survivors
                    and guest
                    and guest.running
                    and guest.node in survivors
                ):
                    self._note(sid)
            await asyncio.sleep(0.02)
