"""Notification matchers: which events go to which targets.

Fields, severities and times of day are matched as proxmox-notify does it; a matcher without any directive matches
everything, inverted or not.
"""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

SEVERITIES = ("info", "notice", "warning", "error", "unknown")

_FIELD = re.compile(r"(exact|regex):([A-Za-z0-9_][A-Za-z0-9._-]*)=(.*)", re.DOTALL)
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"(\d{1,2})(?::(\d{2}))?-(\d{1,2})(?::(\d{2}))?")


class BadDirective(Exception):
    """A directive that cannot be read; the text is PVE's."""


@dataclass(frozen=True)
class Event:
    """One notification. `timestamp` is the sender's clock in seconds since the epoch."""

    title: str
    message: str
    severity: str
    fields: Mapping[str, str] = field(default_factory=dict)
    timestamp: int = 0


def normal(directive: str, text: str) -> str:
    """A ``match-field``, ``match-severity`` or ``match-calendar`` as it is written down; BadDirective if it is none."""
    if directive == "match-calendar":
        _calendar(text)
        return text
    if directive == "match-severity":
        return ",".join(_severities(text))
    kind, name, wanted = _field(text)
    if kind == "exact":
        wanted = ",".join(value.strip() for value in wanted.split(","))
    return f"{kind}:{name}={wanted}"


def matches(matcher: Mapping[str, Any], event: Event) -> bool:
    """Whether an event goes to this matcher's targets. A disabled matcher is the caller's business."""
    combine = any if matcher.get("mode") == "any" else all
    directives: dict[str, Callable[[str], bool]] = {
        "match-severity": lambda text: event.severity in _severities(text),
        "match-field": lambda text: _field_matches(text, event),
        "match-calendar": lambda text: _calendar(text)(event.timestamp),
    }
    said = [combine(check(text) for text in matcher[name]) for name, check in directives.items() if matcher.get(name)]
    return not said or combine(said) != bool(matcher.get("invert-match"))


def _severities(text: str) -> list[str]:
    found = [word.strip() for word in text.split(",")]
    for word in found:
        if word not in SEVERITIES:
            raise BadDirective(f"invalid severity {word}")
    return found


def _field(text: str) -> tuple[str, str, str]:
    found = _FIELD.fullmatch(text)
    if found is None:
        raise BadDirective(f"could not apply filter: invalid match-field statement: {text}")
    if found[1] == "regex":
        try:
            re.compile(found[3])
        except re.error as error:
            raise BadDirective(f"could not apply filter: invalid regex: {error}") from None
    return found[1], found[2], found[3]


def _field_matches(text: str, event: Event) -> bool:
    kind, name, wanted = _field(text)
    value = event.fields.get(name)
    if value is None:
        return False
    if kind == "regex":
        return re.search(wanted, value) is not None
    return value in [one.strip() for one in wanted.split(",")]


def _calendar(text: str) -> Callable[[int], bool]:
    """``mon..fri,sun 8:00-15:30``; without days every day. The lab's clocks show UTC."""
    *days, hours = text.split() or [""]
    found = _HOURS.fullmatch(hours)
    if found is None or len(days) > 1:
        raise BadDirective(f"unable to parse daily duration '{text}'")
    allowed = _weekdays(days[0], text) if days else range(7)
    start, end = (int(found[1]), int(found[2] or 0)), (int(found[3]), int(found[4] or 0))
    if start > end or end > (24, 0):
        raise BadDirective(f"unable to parse daily duration '{text}'")

    def fits(timestamp: int) -> bool:
        moment = time.gmtime(timestamp)
        return moment.tm_wday in allowed and start <= (moment.tm_hour, moment.tm_min) <= end

    return fits


def _weekdays(text: str, whole: str) -> list[int]:
    found: list[int] = []
    for part in text.lower().split(","):
        first, _, last = part.partition("..")
        if first[:3] not in _DAYS or (last or first)[:3] not in _DAYS:
            raise BadDirective(f"unable to parse daily duration '{whole}'")
        begin, end = _DAYS.index(first[:3]), _DAYS.index((last or first)[:3])
        found += range(begin, end + 1)
    return found
