"""A verdict on record is computed anew from the facts beside it: what follows from them is right, all else is named."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from activities.rules import rules
from cluster.answers.advice import answers
from cluster.around import Notify
from cluster.audit.explain import explained
from cluster.audit.explained import Explained, Rules
from cluster.audit.line import Kind, Line, chained, plain, read
from cluster.basis import Basis, Grounds
from cluster.breakglass.judged import JudgeWish, judged
from cluster.contracts import watch
from cluster.inventory import Inventory
from cluster.silences import Silence
from cluster.watching import Seen, Suspected, WatchWish
from tests.verdict.test_planned import SITE, site_emptied
from tests.verdict.test_truth_table import TABLE, Row
from tests.verdict.world import INVENTORY, NODES, OF, A, World, healthy

RULES = Rules(verdict=rules("verdict"))
# Bytes that a new verdict of six nodes and forty guests leaves in the watch's history; measured: 14,700.
AT_MOST = 20_000


def looked(grounds: Grounds, inventory: Inventory = INVENTORY, by: str = RULES.verdict) -> Seen:
    """What the watch tells of one look."""
    verdict, memory = grounds.verdict(inventory)
    return Seen(
        finding=verdict.sentence, cluster=inventory.name, policy="act", verdict=verdict, memory=memory,
        at=grounds.facts.at, answers=answers(verdict, memory, inventory), basis=Basis.of(grounds, inventory, by),
    )  # fmt: skip


def line_of(activity: str, asked: Any, told: dict[str, Any], kind: Kind = "verdict") -> Line:
    """The line of a record that a result leaves, as it is read back from a file."""
    evidence = {name: one for name, one in told.items() if name not in ("finding", "mark", "changed", "changes")}
    data = {
        "activity": activity, "outcome": "done", "asked": asked, "finding": told["finding"], "evidence": evidence,
    }  # fmt: skip
    line = Line(
        n=0, at=healthy().now, run="watch/x", execution="1", event=9, kind=kind, what="a look", data=plain(data)
    )
    return read(line.canonical)


def recorded(grounds: Grounds) -> Line:
    """A look of the watch on record."""
    asked = WatchWish().model_dump(mode="json")
    return line_of(watch.look.name, asked, json.loads(looked(grounds).model_dump_json()))


def only(line: Line, today: Rules = RULES) -> Explained:
    """The one judgement of that line."""
    (found,) = explained(chained([line]), today)
    return found


def edited(line: Line, *path: str, to: Any) -> Line:
    """The same line with one value of its evidence written anew."""
    data = json.loads(json.dumps(line.data))
    place = data["evidence"]
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = to
    return line.model_copy(update={"data": data})


@pytest.mark.parametrize("row", TABLE, ids=[row.name for row in TABLE])
def test_every_incident_that_a_verdict_can_tell_is_explained(row: Row):
    """Written to a record, read back, and computed anew: the same verdict."""
    found = only(recorded(row.seen().grounds))

    assert (found.found, found.what.partition(" (")[0]) == ("right", row.kind.replace("-", " ")), found.should


def test_it_says_who_answered_who_did_not_and_by_which_rules():
    """The first words of an auditor's question: what did it know when it said that?"""
    world = healthy().dead(A)
    world.memory = world.memory.model_copy(update={"looked": world.now - timedelta(seconds=4)})
    found = only(recorded(world.grounds))

    assert (found.what, found.conclusion) == ("site lost (site-a)", "right given what was seen")
    assert found.rules == rules("verdict")
    assert found.because[0] == "pxmx02-01, pxmx02-02, pxmx02-03 are quorate without site-a"
    assert found.seen == (
        "answered, 11 of 21, the oldest answer 0.0 s old: pxmx02-01, pxmx02-02, pxmx02-03, qdevice (ssh); pxmx02-01, "
        "pxmx02-02, pxmx02-03, X90R3-SiteB (api); pxmx02-01, pxmx02-02, pxmx02-03 (bmc)",
        "no answer, 10: pxmx01-01, pxmx01-02, pxmx01-03 (ssh: no answer in 3 s); pxmx01-01, pxmx01-02, pxmx01-03, "
        "X90R3-SiteA (api: no answer in 3 s); pxmx01-01, pxmx01-02, pxmx01-03 (bmc: no answer in 3 s)",
        "remembered: 6 nodes had been seen alive, the look before was 4.0 s earlier",
    )


