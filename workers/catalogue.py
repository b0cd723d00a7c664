"""The catalogue of runbooks, as the command line and the README show it."""

import json
from typing import Any

from runbooks import ALL_RUNBOOKS
from workers.errors import Unusable
from workflows.runbook import Runbook


def named(name: str) -> type[Runbook]:
    """The runbook that the command line calls so, or that Temporal does; Unusable names those that there are."""
    for runbook in ALL_RUNBOOKS:
        if name in (runbook.about.name, type_name(runbook)):
            return runbook
    known = ", ".join(runbook.about.name for runbook in ALL_RUNBOOKS)
    raise Unusable(f"there is no runbook {name!r}: there are {known}", "`quorate runbooks` says what each does")


def type_name(runbook: type[Runbook]) -> str:
    """What the Temporal UI calls it."""
    return str(getattr(runbook, "__temporal_workflow_definition").name)  # the SDK's own mark


def types() -> str:
    """All of them, as a filter of Temporal's run list."""
    return " OR ".join(f"WorkflowType = '{type_name(runbook)}'" for runbook in ALL_RUNBOOKS)


def as_data() -> list[dict[str, Any]]:
    """The catalogue for scripts."""
    return [
        {"type": type_name(runbook), **runbook.about.model_dump(exclude={"request", "report"})}
        for runbook in ALL_RUNBOOKS
    ]


def as_markdown() -> str:
    """The table of the README."""
    rows = ["| Runbook | What it does | When to start it | What it asks |", "| --- | --- | --- | --- |"]
    rows += [
        f"| `{type_name(runbook)}` (`{runbook.about.name}`) | {runbook.about.what} | {runbook.about.when} | "
        f"{runbook.about.asks}; for example `{json.dumps(runbook.about.example)}` |"
        for runbook in ALL_RUNBOOKS
    ]
    return "\n".join(rows)
