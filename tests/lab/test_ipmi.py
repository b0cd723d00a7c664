"""The controllers' end of RMCP+, datagram by datagram; what a whole session does is tested with FreeIPMI."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.bmc.rmcp import NO_SESSION, NO_SUITE, RMCP, Account, Rmcp

ALGORITHMS = {0: (0, 0, 0), 1: (1, 0, 0), 2: (1, 1, 0), 3: (1, 1, 1), 8: (2, 2, 1), 17: (3, 4, 1)}
# Get Channel Authentication Capabilities, outside of a session.
ASKED = bytes.fromhex("2018c88100388e04b5")
STATUS = bytes.fromhex("2000e081000 17e".replace(" ", ""))


@pytest.fixture
def controller() -> Rmcp:
    return Rmcp(Account(b"engine", b"correct-horse"), bytes(16), (3, 17), lambda *_: b"\0")


def plus(kind: int, payload: bytes, number: bytes = bytes(4)) -> bytes:
    return RMCP + bytes((6, kind)) + number + bytes(4) + struct.pack("<H", len(payload)) + payload


def opening(suite: int) -> bytes:
    """A request for a session with the algorithms of that suite."""
    wanted = b"".join(bytes((kind, 0, 0, 8, number, 0, 0, 0)) for kind, number in enumerate(ALGORITHMS[suite]))
    return plus(0x10, bytes((7, 0, 0, 0)) + b"CALL" + wanted)


@pytest.mark.parametrize(
    ("suite", "status"), [(0, NO_SUITE), (1, NO_SUITE), (2, NO_SUITE), (8, NO_SUITE), (3, 0), (17, 0)]
)
def test_only_suites_that_prove_sign_and_encrypt_are_taken(controller: Rmcp, suite: int, status: int):
    """Suite 0 among the others is refused."""
    answer = controller.answer(opening(suite))

    assert (answer[5], answer[16], answer[17], answer[20:24]) == (0x11, 7, status, b"CALL")


def test_anybody_may_ask_which_ways_of_logging_in_there_are(controller: Rmcp):
    """And nothing else: a command outside of a session is answered as who has no right."""
    asked = RMCP + bytes(9) + bytes((len(ASKED),)) + ASKED

    answer = controller.answer(asked)

    assert answer[4] == 0
    assert answer[14:16] == b"\x81\x1c"


def test_a_login_without_a_session_leads_nowhere(controller: Rmcp):
    """Neither its first message nor its second one."""
    first, second = (controller.answer(plus(kind, bytes(48))) for kind in (0x12, 0x14))

    assert [(first[5], first[17]), (second[5], second[17])] == [(0x13, NO_SESSION), (0x15, NO_SESSION)]


def test_a_command_that_is_not_signed_has_no_answer(controller: Rmcp):
    """Whatever session it names, also one that has not logged in."""
    opened = controller.answer(opening(17))
    number = opened[24:28]

    assert [controller.answer(plus(kind, STATUS, number)) for kind in (0x00, 0x40, 0x80, 0xC0)] == [b""] * 4


@given(rest=st.binary(max_size=80))
def test_no_datagram_breaks_it(rest: bytes):
    """With or without a head that it knows."""
    controller = Rmcp(Account(b"engine", b"correct-horse"), bytes(16), (3, 17), lambda *_: b"\0")

    heads = (b"", RMCP, RMCP + b"\0", RMCP + b"\x06", RMCP + b"\x06\x10", RMCP + b"\x06\x12", RMCP + b"\x06\x14")
    assert all(isinstance(controller.answer(head + rest), bytes) for head in heads)
