"""What a hook is told, and what came of it."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Literal

from cluster.around import Hook
from cluster.plan import Finding, Wish

When = Literal["before", "after"]


class HookCall(Wish):
    """One call of a hook: where it stands in which run. `key` is the same for all attempts of one call."""

    hook: Hook
    when: When
    step: str
    finding: str = ""
    cluster: str
    runbook: str
    run: str
    key: str


class HookFinding(Finding):
    """What the hook said: the last line of a program, the status of a webhook."""


class HooksCheck(Wish):
    """Hooks that the worker must be allowed to run."""

    hooks: tuple[Hook, ...]


def due(hooks: Iterable[Hook], runbook: str, when: When, step: str) -> list[Hook]:
    """The hooks that stand there, in the order of the inventory."""
    places = ((hook, hook.before if when == "before" else hook.after) for hook in hooks)
    return [hook for hook, place in places if place and hook.runbook in (None, runbook) and fnmatchcase(step, place)]
