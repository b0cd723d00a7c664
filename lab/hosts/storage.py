"""multipath and LVM on a node: maps from the world's paths, groups from what is written on its disks."""

from collections.abc import Callable
from dataclasses import dataclass

from lab.hosts import lvm
from lab.hosts.multipathd import Config
from lab.hosts.shell import Call, Output, Registry
from lab.physics import fabric, nvme
from lab.physics.disks import EXTENT, Disk, LocalMap, ScsiPath, VolumeGroup, letters

STORAGE = Registry()

_UNITS = ((2**50, "P"), (2**40, "T"), (2**30, "G"), (2**20, "M"), (2**10, "K"))


def _short(number: int) -> str:
    unit, letter = next((pair for pair in _UNITS if number >= pair[0]), (1, ""))
    return f"{number / unit:.4g}{letter}"


@dataclass(frozen=True)
class Map:
    """One multipath device: its disk, the paths that carry, and those behind which nobody answers."""

    disk: Disk
    paths: list[ScsiPath]
    failed: list[ScsiPath]


def maps(call: Call) -> list[Map]:
    """The devices of the node whose paths are put together: multipath's maps, or namespaces by the kernel itself."""
    if nvme.used(call.world) and call.host.nvme.native:
        return _found(call, lambda _: True)
    if call.host.unmapped:
        return []
    config, wanted = Config(call.host), call.host.wwids | call.host.mapped
    return _found(call, lambda wwid: wwid in wanted and not config.hides(wwid))


def _found(call: Call, is_one: Callable[[str], bool]) -> list[Map]:
    world, node = call.world, call.host.name
    paths, failed = world.paths(node), world.failed_paths(node)
    serials = sorted({path.serial for path in (*paths, *failed)})
    return [
        Map(disk, [p for p in paths if p.serial == serial], [p for p in failed if p.serial == serial])
        for serial in serials
        if is_one(world.called(disk := world.disks[serial]))
    ]


def device(call: Call, path: str) -> Disk | None:
    """The disk behind /dev/mapper/NAME, or one of udev's other names for it, if that device exists on the node."""
    return next((one.disk for one in maps(call) if one.paths and path in _names(call, one.disk)), None)


def _names(call: Call, disk: Disk) -> tuple[str, ...]:
    """The first is the one that LVM prints."""
    by_id = "/dev/disk/by-id"
    if nvme.used(call.world) and call.host.nvme.native:
        return nvme.device(call.host, disk.serial), f"{by_id}/nvme-{disk.nguid}"
    name = call.host.map_name(call.world.called(disk))
    if nvme.used(call.world):
        return f"/dev/mapper/{name}", f"{by_id}/dm-uuid-mpath-{disk.nguid}", f"{by_id}/nvme-{disk.nguid}"
    return f"/dev/mapper/{name}", f"{by_id}/dm-uuid-mpath-{disk.wwid}", f"{by_id}/wwn-0x{disk.wwid[1:]}"


@STORAGE.program("multipath", "-l -a= -r -v=")
async def multipath(call: Call) -> Output:
    """`multipath -ll [WWID|NAME]`, `-a WWID`, `-r`."""
    if call.has("-a"):
        wwid = call.option("-a") or ""
        if wwid not in call.host.wwids:
            call.host.wwids.add(wwid)
            call.world.record(call.host.name, "multipath.add", wwid)
        return Output(f"wwid '{wwid}' added\n")
    if call.has("-ll"):
        wanted = [word for word in call.words if not word.startswith("-")]
        if wanted and any(Config(call.host).hides(word) for word in wanted if word.startswith(("3624a9370", "eui."))):
            return Output(status=1)  # a blacklisted WWID, without a word
        return Output("".join(text for names, text in _topologies(call) if not wanted or names & set(wanted)))
    if call.has("-r"):
        call.host.settings, call.host.unmapped = call.host.multipath_files(), False
    return Output()


