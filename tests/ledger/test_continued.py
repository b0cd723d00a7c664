"""A run that goes on as another execution holds what the earlier one held, and nobody else's."""

from datetime import UTC, datetime

from cluster import ledger
from cluster.ledger import Book, Holder, Present, RunRef
from cluster.recovery import Frozen

NOW = datetime(2026, 3, 1, 3, 12, tzinfo=UTC)
SWITCH = Frozen(kind="resource", name="vm:301", field="failback", old="1", new="0")
LOSS = "site-loss/metro/site-a/20260301T031200Z"
FIRST, SECOND = RunRef(run=LOSS, run_id="one"), RunRef(run=LOSS, run_id="two")
OTHER = RunRef(run="failback/metro", run_id="three")


def taken(book: Book, by: RunRef) -> Book:
    return ledger.take(book, Holder(**by.model_dump(), why="site-loss", since=NOW), [SWITCH])


def at_work(book: Book, by: RunRef, kind: str) -> Book:
    return ledger.present(book, Present(**by.model_dump(), kind=kind, since=NOW))


def written() -> Book:
    """What the first execution of a loss says, beside a failback."""
    book = at_work(at_work(Book(), FIRST, "SiteLoss"), OTHER, "Failback")
    book = ledger.site_lost(taken(book, FIRST), FIRST, "site-a", NOW)
    return ledger.record_homes(book, FIRST, {"vm:301": "pxmx01-02"}, {}, NOW)


def test_switches_homes_and_presence_go_to_the_next_execution():
    """It gives back what the earlier one took, and its leaving is the leaving of the incident."""
    book = ledger.continued(taken(Book(), FIRST), "one", SECOND)
    assert [one.run_id for one in book.switches[0].holders] == ["two"]
    assert ledger.held_by(ledger.give_back(book, "two"), "two") == ()

    book = ledger.continued(written(), "one", SECOND)
    assert (book.homes["vm:301"].by, book.lost["site-a"].by) == (SECOND, SECOND)
    assert ledger.open_incidents(book) == (LOSS,)
    assert ledger.open_incidents(ledger.left(book, "two")) == ()


def test_a_run_of_another_id_keeps_what_is_its_own():
    """Only what that execution of that run has said goes over."""
    book = ledger.continued(taken(written(), OTHER), "one", SECOND)
    assert [(one.run, one.run_id) for one in book.switches[0].holders] == [(LOSS, "two"), (OTHER.run, "three")]
    assert [one.run_id for one in book.present] == ["two", "three"]
    assert ledger.continued(written(), "three", SECOND) == written()


def test_said_twice_changes_nothing_more():
    """The activity is tried again after a lost reply, and the next execution may have spoken already."""
    once = ledger.continued(written(), "one", SECOND)
    assert ledger.continued(once, "one", SECOND) == once
    both = ledger.continued(taken(once, SECOND), "one", SECOND)
    assert [one.run_id for one in both.switches[0].holders] == ["two"]
