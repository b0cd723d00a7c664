"""`corosync-cfgtool -s`: the state of each knet link to each node, which is not membership."""

import re

from pydantic import BaseModel, ConfigDict

from activities.parsing import reader

_STATE = re.compile(r"^\s+nodeid:\s+\d+:\s+(connected|disconnected|localhost)\s*$", re.MULTILINE)


class LinkCount(BaseModel):
    """How many links there are, ways over them to other nodes, and ways that are disconnected."""

    model_config = ConfigDict(frozen=True)

    links: int
    total: int
    disconnected: int


@reader
def parse_links(text: str) -> LinkCount:
    """All links of one node; text without any cannot be read."""
    links = len(re.findall(r"^LINK ID \d+", text, re.MULTILINE))
    states = [state for state in _STATE.findall(text) if state != "localhost"]
    if not links or not states:
        raise ValueError(f"no link in {text.strip()[:80]!r}")
    return LinkCount(links=links, total=len(states), disconnected=states.count("disconnected"))
