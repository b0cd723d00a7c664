"""Small tools of a Debian host: round trips, packages, clock."""

import re
from datetime import UTC, datetime, timedelta

_RTT = re.compile(r"= (?P<min>[\d.]+)/(?P<avg>[\d.]+)/(?P<max>[\d.]+)/[\d.]+ ms")


def parse_round_trip(text: str) -> timedelta | None:
    """The average round trip of a quiet `ping`; None when nothing came back."""
    if found := _RTT.search(text):
        return timedelta(milliseconds=float(found["avg"]))
    return None


def parse_installed(text: str) -> dict[str, str]:
    """`dpkg-query -W` with package, status and version on each line: installed package to version."""
    rows = (line.split() for line in text.splitlines())
    return {row[0]: row[2] for row in rows if len(row) == 3 and row[1] == "installed"}


def parse_clock(text: str) -> datetime:
    """`date +%s.%N`."""
    return datetime.fromtimestamp(float(text.strip()), UTC)