def _topologies(call: Call) -> list[tuple[set[str], str]]:
    """Each map with the names by which it can be asked for; a node's own maps have the first numbers."""
    native = nvme.used(call.world) and call.host.nvme.native
    local, shared = call.host.local_maps, [] if native else maps(call)
    texts = [(one.wwid, _local_topology(one, number)) for number, one in enumerate(local)]
    disks = len(local)
    for found in shared:
        texts.append((call.world.called(found.disk), _topology(call, found, disks)))
        disks += len(found.paths) + len(found.failed)
    return [_headed(call, number, wwid, text) for number, (wwid, text) in enumerate(texts)]


def _headed(call: Call, number: int, wwid: str, text: str) -> tuple[set[str], str]:
    name, device = call.host.map_name(wwid), f"dm-{number}"
    return {name, wwid, device}, f"{name} ({wwid}) {device} {text}" if name != wwid else f"{wwid} {device} {text}"


def _local_topology(one: LocalMap, number: int) -> str:
    return (
        f"{one.vendor}\nsize={_short(one.size)} features='0' hwhandler='0' wp=rw\n"
        "`-+- policy='service-time 0' prio=1 status=active\n"
        f"  `- 0:0:{number}:0  sd{letters(number)} {_minor(number)} active ready running\n"
    )


def _minor(number: int) -> str:
    """The block device's numbers: sixteen disks to a major, the first of which is 8 and the second 65."""
    major = 8 if number < 16 else 64 + number // 16
    return f"{major}:{number % 16 * 16}".ljust(5)


def _topology(call: Call, one: Map, first: int) -> str:
    """The groups in the order of their priority; a group without a working path has priority 0 and comes last.

    Block devices are counted over all maps of the node, from `first` on.
    """
    sessions, disk, config = call.host.sessions, one.disk, Config(call.host)
    wwid, over_nvme = call.world.called(disk), nvme.used(call.world)
    by_session = sorted([*one.paths, *one.failed], key=lambda path: sessions[path.way])
    numbers = {path: first + index for index, path in enumerate(by_session)}
    both = [(prio, [p for p in by_session if p.optimized == (prio == 50)]) for prio in (50, 10)]
    policy = config.effective("path_grouping_policy", wwid)
    if policy == "multibus":
        both = [(30, by_session)]  # the mean of all of them
    queues = config.effective("no_path_retry", wwid) not in ("", "fail")
    features = "1 queue_if_no_path" if queues else config.effective("features", wwid)
    groups = [(prio if any(p in one.paths for p in members) else 0, members) for prio, members in both if members]
    groups.sort(key=lambda group: -group[0])
    well = "active ready  running" if one.failed else "active ready running"  # columns are as wide as their widest word
    called, handler = ("NVME,Pure Storage FlashArray", "0") if over_nvme else ("PURE,FlashArray", "1 alua")
    text = f"{called}\nsize={_short(disk.size)} features='{features}' hwhandler='{handler}' wp=rw\n"
    for index, (prio, members) in enumerate(groups):
        last_group = index == len(groups) - 1
        state = "active" if index == 0 and prio else "enabled"
        text += f"{'`' if last_group else '|'}-+- policy='service-time 0' prio={prio} status={state}\n"
        for place, path in enumerate(members):
            address = _place(call, path)
            branch = "`-" if place == len(members) - 1 else "|-"
            text += (
                f"{' ' if last_group else '|'} {branch} {address}:{path.lun} {_block(call, path, numbers[path])} "
                f"{well if path in one.paths else 'failed faulty offline'}\n"
            )
    return text


def _block(call: Call, path: ScsiPath, number: int) -> str:
    """The path's own device with its numbers: of a namespace, one for each controller."""
    if nvme.used(call.world):
        instance = call.host.sessions[path.way]
        return f"nvme{instance}n{nvme.number(call.host, path.serial)} 259:{instance}"
    return f"sd{letters(number)} {_minor(number)}"


def _place(call: Call, path: ScsiPath) -> str:
    """SCSI host, channel and target: a host for each iSCSI session, and for each HBA port a target for each port."""
    host, way = call.host, path.way
    if host.hbas:
        return f"{fabric.scsi_host(host, way.iface)}:0:{fabric.target(call.world, host, way)}"
    if nvme.used(call.world):
        return f"{host.sessions[way]}:{host.sessions[way]}:{nvme.number(host, path.serial)}"
    return f"{host.sessions[way] - 1}:0:0"


