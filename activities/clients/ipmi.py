"""A node's management controller that has no Redfish: IPMI 2.0 over RMCP+, spoken by FreeIPMI's ``ipmi-raw``.

Each question is a process of its own, so no controller's trouble reaches another's answer. The password goes in by its
standard input: it stands on no command line, in no environment and in no file. Switching is for break-glass runbooks
alone; everybody else reads.

IPMI knows no certificates. Its login (RAKP) proves to both sides that the other knows the password, and what follows is
encrypted and signed with keys made from it. So suites without that proof, 0 among them, are never offered.
"""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Sequence

from activities import tracing
from activities.clients.secrets import Secrets
from activities.errors import Conflict, NotYet, Rejected, Unauthorized, Unreachable, Word
from cluster.addresses import split
from cluster.controllers import IPMI_PORT
from cluster.inventory import Bmc

# A controller may answer an order to switch later than a question.
ORDER_TIMEOUT = 20.0
# RAKP with HMAC-SHA256 and AES; with HMAC-SHA1 and AES, for older controllers (IPMI 2.0, table 22-20).
SUITES = (17, 3)
# What IPMI 2.0 takes for a password, in bytes (§22.30).
PASSWORD_BYTES = 20
# NetFn and command (IPMI 2.0, appendix G): chassis status and control, and the system name (parameter 2), block by
# block. Each line is a LUN, NetFn, command and data, in hex.
STATUS, OFF, ON, NAME = "0 0 1", "0 0 2 0", "0 0 2 1", "0 6 59 0 2 {block:x} 0"
# Completion codes (table 5-2): busy, out of space, no answer now, being updated, being initialised, not in this state.
BUSY = (0xC0, 0xC3, 0xC4, 0xCE, 0xD1, 0xD2)
DONE, NO_RIGHT, NOT_IN_THIS_STATE = 0x00, 0xD4, 0xD5
# What a first block of a name holds, and a later one (§22.14a); names longer than a DNS label are cut.
FIRST_BLOCK, BLOCK, LONGEST = 14, 16, 63
PROGRAM = "ipmi-raw"
# Programs of FreeIPMI are for root by Debian's habit: a service's own PATH may not have their folder.
FOLDERS = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"
# Many controllers name no privilege when a session opens, and grant it all the same (FreeIPMI's own list of them).
WORKAROUND = "opensesspriv"

_RECEIVED = re.compile(r"rcvd: ((?:[0-9A-F]{2} ?)+)")
_NO_SUITE = ("cipher suite id unavailable", "internal IPMI error")


class Refused(Exception):
    """``ipmi-raw`` has ended without the answers, in its own words."""


