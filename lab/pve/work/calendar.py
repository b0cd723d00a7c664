"""Calendar events as PVE's schedules write them: when one comes next.

Weekdays and a time of day: ``sat 02:00``, ``mon..fri 22:15``, ``*/30``, ``daily``. Dates are not played: such a
schedule has no next time here.
"""

import re
from datetime import UTC, datetime, timedelta

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NAMED = {"minutely": "*:0/1", "hourly": "*:00", "daily": "00:00", "weekly": "mon 00:00"}


def next_event(schedule: str, after: float) -> int | None:
    """The first minute after a moment (seconds since the epoch) that fits; None when this is no schedule known here."""
    found = re.fullmatch(r"(?:([a-z.,]+)\s+)?(?:([\d*/,]+):)?([\d*/,]+)", _NAMED.get(schedule, schedule).strip())
    if found is None:
        return None
    days = _days(found[1] or "mon..sun")
    hours, minutes = _numbers(found[2] or "*", 24), _numbers(found[3], 60)
    start = datetime.fromtimestamp(after, UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
    for day in range(8):
        date = (start + timedelta(days=day)).replace(hour=0, minute=0)
        moments = (date.replace(hour=hour, minute=minute) for hour in hours for minute in minutes)
        fitting = [moment for moment in moments if moment >= start and date.weekday() in days]
        if fitting:
            return int(min(fitting).timestamp())
    return None


def _days(text: str) -> set[int]:
    days: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("..")
        if first[:3] in _DAYS and (not last or last[:3] in _DAYS):
            days |= set(range(_DAYS.index(first[:3]), _DAYS.index((last or first)[:3]) + 1))
    return days


def _numbers(text: str, limit: int) -> list[int]:
    """The hours or minutes that ``*``, ``7``, ``7,19`` or ``0/15`` stand for."""
    found: set[int] = set()
    for part in text.split(","):
        start, _, step = part.partition("/")
        first = 0 if start in ("", "*") else int(start)
        if step:
            found |= set(range(first, limit, int(step) or limit))
        else:
            found |= set(range(limit)) if start == "*" else {first}
    return sorted(number for number in found if number < limit)
