"""The critical path and the own times of small made-up traces."""

from itertools import pairwise

from cluster.spans.path import critical_path, on_path
from cluster.spans.spent import Spent, spent
from cluster.spans.tree import Tree
from tests.telemetry.made import SECOND, trace, tree

API = {"http.request.method": "GET", "server.address": "10.0.0.1"}


def told(one: Tree) -> list[str]:
    """The path in seconds."""
    return [f"{s.span or '-'} {s.start / SECOND:g} {s.end / SECOND:g}" for s in critical_path(one)]


def test_steps_one_after_the_other_are_all_on_the_path():
    """What lies between them is the run's own."""
    one = tree("""
        run 0 10
          first 1 4
          second 5 9
    """)

    assert told(one) == ["run 0 1", "first 1 4", "run 4 5", "second 5 9", "run 9 10"]


def test_of_two_side_by_side_the_one_that_ended_later_is_on_the_path():
    """The other one could have taken longer without anybody noticing."""
    one = tree("""
        run 0 10
          quick 0 3
          slow 0 10
    """)

    assert told(one) == ["slow 0 10"]
    assert on_path(critical_path(one), one) == {"run", "slow"}


def test_before_the_one_that_ended_last_the_path_goes_on_beside_it():
    """A span that ran over the start of the last one was waited for until then."""
    one = tree("""
        run 0 12
          long 0 10
          last 9 12
    """)

    assert told(one) == ["long 0 9", "last 9 12"]


def test_what_goes_on_beside_the_procedure_is_waited_for_by_nobody():
    """A claim lasts as long as its run, and what is cut off with the run does as well."""
    one = tree(
        """
        run 0 10
          claim 0 10
          look 0 10
            call 8 10
          step 2 6
        """,
        claim={"quorate.run": "claim/metro", "quorate.runbook": "Claim"},
        look={"quorate.cut_off": True},
    )

    assert told(one) == ["run 0 2", "step 2 6", "run 6 10"]
    assert spent(one, critical_path(one)) == (Spent(doing="engine", spans=2, own=10 * SECOND, critical=10 * SECOND),)


def test_what_was_stopped_is_on_the_path_only_where_nothing_else_is():
    """A watch that is cancelled because the run is at its end held nobody up; one that was aborted did."""
    one = tree("""
        run 0 10
          watch 0 9
          step 2 6
    """)
    stopped = Tree(
        span.model_copy(update={"failed": True, "word": "Stopped"}) if span.id == "watch" else span
        for span in one.spans.values()
    )

    assert told(stopped) == ["watch 0 2", "step 2 6", "watch 6 9", "run 9 10"]


def test_the_path_goes_down_to_the_calls():
    """A step's own time is what no attempt and no call of it covers."""
    one = tree("""
        run 0 10
          step 0 10
            attempt 1 9
              call 2 8
    """)

    assert told(one) == ["step 0 1", "attempt 1 2", "call 2 8", "attempt 8 9", "step 9 10"]


def test_the_stretches_are_together_as_long_as_the_trace():
    """Whatever the tree looks like."""
    one = tree("""
        run 0 20
          a 0 7
            b 1 9
            c 2 3
          d 4 18
            e 4 6
            f 5 17
        late 25 30
    """)
    path = critical_path(one)

    assert sum(stretch.took for stretch in path) == 30 * SECOND
    assert all(before.end == after.start for before, after in pairwise(path))


def test_what_was_started_by_an_instant_span_lies_below_the_next_one_that_is_under_way():
    """Temporal tells the start of an activity as a span of its own, which is over when the activity begins."""
    one = tree("""
        run 0 10
          StartActivity 1 1
            RunActivity 2 9
    """)

    assert [span.id for span in one.children(one.spans["run"])] == ["StartActivity", "RunActivity"]
    assert told(one) == ["run 0 2", "RunActivity 2 9", "run 9 10"]


def test_a_run_that_goes_on_as_a_new_one_follows_the_first():
    """Its parent has ended, so both are roots."""
    one = tree("""
        first 0 10
          second 11 20
    """)

    assert [span.id for span in one.roots] == ["first", "second"]
    assert told(one) == ["first 0 10", "- 10 11", "second 11 20"]


def test_a_span_that_has_not_ended_lasts_as_long_as_the_trace_is_known():
    """Nothing is said about the time after the newest span."""
    one = tree("""
        run 0 …
          done 0 4
          going 5 …
            call 5 9
    """)

    assert [span.id for span in one.under_way] == ["run", "going"]
    assert told(one) == ["done 0 4", "run 4 5", "call 5 9"]


def test_a_span_whose_parent_is_not_kept_is_a_root_of_its_own():
    """The parent has not ended, or another process has kept it."""
    one = Tree(span for span in trace("run 0 9\n  step 1 5") if span.id == "step")

    assert [span.id for span in one.orphans] == ["step"]


def test_own_times_are_told_by_what_was_done_or_waited_for():
    """Calls by host; the rest is the engine's."""
    one = tree(
        """
        run 0 100
          gate 0 60
          attempt 60 90
            one 60 70
            two 60 65
            three 75 80
        """,
        gate={"quorate.waits_for": "people"},
        attempt={"quorate.waits_for": "world"},
        one=API,
        two=API | {"server.address": "10.0.0.2"},
        three=API,
    )

    assert spent(one, critical_path(one)) == (
        Spent(doing="people", spans=1, own=60 * SECOND, critical=60 * SECOND),
        Spent(doing="api", where="10.0.0.1", spans=2, own=15 * SECOND, critical=15 * SECOND),
        Spent(doing="world", spans=1, own=15 * SECOND, critical=15 * SECOND),
        Spent(doing="engine", spans=1, own=10 * SECOND, critical=10 * SECOND),
        Spent(doing="api", where="10.0.0.2", spans=1, own=5 * SECOND, critical=0),
    )


def test_an_empty_trace_has_no_path():
    """Nothing was done, and nothing waited for."""
    assert critical_path(Tree([])) == ()


def test_a_step_waits_between_its_attempts_and_where_it_has_none():
    """What is tried again in ten minutes waits for the world, and so does a step that others find out for it."""
    one = tree(
        """
        run 0 20
          tried 0 10
            first 0 1
            second 9 10
          told 10 20
        """,
        first={"quorate.attempt": 1},
        second={"quorate.attempt": 2},
        told={"quorate.mark": "done"},
    )

    assert spent(one, critical_path(one))[0] == Spent(doing="world", spans=4, own=20 * SECOND, critical=20 * SECOND)


def test_calls_that_failed_alike_count_as_calls_and_their_pauses_as_waiting():
    """One span stands for sixty of them; nobody waited for one of those, but for somebody who answers."""
    one = tree(
        """
        run 0 100
          attempt 0 100
            first 0 1
            again 2 90
            answer 95 96
        """,
        attempt={"quorate.attempt": 1},
        first=API,
        again=API | {"quorate.times": 60, "quorate.seconds_in_calls": 20.0},
        answer=API,
    )

    assert told(one) == ["first 0 1", "attempt 1 95", "answer 95 96", "attempt 96 100"]
    assert spent(one, critical_path(one)) == (
        Spent(doing="world", spans=1, own=98 * SECOND, critical=98 * SECOND),
        Spent(doing="api", where="10.0.0.1", spans=62, own=22 * SECOND, critical=2 * SECOND),
        Spent(doing="engine", spans=1, own=0, critical=0),
    )
