"""What is said of the way to the arrays, in the words and commands of each transport."""

from cluster.transports import NAMES, Transport

_MULTIPATH = "multipath -ll"
_SCAN = 'for h in /sys/class/fc_host/host*; do echo "- - -" > /sys/class/scsi_host/${h##*/}/scan; done'


def words(transport: Transport) -> dict[str, str]:
    """By the name of the place in a text of `cluster.answers.disks`."""
    if transport == "fc":
        return {
            "ports": "Fibre Channel ports, its cables, and the zones on the switches",
            "log in": "look at the HBA ports, then scan for LUNs and check multipath",
            "log in command": f"grep -H . /sys/class/fc_host/host*/port_state; {_SCAN}; {_MULTIPATH}",
            "find": "find the HBA port, cable or zone that is missing, then scan for LUNs",
            "find command": f"grep -H . /sys/class/fc_host/host*/port_state; {_SCAN}",
            "network": "fabrics",
        }
    if transport == "nvme-tcp":
        return {
            "ports": f"{NAMES[transport]} ports and the storage network",
            "log in": "connect again, then check every path",
            "log in command": "nvme connect-all; nvme list-subsys",
            "find": "find the controllers that are missing or connecting, then connect again",
            "find command": "nvme list-subsys; nvme connect-all",
            "network": "storage network",
        }
    return {
        "ports": f"{NAMES[transport]} ports and the storage network",
        "log in": "log in again, then rescan and check multipath",
        "log in command": f"iscsiadm -m node --login && iscsiadm -m session --rescan && {_MULTIPATH}",
        "find": "find the sessions that are missing and log in again",
        "find command": "iscsiadm -m session; iscsiadm -m node --login",
        "network": "storage network",
    }
