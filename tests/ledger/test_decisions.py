"""When a switch may go back, who is away from home, who counts as being at work: decided without any server."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.ledger import (
    Book,
    Entry,
    Holder,
    Home,
    Lost,
    Placed,
    Present,
    RunRef,
    World,
    at_home,
    give_back,
    guests_away,
    left,
    may_restore,
    moves_by_itself,
    open_incidents,
    present,
    record_homes,
    record_rests,
    released,
    restored,
    rests_no_more,
    settled_homes,
    site_lost,
    site_released,
    take,
    without_ended,
)
from cluster.recovery import Frozen

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FAILBACK = Frozen(kind="resource", name="vm:300", field="failback", old="1", new="0")
CRS = Frozen(kind="options", name="crs", field="ha-auto-rebalance", old="1", new="0")
JOB = Frozen(kind="backup", name="nightly", field="enabled", old="1", new="0")
A, B, C = "node-a", "node-b", "node-c"


def run(name: str) -> RunRef:
    return RunRef(run=name, run_id=f"{name}-id")


def holder(name: str) -> Holder:
    return Holder(**run(name).model_dump(), why="site-loss", since=NOW)


def off(*switches: Frozen, **more: Any) -> Book:
    entries = tuple(Entry(switch=one, by="x", why="site-loss", since=NOW) for one in switches)
    return Book(cluster="c", switches=entries, **more)


def world(**more: Any) -> World:
    """Everything well: vm:300 runs at its node, all that is off is off."""
    known: dict[str, Any] = {
        "values": {"resource/vm:300": "0", "options/crs": "0", "backup/nightly": "0"},
        "services": {"vm:300": Placed(state="started", node=A)},
        "managed": ("vm:300",),
        "nodes": dict.fromkeys((A, B, C), "online"),
    }
    return World(finding="", at=NOW, **(known | more))


def home(node: str, by: str = "x") -> dict[str, Home]:
    return {"vm:300": Home(sid="vm:300", node=node, by=run(by), since=NOW)}


ELSEWHERE = {"vm:300": Placed(state="started", node=B)}


def test_a_switch_goes_back_when_nothing_speaks_against_it():
    """No run, no incident, no lost site, every guest at home."""
    book = off(FAILBACK, CRS, JOB, homes=home(A))
    assert [may_restore(entry, book, world()) for entry in book.switches] == ["", "", ""]


@pytest.mark.parametrize(
    ("more", "then", "why"),
    [
        ({}, {"silent": "no node answers"}, "the state of the cluster is not known: no node answers"),
        ({}, {"incidents": {"site-loss/c/a": "r"}}, "site-loss/c/a is open"),
        (
            {"present": (Present(**run("i").model_dump(), kind="ClusterIncident", since=NOW),)},
            {},
            "i is open",
        ),
        (
            {"lost": {"a": Lost(site="a", by=run("x"), since=NOW)}},
            {},
            "a was lost and has not been through its quarantine yet",
        ),
        ({}, {"values": {"options/crs": "2"}}, "it was set to 2 outside Quorate meanwhile: Quorate leaves it so"),
        ({"homes": home(B)}, {}, "guests are away from home: vm:300 (node-b); bring them home first"),
    ],
)
def test_what_holds_a_switch_of_all_guests_back(more: dict[str, Any], then: dict[str, Any], why: str):
    """Each reason by itself is enough."""
    book = off(CRS, **more)
    assert may_restore(book.switches[0], book, world(**then)) == why


@pytest.mark.parametrize(
    ("more", "then", "why"),
    [
        (
            {"homes": home(A)},
            {"services": ELSEWHERE},
            "restoring it would move the guest at once: it runs on node-b, its home is node-a",
        ),
        (
            {},
            {"services": {"vm:300": Placed(state="recovery", node=A)}},
            "HA is busy with the guest (it calls it recovery)",
        ),
        (
            {},
            {"services": {"vm:300": Placed(state="error", node=A)}},
            "HA calls the guest error and accepts no change of it until its state is set to disabled",
        ),
        (
            {},
            {"services": {"vm:300": Placed(state="started", node=A, origin=C)}},
            "HA would move the guest from node-a to node-c at once",
        ),
        ({}, {"preferred": {"vm:300": {B: 2, A: 1}}}, "HA would move the guest from node-a to node-b at once"),
    ],
)  # fmt: skip
def test_what_holds_the_failback_of_one_guest_back(more: dict[str, Any], then: dict[str, Any], why: str):
    """Turning it on would move that guest, or cannot be done."""
    book = off(FAILBACK, **more)
    assert may_restore(book.switches[0], book, world(**then)) == why


# Every state of a service (reference: pve-ha §7) but the three that last.
UNDER_WAY = (
    "request_start", "request_start_balance", "request_stop", "migrate", "relocate", "fence", "recovery", "freeze",
)  # fmt: skip


@pytest.mark.parametrize("state", UNDER_WAY)
def test_a_guest_on_its_way_keeps_its_switch_off_and_its_home_on_record(state: str):
    """Also one that is about to be started, and perhaps on another node: where it ends is not known yet."""
    there = world(services={"vm:300": Placed(state=state, node=A)}, ended=("x-id",))
    book = off(FAILBACK, homes=home(A))
    assert may_restore(book.switches[0], off(FAILBACK), there) == f"HA is busy with the guest (it calls it {state})"
    assert guests_away(book, there) == ("vm:300",)
    assert settled_homes(book, there) == ()


@pytest.mark.parametrize("state", ["started", "stopped", "error"])
def test_a_guest_that_lasts_where_it_belongs_is_at_home(state: str):
    """HA moves none of these away without another reason."""
    assert guests_away(Book(homes=home(A)), world(services={"vm:300": Placed(state=state, node=A)})) == ()


@pytest.mark.parametrize("then", [{"values": {}}, {"values": {"options/crs": "1"}}])
def test_what_is_gone_or_on_again_needs_no_reason(then: dict[str, Any]):
    """Even while an incident is open: there is nothing to be done to it."""
    book = off(CRS)
    assert may_restore(book.switches[0], book, world(incidents={"i": "r"}, **then)) == ""


def test_another_guest_that_is_away_holds_back_only_what_concerns_all():
    """The failback of a guest that is at home moves nobody."""
    book = off(FAILBACK, CRS, homes={"vm:301": Home(sid="vm:301", node=A, by=run("x"), since=NOW)})
    there = world(
        services={"vm:300": Placed(state="started", node=A), "vm:301": Placed(state="started", node=B)},
        managed=("vm:300", "vm:301"),
    )
    assert may_restore(book.switches[0], book, there) == ""
    assert may_restore(book.switches[1], book, there).startswith("guests are away from home: vm:301")


def test_a_preferred_node_that_is_not_online_moves_nobody():
    """HA goes by the nodes that are there."""
    book = off(FAILBACK)
    there = world(preferred={"vm:300": {B: 2, A: 1}}, nodes={A: "online", B: "maintenance"})
    assert may_restore(book.switches[0], book, there) == ""


# --- holders ----------------------------------------------------------------------------------------------------------


def test_the_old_value_is_the_first_takers():
    """The second one finds it off; what goes back is what was there before the first."""
    book = take(Book(), holder("one"), [CRS])
    book = take(book, holder("two"), [CRS.model_copy(update={"old": "0"})])
    assert [(entry.switch.old, [one.run for one in entry.holders]) for entry in book.switches] == [
        ("1", ["one", "two"])
    ]


def test_a_run_holds_also_what_is_off_already():
    """Nothing goes back while it works, whoever turned it off."""
    book = take(off(CRS), holder("one"), [FAILBACK])
    assert all([one.run for one in entry.holders] == ["one"] for entry in book.switches)


def test_taking_and_giving_back_twice_changes_nothing():
    """A step that is tried again says the same again."""
    once = take(Book(), holder("one"), [CRS, FAILBACK])
    assert take(once, holder("one"), [CRS, FAILBACK]) == once
    back = give_back(once, "one-id")
    assert give_back(back, "one-id") == back
    assert all(not entry.holders for entry in back.switches)


def test_a_run_that_is_over_holds_nothing_and_is_not_at_work():
    """However it ended."""
    book = present(take(Book(), holder("one"), [CRS]), Present(**run("one").model_dump(), kind="SiteLoss", since=NOW))
    over = world(ended=("one-id",))
    assert may_restore(book.switches[0], book, over) == ""
    book = without_ended(book, over)
    assert book.present == ()
    assert book.switches[0].holders == ()


def test_a_run_that_leaves_is_not_open_even_while_temporal_lists_it():
    """It gives back a moment before its end."""
    book = left(present(Book(), Present(**run("i").model_dump(), kind="SiteLoss", since=NOW)), "i-id")
    assert open_incidents(book, world(incidents={"i": "i-id"})) == ()
    assert open_incidents(book, world(incidents={"i": "another-id"})) == ("i",)


names = st.sampled_from(["one", "two", "three"])
steps = st.lists(st.tuples(st.sampled_from(["take", "give back", "end"]), names, st.sampled_from([CRS, FAILBACK, JOB])))


@given(steps)
def test_no_switch_may_go_back_while_a_running_run_needs_it(done: list[tuple[str, str, Frozen]]):
    """Whatever runs do in whatever order; and none is forgotten before it went back."""
    book, ended, was_off = Book(), set[str](), set[Frozen]()
    holds: dict[Frozen, set[str]] = {}
    for what, who, switch in done:
        if what == "take" and who not in ended:
            book = take(book, holder(who), [switch])
            was_off.add(switch)
            holds |= {one: holds.get(one, set()) | {who} for one in was_off}
        elif what == "give back":
            book = give_back(book, f"{who}-id")
            holds = {one: needed - {who} for one, needed in holds.items()}
        elif what == "end":
            ended.add(who)
        there = world(ended=tuple(f"{one}-id" for one in ended))
        assert {entry.switch for entry in book.switches} == was_off
        for entry in book.switches:
            assert bool(may_restore(entry, book, there)) == bool(holds[entry.switch] - ended)


# --- homes ------------------------------------------------------------------------------------------------------------


def test_the_first_home_stands_until_the_guest_is_there_again():
    """A second loss finds the guest where the first one has brought it."""
    book = record_homes(Book(), run("one"), {"vm:300": A}, {"vm:300": B}, NOW)
    book = record_homes(book, run("two"), {"vm:300": B}, {}, NOW)
    assert (book.homes["vm:300"].node, book.homes["vm:300"].recovered) == (A, B)
    book = record_homes(at_home(book, ["vm:300"]), run("three"), {"vm:300": C}, {}, NOW)
    assert book.homes["vm:300"].node == C


@pytest.mark.parametrize(
    ("more", "then", "settled"),
    [
        ({}, {"ended": ("x-id",)}, ("vm:300",)),
        ({}, {}, ()),  # the run that recorded it may be about to move it
        ({}, {"ended": ("x-id",), "services": ELSEWHERE}, ()),
        ({}, {"ended": ("x-id",), "silent": "no node answers"}, ()),
        ({}, {"ended": ("x-id",), "incidents": {"i": "r"}}, ()),
        ({"lost": {"a": Lost(site="a", by=run("x"), since=NOW)}}, {"ended": ("x-id",)}, ()),
        ({}, {"ended": ("x-id",), "services": {"vm:300": Placed(state="fence", node=A)}}, ()),
        ({}, {"ended": ("x-id",), "services": {}, "managed": ()}, ("vm:300",)),
        ({}, {"ended": ("x-id",), "services": {}}, ()),
    ],
)
def test_when_a_home_needs_no_record_any_more(more: dict[str, Any], then: dict[str, Any], settled: tuple[str, ...]):
    """Never on HA's word of a dead node, and never before whoever recorded it has ended."""
    assert settled_homes(Book(homes=home(A), **more), world(**then)) == settled


