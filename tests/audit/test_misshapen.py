"""Records whose lines hold something else than this version writes: what can be read of them is still told."""

from typing import Any

import pytest

from cluster.audit.explain import explained
from cluster.audit.line import Line, chained
from cluster.report.reading import read
from tests.audit.histories import recorded
from tests.report.recorded import lines as lines_of
from workers.errors import Unusable
from workers.report.reading import Found


def bent(known: list[Line], kind: str, **data: Any) -> list[Line]:
    """The same with other facts in each line of that kind."""
    changed = (one.model_copy(update={"data": one.data | data}) if one.kind == kind else one for one in known)
    return list(chained(changed))


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("vote", {"sent": None}),
        ("vote", {"sent": "2026-11-28T00:00:00"}),
        ("vote", {"said": [1]}),
        ("run", {"runbook": ["SiteLoss"], "input": {"opening": 1}}),
        ("closed", {"report": {"approvals": [{"by": 1}]}}),
        ("step", {"scheduled": 0, "asked": {"mode": "apply", "approval": [None]}}),
    ],
)
def test_a_line_of_another_shape_ends_no_explanation_of_the_others(kind: str, data: dict[str, Any]):
    """What cannot be read is not known; it is never called right, and no stack trace."""
    known = recorded("0.2 failback-signed")

    found = list(explained(bent(known, kind, **data)))

    assert {one.found for one in found} <= {"right", "wrong", "unknown"}
    assert len(found) >= 2


def test_a_vote_without_its_time_is_not_known():
    """The sentence says what is wrong with the line."""
    found = [one for one in explained(bent(recorded("0.2 failback-signed"), "vote", sent="x")) if one.kind == "vote"]

    assert {one.conclusion for one in found} == {
        "not known whether it was right: today's version cannot read this line: "
        "ValueError: Invalid isoformat string: 'x'"
    }


@pytest.mark.parametrize("data", [{"attempts": "many"}, {"attempts": [3]}], ids=["a word", "a list"])
def test_a_report_is_made_although_a_number_is_none(data: dict[str, Any]):
    """It says what can be read."""
    made = Found(read(bent(lines_of("0.2/failback-signed"), "step", **data))).report

    assert made.title == "Guests went home to site-b"


def test_a_record_of_which_no_report_can_be_made_is_told_in_a_sentence():
    """With what to do about it."""
    told = read(bent(lines_of("0.2/deploy-apply"), "step", changed=True, evidence={}, changes=[{"where": []}, 1, "x"]))
    shapeless = told.model_copy(update={"report": {"planned": None}})

    with pytest.raises(Unusable, match="has another shape than a report can be made of") as raised:
        assert Found(shapeless).report

    assert "quorate audit verify" in raised.value.remedy


def test_the_watch_has_a_report_of_its_own():
    """It is told beside its incidents, and may be asked for by itself."""
    made = Found(read(lines_of("0.2/watch-of-both"))).report

    assert made.runbook == "ClusterWatch"
    assert made.sentences