class Controllers:
    """Management controllers over IPMI. What is kept of each is the suite that it speaks."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._suites: dict[str, int] = {}

    def power(self, bmc: Bmc) -> bool:
        """True when the controller calls the machine on. NotYet when it does not say so now."""
        (status,) = self._asked(bmc, STATUS)
        data = _data(bmc, status, "asked for the power")
        return bool(data[0] & 1)

    def machine(self, bmc: Bmc) -> str:
        """The name that the machine has told its controller (*System Name*); empty where the controller has none."""
        (first,) = self._asked(bmc, NAME.format(block=0))
        if first[0] in BUSY:
            raise _busy(bmc, first[0])
        if first[0] != DONE or len(first) < 5:  # it knows no such parameter, or nobody has told it
            return ""
        kind, length, held = first[3] & 0x0F, min(first[4], LONGEST), first[5:]
        if (more := length - FIRST_BLOCK) > 0:
            blocks = [NAME.format(block=number + 1) for number in range(-(-more // BLOCK))]
            held += b"".join(
                _data(bmc, answer, "asked for the machine's name")[2:] for answer in self._asked(bmc, *blocks)
            )
        code = "utf-16-le" if kind == 2 else "utf-8" if kind == 1 else "latin-1"
        return held[:length].decode(code, errors="replace").strip("\0 ")

    def switch(self, bmc: Bmc, *, on: bool) -> None:
        """Order the power on, or off without asking the operating system: read `power` for what it did.

        Conflict when the controller takes no such order in the machine's state.
        """
        (answer,) = self._asked(bmc, ON if on else OFF, level="OPERATOR", limit=ORDER_TIMEOUT)
        order = f"power {'on' if on else 'off'}"
        if answer[0] == NOT_IN_THIS_STATE:
            raise Conflict(f"{bmc.address} refuses {order}: the machine is in that state already, or on its way")
        _data(bmc, answer, order, least=0)

    def remark(self, bmc: Bmc) -> str:
        """What a person should know of how it was spoken to; empty when there is nothing."""
        suite = self._suites.get(bmc.address)
        return "" if suite in (None, SUITES[0]) else f"IPMI cipher suite {suite} (SHA-1): it has no suite {SUITES[0]}"

    def _asked(self, bmc: Bmc, *lines: str, level: str = "USER", limit: float = 0.0) -> list[bytes]:
        """The answers to these commands, each with its completion code first, all in one session."""
        limit = max(limit, bmc.answers_within.total_seconds())
        host, port = split(bmc.address)
        port = port or IPMI_PORT
        with tracing.call("IPMI", host, port):
            until = time.monotonic() + limit
            known = self._suites.get(bmc.address)
            for suite in (known,) if known else SUITES:
                try:
                    answers = self._session(bmc, (host, port, suite, level), lines, until, limit)
                except Refused as refused:
                    if str(refused).endswith(_NO_SUITE):
                        self._suites.pop(bmc.address, None)  # it may have been updated meanwhile
                        if not known and suite != SUITES[-1]:
                            continue
                    raise refusal(bmc, str(refused), level, limit) from None
                self._suites[bmc.address] = suite
                return answers
        raise AssertionError("every suite answers or is refused")

    def _session(
        self, bmc: Bmc, at: tuple[str, int, int, str], lines: Sequence[str], until: float, limit: float
    ) -> list[bytes]:
        host, port, suite, level = at
        left = max(until - time.monotonic(), 0.1)
        said = _spoken(
            bmc,
            (
                "--config-file=/dev/null", "--driver-type=LAN_2_0", f"--workaround-flags={WORKAROUND}",
                f"--hostname={f'[{host}]' if ':' in host else host}:{port}", f"--username={bmc.user}",
                "--password-prompt", f"--cipher-suite-id={suite}", f"--privilege-level={level}",
                f"--session-timeout={left * 1000:.0f}", f"--retransmission-timeout={min(1.0, left / 3) * 1000:.0f}",
            ),
            "\n".join((self._password(bmc), *lines, "")),
            (left, limit),
        )  # fmt: skip
        answers = [bytes.fromhex(found)[1:] for found in _RECEIVED.findall(said.stdout)]
        if len(answers) != len(lines) or not all(answers):
            words = (said.stderr.removeprefix("Password: ").strip() or "no answer").splitlines()
            raise Refused(words[-1])
        return answers

    def _password(self, bmc: Bmc) -> str:
        found = self._secrets.read(bmc.password)
        if not 0 < len(found.encode()) <= PASSWORD_BYTES or not found.isprintable():
            raise Unauthorized(
                f"secret {bmc.password}: IPMI takes one line of 1 to {PASSWORD_BYTES} bytes; give the account of "
                f"{bmc.user} at {bmc.address} such a password, and put it there"
            )
        return found


def _spoken(
    bmc: Bmc, options: Sequence[str], told: str, within: tuple[float, float]
) -> "subprocess.CompletedProcess[str]":
    """``ipmi-raw`` with these options; `within` is how many seconds it has left, of how many.

    It has no terminal, so it reads the password from its input, and an environment of its own.
    """
    program = shutil.which(PROGRAM, path=f"{os.environ.get('PATH', '')}:{FOLDERS}")
    if program is None:
        raise Rejected(
            f"{bmc.address} is to be asked over IPMI, and this worker's host has no {PROGRAM}; "
            "there: apt install freeipmi-tools"
        )
    try:
        return subprocess.run(
            [program, *options], input=told, capture_output=True, text=True, errors="replace", timeout=within[0],
            env={"LC_ALL": "C"}, start_new_session=True, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise _silent(bmc, within[1]) from None


def refusal(bmc: Bmc, said: str, level: str, limit: float) -> Word:
    """What FreeIPMI's words mean (``ipmi_ctx_errormsg`` of libfreeipmi 1.6), with a remedy.

    Other words say nothing about what was asked: that controller is silent.
    """
    who = bmc.address
    said = said.rpartition(": ")[2]
    account = "correct bmc.user and bmc.password, or the account at the controller"
    words: dict[str, Word] = {
        "username invalid": Unauthorized(f"{who} knows no user {bmc.user}; {account}"),
        "password invalid": Unauthorized(f"{who} and Quorate have different passwords for {bmc.user}; {account}"),
        "k_g invalid": Unauthorized(f"{who} wants a key K_g, which Quorate has none of; clear it at the controller"),
        "cipher suite id unavailable": Rejected(
            f"{who} offers neither cipher suite 17 nor 3 of IPMI; enable suite 17 at the controller (never 0)"
        ),
        "ipmi 2.0 unavailable": Rejected(
            f"{who} speaks no IPMI 2.0, and older versions do not encrypt; use protocol redfish, or leave its bmc out"
        ),
        "invalid hostname": Unreachable(f"{who} does not answer: no address is known for that name"),
        "BMC busy": NotYet(f"{who} is busy: it takes no session now"),
    }
    for line in (
        "privilege level insufficient",
        "privilege level cannot be obtained for this user",
        "authentication type unavailable for attempted privilege level",
    ):
        words[line] = _no_right(bmc, level)
    for line in ("connection timeout", "session timeout", "password verification timeout"):
        words[line] = _silent(bmc, limit)
    return words.get(said) or Unreachable(f"{who} does not answer over IPMI as it should: {said[:100]}")


def _data(bmc: Bmc, answer: bytes, what: str, least: int = 1) -> bytes:
    """What follows the completion code, which has to be good."""
    code = answer[0]
    if code in BUSY:
        raise _busy(bmc, code)
    if code == NO_RIGHT:
        raise _no_right(bmc, "OPERATOR" if least == 0 else "USER")
    if code != DONE or len(answer) <= least:
        raise Rejected(f"{bmc.address}, {what}, answers with code {code:02X}h and {len(answer) - 1} bytes")
    return answer[1:]


def _busy(bmc: Bmc, code: int) -> NotYet:
    return NotYet(f"{bmc.address} does not say now whether the machine is on (IPMI code {code:02X}h)")


def _no_right(bmc: Bmc, level: str) -> Unauthorized:
    role = "Operator, which switching needs" if level == "OPERATOR" else "User"
    return Unauthorized(f"{bmc.address} does not let {bmc.user} be {role}; raise the account's privilege there")


def _silent(bmc: Bmc, limit: float) -> Unreachable:
    return Unreachable(f"{bmc.address} does not answer over IPMI within {limit:g} s")
