"""The sentence under the headline: what is going on, and what is asked of the reader."""

from collections.abc import Sequence

from workflows.page import Question, StepRecord


def ended(state: str, steps: Sequence[StepRecord], changes: int, left: str | None, planned: str) -> str:
    """How a run ended; `planned` says what a run that only planned would change."""
    if state == "done" and planned:
        return f"Done: {len(steps)} steps, nothing changed. {planned}"
    if state == "done":
        return f"Done: {len(steps)} steps, {changes} changes made. Nothing is asked of you."
    if state == "aborted":
        return f"Aborted. {left}"
    failed = [step for step in steps if step.state == "failed"]
    where = f"Stopped at: {failed[0].title}. " if failed else ""
    return f"{where}Mend the cause, then start this runbook again: it changes only what still differs."


def going_on(
    state: str, under_way: Sequence[StepRecord], questions: Sequence[Question], *, changing: bool, paused: str
) -> str:
    """What a run that has not ended does now."""
    titles = [step.says for step in under_way if step.state == "running"]
    now = f"{titles[0]}{f' and {len(titles) - 1} more' if len(titles) > 1 else ''}" if titles else ""
    if state == "aborting":
        return f"Is being aborted{f': comes to the end of {now}' if now else ''}. Nothing is asked of you."
    if state == "attention":
        parked = questions[0].step if len(questions) == 1 else f"{len(questions)} steps"
        return f"Parked: {parked} failed. It waits for your answer." + (f" Meanwhile: {now}." if now else "")
    if state == "paused":
        doing = f"Pausing{paused}. A change comes to its end: {now}." if changing else f"Paused{paused}."
        return f"{doing} To go on: *More Actions*, *Send an Update*, `resume`."
    return f"Now: {now or 'between two steps'}. Nothing is asked of you."


def plan_sentence(changes: int, digest: str) -> str:
    """What a plan came to, and how to have exactly that done."""
    if not changes:
        return "Nothing is to be changed: everything is as wished."
    request = f'{{"mode": "apply", "plan": "{digest}"}}'
    return f"{changes} changes are planned. To make exactly these, start it with `{request}`."