def test_a_guest_that_left_ha_is_not_away():
    """HA moves it no more; nothing waits for it for ever."""
    book = Book(homes=home(B))
    assert guests_away(book, world()) == ("vm:300",)
    assert guests_away(book, world(managed=())) == ()


def test_a_lost_site_is_lost_until_it_is_released():
    """The first word stands: when it was lost, and who said so."""
    book = site_lost(Book(), run("one"), "a", NOW)
    book = site_lost(book, run("two"), "a", NOW)
    assert book.lost["a"].by == run("one")
    assert site_released(book, "a").lost == {}


def test_what_went_back_leaves_the_ledger_with_a_line():
    """The rest stays."""
    book = restored(off(CRS, JOB), {"options/crs": "set to 1"}, NOW)
    assert [entry.switch for entry in book.switches] == [JOB]
    assert [one.text for one in book.happened] == ["crs ha-auto-rebalance 1: set to 1"]


# --- what HA does by itself -------------------------------------------------------------------------------------------


def test_a_released_node_takes_its_guests_back_by_itself():
    """Whoever remembers it as the node before maintenance, and is not kept by failback 0 (reference: pve-ha §11)."""
    there = world(
        services={
            "vm:300": Placed(state="started", node=B, origin=A),
            "vm:301": Placed(state="started", node=B, origin=A),
            "vm:302": Placed(state="started", node=B, origin=C),
            "vm:303": Placed(state="stopped", node=B, origin=A),
            "vm:304": Placed(state="started", node=B),
        },
        nodes={A: "maintenance", B: "online", C: "maintenance"},
        values={"resource/vm:300": "1", "resource/vm:301": "0", "resource/vm:304": "1"},
        preferred={"vm:304": {A: 2, B: 1}},
    )
    assert moves_by_itself(there, []) == {}
    assert moves_by_itself(there, [A]) == {"vm:300": A, "vm:304": A}
    assert moves_by_itself(there, [A], failback={"vm:301": True, "vm:304": False}) == {"vm:300": A, "vm:301": A}


