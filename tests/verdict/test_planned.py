"""What was announced is no incident, and what was not is: a silence never covers a guest, a doubt or another place."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from cluster.answers.advice import answers
from cluster.answers.model import together
from cluster.conditions import Condition
from cluster.facts import Memory
from cluster.incidents import Wanted, told_to, wanted
from cluster.judging.planned import announced, empty
from cluster.silences import Silence, SilenceWish, added, not_there, refused, without
from cluster.together import MOVING, Beside, rule, standing
from cluster.verdict import Verdict
from cluster.watching import Open
from tests.verdict.world import ARRAY_A, ARRAY_B, INVENTORY, NODES, OF, QDEVICE, SITE_OF, START, A, B, World, healthy

A1, A2, A3 = OF[A]
B1 = OF[B][0]
LOST_A, LOST_B = Wanted(kind="SiteLoss", where=(A,)), Wanted(kind="SiteLoss", where=(B,))
EXPLAINED = Wanted(kind="ClusterIncident")


def silent(*where: str, by: str = "ana", hours: float = 4) -> Silence:
    return Silence(where=where, by=by, why="replacing PDUs", since=START, until=START + timedelta(hours=hours))


def lost(*nodes: str) -> Wanted:
    return Wanted(kind="NodeLoss", where=nodes)


def emptied(*nodes: str, guests: dict[int, str] | None = None, **more: object) -> World:
    """These nodes are in maintenance, and every guest runs elsewhere."""
    states = {node: "maintenance" if node in nodes else "online" for node in NODES}
    said: dict[str, object] = {
        "node_states": states, "services": {"vm:300": ("started", B1)}, "guests": {300: B1, **(guests or {})},
        "master": B1, "sees_all": True,
    }  # fmt: skip
    world = healthy().api(NODES, **(said | more)).after(20)
    world.looks()
    return world


def site_emptied(**more: object) -> World:
    return emptied(*OF[A], **more)  # type: ignore[arg-type]


def gone(world: World, *nodes: str) -> World:
    """These nodes are out of the membership, settled."""
    left = [node for node in NODES if node not in nodes]
    world.silent(*nodes).views(left, members=left, total=len(left) + 1).clients(*left).logins(*left)
    return world.after(30)


def started_late() -> World:
    """A guest outside HA that was started after the site was seen empty."""
    world = site_emptied().api(NODES, guests={300: B1, 900: A3}).after(20)
    world.looks()
    return world.dead(A)


def left_before() -> World:
    """A guest that was seen there earlier, and elsewhere later."""
    world = site_emptied(guests={900: A3}).api(NODES, guests={300: B1, 900: B1}).after(20)
    world.looks()
    return world.dead(A)


def right_went() -> World:
    """A guest outside HA that the token may not see may have been started since."""
    world = site_emptied().api(NODES, sees_all=False, veiled="the token lacks VM.Audit at /vms").after(20)
    world.looks()
    return world.dead(A)


def long_ago() -> World:
    """The site was seen empty once; since then nobody has told where guests run, and the nodes were alive."""
    world = site_emptied()
    for _ in range(9):
        world.silent(*NODES, how="api").after(600)
        world.looks()
    return world.api(OF[B], silent="").dead(A)


def unwatched_for_an_hour() -> World:
    """The site went dark as announced, and then nobody looked."""
    world = site_emptied().dead(A)
    world.looks()
    world.after(3600).looks()
    return world.after(30)


def released() -> World:
    """Out of maintenance again before it went."""
    world = site_emptied().api(NODES, node_states=dict.fromkeys(NODES, "online")).after(20)
    world.looks()
    return world.dead(A)


def back_and_gone() -> World:
    """It came back, with a guest on it, and went again: HA still calls it in maintenance."""
    world = site_emptied().dead(A)
    world.looks()
    again = emptied(*OF[A], guests={900: A1})
    again.memory = world.memory.merge(again.memory)
    return again.dead(A)


def ha_lists_later() -> World:
    """HA turns out to have a guest there, after the site went dark."""
    world = site_emptied().dead(A)
    world.looks()
    return world.api(OF[B], services={"vm:300": ("started", B1), "vm:301": ("started", A1)}).after(20)


def all_dark() -> World:
    world = site_emptied().dead(A)
    world.looks()
    return world.silent(*OF[B]).after(30)


def witness_too() -> World:
    world = gone(site_emptied(), A1).silent(QDEVICE)
    return world.views([n for n in NODES if n != A1], device=False, total=5).after(90)


def array_a_off(world: World) -> World:
    return world.silent(ARRAY_A).copies([ARRAY_B], a="offline", replication="connecting").after(90)


def array_b_off() -> World:
    return site_emptied().silent(ARRAY_B).copies([ARRAY_A], b="offline", replication="connecting").after(90)


def blind_there(*others: str) -> World:
    """The APIs of the site, and of these, say nothing for some while."""
    world = site_emptied().silent(*OF[A], *others, how="api").after(20)
    world.looks()
    return world.after(90)


STOPPED_THERE = {"vm:300": ("started", B1), "vm:301": ("stopped", A1)}
ERROR_THERE = {"vm:300": ("started", B1), "vm:301": ("error", A1)}
MIGRATES = {"vm:300": ("started", B1), "vm:301": ("migrate", A1)}
SITE = (silent(A),)
EACH = tuple(silent(node) for node in OF[A])
Made = Callable[[], World]
TABLE: list[tuple[str, Made, tuple[Silence, ...], tuple[Wanted, ...]]] = [
    ("an announced site", lambda: site_emptied().dead(A), SITE, ()),
    ("no silence", lambda: site_emptied().dead(A), (), (LOST_A,)),
    ("its nodes by name", lambda: site_emptied().dead(A), (silent(*OF[A]),), ()),
    ("each node by a silence of its own", lambda: site_emptied().dead(A), EACH, ()),
    ("a node is not named", lambda: site_emptied().dead(A), (silent(A1, A2),), (LOST_A,)),
    ("the wrong site", lambda: site_emptied().dead(A), (silent(B),), (LOST_A,)),
    ("both sites are named, one went", lambda: site_emptied().dead(A), (silent(A), silent(B)), ()),
    ("the other site died", lambda: site_emptied().dead(B), SITE, (LOST_B,)),
    ("both sites named, the full one died", lambda: site_emptied().dead(B), (silent(A), silent(B)), (LOST_B,)),
    ("a guest outside HA ran there", lambda: site_emptied(guests={900: A3}).dead(A), SITE, (LOST_A,)),
    ("a guest of HA ran there", lambda: healthy().dead(A), SITE, (LOST_A,)),
    ("a stopped guest of HA is there", lambda: site_emptied(services=STOPPED_THERE).dead(A), SITE, ()),
    ("a guest in error is there", lambda: site_emptied(services=ERROR_THERE).dead(A), SITE, (LOST_A,)),
    ("a guest was about to leave", lambda: site_emptied(services=MIGRATES).dead(A), SITE, (LOST_A,)),
    ("a guest was started late", started_late, SITE, (LOST_A,)),
    ("a guest had left before", left_before, SITE, ()),
    ("HA lists a guest there later", ha_lists_later, SITE, (LOST_A,)),
    ("two of three are in maintenance", lambda: emptied(A1, A2).dead(A), SITE, (LOST_A,)),
    ("released before", released, SITE, (LOST_A,)),
    ("it came back with a guest and went", back_and_gone, SITE, (LOST_A,)),
    ("what ran was not known for long", long_ago, SITE, (LOST_A,)),
    ("nobody looked while it was dark", unwatched_for_an_hour, SITE, (LOST_A,)),
    ("whether a guest runs is not told", lambda: site_emptied(unclear=(A2,)).dead(A), SITE, (LOST_A,)),
    ("rights may hide guests", lambda: site_emptied(sees_all=False).dead(A), SITE, (LOST_A,)),
    ("a right went after the site was seen empty", right_went, SITE, (LOST_A,)),
    ("rights hide guests", lambda: site_emptied(hidden=("vm:301",)).dead(A), SITE, (LOST_A,)),
    ("an announced node", lambda: gone(emptied(A1), A1), (silent(A1),), ()),
    ("a node of an announced site", lambda: gone(site_emptied(), A1), SITE, ()),
    ("a node that is not named", lambda: gone(emptied(A1, A2), A2), (silent(A1),), (lost(A2),)),
    ("one of two is named", lambda: gone(emptied(A1, A2), A1, A2), (silent(A1),), (lost(A2),)),
    ("one of two is in maintenance", lambda: gone(emptied(A1), A1, A2), SITE, (lost(A2),)),
    ("a node of the other site too", lambda: gone(emptied(A1), A1, B1), (silent(A1),), (lost(B1),)),
    ("its array too, nodes on", lambda: array_a_off(site_emptied()), SITE, ()),
    ("its array, and the site is full", lambda: array_a_off(healthy()), SITE, (EXPLAINED,)),
    ("its array, only nodes are named", lambda: array_a_off(site_emptied()), EACH, (EXPLAINED,)),
    ("the array of the other site", array_b_off, SITE, (EXPLAINED,)),
    ("sources of the site are silent", blind_there, SITE, ()),
    ("a source of the other site too", lambda: blind_there(B1), SITE, (EXPLAINED,)),
    ("the witness too", witness_too, (silent(A1),), (EXPLAINED,)),
    ("the sites are parted", lambda: site_emptied().cut(B, pod=B), SITE, (LOST_A,)),
    ("the quorum is lost", all_dark, (silent(A), silent(B)), (EXPLAINED,)),
]  # fmt: skip


def seen(world: World, silences: tuple[Silence, ...]) -> Verdict:
    return announced(world.looks(), silences, world.memory, INVENTORY)


@pytest.mark.parametrize(("made", "silences", "opens"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_only_what_was_announced_opens_nothing(made: Made, silences: tuple[Silence, ...], opens: tuple[Wanted, ...]):
    """Every lost node has to be named, in maintenance, and known to have been empty; all else opens its incident."""
    verdict = seen(made(), silences)

    assert wanted(verdict, (), SITE_OF) == opens, verdict


@pytest.mark.parametrize(("made", "silences"), [row[1:3] for row in TABLE], ids=[row[0] for row in TABLE])
def test_nothing_is_taken_out_of_a_verdict(made: Made, silences: tuple[Silence, ...]):
    """Whoever asks the watch, the interlock first of all, is told of every loss, announced or not."""
    world = made()
    plain = world.looks()
    marked = announced(plain, silences, world.memory, INVENTORY)

    assert places(marked) == places(plain)


def test_a_planned_dark_holds_other_runs_as_any_loss_does():
    """The interlock reads the watch's verdict as data: it knows nothing of silences."""
    found = standing(seen(site_emptied().dead(A), SITE).model_dump(mode="json"), ())

    assert found is not None
    assert (found.kind, found.about) == ("SiteLoss", ("site-lost site-a",))
    assert {rule(kind, found).may for kind in ("DeployStretchedCluster", *MOVING)} == {"holds"}


