"""How long the daemon keeps a connection: not after a refusal, for a hundred requests, and not while nothing is asked.

Also what it says to callers who speak plain HTTP to its TLS port (reference: proxmox-api §1).
"""

import asyncio
import contextlib
import socket
import ssl
import weakref
from collections.abc import Callable

from aiohttp import web

from lab.serving.wire import Handler

REQUESTS = 100
# Wall seconds: how long a connection may idle is felt by the callers' connection pools, which know no lab time.
IDLE = 5.0
# A request's head that is longer is none.
_HEAD_LIMIT = 8192
_TLS_HANDSHAKE = 0x16  # the first byte of a TLS connection


class _Connection:
    """One connection: the requests it has had, and the timer that ends it."""

    def __init__(self) -> None:
        self.requests = 0
        self.timer: asyncio.TimerHandle | None = None

    def busy(self) -> None:
        """A request has come."""
        self.requests += 1
        if self.timer is not None:
            self.timer.cancel()

    def idle(self, close: Callable[[], None]) -> None:
        """It was answered."""
        self.timer = asyncio.get_running_loop().call_later(IDLE, close)


class KeepAlive:
    """The connections of one node's daemon."""

    def __init__(self) -> None:
        self._connections: weakref.WeakKeyDictionary[asyncio.Transport, _Connection] = weakref.WeakKeyDictionary()

    @web.middleware
    async def __call__(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer, then close now, or later when nothing comes."""
        transport = request.transport
        if transport is None:
            return await handler(request)
        connection = self._connections.setdefault(transport, _Connection())
        connection.busy()
        response = await handler(request)
        if response.status >= 400 or connection.requests >= REQUESTS:
            response.force_close()
        else:
            connection.idle(transport.close)
        return response


async def meet(connection: socket.socket, server: web.Server, context: ssl.SSLContext | None) -> None:
    """Serve one connection over TLS; plain HTTP is sent to https, GET and HEAD by 301, the others by 308."""
    loop = asyncio.get_running_loop()
    first = await _peek(connection)
    if context is None or first[:1] == bytes([_TLS_HANDSHAKE]):
        await loop.connect_accepted_socket(server, connection, ssl=context)
        return
    with contextlib.suppress(OSError), connection:
        await loop.sock_sendall(connection, _redirect(await loop.sock_recv(connection, _HEAD_LIMIT)))


async def _peek(connection: socket.socket) -> bytes:
    """The first byte, which stays to be read; nothing when none comes in time."""
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(connection, ready.set)
    try:
        await asyncio.wait_for(ready.wait(), IDLE)
        return connection.recv(1, socket.MSG_PEEK)
    except (TimeoutError, OSError):
        return b""
    finally:
        loop.remove_reader(connection)


def _redirect(head: bytes) -> bytes:
    """The answer to a plain request; nothing to what is no HTTP."""
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    host = next((line.partition(":")[2].strip() for line in lines[1:] if line.lower().startswith("host:")), "")
    if len(words) != 3 or not host:
        return b""
    status = "301 Moved Permanently" if words[0] in ("GET", "HEAD") else "308 Permanent Redirect"
    return f"HTTP/1.1 {status}\r\nLocation: https://{host}{words[1]}\r\nConnection: close\r\n\r\n".encode("latin-1")
