"""Nodes and witness as they were: packages, units, corosync, open-iscsi, multipath, and what LVM has written."""

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from lab.hosts.multipathd import Config
from lab.hosts.system import CODENAMES
from lab.physics import nvme
from lab.physics.disks import Disk, LocalMap, LogicalVolume, VolumeGroup, letters
from lab.physics.initiator import DEFAULT, NodeRecord, Way
from lab.probed.cluster import groups
from lab.probed.facts import Facts

if TYPE_CHECKING:
    from cluster.probing.cleaning import Of
    from lab.physics.world import Host
    from lab.world import World

_MAP = re.compile(r"(?:(?P<name>\S+) \((?P<wwid>[^()]+)\)|(?P<bare>\S+)) dm-\d+ (?P<vendor>.+)")
_SIZE = re.compile(r"size=(?P<number>[\d.]+)(?P<unit>[KMGTP]?)")
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40, "P": 2**50}
_PURE = "3624a9370"
# Short names of multipath that are looked through for the place of a map.
_SHORT_NAMES = 26 * 27


def prepare(world: "World", facts: Facts) -> None:
    """What is on the hosts before any storage."""
    cluster = world.inventory.name
    ids = {row.get("name"): row.get("nodeid") for row in facts.rows("cluster", cluster, "status")}
    for name, host in world.nodes.items():
        host.node_id = ids.get(name) or host.node_id
        host.rings = tuple(facts.after("node", name, "links", "addr\t= "))
        _software(host, facts, "node", facts.instead("node", name, world.nodes, "packages"))
        if version := facts.item("node", name, "version").get("version"):
            host.versions["pve-manager"] = version
    witness = world.witness
    _software(witness, facts, "witness", witness.name)
    if release := dict(line.partition("=")[::2] for line in facts.lines("witness", witness.name, "release")):
        number = release.get("VERSION_ID", "").strip('"')
        witness.debian = release.get("ID") == "debian"
        witness.release = int(number) if number.isdecimal() and int(number) in CODENAMES else witness.release
    world.neighbours |= _neighbours(facts, witness.name, cluster)


def _software(host: "Host", facts: Facts, of: "Of", teller: str) -> None:
    rows = [line.split() for line in facts.lines(of, teller, "packages")]
    if rows:
        there = {row[0]: row[2] for row in rows if len(row) == 3 and row[1] == "installed"}
        asked = {"corosync-qdevice", "lvm2", "multipath-tools", "nvme-cli", "open-iscsi", "corosync-qnetd"}
        host.packages = (host.packages - asked) | there.keys()
        host.versions |= there
    for what in ("units", "boot-units", "nvme-unit"):
        unit = ""
        for line in facts.lines(of, teller, what):
            key, _, value = line.partition("=")
            unit = value.removesuffix(".service") if key == "Id" else unit
            if key == "UnitFileState":
                (host.disabled.add if value == "disabled" else host.disabled.discard)(unit)
            if key == "ActiveState" and unit == "multipathd" and value != "active":
                host.stopped.add(unit)


def _neighbours(facts: Facts, witness: str, ours: str) -> dict[str, int]:
    found: dict[str, int] = {}
    name = ""
    for line in facts.lines("witness", witness, "witness-clients"):
        if line.startswith("Cluster "):
            name = line.split('"')[1]
        elif line.strip().startswith("Node ID") and name != ours:
            found[name] = found.get(name, 0) + 1
    return found


# --- paths -----------------------------------------------------------------------------------------------------------