def test_a_planned_dark_holds_also_what_serves_the_incident_beside_it():
    """A deployment may bring back the witness, and not while a node is dark."""
    verdict = seen(witness_too(), (silent(A1),)).model_dump(mode="json")
    told = Beside(kind="ClusterIncident", run="incident/metro/x", about=("witness-lost qdevice",))
    found = standing(verdict, (told,))

    assert rule("DeployStretchedCluster", told).may == "lives"
    assert found is not None
    assert rule("DeployStretchedCluster", found).may == "holds"


def places(verdict: Verdict) -> set[tuple[str, str]]:
    return {(one.kind, name) for one in (verdict.main, *verdict.also) for name in one.where}


def test_the_answer_says_planned_by_whom_until_when_and_what_would_be_an_incident():
    """Nothing is asked of anybody."""
    world = site_emptied().dead(A)
    answer = together(answers(seen(world, SITE), world.memory, INVENTORY))

    assert answer is not None
    assert answer.urgency == "watch"
    assert answer.head == (
        "Planned: site-a is dark, as ana announced until 2026-11-22 23:38 UTC (replacing PDUs). No guest ran there. "
        "An incident opens for what is not back by then, and for anything else that fails."
    )
    assert answer.automatic.startswith("the announcement ends at 2026-11-22 23:38 UTC")
    assert answer.unless == (
        "a guest is found there, or anything fails that was not announced: an incident opens at once",
    )