@pytest.mark.parametrize(
    ("state", "moved"),
    [
        *[(state, {"vm:300": A}) for state in UNDER_WAY if state != "request_stop"],
        ("started", {"vm:300": A}), ("stopped", {}), ("request_stop", {}), ("error", {}),
    ],
)  # fmt: skip
def test_what_ends_in_started_is_taken_back_by_a_released_node(state: str, moved: dict[str, str]):
    """A round later HA moves it like the others: whoever signs the release has to see it."""
    there = world(
        services={"vm:300": Placed(state=state, node=B, origin=A)}, nodes={A: "maintenance", B: "online"}, values={}
    )
    assert moves_by_itself(there, [A]) == moved


# --- nodes in maintenance ---------------------------------------------------------------------------------------------


def rests(book: Book) -> dict[str, bool]:
    """Each node that is on record, and whether a run of ours has put it into maintenance."""
    return {node: one.ours for node, one in book.rests.items()}


def test_whose_rest_it_is_outlives_a_run_that_did_not_end_well():
    """An evacuation is cut off after its first node; the second one finds that node in maintenance, and it is ours."""
    first = record_rests(Book(), run("one"), [C], [A, B], NOW)
    assert rests(first) == {C: False, A: True, B: True}
    there = world(nodes={A: "maintenance", B: "online", C: "maintenance"}, ended=("one-id",))
    assert rests_no_more(first, there) == (B,)
    second = record_rests(released(first, rests_no_more(first, there)), run("two"), [A, C], [B], NOW)
    assert rests(second) == {C: False, A: True, B: True}


