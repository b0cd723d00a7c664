"""What the picture shows, and where: marks at their times, on an axis that can be long."""

import pytest

from cluster.report.axis import axis
from cluster.report.compose import report
from cluster.report.model import Lane, Report
from cluster.report.reading import read
from tests.report.recorded import DAY_AFTER, later, lines, told


@pytest.fixture(scope="module")
def loss() -> Report:
    return report(told("0.2/site-loss-followed"), [told("0.2/watch-of-both")])


def shown(made: Report, *lanes: Lane) -> list[str]:
    """Marks of these lanes: when, how they are drawn, what they say."""
    return [f"{one.at:g} {one.shape} {one.tone}: {one.label}" for one in made.timeline.marks if one.lane in lanes]


def test_the_marks_of_a_loss_stand_at_their_times(loss: Report):
    """Seconds after the last sign of life, in the cluster's own time."""
    assert shown(loss, "power", "votes", "quorum", "nodes", "fencing", "guests") == [
        "0 seen plain: last sign of life",
        "10 article plain: article 00:10",
        "12.7 seen bad: first sign of the loss",
        "22.9 seen odd: 3 management controllers are silent",
        "22.9 seen good: seen quorate 00:23",
        "26.4 seen good: 4 of 7 votes",
        "160 article plain: article 02:40",
        "170 article plain: article 02:50",
        "190.5 seen good: pxmx01-02 fenced 03:10",
        "190.5 seen good: pxmx01-03 fenced 03:10",
        "199.1 seen good: vm:300 runs 03:19",
        "199.1 seen good: vm:301 runs 03:19",
        "223.5 seen good: 3 nodes are members again",
        "241.6 seen good: 7 of 7 votes",
        "241.6 seen good: 10 checks hold",
    ]


def test_the_forecast_stands_behind_what_was_measured(loss: Report):
    """The bands are those of the run's own report."""
    assert [(one.lane, one.earliest, one.latest) for one in loss.timeline.bands] == [
        ("quorum", 7.7, 14.0),
        ("fencing", 170.0, 203.0),
        ("guests", 175.0, 218.0),
    ]


def test_what_lasted_has_its_beginning_and_its_end(loss: Report):
    """Verdicts of the watch around it, the doubt about the moment, the absence of the nodes, each guest's outage."""
    assert [(one.lane, one.begin, one.end, one.label) for one in loss.timeline.spans] == [
        ("verdict", 0.0, 6.0, "node lost (pxmx01-01)"),
        ("verdict", 6.0, 22.9, "healthy"),
        ("verdict", 22.9, 245.7, "site lost (site-a)"),
        ("power", 0.0, 12.7, "in this time the loss came"),
        ("nodes", 0.0, 223.5, "3 nodes gone"),
        ("guests", 0.0, 199.1, "vm:300 down"),
        ("guests", 0.0, 199.1, "vm:301 down"),
    ]


def test_the_article_is_silent_about_the_loss_of_one_node():
    """It has measured the loss of a whole site."""
    made = report(told("0.2/node-loss-followed"))

    assert [one for one in made.timeline.marks if one.shape == "article"] == []
    assert {phase.article for phase in made.phases} == {None}


def test_votes_and_moves_of_the_way_home_are_on_the_same_axis():
    """Fourteen hours later, after a cut of the axis."""
    run = told("0.2/site-loss-followed")
    made = report(run, [read(later(lines("0.2/failback-signed"), DAY_AFTER, incident=run.run))])
    votes = [one for one in made.timeline.marks if one.lane == "approvals"]
    moves = [one for one in made.timeline.spans if one.row.startswith("moves")]

    assert [one.label for one in votes] == [
        "ben: approve",
        "cleo: approve",
        "ben: withdraws the approval",
        "ben: approve",
        "cleo: approve",
    ]
    assert {round(one.at / 3600 / made.timeline.speed) for one in votes} == {14}
    assert [one.label for one in moves] == ["vm:300 to pxmx02-01", "vm:301 to pxmx02-02"]


def test_who_voted_with_which_key():
    """Each vote with the fingerprint of its key and what became of it."""
    made = report(told("0.2/failback-signed"))

    assert [(one.by, one.what, one.accepted, one.fingerprint[:12]) for one in made.voices] == [
        ("ben", "approve", True, "SHA256:v5Sd9"),
        ("cleo", "approve", True, "SHA256:P7QOR"),
        ("ben", "withdraws the approval", True, "SHA256:v5Sd9"),
        ("ben", "approve", True, "SHA256:v5Sd9"),
        ("cleo", "approve", True, "SHA256:P7QOR"),
    ]


def test_a_vote_that_was_refused_is_told():
    """With the word and the sentence that its voter was told."""
    known = lines("0.2/failback-signed")
    at = next(number for number, line in enumerate(known) if line.kind == "vote")
    refused = {"taken": False, "word": "Requester", "sentence": "ana has asked for this plan", "by": "ana"}
    known[at] = known[at].model_copy(update={"data": known[at].data | refused})
    made = report(read(known))
    first = made.voices[0]

    assert (first.by, first.accepted, first.said) == ("ana", False, "Requester: ana has asked for this plan")
    assert ("ana: approve (refused)", "failed", "bad") in [
        (one.label, one.shape, one.tone) for one in made.timeline.marks if one.lane == "approvals"
    ]


# --- the axis ----------------------------------------------------------------------------------------------------


def test_an_axis_of_minutes_is_even():
    """No silence is cut out: waiting for the fence is what the picture is about."""
    found = axis([0, 12.7, 22.9, 190.5, 245.7])

    assert [piece.cut for piece in found.pieces] == [False]
    assert found.place(122.85) == pytest.approx(0.5, abs=0.01)


def test_an_axis_of_days_cuts_the_nights():
    """Minutes, an hour's return and a morning each have room, and every moment stands right of those before it."""
    moments = [0.0, 23, 199, 245, 3600, 3700, 50_000, 50_400, 51_000]
    found = axis(moments)
    places = [found.place(one) for one in moments]

    assert [piece.cut for piece in found.pieces] == [False, True, False, True, False]
    assert places == sorted(places)
    assert found.place(245) - found.place(0) > 0.2
    assert all(tick <= 245 or 3600 <= tick <= 3700 or 50_000 <= tick <= 51_000 for tick in found.ticks(0.1))


def test_ticks_are_round_and_apart():
    """A person counts in half minutes."""
    assert axis([0, 245.7]).ticks(0.1) == (0, 30, 60, 90, 120, 150, 180, 210, 240)