def test_what_was_not_planned_leads():
    """A node that died beside the planned dark is what people read first."""
    world = gone(emptied(A1, A2), A1, A2)
    verdict = seen(world, (silent(A1),))
    answer = together(answers(verdict, world.memory, INVENTORY))

    assert (verdict.main.where, verdict.also[0].where) == ((A2,), (A1,))
    assert answer is not None
    assert answer.title == f"{A2} is lost"


def test_the_dark_is_planned_until_the_first_needed_silence_ends():
    """Of two that overlap the later one counts for a node, and the earliest node for the site."""
    world = site_emptied().dead(A)
    verdict = seen(world, (silent(A1, hours=1), silent(A1, hours=9, by="ben"), silent(A2, A3, hours=3, by="cleo")))

    assert verdict.main.planned is not None
    assert verdict.main.planned.by == "cleo"


def test_an_open_incident_is_told_of_its_own_nodes_only():
    """A loss never takes its nodes for members because they were announced later; others do not follow it."""
    world = gone(emptied(A1, A2), A1, A2)
    verdict = seen(world, (silent(A1), silent(A2)))

    assert told_to(Open(run="r", key="", kind="NodeLoss", where=(A1, A2)), verdict).kind == "node-lost"
    assert told_to(Open(run="r", key="", kind="SiteLoss", where=(B,)), verdict).kind == "healthy"


