"""`corosync-cmapctl -g KEY`: one value of corosync's configuration as it runs, ``KEY (u32) = 3500``."""

import re
from datetime import timedelta

from activities.parsing import reader

# a u32, and never nothing: with a token of 0 ms every silence would be a death
_VALUE = re.compile(r"^\S+ \(\w+\) = ([1-9][0-9]{0,9})\s*$")


@reader
def parse_milliseconds(text: str) -> timedelta:
    """A duration that corosync keeps in milliseconds."""
    if not (found := _VALUE.match(text)):
        raise ValueError(f"no value in {text.strip()[:80]!r}")
    return timedelta(milliseconds=int(found[1]))
