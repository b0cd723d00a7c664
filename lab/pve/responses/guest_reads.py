"""What clients ask about a guest beside its status and configuration: snapshots, features, the agent's answers."""

import re
from typing import Any

from lab.pve.daemon.calls import Call, Routes
from lab.pve.responses.guest_calls import guest_of, with_agent

routes = Routes()

_QEMU = "/nodes/{node}/qemu/{vmid}"
_AGENT = f"{_QEMU}/agent"


@routes.on(f"GET {_QEMU}/snapshot")
async def snapshots(call: Call) -> list[dict[str, Any]]:
    """None: plain LVM has no snapshots. The state that runs is listed as `current`."""
    guest = guest_of(call)
    return [
        {"name": "current", "description": "You are here!", "running": int(guest.running), "digest": guest.digest},
    ]


@routes.on(f"GET {_QEMU}/feature")
async def feature(call: Call) -> dict[str, Any]:
    """Whether the guest could be copied or have snapshots; copies can be made wherever its storages are."""
    guest = guest_of(call)
    storages = [call.cluster.storage(volid.partition(":")[0]) for volid in guest.disks.values()]
    if call["feature"] != "copy":
        return {"hasFeature": 0, "nodes": []}
    nodes = [node for node in call.cluster.world.nodes if all(storage.serves(node) for storage in storages)]
    return {"hasFeature": 1, "nodes": nodes}


@routes.on(f"GET {_QEMU}/cloudinit")
async def cloud_init(call: Call) -> list[Any]:
    """Nothing is set or pending."""
    guest_of(call)
    return []


@routes.on(f"GET {_AGENT}/network-get-interfaces")
async def interfaces(call: Call) -> dict[str, Any]:
    """The loopback, and each network card by its hardware address: the twin gives guests no addresses."""
    cards = [
        {"name": f"ens{18 + int(key[3:])}", "hardware-address": found[0].lower(), "ip-addresses": []}
        for key, value in sorted(with_agent(call).effective().items())
        if re.fullmatch(r"net\d+", key) and (found := re.search(r"(?i)([0-9a-f]{2}:){5}[0-9a-f]{2}", str(value)))
    ]
    loopback = {
        "name": "lo",
        "hardware-address": "00:00:00:00:00:00",
        "ip-addresses": [{"ip-address": "127.0.0.1", "ip-address-type": "ipv4", "prefix": 8}],
    }
    return {"result": [loopback, *cards]}


@routes.on(f"GET {_AGENT}/get-host-name")
async def host_name(call: Call) -> dict[str, Any]:
    """The guest's name, which is its host's name inside."""
    return {"result": {"host-name": with_agent(call).name}}


@routes.on(f"GET {_AGENT}/get-osinfo")
async def system(call: Call) -> dict[str, Any]:
    """What the base guest has installed."""
    with_agent(call)
    return {
        "result": {
            "id": "debian", "name": "Debian GNU/Linux", "pretty-name": "Debian GNU/Linux 13 (trixie)",
            "version": "13 (trixie)", "version-id": "13", "machine": "x86_64",
        }
    }  # fmt: skip
