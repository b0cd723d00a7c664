"""By which protocol nodes reach the arrays, and by what each is known there. Pure.

An array knows a node by its initiator names, another kind for each transport; one cluster speaks one of them.
"""

from typing import TYPE_CHECKING, Any, Literal

from cluster.nouns import wwn

if TYPE_CHECKING:
    from cluster.inventory import Node

Transport = Literal["iscsi", "fc", "nvme-tcp"]
# The field of an array's host object that holds its initiators.
HostField = Literal["iqns", "wwns", "nqns"]

# Fields of a node: which, what it is, and where the node itself tells it.
FIELDS: dict[Transport, tuple[str, str, str]] = {
    "iscsi": ("iqn", "initiator name", "/etc/iscsi/initiatorname.iscsi"),
    "fc": ("wwns", "WWPNs", "/sys/class/fc_host/host*/port_name"),
    "nvme-tcp": ("nqn", "NQN", "/etc/nvme/hostnqn"),
}
HOST_FIELDS: dict[Transport, HostField] = {"iscsi": "iqns", "fc": "wwns", "nvme-tcp": "nqns"}
# As people call them.
NAMES: dict[Transport, str] = {"iscsi": "iSCSI", "fc": "Fibre Channel", "nvme-tcp": "NVMe/TCP"}


def initiators(node: "Node", transport: Transport) -> tuple[str, ...]:
    """By what the arrays know a node: its iqn, its WWPNs or its NQN; empty where the inventory does not say it."""
    return {
        "iscsi": (node.iqn,) if node.iqn else (),
        "fc": node.wwns,
        "nvme-tcp": (node.nqn,) if node.nqn else (),
    }[transport]


def alike(initiator: str) -> str:
    """By what initiators are compared: arrays know no capital letters, and a WWN is the same without its colons."""
    lower = initiator.lower()
    return lower if lower.startswith(("iqn.", "nqn.", "eui.")) else wwn(initiator)


def initiator_of(row: "dict[str, Any]") -> str:
    """Who is logged in, of an array's row about an initiator; empty where it says nobody."""
    told = row.get("initiator") or {}
    return next((alike(str(told[kind])) for kind in ("iqn", "wwn", "nqn") if told.get(kind)), "")
