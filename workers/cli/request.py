"""What a person asks of a runbook: `--input` checked, and what is wrong told with an example of that runbook."""

import getpass
import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_origin

from pydantic import ValidationError

from cluster.inventory import Inventory
from workers.catalogue import example_input
from workers.errors import Unusable, complaints
from workflows.catalogue import RunbookRequest
from workflows.runbook import Runbook


def me() -> str:
    """Who uses this shell, by name: a claim, as everything that is sent without a signature.

    Empty where the machine does not know: a number would name nobody, and whoever asks has to say who it is.
    """
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def named(name: str) -> str:
    """That name, or the one of this shell's user; Unusable where neither is known."""
    if found := name or me():
        return found
    raise Unusable("the name of who asks is not known here", "say who you are with --by NAME")


def given_data(runbook: type[Runbook], given: str | None, words: Sequence[str] = ()) -> dict[str, Any]:
    """What `--input` and ``field=value`` say; the words win. Unusable when it is no JSON object, or no such word."""
    return _of_input(runbook, given) | dict(_of_word(runbook, word) for word in words)


def _of_word(runbook: type[Runbook], word: str) -> tuple[str, Any]:
    """``site=site-a``, or ``nodes=pxmx01-01,pxmx01-02`` for a list; anything deeper is JSON."""
    name, equals, value = word.partition("=")
    if not equals or not name:
        raise Unusable(f"{word!r} is no field with its value", f"write for example {example_words(runbook)}")
    field = runbook.about.request.model_fields.get(name)
    if value[:1] in ("{", "["):
        try:
            return name, json.loads(value)
        except ValueError as error:
            raise Unusable(f"{name}: {error}", example(runbook)) from None
    several = field is not None and get_origin(field.annotation) in (tuple, list)
    return name, value.split(",") if several else value


def _of_input(runbook: type[Runbook], given: str | None) -> dict[str, Any]:
    """JSON, or a file of it behind an @."""
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
        who = {"by": name} if (name := me()) else {}
        return runbook.about.request.model_validate({"cluster": known.name, **who, **fields, **data})
    except ValidationError as error:
        raise Unusable(f"--input: {'; '.join(complaints(error))}", example(runbook)) from None


def example(runbook: type[Runbook]) -> str:
    """What `--input` may be for this runbook; one that needs none says so."""
    fits = example_input(runbook)
    return "leave --input out: this runbook needs none" if fits == "{}" else f"Example: --input '{fits}'"


def example_words(runbook: type[Runbook]) -> str:
    """The same as words."""
    return words_of(json.loads(example_input(runbook))) or "by=ana"


def words_of(data: Mapping[str, Any]) -> str:
    """``site=site-a``: a request whose values are plain; empty where it is not."""
    plain = all(isinstance(value, str) and value and value[0] not in "{[" for value in data.values())
    return shlex.join(f"{name}={value}" for name, value in data.items()) if plain else ""
