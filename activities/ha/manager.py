"""HA's state as a node of the quorate part tells it: the one way in which it is read as truth.

A node without quorum answers like any other, and tells how things stood when it lost it. A node that cannot tell now
is passed over; what all nodes would refuse alike (a missing right) is an error at once.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from temporalio.exceptions import ApplicationError

from activities.errors import NotYet, Unreachable
from cluster.recovery import HaView, Service

if TYPE_CHECKING:
    from activities.clients.proxmox import PveApi

MANAGER = "cluster/ha/status/manager_status"
# This node cannot now, another one may: no answer, a forwarded call that failed (595, 596), no quorum, a lock, pmxcfs.
ELSEWHERE = (Unreachable, NotYet)


def is_quorate(told: Mapping[str, Any]) -> bool:
    """Whether the node that tells ``manager_status`` is quorate; it says so as a number, a text, or an empty one.

    Every PVE that has this call tells it (reference: pve-ha §12).
    """
    quorum = told.get("quorum")
    return quorum is None or bool(int(quorum.get("quorate") or 0))


def told_by_quorum(api: "PveApi", via: Sequence[str] = ()) -> tuple[str, dict[str, Any]]:
    """The first node that answers and is quorate, and HA's ``manager_status`` as it tells it.

    `via` are the nodes that are asked, in that order; without it every node is, the one that has answered last
    first. Unreachable when none of them is quorate and answers, with what each of them says.
    """
    silent: list[str] = []
    for node in via or api.nodes:
        try:
            found = api.get(MANAGER, node=node)
        except ELSEWHERE as error:
            silent.append(error.message)
            continue
        if is_quorate(found):
            return node, found
        silent.append(f"{node} has no quorum")
    raise Unreachable(f"no quorate node reports HA's state: {'; '.join(silent)}")


def is_elsewhere(error: ApplicationError) -> bool:
    """Another node may do what this one has refused."""
    return isinstance(error, ELSEWHERE)


def ha_view(found: dict[str, Any]) -> HaView:
    """``/cluster/ha/status/manager_status`` in our words."""
    manager = found.get("manager_status") or {}
    return HaView(
        master=str(manager.get("master_node") or ""),
        nodes=manager.get("node_status") or {},
        services={
            sid: Service(state=entry["state"], node=entry["node"], running=bool(entry.get("running")))
            for sid, entry in (manager.get("service_status") or {}).items()
        },
    )
