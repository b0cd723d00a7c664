"""The witness by a host name: `pvecm qdevice setup` takes an address and nothing else, so a name is resolved for it.

It is the resolver of this worker's machine that is asked. That the nodes reach the same host at that address is proven
by the login from the first node, which every set-up begins with.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable

from activities.errors import Refuted, Unreachable, Word
from cluster.addresses import is_address

Resolve = Callable[[str], Awaitable[tuple[str, ...]]]


async def addresses(name: str) -> tuple[str, ...]:
    """All addresses of a name; Refuted when there is no such host, Unreachable while no resolver answers."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise unresolved(name, error.errno) from None
    return tuple(dict.fromkeys(str(one[4][0]) for one in found))


def unresolved(name: str, code: int | None) -> Word:
    """Why a name has no address: nobody answers now, or there is no such host."""
    if code == socket.EAI_AGAIN:
        return Unreachable(f"witness.address {name}: no resolver of this worker's machine answers")
    return Refuted(
        f"witness.address {name}: the resolver of this worker's machine knows no such host; correct it, or give the "
        "address, which `pvecm qdevice setup` needs"
    )


async def address_of(witness: str, resolve: Resolve = addresses) -> str:
    """The witness's one address; of what is an address already, itself."""
    if is_address(witness):
        return witness
    found = await resolve(witness)
    if len(found) != 1:
        raise Refuted(
            f"witness.address {witness} has {len(found)} addresses, {' and '.join(found)}: `pvecm qdevice setup` takes "
            "one; give the one in witness.address that every node reaches"
        )
    return found[0]
