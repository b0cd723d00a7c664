"""`corosync-qnetd-tool -l`: the clients of the witness.

A dead client is listed for up to 12 s more. No output at all means that no cluster is connected.
"""

import re

from activities.parsing import reader

_CLIENT = re.compile(r"^\s+Node ID (\d+):\s*$", re.MULTILINE)


@reader
def parse_clients(text: str) -> tuple[int, ...]:
    """The node ids of the clients; text that is no list of clusters cannot be read."""
    if text.strip() and not text.startswith('Cluster "'):
        raise ValueError(f"no cluster in {text.strip()[:80]!r}")
    return tuple(sorted(int(number) for number in _CLIENT.findall(text)))
