"""Reports of LVM: `vgs`, `pvs` and `lvs` with their columns, headings and units, as tables and as JSON.

Texts are those of LVM 2.03 (reference: host-outputs 2.1 and 2.2).
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from lab.hosts.shell import Call, Output

OPTIONS = "-o= --options= --noheadings --units= --nosuffix --separator= --reportformat= -a --all --unbuffered --aligned"

# Field -> heading, and how it stands in its column: text to the left, numbers and sizes to the right.
_FIELDS = {
    "vg_name": ("VG", str), "pv_count": ("#PV", int), "lv_count": ("#LV", int), "snap_count": ("#SN", int),
    "vg_attr": ("Attr", str), "vg_size": ("VSize", float), "vg_free": ("VFree", float),
    "pv_name": ("PV", str), "pv_fmt": ("Fmt", str), "pv_attr": ("Attr", str), "pv_size": ("PSize", float),
    "pv_free": ("PFree", float),
    "lv_name": ("LV", str), "lv_attr": ("Attr", str), "lv_size": ("LSize", float), "pool_lv": ("Pool", str),
    "origin": ("Origin", str), "data_percent": ("Data%", int), "metadata_percent": ("Meta%", int),
    "move_pv": ("Move", str), "mirror_log": ("Log", str), "copy_percent": ("Cpy%Sync", int),
    "convert_lv": ("Convert", str), "lv_active": ("Active", str), "lv_path": ("Path", str),
    "lv_autoactivation": ("AutoAct", str),
}  # fmt: skip
_LEAST = {"data_percent": 6, "metadata_percent": 6}  # columns that are wider than their headings
_UNITS = "bskmgtpe"
_INVALID, _FAILED = 3, 5

Value = str | int
Row = dict[str, Value]


@dataclass(frozen=True)
class Report:
    """One kind of report: what its rows are called in JSON, its fields, and those shown unless others are asked for."""

    kind: str
    fields: tuple[str, ...]
    shown: tuple[str, ...]


VG = Report(
    "vg",
    ("vg_name", "pv_count", "lv_count", "snap_count", "vg_attr", "vg_size", "vg_free", "pv_name", "pv_size"),
    ("vg_name", "pv_count", "lv_count", "snap_count", "vg_attr", "vg_size", "vg_free"),
)
PV = Report(
    "pv",
    ("pv_name", "vg_name", "pv_fmt", "pv_attr", "pv_size", "pv_free", "vg_size", "vg_free"),
    ("pv_name", "vg_name", "pv_fmt", "pv_attr", "pv_size", "pv_free"),
)
_MORE = ("pool_lv", "origin", "data_percent", "metadata_percent", "move_pv", "mirror_log", "copy_percent", "convert_lv")
LV = Report(
    "lv",
    ("lv_name", "vg_name", "lv_attr", "lv_size", *_MORE, "lv_active", "lv_path", "lv_autoactivation"),
    ("lv_name", "vg_name", "lv_attr", "lv_size", *_MORE),
)


def report(call: Call, what: Report, rows: list[Row]) -> Output:
    """The rows as they were asked for; sizes of rows are bytes."""
    columns = _columns(call.option("-o", "--options"), what)
    if isinstance(columns, str):
        return Output(stderr=f"  Unrecognised field: {columns}\n", status=_FAILED)
    unit = call.option("--units") or "r"
    if unit[0].lower() not in f"{_UNITS}hr" or len(unit) > 1:
        said = "  Invalid units specification\n  Error during parsing of command line.\n"
        return Output(stderr=said, status=_INVALID)
    suffix = not call.has("--nosuffix")
    cells = [[_cell(row.get(name, ""), name, unit, suffix=suffix) for name in columns] for row in rows]
    form = call.option("--reportformat")
    if form in (None, "basic"):
        return Output(_table(call, columns, cells))
    if form != "json":
        return Output(stderr=f"  Unknown report format: {form}.\n", status=_INVALID)
    return Output(_as_json(what, columns, cells))


def _columns(asked: str | None, what: Report) -> list[str] | str:
    """The fields in their order, with or without the kind before their names; or the one that there is not."""
    if asked is None:
        return list(what.shown)
    found = list(what.shown) if asked.startswith("+") else []
    for word in filter(None, asked.lstrip("+").split(",")):
        name = next((one for one in (word, f"{what.kind}_{word}") if one in what.fields), None)
        if name is None:
            return word
        found.append(name)
    return found


def _cell(value: Value, name: str, unit: str, *, suffix: bool) -> str:
    is_size = _FIELDS[name][1] is float and value != ""
    return size(int(value), unit, suffix=suffix) if is_size else str(value)


def size(number: int, unit: str = "r", *, suffix: bool = True) -> str:
    """Bytes in LVM's words: ``<10.00t``, the sign where ``r`` has rounded up; ``b`` and ``s`` are whole numbers."""
    letter = unit.lower()
    step = 1000 if unit.isupper() and unit not in "HR" else 1024
    if letter in "hr":
        power = max((n for n in range(1, 7) if number >= 1024**n), default=0)
        letter, rounded = "bkmgtpe"[power], letter == "r"
    else:
        rounded = False
    if letter in "bs":
        whole = number // 512 if letter == "s" else number
        return f"{whole}{letter.upper() if letter == 's' else 'B'}" if suffix else str(whole)
    value = number / step ** ("kmgtpe".index(letter) + 1)
    shown = f"{value:.2f}"
    sign = "<" if rounded and float(shown) > value else ""
    return f"{sign}{shown}{(unit if unit.isupper() and unit not in 'HR' else letter) if suffix else ''}"


