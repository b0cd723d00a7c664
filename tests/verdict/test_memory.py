"""What a watch remembers, with its age: merged in any order, old or not, it never says more than was seen."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.facts import Memory, remember, rounds
from cluster.memory import Before
from cluster.verdict import Verdict, judge, turned
from cluster.watching import Seen
from tests.verdict.test_laws import Situation, many, situations
from tests.verdict.world import ARRAY_B, INVENTORY, NODES, OF, QDEVICE, SITE_OF, START, A, B, World, healthy

ONE_A, TWO_A, THREE_A = OF[A]
FULL = INVENTORY.watch.full
BETWEEN = rounds(INVENTORY)
# Late, and still in one series of looks.
LATE = BETWEEN.total_seconds() - 1


def look(world: World, memory: Memory) -> tuple[Memory, Verdict]:
    """One look of a watch, with the watch's own rounds."""
    memory = remember(memory, world.facts, NODES, BETWEEN)
    verdict = judge(world.facts, memory, INVENTORY)
    return turned(memory, verdict, world.now), verdict


def handed_on(memory: Memory) -> Memory:
    """Through a history, as JSON."""
    return Memory.model_validate_json(memory.model_dump_json())


def watched(hours: float, memory: Memory, world: World) -> Memory:
    """A healthy cluster looked at for so long, one look every twenty seconds."""
    for _ in range(int(timedelta(hours=hours) / FULL)):
        memory, _ = look(world.after(FULL.total_seconds()), memory)
    return memory


# --- who runs where -------------------------------------------------------------------------------------------------


def test_a_whole_cluster_is_not_needed_to_remember_who_runs_where():
    """A node is off for repair for weeks: guests that move meanwhile are remembered where they are."""
    world = healthy().silent(THREE_A).parts([n for n in NODES if n != THREE_A], device=0).after(20)
    world.api(NODES, services={"vm:300": ("started", "pxmx02-03")}, guests={300: "pxmx02-03"}, master="pxmx02-02")
    world.silent(THREE_A).looks()

    assert world.memory.homes(OF[A]) == {}
    assert world.memory.homes(OF[B]) == {"vm:300": "pxmx02-03"}
    assert (world.memory.master, world.memory.as_of["master"]) == ("pxmx02-02", world.now)


@pytest.mark.parametrize("state", ["fence", "recovery"])
def test_a_guest_on_its_way_keeps_the_home_that_it_had(state: str):
    """HA's own view during a recovery is no home."""
    world = healthy().dead(A)
    world.looks()
    world.api(OF[B], services={"vm:300": (state, "pxmx02-01")}, guests={}).after(20).looks()

    assert world.memory.homes(OF[A]) == {"vm:300": ONE_A}
    assert world.memory.states == {"vm:300": "started"}
    assert world.memory.as_of["vm:300"] < world.now


def _recovered(world: World, after: float) -> World:
    """Nobody has looked for so long since site A was lost; meanwhile HA has moved its guest."""
    world.dead(A, after=after).api(
        OF[B],
        services={"vm:300": ("started", "pxmx02-01")},
        guests={300: "pxmx02-01"},
        node_states=dict.fromkeys(OF[A], "unknown") | dict.fromkeys(OF[B], "online"),
    )
    return world


def test_the_home_is_known_however_late_anybody_looks():
    """The site was lost right after a look, and HA had moved everybody before the next one."""
    world = healthy()
    memory = watched(0.1, Memory(totem=world.memory.totem), world)
    memory, verdict = look(_recovered(world, LATE), memory)

    assert memory.services == {"vm:300": "pxmx02-01"}
    assert memory.homes(OF[A]) == {"vm:300": ONE_A}
    for _ in range(5):
        memory, verdict = look(world.after(20), handed_on(memory).merge(memory))
    assert verdict.main.key == f"site-lost {A}"
    assert memory.homes(OF[A]) == {"vm:300": ONE_A}
    assert memory.perhaps(OF[A]) == {}


