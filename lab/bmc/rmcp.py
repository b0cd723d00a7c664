"""RMCP+ as a management controller speaks it: datagrams, the login (RAKP), and what is encrypted and signed after it.

Forms follow the IPMI specification v2.0 rev. 1.1 (§13), with the two suites that controllers of our days have: 17
(HMAC-SHA256, AES-CBC-128) and 3 (HMAC-SHA1). What a command does, `lab.bmc.ipmi` knows.
"""

import hashlib
import hmac
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from cluster.nouns import Value

RMCP = b"\x06\x00\xff\x07"
PLUS, PLAIN = 0x06, 0x00
IPMI, OPEN, OPENED, RAKP = 0x00, 0x10, 0x11, (0x12, 0x13, 0x14, 0x15)
ENCRYPTED, SIGNED = 0x80, 0x40
# Status codes of RMCP+ (table 13-15).
NO_SESSION, NO_ROLE, NO_NAME, NO_PROOF, NO_SUITE = 0x02, 0x0A, 0x0D, 0x0F, 0x11
AES_BLOCK = 16
CONSTANT = 20  # bytes of the constants from which a session's keys are made (§13.32)


class Suite(Value):
    """A cipher suite: its algorithms' numbers (authentication, integrity, confidentiality), and how they work."""

    numbers: tuple[int, int, int]
    hash: str
    signature: int  # bytes that are left of a signature


SUITES = {
    3: Suite(numbers=(1, 1, 1), hash="sha1", signature=12),
    17: Suite(numbers=(3, 4, 1), hash="sha256", signature=16),
}


@dataclass(frozen=True)
class Account:
    """Who may log in, and as what at most: 2 user, 3 operator, 4 administrator."""

    user: bytes
    password: bytes
    privilege: int = 4


@dataclass
class Session:
    """Somebody who logs in, or has."""

    suite: Suite
    console: bytes  # its number for the caller, and for us
    number: bytes
    account: Account
    heard: bytes = b""  # the caller's random number, role and name
    random: bytes = field(default_factory=lambda: os.urandom(16))
    role: bytes = b""
    keys: tuple[bytes, bytes] | None = None  # for signatures and for encryption, once both sides have proven themselves
    sent: int = 0

    def mac(self, key: bytes, *parts: bytes) -> bytes:
        """The suite's keyed hash."""
        return hmac.new(key, b"".join(parts), self.suite.hash).digest()