def _table(call: Call, columns: list[str], cells: list[list[str]]) -> str:
    headings = [] if call.has("--noheadings") else [[_FIELDS[name][0] for name in columns]]
    if not cells:
        return ""
    separator = call.option("--separator")
    if separator is not None:
        return "".join(f"  {separator.join(row)}\n" for row in (*headings, *cells))
    widths = [max(_LEAST.get(name, 0), *(len(row[n]) for row in (*headings, *cells))) for n, name in enumerate(columns)]
    lines = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in headings]
    for row in cells:
        right = [_FIELDS[name][1] is not str for name in columns]
        lines.append([c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)])
    return "".join(f"  {' '.join(line)}\n" for line in lines)


def _as_json(what: Report, columns: list[str], cells: list[list[str]]) -> str:
    rows = [
        "{" + ", ".join(f"{json.dumps(n)}:{json.dumps(c)}" for n, c in zip(columns, row, strict=True)) + "}"
        for row in cells
    ]
    listed = ",\n".join(f"                  {row}" for row in rows)
    head = f'  {{\n      "report": [\n          {{\n              "{what.kind}": [\n'
    tail = '              ]\n          }\n      ]\n      ,\n      "log": [\n      ]\n  }\n'
    return head + (f"{listed}\n" if rows else "") + tail


def chosen(call: Call, rows: list[Row], known: Callable[[Row], set[str]], kind: str) -> tuple[list[Row], str]:
    """The rows that a command line names, or all; and LVM's refusals of names that there are not."""
    wanted = _names(call)
    found = [row for row in rows if not wanted or known(row) & set(wanted)]
    there = {name for row in rows for name in known(row)}
    return found, "".join(refusal(kind, name) for name in wanted if name not in there)


def _names(call: Call) -> list[str]:
    """The words that are neither options nor their values; ``/dev/VG`` is the group, too."""
    names, words = [], list(call.words)
    valued = set(re.findall(r"(\S+)=", OPTIONS))
    while words:
        word = words.pop(0)
        if word in valued:
            del words[:1]
        elif not word.startswith("-"):
            names.append(word)
    return names


def signature(name: str, kind: str, serial: str) -> str:
    """What wipefs lists of a device that carries one; `serial` makes the id that LVM would draw."""
    digits = (serial * 2)[:32]
    ends = (0, 6, 10, 14, 18, 22, 26, 32)
    uuid = "-".join(digits[one:other] for one, other in pairwise(ends))
    rows = (("DEVICE", "OFFSET", "TYPE", "UUID", "LABEL"), (name, "0x218", kind, uuid, ""))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    return "".join(
        f"{' '.join(cell.ljust(width) for cell, width in zip(row, (*widths, 0), strict=True))}\n" for row in rows
    )


def refusal(kind: str, name: str) -> str:
    """What LVM says of a group, device or logical volume that is not there; its status is 5."""
    if kind == "pv":
        return f'  Failed to find physical volume "{name}".\n'
    group, _, volume = name.partition("/")
    if volume:
        return f'  Failed to find logical volume "{group}/{volume}"\n'
    return f'  Volume group "{name}" not found\n  Cannot process volume group {name}\n'
