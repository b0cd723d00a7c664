"""Laws of the verdict that hold for whatever the vantage points say, be it old, contradictory or a lie."""

from collections.abc import Callable
from datetime import timedelta
from itertools import combinations
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cluster.conditions import GRAVITY
from cluster.facts import (
    ENGINE,
    WITNESS,
    ArrayLook,
    ClusterLook,
    CopyLook,
    Facts,
    Look,
    Memory,
    PowerLook,
    Totem,
    VotesLook,
    WitnessLook,
    remember,
)
from cluster.verdict import Verdict, judge, turned
from tests.verdict.world import (
    ARRAY,
    ARRAY_A,
    ARRAY_B,
    DESK,
    IDS,
    INVENTORY,
    NODES,
    NUMBER,
    OF,
    OTHER,
    QDEVICE,
    QUICK,
    SITE_OF,
    SLOW,
    START,
    A,
    B,
    L,
    World,
    changed,
    quiet,
    scaled,
    seconds,
)

LOSSES = ("site-lost", "site-isolated")
GONE = (*LOSSES, "sites-parted")
GRAVE = (*LOSSES, "sites-parted", "quorum-lost")
STALE = seconds(14)

many = settings(max_examples=scaled(25), deadline=None, suppress_health_check=[HealthCheck.too_slow])

# --- anything at all ------------------------------------------------------------------------------------------------

ages = st.floats(-5, 120).map(seconds)
times = ages.map(lambda age: START - age)
places = st.sampled_from(["", DESK, A, B, QDEVICE])
words = st.sampled_from(["online", "offline", "resyncing", "suspended", "unknown", "unreachable", "flummoxed", ""])
somebody = st.sampled_from([*NODES, "pxmx09-01"])
numbers = st.integers(0, 9)
groups = st.one_of(
    st.sampled_from([tuple(IDS), tuple(map(NUMBER.get, OF[A])), tuple(map(NUMBER.get, OF[B])), ()]),
    st.lists(numbers, max_size=8).map(tuple),
)
silences = st.sampled_from(["", "", "no answer in 3 s"])
arrays_by_name = st.sampled_from([ARRAY_A, ARRAY_B, "X90R3-SiteC"])


def looks(kind, how: str, **fields):
    return st.builds(
        kind, by=st.just(""), how=st.just(how), domain=st.sampled_from([A, B, WITNESS, ENGINE, ""]), at=times,
        silent=silences, **fields,
    )  # fmt: skip


def named(keys, of):
    """By name, as they are gathered."""
    return st.dictionaries(keys, of, max_size=7).map(
        lambda found: {name: look.model_copy(update={"by": name}) for name, look in found.items()}
    )


small = st.integers(0, 9)
votes = looks(
    VotesLook, "ssh", expected=small, total=small, quorum=small, quorate=st.booleans(), members=groups,
    device=st.booleans(), settled=st.sampled_from([True, True, False]),
)  # fmt: skip
names_of_ids = st.one_of(st.just(IDS), st.dictionaries(numbers, somebody, max_size=7))
apis = looks(
    ClusterLook, "api", ids=names_of_ids, quorate=st.booleans(), master=somebody,
    node_states=st.dictionaries(somebody, st.sampled_from(["online", "unknown", "fence"]), max_size=3),
    services=st.just({"vm:300": ("started", "pxmx01-01")}), guests=st.dictionaries(numbers, somebody, max_size=2),
)  # fmt: skip
copies = st.builds(
    CopyLook, status=words, mediator=words, pre_elected=st.booleans(),
    progress=st.none() | st.floats(allow_nan=True, allow_infinity=True),
)  # fmt: skip
storage = looks(
    ArrayLook, "api", copies=st.dictionaries(arrays_by_name, copies, max_size=3),
    replication=st.sampled_from(["connected", "connecting", "partially_connected", ""]),
    logins=st.dictionaries(somebody, small, max_size=7), portals=small,
)  # fmt: skip
witnesses = st.none() | looks(WitnessLook, "ssh", clients=groups).map(
    lambda look: look.model_copy(update={"by": QDEVICE})
)
anything = st.builds(
    Facts, at=st.just(START), place=places, votes=named(somebody, votes), cluster=named(somebody, apis),
    witness=witnesses,
    arrays=named(arrays_by_name, storage),
    power=named(somebody, looks(PowerLook, "bmc", on=st.sampled_from([None, True, False]))),
)  # fmt: skip
totems = st.sampled_from([None, SLOW, QUICK])
KEYS = [f"witness-lost {QDEVICE}", f"site-lost {A}", f"array-lost {ARRAY_A}", "quorum-lost", "mediator-lost", "odd"]
memories = st.builds(
    Memory, ids=names_of_ids, totem=totems, alive=st.dictionaries(somebody, times, max_size=7),
    counted=st.dictionaries(somebody | st.just(QDEVICE), times, max_size=8),
    judged=st.sampled_from(["", "healthy", "x"]),
    heard=st.dictionaries(st.sampled_from([look.source for look in World().facts.looks]), times, max_size=9),
    layers=st.dictionaries(st.sampled_from([f"pod {ARRAY_A}", f"sessions {ARRAY_B}", "device"]), times),
    changes=st.dictionaries(st.sampled_from(KEYS), st.sets(times, max_size=8).map(sorted).map(tuple), max_size=3),
    looked=st.none() | times, unbroken=st.none() | times,
)  # fmt: skip

