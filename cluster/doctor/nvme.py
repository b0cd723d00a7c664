"""A node's way to the arrays over NVMe/TCP: its name, who joins its paths, each path, what a reboot would lose. Pure.

Each judgement is the one that the deployment itself makes.
"""

from collections.abc import Sequence

from pydantic import Field

from cluster import nvme
from cluster.doctor.arrays import ArrayTold, wwids
from cluster.doctor.check import About, Check, Unread
from cluster.doctor.hosts import Told
from cluster.nouns import Value
from cluster.nvme import NON_OPTIMIZED, OPTIMIZED, Controller, Line, Way
from cluster.units import counted


class Seen(Value):
    """A volume as a node sees it: its device, None where the node has none, and each controller with its ANA state."""

    device: str | None = None
    controllers: tuple[Controller, ...] | Unread = ()


class NvmeTold(Seen):
    """What one node has said of its NVMe over fabrics; `others` are the volumes beside the first one, by WWID."""

    native: bool | Unread
    module: Unread | None  # why the kernel does not speak NVMe/TCP; None where it does
    others: dict[str, Seen] = Field(default_factory=dict)
    lines: tuple[Line, ...] | Unread = ()
    enabled: bool | Unread = False  # the unit that connects at boot


def name(told: Told, nqn: str) -> Check:
    """The node's own name for NVMe is the inventory's."""
    about = About(area="hosts", subject=told.name, what="initiator")
    if isinstance(told.initiator, Unread):
        return about.unread(told.initiator)
    if str(told.initiator).lower() != nqn.lower():
        return about.wrong(
            f"/etc/nvme/hostnqn says {told.initiator}, the inventory says {nqn}",
            f"correct the nqn of {told.name} in the inventory",
        )
    return about.ok("as in the inventory")


def multipath(node: str, told: NvmeTold, arrays: Sequence[ArrayTold]) -> Check:
    """The kernel speaks NVMe/TCP and joins paths, which the arrays show under one subsystem."""
    about = About(area="hosts", subject=node, what="NVMe")
    if told.module is not None:
        said, _, remedy = told.module.said.partition("; ")
        return about.wrong(said.removeprefix(f"{node}: "), f"there: {remedy.rpartition('boot: ')[2]}")
    if isinstance(told.native, Unread):
        return about.unread(told.native)
    if len(nqns := {array.nqn for array in arrays if array.nqn}) > 1:
        said, _, remedy = nvme.subsystems_differ(nqns).partition("; ")
        return about.wrong(said, remedy)
    return about.ok("native multipathing" if told.native else "native multipathing is off: multipathd joins paths")


def paths(node: str, near: str, told: NvmeTold, arrays: Sequence[ArrayTold]) -> Check:
    """A live controller for each portal, with the ANA state that it should have for every volume.

    `near` is the node's own array.
    """
    about = About(area="hosts", subject=node, what="paths")
    if isinstance(told.controllers, Unread):
        return about.unread(told.controllers)
    known = wwids(arrays)
    if not known or not told.controllers:
        return about.later("no controllers yet: the deployment connects them")
    if told.native is not True:
        return about.unknown("multipathd joins them", "there: multipath -ll")
    portals = {array.name: array.portals for array in arrays}
    for number, wwid in enumerate(known):
        seen = told.others.get(wwid, Seen()) if number else told
        if isinstance(seen.controllers, Unread):
            return about.unread(seen.controllers)
        if said := nvme.lacking(portals, near, seen.controllers, seen.device, wwid):
            of = "" if len(known) == 1 or wwid in said else f"{wwid}: "
            return about.wrong(f"{of}{said}", "run: quorate plan deploy; there: nvme list-subsys")
    far = tuple(at for array in arrays if array.name != near for at in array.portals)
    good = nvme.usable(portals.get(near, ()), OPTIMIZED, told.controllers)
    return about.ok(f"{good} optimized, {nvme.usable(far, NON_OPTIMIZED, told.controllers)} non-optimized")


def reboot(node: str, told: NvmeTold, arrays: Sequence[ArrayTold]) -> Check:
    """What a reboot would lose; before a deployment there are no paths to be lost."""
    about = About(area="hosts", subject=node, what="after a reboot")
    if isinstance(told.controllers, Unread):
        return about.unread(told.controllers)
    if isinstance(told.lines, Unread):
        return about.unread(told.lines)
    if isinstance(told.enabled, Unread):
        return about.unread(told.enabled)
    portals = [at for array in arrays for at in array.portals]
    ways = [Way(portal=one.portal, iface=one.iface) for one in told.controllers if one.portal in portals]
    if not ways:
        return about.later("no controllers yet: the deployment connects them, and makes what brings them back")
    if lost := nvme.lost_by_a_reboot(nvme.unlisted(ways, told.lines), enabled=told.enabled):
        said, _, remedy = lost[0].partition(": ")
        more = f"; and {counted(len(lost) - 1, 'other thing')}" if len(lost) > 1 else ""
        return about.wrong(f"{said}{more}", f"there: {remedy}")
    return about.ok("discovery.conf and its unit bring every controller back")