def test_hosts_that_answer_without_a_quorum_were_lost_when_they_were_counted_last():
    """Cut off, or booted and not a member yet: HA counts from the membership, and has moved their guests by now."""
    world = healthy()
    memory = watched(0.1, Memory(totem=world.memory.totem), world)
    last = world.now
    for later in (5, 20, 20, 20):
        world.cut(B, pod=B).after(later)
        memory, _ = look(world, memory)
    world.api(
        OF[B],
        services={"vm:300": ("started", "pxmx02-01")},
        guests={300: "pxmx02-01"},
        node_states=dict.fromkeys(OF[A], "unknown") | dict.fromkeys(OF[B], "online"),
    )
    memory, verdict = look(world.after(20), memory)

    assert set(OF[A]) <= {node for node, when in memory.alive.items() if when == world.now}
    assert verdict.main.where[-1] == A
    assert memory.t0(OF[A]) == last
    assert memory.homes(OF[A]) == {"vm:300": ONE_A}


def test_of_a_guest_that_nobody_had_seen_for_long_the_home_is_a_guess_with_its_time():
    """An hour has passed between two looks: people may have moved it in between."""
    world = healthy()
    memory = watched(0.1, Memory(totem=world.memory.totem), world)
    last = world.now
    memory, _ = look(_recovered(world, 3600), memory)

    assert memory.homes(OF[A]) == {}
    assert memory.perhaps(OF[A]) == {"vm:300": Before(node=ONE_A, as_of=last, moved=world.now)}


def test_a_guest_that_an_earlier_loss_has_moved_is_not_lost_once_more():
    """One node was lost and HA had brought its guest away; an hour later the rest of the site follows."""
    world = healthy()
    memory = watched(0.1, Memory(totem=world.memory.totem), world)
    left = [node for node in NODES if node != ONE_A]
    world.silent(ONE_A).parts(left, device=0).after(20)
    memory, _ = look(world, memory)
    world.api(
        left,
        services={"vm:300": ("started", "pxmx02-01")},
        guests={300: "pxmx02-01"},
        node_states=dict.fromkeys(NODES, "online") | {ONE_A: "unknown"},
    ).after(60)
    memory, _ = look(world, memory)
    assert memory.homes([ONE_A]) == {"vm:300": ONE_A}
    memory = watched(1, memory, world)
    world.dead(A).api(OF[B], node_states=dict.fromkeys(OF[A], "unknown") | dict.fromkeys(OF[B], "online"))
    memory, _ = look(world.after(20), memory)

    assert memory.homes(OF[A]) == {}
    assert memory.homes(OF[B]) == {"vm:300": "pxmx02-01"}


def test_a_guest_that_left_right_before_the_loss_lives_where_it_is():
    """HA moves nobody so early: it had arrived between two looks."""
    world = healthy()
    memory = watched(0.1, Memory(totem=world.memory.totem), world)
    memory, _ = look(_recovered(world, 50), memory)

    assert memory.homes(OF[A]) == {}
    assert memory.perhaps(OF[A]) == {}
    assert memory.homes(OF[B]) == {"vm:300": "pxmx02-01"}


@pytest.mark.parametrize(
    ("later", "homes"),
    [
        ({"services": {"vm:300": ("started", "pxmx02-02")}}, {"vm:300": ONE_A}),  # moved on at the other site
        ({"services": {"vm:300": ("fence", "pxmx02-01")}}, {"vm:300": ONE_A}),  # its next node is lost as well
        ({"node_states": dict.fromkeys(NODES, "online")}, {}),  # people leave it there: that is its home now
        ({"services": {}}, {}),  # no longer under HA
    ],
)
def test_the_earlier_home_stands_until_its_node_is_back(later: dict[str, Any], homes: dict[str, str]):
    """The incident that is open by then has written it down."""
    world = healthy()
    memory = watched(0.1, Memory(totem=world.memory.totem), world)
    memory, _ = look(_recovered(world, LATE), memory)
    memory, _ = look(world.api(OF[B], **later).after(20), memory)

    assert memory.homes(OF[A]) == homes


def test_a_guest_of_a_lost_node_is_not_forgotten_with_it():
    """HA does not know it, and the survivors list it no more: it was there, and that has its age."""
    world = healthy().api(NODES, guests={300: ONE_A, 205: TWO_A, 137: ONE_A}, services={"ct:137": ("started", ONE_A)})
    world.after(20).looks()
    world.dead(A).api(OF[B], guests={}, stopped=(205,)).after(20).looks()

    assert world.memory.unmanaged(OF[A]) == {205: TWO_A, 300: ONE_A}
    assert world.memory.homes(OF[A]) == {"ct:137": ONE_A}


