"""What a node's paths need to be there again after a reboot. Pure.

Sessions live in the kernel and die with it: what logs in again are records, units and a list of WWIDs on the node's
disk. Each of the three can be missing while everything looks well.
"""

from collections.abc import Sequence

from pydantic import Field

from cluster.nouns import Value
from cluster.sessions import Record, Way
from cluster.transports import Transport

# Units that must be enabled, and the others of which one is enough: iscsid is started by its socket or by itself.
MAPPER = "multipathd.service"
UNITS = ("open-iscsi.service", MAPPER)
ONE_OF = ("iscsid.socket", "iscsid.service")
# What systemd calls the file of a unit that boots along.
ENABLED = ("enabled", "enabled-runtime", "alias", "static", "indirect", "generated")


class Boot(Value):
    """What a node has: the state of each unit's file in systemd's words, and the WWIDs that multipath maps."""

    units: dict[str, str] = Field(default_factory=dict)
    wwids: tuple[str, ...] = ()
    transport: Transport = Field(default="iscsi", exclude_if=lambda given: given == "iscsi")

    @property
    def disabled(self) -> tuple[str, ...]:
        """The units that would have to be enabled."""
        if self.transport == "fc":  # HBAs log in before any unit starts
            return () if self.units.get(MAPPER) in ENABLED else (MAPPER,)
        off = [unit for unit in UNITS if self.units.get(unit) not in ENABLED]
        return (*off, *(() if any(self.units.get(unit) in ENABLED for unit in ONE_OF) else ONE_OF[:1]))


def lost_by_a_reboot(boot: Boot, wwid: str | None, manual: Sequence[Record]) -> tuple[str, ...]:
    """What would be missing after the next boot: a sentence each, with the command that changes it."""
    found = []
    if units := boot.disabled:
        found.append(
            f"{', '.join(units)} is not enabled, so a reboot would lose the paths: systemctl enable {' '.join(units)}"
        )
    if wwid is not None and wwid not in boot.wwids:
        found.append(f"{wwid} is not in /etc/multipath/wwids, so a reboot may leave single disks: multipath -a {wwid}")
    if manual:
        ways = ", ".join(Way(iqn=one.iqn, portal=one.portal, iface=one.iface).shown for one in manual)
        found.append(
            f"node.startup is {manual[0].startup} for {ways}, so a reboot would lose these sessions: iscsiadm -m node "
            f"-T {manual[0].iqn} -p {manual[0].portal} --op update -n node.startup -v automatic"
        )
    return tuple(found)
