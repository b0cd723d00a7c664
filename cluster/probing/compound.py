"""Values that have several names in them: each part goes its own way, the form stays."""

import re

from cluster.addresses import is_address, split
from cluster.nouns import wwn
from cluster.probing.names import PURE_WWID, Change

_SIZE = re.compile(r"(size|ssd|iothread|discard|cache|aio|backup|replicate|media|ro|shared)=[\w.]+")
_SHARE = re.compile(r"/mnt/pve/(?P<storage>[^/]+)")
_PVE_PATHS = ("/var/lib/vz", "/var/lib/pve")
# What disks and controllers say of who made them (INQUIRY's vendor).
_MAKERS = re.compile(
    r"(AVAGO|ATA|BROADCOM|DELL|HGST|HPE?|IBM|INTEL|KIOXIA|LENOVO|LSI|MICRON|NVME|PURE|QEMU|SAMSUNG|SEAGATE|TOSHIBA|VMWARE"
    r"|WDC?) *,.*",
    re.IGNORECASE,
)
_REALMS = ("pam", "pve")


def host(change: Change, value: str) -> str:
    """An address, or the name of a host."""
    return change("address" if is_address(value) else "server", value)


def endpoint(change: Change, value: str) -> str:
    """``10.22.1.1:3260``, with or without a port, IPv6 in brackets."""
    try:
        where, port = split(value)
    except ValueError:
        return change("server", value)
    inside = host(change, where)
    if port is None:
        return inside
    return f"[{inside}]:{port}" if ":" in inside else f"{inside}:{port}"


def wwn_hex(change: Change, value: str) -> str:
    """A WWN as Linux writes it: ``0x21000024ff010203``."""
    return "0x" + change("wwn", wwn(value)).replace(":", "").lower()


def fabric_address(change: Change, value: str) -> str:
    """``traddr=10.22.1.1,trsvcid=4420,host_iface=ens1f0``: where a controller is, and through which end of the host."""
    parts = (one.partition("=") for one in re.split(r"[, ]+", value) if one)
    kinds = {"traddr": "address", "host_traddr": "address", "src_addr": "address", "host_iface": "iface"}
    kept = [
        f"{name}={change(kinds[name], said) if name in kinds else said}"
        for name, _, said in parts
        if name in kinds or (name == "trsvcid" and said.isdecimal())
    ]
    return ",".join(kept)


def volume_name(change: Change, value: str) -> str:
    """``pod::volume``, ``group/volume``, or the name alone."""
    pod, apart, name = value.rpartition("::")
    return f"{change('pod', pod)}{apart}{change('volume', name)}" if apart else change("volume", name)


def disk(change: Change, value: str) -> str:
    """A guest's disk: ``storage:vm-300-disk-0,size=8G``; of its options those that the twin can play."""
    where, *options = value.split(",")
    storage, colon, name = where.partition(":")
    if not colon:
        return "none" if where == "none" else change("file", where)
    folder, slash, last = name.rpartition("/")
    kept = [one for one in options if _SIZE.fullmatch(one)]
    place = folder if folder.isdecimal() or folder == "iso" else ""
    return ",".join([f"{change('storage', storage)}:{place}{slash if place else ''}{change('file', last)}", *kept])


def nodes(change: Change, value: str) -> str:
    """``pve-n1:2,pve-n2``: nodes, with priorities or without."""
    pairs = (one.partition(":") for one in re.split(r"[,; ]+", value) if one)
    return ",".join(f"{change('node', name)}{colon}{number}" for name, colon, number in pairs)


def resource(change: Change, value: str) -> str:
    """The id of one of the cluster's resources: ``node/pve-n1``, ``qemu/300``, ``storage/pve-n1/local``."""
    kind, _, rest = value.partition("/")
    if kind in ("qemu", "lxc") and rest.isdecimal():
        return value
    if kind == "storage":
        node, _, storage = rest.partition("/")
        return f"storage/{change('node', node)}/{change('storage', storage)}"
    return f"{kind}/{change('node', rest)}" if kind == "node" else kind


def path(change: Change, value: str) -> str:
    """A folder: Proxmox VE's own stay, a mount is called like its storage."""
    if value in _PVE_PATHS:
        return value
    if found := _SHARE.fullmatch(value):
        return f"/mnt/pve/{change('storage', found['storage'])}"
    return change("path", value)


def wwid(change: Change, value: str) -> str:
    """A FlashArray's goes on matching the serial of its volume; a pattern for any (``3624a9370.*``) names none."""
    if not any(letter.isalnum() for letter in value.removeprefix(PURE_WWID)):
        return value
    if value.startswith(PURE_WWID):
        return PURE_WWID + change("serial", value.removeprefix(PURE_WWID).upper()).lower()
    return change("disk", value)


def product(change: Change, value: str) -> str:
    """``PURE,FlashArray``: a maker's word for a disk. A target of Linux is called as its owner has called it."""
    return value if _MAKERS.fullmatch(value) else change("disk", value)


def device(change: Change, value: str) -> str:
    """``/dev/mapper/mpatha``; names of a machine's own disks are everybody's."""
    folder, _, name = value.rpartition("/")
    if folder != "/dev/mapper":
        return value if re.fullmatch(r"/dev/(sd[a-z]+|nvme\d+n\d+|vd[a-z]+|md\d+)(p?\d+)?", value) else "/dev/other"
    return f"{folder}/{wwid(change, name) if name.startswith('3') else change('map', name)}"


def token(change: Change, value: str) -> str:
    """``engine@pve!runbook``."""
    user, _, name = value.partition("!")
    who, _, realm = user.rpartition("@")
    said = f"{change('user', who)}@{realm if realm in _REALMS else 'pve'}"
    return f"{said}!{change('token', name)}" if name else said


COMPOUND = {
    "endpoint": endpoint,
    "address_or_name": host,
    "volume_name": volume_name,
    "disk_of_guest": disk,
    "nodes": nodes,
    "resource": resource,
    "folder": path,
    "wwid": wwid,
    "wwn_hex": wwn_hex,
    "fabric_address": fabric_address,
    "device": device,
    "product": product,
    "token_id": token,
}
