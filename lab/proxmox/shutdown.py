"""A node that is shut down or rebooted in an orderly way: HA first, then the other guests, then the power.

What HA does is the datacenter's shutdown policy (reference: pve-ha §11).
"""

import functools
import re
from typing import TYPE_CHECKING

from lab.power import switch_off, switch_on
from lab.proxmox import workers
from lab.proxmox.access import ROOT

if TYPE_CHECKING:
    from lab.proxmox.models import Cluster

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
    lrm = ha.lrms[node]
    lrm.shut_down(policy(cluster), reboot=reboot)
    while not lrm.ended and world.nodes[node].powered:
        await cluster.sleep(1.0)  # without a limit, as systemd does
    if not world.nodes[node].powered:
        return  # a watchdog was faster
    for guest in [guest for guest in cluster.guests.values() if guest.node == node and guest.running]:
        if not ha.manages(guest.vmid):
            work = functools.partial(workers.stop, guest=guest, graceful=True, force=True)
            task = cluster.tasks.begin(node, guest.task("shutdown"), str(guest.vmid), ROOT, work)
            await task.done.wait()
    ha.crms[node].end()
    await cluster.sleep(GOES_DOWN_IN)
    switch_off(world, [node])
    if reboot:
        await switch_on(world, [node])
