"""The power of a node, switched through its management controller: for break-glass runbooks, with people's approval.

A machine is switched only after its controller has called it by its own name: an address that was mixed up in the
inventory must not cost another node.
"""

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from temporalio import activity

from activities.attempt import Changes, look_again, paced
from activities.errors import Conflict, NotFound, NotYet, Refuted
from activities.serving import serves
from cluster.breakglass.power import MachineFinding, MachineWish, PowerWish
from cluster.contracts import bmc
from cluster.inventory import Bmc, Inventory

if TYPE_CHECKING:
    from activities.clients.controllers import Controllers
    from activities.clients.quick import Clients
    from activities.people.approvals import Approvals

# Seconds of the cluster's time: a controller reports a switched machine within a few seconds.
POLL, SWITCHED_WITHIN = 1.0, 60.0
# The run has asked every vantage point right before it orders a change. What a worker begins later than this, by the
# wall, stands on facts that are old.
BEGUN_WITHIN = timedelta(seconds=45)


class Power:
    """Activities on power. `speed` is how much faster than the wall a rehearsal's time runs."""

    def __init__(
        self,
        inventory: Inventory,
        controllers: "Controllers",
        clients: "Clients",
        approvals: "Approvals",
        speed: float = 1.0,
    ) -> None:
        self._inventory, self._controllers, self._clients = inventory, controllers, clients
        self._approvals, self._speed = approvals, speed

    @serves(bmc.machine)
    async def machine(self, wish: MachineWish) -> MachineFinding:
        """The controller answers, and is that node's; Refuted when it calls its machine by another name."""
        return await self._told(wish.node)

    @serves(bmc.switch)
    async def switch(self, wish: PowerWish) -> MachineFinding:
        """Switch it, and wait until the controller calls it so. A machine that is in that state is left alone."""
        ledger = Changes(wish.mode)
        found = await self._told(wish.node)
        if not found.named and not wish.nameless:
            raise Refuted(f"{found.finding}: whether it is {wish.node} was not agreed to; look at the device")
        if found.on == wish.on:
            return found.model_copy(update={"changes": ledger.changes})
        if ledger.applying:
            await self._approvals.licence(wish.approval, wish.intent)
            _must_be_soon()
        if not ledger.due(wish.intent):
            return found.model_copy(update={"finding": f"{found.finding}; planned", "changes": ledger.changes})
        try:
            await self._clients.threaded(lambda: self._controllers.switch(self._of(wish.node), on=wish.on))
        except Conflict as error:  # it has changed by itself meanwhile, or is about to
            said = error.message
        else:
            said = "ordered"
        until = time.monotonic() + SWITCHED_WITHIN / self._speed
        while (found := await self._told(wish.node)).on != wish.on:
            if time.monotonic() > until:
                raise NotYet(f"{found.finding} {SWITCHED_WITHIN:.0f} s after it was switched ({said})")
            await look_again(paced(POLL, self._speed), f"{wish.node}: {said}")
        return found.model_copy(update={"changed": ledger.changed, "changes": ledger.changes})

    async def _told(self, node: str) -> MachineFinding:
        controller = self._of(node)
        on, name = await self._clients.threaded(
            lambda: (self._controllers.power(controller), self._controllers.machine(controller))
        )
        if name and name.partition(".")[0].lower() != node.lower():
            raise Refuted(
                f"the controller at {controller.address} calls its machine {name!r}, the inventory says {node}; "
                "correct the bmc of that node in the inventory"
            )
        who = "" if name else ", and knows no name of it"
        return MachineFinding(
            finding=f"{controller.address} calls {node} {'on' if on else 'off'}{who}", on=on, named=bool(name)
        )

    def _of(self, node: str) -> Bmc:
        if (found := self._inventory.node(node).bmc) is None:
            raise NotFound(f"{node} has no bmc in the inventory: switch it at the rack")
        return found


def _must_be_soon() -> None:
    """NotYet when the order has waited for a worker: its run asks every vantage point anew and orders again."""
    waited = datetime.now(UTC) - activity.info().current_attempt_scheduled_time
    if waited > BEGUN_WITHIN:
        raise NotYet(
            f"the order is {waited.total_seconds():.0f} s old, by this worker's clock: the facts are asked for again"
        )
