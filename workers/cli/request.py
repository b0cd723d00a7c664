"""What a person asks of a runbook: `--input` checked, and what is wrong told with an example of that runbook."""

import json
import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cluster.inventory import Inventory
from workers.catalogue import example_input
from workers.errors import Unusable, complaints
from workflows.catalogue import RunbookRequest
from workflows.runbook import Runbook

# A claim, as everything that is sent without a signature.
ME = os.environ.get("USER") or str(os.getuid())


def given_data(runbook: type[Runbook], given: str | None) -> dict[str, Any]:
    """What `--input` says: JSON, or a file of it behind an @. Unusable when it is no JSON object."""
    try:
        text = Path(given[1:]).read_text() if given and given.startswith("@") else given
        data = json.loads(text) if text else {}
    except (OSError, ValueError) as error:
        raise Unusable(f"--input: {error}", example(runbook)) from None
    if not isinstance(data, dict):
        raise Unusable("--input: it must be a JSON object", example(runbook))
    return data


def request_of(runbook: type[Runbook], known: Inventory, data: dict[str, Any], **fields: Any) -> RunbookRequest:
    """What the command line adds, and what the person gave, which wins; but whether to change is the command's word."""
    if data.get("mode", fields["mode"]) != fields["mode"]:
        raise Unusable(
            f"--input: mode: this command means {fields['mode']}", "`quorate plan` only looks, `quorate run` changes"
        )
    try:
        return runbook.about.request.model_validate({"cluster": known.name, "by": ME, **fields, **data})
    except ValidationError as error:
        raise Unusable(f"--input: {'; '.join(complaints(error))}", example(runbook)) from None


def example(runbook: type[Runbook]) -> str:
    """What `--input` may be for this runbook; one that needs none says so."""
    fits = example_input(runbook)
    return "leave --input out: this runbook needs none" if fits == "{}" else f"Example: --input '{fits}'"
