"""An incident that the watch has opened was asked for by the verdict that stood, and was told what that says of it."""

from typing import Any

import pytest

from cluster.audit.explain import explained
from cluster.audit.explained import Explained
from cluster.audit.line import Line, plain
from cluster.contracts import watch
from cluster.incidents import told_to
from cluster.verdict import Verdict
from cluster.watching import Open, isolated
from tests.audit.test_explained_verdicts import RULES, line_of, recorded
from tests.verdict.world import START, A, healthy

LOST = recorded(healthy().dead(A).grounds)
VERDICT = Verdict.model_validate(LOST.data["evidence"]["verdict"])
OPENED = Open(run="site-loss/metro/site-a/x", key="", kind="SiteLoss", where=(A,))
REACHES = line_of(watch.reach.name, {"site": A}, {"finding": "1 of 3", "nodes": ["pxmx01-01"]}, kind="step")


def opened(verdict: Verdict, site: str = A) -> Line:
    """The line of an incident that was begun."""
    about: dict[str, Any] = {"site": site, "opening": {"verdict": told_to(OPENED, verdict).model_dump(mode="json")}}
    data = {"run": OPENED.run, "runbook": "SiteLoss", "input": plain(about)}
    return Line(n=0, at=START, run="watch/x", execution="1", event=10, kind="run", what="begun", data=data)


def last(*lines: Line) -> Explained:
    """The last judgement of these lines."""
    whole = [one.model_copy(update={"n": number}) for number, one in enumerate(lines)]
    return list(explained(whole, RULES))[-1]


@pytest.mark.parametrize(
    ("lines", "conclusion"),
    [
        ((LOST, opened(VERDICT)), "right given what was seen"),
        ((LOST, REACHES, opened(isolated(VERDICT, ("pxmx01-01",)))), "right given what was seen"),
        ((LOST, REACHES, opened(VERDICT)), "WRONG: it should have been told: site isolated (site-a)"),
        ((LOST, opened(VERDICT, "site-b")), "WRONG: the verdict asks for: SiteLoss site-a"),
        ((recorded(healthy().after(1).grounds), opened(VERDICT)), "WRONG: the verdict asks for: nothing"),
        (
            (opened(VERDICT),),
            "not known whether it was right: the verdict that it was opened for is not on record",
        ),
    ],
    ids=["asked for", "with what a worker there has seen", "without it", "another site", "healthy", "no verdict"],
)
def test_an_incident_is_opened_by_a_verdict(lines: tuple[Line, ...], conclusion: str):
    """For the place that the verdict names, and with its words."""
    found = last(*lines)

    assert (found.kind, found.what) == ("incident", "SiteLoss site-loss/metro/site-a/x opened")
    assert found.conclusion == conclusion