def test_a_guest_that_was_stopped_is_nowhere():
    """Its node answers and lists it as stopped; one that HA does not know any more is no service."""
    world = healthy().after(20).api(NODES, guests={}, stopped=(300,), services={})
    world.looks()

    assert world.memory.placement == {}
    assert world.memory.homes(NODES) == {}


def test_who_has_no_quorum_is_not_believed():
    """The cut-off half goes on telling of its master and its guests: the quorate half's word counts."""
    world = healthy().cut(B, pod=B).api(OF[A], master=ONE_A, services={"vm:300": ("started", ONE_A)})
    world.api(OF[B], master="pxmx02-02", services={"vm:300": ("started", "pxmx02-01")}).after(5).looks()

    assert (world.memory.master, world.memory.services["vm:300"]) == ("pxmx02-02", "pxmx02-01")


# --- what is not known ----------------------------------------------------------------------------------------------


def test_what_was_seen_before_a_gap_is_not_known():
    """Nobody has looked for an hour, and then the site is dark: T0 and guests that nobody tells are not known."""
    world = healthy()
    memory = watched(0.1, Memory(totem=world.memory.totem), world)
    world.dead(A, after=3600).api(OF[B], services={"vm:300": ("fence", TWO_A)}, guests={})
    memory, _ = look(world, memory)

    assert memory.t0(OF[A]) is None
    assert memory.unmanaged(OF[A]) is None
    assert memory.homes(OF[A]) == {"vm:300": TWO_A}  # HA tells it now


VEILED = "the token lacks VM.Audit at /vms/205: permissions there replace the grant at /vms"


def test_who_else_ran_there_is_not_known_where_guests_may_be_hidden():
    """A short list without an error, from the first look of the watch on: nobody is called the only one."""
    world = healthy().api(NODES, guests={300: ONE_A, 206: TWO_A}, veiled=VEILED).after(20)
    world.looks()
    world.dead(A).looks()

    assert world.memory.unmanaged(OF[A]) is None
    assert world.memory.homes(OF[A]) == {"vm:300": ONE_A}  # HA's own list leaves nobody out


def test_what_was_seen_before_a_right_went_is_seen_again_with_it():
    """The right comes back; until somebody has asked for it, what was told last holds."""
    world = healthy().api(NODES, guests={300: ONE_A, 205: TWO_A}, veiled="").after(20)
    world.looks()
    world.api(NODES, guests={300: ONE_A}, veiled=VEILED).after(20).looks()
    gone = world.memory
    world.api(NODES, veiled=None).after(20).looks()
    unasked = world.memory
    world.api(NODES, guests={300: ONE_A, 205: TWO_A}, veiled="").after(20).looks()

    assert [one.veiled for one in (gone, unasked, world.memory)] == [VEILED, VEILED, ""]
    assert (gone.placement[205], gone.unmanaged(OF[A])) == (TWO_A, None)
    assert gone.merge(world.memory).veiled == world.memory.merge(gone).veiled == ""


def test_a_silence_of_all_apis_leaves_the_homes_unknown():
    """Votes alone do not tell who runs where."""
    world = World(known=False).silent(*NODES, how="api")
    memory, _ = look(world, Memory())

    assert memory.homes(OF[A]) is None
    assert memory.unmanaged(OF[A]) is None
    assert Memory().homes(NODES) is None


# --- one watch, a day old -------------------------------------------------------------------------------------------


def _lost(world: World, memory: Memory, *, event: bool) -> tuple[Memory, Verdict]:
    """Site A goes; with an event one second later the look is cut short, and what it knew is merged."""
    told: list[Verdict] = []
    before = memory
    for later in (1, 5, 9, 13, 17, 21, 25, 29):
        if event:
            memory = handed_on(memory).merge(before)
        world.dead(A, after=4)
        memory, verdict = look(world, memory)
        told.append(verdict)
        assert later
    return memory, told[-1]


