"""Power: what a machine loses with it, and what comes back by itself when it boots."""

from typing import TYPE_CHECKING

from lab.physics import fabric, nvme
from lab.physics.initiator import activate_at_boot, log_in_at_boot, maps_at_boot

if TYPE_CHECKING:
    from lab.physics.world import Host, World


def switch_off(world: "World", nodes: list[str], *, why: str = "power.off") -> None:
    """Take the power from nodes: their processes, iSCSI sessions and open volumes are gone at once."""
    for name in nodes:
        world.nodes[name].starting = False
    off = [world.nodes[name] for name in nodes if world.nodes[name].powered]
    for host in off:
        world.cluster.loses_power(host.name)
        host.powered = False
        host.sessions.clear()
        host.scanned.clear()
        host.nvme.lost_since.clear()
        _end_processes(host)
        world.membership.lost_power(host.name)
        world.cluster.node_died(host.name)
        for disk in world.disks.values():
            for lv in disk.vg.lvs.values() if disk.vg else ():
                for held in (lv.active_on, lv.open_on, lv.suspended_on):
                    held.discard(host.name)
        world.record(host.name, why, host.name)
    if off:
        world.links.changed()


async def switch_on(world: "World", nodes: list[str]) -> None:
    """Give nodes their power back and wait until they have booted: daemons run, automatic sessions are there."""
    off = [world.nodes[name] for name in nodes if not world.nodes[name].powered]
    await world.clock.sleep(world.BOOTS_IN)
    for host in off:
        if not host.powered:
            _boot(world, host)
    if off:
        world.links.changed()


def reset(world: "World", node: str) -> None:
    """A watchdog's reset: nothing runs for as long as it takes to boot, although the machine has power all the time.

    One whose power is taken meanwhile does not boot.
    """
    switch_off(world, [node], why="watchdog.reset")
    host = world.nodes[node]
    host.starting = True

    def boot() -> None:
        if host.starting and not host.powered:
            _boot(world, host)
            world.links.changed()

    world.after(world.BOOTS_IN, boot)


def switch_array(world: "World", array: str, *, on: bool) -> None:
    """Take or give an array's power; sessions of hosts with it are gone, and made anew by the hosts' initiators."""
    if world.arrays[array].powered == on:
        return
    world.arrays[array].powered = on
    world.record(array, "power.on" if on else "power.off", array)
    world.links.changed()


def switch_witness(world: "World", *, on: bool) -> None:
    """Take or give the witness's power."""
    if world.witness.powered == on:
        return
    world.witness.powered = on
    if on:
        world.witness.up_since = world.clock.now()
    else:
        _end_processes(world.witness)
    world.record(world.witness.name, "power.on" if on else "power.off", world.witness.name)
    world.links.changed()


def _end_processes(host: "Host") -> None:
    """What somebody had started there, by ssh or as a transient unit, ends where it stands."""
    for process in list(host.processes):
        process.cancel()
    host.processes.clear()
    host.units.clear()


def _boot(world: "World", host: "Host") -> None:
    host.powered, host.starting, host.up_since = True, False, world.clock.now()
    maps_at_boot(host)
    (nvme.connect_at_boot if nvme.used(world) else log_in_at_boot)(world, host)
    fabric.log_in(world, host)
    activate_at_boot(world, host)
    world.record(host.name, "power.on", host.name)
    world.membership.booted(host.name)
    world.cluster.node_booted(host.name)


def nodes_of(world: "World", what: str) -> list[str]:
    """The nodes that a name means: one node, or all of a site; KeyError for anything else."""
    if what in world.nodes:
        return [what]
    if of_site := [name for name, host in world.nodes.items() if host.site == what]:
        return of_site
    raise KeyError(f"{what} is neither a node nor a site")