# --- a loss, and any part of it said otherwise ----------------------------------------------------------------------


@st.composite
def near_losses(draw) -> World:
    """A dead site, and some of the vantage points are silent, late or of another opinion: where a verdict can fail."""
    site = draw(st.sampled_from([A, B]))
    other, totem = OTHER[site], draw(totems)
    world = World(totem=totem).dead(site, after=draw(st.sampled_from([2.0, 8.0, 10.0, 13.0, 22.0, 25.0, 27.0, 60.0])))
    dead, left = OF[site], OF[other]
    world.stands(draw(places))
    world.silent(*draw(st.lists(st.sampled_from([*left, QDEVICE, ARRAY[other]]), max_size=3)))
    for change in draw(st.lists(st.sampled_from(CHANGES), max_size=2)):
        change(world, draw, site, dead, left)
    return world


def _answers_itself(world, draw, site, dead, left):
    node = draw(st.sampled_from(dead))
    members = draw(st.sampled_from([(node,), dead, NODES]))
    fresh = World().votes[node].model_copy(update={"at": world.now})
    world.votes[node] = fresh
    world.views([node], members=members, total=len(members), quorate=len(members) > 3)


def _api_answers(world, draw, site, dead, left):
    node = draw(st.sampled_from(dead))
    world.cluster[node] = World().cluster[node].model_copy(update={"at": world.now})


def _clients_stay(world, draw, site, dead, left):
    if world.witness and world.witness.answered:
        world.clients(*draw(st.lists(st.sampled_from(dead), min_size=1)), *left)


def _logins_stay(world, draw, site, dead, left):
    world.logins(*draw(st.lists(st.sampled_from(dead), min_size=1)), *left, at=[ARRAY[OTHER[site]]])


def _own_array_answers(world, draw, site, dead, left):
    world.arrays[ARRAY[site]] = World().arrays[ARRAY[site]].model_copy(update={"at": world.now})


def _bmc(world, draw, site, dead, left):
    world.bmc(*draw(st.lists(st.sampled_from(dead), min_size=1)), on=draw(st.booleans()))


def _unsettled(world, draw, site, dead, left):
    world.views(draw(st.lists(st.sampled_from(left), min_size=1)), settled=False)


def _copy(world, draw, site, dead, left):
    world.own_copy(ARRAY[OTHER[site]], status=draw(words))
    world.copies(
        [ARRAY[OTHER[site]]], a=draw(words), b=draw(words), replication=draw(st.sampled_from(["connected", ""]))
    )


def _liar(world, draw, site, dead, left):
    world.views([draw(st.sampled_from(left))], members=draw(groups), quorate=draw(st.booleans()))


def _older(world, draw, site, dead, left):
    back = seconds(draw(st.floats(0, 60)))
    if world.witness:
        world.witness = world.witness.model_copy(update={"at": world.now - back})


def _strangers(world, draw, site, dead, left):
    if world.witness and world.witness.answered:
        world.clients(*left, draw(st.integers(7, 9)))


def _not_asked(world, draw, site, dead, left):
    world.unasked(*draw(st.lists(st.sampled_from([*NODES, ARRAY_A, ARRAY_B, QDEVICE]), max_size=3)))


