"""The door of one event source: who comes in, how often, and with how large a body.

Who it is comes first: a stranger learns nothing and uses up nothing of what the source may send.
A signed request is taken once. The memory for that is bounded: where it is full, what is older than all that it holds
is refused, so that a storm narrows the window and never opens it.
"""

import asyncio
import hashlib
import heapq
import hmac
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

from cluster.around import EventSource
from workers.gateway.refusals import Refused

LIMIT = 256 * 1024
# Clocks of senders may be this far off, seconds; a signature is as old as that at most.
WINDOW = 300
SIGNATURES = 100_000
STAMP, SIGNATURE = "X-Quorate-Timestamp", "X-Quorate-Signature"

Clock = Callable[[], float]


@dataclass(frozen=True)
class Visit:
    """A request that was let in: its body, and its signature where it is signed."""

    body: bytes
    signed: tuple[int, bytes] | None = None


class Bucket:
    """So many at once, and so many a second for long."""

    def __init__(self, rate: float, burst: int, clock: Clock) -> None:
        self._rate, self._burst, self._clock = rate, float(burst), clock
        self._left, self._at = self._burst, clock()

    def wait(self) -> float:
        """Take one: 0.0, or the seconds until there is one to take."""
        now = self._clock()
        self._left, self._at = min(self._burst, self._left + (now - self._at) * self._rate), now
        if self._left < 1:
            return (1 - self._left) / self._rate
        self._left -= 1
        return 0.0


class Signatures:
    """The signatures that were taken, for as long as they would be good."""

    def __init__(self, most: int = SIGNATURES) -> None:
        self._most = most
        self._by_age: list[tuple[int, bytes]] = []
        self._known: set[bytes] = set()
        self.floor = 0  # what is not younger cannot be told from a replay any more

    def knows(self, signature: bytes) -> bool:
        """Whether it was taken already."""
        return signature in self._known

    def add(self, stamp: int, signature: bytes, now: float) -> None:
        """Remember it, and forget what is out of the window."""
        if signature not in self._known:
            self._known.add(signature)
            heapq.heappush(self._by_age, (stamp, signature))
        while self._by_age and (len(self._by_age) > self._most or self._by_age[0][0] < now - WINDOW):
            oldest, gone = heapq.heappop(self._by_age)
            self._known.discard(gone)
            self.floor = max(self.floor, oldest)


class Door:
    """One source's door. `wall` tells the time that senders sign, `clock` only ever goes forward."""

    def __init__(
        self,
        source: EventSource,
        secret: str,
        *,
        rate: float,
        burst: int,
        signatures: int = SIGNATURES,
        wall: Clock = time.time,
        clock: Clock = time.monotonic,
    ) -> None:
        self._signed, self._secret = source.auth == "hmac", secret.encode()
        self._bucket, self._signatures, self._wall = Bucket(rate, burst, clock), Signatures(signatures), wall

    async def enter(self, headers: Mapping[str, str], stream: AsyncIterator[bytes], seconds: float) -> Visit:
        """Let a request in and read its body, within so many seconds; Refused says why not."""
        if self._signed:
            stamp = self._stamp(headers)
            body = await _body(headers, stream, seconds)
            signature = self._signature(headers, stamp, body)
            self._within_limits()
            return Visit(body, (stamp, signature))
        given = headers.get("authorization", "").encode("latin-1", errors="replace")
        if not hmac.compare_digest(given, b"Bearer " + self._secret):
            raise self._stranger()
        self._within_limits()
        return Visit(await _body(headers, stream, seconds))

    def opens_with(self, secret: str) -> bool:
        """Whether that is the secret of this source."""
        return hmac.compare_digest(secret.encode(), self._secret)

    def taken(self, visit: Visit) -> None:
        """Its events are safe: the same signature is not let in again. Before that a sender may try again."""
        if visit.signed is not None:
            self._signatures.add(*visit.signed, self._wall())

    def _stamp(self, headers: Mapping[str, str]) -> int:
        given = headers.get(STAMP.lower(), "")
        if not (given.isascii() and given.isdigit() and len(given) <= 12):
            raise self._stranger()
        stamp = int(given)
        if abs(self._wall() - stamp) > WINDOW or stamp <= self._signatures.floor:
            raise self._stranger()
        return stamp

    def _signature(self, headers: Mapping[str, str], stamp: int, body: bytes) -> bytes:
        given = headers.get(SIGNATURE.lower(), "").encode("latin-1", errors="replace")
        # the stamp as it was sent: 07 and 7 are one number and two texts
        text = headers[STAMP.lower()].encode() + b"." + body
        right = hmac.new(self._secret, text, hashlib.sha256)
        if not hmac.compare_digest(given, b"sha256=" + right.hexdigest().encode()):
            raise self._stranger()
        if self._signatures.knows(right.digest()):
            raise Refused(
                409,
                "this signed request was taken already",
                f"sign each request again, with a {STAMP} of its own",
                field=SIGNATURE,
            )
        return right.digest()

    def _within_limits(self) -> None:
        if wait := self._bucket.wait():
            raise Refused(
                429,
                "this source sends more than it may",
                "send later; QUORATE_GATEWAY_RATE and QUORATE_GATEWAY_BURST are the limits",
                again_in=wait,
            )

    def _stranger(self) -> Refused:
        """The same words whatever was wrong: they teach nobody how to come closer."""
        if self._signed:
            remedy = (
                f"send {STAMP} (seconds since 1970, {WINDOW} s off at most) and {SIGNATURE}: "
                "sha256= and the hex HMAC of timestamp, a dot and the body"
            )
        else:
            remedy = "send Authorization: Bearer and the secret of this source"
        return Refused(401, "the request does not prove that it comes from this source", remedy)


async def _body(headers: Mapping[str, str], stream: AsyncIterator[bytes], seconds: float) -> bytes:
    """The body, never more than the limit in memory, whatever its length is said to be."""
    said = headers.get("content-length", "")
    if said.isascii() and said.isdigit() and (len(said) > 12 or int(said) > LIMIT):
        raise _too_large()
    parts = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for part in stream:
                parts += part
                if len(parts) > LIMIT:
                    raise _too_large()
    except TimeoutError:
        raise Refused(408, f"the body did not arrive within {seconds:g} s", "send it at once") from None
    return bytes(parts)


def _too_large() -> Refused:
    return Refused(413, f"the body is larger than {LIMIT // 1024} KiB", "send fewer events at once", field="body")
