"""What a node's management controller tells. Pure."""

from cluster.doctor.check import About, Check, Unread
from cluster.nouns import Value


class ControllerTold(Value):
    """What one controller has said of its machine; the name is empty where it knows none.

    `remark` is what a person should know of how it was spoken to.
    """

    node: str
    address: str
    on: bool | Unread
    machine: str | Unread
    remark: str = ""


def controller(told: ControllerTold) -> Check:
    """It takes the login, and the machine is the node: an address that was mixed up would cost another one."""
    about = About(area="controllers", subject=f"management controller of {told.node}", what="machine")
    if isinstance(told.on, Unread):
        return about.unread(told.on, "correct bmc.user and bmc.password, or see what its own web page says")
    if isinstance(told.machine, Unread):
        return about.unread(told.machine)
    if told.machine and told.machine.partition(".")[0].lower() != told.node.lower():
        return about.wrong(
            f"it calls its machine {told.machine}, the inventory says {told.node}",
            "correct the bmc of that node in the inventory",
        )
    said, remark = "on" if told.on else "off", f"; {told.remark}" if told.remark else ""
    if not told.machine:
        return about.unknown(
            f"the machine is {said}; it knows no name of it{remark}",
            f"see at the rack that {told.address} is {told.node}'s",
        )
    return about.ok(f"it is {said}, and called as in the inventory{remark}")
