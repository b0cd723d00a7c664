"""What a node tells of itself beyond its status: network, names, disks, packages, certificates, devices, a report."""

import hashlib
import json
import time
from typing import Any

from lab.physics.links import RINGS
from lab.pve.daemon.calls import Call, Routes
from lab.pve.errors import PveError, rejected
from lab.pve.responses.cluster import VERSION, fingerprint
from lab.pve.responses.nodes import KERNEL

routes = Routes()

_NODE = "/nodes/{node}"
BRIDGE = "vmbr0"
# One local disk, the one that Proxmox VE is installed on, as large as the root file system and what belongs to it.
_LOCAL_DISK = 107374182400
_PACKAGES = {
    "proxmox-ve": "9.1.0", "pve-manager": VERSION["version"], "pve-cluster": "9.1.2", "pve-ha-manager": "5.2.0",
    "libpve-storage-perl": "9.1.2", "qemu-server": "9.1.9", "corosync": "3.1.9-pve2", "proxmox-kernel-helper": "9.0.4",
}  # fmt: skip

_NOTHING = (
    f"GET {_NODE}/apt/update",
    f"GET {_NODE}/aplinfo",
    f"GET {_NODE}/hardware/pci",
    f"GET {_NODE}/hardware/usb",
    f"GET {_NODE}/disks/directory",
    f"GET {_NODE}/disks/lvmthin",
    f"GET {_NODE}/disks/zfs",
    f"GET {_NODE}/scan/lvmthin",
    f"GET {_NODE}/scan/zfs",
    "GET /cluster/sdn/zones",
    "GET /cluster/sdn/vnets",
    "GET /cluster/sdn/controllers",
    "GET /cluster/mapping/dir",
    "GET /cluster/mapping/pci",
    "GET /cluster/mapping/usb",
    "GET /cluster/metrics/server",
    "GET /cluster/jobs/realm-sync",
)


@routes.on(*_NOTHING)
async def nothing(_: Call) -> list[Any]:
    """What the nodes of this design have none of."""
    return []


def _interfaces(call: Call) -> list[dict[str, Any]]:
    """Management and corosync's first ring on the bridge, its second ring and storage on cards of their own.

    The bridge has the gateway: by that Ansible's inventory knows a node's address.
    """
    host = call.cluster.world.nodes[call.node]
    common = {"active": 1, "autostart": 1, "families": ["inet"], "method6": "manual"}
    cards = [
        {**common, "iface": name, "type": "eth", "exists": 1, "method": "manual", "priority": priority}
        for priority, name in enumerate(("eno1", "eno2", "enp65s0f0"), start=2)
    ]
    cards[1] |= {"method": "static", **_address(host.ring_address(RINGS[1]))}
    bridge = {
        **common, **_address(host.address), "iface": BRIDGE, "type": "bridge", "method": "static", "priority": 5,
        "gateway": f"{host.address.rpartition('.')[0]}.1",
        "bridge_ports": "eno1", "bridge_stp": "off", "bridge_fd": "0",
    }  # fmt: skip
    return [*cards, bridge]


def _address(address: str) -> dict[str, str]:
    return {"address": address, "netmask": "24", "cidr": f"{address}/24"}


@routes.on(f"GET {_NODE}/network")
async def network(call: Call) -> list[dict[str, Any]]:
    """The interfaces; `type` chooses one kind, ``any_bridge`` and ``any_local_bridge`` the bridge."""
    kind = call.get("type")
    bridges = ("any_bridge", "any_local_bridge", "include_sdn")
    wanted = {"bridge"} if kind in bridges else {kind}
    return [entry for entry in _interfaces(call) if kind is None or entry["type"] in wanted]


@routes.on(f"GET {_NODE}/network/{{iface}}")
async def interface(call: Call) -> dict[str, Any]:
    """One interface; its name is the one that was asked for."""
    found = next((entry for entry in _interfaces(call) if entry["iface"] == call["iface"]), None)
    if found is None:
        raise rejected(iface="interface does not exist")
    return {name: value for name, value in found.items() if name != "iface"}


@routes.on(f"GET {_NODE}/dns")
async def dns(call: Call) -> dict[str, str]:
    """The resolver: a third place's, so that it outlives either site."""
    return {"search": "lab.example", "dns1": call.cluster.world.witness.address}


@routes.on(f"GET {_NODE}/hosts")
async def hosts(call: Call) -> dict[str, str]:
    """/etc/hosts."""
    lines = ["127.0.0.1 localhost", *(f"{h.address} {name}" for name, h in call.cluster.world.nodes.items())]
    return {"data": "\n".join(lines) + "\n", "digest": _digest("\n".join(lines))}


