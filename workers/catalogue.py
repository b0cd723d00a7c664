"""The catalogue of runbooks, as the command line and the README show it."""

import json
from typing import Any

from runbooks import ALL_RUNBOOKS
from workers.errors import Unusable
from workflows.catalogue import RunbookReport
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


def result_type(runbook: type[Runbook]) -> type[RunbookReport]:
    """What its `run` says that it returns: nothing of a report is lost on the way to whoever reads it."""
    found = getattr(runbook, "__temporal_workflow_definition").ret_type
    if not (isinstance(found, type) and issubclass(found, RunbookReport)):
        raise TypeError(f"{runbook.__name__}.run must be annotated with the report that it returns, not with {found}")
    return found


def example(runbook: type[Runbook]) -> str:
    """What a start form takes, as JSON."""
    return json.dumps(runbook.about.example)


def example_input(runbook: type[Runbook]) -> str:
    """What `--input` takes, as JSON: whether anything is changed is the command's word, and who asks is known."""
    return json.dumps({name: value for name, value in runbook.about.example.items() if name not in ("mode", "by")})


def types() -> str:
    """All of them, as a filter of Temporal's run list."""
    return " OR ".join(f"WorkflowType = '{type_name(runbook)}'" for runbook in ALL_RUNBOOKS)


def as_data() -> list[dict[str, Any]]:
    """The catalogue for scripts."""
    return [{"type": type_name(runbook), **runbook.about.model_dump(exclude={"request"})} for runbook in ALL_RUNBOOKS]


def as_markdown() -> str:
    """The table of the README."""
    rows = ["| Runbook | What it does | When to start it | What it asks |", "| --- | --- | --- | --- |"]
    rows += [
        f"| `{type_name(runbook)}` (`{runbook.about.name}`) | {runbook.about.what} | {runbook.about.when} | "
        f"{runbook.about.asks}; for example `{json.dumps(runbook.about.example)}` |"
        for runbook in ALL_RUNBOOKS
    ]
    return "\n".join(rows)
