"""What was said of a lost node's fencing is concluded anew from HA's list as it was seen."""

import json
from datetime import timedelta
from typing import Any

import pytest

from activities.rules import rules
from cluster.audit.explain import explained
from cluster.audit.explained import Explained, Rules
from cluster.audit.line import Line, plain, read
from cluster.contracts import ha
from cluster.fencing import FencingFinding, FencingLook, FencingSeen, FencingWish
from cluster.recovery import HaView, Service
from tests.verdict.world import START

NODE, OTHER = "pxmx01-01", "pxmx02-01"
WISH = FencingWish(node=NODE, ran=("vm:300",), survivors=(OTHER,), seen=FencingSeen(node=NODE))


def view(state: str, *services: tuple[str, str, str]) -> HaView:
    """HA's list, with that state of the lost node."""
    listed = {sid: Service(state=word, node=node) for sid, word, node in services}
    return HaView(master=OTHER, nodes={NODE: state, OTHER: "online"}, services=listed)


def looks(*views: HaView | None) -> FencingLook:
    """The last of several looks, a second apart."""
    look = FencingLook(before=FencingSeen(node=NODE), rules=rules("fencing"))
    for number, one in enumerate(views):
        at = START + timedelta(seconds=number)
        look = look.model_copy(update={"before": look.seen, "view": one, "at": at})
    return look


def recorded(found: FencingFinding, **changed: Any) -> Line:
    """The line of a record that it leaves."""
    told = json.loads(found.model_dump_json()) | changed
    evidence = {name: one for name, one in told.items() if name in ("outcome", "seen", "cut", "basis")}
    data = {
        "activity": ha.watch_fencing.name, "outcome": "done", "asked": json.loads(WISH.model_dump_json()),
        "finding": told["finding"], "evidence": evidence,
    }  # fmt: skip
    line = Line(n=0, at=START, run="site-loss/x", execution="1", event=9, kind="step", what="x", data=plain(data))
    return read(line.canonical)


def only(line: Line) -> Explained:
    (found,) = explained([line], Rules(fencing=rules("fencing")))
    return found


FENCED = looks(view("fence", ("vm:300", "fence", NODE)), view("unknown", ("vm:300", "recovery", NODE)))
NOTHING = looks(view("unknown"))
BACK = looks(view("unknown", ("vm:300", "started", NODE)), view("online", ("vm:300", "started", NODE)))
SILENT = looks(view("unknown", ("vm:300", "started", NODE)), None)


@pytest.mark.parametrize(
    ("look", "what"),
    [
        (FENCED, "pxmx01-01: fenced"),
        (looks(view("unknown", ("vm:300", "started", OTHER))), "pxmx01-01: not known"),
        (NOTHING, "pxmx01-01: nothing to fence"),
        (BACK, "pxmx01-01: back before it was fenced"),
        (SILENT, "pxmx01-01: not known"),
    ],
    ids=["fenced", "elsewhere", "nothing", "back", "nobody told"],
)
def test_each_word_of_fencing_is_explained(look: FencingLook, what: str):
    """The word follows from HA's list before and then."""
    found = only(recorded(look.found(WISH) or look.unknown))

    assert (found.what, found.found) == (what, "right")


def test_it_says_what_ha_had_listed():
    """Before, and at the moment in which it was said."""
    found = only(recorded(FENCED.found(WISH) or FENCED.unknown))

    assert found.because == ("pxmx02-01 has its agent lock: HA called it fence and then unknown",)
    assert found.seen == (
        "before: HA calls it fence and lists vm:300 fence on it, as of 19:38:00 UTC",
        "HA's list by pxmx02-01: pxmx01-01 unknown, on it vm:300 recovery",
    )


def test_a_planted_fencing_is_named():
    """Fenced was written where HA had only not listed anything."""
    planted = recorded(NOTHING.found(WISH) or NOTHING.unknown, outcome="fenced", finding="pxmx02-01 has its lock")

    assert only(planted).conclusion == (
        "WRONG: it should have been: nothing to fence: HA lists no service on it; guests outside HA may still be "
        "running there"
    )


def test_what_an_earlier_version_has_said_of_it_is_not_called_right():
    """Its look is not on record."""
    assert only(recorded(NOTHING.unknown, basis=None)).found == "unknown"


def test_a_look_that_was_asked_to_end_has_said_nothing():
    """Another one goes on from there."""
    assert list(explained([recorded(SILENT.unknown, cut=True)])) == []
