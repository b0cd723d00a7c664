"""Healthy means as designed: every layer of the inventory, each way of not being so, and the name it has then.

A row is one departure from a cluster that is well: what is seen, what it is called, where, and a reason for people.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from cluster.answers.advice import advice
from cluster.conditions import Kind
from cluster.looks import CopyLook, Links
from cluster.memory import MASTER
from tests.verdict.world import ARRAY_A, ARRAY_B, INVENTORY, NODES, OF, QDEVICE, A, B, World, healthy

ONE_A, ONE_B = OF[A][0], OF[B][0]
ONLINE = dict.fromkeys(NODES, "online")


def stamped(world: World, at: int, **other: int) -> World:
    """The master and all LRMs have written then; some at another time, by their names with an underscore."""
    told = {**dict.fromkeys((*NODES, MASTER), at), **{name.replace("_", "-"): when for name, when in other.items()}}
    return world.api(NODES, stamps=told)


def writing(world: World) -> World:
    """Everybody has been seen to write, ten seconds ago."""
    stamped(world, 1000).after(0).looks()
    stamped(world, 1010).after(10).looks()
    return world.after(10)


def _copies(world: World, array: str, **more: object) -> World:
    """What both arrays say of one copy."""
    for look in world.arrays.values():
        said = {**look.copies, array: look.copies[array].model_copy(update=more)}
        world.arrays[look.by] = look.model_copy(update={"copies": said})
    return world


def _links(world: World, node: str, **more: int) -> World:
    world.views(NODES, links=Links(links=2, ways=10, down=0))
    return world.views([node], links=Links(**{"links": 2, "ways": 10, "down": 0, **more}))


@dataclass(frozen=True)
class Row:
    """One way of not being as designed."""

    name: str
    seen: Callable[[], World]
    kind: Kind
    where: tuple[str, ...]
    reason: str
    case: str = ""


QUORUM = (
    Row("witness-gives-no-vote", lambda: healthy().views(NODES, device=False, configured=True, total=6),
        "witness-lost", (QDEVICE,), "none of the quorum device"),
    Row("device-is-another-host", lambda: healthy().clients(), "witness-lost", (QDEVICE,),
        "count the device's vote, and qdevice does not have them as clients", "elsewhere"),
    Row("device-of-one-node-is-another-host", lambda: healthy().clients(*NODES[1:]), "witness-lost", (QDEVICE, A),
        "pxmx01-01 count the device's vote", "elsewhere"),
    Row("witness-has-a-stranger", lambda: healthy().clients(*NODES, 9), "witness-lost", (QDEVICE,),
        "qdevice has node 9 as clients of this cluster: not in the inventory", "elsewhere"),
    Row("one-node-expects-more", lambda: healthy().views([ONE_A], expected=9, quorum=5), "votes-changed", (),
        "pxmx01-01 expects 9 votes, the design has 7"),
    Row("ring-down-at-one-node-alone", lambda: _links(healthy(), ONE_A, down=1), "links-down", (ONE_A,),
        "pxmx01-01: 1 of 10 connections to other nodes are down"),
    Row("one-ring-instead-of-two-at-one-node", lambda: _links(healthy(), ONE_A, links=1, ways=5), "links-down",
        (ONE_A,), "pxmx01-01 has 1 link, other nodes have 2"),
)  # fmt: skip

HA = (
    Row("two-masters", lambda: healthy().api([ONE_B], master=ONE_B), "ha-impaired", (),
        "HA has two masters: pxmx01-01 names pxmx01-01"),
    Row("master-unmoved", lambda: stamped(writing(healthy()), 1050, master=1010).after(31), "ha-impaired", (),
        "HA's master pxmx01-01 has not written for 41 s"),
    Row("lrm-unmoved", lambda: stamped(writing(healthy()), 1050, pxmx01_01=1010).after(31), "ha-impaired", (ONE_A,),
        "the LRM of pxmx01-01 has not written for 41 s"),
    Row("all-stamps-frozen-together", lambda: writing(healthy()).after(31), "ha-impaired", tuple(NODES),
        "HA's master pxmx01-01 has not written for 41 s"),
    Row("all-old-by-the-clock-of-a-first-answer",
        lambda: stamped(healthy(), 1000).api(NODES, called_old=tuple(sorted((*NODES, MASTER)))), "ha-impaired",
        tuple(NODES), "is old by the clock of pxmx02-03, as are all others"),
    Row("a-clock-far-ahead", lambda: stamped(writing(healthy()), 1020, pxmx01_01=1400), "ha-impaired", (ONE_A,),
        "the clock of pxmx01-01 is 380 s ahead of HA's other stamps"),
    Row("a-clock-far-behind",
        lambda: stamped(writing(healthy()), 1020, pxmx01_01=900).api(NODES, lrms_old=(ONE_A,)), "ha-impaired",
        (ONE_A,), "the clock of pxmx01-01 is 120 s behind HA's other stamps"),
    Row("pmxcfs-of-a-node-stands-still",
        lambda: stamped(writing(healthy()), 1200).api([ONE_B], stamps=dict.fromkeys((*NODES, MASTER), 1020)),
        "ha-impaired", (ONE_B,), "the API of pxmx02-01 shows HA's state of 180 s ago: its pmxcfs is not updated"),
    Row("lrm-restarts", lambda: healthy().api(NODES, modes={ONE_A: "restart mode"}), "ha-impaired", (ONE_A,),
        "the LRM of pxmx01-01 is in restart mode: HA does nothing there"),
    Row("lrm-lost-its-lock", lambda: healthy().api(NODES, modes={ONE_A: "lost_agent_lock"}), "ha-impaired", (ONE_A,),
        "the LRM of pxmx01-01 is in lost_agent_lock"),
    Row("disarmed",
        lambda: healthy().api(NODES, disarmed="freeze", armed="disarmed", services={"vm:300": ("freeze", ONE_A)}),
        "ha-impaired", ("HA",), "HA is disarmed (freeze): it neither fences nor restarts anything", "disarmed"),
    Row("disarmed-and-ignoring", lambda: healthy().api(NODES, disarmed="ignore", armed="disarmed", idle=("vm:300",)),
        "ha-impaired", ("HA",), "HA is disarmed (ignore)", "disarmed"),
    Row("fencing-stands-by", lambda: healthy().api(NODES, armed="standby"), "ha-impaired", (),
        "HA's fencing is standby: a node that is cut off is not fenced"),
    Row("node-that-ha-has-forgotten",
        lambda: healthy().api(NODES, node_states=dict.fromkeys(NODES[1:], "online")), "ha-impaired", (ONE_A,),
        "pxmx01-01 is a member and HA calls it unknown"),
    Row("node-gone-to-ha", lambda: healthy().api(NODES, node_states={**ONLINE, ONE_A: "gone"}), "ha-impaired",
        (ONE_A,), "HA calls it gone"),
    Row("guest-frozen", lambda: healthy().api(NODES, services={"vm:300": ("freeze", ONE_A)}), "ha-error", ("vm:300",),
        "vm:300 is held by HA with pxmx01-01 (state freeze)", "waiting"),
    Row("guest-in-a-state-without-a-name", lambda: healthy().api(NODES, services={"vm:300": ("hibernate", ONE_A)}),
        "ha-error", ("vm:300",), "HA calls vm:300 hibernate on pxmx01-01: a state that Quorate does not know",
        "waiting"),
    Row("guest-stopped-against-the-request",
        lambda: healthy().api(NODES, services={"vm:300": ("stopped", ONE_A)}, requests={"vm:300": "started"}),
        "ha-error", ("vm:300",), "vm:300 is stopped on pxmx01-01, its requested state is started", "waiting"),
    Row("guest-that-no-master-takes-up",
        lambda: healthy().api(NODES, requests={"vm:300": "started", "vm:301": "started"}), "ha-error", ("vm:301",),
        "HA has not begun to manage vm:301 yet, its requested state is started", "waiting"),
    Row("guest-taken-out-of-ha", lambda: healthy().api(NODES, services={"vm:301": ("started", ONE_A)}), "ha-error",
        ("vm:300",), "HA no longer manages vm:300: it was removed", "unmanaged"),
    Row("ha-emptied", lambda: healthy().api(NODES, services={}), "ha-error", ("vm:300",),
        "HA no longer manages vm:300: it was removed", "unmanaged"),
    Row("guest-to-be-ignored",
        lambda: healthy().api(NODES, services={}, requests={"vm:300": "ignored"}), "ha-error", ("vm:300",),
        "HA no longer manages vm:300: its requested state is ignored", "unmanaged"),
)  # fmt: skip

STORAGE = (
    Row("pod-suspended-on-one-array", lambda: _copies(healthy(), ARRAY_B, status="suspended"), "replication-lost",
        (ARRAY_B,), "X90R3-SiteB calls its own copy suspended"),
    Row("pod-in-a-state-without-a-name", lambda: _copies(healthy(), ARRAY_B, status="paused"), "replication-lost",
        (ARRAY_B,), "X90R3-SiteB calls its own copy paused, a state that Quorate does not know", "not known"),
    Row("pod-without-a-state", lambda: _copies(healthy(), ARRAY_B, status=""), "replication-lost", (ARRAY_B,),
        "X90R3-SiteB calls its own copy nothing", "not known"),
    Row("copy-of-another-time", lambda: _copies(healthy(), ARRAY_B, frozen_at=datetime(2026, 11, 1, tzinfo=UTC)),
        "replication-lost", (ARRAY_B,), "online, its data is of 2026-11-01", "not known"),
    Row("copy-in-the-middle-of-its-way", lambda: _copies(healthy(), ARRAY_B, status="resyncing", progress=0.999),
        "resyncing", (ARRAY_B,), "resyncing"),
    Row("mediator-untold", lambda: healthy().own_copy(ARRAY_A, mediator=""), "mediator-lost", (ARRAY_A,),
        "X90R3-SiteA does not report the state of the mediator", "not known"),
    Row("mediator-without-a-name", lambda: healthy().own_copy(ARRAY_A, mediator="degraded"), "mediator-lost",
        (ARRAY_A,), "X90R3-SiteA calls the mediator degraded, a state that Quorate does not know", "not known"),
    Row("mediator-not-known", lambda: healthy().own_copy(ARRAY_A, mediator="unknown"), "mediator-lost", (ARRAY_A,),
        "X90R3-SiteA calls the mediator unknown"),
    Row("mediator-of-an-array-that-is-silent",
        lambda: _copies(healthy(), ARRAY_A, mediator="unreachable").silent(ARRAY_A), "mediator-lost", (ARRAY_A,),
        "X90R3-SiteB calls the mediator of X90R3-SiteA unreachable"),
    Row("link-seen-weak-by-one-array", lambda: healthy().copies([ARRAY_A], replication="partially_connected"),
        "replication-degraded", (ARRAY_A,), "X90R3-SiteA calls the link to its peer partially_connected"),
    Row("link-in-a-state-without-a-name", lambda: healthy().copies([ARRAY_A], replication="throttled"),
        "replication-lost", (), "X90R3-SiteA calls the link to its peer throttled"),
    Row("node-without-a-path-to-one-array",
        lambda: healthy().logins(*NODES[1:], at=[ARRAY_B]), "paths-lost", (ARRAY_B, ONE_A), "0 of 4 sessions"),
    Row("array-without-ports", lambda: _ports(healthy(), ARRAY_B, 0), "paths-lost", (ARRAY_B,),
        "X90R3-SiteB offers no port"),
    Row("storage-not-defined-on-a-node",
        lambda: healthy().api(NODES, storages=dict.fromkeys(NODES[1:], "available")), "storage-inactive", (ONE_A,),
        "storage pxmx-ac-shared is not defined on pxmx01-01"),
)  # fmt: skip

UNKNOWN = (
    Row("both-arrays-silent-for-a-moment", lambda: healthy().silent(ARRAY_A, ARRAY_B).after(1), "blind",
        (ARRAY_A, ARRAY_B), "no answer from X90R3-SiteA (api), X90R3-SiteB (api): no answer in 3 s"),
    Row("all-apis-silent-for-a-moment", lambda: healthy().silent(*NODES, how="api").after(1), "blind", tuple(NODES),
        "pxmx01-01 (api)"),
    Row("no-api-counts-a-quorum", lambda: healthy().api(NODES, quorate=False).after(1), "blind", tuple(NODES),
        "it has no quorum, and HA's state is not known"),
    Row("guests-hidden-by-a-missing-right", lambda: healthy().api(NODES, hidden=("vm:300",)), "blind", ("vm:300",),
        "VM.Audit is missing there", "hidden"),
    Row("an-array-hides-the-pod-of-which-its-peer-has-a-copy-there", lambda: _shows(healthy(), {}, ARRAY_A), "blind",
        (ARRAY_A,), "X90R3-SiteA does not show pod webb-ac-proxmox-01", "hidden"),
    Row("an-array-hides-a-pod-that-resyncs",
        lambda: _shows(_copies(healthy(), ARRAY_A, status="resyncing"), {}, ARRAY_A), "blind", (ARRAY_A,),
        "X90R3-SiteA does not show pod webb-ac-proxmox-01", "hidden"),
    Row("no-array-shows-the-pod-on-which-guests-run", lambda: _shows(_available(), {}, ARRAY_A, ARRAY_B), "blind",
        (ARRAY_A, ARRAY_B), "neither array shows pod webb-ac-proxmox-01, and its storage is available", "hidden"),
    Row("an-array-was-never-asked", lambda: World(known=False).unasked(ARRAY_B), "blind", (ARRAY_B,),
        "has not been asked yet"),
)  # fmt: skip

TABLE = (*QUORUM, *HA, *STORAGE, *UNKNOWN)


def _available() -> World:
    return healthy().api(NODES, storages=dict.fromkeys(NODES, "available"))


def _shows(world: World, copies: dict[str, CopyLook], *arrays: str) -> World:
    for name in arrays:
        world.arrays[name] = world.arrays[name].model_copy(update={"copies": copies})
    return world


@pytest.mark.parametrize("storages", [{}, dict.fromkeys(NODES, "available") | {ONE_A: "inactive"}])
def test_a_pod_that_no_array_shows_is_offline_where_its_storage_is_not_seen_to_work(storages: dict[str, str]):
    """The list alone would be no evidence, and nothing speaks against it."""
    world = _shows(healthy().api(NODES, storages=storages), {}, ARRAY_A, ARRAY_B)

    assert world.looks().kind == "pod-offline"


def test_a_pod_that_its_peer_calls_offline_there_is_gone_where_it_is_not_shown():
    """Both say that this array has no copy that takes writes."""
    world = _shows(healthy().copies([ARRAY_B], a="offline"), {}, ARRAY_A)

    assert world.looks().main.key == f"pod-unstretched {ARRAY_A}"


def test_a_winner_whose_array_hides_the_pod_has_its_storage():
    """Nobody is asked to switch nodes off for the sake of the other site's copy."""
    both = dict.fromkeys((ARRAY_A, ARRAY_B), CopyLook(status="online", mediator="online"))
    parted = _shows(healthy().cut(A, pod=B), both, ARRAY_B)
    assert _shows(parted, both, ARRAY_A).looks().kind != "storage-elsewhere"

    verdict = _shows(parted, {}, ARRAY_A).looks()

    assert "storage-elsewhere" not in {one.kind for one in (verdict.main, *verdict.also)}