class Rmcp:
    """One controller's end: from a datagram to its answer. `command` gets NetFn, number, data and privilege."""

    def __init__(
        self, account: Account, guid: bytes, suites: tuple[int, ...], command: Callable[[int, int, bytes, int], bytes]
    ) -> None:
        self._account, self._guid, self._command = account, guid, command
        self._suites = [SUITES[number] for number in suites]
        self._sessions: dict[bytes, Session] = {}

    def answer(self, datagram: bytes) -> bytes:
        """What is sent back; nothing to what cannot be read, or was not signed as it should be."""
        if datagram[:4] != RMCP or len(datagram) < 14:
            return b""
        if datagram[4] == PLAIN:
            return self._before(datagram[4:])
        if datagram[4] != PLUS or len(datagram) < 16:
            return b""
        kind, number = datagram[5], datagram[6:10]
        (length,) = struct.unpack("<H", datagram[14:16])
        payload = datagram[16 : 16 + length]
        if kind & 0x3F == IPMI:
            return self._inside(kind, number, payload, datagram)
        steps = {OPEN: (OPENED, self._open), RAKP[0]: (RAKP[1], self._greet), RAKP[2]: (RAKP[3], self._prove)}
        if kind not in steps or len(payload) < 8:
            return b""
        told, step = steps[kind]
        return _plus(told, bytes(4), bytes(4), step(payload))

    # --- without a session, and the login ----------------------------------------------------------------------------

    def _before(self, datagram: bytes) -> bytes:
        """The one command that is answered to anybody: which ways of logging in there are."""
        told = self._message(datagram[10 : 10 + datagram[9]], 0)
        return RMCP + bytes((PLAIN, *bytes(8), len(told))) + told if told else b""

    def _open(self, asked: bytes) -> bytes:
        tag, console = asked[:1], asked[4:8]
        wanted = (asked[12], asked[20], asked[28]) if len(asked) == 32 else (0, 0, 0)
        suite = next((one for one in self._suites if one.numbers == wanted), None)
        if suite is None:
            return tag + bytes((NO_SUITE, 0, 0)) + console
        session = Session(suite, console, os.urandom(4), self._account)
        self._sessions[session.number] = session
        return tag + bytes((0, self._account.privilege, 0)) + console + session.number + asked[8:32]

    def _greet(self, asked: bytes) -> bytes:
        tag, session = asked[:1], self._sessions.get(asked[4:8])
        if session is None or len(asked) < 28:
            return tag + bytes((NO_SESSION, 0, 0)) + bytes(4)
        session.role, name = asked[24:25], asked[28 : 28 + asked[27]]
        status = 0 if hmac.compare_digest(name, self._account.user) else NO_NAME
        if not status and session.role[0] & 0x0F > self._account.privilege:
            status = NO_ROLE
        if status:
            del self._sessions[session.number]
            return tag + bytes((status, 0, 0)) + session.console
        session.heard, who = asked[8:24], session.role + asked[27:28] + name
        proof = session.mac(
            self._account.password, session.console, session.number, session.heard, session.random, self._guid, who
        )
        return tag + bytes(3) + session.console + session.random + self._guid + proof

    def _prove(self, asked: bytes) -> bytes:
        tag, session = asked[:1], self._sessions.get(asked[4:8])
        if session is None or not session.heard:
            return tag + bytes((NO_SESSION, 0, 0)) + bytes(4)
        password = self._account.password
        who = session.role + bytes((len(self._account.user),)) + self._account.user
        if asked[1] or not hmac.compare_digest(asked[8:], session.mac(password, session.random, session.console, who)):
            del self._sessions[session.number]
            return tag + bytes((NO_PROOF, 0, 0)) + session.console
        key = session.mac(password, session.heard, session.random, who)
        session.keys = (session.mac(key, b"\x01" * CONSTANT), session.mac(key, b"\x02" * CONSTANT)[:16])
        proof = session.mac(key, session.heard, session.number, self._guid)[: session.suite.signature]
        return tag + bytes(3) + session.console + proof

    # --- inside a session --------------------------------------------------------------------------------------------

    def _inside(self, kind: int, number: bytes, payload: bytes, datagram: bytes) -> bytes:
        session = self._sessions.get(number)
        if session is None or session.keys is None or kind != ENCRYPTED | SIGNED:
            return b""
        signing, hiding = session.keys
        size = session.suite.signature
        signed, signature = datagram[4:-size], datagram[-size:]
        if not hmac.compare_digest(session.mac(signing, signed)[:size], signature):
            return b""
        told = self._message(_shown(hiding, payload), session.role[0] & 0x0F)
        if not told:
            return b""
        session.sent += 1
        found = _plus(kind, session.console, struct.pack("<I", session.sent), _hidden(hiding, told))[4:]
        found += b"\xff" * (pad := -(len(found) + 2) % 4) + bytes((pad, 7))
        return RMCP + found + session.mac(signing, found)[:size]

    def _message(self, message: bytes, privilege: int) -> bytes:
        """One request of IPMI into its response (§13.8); privilege 0 is nobody's."""
        if len(message) < 7 or sum(message[:3]) % 256 or sum(message[3:]) % 256:
            return b""
        to, netfn, _, sender, order, number = message[:6]
        answer = self._command(netfn >> 2, number, message[6:-1], privilege)
        head = bytes((sender, netfn + 4))
        body = bytes((to, order, number)) + answer
        return head + _checksum(head) + body + _checksum(body)


def _plus(kind: int, number: bytes, order: bytes, payload: bytes) -> bytes:
    return RMCP + bytes((PLUS, kind)) + number + order + struct.pack("<H", len(payload)) + payload


def _checksum(of: bytes) -> bytes:
    return bytes((-sum(of) % 256,))


def _hidden(key: bytes, text: bytes) -> bytes:
    """AES-CBC-128 as §13.29: the start value, then the text with 1, 2, 3, … and the number of those behind it."""
    pad, start = -(len(text) + 1) % AES_BLOCK, os.urandom(AES_BLOCK)
    work = Cipher(algorithms.AES(key), modes.CBC(start)).encryptor()
    return start + work.update(text + bytes(range(1, pad + 1)) + bytes((pad,))) + work.finalize()


def _shown(key: bytes, payload: bytes) -> bytes:
    if len(payload) < 2 * AES_BLOCK or len(payload) % AES_BLOCK:
        return b""
    work = Cipher(algorithms.AES(key), modes.CBC(payload[:AES_BLOCK])).decryptor()
    text = work.update(payload[AES_BLOCK:]) + work.finalize()
    return text[: -1 - text[-1]] if text[-1] < AES_BLOCK else b""


def guid(name: str) -> bytes:
    """A machine's number: always the same for the same name."""
    return hashlib.sha256(name.encode()).digest()[:16]
