"""The page of a run, as text."""

from datetime import UTC, datetime, timedelta
from typing import Any

from cluster.moments import Times
from workflows.page import Question, Section, Sheet, StepRecord, story
from workflows.page import render as render_sheet


def step(title: str, finding: str = "", state: str = "done", at: int = 0) -> StepRecord:
    return StepRecord(title=title, state=state, at=timedelta(seconds=at), finding=finding)


def render(headline: str, now: str, sections: list[Section], **more: Any) -> str:
    return render_sheet(Sheet(headline=headline, now=now, sections=sections, **more))


def test_says_what_is_under_way():
    """A running step has no finding yet."""
    page = render(
        "Build", "Now: Pod is online.", [Section(title="Apply", steps=[step("Pod is online", state="running")])]
    )

    assert page == (
        "### Build\n\n**Now: Pod is online.**\n\n| T+ | UTC | | Step | Took | Finding |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
        "|  |  | … | Pod is online |  | under way since T+00:00 |\n"
    )


def test_a_finished_section_shrinks_to_one_line():
    """What is over takes little room; what is now takes all it needs."""
    done = Section(title="Preflight", steps=[step(f"Node {number} is ready") for number in range(12)])
    page = render("Build", "Now", [done, Section(title="Apply", steps=[step("Pod is online", "online", at=65)])])

    assert "| 00:00 |  | ✓ | Preflight | 0.0\u00a0ms | 12 steps |" in page
    assert "Node 3" not in page
    assert "| 01:05 |  | ✓ | Pod is online |  | online |" in page


def test_a_failed_section_shows_every_step():
    """Where something is wrong, nothing is folded away."""
    bad = Section(
        title="Preflight", steps=[step("One", "well"), step("Two", "NotFound: nothing there", state="failed")]
    )

    page = render("Build", "Stopped", [bad, Section(title="Apply", steps=[step("Three")])])

    assert "| 00:00 |  | ✗ | Two |  | NotFound: nothing there |" in page
    assert "| 00:00 |  | ✓ | One |  | well |" in page


def test_stays_below_three_kilobytes_with_two_hundred_guests():
    """The newest lines stay; the number of the others is said."""
    many = Section(title="Apply", steps=[step(f"Guest vm-{number} runs", "runs on pxmx01-01") for number in range(200)])
    page = render("Build", "Now", [many])

    assert len(page.encode()) < 3000
    assert "Guest vm-199 runs" in page
    assert "earlier lines: see *History*." in page


def test_keeps_table_and_typography_whole():
    """A pipe would end a cell, a dollar begin mathematics, two dashes become one."""
    page = render("Build", "Now", [Section(title="Apply", steps=[step("a|b", "costs $5 -- or\nmore")])])

    assert "| a\\|b |  | costs \\$5 - - or more |" in page


def test_tells_the_same_as_plain_text():
    """A terminal reads the same steps."""
    section = Section(title="Apply", steps=[step("Pod is online", "online"), step("Hosts see it", state="running")])

    assert story([section]) == ["✓ Pod is online: online", "… Hosts see it: under way since T+00:00"]


def test_lists_questions_with_the_ways_to_answer_them():
    """What failed, what was changed before, what can be said: in this order, above the steps."""
    page = render(
        "Build",
        "Parked: Guest web runs failed. It waits for your answer.",
        [Section(title="Apply", steps=[step("Guest web runs", "Rejected: no space", state="parked", at=65)])],
        questions=(
            Question(step="Guest web runs", word="Rejected", message="no space", skip="it is not put under HA"),
        ),
        before="12 changes, the last one HA: register vm:300",
        links=(("History", "/namespaces/default/workflows/x/history"),),
    )

    assert page == (
        "### Build\n\n**Parked: Guest web runs failed. It waits for your answer.**\n\n"
        "- **Guest web runs**: `Rejected` no space\n\n"
        "Changed before: 12 changes, the last one HA: register vm:300\n\n"
        '- Fix the cause, then *More Actions*, *Send an Update*, `answer`, and paste `{"answer": "retry"}`.\n'
        '- `{"answer": "skip", "step": "Guest web runs", "why": "…"}`: it is not put under HA.\n'
        '- `{"answer": "abort"}` ends the run in its safe condition.\n\n'
        "| T+ | UTC | | Step | Took | Finding |\n| --- | --- | --- | --- | --- | --- |\n"
        "| 01:05 |  | ? | Guest web runs |  | Rejected: no space |\n"
        "\n[History](/namespaces/default/workflows/x/history)\n"
    )


def test_stays_below_three_kilobytes_when_everything_fails():
    """Long errors of many steps are cut, never the ways to answer."""
    steps = [step(f"Guest vm-{n} runs", "Rejected: " + "x" * 400, state="parked") for n in range(200)]
    questions = tuple(Question(step=s.title, word="Rejected", message="x" * 400, skip="y" * 300) for s in steps)
    page = render("Build", "Parked", [Section(title="Apply", steps=steps)], questions=questions, notes=("n" * 900,) * 9)

    assert len(page.encode()) < 3000
    assert "and 197 more" in page
    assert '`{"answer": "abort"}`' in page


def test_a_line_bears_the_time_at_which_it_ended_on_both_clocks_and_one_that_goes_on_since_when():
    """T+ and the time of day in UTC, whose date stands above; on another day it has its date."""
    t0 = datetime(2026, 3, 1, 23, 58, tzinfo=UTC)
    over = StepRecord(title="One", state="done", at=timedelta(seconds=5), took=timedelta(seconds=60), finding="well")
    later = over.model_copy(update={"title": "Two", "at": timedelta(minutes=3)})
    parked = over.model_copy(update={"title": "Three", "state": "parked"})
    on = over.model_copy(update={"title": "Four", "state": "running", "took": timedelta(), "finding": ""})
    waits = on.model_copy(update={"title": "Five", "finding": "1 of 2"})
    section = Section(title="s", steps=[over, later, parked, on, waits])
    page = render("x", "x", [section], times=Times(t0=t0))

    assert page.partition("\n\n| ")[2].splitlines() == [
        "T+ | UTC 2026-03-01 | | Step | Took | Finding |",
        "| --- | --- | --- | --- | --- | --- |",
        "| 01:05 | 23:59:05 | ✓ | One | 1\u00a0min\u00a00\u00a0s | well |",
        "| 04:00 | 03-02\u00a000:02:00 | ✓ | Two | 1\u00a0min\u00a00\u00a0s | well |",
        "| 01:05 | 23:59:05 | ? | Three |  | well |",
        "|  |  | … | Four |  | under way since 23:58:05 UTC (T+00:05) |",
        "|  |  | … | Five |  | 1 of 2; begun 23:58:05 UTC (T+00:05) |",
    ]


def test_the_time_of_a_rehearsal_runs_faster_and_the_wall_does_not():
    """Ten seconds of the wall are a hundred of the cluster's."""
    times = Times(t0=datetime(2026, 3, 1, 3, 12, 28, tzinfo=UTC), speed=10)
    one = StepRecord(title="One", state="done", at=timedelta(), took=timedelta(seconds=10), finding="well")
    page = render("x", "x", [Section(title="s", steps=[one])], times=times)

    assert "| 01:40 | 03:12:38 | ✓ | One | 1\u00a0min\u00a040\u00a0s | well |" in page
    assert times.both(170) == "03:12:45 UTC (T+02:50)"
    assert times.between(175, 218) == "between 03:12:45 and 03:12:49 UTC (T+02:55 to 03:38)"
