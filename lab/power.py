"""Power: what a machine loses with it, and what comes back by itself when it boots."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.world import Host, World


def switch_off(world: "World", nodes: list[str]) -> None:
    """Take the power from nodes: their processes, iSCSI sessions and open volumes are gone at once."""
    for name in nodes:
        host = world.nodes[name]
        if not host.powered:
            continue
        host.powered, host.lost_at = False, world.clock.now()
        host.missed_after = world.random.uniform(*world.CLIENT_DROPPED)
        host.sessions.clear()
        host.scanned.clear()
        host.units.clear()
        for disk in world.disks.values():
            for lv in disk.vg.lvs.values() if disk.vg else ():
                lv.active_on.discard(name)
                lv.open_on.discard(name)
        world.cluster.lose_guests(name)
        world.record(name, "power.off", name)


async def switch_on(world: "World", nodes: list[str]) -> None:
    """Give nodes their power back and wait until they have booted: daemons run, automatic sessions are there."""
    off = [world.nodes[name] for name in nodes if not world.nodes[name].powered]
    await world.clock.sleep(world.BOOTS_IN)
    for host in off:
        host.powered, host.lost_at, host.up_since = True, None, world.clock.now()
        _log_in(world, host)
        world.record(host.name, "power.on", host.name)
    if off:
        world.cluster.ha.joined([host.name for host in off])


def _log_in(world: "World", host: "Host") -> None:
    """What open-iscsi does at boot with the records that say ``automatic``."""
    for number, (array, portal) in enumerate(sorted(host.automatic), start=1):
        if world.arrays[array].powered:
            host.sessions[array, portal] = number
            host.scanned |= {(array, portal, lun.number) for lun in world.arrays[array].luns_of(host.iqn)}


def nodes_of(world: "World", what: str) -> list[str]:
    """The nodes that a name means: one node, or all of a site; KeyError for anything else."""
    if what in world.nodes:
        return [what]
    if of_site := [name for name, host in world.nodes.items() if host.site == what]:
        return of_site
    raise KeyError(f"{what} is neither a node nor a site")
