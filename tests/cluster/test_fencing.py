"""Fenced is what HA has acknowledged, and what was seen of it (reference: pve-ha §§5, 7, 15.1)."""

from datetime import UTC, datetime, timedelta

import pytest

from cluster.fencing import REMEMBERED, FencingSeen, FencingWish, concluded, not_known
from cluster.recovery import HaView, Service

DEAD, LEFT = "pxmx01-01", "pxmx02-01"
T0 = datetime(2026, 3, 1, 3, 12, tzinfo=UTC)
A_LOOK = timedelta(seconds=1)


def view(state: str, **services: tuple[str, str]) -> HaView:
    """HA's word for the dead node, and its services as ``vm_300=(state, node)``."""
    listed = {sid.replace("_", ":"): Service(state=word, node=node) for sid, (word, node) in services.items()}
    return HaView(master=LEFT, nodes={DEAD: state, LEFT: "online"} if state else {LEFT: "online"}, services=listed)


def seen(
    *views: HaView, ran: tuple[str, ...] = ("vm:300",), gap: timedelta = A_LOOK, speed: float = 1.0
) -> tuple[str, str]:
    """What is concluded of these looks, one after the other with that gap, and the line for a person."""
    wish = FencingWish(node=DEAD, ran=ran, survivors=(LEFT,), seen=FencingSeen(node=DEAD))
    known = wish.seen
    for number, one in enumerate(views):
        known = known.then(one, T0 + number * gap, speed)
        if found := concluded(wish, known, one):
            return found.outcome, found.finding
    return "", not_known(known).finding


ON = {"vm_300": ("started", DEAD)}
AWAY = {"vm_300": ("started", LEFT)}

TABLE = [
    ("the node leaves fence", [view("fence", **ON), view("unknown", **ON)], "fenced"),
    ("it leaves fence and is online again", [view("fence", **ON), view("online", **ON)], "fenced"),
    ("a service leaves fence for recovery",
     [view("fence", vm_300=("fence", DEAD)), view("fence", vm_300=("recovery", DEAD))], "fenced"),
    ("a service leaves fence for another node",
     [view("fence", vm_300=("fence", DEAD)), view("fence", **AWAY)], "fenced"),
    ("a new master fences and acknowledges in one round", [view("unknown", **ON), view("unknown", **AWAY)], "fenced"),
    ("the same, and recovery is seen", [view("unknown", **ON), view("unknown", vm_300=("recovery", DEAD))], "fenced"),
    ("the old master's word stands still", [view("online", **ON), view("online", **ON)], ""),
    ("it was online when the service left", [view("online", **ON), view("unknown", **AWAY)], "unknown"),
    ("the service was on its way", [view("unknown", vm_300=("migrate", DEAD)), view("unknown", **AWAY)], "unknown"),
    ("it is in fence", [view("unknown", **ON), view("fence", **ON)], ""),
    ("only a service in error", [view("unknown", vm_300=("error", DEAD))] * 3, ""),
    ("only a stopped service", [view("unknown", vm_300=("stopped", DEAD))] * 3, ""),
    ("a frozen service", [view("unknown", vm_300=("freeze", DEAD))] * 3, ""),
    ("the service had moved away before", [view("unknown", **AWAY)], "unknown"),
    ("HA knows the node no more", [view("", **ON)], ""),
    ("it came back before", [view("unknown", **ON), view("online", **ON)], "back"),
    ("its service left it unseen, and it is back", [view("unknown", **ON), view("online", **AWAY)], "unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("views", "outcome"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_only_an_observed_acknowledgement_is_fenced(views: list[HaView], outcome: str):
    """A service that is stopped, in error, moved away or gone proves nothing; a transition does."""
    assert seen(*views)[0] == outcome


@pytest.mark.parametrize("state", ["online", "unknown", "maintenance"])
def test_nothing_is_fenced_where_ha_lists_nothing(state: str):
    """An idle node is never fenced, and what runs there without HA may be alive."""
    outcome, said = seen(view(state), ran=())

    assert outcome == "nothing"
    assert said == "nothing to fence: HA lists no service on it; guests outside HA may still be running there"


def test_a_guest_that_was_taken_out_of_ha_leaves_nothing_to_fence():
    """HA lists it nowhere: nobody waits for its fencing."""
    assert seen(view("unknown", **ON), view("unknown"))[0] == "nothing"


def test_what_is_not_known_says_what_was_seen():
    """A person has to judge it."""
    said = seen(view("unknown", vm_300=("error", DEAD)))[1]

    assert said == "not known: HA calls it unknown and lists vm:300 error on it"


def test_an_acknowledgement_outlives_the_worker_that_saw_it():
    """What was seen travels with the heartbeat: fence is seen by one attempt, its end by the next."""
    before = FencingSeen(node=DEAD).then(view("fence", **ON), T0)
    again = FencingSeen.model_validate_json(before.model_dump_json())

    assert "has its agent lock" in again.then(view("unknown", **AWAY), T0 + timedelta(hours=1)).proof


RECOVERED = {"vm_300": ("recovery", DEAD)}
LONG_AGO = REMEMBERED + timedelta(seconds=1)


@pytest.mark.parametrize("after", [AWAY, RECOVERED], ids=["elsewhere", "in recovery"])
@pytest.mark.parametrize(("gap", "speed"), [(LONG_AGO, 1.0), (LONG_AGO / 10, 10.0), (timedelta(days=1), 1.0)])
def test_what_was_seen_before_a_long_gap_proves_no_fencing(
    after: dict[str, tuple[str, str]], gap: timedelta, speed: float
):
    """The worker was away: the node may have come back, have been emptied by hand and have been lost again."""
    assert seen(view("unknown", **ON), view("unknown", **after), gap=gap, speed=speed)[0] != "fenced"


def test_a_guest_that_left_in_a_long_gap_says_how_little_is_known():
    """A person has to judge it."""
    outcome, said = seen(view("unknown", **ON), view("unknown", **AWAY), gap=LONG_AGO)

    assert outcome == "unknown"
    assert said == (
        "not known: HA lists no service on it now; vm:300 is on pxmx02-01, and how it got there was not seen"
    )


@pytest.mark.parametrize(("gap", "speed"), [(REMEMBERED, 1.0), (REMEMBERED / 10, 10.0)])
def test_a_short_gap_forgets_nothing(gap: timedelta, speed: float):
    """A worker that restarts in a few seconds."""
    assert seen(view("unknown", **ON), view("unknown", **AWAY), gap=gap, speed=speed)[0] == "fenced"


def test_silence_does_not_make_an_old_look_young():
    """HA has told nothing in between: the gap is that between two answers."""
    silent = HaView(master="", nodes={}, services={})
    assert seen(view("unknown", **ON), *[silent] * 70, view("unknown", **AWAY))[0] == "unknown"


def test_a_look_of_an_unknown_age_proves_nothing():
    """What an older build has told with its heartbeat bears no time."""
    old = FencingSeen(node=DEAD, state="unknown", away=True, services={"vm:300": "started"}, listed=("vm:300",))
    assert old.then(view("unknown", **AWAY), T0).proof == ""


def test_a_list_without_any_node_is_silence():
    """HA has no master yet, or its state cannot be read: nothing is concluded, and nothing is forgotten."""
    silent = HaView(master="", nodes={}, services={})
    assert seen(silent, silent)[0] == ""
    assert seen(view("fence", vm_300=("fence", DEAD)), silent, view("fence", **AWAY))[0] == "fenced"