@STORAGE.program("pvscan", "--cache")
async def pvscan(call: Call) -> Output:
    """`pvscan --cache`: the device list is read again; nothing is activated."""
    if call.words != ("--cache",):
        return Output(stderr="pvscan: the twin plays only --cache\n", status=1)
    there = [path for _, path in _groups(call)] + [path for path, _ in _unused(call)]
    return Output("".join(f"  pvscan[1185] PV {path} online.\n" for path in there))


@STORAGE.program("wipefs", "-n --no-act")
async def wipefs(call: Call) -> Output:
    """`wipefs --no-act DEVICE`: a table of signatures, nothing for a blank device."""
    path = call.words[-1]
    disk = device(call, path)
    if disk is None:
        return Output(
            stderr=f"wipefs: error: {path}: probing initialization failed: No such file or directory\n", status=1
        )
    if not call.has("--no-act", "-n"):
        return Output(stderr="wipefs: the twin erases nothing\n", status=1)
    if not disk.signature:
        return Output()
    own = nvme.device(call.host, disk.serial) if nvme.used(call.world) and call.host.nvme.native else ""
    name = own.rpartition("/")[2] or call.host.map_name(call.world.called(disk))
    return Output(lvm.signature(name, disk.signature, disk.serial))


@STORAGE.program("pvcreate", "")
async def pvcreate(call: Call) -> Output:
    """`pvcreate DEVICE`, never forced."""
    path = call.words[-1]
    disk = device(call, path)
    if disk is None:
        return Output(stderr=f"  No device found for {path}.\n", status=5)
    if disk.vg is not None:
        said = f'  Can\'t initialize physical volume "{path}" of volume group "{disk.vg.name}" without -ff\n'
        return Output(stderr=said, status=5)
    if disk.signature not in ("", "LVM2_member"):
        return Output(stderr=f"WARNING: {disk.signature} signature detected on {path}. Wipe it? [y/n]: [n]\n", status=5)
    disk.signature = "LVM2_member"
    call.world.record(call.host.name, "lvm.pvcreate", path)
    return Output(f'  Physical volume "{path}" successfully created.\n')


