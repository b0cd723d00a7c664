"""The sentence under the headline: what is going on, and what is asked of the reader."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from cluster.answers.model import Answer
from cluster.units import counted
from workflows.page import StepRecord

NOTHING = "No action needed."
# What follows from a run that failed, unless the runbook says otherwise.
AGAIN = "Fix the cause, then start this runbook again: it changes only what still differs."


def ended(
    state: str,
    steps: Sequence[StepRecord],
    changes: int,
    left: str | None,
    planned: str,
    by: str = "",
    then: str = AGAIN,
) -> str:
    """How a run ended; `planned` says what a run that only planned would change, `by` who ended it and why.

    `then` is what follows from a failure.
    """
    if state == "done" and planned:
        return f"Done: {counted(len(steps), 'step')}, nothing changed. {planned}"
    if state == "done":
        return f"Done: {counted(len(steps), 'step')}, {counted(changes, 'change')} made. {NOTHING}"
    if state == "aborted":
        return f"Aborted{by.rstrip('.')}. {left}"
    failed = [step for step in steps if step.state == "failed"]
    where = f"Stopped at: {failed[0].title}. " if failed else ""
    return f"{where}{then}"


def going_on(
    state: str,
    under_way: Sequence[StepRecord],
    asking: Sequence[Answer] = (),
    *,
    changing: bool,
    paused: str | None,
    idle: str = "waiting for the next step",
) -> str:
    """What a run that has not ended does now.

    `paused` says by whom, where it is; `asking` is what people have to do or to decide, the most urgent first.
    """
    now = _doing([step.says for step in under_way if step.state == "running"])
    if state == "aborting":
        return f"Aborting{f', waiting for the end of: {now}' if now else ''}. {NOTHING}"
    if asking:
        more = f" And {len(asking) - 1} more, see below." if len(asking) > 1 else ""
        meanwhile = f" Meanwhile: {now or idle}." if now or asking[0].urgency == "act now" else ""
        return f"{asking[0].head}{more}{meanwhile}" + (f" Paused{paused}." if paused is not None else "")
    if state == "paused":
        doing = (
            f"Pausing{paused or ''}. The change under way ends first: {now}." if changing else f"Paused{paused or ''}."
        )
        return f"{doing} To go on: *More Actions*, *Send an Update*, `resume`."
    if now.startswith("Waiting"):
        return f"{now}. {NOTHING}"
    return f"Running: {now or idle}. {NOTHING}"


def _doing(titles: Sequence[str]) -> str:
    """What is under way, the first of it by name; what is waited for says so itself."""
    more = f", and {counted(len(titles) - 1, 'other step')}" if len(titles) > 1 else ""
    return f"{titles[0]}{more}" if titles else ""


def plan_sentence(changes: int, digest: str, given: Mapping[str, Any]) -> str:
    """What a plan came to, and how to have exactly that done; `given` is what the run was asked for."""
    if not changes:
        return "No changes needed."
    request = json.dumps({"mode": "apply", "plan": digest, **given}, ensure_ascii=False)
    return f"{counted(changes, 'change is', 'changes are')} planned. To make exactly these, start it with `{request}`."