CHANGES = (
    _answers_itself, _api_answers, _clients_stay, _logins_stay, _own_array_answers, _bmc, _unsettled, _copy, _liar,
    _older, _strangers, _not_asked,
)  # fmt: skip

situations = st.one_of(
    near_losses().map(lambda world: (world.facts, remember(world.memory, world.facts, NODES))),
    st.tuples(anything, memories).map(lambda pair: (pair[0], remember(pair[1], pair[0], NODES))),
)
Situation = tuple[Facts, Memory]


def judged(situation: Situation) -> Verdict:
    facts, memory = situation
    return judge(facts, memory, INVENTORY)


def told(verdict: Verdict, *kinds: str) -> list[str]:
    """The sites of which one of these is told, as the main thing or beside it."""
    return ["".join(one.where[-1:]) for one in (verdict.main, *verdict.also) if one.kind in kinds]


# --- an oracle of its own: what the facts prove, without the code that is tested ------------------------------------


def speaks(look: Look, facts: Facts) -> bool:
    """It has said something, and not longer ago than three rounds of the watch; an API's turn comes more seldom."""
    limit = 123 if isinstance(look, ClusterLook) else 63
    return not look.silent and facts.at - look.at <= seconds(limit)


def answering(facts: Facts, site: str) -> list[str]:
    """Nodes of the site that speak for themselves."""
    own = (*facts.votes.values(), *facts.cluster.values())
    return [look.by for look in own if speaks(look, facts) and look.by in OF[site]]


def listed(facts: Facts, memory: Memory, site: str) -> list[int]:
    """Clients of the witness that are, or may be, of the site."""
    clients = facts.witness.clients if facts.witness and speaks(facts.witness, facts) else ()
    return [number for number in clients if memory.ids.get(number, OF[site][0]) in OF[site]]


def logged_in(facts: Facts, site: str) -> bool:
    return any(set(look.logins) & set(OF[site]) for look in facts.arrays.values() if speaks(look, facts))


def domains(facts: Facts, memory: Memory, site: str) -> set[str]:
    """The failure domains that find the hosts gone: where the engine stands, the witness, arrays, controllers."""
    nodes = set(OF[site])
    found = set()
    if facts.place and nodes <= facts.votes.keys() and not answering(facts, site):
        found.add({QDEVICE: WITNESS}.get(facts.place, facts.place))
    witness = facts.witness
    clients = witness.clients if witness and speaks(witness, facts) else ()
    if witness and clients and not {memory.ids.get(number) for number in clients} & nodes:
        found.add(witness.domain)
    for look in facts.arrays.values():
        if speaks(look, facts) and look.logins and not nodes & set(look.logins):
            found.add(look.domain)
    if {look.by for look in facts.power.values() if speaks(look, facts) and look.on is False} >= nodes:
        found.add(site)
    return found


# --- the laws -------------------------------------------------------------------------------------------------------


@many
@given(situations)
def test_every_look_has_a_verdict(situation: Situation):
    """Whatever is said, there is an answer, it has its reasons, and it can be remembered."""
    verdict = judged(situation)

    for condition in (verdict.main, *verdict.also):
        assert condition.reasons
        assert all(condition.reasons)
        assert condition.kind == "healthy" or condition.unless
    ranks = [GRAVITY.index(one.kind) for one in verdict.also]
    assert ranks == sorted(ranks)
    assert verdict.sentence
    assert verdict.key
    memory = turned(situation[1], verdict, situation[0].at)
    assert Memory.model_validate_json(memory.model_dump_json()) == memory


@many
@given(situations)
def test_no_loss_while_the_site_speaks(situation: Situation):
    """A node that answers for itself is alive: its site may be cut off, and none of its nodes has a quorum."""
    facts, _ = situation
    verdict = judged(situation)

    assert not any(answering(facts, site) for site in told(verdict, "site-lost"))
    for site in told(verdict, *GONE):
        assert not any(look.quorate for look in facts.votes.values() if look.by in OF[site] and speaks(look, facts))


@many
@given(situations)
def test_no_loss_while_the_witness_has_a_client_there(situation: Situation):
    """Old or not, and named or not."""
    facts, memory = situation
    verdict = judged(situation)

    assert not any(listed(facts, memory, site) for site in told(verdict, "site-lost"))


