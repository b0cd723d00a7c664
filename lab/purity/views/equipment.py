"""Ports, interfaces, controllers and hardware of an array: fixed parts, both controllers alive."""

from lab.purity import models
from lab.purity.filters import Item
from lab.purity.models import Array
from lab.purity.views import arrays as views
from lab.purity.views import hosts

GIGABIT = 10**9
# Parts of the hardware list by type, in the words of real arrays (reference: flasharray-rest §5.10).
PARTS = (
    ("controller", ("CT0", "CT1")),
    ("chassis", ("CH0",)),
    ("power_supply", ("CH0.PWR0", "CH0.PWR1")),
    ("cooling", ("CT0.FAN0", "CT0.FAN1", "CT1.FAN0", "CT1.FAN1")),
    ("temp_sensor", ("CT0.TMP0", "CT1.TMP0")),
    ("eth_port", tuple(f"CT{controller}.ETH{port}" for controller in (0, 1) for port in range(6))),
    ("nvram_bay", ("CH0.NVB0", "CH0.NVB1")),
    ("drive_bay", tuple(f"CH0.BAY{bay}" for bay in range(10))),
)


def ports(array: Array) -> list[Item]:
    """The target ports that hosts use."""
    return [target(array, portal) | {"failover": _stand_in(array, portal)} for portal in array.portals]


def _stand_in(array: Array, portal: str) -> str | None:
    """The port that took over: the same one of the other controller."""
    lost = array.controller_of(portal)
    if lost not in array.lost_controllers or not array.up:
        return None
    other = next(name for name in models.CONTROLLERS if name != lost)
    return port_name(array, portal).replace(lost, other)


def port_name(array: Array, portal: str) -> str:
    """The port behind a portal."""
    return array.port_names[array.portals.index(portal)]


def target(array: Array, portal: str) -> Item:
    """The array's end of a path."""
    name = port_name(array, portal)
    if array.transport == "fc":
        return {"name": name, "iqn": None, "portal": None, "wwn": portal, "nqn": None}
    iqn = None if array.nqn else array.target_iqn
    return {"name": name, "iqn": iqn, "portal": portal, "wwn": None, "nqn": array.nqn or None}


def initiators(array: Array) -> list[Item]:
    """Who is logged in, and at which port; made hosts or not."""
    return [
        {
            "initiator": initiator(array, who) | _place(node.address, portal, array),
            "target": target(array, portal) | {"failover": None},
        }
        for node, who, portal in hosts.all_logins(array)
    ]


def _place(address: str, portal: str, array: Array) -> Item:
    """Where a host comes from; an HBA has no address."""
    return {} if array.transport == "fc" else {"portal": f"{address}:{portal.rpartition(':')[2]}"}


def initiator(array: Array, who: str) -> Item:
    """A host's end of a path, without where it is."""
    nobody: Item = {"iqn": None, "nqn": None, "portal": None, "wwn": None}
    return nobody | {{"iscsi": "iqn", "fc": "wwn", "nvme-tcp": "nqn"}[array.transport]: who}


def network_interfaces(array: Array) -> list[Item]:
    """Management, replication and those that hosts use, named in lower case."""
    interfaces = [
        _interface("ct0.eth0", f"{array.network}.21", ["management"], 1),
        _interface("ct1.eth0", f"{array.network}.22", ["management"], 1),
        _interface("vir0", array.management_address, ["management"], 1, subtype="vif"),
    ]
    interfaces += [_interface(name, address, ["replication"], 25) for name, address in views.replication_ports(array)]
    if array.transport == "fc":
        ports = zip(array.port_names, array.portals, strict=True)
        return interfaces + [_fc_interface(name.lower(), wwn) for name, wwn in ports]
    interfaces += [
        _interface(name.lower(), portal.partition(":")[0], ["nvme-tcp" if array.nqn else "iscsi"], 25)
        for name, portal in zip(array.port_names, array.portals, strict=True)
    ]
    return interfaces


def _interface(name: str, address: str, services: list[str], gigabits: int, subtype: str = "physical") -> Item:
    last = int(address.rpartition(".")[2]) if address.rpartition(".")[2].isdecimal() else 0
    return {
        "name": name,
        "enabled": True,
        "interface_type": "eth",
        "speed": gigabits * GIGABIT,
        "services": services,
        "eth": {
            "address": address,
            "netmask": "255.255.255.0",
            "gateway": f"{address.rpartition('.')[0]}.254" if services == ["management"] else None,
            "mtu": 1500 if services == ["management"] else 9000,
            "mac_address": f"24:a9:37:00:00:{last:02x}",
            "vlan": 0,
            "subtype": subtype,
            "subinterfaces": [],
            "subnet": {"name": None},
        },
        "fc": {"wwn": None},
        "attached_servers": [],
    }


def _fc_interface(name: str, wwn: str) -> Item:
    return {
        "name": name,
        "enabled": True,
        "interface_type": "fc",
        "speed": 32 * GIGABIT,
        "services": ["scsi-fc"],
        "eth": None,
        "fc": {"wwn": wwn},
        "attached_servers": [],
    }


def controllers(array: Array) -> list[Item]:
    """CT0 leads, unless it is gone."""
    began = array.now() - array.now() % 86_400 - 30 * 86_400
    ready = [name for name in models.CONTROLLERS if name not in array.lost_controllers]
    return [
        {
            "name": name,
            "type": "array_controller",
            "model": models.MODEL,
            "version": array.purity,
            "mode": "offline" if name not in ready else "primary" if name == ready[0] else "secondary",
            "status": "ready" if name in ready else "not ready",
            "mode_since": views.milliseconds(array.lost_controllers.get(name, began)),
        }
        for name in models.CONTROLLERS
    ]


def hardware(array: Array) -> list[Item]:
    """Every part is well, but for a controller that is gone."""
    return [
        {
            "name": name,
            "type": kind,
            "status": "critical" if name in array.lost_controllers else "ok",
            "model": models.MODEL if kind in ("controller", "chassis") else None,
            "serial": f"PSN{array.number}{number:06d}" if kind in ("controller", "chassis") else None,
            "slot": None,
            "index": number,
            "speed": 25 * GIGABIT if kind == "eth_port" else None,
            "temperature": 31 if kind == "temp_sensor" else None,
            "voltage": 230 if kind == "power_supply" else None,
            "details": None,
            # parts with a lamp that can be lit to find them
            "identify_enabled": False if kind in ("controller", "chassis", "drive_bay") else None,
        }
        for kind, names in (*PARTS, *((("fc_port", models.FC_PORTS),) if array.transport == "fc" else ()))
        for number, name in enumerate(names)
    ]


def drives(_: Array) -> list[Item]:
    """A flash module in each bay."""
    return [
        {
            "name": name,
            "type": "SSD",
            "status": "healthy",
            "protocol": "NVMe",
            "capacity": views.CAPACITY // len(bays),
            "capacity_installed": views.CAPACITY // len(bays),
            "details": None,
        }
        for kind, bays in PARTS
        if kind == "drive_bay"
        for name in bays
    ]
