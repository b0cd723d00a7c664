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

# After so many lab seconds systemd kills what has not ended; pve-ha-lrm's unit sets 95 s, guests have their own limits.
LIMIT = 600.0
# What systemd needs for everything else, from the last guest to the power; a few seconds on a Debian server.
GOES_DOWN_IN = 5.0
MODES = {
    ("conditional", True): "restart",
    ("conditional", False): "shutdown",
    ("freeze", True): "restart",
    ("freeze", False): "restart",
    ("failover", True): "shutdown",
    ("failover", False): "shutdown",
    ("migrate", True): "maintenance",
    ("migrate", False): "maintenance",
}


def policy(cluster: "Cluster") -> str:
    """What the datacenter's options say; ``conditional`` unless they say something."""
    found = re.search(r"shutdown_policy=(\w+)", str(cluster.options.get("ha", "")))
    return found[1] if found else "conditional"


async def shut_down(cluster: "Cluster", node: str, *, reboot: bool) -> None:
    """Shut a node down; returns when it is off, or up again after a reboot."""
    world, ha = cluster.world, cluster.ha
    world.record(node, "node.reboot" if reboot else "node.shutdown", node)
    mode, lrm = MODES[policy(cluster), reboot], ha.lrms[node]
    lrm.shut_down(mode)
    until = world.clock.now() + LIMIT
    while not lrm.done and world.nodes[node].powered and world.clock.now() < until:
        await cluster.sleep(1.0)
    if lrm.done:
        lrm.give_up()
    for guest in [guest for guest in cluster.guests.values() if guest.node == node and guest.running]:
        if not ha.manages(guest.vmid):
            work = functools.partial(workers.stop, guest=guest, graceful=True, force=True)
            task = cluster.tasks.begin(node, guest.task("shutdown"), str(guest.vmid), ROOT, work)
            await task.done.wait()
    ha.crms[node].release()
    await cluster.sleep(GOES_DOWN_IN)
    switch_off(world, [node])
    if reboot:
        await switch_on(world, [node])
