"""Every answer to "what do I do now?" as a person reads it, in one table: `answers.txt` beside this file.

`QUORATE_WRITE=1` writes the table anew; whoever does that reads the difference.
"""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cluster.answers.advice import _CASES, _KINDS, answer, urgency
from cluster.answers.model import URGENCIES, Answer, Task, together
from cluster.answers.plain import body
from cluster.conditions import CALM, Condition, Kind
from cluster.memory import Memory
from cluster.notices import Notice
from cluster.verdict import HELD
from tests.verdict.world import INVENTORY, NODES, QDEVICE, healthy

TABLE = Path(__file__).with_name("answers.txt")
MEMORY = Memory(placement={300: "pxmx01-01", 301: "pxmx01-02", 310: "pxmx02-01"}, services={"vm:300": "pxmx01-01"})
# Where each is found, as the judging names it; whatever is not listed is about no place.
WHERE: dict[Kind, tuple[str, ...]] = {
    "quorum-lost": ("site-a",), "storage-elsewhere": ("site-a", "site-b"), "pod-offline": ("X90R3-SiteA",),
    "sites-parted": ("site-a", "site-b"), "site-lost": ("site-a",), "site-isolated": ("site-a",),
    "node-lost": ("pxmx01-01", "pxmx01-02"), "undetermined": ("disagreement",), "array-lost": ("X90R3-SiteA",),
    "pod-unstretched": ("X90R3-SiteA",), "paths-lost": ("X90R3-SiteA", "pxmx01-01"), "witness-lost": ("qdevice",),
    "votes-changed": ("pxmx01-01",), "replication-lost": ("X90R3-SiteA",), "ha-error": ("vm:300", "ct:310"),
    "ha-impaired": ("pxmx01-01",), "mediator-lost": ("X90R3-SiteA",), "links-down": ("pxmx01-01",),
    "storage-inactive": ("pxmx01-01",), "replication-degraded": ("X90R3-SiteA",), "resyncing": ("X90R3-SiteA",),
    "paths-degraded": ("pxmx01-01",), "blind": ("X90R3-SiteA",), "not-deployed": ("pxmx-cluster",),
}  # fmt: skip
CASES = {**{(kind, ""): kind for kind in _KINDS}, **_CASES}


def condition(kind: Kind, case: str) -> Condition:
    return Condition(kind=kind, where=WHERE.get(kind, ()), case=case, reasons=("what was seen",), unless=("it is not",))


def aloud(one: Answer) -> str:
    """Headline and body, as a terminal has them."""
    return "\n".join([one.head, *(f"  {label:<10} {text}" for label, text in body(one))])


def test_every_answer_reads_as_it_was_agreed():
    """Kind and case, then the words; a change of any of them is a change of what people do at night."""
    said = [f"## {' '.join(key)}".rstrip() + f"\n{aloud(answer(condition(*key), MEMORY, INVENTORY))}" for key in CASES]
    if os.environ.get("QUORATE_WRITE"):
        TABLE.write_text("\n\n".join(said) + "\n")
    assert "\n\n".join(said) + "\n" == TABLE.read_text()


@pytest.mark.parametrize("key", CASES, ids=" ".join)
def test_who_has_to_act_is_told_what_to_do(key: tuple[Kind, str]):
    """And where all is well nothing is asked; every place in a text is filled."""
    one = answer(condition(*key), MEMORY, INVENTORY)

    assert bool(one.tasks) == (key[0] != "healthy")
    assert (one.urgency == "nothing") == (key[0] in CALM)
    assert "{" not in aloud(one)
    assert one.title[:1].isupper() or one.title.startswith(WHERE[key[0]][0])


def test_what_is_not_seen_now_asks_for_nothing():
    """A condition that is only held until it stays away is watched."""
    assert urgency(condition("witness-lost", HELD)) == "watch"


def test_guests_are_named_where_they_are_affected_and_nowhere_else():
    """By name and number; one that the inventory does not know by its number."""
    lost = answer(condition("site-lost", ""), MEMORY, INVENTORY)
    elsewhere = answer(condition("storage-elsewhere", ""), MEMORY, INVENTORY)

    assert lost.guests == ("ac-test-vm-01 (300), seen on pxmx01-01", "ac-test-vm-02 (301), seen on pxmx01-02")
    assert elsewhere.guests[-1] == "guest 310, seen on pxmx02-01"
    assert answer(condition("witness-lost", ""), MEMORY, INVENTORY).guests == ()


def test_the_most_urgent_leads_and_every_task_is_kept():
    """Tasks of what only goes on by itself are left out while something is asked; what never to do is not."""
    lost, witness = (answer(condition(kind, ""), MEMORY, INVENTORY) for kind in ("site-lost", "witness-lost"))
    one = together((lost, witness))

    assert one is not None
    assert (one.urgency, one.title) == ("act now", witness.title)
    assert one.tasks == witness.tasks
    assert one.never == lost.never
    assert one.guests == lost.guests
    assert together(()) is None
    assert URGENCIES == ("act now", "decide", "watch", "nothing")


def test_a_pager_gets_the_tasks_first():
    """Then what never to do, then the guests."""
    one = answer(condition("site-lost", ""), MEMORY, INVENTORY)
    at = datetime(2026, 3, 1, 3, 12, tzinfo=UTC)
    notice = Notice(key="k", occasion="opened", cluster="c", incident="i", title="t", text="", at=at).answered(one)

    assert notice.body.splitlines() == [
        "1. follow the incident: quorate incident watch",
        "Never start guests of site-a by hand: HA starts them once their nodes are fenced.",
        "Affected: ac-test-vm-01 (300), seen on pxmx01-01; ac-test-vm-02 (301), seen on pxmx01-02.",
    ]


def test_who_may_do_it_stands_behind_the_task():
    """In brackets, as whoever reads it aloud says it."""
    assert str(Task(do="power off the node", who="two people together")) == "power off the node (two people together)"


def test_the_nodes_that_are_silent_are_named_though_no_site_is_whole():
    """Three of six are gone, of both sites: each with the address at which its power is switched."""
    gone = ("pxmx01-01", "pxmx01-02", "pxmx02-01")
    left = tuple(node for node in NODES if node not in gone)
    world = healthy().silent(*gone, QDEVICE).parts(left).after(30)
    verdict = world.looks()
    first = answer(verdict.main, world.memory, INVENTORY).tasks[0].do

    assert (verdict.kind, verdict.main.where) == ("quorum-lost", ())
    assert first.startswith(
        "prove that pxmx01-01 (BMC 127.21.101.111:8443), pxmx01-02 (BMC 127.21.101.112:8443), "
        "pxmx02-01 (BMC 127.21.102.111:8443) are off"
    )
