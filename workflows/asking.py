"""What a run asks of people, as answers: a parked step, an open gate, an alarm, an end that somebody has to mend. Pure.

Each names the command that does it, ready to be typed, and who may do it.
"""

import shlex

from cluster.answers.model import Answer, Task
from workflows.ballot import GateView
from workflows.page import Question
from workflows.words import AGAIN

# Alarms that a person need not act on: what holds the run is over by itself, and it goes on.
HELD = ("together", "gate")


def quorate(*words: str) -> str:
    """A command of ours, as it is typed."""
    return shlex.join(("quorate", *words))


def of_question(run: str, one: Question) -> Answer:
    """A step that failed and waits for a person."""
    tasks = [Task(do="fix the cause, then have the step tried again", command=quorate("answer", run, "retry"))]
    if one.skip is not None:
        skip = quorate("answer", run, "skip", "--step", one.step, "--why", "…")
        tasks.append(Task(do=f"or skip it: {one.skip}", command=skip))
    tasks.append(Task(do="or end the run in its safe condition", command=quorate("answer", run, "abort")))
    return Answer(
        about=f"step {one.step}",
        urgency="act now",
        title=f"{one.step} failed and waits for your answer",
        tasks=tuple(tasks),
        why=(f"{one.word}: {one.message}",),
    )


def of_gate(run: str, view: GateView) -> Answer:
    """A gate that waits for approvals; while it takes none, nobody can do anything about it."""
    terms = view.terms
    who = f"a person on the list of approvers, except {terms.requester}, who asks for it"
    approve = Task(do="read the plan, then approve it", command=quorate("approve", run), who=who)
    tasks = () if view.held else (approve, Task(do="or reject it", command=quorate("reject", run)))
    return Answer(
        about=f"gate {terms.number}",
        urgency="watch" if view.held else "decide",
        title=f"{terms.title}: {view.missing}",
        by=terms.until,
        tasks=tasks,
        automatic="with too few approvals by then, the run ends and nothing is changed",
        why=tuple(terms.conditions),
    )


def of_alarm(key: str, text: str) -> Answer:
    """What a person must know before anything else; what is only held goes on by itself."""
    held = key in HELD
    return Answer(about=f"alarm {key}", urgency="watch" if held else "act now", title=text.rstrip("."))


def of_asked(about: str, what: str) -> Answer:
    """Something that a person has to do, in a sentence."""
    return Answer(about=about, urgency="act now", title=what.rstrip("."))


def of_end(word: str, sentence: str, then: str = AGAIN) -> Answer:
    """A run that is over: only one that failed leaves something to do, unless it was refused with another word."""
    if word != "failed" or then != AGAIN:
        return Answer(about="end", urgency="nothing", title=sentence.rstrip("."))
    again = Task(do="fix the cause, then start this runbook again: it changes only what still differs")
    return Answer(about="end", urgency="act now", title=sentence.rstrip("."), tasks=(again,))
