"""What real hosts have printed: after the cleaning the engine's readers read the same of it, under other names."""

from collections.abc import Callable
from pathlib import Path

import pytest

from activities.parsing.iscsi import parse_records, parse_sessions
from activities.parsing.multipath import parse_maps
from activities.parsing.multipath_config import parse_config
from activities.parsing.votes import parse_votes
from cluster.probing.cleaning import Answer, Cleaning

CAPTURES = Path(__file__).parents[1] / "captures"


def maps(text: str) -> object:
    """Groups and paths, without names."""
    return [[(group.priority, group.paths) for group in one.groups] for one in parse_maps(text)]


def settings(text: str) -> object:
    """What counts, without the names of volumes."""
    found = parse_config(text)
    return found.defaults, found.overrides, found.devices, len(found.multipaths), found.blacklist


def votes(text: str) -> object:
    """The count, without names."""
    found = parse_votes(text)
    return found.model_copy(update={"members": tuple(one.model_copy(update={"name": ""}) for one in found.members)})


def sessions(text: str) -> object:
    """How many portals, and which interfaces."""
    found = parse_sessions(text)
    return len(found), len({one.portal for one in found})


def records(text: str) -> object:
    """The same of records, with what they do at boot."""
    found = parse_records(text)
    return len(found), len({one.portal for one in found}), [one.startup for one in found]


READERS: dict[str, tuple[str, Callable[[str], object]]] = {
    "iscsi-records": ("records", records),
    "iscsi-sessions": ("sessions", sessions),
    "multipath-array-a-lost": ("maps", maps),
    "multipath-io-pending": ("maps", maps),
    "multipath-site-a": ("maps", maps),
    "multipath-site-b": ("maps", maps),
    "multipathd-config": ("multipath-config", settings),
    "multipathd-config-set": ("multipath-config", settings),
    "votes-blocked": ("votes", votes),
    "votes-healthy": ("votes", votes),
    "votes-no-device": ("votes", votes),
    "votes-unsettled": ("votes", votes),
    "votes-witness-lost": ("votes", votes),
}


@pytest.mark.parametrize("name", READERS)
def test_a_reader_reads_the_same_after_the_cleaning(name: str):
    """Lines that are dropped are lines that nothing is read from."""
    what, read = READERS[name]
    text = (CAPTURES / f"{name}.txt").read_text()
    answer = Answer(of="node", who="pxmx01-01", what=what, data=text.splitlines(), status=0)
    cleaning = Cleaning()
    cleaning.note([answer], {})
    cleaned = "\n".join(cleaning.answer(answer).data)

    assert read(cleaned) == read(text)


def test_every_capture_is_tried():
    """A new one is added to the table."""
    assert set(READERS) == {path.stem for path in CAPTURES.glob("*.txt")}