def test_a_planted_verdict_is_named_with_what_it_should_have_been():
    """Healthy is written over the loss of a site, and the chain made anew."""
    lost, well = recorded(healthy().dead(A).grounds), recorded(healthy().after(1).grounds)
    planted = edited(lost, "verdict", to=well.data["evidence"]["verdict"])
    found = only(planted.model_copy(update={"data": planted.data | {"finding": "healthy"}}))

    assert (found.what, found.found) == ("healthy", "wrong")
    assert found.conclusion.startswith(
        "WRONG: it should have been: site lost (site-a), because pxmx02-01, pxmx02-02, pxmx02-03 are quorate"
    )


def _planted() -> Iterator[tuple[str, Line, str]]:
    line = recorded(healthy().dead(A).grounds)
    yield "reason", edited(line, "verdict", "main", "reasons", to=["somebody said so"]), "the reasons of site lost"
    yield "place", edited(line, "verdict", "main", "where", to=["site-b"]), "it should have been: site lost (site-a)"
    yield "settling", edited(line, "verdict", "settling", to=True), "the cluster had made up its mind"
    yield (
        "silent",
        edited(line, "verdict", "silent", to=[]),
        "those without an answer should have been: pxmx01-01 (ssh)",
    )
    yield "memory", edited(line, "memory", "quiet", to={}), "what is remembered after it does not follow"
    sentence = line.model_copy(update={"data": line.data | {"finding": "healthy"}})
    yield "sentence", sentence, "the sentence should have been: site lost (site-a)"
    witness = line.data["evidence"]["basis"]["facts"]["witness"] | {"clients": [1, 2, 3, 4, 5, 6]}
    yield (
        "facts",
        edited(line, "basis", "facts", "witness", to=witness),
        "it should have been: sites parted (site-b, site-a)",
    )


PLANTED = list(_planted())


@pytest.mark.parametrize(("line", "said"), [one[1:] for one in PLANTED], ids=[one[0] for one in PLANTED])
def test_every_part_of_a_verdict_has_to_follow_from_the_facts(line: Line, said: str):
    """The verdict, its reasons, the doubt, what is remembered, the sentence; or the facts themselves."""
    found = only(line)

    assert found.found == "wrong"
    assert found.should.startswith(said)


def test_what_was_announced_belongs_to_the_facts():
    """A planned dark is explained with the announcement that stood; without it, it would be an incident."""
    world = site_emptied().dead(A)
    grounds = world.grounds.model_copy(update={"silences": SITE})
    line = recorded(grounds)

    found = only(line)
    assert (found.what, found.found) == ("planned: site lost (site-a)", "right")
    assert found.seen[-1] == f"announced: {SITE[0]}"
    assert only(edited(line, "basis", "silences", to=[])).should.startswith("it should have been: site lost (site-a)")


def test_other_rules_than_those_of_then_are_told():
    """The verdict is computed with the rules at hand, and that is said."""
    line = recorded(healthy().dead(A).grounds)
    found = only(edited(line, "basis", "rules", to="0.1.9/aaaaaaaaaaaa"), Rules(verdict="0.2.0/bbbbbbbbbbbb"))

    assert found.conclusion == (
        "right given what was seen (computed with today's rules 0.2.0/bbbbbbbbbbbb: those of then were "
        "0.1.9/aaaaaaaaaaaa)"
    )


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (edited(recorded(healthy().grounds), "basis", to=None), "an earlier version of Quorate recorded it"),
        (edited(recorded(healthy().grounds), "basis", "facts", "at", to="soon"), "today's version cannot read its"),
        (edited(recorded(healthy().grounds), "verdict", to={}), "the verdict cannot be read: main: Field required"),
    ],
    ids=["without", "unreadable facts", "unreadable verdict"],
)  # fmt: skip
def test_what_cannot_be_computed_anew_is_not_called_right(line: Line, why: str):
    """It is said what is missing."""
    assert only(line).conclusion.startswith(f"not known whether it was right: {why}")


def test_a_look_that_told_nothing_new_is_no_judgement():
    """It was cut short, or its time was over."""
    assert list(explained([edited(recorded(healthy().grounds), "new", to=False)])) == []