def log_in(world: "World", facts: Facts) -> None:
    """Sessions, records, what multipath maps and how it calls it."""
    arrays = {portal: array.name for array in world.arrays.values() for portal in array.portals}
    for name, host in world.nodes.items():
        teller = facts.instead("node", name, world.nodes, "sessions")
        _maps(host, facts, teller)
        host.wwids |= {line.strip("/") for line in facts.lines("node", teller, "wwids") if line.startswith("/")}
        for portal, iface, startup in _records(facts, teller):
            if portal in arrays:
                host.records[Way(arrays[portal], portal, iface)] = NodeRecord(startup)
        for portal, iface, number in _sessions(facts, teller):
            if portal in arrays:
                way = Way(arrays[portal], portal, iface)
                host.sessions[way] = number
                world.scan(name, way)
        for way in host.sessions if host.hbas else ():
            world.scan(name, way)
        if nvme.used(world):
            _controllers(world, host, facts, facts.instead("node", name, world.nodes, "nvme-subsystems"))
        host.ifaces = tuple(sorted({way.iface for way in host.records} - {DEFAULT}))


def _controllers(world: "World", host: "Host", facts: Facts, teller: str) -> None:
    """NVMe/TCP: the host's name, its controllers by their numbers, who joins paths, and what a boot asks for."""
    arrays = {portal: array.name for array in world.arrays.values() for portal in array.portals}
    if told := facts.lines("node", host.name, "hostnqn"):
        host.nvme.nqn = told[0]
    host.nvme.native = facts.lines("node", teller, "nvme-multipath") != ["N"]
    if lines := facts.lines("node", teller, "discovery"):
        host.files[nvme.DISCOVERY] = "".join(f"{line}\n" for line in lines)
    subsystems = [one for row in facts.rows("node", teller, "nvme-subsystems") for one in row.get("Subsystems") or ()]
    for path in (path for one in subsystems for path in one.get("Paths") or ()):
        address = dict(part.partition("=")[::2] for part in path["Address"].split(","))
        portal = f"{address.get('traddr')}:{address.get('trsvcid')}"
        if portal in arrays and path["Name"].removeprefix("nvme").isdecimal():
            way = Way(arrays[portal], portal, address.get("host_iface") or address.get("host_traddr") or DEFAULT)
            host.sessions[way] = int(path["Name"].removeprefix("nvme"))
            host.nvme.patience[way] = -1.0
            world.scan(host.name, way)


def _records(facts: Facts, node: str) -> list[tuple[str, str, str]]:
    found, known = [], dict[str, str]()
    for line in facts.lines("node", node, "records"):
        key, _, value = line.partition(" = ")
        known[key] = value
        if line == "# END RECORD":
            portal = f"{known.get('node.conn[0].address')}:{known.get('node.conn[0].port')}"
            iface, startup = known.get("iface.iscsi_ifacename", DEFAULT), known.get("node.startup", "manual")
            found.append((portal, iface, startup))
    return found


def _sessions(facts: Facts, node: str) -> list[tuple[str, str, int]]:
    found, portal, iface = [], "", DEFAULT
    for line in map(str.strip, facts.lines("node", node, "sessions")):
        label, _, value = line.partition(": ")
        if label == "Persistent Portal":
            portal = value.partition(",")[0]
        elif label == "Iface Name":
            iface = value
        elif label == "SID":
            found.append((portal, iface, int(value)))
    return found


def _maps(host: "Host", facts: Facts, teller: str) -> None:
    lines = facts.lines("node", teller, "maps")
    short = {f"mpath{letters(number)}": number for number in range(_SHORT_NAMES)}
    places: dict[int, str] = {}
    for line, after in pairwise([*lines, ""]):
        if (found := _MAP.fullmatch(line)) is None:
            continue
        wwid, name = found["wwid"] or found["bare"], found["name"] or ""
        if name in short:
            places[short[name]] = wwid
        elif name:
            host.aliases[wwid] = name
        if not wwid.startswith(_PURE) and (size := _SIZE.match(after)):
            number = int(float(size["number"]) * _UNITS[size["unit"]])
            host.local_maps.append(LocalMap(wwid, found["vendor"], number))
    if '\tuser_friendly_names "yes"' in facts.lines("node", teller, "multipath-config") or places:
        host.friendly_names = True
    # a short name that went with a map of earlier days is given to no other
    host.bindings = [places.get(number, f"gone-{number}") for number in range(max(places, default=-1) + 1)]


