"""Times, lengths and lists as a report writes them. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime

from cluster.units import counted

# Not those of the locale: the same record gives the same report everywhere.
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def length(seconds: float) -> str:
    """``340 ms``, ``12 s``, ``3 min 19 s``, ``2 h 5 min``, ``3 d 4 h``."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    parts = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
    at = next(n for n, (unit, _) in enumerate(parts) if whole >= unit)
    first, name = parts[at]
    second, less = parts[at + 1]
    rest = whole % first // second
    return f"{whole // first} {name}" + (f" {rest} {less}" if rest else "")


def day(when: datetime) -> str:
    """``28 November 2026``, in UTC."""
    when = when.astimezone(UTC)
    return f"{when.day} {_MONTHS[when.month - 1]} {when.year}"


def time(when: datetime) -> str:
    """``00:52:22 UTC``."""
    return f"{when.astimezone(UTC):%H:%M:%S} UTC"


def full(when: datetime) -> str:
    """``2026-11-28 00:52:22 UTC``."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def named(names: Sequence[str], most: int = 4) -> str:
    """``ana``, ``ana and ben``, ``a, b, c and 4 more``."""
    known = list(names)
    if len(known) > most:
        return f"{', '.join(known[: most - 1])} and {len(known) - most + 1} more"
    return " and ".join(filter(None, (", ".join(known[:-1]), known[-1]))) if known else "none"


def of(part: int, whole: int, one: str) -> str:
    """``both guests``, ``1 of 2 guests``, ``all 7 guests``."""
    if part == whole:
        return {1: f"the {one}", 2: f"both {one}s"}.get(whole, f"all {counted(whole, one)}")
    return f"{part} of {counted(whole, one)}"
