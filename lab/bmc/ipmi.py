"""A node's management controller that speaks IPMI: the same power as over Redfish, behind another door.

Commands follow the IPMI specification v2.0 rev. 1.1 (appendix G), as far as power and the machine's name are concerned.
"""

import asyncio
from typing import TYPE_CHECKING, cast

from lab.bmc.rmcp import Account, Rmcp, guid
from lab.serving.listener import dark

if TYPE_CHECKING:
    from lab.bmc.controller import Service

# Completion codes (table 5-2).
DONE, UNKNOWN, NO_PARAMETER, NO_RIGHT, TOO_HIGH, OUT_OF_RANGE = 0x00, 0xC1, 0x80, 0xD4, 0x81, 0xC9
USER, OPERATOR = 2, 3
# Chassis control (§28.3) in Redfish's words: down, up, cycle, hard reset, soft shutdown.
ORDERS = {0: "ForceOff", 1: "On", 2: "PowerCycle", 3: "ForceRestart", 5: "GracefulShutdown"}
SYSTEM_NAME = 2
FIRST_BLOCK, BLOCK = 14, 16
# Channel 1, IPMI 2.0 alone, users by name (§22.13).
CAPABILITIES = bytes((1, 0x80, 0x04, 0x02, 0, 0, 0, 0))
DEVICE = bytes((0x20, 1, 2, 0x10, 2, 0x80, 0, 0, 0, 0, 0))


class Ipmi:
    """What the commands do. A reset that Redfish refuses in the machine's state is carried out here, as devices do."""

    def __init__(self, service: "Service", name: str = "") -> None:
        self._service, self._name = service, name.encode()

    def command(self, netfn: int, number: int, data: bytes, privilege: int) -> bytes:
        """Completion code and data of one command, for whoever may give it."""
        if (netfn, number) == (6, 0x38):
            return bytes((DONE,)) + CAPABILITIES
        if not privilege:
            return bytes((NO_RIGHT,))
        if (netfn, number) == (0, 2):
            return bytes((self._order(data, privilege),))
        if (netfn, number) == (6, 0x3B):
            wanted = data[0] & 0x0F if data else 0
            return bytes((DONE, wanted or privilege)) if wanted <= privilege else bytes((TOO_HIGH,))
        answers = {
            (0, 1): bytes((DONE, int(self._service.on), 0, 0, 0)),
            (6, 1): bytes((DONE,)) + DEVICE,
            (6, 0x37): bytes((DONE,)) + guid(self._service.node),
            (6, 0x3C): bytes((DONE,)),
            (6, 0x59): self._told(data),
        }
        return answers.get((netfn, number), bytes((UNKNOWN,)))

    def _order(self, data: bytes, privilege: int) -> int:
        kind = ORDERS.get(data[0] & 0x0F if data else -1)
        if privilege < OPERATOR:
            return NO_RIGHT
        if kind is None:
            return OUT_OF_RANGE
        self._service.order(kind)
        return DONE

    def _told(self, data: bytes) -> bytes:
        """One block of the system's name (§22.14b); the first says how it is written and how long it is."""
        if len(data) < 4 or data[1] != SYSTEM_NAME:
            return bytes((NO_PARAMETER,))
        block, name = data[2], self._name
        if block == 0:
            return bytes((DONE, 0x11, 0, 0, len(name))) + name[:FIRST_BLOCK].ljust(FIRST_BLOCK, b"\0")
        begins = FIRST_BLOCK + (block - 1) * BLOCK
        if begins >= len(name):
            return bytes((OUT_OF_RANGE,))
        return bytes((DONE, 0x11, block)) + name[begins : begins + BLOCK].ljust(BLOCK, b"\0")


class Door(asyncio.DatagramProtocol):
    """The UDP port of one controller: silent while it has no power. Faults are planted on ``IPMI NETFN COMMAND``."""

    def __init__(
        self, service: "Service", account: Account, *, suites: tuple[int, ...] = (3, 17), name: str | None = None
    ) -> None:
        self._service = service
        self._transport: asyncio.DatagramTransport | None = None
        self._ipmi = Ipmi(service, service.node if name is None else name)
        self._rmcp = Rmcp(account, guid(service.node), suites, self._commanded)
        self._silent, self._late = False, 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio's own: from now on there are answers."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer, now or late or never."""
        if dark(self._service.world, f"bmc:{self._service.node}"):
            return
        self._silent, self._late = False, 0.0
        if (answer := self._rmcp.answer(data)) and not self._silent and self._transport is not None:
            asyncio.get_running_loop().call_later(self._late, self._transport.sendto, answer, addr)

    def _commanded(self, netfn: int, number: int, data: bytes, privilege: int) -> bytes:
        world = self._service.world
        fault = world.faults.take(f"bmc:{self._service.node}", f"IPMI {netfn:02X} {number:02X}")
        if fault is not None and fault.action in ("hang", "reset"):
            self._silent = True
            return b"\0"
        if fault is not None and fault.action == "delay":
            self._late = fault.seconds / world.clock.speed
        if fault is not None and fault.action == "fail":
            return bytes((fault.status % 256,))
        self._silent = fault is not None and fault.action == "drop"
        return self._ipmi.command(netfn, number, data, privilege)