@pytest.mark.parametrize("event", [False, True], ids=["no event", "an event"])
def test_a_day_old_watch_judges_and_times_a_loss_as_a_fresh_one(event: bool):
    """26 hours with events, cancelled looks and new runs in between: the same T0, homes and verdict."""
    old, memory = World(known=False), Memory(totem=World().memory.totem)
    old.api(
        NODES, services={"vm:300": ("started", ONE_A), "vm:301": ("started", TWO_A)}, guests={300: ONE_A, 301: TWO_A}
    )
    memory = watched(2, memory, old)
    kept = memory
    for _ in range(6):
        memory = watched(2, memory, old)
        kept = handed_on(kept).merge(handed_on(memory))  # a look that an event cut short
        memory = watched(2, kept, old)
        seen = Seen(finding="", cluster="c", policy="act", verdict=look(old, memory)[1], memory=memory, at=old.now)
        kept = Seen.model_validate_json(seen.model_dump_json()).memory.merge(kept)  # a new run of the workflow
        # vm:301 moves to the other site for good, long before the loss
        old.api(NODES, services={"vm:300": ("started", ONE_A), "vm:301": ("started", "pxmx02-03")},
                guests={300: ONE_A, 301: "pxmx02-03"})  # fmt: skip
        memory = kept
    fresh_world = World(known=False)
    fresh_world.now = old.now - timedelta(minutes=5)
    fresh_world.api(NODES, services=old.cluster[ONE_A].services, guests=old.cluster[ONE_A].guests).after(0)
    memory = watched(0.1, memory, old)
    fresh = watched(0.1, Memory(totem=memory.totem), fresh_world)
    last = {"old": old.now, "fresh": fresh_world.now}
    assert (old.now - START) >= timedelta(hours=25)

    memory, verdict = _lost(old, memory, event=event)
    fresh, wanted = _lost(fresh_world, fresh, event=False)

    assert verdict == wanted
    assert verdict.main.key == f"site-lost {A}"
    assert (memory.t0(OF[A]), fresh.t0(OF[A])) == (last["old"], last["fresh"])
    assert memory.homes(OF[A]) == fresh.homes(OF[A]) == {"vm:300": ONE_A}
    assert memory.unmanaged(OF[A]) == fresh.unmanaged(OF[A]) == {}


# --- merging --------------------------------------------------------------------------------------------------------


@many
@given(situations, situations)
def test_the_order_of_merging_is_noise(first: Situation, second: Situation):
    """Two memories make the same one, whichever comes first; nothing that was seen is older afterwards."""
    one, other = first[1], second[1]
    both = one.merge(other)

    assert both == other.merge(one)
    assert both.merge(both) == both
    for node, when in (one.alive | other.alive).items():
        assert both.alive[node] >= when


CHANGES = {
    "vm:300 moves": lambda world: world.api(
        NODES, services={"vm:300": ("started", "pxmx02-01")}, guests={300: "pxmx02-01"}
    ),
    "vm:300 stops": lambda world: world.api(NODES, guests={}, stopped=(300,)),
    "vm:300 leaves HA": lambda world: world.api(NODES, services={}),
    "a node dies": lambda world: world.silent(THREE_A),
    "it comes back": lambda world: world.votes.update({THREE_A: World().votes[THREE_A]}),
    "the witness dies": lambda world: world.silent(QDEVICE),
    "an array dies": lambda world: world.silent(ARRAY_B),
    "HA fences": lambda world: world.api(NODES, services={"vm:300": ("fence", ONE_A)}, guests={}),
    "the master moves": lambda world: world.api(NODES, master="pxmx02-03"),
}  # fmt: skip


@many
@given(st.lists(st.sampled_from(sorted(CHANGES)), min_size=2, max_size=4))
def test_memories_of_one_watch_merge_to_its_newest(changes: list[str]):
    """Whatever happened in between, and in whatever order they arrive."""
    world, memory, kept = World(known=False), Memory(), []
    for change in changes:
        CHANGES[change](world)
        memory, _ = look(world.after(20), memory)
        kept.append(memory)

    for order in permutations(kept):
        merged = handed_on(order[0])
        for one in order[1:]:
            merged = merged.merge(handed_on(one))
        assert merged == memory
    assert set(SITE_OF.values()) == {A, B}