def test_a_memory_that_was_merged_knows_the_same():
    """In whatever order the words of two looks arrive."""
    late = started_late().memory
    early = site_emptied().memory

    assert not empty(A3, late.merge(early))
    assert not empty(A3, early.merge(late))
    assert not empty(A1, Memory())


NOW = START
NO_SITE = "where: 'site-x' is neither a site nor a node here: name one of site-a, site-b, pxmx01-01"
PAST = "until: 2026-11-22 19:38 UTC is past: give an end that is to come; it is 2026-11-22 19:38 UTC now"
FAR = "until: 2026-12-07 19:38 UTC is more than 14 days away: give an end before 2026-12-06"
REFUSED = [
    ({"where": ("site-x",)}, NO_SITE),
    ({"where": ()}, "where: empty: name a site (site-a, site-b) or nodes"),
    ({"where": (A, B1)}, "where: 'site-a' is a site, and stands beside other names: announce each site by itself"),
    ({"by": " "}, "by: empty: say who announces it"),
    ({"why": ""}, "why: empty: say why"),
    ({"why": "x\x1b[2J"}, "why: 'x\\x1b[2J' has letters that cannot be shown: say why in one line of text"),
    ({"why": "x" * 201}, "why: 201 letters: 200 at most"),
    ({"until": NOW}, PAST),
    ({"until": NOW + timedelta(days=15)}, FAR),
    ({"until": NOW.replace(tzinfo=None)}, "until: 2026-11-22T19:38:00 has no time zone: write 2026-11-28T18:00Z"),
]  # fmt: skip


def wish(**more: object) -> SilenceWish:
    return SilenceWish.model_validate(
        {"where": (A,), "by": "ana", "why": "replacing PDUs", "until": NOW + timedelta(hours=4), **more}
    )


@pytest.mark.parametrize(("field", "says"), REFUSED, ids=[row[1][:40] for row in REFUSED])
def test_a_silence_that_cannot_be_is_refused(field: dict[str, object], says: str):
    """With field, value and remedy."""
    assert refused(wish(**field), SITE_OF, NOW).startswith(says)


def test_a_silence_for_the_same_names_is_replaced_and_ended():
    """Whoever says it again gives it a new end."""
    first = added((), wish(where=(A2, A1)), NOW)
    both = added(first, wish(where=(A,)), NOW)
    again = added(both, wish(where=(A1, A2), by="ben"), NOW)

    assert refused(wish(), SITE_OF, NOW) == ""
    assert [str(one) for one in again] == [
        "site-a until 2026-11-22 23:38 UTC, by ana (replacing PDUs)",
        "pxmx01-01, pxmx01-02 until 2026-11-22 23:38 UTC, by ben (replacing PDUs)",
    ]
    assert without(again, (A2, A1)) == again[:1]
    assert not_there((A2, A1), again) == ""
    assert not_there((B,), again) == "where: 'site-b' is not announced: announced is: site-a, pxmx01-01, pxmx01-02"
    assert again[0].near_its_end == NOW + timedelta(hours=3, minutes=45)


@pytest.mark.parametrize(
    "kind",
    ["quorum-lost", "storage-elsewhere", "pod-offline", "witness-lost", "ha-error", "undetermined", "votes-changed"],
)
def test_graver_things_are_never_planned(kind: str):
    """Also where they name nothing but the announced site."""
    world = site_emptied()
    verdict = Verdict(main=Condition.model_validate({"kind": kind, "where": (A,)}))

    assert announced(verdict, SITE, world.memory, INVENTORY) == verdict