def _digest(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


@routes.on(f"GET {_NODE}/config")
async def config(call: Call) -> dict[str, Any]:
    """The node's own configuration: nothing is set."""
    return {"digest": _digest(call.node)}


@routes.on(f"GET {_NODE}/certificates/info")
async def certificates(call: Call) -> list[dict[str, Any]]:
    """The certificate that the cluster's own authority made for the node."""
    address = call.cluster.world.nodes[call.node].address
    return [
        {
            "filename": "pve-ssl.pem",
            "fingerprint": fingerprint(call.cluster.world, call.node),
            "issuer": "/CN=Proxmox Virtual Environment/O=PVE Cluster Manager CA",
            "subject": f"/OU=PVE Cluster Node/O=Proxmox Virtual Environment/CN={call.node}",
            "san": ["127.0.0.1", "localhost", address, call.node],
            "public-key-type": "rsaEncryption",
            "public-key-bits": 2048,
        }
    ]


@routes.on(f"GET {_NODE}/disks/list")
async def disks(call: Call) -> list[dict[str, Any]]:
    """The local disk, and a block device for each path of a LUN; the maps over them are not disks to PVE."""
    world = call.cluster.world
    local = {
        "devpath": "/dev/nvme0n1", "size": _LOCAL_DISK, "model": "KIOXIA KCD8XRUG960G", "vendor": "unknown",
        "serial": _digest(call.node)[:12].upper(), "wwn": "unknown", "type": "nvme", "rpm": 0, "used": "LVM",
        "health": "PASSED", "gpt": 1, "mounted": 0, "osdid": -1, "osdid-list": [],
    }  # fmt: skip
    paths = [
        {
            "devpath": f"/dev/sd{chr(ord('a') + number)}",
            "size": world.disks[path.serial].size,
            "model": "FlashArray",
            "vendor": "PURE",
            "serial": path.serial,
            "wwn": f"0x{world.disks[path.serial].wwid[1:]}",
            "type": "ssd",
            "rpm": 0,
            "used": "mpath_member",
            "health": "OK",
            "gpt": 0,
            "mounted": 0,
            "osdid": -1,
            "osdid-list": [],
        }
        for number, path in enumerate(world.paths(call.node))
        if path.serial in world.disks
    ]
    return [local, *paths]


@routes.on(f"GET {_NODE}/apt/versions")
async def packages(_: Call) -> list[dict[str, Any]]:
    """The packages that matter here, at the versions of late 9.1."""
    common = {
        "Arch": "amd64", "CurrentState": "Installed", "Origin": "Proxmox", "Priority": "optional", "Section": "admin",
    }  # fmt: skip
    return [
        {**common, "Package": name, "Title": name, "Description": name, "Version": version, "OldVersion": version}
        | ({"ManagerVersion": f"{version}/{VERSION['repoid']}"} if name == "pve-manager" else {})
        | ({"RunningKernel": KERNEL} if name == "proxmox-ve" else {})
        for name, version in _PACKAGES.items()
    ]


@routes.on(f"GET {_NODE}/report")
async def report(call: Call) -> str:
    """What `pvereport` prints, shortened to what the twin knows."""
    world = call.cluster.world
    stamp = time.strftime("%a %b %d %H:%M:%S %Y", time.gmtime(world.time_at(world.nodes[call.node])))
    storages = "\n".join(f"{one.type}: {one.id}" for one in call.cluster.storages.values())
    interfaces = "\n".join(json.dumps(entry) for entry in _interfaces(call))
    return (
        f"==== general system info ====\n\n# hostname\n{call.node}\n\n# date\n{stamp}\n\n"
        f"# pveversion --verbose\n" + "\n".join(f"{name}: {version}" for name, version in _PACKAGES.items()) + "\n\n"
        f"==== info about storage ====\n\n# cat /etc/pve/storage.cfg\n{storages}\n\n"
        f"==== info about network ====\n\n{interfaces}\n"
    )


@routes.on(f"GET {_NODE}/sdn/zones")
async def zones(_: Call) -> list[dict[str, str]]:
    """The zone that plain bridges belong to."""
    return [{"zone": "localnetwork", "status": "available"}]


@routes.on(f"GET {_NODE}/capabilities/qemu/machines")
async def machines(_: Call) -> list[dict[str, str]]:
    """The newest machine of each kind."""
    return [
        {"id": "pc-i440fx-10.1", "type": "i440fx", "version": "10.1"},
        {"id": "pc-q35-10.1", "type": "q35", "version": "10.1"},
    ]


@routes.on(f"GET {_NODE}/capabilities/qemu/cpu")
async def cpus(_: Call) -> list[dict[str, Any]]:
    """The CPU models that guests of this design use."""
    models = (("x86-64-v2-AES", "GenuineIntel"), ("x86-64-v3", "GenuineIntel"), ("host", "default"))
    return [{"name": name, "vendor": vendor, "custom": 0} for name, vendor in models]


@routes.on(f"POST {_NODE}/wakeonlan")
async def wake(call: Call) -> str:
    """The magic packet needs an address in the node's configuration, and none is set."""
    text = f"No wake on LAN MAC address defined for '{call['node']}'!"
    raise PveError(text)
