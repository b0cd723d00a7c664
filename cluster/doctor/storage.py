"""The way from nodes to arrays: portals, multipath, what a reboot would lose, the volume group. Pure.

Each judgement is the one that the deployment itself makes before it changes anything.
"""

from collections.abc import Iterator, Mapping, Sequence

from pydantic import Field

from cluster import alignment, fabric
from cluster.booting import Boot, lost_by_a_reboot
from cluster.doctor.arrays import ArrayTold, wwids
from cluster.doctor.check import About, Check, Unread
from cluster.doctor.nvme import NvmeTold
from cluster.fabric import Fabric
from cluster.inventory import Inventory, Pod
from cluster.multipathing import MultipathConfig, harmful, slow
from cluster.nouns import Value
from cluster.sessions import Record, Session, manual
from cluster.units import counted, shortly
from cluster.volumes import activated_at_boot


class Joined(Value):
    """What multipathd has joined: usable paths to the first volume, and what is wrong with any volume's, by WWID."""

    near: int = 0  # through the node's own array
    far: int = 0
    wrong: dict[str, str] = Field(default_factory=dict)


class PathsTold(Value):
    """What one node has said of its way to the arrays; `local` are WWIDs of own disks that multipath has claimed."""

    node: str
    dark: dict[str, str] | Unread = Field(default_factory=dict)  # portal -> how it fails
    config: MultipathConfig | Unread
    local: tuple[str, ...] | Unread = ()
    boot: Boot | Unread
    sessions: tuple[Session, ...] | Unread = ()
    records: tuple[Record, ...] | Unread = ()
    fabric: Fabric | Unread | None = None  # of HBAs; not asked where the transport is another one
    joined: Joined | Unread | None = None  # None where an array has not told what there should be
    nvme: NvmeTold | None = None  # the same of NVMe/TCP


def portals(told: PathsTold, arrays: Sequence[ArrayTold]) -> Check:
    """Every portal that the inventory wants takes a connection from this node."""
    about = About(area="hosts", subject=told.node, what="portals")
    if isinstance(told.dark, Unread):
        return about.unread(told.dark)
    whose = {portal: array.name for array in arrays for portal in array.portals}
    if told.dark:
        said = ", ".join(f"{portal} of {whose.get(portal, 'an array')} {why}" for portal, why in told.dark.items())
        return about.wrong(
            f"no connection: {said}",
            "check cable, VLAN and firewall, or name the portals to use in arrays.portals of that array",
        )
    if silent := [array.name for array in arrays if not array.portals]:
        return about.unknown(f"{', '.join(silent)} tells no portal")
    if len(arrays) < 2:  # a pod has two
        return about.unknown("an array was not asked for its portals")
    return about.ok(f"all {len(whose)} take connections")


def hbas(told: PathsTold, wwns: Sequence[str], arrays: Sequence[ArrayTold]) -> Check:
    """Each HBA port of the inventory has a link and is logged in at both arrays, at as many ports as the others."""
    about = About(area="hosts", subject=told.node, what="HBAs")
    if isinstance(told.fabric, Unread):
        return about.unread(told.fabric)
    if told.fabric is None:
        return about.unknown("it was not asked for its HBAs")
    if said := fabric.lacking(told.fabric, wwns):
        return about.wrong(*_parted(said))
    if silent := [array.name for array in arrays if not array.wwns]:
        return about.unknown(f"{', '.join(silent)} tells no Fibre Channel port")
    if len(arrays) < 2:  # a pod has two
        return about.unknown("an array was not asked for its ports")
    ports = {array.name: array.wwns for array in arrays}
    if said := fabric.unzoned(told.fabric, wwns, ports) or fabric.uneven(told.fabric, wwns, ports):
        return about.wrong(*_parted(said))
    logins = sum(len(told.fabric.at(wwns, one)) for one in ports.values())
    return about.ok(f"{counted(len(wwns), 'port')} with a link, {counted(logins, 'login')} at the arrays")


