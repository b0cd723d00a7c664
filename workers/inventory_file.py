"""The inventory file: from YAML to the frozen models, with errors that name the field and the line."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from cluster.crosscheck import problems
from cluster.inventory import Inventory
from cluster.places import Location, Problem

# Where `quorate init` leaves a value to people: after these words stands what is meant, and where it is found.
FILL_IN, NOT_FILLED_IN = "FILL IN", "is not filled in yet"
_SECRET_FIELDS = {"api_token", "token", "password", "key", "webhook"}
# pydantic's own words for what happens most often, in the words of this file
_PLAIN = {"missing": "is missing", "extra_forbidden": "is not a field here"}
# in version 0.1 it was one
_SPEED = (
    "is not a field here: the worker is told how fast a rehearsal's time runs; leave it out, and start the worker with "
    "QUORATE_SPEED={}"
)


@dataclass(frozen=True)
class Complaint:
    """One thing wrong with the file."""

    line: int
    field: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.field}: {self.message}"


class InventoryError(Exception):
    """The file cannot be used; `complaints` holds everything that is wrong with it, in the order of the lines."""

    def __init__(self, path: Path, complaints: list[Complaint]) -> None:
        self.path = path
        self.complaints = sorted(complaints, key=lambda complaint: complaint.line)
        super().__init__("\n".join(f"{path}: {complaint}" for complaint in self.complaints))


def load(path: Path) -> Inventory:
    """Read and check an inventory file; InventoryError says all that is wrong with it at once."""
    try:
        text = path.read_text()
    except OSError as error:
        raise InventoryError(path, [Complaint(0, "file", f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError:
        raise InventoryError(path, [Complaint(0, "file", "is not UTF-8 text")]) from None
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        said = getattr(error, "problem", None) or "is not YAML"
        raise InventoryError(path, [Complaint(mark.line + 1 if mark else 0, "file", str(said))]) from None
    if not isinstance(document, dict) or tree is None:
        raise InventoryError(path, [Complaint(1, "file", "is empty or no mapping; see examples/lab.yaml")])
    lines = dict(_lines(tree, ()))
    if twice := list(_keys_twice(tree, ())):
        raise InventoryError(path, twice)
    left = dict(_left_open(tree, ()))
    try:
        inventory = Inventory.model_validate(document)
    except ValidationError as error:
        found = [(tuple(each["loc"]), _message(each)) for each in error.errors()]
        # a list is "too short" for pydantic as soon as one item of it is wrong: the item says it better
        found = [(place, said) for place, said in found if not any(_inside(place, other) for other, _ in found)]
        found = [*left.items(), *((place, said) for place, said in found if place not in left)]
        raise InventoryError(path, [_complaint(lines, place, message) for place, message in found]) from None
    if left:
        raise InventoryError(path, [_complaint(lines, place, message) for place, message in left.items()])
    if found := problems(inventory):
        raise InventoryError(path, [_complaint(lines, place, message) for place, message in found])
    return inventory


def located(path: Path, found: Iterable[Problem]) -> list[Complaint]:
    """Problems of a file that can be read, each with its line."""
    tree = yaml.compose(path.read_text(), Loader=yaml.SafeLoader)
    lines = dict(_lines(tree, ())) if tree is not None else {}
    return sorted((_complaint(lines, place, message) for place, message in found), key=lambda one: one.line)


def _complaint(lines: dict[Location, int], place: Location, message: str) -> Complaint:
    known = place
    while known not in lines and known:  # a missing field stands nowhere: name the line of what should hold it
        known = known[:-1]
    return Complaint(lines.get(known, 1), _dotted(place), message)


def _dotted(place: Location) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")


def _inside(place: Location, other: Location) -> bool:
    return len(other) > len(place) and other[: len(place)] == place


def _message(error: ErrorDetails) -> str:
    kind, value = error["type"], error["input"]
    if kind == "extra_forbidden" and error["loc"] == ("speed",):
        return _SPEED.format(value)
    plain = _PLAIN.get(kind) or error["msg"].removeprefix("Value error, ")
    secret = bool(_SECRET_FIELDS & {str(part) for part in error["loc"]})
    # The value helps, unless it may be a secret or is a whole subtree.
    secret = secret or (isinstance(value, str) and "://" in value and "@" in value)  # an URL with a password in it
    if kind in _PLAIN or secret or isinstance(value, dict | list):
        return plain
    return f"{value!r}: {plain}"


def _lines(node: yaml.Node, place: Location) -> Iterator[tuple[Location, int]]:
    yield place, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*place, key.value), key.start_mark.line + 1
            yield from (
                (where, line) for where, line in _lines(value, (*place, key.value)) if where != (*place, key.value)
            )
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _lines(value, (*place, index))


def _left_open(node: yaml.Node, place: Location) -> Iterator[Problem]:
    """Values that were left to people."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _left_open(value, (*place, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _left_open(value, (*place, index))
    elif isinstance(node, yaml.ScalarNode) and node.value.startswith(FILL_IN):
        hint = node.value.removeprefix(FILL_IN).lstrip(": ")
        yield place, NOT_FILLED_IN + (f": {hint}" if hint else "")


def _keys_twice(node: yaml.Node, place: Location) -> Iterator[Complaint]:
    """YAML takes the last of two equal keys without a word; a person who wrote both meant something."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                yield Complaint(key.start_mark.line + 1, _dotted((*place, key.value)), "is written twice")
            seen.add(key.value)
            yield from _keys_twice(value, (*place, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _keys_twice(value, (*place, index))
