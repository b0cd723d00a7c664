"""From answers as they were given to answers that tell of nobody: what is known is kept, names get pseudonyms.

An allow-list: a field or a line that nobody here has named is dropped, whatever is in it, and counted.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from cluster.nouns import Value
from cluster.probing.compound import COMPOUND
from cluster.probing.fields import ARRAY, CLUSTER, CONTROLLER, HOST, INVENTORY, Fields
from cluster.probing.lines import TEXTS
from cluster.probing.names import Change, Pseudonyms

Of = Literal["array", "cluster", "node", "witness", "controller"]
FIELDS: dict[Of, Mapping[str, Fields]] = {
    "array": ARRAY,
    "cluster": CLUSTER,
    "node": HOST,
    "witness": HOST,
    "controller": CONTROLLER,
}
# Words, numbers and lists of numbers as devices write them; anything longer is a text that somebody wrote. A model of
# a processor that people have made themselves has their name for it.
_WORD = re.compile(r"(?!custom-)[A-Za-z0-9*/-][A-Za-z0-9 _.,:;=+/*~-]{0,79}|")
# What a dropped field may be called in the count: a name of a field, and no name of anybody.
_FIELD = re.compile(r"[a-z][a-z_-]{0,30}")


class Answer(Value):
    """One answer: of which kind of thing, of which one, to what; or the word that stands for why there is none.

    `item` tells apart several answers of one kind: a guest's number.
    """

    of: Of
    who: str
    what: str
    item: str = ""
    data: Any = None
    status: int | None = None  # of a command
    word: str = ""


class Dropped:
    """How often which field, or a line of a text, was left out."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def count(self, where: str, field: str) -> None:
        """One more."""
        self.counts[f"{where}: {field if _FIELD.fullmatch(field) else 'other fields'}"] += 1


class Cleaning:
    """Both rounds over one probe: `note` everything first, then ask for the `clean` forms."""

    def __init__(self) -> None:
        self.names, self.dropped = Pseudonyms(), Dropped()

    def note(self, answers: Sequence[Answer], inventory: Mapping[str, Any]) -> None:
        """Every name that is in them. The inventory's kinds come first."""
        self.walk(INVENTORY, dict(inventory), self.names.note, "inventory", Dropped())
        for answer in answers:
            self._cleaned(answer, self.names.note, Dropped())

    def inventory(self, inventory: Mapping[str, Any]) -> dict[str, Any]:
        """The inventory, without what refers to secrets, files and people."""
        found: dict[str, Any] = self.walk(INVENTORY, dict(inventory), self.names.of, "inventory", self.dropped)
        return found

    def answer(self, answer: Answer) -> Answer:
        """One answer."""
        return self._cleaned(answer, self.names.of, self.dropped)

    def _cleaned(self, answer: Answer, change: Change, dropped: Dropped) -> Answer:
        kind = {"node": "node", "controller": "node", "array": "array", "witness": "witness", "cluster": "cluster"}
        who, what = change(kind[answer.of], answer.who), answer.what
        data = answer.data
        if data is None:
            return answer.model_copy(update={"who": who})
        if what in TEXTS:
            data = _lines(what, list(data), change, dropped)
        elif what in FIELDS[answer.of]:
            data = self.walk(FIELDS[answer.of][what], data, change, f"{answer.of} {what}", dropped)
        else:
            dropped.count(f"{answer.of} {what}", "everything")
            data = None
        return answer.model_copy(update={"who": who, "data": data})

    def walk(self, fields: Fields, value: Any, change: Change, where: str, dropped: Dropped) -> Any:
        """What is kept of a value, with its names changed; None of what is not as it is told in `fields`."""
        if value is None:
            return None
        if isinstance(fields, list):
            items = value if isinstance(value, list | tuple) else [value]
            return [self.walk(fields[0], one, change, where, dropped) for one in items]
        if isinstance(fields, dict):
            return self._mapping(fields, value, change, where, dropped) if isinstance(value, Mapping) else None
        return self._single(str(fields), value, change, where, dropped)

    def _mapping(
        self, fields: dict[str, Fields], value: Mapping[str, Any], change: Change, where: str, dropped: Dropped
    ) -> dict[str, Any]:
        by_name = next(((key[1:], inner) for key, inner in fields.items() if key.startswith("*")), None)
        found: dict[str, Any] = {}
        for key, one in value.items():
            if by_name:
                name = self._single(by_name[0], key, change, where, dropped)
                if name is not None:
                    found[str(name)] = self.walk(by_name[1], one, change, where, dropped)
            elif key not in fields:
                dropped.count(where, key)
            elif (kept := self.walk(fields[key], one, change, where, dropped)) is not None:
                found[key] = kept
        return found

    def _single(self, kind: str, value: Any, change: Change, where: str, dropped: Dropped) -> Any:
        if isinstance(value, bool | int | float) and kind == "keep":
            return value
        if isinstance(value, Mapping | list | tuple):
            dropped.count(where, "other fields")
            return None
        if kind == "keep":
            if _WORD.fullmatch(str(value)):
                return str(value)
            dropped.count(where, "texts")
            return None
        return _changed(kind, str(value), change)


def _changed(kind: str, value: str, change: Change) -> str | None:
    """The value with pseudonyms; None for an address that is none."""
    try:
        return COMPOUND[kind](change, value) if kind in COMPOUND else change(kind, value)
    except ValueError:
        return None


def _lines(what: str, lines: Sequence[str], change: Change, dropped: Dropped) -> list[str]:
    kept = []
    for line in lines:
        found = next(filter(None, (form.fullmatch(line) for form in TEXTS[what])), None)
        if found is None:
            dropped.count(what, "lines")
            continue
        kept.append(_replaced(found, change))
    return kept


def _replaced(found: "re.Match[str]", change: Change) -> str:
    """The line with what its groups name replaced; from the end, so that places stay true."""
    text = found.string
    groups = [(found.start(name), found.end(name), name) for name in found.re.groupindex if found[name] is not None]
    for begin, end, name in sorted(groups, reverse=True):
        text = f"{text[:begin]}{_changed(name, text[begin:end], change) or 'other'}{text[end:]}"
    return text