def _parted(said: str) -> tuple[str, str]:
    """What is wrong, and what to do about it."""
    evidence, _, remedy = said.partition("; ")
    if remedy:
        return evidence, remedy
    evidence, _, remedy = said.partition(": check ")
    return (evidence, f"check {remedy}") if remedy else (said, "compare the zones of its HBA ports on the switch")


def multipath(told: PathsTold, wwid: str | None, *, sets: bool, doubt: str = "", more: Sequence[str] = ()) -> Check:
    """What multipathd goes by does no harm to the volume. `sets`: the deployment writes what differs.

    `doubt` is why nobody knows which volume that is; `more` are others that are known.
    """
    about = About(area="hosts", subject=told.node, what="multipath")
    if isinstance(told.config, Unread):
        return about.unread(told.config)
    config, each = told.config, tuple(dict.fromkeys((wwid, *more)))
    wrong = tuple(dict.fromkeys(said for one in each for said in harmful(config, one)))
    said, _, remedy = wrong[0].partition("; ") if wrong else ("", "", "")
    more = f"; and {counted(len(wrong) - 1, 'other setting')}" if len(wrong) > 1 else ""
    if wrong and not sets:
        return about.wrong(f"{said}{more}", remedy)
    if isinstance(told.local, Unread):
        return about.unread(told.local)
    if told.local:
        return about.wrong(
            f"it has claimed disks that are none of the arrays' and have one path: {shortly(told.local)}",
            f'there: blacklist {{ wwid "{told.local[0]}" }} in /etc/multipath.conf; then multipath -w {told.local[0]}',
        )
    if wrong:
        return about.later(f"{said}{more}", "the deployment sets it (paths.multipath)")
    if wwid is None and doubt:
        return about.unknown(f"harmless as far as can be seen; whether the blacklist hides the volume is open: {doubt}")
    if remarks := [said for one in each for said in slow(config, one)]:
        return about.ok(f"harmless, but {remarks[0].partition('; ')[0]}")
    return about.ok("settings harmless for the volume, no other disk claimed")


def paths(told: PathsTold, arrays: Sequence[ArrayTold]) -> Check:
    """Every volume has the paths through both arrays that it should have, where multipathd joins them."""
    about = About(area="hosts", subject=told.node, what="paths")
    if isinstance(told.joined, Unread):
        return about.unread(told.joined)
    if why := untold(arrays):
        return about.unknown(why)
    if told.joined is None:
        return about.unknown("an array was not asked for what there should be")
    known = wwids(arrays)
    if not known:
        return about.later("there is no volume yet: the deployment makes it, and its paths")
    iqns = {array.iqn for array in arrays}
    if told.fabric is None and not any(one.iqn in iqns for one in _sessions(told)):
        return about.later("no sessions yet: the deployment makes them, and with them the paths")
    if wrong := told.joined.wrong:
        wwid, said = next(iter(wrong.items()))
        of = "" if len(known) == 1 or wwid in said else f"{wwid}: "
        more = f"; and {counted(len(wrong) - 1, 'other volume')}" if len(wrong) > 1 else ""
        return about.wrong(f"{of}{said}{more}", f"run: quorate plan deploy; there: multipath -ll {wwid}")
    return about.ok(f"{told.joined.near} optimized, {told.joined.far} non-optimized")


def _sessions(told: PathsTold) -> tuple[Session, ...]:
    return () if isinstance(told.sessions, Unread) else told.sessions


