"""Management controllers: whose machine each is, and whether it is on."""

from activities.clients.controllers import Controllers
from activities.doctor.asking import read
from cluster.doctor.check import Unread
from cluster.doctor.controllers import ControllerTold
from cluster.inventory import Bmc


def controller(client: Controllers, node: str, bmc: Bmc) -> ControllerTold:
    """What one controller tells. Blocks, no longer than the client's own limit."""
    power = read(lambda: client.power(bmc), bmc.address)
    machine = power if isinstance(power, Unread) else read(lambda: client.machine(bmc), bmc.address)
    return ControllerTold(node=node, address=bmc.address, on=power, machine=machine, remark=client.remark(bmc))