def test_arrays_that_show_no_port_take_no_disk_from_a_node():
    """Who is logged in is not known from a list without any port."""
    verdict = _ports(_ports(healthy(), ARRAY_A, 0), ARRAY_B, 0).looks()

    assert {(one.kind, one.case) for one in (verdict.main, *verdict.also)} == {("paths-lost", "")}


def _ports(world: World, array: str, count: int) -> World:
    world.arrays[array] = world.arrays[array].model_copy(update={"portals": count, "logins": {}})
    return world


@pytest.mark.parametrize("row", TABLE, ids=[row.name for row in TABLE])
def test_what_is_not_as_designed_has_a_name_of_its_own(row: Row):
    """Kind, place, and advice for this case; never `healthy`."""
    main = row.seen().looks().main

    assert (main.kind, main.where, main.case) == (row.kind, row.where, row.case), main.reasons
    assert row.reason in "; ".join(main.reasons)
    assert advice(main, INVENTORY).do


WELL: dict[str, Callable[[], World]] = {
    "stamps that move": lambda: stamped(writing(healthy()), 1030),
    "stamps that have not moved for two rounds": lambda: writing(healthy()).after(9),
    "a first look at stamps": lambda: stamped(healthy(), 1000),
    "stamps that went back at all nodes together": lambda: stamped(stamped(writing(healthy()), 10).after(5), 15),
    "a node that goes down in order": lambda: stamped(writing(healthy()), 1020).api(
        NODES, modes={ONE_A: "restart mode"}, services={"vm:300": ("freeze", ONE_A)}
    ),
    "a container in place of a machine": lambda: healthy().api(NODES, services={"ct:300": ("started", ONE_A)}),
    "an idle master's old word": lambda: bare_of_guests(),
    "guest moving": lambda: healthy().api(NODES, services={"vm:300": ("migrate", ONE_A)}),
    "fencing armed": lambda: healthy().api(NODES, armed="armed"),
    "both rings whole": lambda: _links(healthy(), ONE_A),
    "storage everywhere": lambda: healthy().api(NODES, storages=dict.fromkeys(NODES, "available")),
}


