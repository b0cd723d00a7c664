"""Runs that were recorded, as reports read them; and ways to bend one into another."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from cluster.audit.line import Line, chained
from cluster.report.reading import read
from cluster.report.told import Told
from tests.audit.histories import events
from workers.audit.history import record

DAY_AFTER = timedelta(hours=14)


def lines(name: str) -> list[Line]:
    """The record of a recorded history: ``0.2/failback-signed``."""
    return list(record([events(name)]))


def told(name: str) -> Told:
    """The run of it."""
    return read(lines(name))


def until(name: str, count: int) -> Told:
    """The same while only so many lines of it are written."""
    return read(lines(name)[:count])


def later(known: Iterable[Line], by: timedelta, **data: Any) -> list[Line]:
    """The same run so much later; `data` is put into the input with which it was started."""
    moved = []
    for line in known:
        changed = _moved(line.data, by)
        if line.kind == "started":
            changed["input"] |= data
        moved.append(line.model_copy(update={"at": line.at + by, "data": changed}))
    return list(chained(moved))


def _moved(value: Any, by: timedelta) -> Any:
    """Every time in it."""
    from cluster.audit.line import stamp
    from cluster.report.told import moment

    if isinstance(value, dict):
        return {name: _moved(one, by) for name, one in value.items()}
    if isinstance(value, list):
        return [_moved(one, by) for one in value]
    when = moment(value)
    return stamp(when + by) if when else value
