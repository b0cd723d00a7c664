"""Purity's filter language, as public clients use it: ``name='CT0.*' and not destroyed='true'``.

Each part of an expression becomes a predicate over an item as it is shown, so a filter sees what a client sees.
Strings compare without regard to case; ``*`` is the only wildcard.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from lab.purity.errors import Refused

Item = dict[str, Any]
Predicate = Callable[[Item], bool]

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<string>'[^']*'|"[^"]*")
      | (?P<operator><=|>=|!=|=|<|>)
      | (?P<mark>[(),])
      | (?P<word>[^\s'"()<>=!,]+)
    )""",
    re.VERBOSE,
)


def values(item: Any, path: str) -> list[Any]:
    """Everything a dotted path reaches; lists are walked, so ``arrays.status`` has a value for each array."""
    here = [item]
    for part in path.split("."):
        name = re.sub(r"\[(any|all)\]$", "", part)
        here = [found for value in here for found in _elements(value.get(name) if isinstance(value, dict) else None)]
    return here


def _elements(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def matches(value: Any, wanted: str) -> bool:
    """Equal as numbers, as booleans, or as text with ``*``."""
    if isinstance(value, bool):
        return str(value).lower() == wanted.lower()
    if isinstance(value, (int, float)):
        number = _number(wanted)
        return number is not None and float(value) == number
    pattern = ".*".join(re.escape(part) for part in wanted.split("*"))
    return re.fullmatch(pattern, str(value), re.IGNORECASE) is not None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _below(value: Any, wanted: str) -> int:
    """-1, 0 or 1, as `value` is less than, equal to or greater than `wanted`."""
    number = _number(wanted)
    if isinstance(value, (int, float)) and number is not None:
        return (value > number) - (value < number)
    text = str(value).lower()
    return (text > wanted.lower()) - (text < wanted.lower())


_ORDERINGS: dict[str, Callable[[int], bool]] = {
    "<": lambda sign: sign < 0,
    "<=": lambda sign: sign <= 0,
    ">": lambda sign: sign > 0,
    ">=": lambda sign: sign >= 0,
}


def _comparison(path: str, operator: str, wanted: list[str]) -> Predicate:
    every = all if "[all]" in path else any

    def equal(item: Item) -> bool:
        return every(any(matches(value, one) for one in wanted) for value in values(item, path))

    if operator == "=":
        return equal
    if operator == "!=":
        return lambda item: not equal(item)
    in_order = _ORDERINGS[operator]
    return lambda item: every(in_order(_below(value, wanted[0])) for value in values(item, path))


def _tagged(key: str, wanted: str) -> Predicate:
    def predicate(item: Item) -> bool:
        return any(matches(tag.get("key"), key) and matches(tag.get("value"), wanted) for tag in values(item, "tags"))

    return predicate


class _Parser:
    """Recursive descent: ``or`` binds weakest, then ``and``, then ``not``."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(self._scan(text))
        self._at = 0

    def _scan(self, text: str) -> Iterator[tuple[str, str]]:
        at, text = 0, text.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None or match.lastgroup is None:
                raise self._wrong()
            yield match.lastgroup, match.group(match.lastgroup)
            at = match.end()

    def _wrong(self) -> Refused:
        return Refused("Invalid filter.", self._text)

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _next(self, kind: str | None = None, text: str | None = None) -> str:
        found, token = self._peek()
        if found == "end" or (kind and found != kind) or (text and token != text):
            raise self._wrong()
        self._at += 1
        return token

    def _skip(self, kind: str, text: str) -> bool:
        found, token = self._peek()
        if found == kind and token.lower() == text:
            self._at += 1
            return True
        return False

    def whole(self) -> Predicate:
        predicate = self._either()
        if self._peek()[0] != "end":
            raise self._wrong()
        return predicate

    def _either(self) -> Predicate:
        parts = [self._both()]
        while self._skip("word", "or"):
            parts.append(self._both())
        return lambda item: any(part(item) for part in parts)

    def _both(self) -> Predicate:
        parts = [self._negation()]
        while self._skip("word", "and"):
            parts.append(self._negation())
        return lambda item: all(part(item) for part in parts)

    def _negation(self) -> Predicate:
        if self._skip("word", "not"):
            inner = self._negation()
            return lambda item: not inner(item)
        return self._primary()

    def _primary(self) -> Predicate:
        if self._skip("mark", "("):
            inner = self._either()
            self._next("mark", ")")
            return inner
        word = self._next("word")
        kind, token = self._peek()
        if (kind, token) == ("mark", "(") and word.lower() in ("contains", "tags"):
            return self._function(word.lower())
        if kind == "operator":
            return _comparison(word, self._next("operator"), self._values())
        return lambda item: any(value not in (False, "") for value in values(item, word))

    def _function(self, name: str) -> Predicate:
        self._next("mark", "(")
        first = self._next().strip("'\"")
        self._next("mark", ",")
        second = self._next().strip("'\"")
        self._next("mark", ")")
        if name == "tags":
            return _tagged(first, second)
        return lambda item: any(second.lower() in str(value).lower() for value in values(item, first))

    def _values(self) -> list[str]:
        """One value, or a list of them in parentheses; the SDK's ``in_`` writes two pairs."""
        if not self._skip("mark", "("):
            kind = self._peek()[0]
            if kind not in ("string", "word"):
                raise self._wrong()
            return [self._next()[1:-1] if kind == "string" else self._next()]
        found = self._values()
        while self._skip("mark", ","):
            found += self._values()
        self._next("mark", ")")
        return found


def parse(text: str) -> Predicate:
    """The predicate a filter stands for; `Refused` when it is not one."""
    return _Parser(text).whole()
