"""A guest's configuration: read it, change it, see what waits for the next start."""

import re
from typing import Any

from lab.pve.daemon.calls import Call, Routes
from lab.pve.daemon.schema import schema
from lab.pve.errors import PveError, rejected
from lab.pve.models import Guest
from lab.pve.responses import guest_disks
from lab.pve.responses.guest_calls import guest_of
from lab.pve.work.tasks import Task

routes = Routes()

_CONFIG = "/nodes/{node}/qemu/{vmid}/config"
_NOT_OPTIONS = ("node", "vmid", "digest", "delete", "revert", "force", "skiplock", "background_delay", "idlist")

# Which privilege an option needs (source: PVE::API2::Qemu, check_vm_modify_config_perm); the first pattern decides.
_PRIVILEGES = (
    (r"cores|sockets|cpu|cpulimit|cpuunits|vcpus|affinity|numa\d*", "VM.Config.CPU"),
    (r"memory|balloon|shares|hugepages|keephugepages|allow-ksm", "VM.Config.Memory"),
    (r"net\d+", "VM.Config.Network"),
    (r"ci.*|ipconfig\d+|nameserver|searchdomain|sshkeys", "VM.Config.Cloudinit"),
    (r"(scsi|virtio|ide|sata|efidisk|tpmstate|unused)\d+|bootdisk", "VM.Config.Disk"),
    (
        r"name|onboot|startup|description|tags|boot|agent|hotplug|kvm|localtime|ostype|protection|startdate|tablet"
        r"|template|acpi|reboot|freeze|hookscript|migrate_(speed|downtime)|autostart|lock",
        "VM.Config.Options",
    ),
)  # fmt: skip

# What a running guest takes at once: PVE hotplugs network, disks and USB by default, and names need no hotplug.
_AT_ONCE = r"net\d+|(scsi|virtio|ide|sata|unused)\d+|name|onboot|startup|description|tags|protection|hotplug|hookscript"


@routes.on(f"GET {_CONFIG}")
async def config(call: Call) -> dict[str, Any]:
    """The flat map, with what is pending unless `current` asks for the running values."""
    guest = guest_of(call)
    values = guest.config if call.get("current") else guest.effective()
    return {**values, **({"lock": guest.lock} if guest.lock else {}), "digest": guest.digest}


@routes.on("GET /nodes/{node}/qemu/{vmid}/pending")
async def pending(call: Call) -> list[dict[str, Any]]:
    """Every option, and beside it what it will be after the next start."""
    guest = guest_of(call)
    found = []
    for key in sorted({*guest.config, *guest.pending}):
        entry: dict[str, Any] = {"key": key}
        if key in guest.config:
            entry["value"] = guest.config[key]
        if key in guest.pending:
            entry |= {"delete": 1} if guest.pending[key] is None else {"pending": guest.pending[key]}
        found.append(entry)
    return [*found, {"key": "digest", "value": guest.digest}]


@routes.on(f"PUT {_CONFIG}")
async def update(call: Call) -> None:
    """Change it now."""
    guest, changes = _checked(call)
    _apply(call, guest, changes)


@routes.on("PUT /nodes/{node}/qemu/{vmid}/unlink")
async def unlink(call: Call) -> None:
    """Remove disks; with `force` their volumes, too."""
    listed = Call(call.cluster, call.node, call.identity, {**call.parameters, "delete": call["idlist"]})
    guest, changes = _checked(listed)
    _apply(listed, guest, changes)


@routes.on(f"POST {_CONFIG}")
async def update_in_task(call: Call) -> str:
    """Change it in a task."""
    guest, changes = _checked(call)

    async def work(task: Task) -> None:
        await task.pause(0.2)
        _apply(call, guest, changes)

    return call.cluster.tasks.begin(call.node, "qmconfig", str(guest.vmid), call.identity, work).upid


def _checked(call: Call) -> tuple[Guest, dict[str, Any]]:
    """The guest and the changes (None deletes), when the caller may make all of them."""
    changes: dict[str, Any] = {k: v for k, v in call.parameters.items() if k not in _NOT_OPTIONS}
    for key in _listed(call.get("delete")):
        if key in changes:
            raise rejected(delete=f"Can't use '-{key}' and '-delete {key}' at the same time")
        if not _is_option(key):
            raise rejected(delete=f"unknown option '{key}'")
        changes[key] = None
    for key, value in changes.items():
        _may_change(call, key, value)
    guest = guest_of(call)
    if call.get("digest") not in (None, guest.digest):
        raise PveError("checksum mismatch (file change by other user?)")
    if guest.lock:
        raise PveError(f"VM is locked ({guest.lock})")
    if not call.cluster.world.votes(call.node).quorate:
        file = f"/etc/pve/nodes/{call.node}/qemu-server/{guest.vmid}.conf.tmp.4711"
        raise PveError(f"unable to open file '{file}' - Permission denied")
    for key in _listed(call.get("revert")):
        guest.pending.pop(key, None)
    return guest, changes


def _listed(text: str | None) -> list[str]:
    return [item for item in re.split(r"[,; ]+", text or "") if item]


def _is_option(key: str) -> bool:
    known = schema().find("PUT", "/nodes/n/qemu/100/config")[0].parameters
    return (key in known and key not in _NOT_OPTIONS) or f"{key.rstrip('0123456789')}[n]" in known


def _may_change(call: Call, key: str, value: Any) -> None:
    path = f"/vms/{call['vmid']}"
    needed = next((privilege for pattern, privilege in _PRIVILEGES if re.fullmatch(pattern, key)), "VM.Config.HWType")
    call.require(path, needed)
    if key == "startup":
        call.require("/", "Sys.Modify")
    if needed == "VM.Config.Disk":
        guest_disks.require_space(call, value)
    bridge = re.search(r"bridge=([^,]+)", str(value))
    if needed == "VM.Config.Network" and bridge:
        call.require(f"/sdn/zones/localnetwork/{bridge[1]}", "SDN.Use")


def _apply(call: Call, guest: Guest, changes: dict[str, Any]) -> None:
    """Write the changes: at once, or as pending where a running guest cannot take them."""
    changed = {key: value for key, value in changes.items() if guest.effective().get(key) != value}
    for key, value in list(changed.items()):
        if guest_disks.DISK.fullmatch(key) or guest_disks.UNUSED.fullmatch(key):
            changed |= _change_disk(call, guest, key, value)
        elif guest.running and not re.fullmatch(_AT_ONCE, key):
            guest.pending[key] = value
            if guest.config.get(key) == value:
                del guest.pending[key]
        elif value is None:
            guest.config.pop(key, None)
        else:
            guest.config[key] = value
    if changed:
        call.cluster.world.record(call.node, "guest.config", str(guest.vmid), **changed)


def _change_disk(call: Call, guest: Guest, key: str, value: Any) -> dict[str, Any]:
    """Attach or remove a disk; returns what really changed. A volume whose place another takes stays as unused."""
    new = None if value is None else guest_disks.placed(call, guest, value)
    same = new is not None and str(new).partition(",")[0] == str(guest.config.get(key, "")).partition(",")[0]
    left = {} if same else guest_disks.detached(call, guest, key, force=bool(call.get("force")))
    guest.config.pop(key, None)
    guest.config |= left | ({key: new} if new is not None else {})
    if new is not None:
        attached = str(new).partition(",")[0]
        guest_disks.opened(call, guest, attached)
        for unused in [name for name, held in guest.config.items() if name.startswith("unused") and held == attached]:
            del guest.config[unused]
    return {key: new, **left}
