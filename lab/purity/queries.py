"""What the query parameters of a call ask for: which items, in what order, and which page of them."""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lab.purity import filters
from lab.purity.errors import Refused, missing
from lab.purity.filters import Item

# A page holds at most this many items, whatever `limit` asks for (reference: flasharray-rest §3).
PAGE = 1000


@dataclass(frozen=True)
class Query:
    """The parameters of one call, decoded."""

    raw: dict[str, str]

    def names(self, *parameters: str) -> list[str]:
        """The elements of the first of these comma-separated parameters that is given; [] when none is.

        Clients percent-encode each element by itself and some the commas too; no name has a comma in it, so
        splitting what is already decoded serves both.
        """
        for parameter in parameters:
            if given := [element for element in self.raw.get(parameter, "").split(",") if element]:
                return given
        return []

    def need(self, *parameters: str) -> list[str]:
        """The same, refused when none is given."""
        if found := self.names(*parameters):
            return found
        raise Refused(f"Missing required parameter: {parameters[0]}.")

    def one(self, *parameters: str) -> str:
        """The only element; refused when there are more."""
        found = self.need(*parameters)
        if len(found) > 1:
            raise Refused(f"Only one name is allowed in {parameters[0]}.")
        return found[0]

    def flag(self, parameter: str) -> bool:
        """True when the parameter says so."""
        return self.raw.get(parameter, "").lower() == "true"

    def number(self, parameter: str) -> int | None:
        """A number that is not negative."""
        text = self.raw.get(parameter, "")
        if not text:
            return None
        if not text.isdecimal():
            raise Refused(f"Invalid value for {parameter}.", text)
        return int(text)


@dataclass(frozen=True)
class Selector:
    """A parameter that picks items by a path, and how to tell a wrong name from one that merely has no items."""

    parameter: str
    path: str
    kind: str
    known: Callable[[str], bool] | None = None


def select(items: list[Item], query: Query, selectors: tuple[Selector, ...]) -> list[Item]:
    """The items that the parameters name; `Refused` when one of the names is of nothing.

    With `destroyed`, a name of the other kind is of nothing: clients tell live objects from destroyed ones by that.
    """
    if (destroyed := query.raw.get("destroyed", "").lower()) in ("true", "false"):
        items = [item for item in items if item.get("destroyed", False) is (destroyed == "true")]
    for selector in selectors:
        wanted = query.names(selector.parameter)
        if not wanted:
            continue
        for name in wanted:
            there = any(_named(item, selector.path, name) for item in items)
            if selector.known is not None:
                there = selector.known(name)
            if not there:
                raise missing(selector.kind, name)
    chosen = items
    for selector in selectors:
        if wanted := query.names(selector.parameter):
            chosen = [item for item in chosen if any(_named(item, selector.path, name) for name in wanted)]
    return chosen


def _named(item: Item, path: str, name: str) -> bool:
    return any(filters.matches(value, name) for value in filters.values(item, path))


def page(items: list[Item], query: Query) -> dict[str, Any]:
    """The envelope of a GET: filtered, sorted, cut to a page."""
    if expression := query.raw.get("filter", "").strip():
        predicate = filters.parse(expression)
        items = [item for item in items if predicate(item)]
    fields = query.names("sort")
    for field in reversed(fields):
        items = _sorted(items, field)
    limit = query.number("limit")
    size = PAGE if limit is None else min(limit, PAGE)
    start = _start(query)
    shown = items[start : start + size]
    more = size > 0 and start + size < len(items)
    envelope: dict[str, Any] = {
        # With a sort there is no token: clients go on by offset.
        "continuation_token": _token(start + size) if more and not fields else None,
        "more_items_remaining": more,
        "total_item_count": len(items) if query.flag("total_item_count") or limit == 0 else None,
        "items": shown,
    }
    if query.flag("total_only"):
        envelope |= {"continuation_token": None, "more_items_remaining": False, "items": [], "total": [_total(items)]}
    return envelope


def _sorted(items: list[Item], field: str) -> list[Item]:
    path = field.removesuffix("-")

    def key(item: Item) -> tuple[bool, float, str]:
        found = filters.values(item, path)
        if not found:
            return (True, 0.0, "")
        value = found[0]
        if isinstance(value, (int, float)):
            return (False, float(value), "")
        return (False, 0.0, str(value).lower())

    return sorted(items, key=key, reverse=field.endswith("-"))


def _start(query: Query) -> int:
    token = query.raw.get("continuation_token", "")
    if not token:
        return query.number("offset") or 0
    try:
        return int(base64.urlsafe_b64decode(token.encode()).decode().removeprefix("from:"))
    except (binascii.Error, ValueError):
        raise Refused("Invalid continuation token.", token) from None


def _token(start: int) -> str:
    return base64.urlsafe_b64encode(f"from:{start}".encode()).decode()


def _total(items: list[Item]) -> Item:
    """Sums of sizes and rates, means of ratios."""
    total: Item = {"name": None}
    if any("provisioned" in item for item in items):
        total["provisioned"] = sum(item.get("provisioned") or 0 for item in items)
    rates = {key for item in items for key in item if key.endswith("_per_sec") and isinstance(item[key], (int, float))}
    total |= {key: sum(item.get(key) or 0 for item in items) for key in sorted(rates)}
    spaces = [item["space"] for item in items if isinstance(item.get("space"), dict)]
    if spaces:
        total["space"] = {key: _sum_or_mean([space.get(key) for space in spaces]) for key in spaces[0]}
    return total


def _sum_or_mean(numbers: list[int | float | None]) -> int | float | None:
    given = [number for number in numbers if number is not None]
    if not given:
        return None
    if any(isinstance(number, float) for number in given):
        return sum(given) / len(given)
    return sum(given)