def test_a_node_that_people_release_and_we_empty_later_is_ours():
    """It took guests when that run began."""
    book = record_rests(record_rests(Book(), run("one"), [C], [], NOW), run("two"), [], [C], NOW)
    assert rests(book) == {C: True}


@pytest.mark.parametrize(
    ("then", "over"),
    [
        ({"nodes": {A: "online", B: "online"}}, (A,)),
        ({"nodes": {B: "online"}}, (A,)),
        ({"nodes": {A: "maintenance"}}, ()),
        ({"nodes": {A: "unknown"}}, ()),
        ({"nodes": {A: "fence"}}, ()),
        ({"nodes": {}}, ()),
        ({"nodes": {A: "online"}, "silent": "nobody answers"}, ()),
        ({"nodes": {A: "online"}, "ended": ()}, ()),
    ],
)
def test_a_rest_is_over_when_ha_says_so(then: dict[str, Any], over: tuple[str, ...]):
    """Not while the run that has recorded it is at work, nor where nobody tells; a dark node still rests."""
    book = record_rests(Book(), run("x"), [], [A], NOW)
    assert rests_no_more(book, world(**({"ended": ("x-id",)} | then))) == over
    assert not book.idle


def test_a_guest_on_a_home_that_ha_calls_lost_is_not_at_home():
    """HA lists it there until it has fenced the node: the record of its home stays."""
    book = Book(homes={"vm:300": Home(sid="vm:300", node=A, by=run("x"), since=NOW)})
    there = {"vm:300": Placed(state="started", node=A)}
    lost = world(services=there, nodes={A: "unknown", B: "online"}, ended=("x-id",))
    assert guests_away(book, lost) == ("vm:300",)
    assert settled_homes(book, lost) == ()
    assert settled_homes(book, world(services=there, nodes={A: "online"}, ended=("x-id",))) == ("vm:300",)


def test_no_guests_switch_goes_back_while_ha_tells_of_no_node():
    """Its state cannot be read, or it has no master yet: that is silence."""
    assert may_restore(off(FAILBACK).switches[0], off(FAILBACK), world(services={}, nodes={}))
