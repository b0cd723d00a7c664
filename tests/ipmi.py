"""Management controllers that speak IPMI: a twin that has some, and single ones that are odd."""

import asyncio
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from activities.clients.secrets import Secrets
from cluster.inventory import Bmc
from lab.bmc.controller import Service
from lab.bmc.ipmi import Door
from lab.bmc.rmcp import Account
from tests.twin import TwinThread, bent, inventory_file

NODE = "pxmx01-01"
PORT = 6230
_BMC = re.compile(r'bmc: \{address: "([\d.]+):8443", user: engine, (password: "[^"]+"), ca: [^}]+\}')


def ipmi_inventory(folder: Path) -> Path:
    """The article's lab, whose nodes of site-a have no Redfish."""
    return bent(inventory_file(folder, which="ipmi"), over_ipmi)


def over_ipmi(text: str) -> str:
    """An example, the first three of whose controllers have no Redfish."""
    told = rf'bmc: {{address: "\1:{PORT}", protocol: ipmi, user: engine, \2}}'
    return _BMC.sub(told, text, count=3)


def bmc_of(twin: TwinThread, node: str = NODE) -> Bmc:
    """What the inventory says of that node's controller."""
    found = twin.inventory.node(node).bmc
    assert found is not None
    return found


def password_of(twin: TwinThread) -> str:
    """All controllers of the twin have one."""
    return Secrets(twin.path.parent).read(bmc_of(twin).password)


@contextmanager
def another(
    twin: TwinThread,
    *,
    suites: tuple[int, ...] = (3, 17),
    name: str = NODE,
    privilege: int = 4,
    host: str = "",
) -> Iterator[Bmc]:
    """Another door to the same machine's power, with these suites, this name, this account's privilege."""
    at = host or bmc_of(twin).address.partition(":")[0]
    account = Account(b"engine", password_of(twin).encode(), privilege)
    service = Service(twin.world, NODE, "engine", password_of(twin))

    async def opened() -> asyncio.DatagramTransport:
        loop = asyncio.get_running_loop()
        make: Callable[[], Door] = lambda: Door(service, account, suites=suites, name=name)  # noqa: E731
        door, _ = await loop.create_datagram_endpoint(make, (at, 0))
        return door

    with closing(twin.call(opened())) as door:
        port = door.get_extra_info("sockname")[1]
        yield bmc_of(twin).model_copy(update={"address": f"[{at}]:{port}" if ":" in at else f"{at}:{port}"})


def nobody(twin: TwinThread) -> Bmc:
    """An address at which nothing answers."""
    at = bmc_of(twin).address.partition(":")[0]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind((at, 0))
        return bmc_of(twin).model_copy(update={"address": f"{at}:{free.getsockname()[1]}"})
