"""Every title of the incidents' runbooks beside every finding it may have, as a person reads it: no line lies."""

from datetime import UTC, datetime, timedelta

import pytest

from cluster.answers.model import Answer
from cluster.fencing import FencingSeen, FencingWish, concluded, not_known
from cluster.plan import Finding
from cluster.recovery import HaView, Service
from cluster.returning import ReturnFinding, ReturnWish
from workflows.asking import of_asked, of_question
from workflows.page import SIGNS, Question, StepRecord
from workflows.words import ended, going_on

NODE, LEFT = "pxmx01-01", "pxmx02-01"
LOOKED = datetime(2026, 3, 1, 3, 12, tzinfo=UTC)


def ha(state: str, **services: tuple[str, str]) -> HaView:
    listed = {f"vm:{sid[1:]}": Service(state=word, node=node) for sid, (word, node) in services.items()}
    return HaView(master=LEFT, nodes={NODE: state, LEFT: "online"}, services=listed)


def fencing(*views: HaView, ran: tuple[str, ...] = ("vm:300",)) -> Finding:
    wish = FencingWish(node=NODE, ran=ran, survivors=(LEFT,), seen=FencingSeen(node=NODE))
    seen = wish.seen
    for one in views:
        seen = seen.then(one, LOOKED)
        if found := concluded(wish, seen, one):
            return found
    return not_known(seen)


RETURN = ReturnWish(nodes=(NODE, "pxmx01-02", "pxmx01-03"), via=(LEFT,))
STARTED = ("started", NODE)

ALOUD = [
    (f"{NODE} is fenced", fencing(ha("fence", v300=STARTED), ha("unknown", v300=STARTED)),
     "✓ pxmx01-01 is fenced: pxmx02-01 has its agent lock: HA called it fence and then unknown"),
    (f"{NODE} is fenced", fencing(ha("unknown", v300=STARTED), ha("unknown", v300=("started", LEFT))),
     "✓ pxmx01-01 is fenced: pxmx02-01 has its agent lock: vm:300 went from started there to pxmx02-01"),
    (f"{NODE} is fenced", fencing(ha("unknown"), ran=()),
     "– pxmx01-01 is fenced: nothing to fence: HA lists no service on it; "
     "guests outside HA may still be running there"),
    (f"{NODE} is fenced", fencing(ha("unknown", v300=STARTED), ha("online", v300=STARTED)),
     "– pxmx01-01 is fenced: not fenced: it came back before, HA calls it online"),
    (f"{NODE} is fenced", fencing(ha("unknown", v300=("error", NODE))),
     "! pxmx01-01 is fenced: not known: HA calls it unknown and lists vm:300 error on it"),
    (f"{NODE} is fenced", fencing(ha("unknown", v300=("started", LEFT))),
     "! pxmx01-01 is fenced: not known: HA lists no service on it now; vm:300 is on pxmx02-01, "
     "and how it got there was not seen"),
    ("site-a is back", ReturnFinding.of(RETURN, ()), "✓ site-a is back: 3 nodes are members again"),
    (f"{NODE} is back", ReturnFinding.of(ReturnWish(nodes=(NODE,), via=(LEFT,)), ()),
     "✓ pxmx01-01 is back: pxmx01-01 is a member again"),
    ("site-a is back", ReturnFinding.of(RETURN, ("pxmx01-03",)),
     "! site-a is back: members again: pxmx01-01, pxmx01-02; not yet: pxmx01-03"),
]  # fmt: skip


@pytest.mark.parametrize(("title", "found", "aloud"), ALOUD, ids=[aloud[:40] for _, _, aloud in ALOUD])
def test_a_tick_stands_only_where_the_finding_says_the_title(title: str, found: Finding, aloud: str):
    """Where it does not, the line has another mark and says what is so."""
    assert f"{SIGNS[found.mark]} {title}: {found.finding}" == aloud


def step(title: str, waiting: str = "", state: str = "running") -> StepRecord:
    return StepRecord(title=title, waiting=waiting, state=state, at=timedelta())


FENCE = step("pxmx01-01 is fenced", "Waiting for HA to fence pxmx01-01, at the earliest 03:15:18 UTC (T+02:50)")
BACK = step("site-a is back", "Waiting for site-a to return")
GONE = "vm:300 is in error: HA gave up starting it"

FIRST_LINES = [
    ("running", [BACK], [], "Waiting for site-a to return. No action needed."),
    ("running", [FENCE, BACK], [],
     "Waiting for HA to fence pxmx01-01, at the earliest 03:15:18 UTC (T+02:50), and 1 other step. No action needed."),
    ("running", [step("Volume is copied")], [], "Running: Volume is copied. No action needed."),
    ("running", [], [], "Running: waiting for the next step. No action needed."),
    ("attention", [BACK], [of_asked("vm:300", GONE)], f"Act now: {GONE}. Meanwhile: Waiting for site-a to return."),
    ("attention", [BACK], [of_asked("vm:300", GONE), of_asked("x", "y")],
     f"Act now: {GONE}. And 1 more, see below. Meanwhile: Waiting for site-a to return."),
    ("attention", [BACK], [of_question("x", Question(step="Pod is served", word="Refuted", message="it is not"))],
     "Act now: Pod is served failed and waits for your answer. Meanwhile: Waiting for site-a to return."),
    ("aborting", [BACK], [], "Aborting, waiting for the end of: Waiting for site-a to return. No action needed."),
]  # fmt: skip


@pytest.mark.parametrize(("state", "under_way", "asking", "line"), FIRST_LINES)
def test_the_first_line_says_what_is_waited_for_and_what_is_asked(
    state: str, under_way: list[StepRecord], asking: list[Answer], line: str
):
    """What is not so yet is never told as so; *No action needed* stands only where that is so."""
    assert going_on(state, under_way, asking, changing=False, paused=None) == line


def test_a_paused_run_says_so_beside_what_is_asked():
    """And the other way round."""
    line = going_on("attention", [BACK], [of_asked("vm:300", GONE)], changing=False, paused=" by ana")

    assert line == f"Act now: {GONE}. Meanwhile: Waiting for site-a to return. Paused by ana."


def test_the_end_says_that_nothing_is_left():
    """In the same words."""
    assert ended("done", [BACK], 2, None, "") == "Done: 1 step, 2 changes made. No action needed."