def test_a_confirmation_needs_the_suspected_condition():
    """Everybody was asked anew: what was found has to be what was suspected."""
    grounds = healthy().dead(A).grounds
    told = json.loads(looked(grounds).model_dump_json())
    line = line_of(watch.confirm.name, Suspected(kinds=("site-lost",), where=A).model_dump(mode="json"), told)
    other = line_of(watch.confirm.name, Suspected(kinds=("site-lost",), where="site-b").model_dump(mode="json"), told)

    assert only(line).found == "right"
    assert only(other).should == "site-lost site-b is not confirmed by it: the cluster was site lost (site-a)"


def test_what_was_refuted_is_not_called_right():
    """The facts of a refusal are not on record, and that is said."""
    asked = Suspected(kinds=("site-lost",), where=A).model_dump(mode="json")
    line = line_of(watch.confirm.name, asked, {"finding": ""}, kind="step")
    refuted = {"outcome": "failed", "word": "Refuted", "message": "the cluster is healthy now"}
    found = only(line.model_copy(update={"data": line.data | refuted}))

    assert found.what == "not confirmed: the cluster is healthy now"
    assert found.conclusion == (
        "not known whether it was right: the facts of a verdict that was refuted are not on record"
    )


def test_what_a_break_glass_run_stands_on_is_explained_too():
    """The verdict, and who counts a quorum, answers, is on or off; and that what was waited for had come about."""
    world = healthy().dead(A)
    verdict, memory = world.grounds.verdict(INVENTORY)
    told = judged(verdict, world.facts, "Site lost", memory)
    told = told.model_copy(update={"basis": Basis.of(world.grounds, INVENTORY, RULES.verdict)})
    dump = json.loads(told.model_dump_json())
    once = line_of(watch.judged.name, JudgeWish().model_dump(mode="json"), dump)
    waits = JudgeWish(until="answers", about=NODES).model_dump(mode="json")

    assert only(once).found == "right"
    assert only(edited(once, "quorate", to=list(OF[A]))).should == (
        "quorate should have been: ('pxmx02-01', 'pxmx02-02', 'pxmx02-03')"
    )
    assert only(line_of(watch.judged.name, waits, dump)).should == (
        "no answer from pxmx01-01, pxmx01-02, pxmx01-03 yet"
    )


def test_the_facts_are_small_and_whole():
    """Six nodes, forty guests: what all nodes say alike is told once, and is read back whole."""
    world = _forty_guests(healthy()).after(20)
    world.looks()
    grounds = world.dead(A).grounds
    basis = Basis.of(grounds, INVENTORY, RULES.verdict)

    size, whole = len(basis.model_dump_json()), len(grounds.facts.model_dump_json())
    print(f"a basis of 6 nodes and 40 guests: {size} bytes, the facts alone in full {whole}")
    assert size < AT_MOST
    assert Basis.model_validate_json(basis.model_dump_json()).grounds == grounds


def _forty_guests(world: World) -> World:
    on = {300 + number: NODES[number % 6] for number in range(40)}
    services = {f"vm:{vmid}": ("started", node) for vmid, node in on.items()}
    stamps = dict.fromkeys((*NODES, "master"), 1_732_300_000)
    return world.api(NODES, services=services, guests=on, requests=dict.fromkeys(services, "started"), stamps=stamps)


def test_no_address_of_a_webhook_is_in_the_facts():
    """Those of the inventory are secrets; no verdict depends on them."""
    secret = "https://hooks.example/T0/B0/canary"  # the canary that must not be found
    told = INVENTORY.model_copy(
        update={
            "notify": (Notify(name="duty", webhook=secret),),
            "watch": INVENTORY.watch.model_copy(update={"deadman": secret}),
        }
    )
    whole = Basis.of(healthy().grounds, told, RULES.verdict).model_dump_json()

    assert "canary" not in whole
    assert "bmc.password" not in whole


def test_a_silence_is_kept_as_it_was():
    """By whom, why and until when."""
    basis = Basis.of(healthy().grounds.model_copy(update={"silences": SITE}), INVENTORY, RULES.verdict)

    assert tuple(Silence.model_validate(one) for one in basis.silences) == SITE
