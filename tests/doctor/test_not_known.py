"""What nobody has told is not known: never well, never left to the deployment, and never waited for."""

import asyncio

import pytest

from activities.doctor.asking import within
from cluster.booting import Boot
from cluster.doctor import storage
from cluster.doctor.arrays import ArrayTold
from cluster.doctor.check import About, Check, Unread
from cluster.doctor.storage import Joined, PathsTold
from cluster.multipathing import MultipathConfig
from cluster.sessions import AUTOMATIC, Record, Session
from workers.cli.doctor import page

SILENT = Unread(word="Unreachable", said="x does not answer")
WWID = "3624a9370aa"
CONFIG = MultipathConfig(defaults={"path_grouping_policy": "group_by_prio", "no_path_retry": "fail", "prio": "alua"})
QUEUEING = CONFIG.model_copy(update={"defaults": {**CONFIG.defaults, "no_path_retry": "queue"}})
UNITS = {"open-iscsi.service": "enabled", "multipathd.service": "enabled", "iscsid.socket": "enabled"}
A = ArrayTold(name="a", levels=("2.44",), ports=("CT0.ETH4",), portals=("10.0.0.1:3260",), iqn="iqn.a", wwid=WWID)
B = A.model_copy(update={"name": "b", "portals": ("10.0.0.2:3260",), "iqn": "iqn.b"})
NODE = PathsTold(
    node="n",
    config=CONFIG,
    boot=Boot(units=UNITS, wwids=(WWID,)),
    sessions=(Session(portal="10.0.0.1:3260", iqn="iqn.a"),),
    records=(Record(portal="10.0.0.1:3260", iqn="iqn.a", startup=AUTOMATIC),),
)


def said(check: Check) -> str:
    return f"{check.state}: {check.evidence}"


def test_both_arrays_have_to_tell_what_a_reboot_could_lose():
    """It compares a node's sessions and WWIDs with what they have."""
    assert said(storage.reboot(NODE, (A, B))) == "ok: sessions, units and WWIDs come back"


@pytest.mark.parametrize(
    ("arrays", "why"),
    [
        ((), "an array was not asked for ports and volume"),
        ((A,), "an array was not asked for ports and volume"),
        ((A, B.model_copy(update={"untold": SILENT})), "b did not tell all of ports and volume"),
        ((A, B.model_copy(update={"ports": SILENT, "iqn": ""})), "b did not tell all of ports and volume"),
        ((A, ArrayTold(name="b", levels=SILENT, called=SILENT)), "b did not tell all of ports and volume"),
    ],
)  # fmt: skip
def test_a_silent_array_is_no_array_without_sessions(arrays: tuple[ArrayTold, ...], why: str):
    """Neither well nor left to the deployment: the sessions that a reboot would lose may be those to it."""
    assert said(storage.reboot(NODE, arrays)) == f"unknown: {why}"


WHOLE = Joined(near=1, far=1)


@pytest.mark.parametrize(
    ("joined", "arrays", "expected"),
    [
        (WHOLE, (A, B), "ok: 1 optimized, 1 non-optimized"),
        (WHOLE, (A, B.model_copy(update={"untold": SILENT})), "unknown: b did not tell all of ports and volume"),
        (None, (A,), "unknown: an array was not asked for ports and volume"),
        (None, (A, B), "unknown: an array was not asked for what there should be"),
        (SILENT, (A, B), f"unknown: {SILENT.said}"),
        (WHOLE.model_copy(update={"wrong": {WWID: "0 of 1 paths"}}), (A, B), "wrong: 0 of 1 paths"),
    ],
)  # fmt: skip
def test_paths_are_judged_where_both_arrays_tell_their_side(
    joined: Joined | Unread | None, arrays: tuple[ArrayTold, ...], expected: str
):
    """What multipath shows is no proof of what it should show."""
    assert said(storage.paths(NODE.model_copy(update={"joined": joined}), arrays)) == expected


def test_paths_are_the_deployments_while_there_is_no_session():
    """The volume may be there already."""
    bare = NODE.model_copy(update={"joined": Joined(wrong={WWID: "multipath shows no device"}), "sessions": ()})

    assert storage.paths(bare, (A, B)).state == "later"


def test_a_volume_that_nobody_names_may_be_on_the_blacklist():
    """Its settings can be judged, a rule for its WWID cannot."""
    doubt = "b did not tell all of ports and volume"

    assert storage.multipath(NODE, WWID, sets=False, doubt=doubt).state == "ok"
    assert said(storage.multipath(NODE, None, sets=False, doubt=doubt)) == (
        "unknown: harmless as far as can be seen; whether the blacklist hides the volume is open: "
        "b did not tell all of ports and volume"
    )


def test_what_the_deployment_sets_hides_nothing_that_it_does_not_set():
    """A disk of the node under multipath is left to a person."""
    bent = NODE.model_copy(update={"config": QUEUEING, "local": ("36001405aa",)})

    assert storage.multipath(bent, WWID, sets=True).state == "wrong"
    assert storage.multipath(bent.model_copy(update={"local": ()}), WWID, sets=True).state == "later"


def test_a_portal_that_is_dark_is_told_although_the_other_array_is_silent():
    """It is known, whatever else is not."""
    dark = NODE.model_copy(update={"dark": {"10.0.0.1:3260": "does not answer within 5 s"}})

    assert said(storage.portals(dark, (A,))) == "wrong: no connection: 10.0.0.1:3260 of a does not answer within 5 s"


async def test_an_endpoint_that_never_comes_to_an_end_is_given_up():
    """One that sends a letter now and then keeps the limit of each question."""
    found = await within(anything(), "fa-north", said_of, limit=0.05)

    assert found == "fa-north has not finished within 0 s"


async def anything() -> str:
    """Asked, and never told to its end."""
    await asyncio.Event().wait()
    return "all of it"


def test_what_a_device_says_draws_no_line_of_its_own():
    """An array that calls itself well is still called by one line."""
    about = About(area="arrays", subject="a", what="token")
    wrong = about.wrong("the array there calls itself x\n  ✓ a: token: taken", "correct arrays.address")

    assert list(page.lines([wrong])) == [
        "Arrays",
        r"  ✗ a: token: the array there calls itself x\x0a  ✓ a: token: taken",
        "      do: correct arrays.address",
    ]


def said_of(why: Unread) -> str:
    """What stands for its answer."""
    return why.said


def test_half_a_cluster_that_is_dark_is_told_once():
    """Twenty nodes, each with an address of its own in its remedy: one line, one example, and all their names."""
    about = [About(area="cluster", subject=f"pve{number:02d}", what="reach") for number in range(1, 21)]
    dark = [one.wrong("does not answer", f"from this machine: nc -vz {one.subject} 8006") for one in about]

    names = ", ".join(one.subject for one in about[1:])
    assert list(page.lines(dark))[1:] == [
        "  ✗ 20 nodes: reach: does not answer",
        "      do, for each, here for pve01: from this machine: nc -vz pve01 8006",
        f"      the others: {names}",
    ]
    assert len(list(page.lines(dark[:6]))) == 1 + 2 * 6
