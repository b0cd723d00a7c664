"""A node's HBAs and where they are logged in: what is missing, and where it must be mended. Pure.

HBAs log in by themselves at every port that the switches' zones let them see, so nobody makes a session here. Which
ports a node shall use is said by zoning alone; how many there are is the site's affair, as long as each HBA port
reaches as many of each array, and both controllers of each are among them. WWNs are in Purity's spelling.
"""

from collections.abc import Mapping, Sequence

from pydantic import Field

from cluster.nouns import Value
from cluster.units import counted

ONLINE = "Online"
CONTROLLERS = ("CT0", "CT1")

# An array's ports by WWN, each with its name: ``CT0.FC0``.
Ports = Mapping[str, str]


class Hba(Value):
    """One HBA port: the SCSI host that it is, its WWPN, and the state of its link in the kernel's words."""

    host: int
    wwn: str
    state: str


class Login(Value):
    """One HBA port at one port of an array. `place` is how its paths begin: ``2:0:1``."""

    hba: str
    target: str
    place: str
    state: str = ONLINE


class Fabric(Value):
    """What one node tells of Fibre Channel."""

    hbas: tuple[Hba, ...] = ()
    logins: tuple[Login, ...] = Field(default=())

    def at(self, wwns: Sequence[str], ports: Ports) -> tuple[Login, ...]:
        """The logins of these HBA ports at these ports of an array that carry."""
        return tuple(one for one in self.logins if one.hba in wwns and one.target in ports and one.state == ONLINE)


def lacking(fabric: Fabric, wwns: Sequence[str]) -> str:
    """What of the inventory's WWPNs the node does not have, or has without a link; empty when nothing."""
    there = {one.wwn: one for one in fabric.hbas}
    if strange := [wwn for wwn in wwns if wwn not in there]:
        known = ", ".join(there) or "no HBA at all"
        return (
            f"no HBA has the WWPN {', '.join(strange)} of the inventory, there is {known}; correct wwns of the node "
            "in the inventory"
        )
    if dark := [there[wwn] for wwn in wwns if there[wwn].state != ONLINE]:
        said = ", ".join(f"{one.wwn} (host{one.host}) is {one.state}" for one in dark)
        return f"HBA port {said}, not {ONLINE}: check its cable, its transceiver and the port of the switch"
    return ""


def unzoned(fabric: Fabric, wwns: Sequence[str], arrays: Mapping[str, Ports]) -> str:
    """The HBA ports that reach no port of an array; `arrays` are the ports by array. Empty when each reaches some."""
    alone = [
        f"{hba} at no port of {array} ({', '.join(ports.values())})"
        for array, ports in arrays.items()
        for hba in wwns
        if not fabric.at((hba,), ports)
    ]
    return f"HBA port {', '.join(alone)} is logged in; zone them together on the switch" if alone else ""


def uneven(fabric: Fabric, wwns: Sequence[str], arrays: Mapping[str, Ports]) -> str:
    """Why the logins are not alike, in words; empty when they are."""
    for array, ports in arrays.items():
        if said := _uneven_at(fabric, wwns, array, ports):
            return said
    counts = {array: len(fabric.at(wwns, ports)) for array, ports in arrays.items()}
    if len(set(counts.values())) > 1:
        said = ", ".join(f"{counted(count, 'login')} at {array}" for array, count in counts.items())
        return f"both arrays need the same number of paths: {said}; zone as many ports of each"
    return ""


def _uneven_at(fabric: Fabric, wwns: Sequence[str], array: str, ports: Ports) -> str:
    reached = {hba: [ports[one.target] for one in fabric.at((hba,), ports)] for hba in wwns}
    if said := _few(reached):
        return f"each HBA port needs the same number of ports of {array}: {said}"
    names = {name: [one.hba for one in fabric.at(wwns, ports) if one.target == port] for port, name in ports.items()}
    met = {name: hbas for name, hbas in names.items() if hbas}  # the others are zoned for somebody else
    if said := _few(met):
        return f"each port of {array} needs the same number of HBA ports: {said}"
    if absent := [one for one in CONTROLLERS if not any(name.startswith(one) for name in met)]:
        return (
            f"no HBA port is logged in at controller {absent[0]} of {array}, so the node has no path there while the "
            "other one restarts; zone ports of both"
        )
    return ""


def _few(found: Mapping[str, Sequence[str]]) -> str:
    """Those that have fewer than others, with what they have; empty when all have as many."""
    most = max(map(len, found.values()), default=0)
    few = {name: there for name, there in found.items() if len(there) < most}
    said = ", ".join(f"{name} has {len(there)} ({', '.join(there) or 'none'})" for name, there in few.items())
    return f"{said}, others have {most}" if few else ""