@many
@given(situations)
def test_no_lost_site_while_anybody_sees_it(situation: Situation):
    """A login, a controller that says on, and while its own array is silent the other one that replicates with it."""
    facts, _ = situation
    for site in told(judged(situation), "site-lost"):
        own, other = facts.arrays.get(ARRAY[site]), facts.arrays.get(ARRAY[OTHER[site]])
        assert not logged_in(facts, site)
        assert not any(look.on for look in facts.power.values() if look.by in OF[site] and speaks(look, facts))
        copy = other.copies.get(ARRAY[site]) if other and speaks(other, facts) else None
        serving = other.copies.get(ARRAY[OTHER[site]]) if other and speaks(other, facts) else None
        if copy is not None and serving is not None and serving.status == "online" and not (own and speaks(own, facts)):
            assert copy.status not in ("online", "resyncing")


@many
@given(situations)
def test_no_loss_before_corosync_can_know(situation: Situation):
    """Not within token and consensus of the last sign of life, as they were read, and never unread."""
    facts, memory = situation
    for site in told(judged(situation), "site-lost"):
        assert memory.totem is not None
        last = max((memory.alive[node] for node in OF[site] if node in memory.alive), default=None)
        assert last is None or facts.at - last >= memory.totem.token + memory.totem.consensus


@many
@given(situations)
def test_no_loss_while_votes_settle(situation: Situation):
    """Nodes, member list and total agree on every node that answers."""
    facts, _ = situation
    verdict = judged(situation)

    if told(verdict, *GRAVE):
        assert all(look.settled for look in facts.votes.values() if speaks(look, facts))
        assert not verdict.settling


@many
@given(situations)
def test_a_loss_needs_two_failure_domains_and_the_survivor(situation: Situation):
    """The engine counts where it stands, and not where it does not say; two nodes of the other site agree."""
    facts, memory = situation
    verdict = judged(situation)

    for site in told(verdict, "site-lost"):
        assert len(domains(facts, memory, site)) >= 2
    for site in told(verdict, *GONE):
        survivors = [
            look for look in facts.votes.values() if look.by in OF[OTHER[site]] and speaks(look, facts) and look.quorate
        ]
        assert len(survivors) >= 2
        assert len({frozenset(look.members) for look in survivors}) == 1
        assert not {memory.ids.get(number) for number in survivors[0].members} & set(OF[site])


@many
@given(situations)
def test_a_split_needs_a_voice_of_each_side(situation: Situation):
    """Of the cut-off side's own votes, or of the witness: an API alone, or one survivor alone, is none."""
    facts, memory = situation
    for site in told(judged(situation), "sites-parted"):
        own = [look for look in facts.votes.values() if look.by in OF[site] and speaks(look, facts)]
        assert any(len(look.members) > 1 for look in own) or listed(facts, memory, site)


@many
@given(st.sets(st.sampled_from([look.by + look.how for look in World().facts.looks])), st.floats(0, 600))
def test_silence_alone_is_no_loss(chosen: set[str], later: float):
    """Whoever falls silent in a healthy cluster, for however long."""
    world = World()
    world.looks()
    world.after(later)
    for look in world.facts.looks:
        if look.by + look.how in chosen:
            world.silent(look.by, how=look.how)

    verdict = world.looks()
    assert verdict.kind in ("healthy", "undetermined", "blind")


@many
@given(near_losses(), st.sampled_from([look.by + look.how for look in World().facts.looks]))
def test_one_more_silence_makes_no_loss_of_its_own(world: World, chosen: str):
    """If a loss is told after somebody fell silent, two others say so, and the survivors agree."""
    before = judge(world.facts, world.memory, INVENTORY)
    world._all(lambda look: quiet(look) if look.by + look.how == chosen else look)
    memory = remember(world.memory, world.facts, NODES)
    after = judge(world.facts, memory, INVENTORY)

    for site in set(told(after, "site-lost")) - set(told(before, "site-lost")):
        assert domains(world.facts, memory, site) - {ENGINE}


SAYERS = (QDEVICE, ARRAY_B, "controllers", DESK)
PROOFS = (*SAYERS, *OF[B])


def _dead_by(proofs: tuple[str, ...]) -> World:
    """A dead site of which only these say so; the controllers' word is that its nodes are off."""
    world = World().dead(A).silent(*(name for name in (QDEVICE, ARRAY_B, *OF[B]) if name not in proofs))
    world.stands(DESK if DESK in proofs else "")
    return world.bmc(*OF[A], on=False) if "controllers" in proofs else world