def bare_of_guests() -> World:
    """No guest is under HA, and its master has rested since before a node came back."""
    world = World(known=False).api(NODES, services={}, node_states={**ONLINE, ONE_A: "unknown"})
    world.memory = world.memory.model_copy(update={"as_of": {}})
    return world


@pytest.mark.parametrize("name", WELL)
def test_what_is_as_designed_is_healthy(name: str):
    """The same facts in their right state raise nothing."""
    assert WELL[name]().looks().kind == "healthy"


def test_what_people_requested_is_told_and_is_no_condition():
    """Maintenance, a guest that is disabled: healthy, and the page says so."""
    world = healthy().api(
        NODES, node_states={**ONLINE, ONE_A: "maintenance"}, services={"vm:300": ("stopped", ONE_A)},
        requests={"vm:300": "disabled"},
    )  # fmt: skip
    main = world.looks().main

    assert main.kind == "healthy"
    assert main.reasons[2:] == ("in maintenance: pxmx01-01", "by request: vm:300 disabled")


def test_healthy_says_what_is_not_known():
    """One array is silent for a moment: the other one tells of the pod, and nobody tells of its paths."""
    main = healthy().silent(ARRAY_A).after(1).looks().main

    assert main.kind == "healthy"
    assert main.reasons[-1] == f"not known now, because there is no answer: {ARRAY_A} (api)"


