"""A node that is shut down or rebooted in an orderly way: HA first, then the other guests, then the power.

What HA does is the datacenter's shutdown policy (reference: pve-ha §11).
"""

import functools
import re
from typing import TYPE_CHECKING

from lab.physics.power import switch_off, switch_on
from lab.pve.etc.access import ROOT
from lab.pve.work import guest_tasks as workers

if TYPE_CHECKING:
    from lab.pve.models import Cluster

# What systemd needs for everything else, from the last guest to the power (assumption: seconds on a Debian server).
# It is longer than the master's round, so that the master learns how each node goes down.
GOES_DOWN_IN = 11.0


def policy(cluster: "Cluster") -> str:
    """What the datacenter's options say; ``conditional`` unless they say something."""
    found = re.search(r"shutdown_policy=(\w+)", str(cluster.options.get("ha", "")))
    return found[1] if found else "conditional"


async def shut_down(cluster: "Cluster", node: str, *, reboot: bool) -> None:
    """Shut a node down; returns when it is off, or up again after a reboot."""
    world, ha = cluster.world, cluster.ha
    world.record(node, "node.reboot" if reboot else "node.shutdown", node)
    lrm, host = ha.lrms[node], world.nodes[node]
    life = host.up_since

    def over() -> bool:
        """A watchdog or a lost supply was faster: there is nothing left to shut down, nor anybody who does."""
        return not host.powered or host.up_since != life

    lrm.shut_down(policy(cluster), reboot=reboot)
    while not lrm.ended and not over():
        await cluster.sleep(1.0)  # without a limit, as systemd does
    for guest in [guest for guest in cluster.guests.values() if guest.node == node and guest.running]:
        if not ha.manages(guest.vmid) and not over():
            work = functools.partial(workers.stop, guest=guest, graceful=True, force=True)
            task = cluster.tasks.begin(node, guest.task("shutdown"), str(guest.vmid), ROOT, work)
            await task.done.wait()
    if over():
        return
    ha.crms[node].end()
    await cluster.sleep(GOES_DOWN_IN)
    if over():
        return
    switch_off(world, [node])
    if reboot:
        await switch_on(world, [node])