@STORAGE.program("vgcreate", "")
async def vgcreate(call: Call) -> Output:
    """`vgcreate NAME DEVICE`."""
    name, path = call.words[-2:]
    disk = device(call, path)
    if disk is None:
        return Output(stderr=f"  No device found for {path}.\n", status=5)
    if any(group.name == name for group, _ in _groups(call)):
        return Output(stderr=f"  A volume group called {name} already exists.\n", status=5)
    if disk.vg is not None:
        return Output(stderr=f"  Physical volume '{path}' is already in volume group '{disk.vg.name}'\n", status=5)
    disk.signature, disk.vg = "LVM2_member", VolumeGroup(name, (disk.size - EXTENT) // EXTENT * EXTENT)
    call.world.record(call.host.name, "lvm.vgcreate", name, device=path)
    return Output(f'  Volume group "{name}" successfully created\n')


def _groups(call: Call) -> list[tuple[VolumeGroup, str]]:
    """The volume groups of a node with their devices: on the multipath maps, and on disks of its own."""
    disks = [one.disk for one in maps(call) if one.paths]
    shared = [(disk.vg, _names(call, disk)[0]) for disk in disks if disk.vg is not None]
    seen = [(group, device) for group, device in shared if group.name not in call.host.hidden_groups]
    return [*seen, *((group, path) for path, group in call.host.local_groups.items())]


@STORAGE.program("vgs", lvm.OPTIONS)
async def vgs(call: Call) -> Output:
    """`vgs [NAME…]`: a table, or JSON."""
    rows: list[lvm.Row] = [
        {
            "vg_name": group.name,
            "pv_count": 1,
            "lv_count": len(group.lvs),
            "snap_count": 0,
            "vg_attr": "wz--n-",
            "vg_size": group.size,
            "vg_free": group.free,
            "pv_name": path,
            "pv_size": group.size,
        }
        for group, path in _groups(call)
    ]
    return _reported(call, lvm.VG, rows, lambda row: {str(row["vg_name"])})


@STORAGE.program("pvs", lvm.OPTIONS)
async def pvs(call: Call) -> Output:
    """`pvs [DEVICE…]`: a table, or JSON; a device that was made ready and is in no group is there, too."""
    rows: list[lvm.Row] = [
        {
            "pv_name": path,
            "vg_name": group.name,
            "pv_fmt": "lvm2",
            "pv_attr": "a--",
            "pv_size": group.size,
            "pv_free": group.free,
            "vg_size": group.size,
            "vg_free": group.free,
        }
        for group, path in _groups(call)
    ]
    rows += [
        {"pv_name": path, "vg_name": "", "pv_fmt": "lvm2", "pv_attr": "---", "pv_size": size, "pv_free": size}
        for path, size in _unused(call)
    ]
    return _reported(call, lvm.PV, rows, lambda row: {str(row["pv_name"])})


@STORAGE.program("lvs", lvm.OPTIONS)
async def lvs(call: Call) -> Output:
    """`lvs [VG|VG/LV…]`: a table, or JSON; attribute 5 says active on this host, 6 open."""
    name = call.host.name
    rows: list[lvm.Row] = [
        {
            "lv_name": lv.name,
            "vg_name": group.name,
            "lv_attr": lv.attributes(name),
            "lv_size": lv.size,
            "lv_active": "active" if name in lv.active_on else "",
            "lv_autoactivation": "enabled" if lv.autoactivation else "",
            "lv_path": f"/dev/{group.name}/{lv.name}",
        }
        for group, _ in _groups(call)
        for lv in group.lvs.values()
    ]
    empty: list[lvm.Row] = [{"vg_name": group.name} for group, _ in _groups(call) if not group.lvs]
    return _reported(call, lvm.LV, [*rows, *empty], _lv_names)


def _lv_names(row: lvm.Row) -> set[str]:
    return {str(row["vg_name"]), f"{row['vg_name']}/{row.get('lv_name', '')}", str(row.get("lv_path", ""))}


def _reported(call: Call, what: lvm.Report, rows: list[lvm.Row], known: Callable[[lvm.Row], set[str]]) -> Output:
    """The rows that were named; status 5 and LVM's words for each that is not there."""
    found, refused = lvm.chosen(call, rows, known, what.kind)
    output = lvm.report(call, what, [row for row in found if what.fields[0] in row])
    return Output(output.stdout, output.stderr + refused, output.status or (5 if refused else 0))


def _unused(call: Call) -> list[tuple[str, int]]:
    """Devices that LVM owns and that are in no group yet, with their sizes."""
    return [
        (_names(call, one.disk)[0], one.disk.size)
        for one in maps(call)
        if one.paths and one.disk.vg is None and one.disk.signature == "LVM2_member"
    ]


@STORAGE.program("vgremove", "-y --yes")
async def vgremove(call: Call) -> Output:
    """`vgremove NAME`: a group without logical volumes; its device stays ready."""
    names = [word for word in call.words if not word.startswith("-")]
    if len(names) != 1:
        return Output(stderr="  Command requires one VG name: vgremove NAME\n", status=3)
    disk = next((one.disk for one in maps(call) if one.paths and one.disk.vg and one.disk.vg.name == names[0]), None)
    if disk is None or disk.vg is None or names[0] in call.host.hidden_groups:
        return Output(stderr=lvm.refusal("vg", names[0]), status=5)
    if disk.vg.lvs:
        said = f'  Volume group "{names[0]}" still contains {len(disk.vg.lvs)} logical volume(s): remove them first\n'
        return Output(stderr=said, status=5)
    disk.vg = None
    call.world.record(call.host.name, "lvm.vgremove", names[0])
    return Output(f'  Volume group "{names[0]}" successfully removed\n')