def test_stamps_that_stand_still_are_old_after_a_gap_too():
    """A watch that was away for an hour finds the very stamps of before: nobody has written in that hour."""
    world = writing(healthy())
    world.looks()
    main = world.after(3600).looks().main

    assert main.kind == "ha-impaired"
    assert "has not written for 3610 s" in "; ".join(main.reasons)


def test_clocks_of_the_dead_are_no_clocks():
    """A site is lost with HA's master: the stamps that stand still say nothing against those that move."""
    world = writing(healthy()).dead(A, after=0)
    for later in range(10, 120, 10):
        verdict = stamped(world, 1010 + later, **dict.fromkeys((*(n.replace("-", "_") for n in OF[A]), MASTER), 1010))
        told = verdict.after(10).looks()
        assert "clock" not in "; ".join(r for one in (told.main, *told.also) for r in one.reasons), later


def test_stamps_that_go_back_for_good_are_still_watched():
    """All clocks were set back an hour; later nobody writes any more."""
    world = writing(healthy())
    world.looks()
    stamped(world, 1020 - 3600).after(5).looks()
    main = world.after(300).looks().main

    assert main.kind == "ha-impaired"
    assert "has not written for 300 s" in "; ".join(main.reasons)


def test_a_stamp_that_died_in_a_gap_is_silence_and_no_clock():
    """The worker was away for an hour, and one LRM wrote for the last time just after the last look."""
    world = writing(healthy())
    world.looks()
    gap = stamped(world, 4610, pxmx01_01=1015).api(NODES, lrms_old=(ONE_A,)).after(3600).looks().main

    assert gap.kind == "ha-impaired"
    assert gap.reasons == ("the LRM of pxmx01-01 is silent: HA says 'old timestamp - dead?'",)


def test_disarming_is_news_beside_a_dead_lrm():
    """It has a name of its own, so that people are told."""
    world = healthy().api(NODES, modes={ONE_A: "lost_agent_lock"})
    before = world.looks()
    after = world.api(NODES, disarmed="ignore").after(5).looks()

    assert after.key != before.key


def test_a_worker_that_takes_over_knows_since_when_stamps_stand_still():
    """Memories of two workers are one: the earlier first sight of a stamp counts."""
    one, other = writing(healthy()), healthy()
    one.looks()
    stamped(other, 1010).after(30).looks()
    joined = one.memory.merge(other.memory)

    assert joined == other.memory.merge(one.memory)
    assert joined.written[ONE_A] == one.memory.written[ONE_A]


def test_a_copy_that_does_not_serve_need_not_tell_its_mediator():
    """It is offline: that is the news, and an empty mediator is what it has then."""
    copy = CopyLook(status="offline")
    world = healthy()
    world.arrays[ARRAY_B] = world.arrays[ARRAY_B].model_copy(
        update={"copies": {**world.arrays[ARRAY_B].copies, ARRAY_B: copy}}
    )
    verdict = world.looks()

    assert "mediator-lost" not in {one.kind for one in (verdict.main, *verdict.also)}
