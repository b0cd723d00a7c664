"""A plan's digest stands for its meaning: noise never changes it, meaning always does."""

from hypothesis import assume, given
from hypothesis import strategies as st

from cluster.plan import Intent, Ledger, Made, Mode, difference, digest

words = st.text(min_size=1, max_size=12)
intents = st.builds(
    Intent,
    where=words,
    what=words,
    target=words,
    detail=st.text(max_size=12),
    turn=st.integers(min_value=0, max_value=3),
)
plans = st.lists(intents, max_size=12)
SUBJECT = "deploy/metro"


@given(plans, st.randoms())
def test_the_order_of_listing_is_noise(plan: list[Intent], chance):
    """Arrays and nodes may be asked in any order."""
    shuffled = list(plan)
    chance.shuffle(shuffled)

    assert digest(SUBJECT, shuffled) == digest(SUBJECT, plan)


@given(plans)
def test_a_plan_that_travelled_keeps_its_digest(plan: list[Intent]):
    """Through the history and back, as JSON."""
    there = [Intent.model_validate_json(intent.model_dump_json()) for intent in plan]

    assert digest(SUBJECT, there) == digest(SUBJECT, plan)


@given(plans, intents, st.sampled_from(["where", "what", "target", "detail", "turn"]), st.data())
def test_every_word_of_a_change_is_meaning(plan: list[Intent], one: Intent, field: str, data: st.DataObject):
    """Another place, act, object, value or turn is another plan."""
    value = data.draw(st.integers(4, 9) if field == "turn" else words)
    other = one.model_copy(update={field: value})
    assume(other != one)

    assert digest(SUBJECT, [*plan, one]) != digest(SUBJECT, [*plan, other])


@given(plans, intents)
def test_one_change_more_is_another_plan(plan: list[Intent], one: Intent):
    """Even when it is the same change once more."""
    assert digest(SUBJECT, [*plan, one]) != digest(SUBJECT, plan)


@given(plans, words, words)
def test_another_procedure_or_cluster_is_another_plan(plan: list[Intent], one: str, other: str):
    """The empty plans of two clusters differ too."""
    assume(one != other)

    assert digest(one, plan) != digest(other, plan)


@given(st.lists(intents, min_size=2, max_size=2, unique=True))
def test_words_do_not_flow_into_each_other(pair: list[Intent]):
    """Whatever separates two words may also stand inside one."""
    one, other = pair

    assert digest(SUBJECT, [one]) != digest(SUBJECT, [other])
    assert digest(SUBJECT, [one, other]) != digest(SUBJECT, [one, one])


@given(plans, plans)
def test_the_difference_leads_from_one_plan_to_the_other(old: list[Intent], new: list[Intent]):
    """As many lines go and come as make the one from the other; equal plans have none."""
    lines = difference(old, new)

    gone = sum(line.startswith("- ") for line in lines)
    come = sum(line.startswith("+ ") for line in lines)
    assert len(old) - gone + come == len(new)
    assert (lines == []) == (digest(SUBJECT, old) == digest(SUBJECT, new))


def test_what_was_begun_and_is_not_due_again_was_made():
    """Three attempts: the reply of the second change was lost, the third is due again."""
    first, second, third = (Intent(where="a", what="make", target=str(number)) for number in range(3))
    lost = Made().begun(first).begun(second)
    assert (lost.changes, lost.doubtful) == ((first,), (second,))

    again = lost.begun(third)
    assert (again.changes, again.doubtful) == ((first, second), (third,))

    once_more = again.begun(third)
    assert (once_more.changes, once_more.doubtful) == ((first, second), (third,))
    assert once_more.and_then((third,)) == (first, second, third)


def test_a_plan_asks_nobody_and_changes_nothing():
    """Only a change that is made now is begun."""
    begun: list[Intent] = []

    class Watched(Ledger):
        def begin(self, intent: Intent) -> None:
            begun.append(intent)

    assert not Watched(Mode.PLAN).intend("array-a", "create pod", "p1", verb="create")
    assert begun == []
    assert Watched(Mode.APPLY).intend("array-a", "create pod", "p1", verb="create")
    assert len(begun) == 1
