"""The cluster resource manager of each node: all try for one lock, and who has it is master and decides.

States and rounds follow the reference pve-ha, sections 1, 3 and 6; what a master decides is in `ha_manager`.
"""

import copy
from typing import TYPE_CHECKING

from lab.pve.etc.cfslocks import MANAGER
from lab.pve.ha.daemon import Daemon
from lab.pve.ha.manager import Pass
from lab.pve.ha.state import HaFiles, Manager, RoundFailed

if TYPE_CHECKING:
    from lab.pve.ha.stack import Ha

MASTER_ROUND = 10.0
WAITING_ROUND = 5.0
SLAVE_ROUND = 5.0  # one series of attempts takes as long
IDLE_ROUNDS = 90  # fifteen minutes without a configured service: the master gives up


class Crm(Daemon):
    """A node's CRM."""

    kind = "crm"
    first_state = "wait_for_quorum"

    def __init__(self, ha: "Ha", node: str) -> None:
        super().__init__(ha, node)
        self._idle_rounds = 0
        self.last_online: dict[str, float] = {}  # node -> the own clock; a new master remembers nothing
        self._unwritten: Manager | None = None  # what a master has decided in rounds that failed before their end

    def forget(self) -> None:
        """A new process knows nothing."""
        super().forget()
        self._forget_as_master()

    def _forget_as_master(self) -> None:
        """Who was there, and what could not be written."""
        self._idle_rounds = 0
        self.last_online.clear()
        self._unwritten = None

    @property
    def failing(self) -> bool:
        """The last round has failed: what this master has done since is in no file."""
        return self._unwritten is not None

    async def round(self) -> float:
        """Wait for quorum, try to become master, or manage."""
        if self.state == "master":
            if await self.protected(MANAGER):
                return await self._lead()
            self._step_down()
        if not self.powered or not self._may_lead():
            self.state = "wait_for_quorum"
            return WAITING_ROUND
        began, self.state = self.state, "slave"
        if await self.protected(MANAGER):
            self.state = "master"
            self.world.record(self.node, "ha.master", self.node)
            self._forget_as_master()
            return await self._lead()
        return WAITING_ROUND if began == "wait_for_quorum" else SLAVE_ROUND

    def _may_lead(self) -> bool:
        """Quorum, nothing of its own node that waits for its fencing, and something to do (source: CRM.pm)."""
        files = self.ha.seen_by(self.node)
        manager = files.manager
        services = manager.services.values() if manager else ()
        if not self.quorate or any(one.node == self.node and one.state == "fence" for one in services):
            return False
        # Any slave could be first of all; in the twin it is a certain node, so that runs repeat.
        first = self.world.nodes[self.ha.first_master]
        if manager is None and self.node != self.ha.first_master and first.powered:
            return False
        return bool(files.resources) or self._must_lead(files)

    def _must_lead(self, files: HaFiles) -> bool:
        """Without a service there is work all the same: commands, what is left of services, a maintenance that ends."""
        manager = files.manager
        if manager is None:
            return bool(files.commands)
        if manager.nodes.get(manager.master) == "online" and manager.master != self.node:
            return False
        ends = any(
            state == "maintenance" and not manager.requests.get(node, {}).get("maintenance")
            for node, state in manager.nodes.items()
        )
        return ends or bool(files.commands or manager.services or manager.disarm)

    async def _lead(self) -> float:
        """One pass over everything, written down at its end.

        A round that fails is never written: the file grows old, and the master tries again from what it remembers.
        """
        if self.ended:
            self._give_lock_back()
            return MASTER_ROUND
        files = self.ha.files
        manager = self._unwritten or copy.deepcopy(files.manager) or Manager(self.node, 0)
        if self._idle(files):
            return MASTER_ROUND
        manager.master = self.node
        one = Pass(self.ha, self.node, manager, self.last_online)
        try:
            if not one.run():
                return MASTER_ROUND  # its own node seems to be offline
        except RoundFailed as error:
            self.ha.log(self.node, f"got unexpected error - {error}")
            self.ha.cluster.spawn(self._announce(one, files.manager))
            self._unwritten = manager
            return MASTER_ROUND
        self._unwritten = None
        before, files.manager = files.manager, manager
        manager.timestamp = int(self.wall)
        self.ha.cluster.spawn(self._announce(one, before))
        if manager.disarm is not None and manager.disarm["state"] == "disarmed":
            self.ha.watchdogs[self.node].close(self.kind)
        return MASTER_ROUND

    def _idle(self, files: HaFiles) -> bool:
        """Without any service for a quarter of an hour a master gives up."""
        manager = files.manager
        busy = files.resources or (manager and (manager.services or manager.disarm))
        self._idle_rounds = 0 if busy else self._idle_rounds + 1
        if self._idle_rounds > IDLE_ROUNDS:
            self._give_lock_back()
            return True
        return False

    async def _announce(self, one: Pass, before: Manager | None) -> None:
        """Send the mails of this round: they tell what was last written, so each is one step behind."""
        for mail in one.mails:
            await self.ha.announce(self.node, mail, before)

    def _step_down(self) -> None:
        """Without its lock a master holds no watchdog: the loss of quorum alone never resets a node because of it."""
        self.ha.watchdogs[self.node].close(self.kind)
        self.state = "wait_for_quorum"

    def _give_lock_back(self) -> None:
        self.ha.locks.release(MANAGER, self.kind, self.node)
        self._step_down()

    def end(self) -> None:
        """An orderly end of the daemon: if it is master, the next one is found within seconds."""
        self.ended = True
        if self.state == "master":
            self._give_lock_back()

    def begin(self) -> None:
        """The daemon is started again."""
        self.state = self.first_state
        self.forget()
