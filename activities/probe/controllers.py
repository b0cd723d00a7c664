"""Management controllers: whether each machine is on."""

from activities.clients.controllers import Controllers
from activities.doctor.asking import read
from cluster.doctor.check import Unread
from cluster.inventory import Bmc
from cluster.probing.cleaning import Answer


def controller(client: Controllers, node: str, bmc: Bmc) -> Answer:
    """What one controller tells. Blocks, no longer than the client's own limit."""
    found = read(lambda: client.power(bmc), bmc.address)
    asked = Answer(of="controller", who=node, what="power")
    return asked.model_copy(update={"word": found.word} if isinstance(found, Unread) else {"data": found})