def reboot(told: PathsTold, arrays: Sequence[ArrayTold]) -> Check:
    """What a reboot would lose; before a deployment there are no paths to be lost."""
    about = About(area="hosts", subject=told.node, what="after a reboot")
    for part in (told.boot, told.sessions, told.records):
        if isinstance(part, Unread):
            return about.unread(part)
    boot, sessions, records = told.boot, told.sessions, told.records
    if isinstance(boot, Unread) or isinstance(sessions, Unread) or isinstance(records, Unread):
        raise AssertionError("each has just been looked at")
    if why := untold(arrays):
        return about.unknown(why)
    found = wwids(arrays)
    iqns = {array.iqn for array in arrays}
    if boot.transport == "fc" and not found:
        return about.later("there is no volume yet: the deployment makes it, and what brings its paths back")
    if boot.transport == "iscsi" and not any(session.iqn in iqns for session in sessions):
        return about.later("no sessions yet: the deployment makes them, and what brings them back")
    left = [one for array in arrays for one in manual(array.iqn, array.portals, records)]
    if lost := list(dict.fromkeys(one for wwid in found or (None,) for one in lost_by_a_reboot(boot, wwid, left))):
        said, _, remedy = lost[0].partition(": ")
        more = f"; and {counted(len(lost) - 1, 'other thing')}" if len(lost) > 1 else ""
        return about.wrong(f"{said}{more}", f"there: {remedy}")
    return about.ok(f"{'logins' if boot.transport == 'fc' else 'sessions'}, units and WWIDs come back")


def volumes(vg: str, found: tuple[str, ...] | Unread | None) -> Check:
    """No volume is activated wherever a node boots, as those of before Proxmox VE 9 are. None: there is no group."""
    about = About(area="hosts", subject=vg, what="autoactivation")
    if found is None:
        return about.later("there is no volume group yet: the deployment makes it")
    if isinstance(found, Unread):
        return about.unread(found)
    if said := activated_at_boot(vg, found).removeprefix("; "):
        evidence, _, remedy = said.partition("; switch it off: ")
        return about.wrong(evidence, f"on a node: {remedy}")
    return about.ok("no volume is activated at boot")


def sides(inventory: Inventory, arrays: Sequence[ArrayTold], ids: Mapping[str, int]) -> Iterator[Check]:
    """After a cut between the sites, votes and storage are at the same one; several pods have a line each."""
    about = About(area="arrays", subject="pod", what="failover preference")
    if inventory.third:
        yield about.ok(f"no tie to break: nodes at {inventory.third.name} decide")
        return
    if not alignment.tie_breaker(inventory, ids):
        yield about.unknown("no node tells corosync's node ids", "on a node: pvecm nodes")
        return
    first, *others = inventory.all_pods
    if others:
        about = about.model_copy(update={"subject": first.name})
    yield _side(about, inventory, first, [array.preferences for array in arrays], ids)
    for pod in others:
        about = about.model_copy(update={"subject": pod.name})
        yield _side(about, inventory, pod, [array.more.get(pod.name) for array in arrays], ids)


def _side(
    about: About,
    inventory: Inventory,
    pod: Pod,
    known: Sequence[tuple[str, ...] | Unread | None],
    ids: Mapping[str, int],
) -> Check:
    found = next((one for one in known if isinstance(one, tuple)), None)
    if found is None and any(isinstance(one, Unread) for one in known):
        return about.unread(next(one for one in known if isinstance(one, Unread)))
    if not known:
        return about.unknown("no array tells it")
    wanted = pod.failover_preference
    if found is None and wanted and not alignment.apart(inventory, (wanted,), ids, pod.name):
        return about.later("there is no pod yet: the deployment makes it prefer the tie-breaker's site")
    if found is None:
        found = (wanted,) if wanted else ()
    if said := alignment.apart(inventory, found, ids, pod.name):
        evidence, _, remedy = said.rpartition("; ")
        return about.wrong(evidence, remedy)
    return about.ok("at the site of corosync's tie-breaker")


def untold(arrays: Sequence[ArrayTold]) -> str:
    """Why what nodes have cannot be compared with what both arrays have, in words; empty when it can.

    What an array has not told is not missing there.
    """
    silent = [
        one.name for one in arrays if one.untold or isinstance(one.called, Unread) or isinstance(one.ports, Unread)
    ]
    if silent:
        return f"{', '.join(silent)} did not tell all of ports and volume"
    return "" if len(arrays) > 1 else "an array was not asked for ports and volume"