def test_one_proof_less_never_makes_a_loss():
    """All 128 sets of proofs: who says more is never believed less."""
    sets = [frozenset(one) for size in range(len(PROOFS) + 1) for one in combinations(PROOFS, size)]
    lost = {one for one in sets if _dead_by(tuple(one)).looks().kind == "site-lost"}

    assert all(more in lost for one in lost for more in sets if one <= more)
    assert all(len(one & set(OF[B])) >= 2 and len(one & set(SAYERS)) >= 2 for one in lost)
    # four ways to have two or three survivors, and eleven to have two places of four
    assert len(lost) == 4 * 11


def _now(world: World, look: L) -> L:
    return look.model_copy(update={"at": world.now})


SIGNS: dict[str, Callable[[World], object]] = {
    "a node's votes": lambda world: world.votes.update({NODES[0]: _now(world, World().votes[NODES[0]])}),
    "a node's api": lambda world: world.cluster.update({NODES[0]: _now(world, World().cluster[NODES[0]])}),
    "the witness": lambda world: world.clients(NODES[0], *OF[B]),
    "a login": lambda world: world.logins(NODES[0], *OF[B], at=[ARRAY_B]),
    "a login at its own array": lambda world: world.arrays.update({ARRAY_A: _now(world, World().arrays[ARRAY_A])}),
    "the other array": lambda world: world.copies([ARRAY_B]),
    "its link": lambda world: world.copies([ARRAY_B], a="offline", replication="connected"),
    "a controller": lambda world: world.bmc(NODES[0], on=True),
    "a member": lambda world: world.views(OF[B], members=(NODES[0], *OF[B]), total=5),
}


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("after", [0, 8, 13, 27, 600])
def test_one_sign_of_life_is_enough(sign: str, after: int):
    """Each of them alone keeps a site from being called lost, early or late."""
    world = World().dead(A, after=after)
    SIGNS[sign](world)

    assert world.looks().kind != "site-lost"


@many
@given(situations, st.randoms())
def test_the_order_of_gathering_is_noise(situation: Situation, chance):
    """The same looks in another order: the same verdict, word for word, and the same memory."""
    facts, memory = situation

    def shuffled(found: dict[Any, Any]) -> dict[Any, Any]:
        items = list(found.items())
        chance.shuffle(items)
        return dict(items)

    other = facts.model_copy(
        update={kind: shuffled(getattr(facts, kind)) for kind in ("votes", "cluster", "arrays", "power")}
    )

    assert judge(other, memory, INVENTORY) == judge(facts, memory, INVENTORY)
    assert remember(memory, other, NODES) == remember(memory, facts, NODES)


@many
@given(situations)
def test_who_is_silent_is_named(situation: Situation):
    """All of them, and nobody else."""
    facts, _ = situation

    wanted = {look.source for look in facts.looks if not speaks(look, facts)}
    old_controllers = {look.source for look in facts.power.values() if not look.silent and not speaks(look, facts)}
    assert set(judged(situation).silent) == wanted - old_controllers


@many
@given(situations, st.dictionaries(st.sampled_from(KEYS), st.lists(st.floats(0, 299), min_size=6, max_size=18)))
def test_nothing_is_hidden_by_what_blinks(situation: Situation, blinks: dict[str, list[float]]):
    """Whatever has come and gone, each condition is told by its own name, and nothing graver for it."""
    facts, memory = situation
    changes = {key: tuple(facts.at - seconds(age) for age in ages) for key, ages in blinks.items()}
    calm = judge(facts, memory.model_copy(update={"changes": {}}), INVENTORY)
    verdict = judge(facts, memory.model_copy(update={"changes": changes}), INVENTORY)

    quiet_keys = [one.key for one in (calm.main, *calm.also) if one.kind != "healthy"]
    keys = [one.key for one in (verdict.main, *verdict.also)]
    assert [key for key in keys if key in quiet_keys] == quiet_keys
    held = {one.kind for one in (verdict.main, *verdict.also) if one.key not in quiet_keys}
    assert held <= {"witness-lost", "array-lost", "mediator-lost", "healthy"}
    assert verdict.settling == calm.settling