def configure(world: "World", facts: Facts) -> None:
    """What multipathd goes by, where it is not as on any node: as a file that says so."""
    for name, host in world.nodes.items():
        if lines := facts.lines("node", name, "multipath-config"):
            usual, text = _sections(Config(host).text().splitlines()), ""
            for section, parts in _sections(lines).items():
                own = [one for one in parts if one not in usual.get(section, ())]
                text += f"{section} {{\n{''.join(own)}}}\n" if own else ""
            if text:
                host.files["/etc/multipath.conf"] = text
                host.settings = host.multipath_files()


def _sections(lines: list[str]) -> dict[str, list[str]]:
    """Sections with their settings, an inner block as one of them."""
    found: dict[str, list[str]] = {}
    section, block = "", ""
    for line in lines:
        if line.startswith("\t\t") or (line.startswith("\t") and line.endswith("{")):
            block += f"{line}\n"
        elif line == "\t}":
            found[section].append(f"{block}{line}\n")
            block = ""
        elif line.startswith("\t"):
            found[section].append(f"{line}\n")
        elif line.endswith(" {"):
            section = line.removesuffix(" {")
            found[section] = []
    return found


# --- votes and LVM ---------------------------------------------------------------------------------------------------


def vote(world: "World", facts: Facts) -> None:
    """The quorum device, if any node counts one; and the version of corosync.conf."""
    rows = [line for name in world.nodes for line in facts.lines("node", name, "votes")]
    if any(re.search(r" Qdevice( |$)", line) and not line.startswith("Flags") for line in rows):
        world.membership.set_up_device(settled=True)
    head = next((row for row in facts.rows("cluster", world.inventory.name, "status") if "version" in row), {})
    world.corosync.config_version = head.get("version", world.corosync.config_version)


def write_groups(world: "World", facts: Facts, sizes: dict[str, int]) -> None:
    """Volume groups on volumes and on the nodes' own disks; `sizes` are those of guests' disks on the shared one."""
    for name, host in world.nodes.items():
        for report in facts.item("node", name, "volume-groups").get("report", ()):
            for row in report.get("vg", ()):
                _group(world, host, row)
    ours = [storage.vg for storage in world.inventory.all_storages]
    shared = {disk.vg.name: disk.vg for disk in world.disks.values() if disk.vg and disk.vg.name in ours}
    for name in world.nodes if shared else ():
        _volumes(facts, name, shared, sizes, groups(world, facts))


def _group(world: "World", host: "Host", row: dict[str, str]) -> None:
    group = VolumeGroup(row["vg_name"], int(row["vg_size"]))
    device = row["pv_name"].removeprefix("/dev/mapper/")
    disk = next((one for one in world.disks.values() if _stands_on(world, host, one) in (device, row["pv_name"])), None)
    if disk is None:
        if held := group.size - int(row["vg_free"]):
            group.lvs["root"] = LogicalVolume("root", held, {host.name}, {host.name})
        host.local_groups[row["pv_name"]] = group
    elif disk.vg is None:
        disk.signature, disk.vg = "LVM2_member", group


def _stands_on(world: "World", host: "Host", disk: Disk) -> str:
    """What the host calls the device of a disk: the kernel's namespace, or the name of multipath's map."""
    if nvme.used(world) and host.nvme.native:
        return nvme.device(host, disk.serial)
    return host.map_name(world.called(disk))


def _volumes(
    facts: Facts, node: str, shared: dict[str, VolumeGroup], sizes: dict[str, int], on: dict[str, set[str]]
) -> None:
    """The volumes of the shared groups as a node has them; `on` are the groups by the volume's name, the first else."""
    first = next(iter(shared))
    for report in facts.item("node", node, "logical-volumes").get("report", ()):
        for row in report.get("lv", ()):
            name, attributes = row["lv_name"], row["lv_attr"]
            for group in on.get(name, {first}) & shared.keys():
                lv = shared[group].lvs.setdefault(name, LogicalVolume(name, sizes.get(name, 4 * 2**20)))
                if attributes[4:5] == "a":
                    lv.active_on.add(node)
                if attributes[5:6] == "o":
                    lv.open_on.add(node)
