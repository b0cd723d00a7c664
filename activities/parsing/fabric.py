"""What the kernel tells of Fibre Channel below /sys/class, as `grep -H . FILE…` prints it."""

import re

from activities.parsing import reader
from cluster.fabric import Fabric, Hba, Login
from cluster.nouns import wwn

_HBA = re.compile(r"^/sys/class/fc_host/host(?P<host>\d+)/(?P<name>\w+):(?P<value>.*)$")
_REMOTE = re.compile(
    r"^/sys/class/fc_remote_ports/rport-(?P<port>(?P<host>\d+):(?P<channel>\d+)-\d+)/(?P<name>\w+):(?P<value>.*)$"
)
# What the kernel says of a remote port that is no SCSI target: the switch, another HBA.
_NO_TARGET = "-1"


@reader
def parse_fabric(text: str) -> Fabric:
    """HBA ports, and the ports of arrays that each is, or was, logged in at; the number of a SCSI target is theirs."""
    hbas: dict[int, dict[str, str]] = {}
    remote: dict[str, dict[str, str]] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        if found := _HBA.match(line):
            hbas.setdefault(int(found["host"]), {})[found["name"]] = found["value"]
        elif found := _REMOTE.match(line):
            known = remote.setdefault(found["port"], {"host": found["host"], "channel": found["channel"]})
            known[found["name"]] = found["value"]
        else:
            raise ValueError(repr(line[:80]))
    names = {host: wwn(told["port_name"]) for host, told in hbas.items()}
    return Fabric(
        hbas=tuple(Hba(host=host, wwn=names[host], state=hbas[host]["port_state"]) for host in sorted(hbas)),
        logins=tuple(
            Login(
                hba=names[int(told["host"])],
                target=wwn(told["port_name"]),
                place=f"{told['host']}:{told['channel']}:{told['scsi_target_id']}",
                state=told["port_state"],
            )
            for told in remote.values()
            if told["scsi_target_id"] != _NO_TARGET and int(told["host"]) in names
        ),
    )