@many
@given(situations, st.sampled_from([look.source for look in World().facts.looks]))
def test_an_old_answer_counts_as_silence(situation: Situation, source: str):
    """Three rounds later it is judged as if that source had said nothing."""
    facts, memory = situation
    old = changed(facts, source, lambda look: look.model_copy(update={"at": facts.at - seconds(200)}))
    hushed = changed(facts, source, quiet)

    def told(of: Facts) -> list[str]:
        verdict = judge(of, memory, INVENTORY)
        return [one.key for one in (verdict.main, *verdict.also) if one.kind != "blind"]

    assert told(old) == told(hushed)


@many
@given(situations)
def test_healthy_means_that_every_layer_was_seen(situation: Situation):
    """Members, votes, device, both copies, link, mediator, sessions to each array, HA: nothing is taken for granted."""
    facts, memory = situation
    verdict = judged(situation)

    if verdict.kind == "healthy":
        _as_designed(facts, memory)


def test_a_healthy_world_is_as_designed():
    """The law above is about something."""
    world = World()

    assert world.looks().kind == "healthy"
    _as_designed(world.facts, world.memory)


def _as_designed(facts: Facts, memory: Memory) -> None:
    """Everything that answers is as the inventory says, and whatever is silent now has answered before."""
    for source in (look.source for look in World().facts.looks if look.how != "bmc"):
        assert source in memory.heard
    views = [look for look in facts.votes.values() if speaks(look, facts) and look.quorate]
    assert views
    for view in views:
        assert (view.expected, view.total, view.quorum, len(view.members), view.device) == (7, 7, 4, 6, True)
    for look in facts.arrays.values():
        if speaks(look, facts):
            assert look.copies[look.by].status == "online"
            assert look.copies[look.by].mediator not in ("unreachable", "flummoxed", "unknown")
            assert look.replication == "connected"
            assert all(look.logins.get(node, 0) >= max(1, look.portals) for node in NODES)
    told = [look for look in facts.cluster.values() if speaks(look, facts) and look.quorate]
    newest = max(told, key=lambda look: (look.at, look.by), default=None)
    assert newest is None or not {state for state, _ in newest.services.values()} & {"error", "fence", "recovery"}


@many
@given(situations)
def test_what_is_remembered_only_grows(situation: Situation):
    """A sign of life is never forgotten, and nothing that others believe becomes one."""
    facts, memory = situation
    later = remember(memory, facts, NODES)

    for node, when in memory.alive.items():
        assert later.alive[node] >= when
    own = {look.by for look in (*facts.votes.values(), *facts.cluster.values()) if not look.silent}
    assert {node for node, when in later.alive.items() if when != memory.alive.get(node)} <= own
    assert remember(later, facts, NODES) == later


@many
@given(anything, memories, st.sampled_from([1.0, 10.0, 60.0, 1000.0]))
@example(World().dead(A).facts, Memory(ids=IDS, totem=SLOW), 1000.0)
def test_a_rehearsal_is_judged_too(facts: Facts, memory: Memory, speed: float):
    """A faster clock breaks nothing."""
    facts = facts.model_copy(update={"speed": speed})
    assert judge(facts, remember(memory, facts, NODES), INVENTORY).main.reasons


@many
@given(st.floats(0, 40), totems.filter(bool), st.sampled_from([A, B]))
def test_a_dead_site_is_lost_as_soon_as_it_may_be(after: float, totem: Totem, site: str):
    """Not earlier than corosync's own detection, and not later."""
    verdict = World(totem=totem).dead(site, after=after).looks()

    told_lost = (verdict.kind, verdict.main.where) == ("site-lost", (site,))
    assert told_lost == (timedelta(seconds=after) >= totem.detection)
    assert verdict.settling != told_lost


@many
@given(st.sampled_from([A, B]), st.floats(0, 60), st.lists(st.sampled_from(NODES), min_size=1))
def test_old_clients_become_a_split_only_when_they_cannot_be_old(site: str, after: float, stay: list[str]):
    """The witness keeps dead clients for 12 s: until they cannot be dead, nothing is told."""
    world = World(totem=QUICK).dead(site, after=after).clients(*OF[OTHER[site]], *stay)
    stays = [node for node in stay if SITE_OF[node] == site]
    verdict = world.looks()

    if stays and seconds(after) < STALE + QUICK.detection:
        assert verdict.settling
    elif stays:
        assert (verdict.kind, verdict.main.where) == ("sites-parted", (OTHER[site], site))
