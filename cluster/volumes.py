"""Who holds a volume: what LVM says on each node, taken together. Pure.

LVM has no view of the cluster: a volume that one node does not know the state of may be open there.
"""

from collections.abc import Callable, Mapping

from cluster.nouns import Value
from cluster.transports import Transport
from cluster.units import shortly

# Node to its active volumes: true where one is open as well, None where the node does not know.
Held = Mapping[str, Mapping[str, bool | None]]


# The NAA prefix of every FlashArray volume, before its serial number (reference: flasharray-rest §6.3).
VENDOR = "3624a9370"
# The vendor's id at the IEEE.
OUI = "24a937"


def wwid_of(serial: str, transport: Transport = "iscsi") -> str:
    """What hosts call the volume of that serial number: by its NAA identifier, or as a namespace by its NGUID.

    The NGUID is 00, the serial's first 14 digits, the vendor's id and its last 10 (the vendor's page "Identify Pure
    Storage Namespaces", and OpenStack's driver, ``PureNVMEDriver._get_nguid``).
    """
    if transport == "nvme-tcp":
        return f"eui.00{serial[:14]}{OUI}{serial[-10:]}".lower()
    return f"{VENDOR}{serial.lower()}"


def is_namespace(wwid: str) -> bool:
    """It is the WWID of an NVMe namespace."""
    return wwid.startswith("eui.")


class Holders(Value):
    """The nodes that hold a volume, or any of a guest's volumes."""

    open: tuple[str, ...] = ()
    active: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    def lacks(self, node: str) -> str:
        """Why it is not proven that the node alone has it open; empty when it is."""
        if self.unknown:
            return f"whether its volume is open on {', '.join(self.unknown)} is not known"
        if self.open != (node,):
            return f"its volume is open on {', '.join(self.open) or 'no node'}"
        if beside := [other for other in self.active if other != node]:
            return f"its volume is active on {', '.join(beside)} as well: {DEACTIVATE}"
        return ""


# A volume of before Proxmox VE 9 is activated on every node at boot, and would be again after the next one.
DEACTIVATE = (
    "deactivate it there by hand (`lvchange -an`), and where it comes back with every boot, "
    "for good (`lvchange --setautoactivation n`)"
)


def activated_at_boot(vg: str, volumes: tuple[str, ...]) -> str:
    """What to do about volumes that every node activates when it boots, as the end of a sentence; empty for none.

    Proxmox VE 9 makes volumes without, and brings a script for those of before (its upgrade guide, "LVM").
    """
    if not volumes:
        return ""
    return (
        f"; every node activates {shortly(volumes)} at boot, as before Proxmox VE 9; switch it off: "
        f"lvchange --setautoactivation n {' '.join(name if '/' in name else f'{vg}/{name}' for name in volumes[:5])} "
        "(all of them: /usr/share/pve-manager/migrations/pve-lvm-disable-autoactivation)"
    )


def holders(held: Held, mine: Callable[[str], bool]) -> Holders:
    """Who holds the volumes whose names are `mine`."""
    states = {node: [volumes[name] for name in volumes if mine(name)] for node, volumes in held.items()}
    return Holders(
        open=tuple(node for node, known in states.items() if any(known)),
        active=tuple(node for node, known in states.items() if known),
        unknown=tuple(node for node, known in states.items() if None in known and not any(known)),
    )


def by_volume(held: Held) -> dict[str, Holders]:
    """Each active volume with who holds it, by name."""
    names = sorted({name for volumes in held.values() for name in volumes})
    return {name: holders(held, name.__eq__) for name in names}


def in_doubt(held: Held) -> tuple[str, ...]:
    """The volumes that are not proven to have one owner at most."""
    return tuple(name for name in by_volume(held) if doubtful(held, name.__eq__))


def doubtful(held: Held, mine: Callable[[str], bool] = lambda _: True) -> str:
    """What speaks against one owner for each of these volumes, the gravest first; empty when each has one at most."""
    volumes = {name: one for name, one in by_volume(held).items() if mine(name)}
    if twice := {name: one.open for name, one in volumes.items() if len(one.open) > 1}:
        said = "; ".join(f"{name} is open on {' and '.join(on)}" for name, on in twice.items())
        return f"{said}: stop one of them by hand after a snapshot on the array, and before anything else"
    if unsure := {name: one.unknown for name, one in volumes.items() if one.unknown}:
        said = "; ".join(f"{name} on {', '.join(on)}" for name, on in unsure.items())
        return f"LVM does not know whether it is open: {said}; look with `dmsetup info` there"
    beside = {name: [node for node in one.active if node not in one.open] for name, one in volumes.items() if one.open}
    if left := {name: on for name, on in beside.items() if on}:
        said = "; ".join(f"{name} is active on {', '.join(on)}" for name, on in left.items())
        return f"{said}, and open elsewhere: {DEACTIVATE}"
    return ""
