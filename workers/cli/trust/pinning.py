"""Fingerprints written into an inventory that belongs to a person: every other letter of the file stays.

PyYAML says where each value stands; the lines are put in there. A library that writes the whole document anew would
lay out lines and comments in its own way. What was written is read again: it has to mean the old document and the
pins, nothing else.
"""

import contextlib
import errno
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from cluster.trust import Location

FIELD = "fingerprint"
# The new line comes after the first of these that the part has; each of them is one line.
_BESIDE = ("ca", "address")


class NotSafely(Exception):
    """The file is written in a way in which a line cannot be put in for certain; the person has to paste it."""


def pinned(text: str, pins: Mapping[Location, str]) -> str:
    """The text with a fingerprint in each of these parts; an older one is replaced. NotSafely where that is unsure."""
    tree = yaml.compose(text, Loader=yaml.SafeLoader)
    edits = sorted((_edit(text, _part(tree, place), pin) for place, pin in pins.items()), reverse=True)
    made = text
    for start, end, new in edits:
        made = made[:start] + new + made[end:]
    if _meaning(made) != _with(_meaning(text), pins):
        raise NotSafely
    return made


def lines(pins: Mapping[Location, str]) -> list[str]:
    """What a person pastes instead: the part, and the line."""
    return [f'{_dotted(place)}:  {FIELD}: "{pin}"' for place, pin in pins.items()]


def replace(path: Path, text: str) -> None:
    """The whole file at once, its rights and its owner as they were; whoever reads meanwhile sees the old one.

    PermissionError for a file that this user may not write to, although the folder would let it be exchanged.
    """
    real = path.resolve()
    if real.exists() and not os.access(real, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(real))
    beside = real.with_name(f".{real.name}.{secrets.token_hex(4)}")
    try:
        with beside.open("x", encoding="utf-8", newline="") as file:
            if real.exists():
                shutil.copymode(real, beside)
                _same_owner(real, beside)
            else:
                beside.chmod(0o600)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(real)
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


def _same_owner(real: Path, beside: Path) -> None:
    """What root writes for a worker stays the worker's own to read."""
    there, new = real.stat(), beside.stat()
    if (there.st_uid, there.st_gid) != (new.st_uid, new.st_gid):
        os.chown(beside, there.st_uid, there.st_gid)


def _part(tree: yaml.Node | None, place: Location) -> yaml.MappingNode:
    node = tree
    for step in place:
        if isinstance(node, yaml.MappingNode):
            node = _values(node).get(str(step))
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
        else:
            node = None
    if not isinstance(node, yaml.MappingNode):
        raise NotSafely
    return node


def _values(node: yaml.MappingNode) -> dict[str, yaml.Node]:
    return {key.value: value for key, value in node.value}


def _edit(text: str, part: yaml.MappingNode, pin: str) -> tuple[int, int, str]:
    """Where the pin goes, and what is written there."""
    values = _values(part)
    if (old := values.get(FIELD)) is not None:
        if not isinstance(old, yaml.ScalarNode) and not (isinstance(old, yaml.SequenceNode) and old.flow_style):
            raise NotSafely  # a list of lines ends where the next thing begins, comments included
        return old.start_mark.index, old.end_mark.index, f'"{pin}"'
    if part.flow_style:
        last = part.value[-1][1].end_mark.index if part.value else None
        if last is None:
            raise NotSafely
        return last, last, f', {FIELD}: "{pin}"'
    neighbour = next((name for name in _BESIDE if isinstance(values.get(name), yaml.ScalarNode)), None)
    if neighbour is None:
        raise NotSafely
    at = text.find("\n", values[neighbour].end_mark.index)
    at = len(text) if at < 0 else at
    before = at - 1 if text[:at].endswith("\r") else at
    newline = "\r\n" if before < at else "\n"
    column = next(key.start_mark.column for key, _ in part.value if key.value == neighbour)
    return before, before, f'{newline}{" " * column}{FIELD}: "{pin}"'


def _meaning(text: str) -> Any:
    """What a document says, without what its parts share: a pin is for one endpoint."""
    try:
        return json.loads(json.dumps(yaml.safe_load(text), default=str))
    except yaml.YAMLError:
        raise NotSafely from None


def _with(document: Any, pins: Mapping[Location, str]) -> Any:
    for place, pin in pins.items():
        part = document
        for step in place:
            part = part[step]
        part[FIELD] = pin
    return document


def _dotted(place: Location) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")
