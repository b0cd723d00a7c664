"""No constant stands for a state: what never changes, whatever is done to the world, is excused by name."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from lab.physics.membership import Membership
from lab.physics.world import UP_BEFORE
from lab.world import World
from tests.lab.frozen import Values, endure, rehearse
from tests.lab.stage import INVENTORY

ALL = frozenset(node.name for node in INVENTORY.nodes)
EXCUSES = yaml.safe_load(Path(__file__).with_name("frozen_values.yaml").read_text())


@pytest.fixture(scope="module")  # a minute of playing
def values() -> Values:
    return rehearse()


def excused() -> set[str]:
    """The names in the file; a call whose whole answer is one value has an empty one."""
    found = set()
    for reason in EXCUSES.values():
        for call, fields in reason["values"].items():
            found |= {f"{call}: {field}".removesuffix(": ") for field in fields}
    return found


def test_every_reason_is_told():
    """A value is excused for a reason, in a sentence."""
    assert all(len(reason["because"].split()) > 5 for reason in EXCUSES.values())


@pytest.mark.slow
def test_what_never_changes_is_excused_by_name(values: Values):
    """A new name here is a constant in place of a state: play it, or excuse it in frozen_values.yaml."""
    assert len(values.moved) > 400
    assert sorted(values.frozen - excused()) == []


@pytest.mark.slow
def test_what_changes_needs_no_excuse(values: Values):
    """An excuse for something that is played would hide the day on which it no longer is."""
    assert sorted(values.moved & excused()) == []


PLANTED: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], list[tuple[str, ...]], set[str]]] = {
    "the uptime of a node that nobody has ever booted": (
        lambda patch: patch.setattr(World, "uptime", lambda *_: UP_BEFORE),
        [("node", "pxmx01-01")],
        {"GET /nodes: uptime", "GET /nodes/{node}/status: uptime"},
    ),
    "a vote for every client": (
        lambda patch: patch.setattr(Membership, "granted", lambda self: frozenset(self.clients())),
        [("inter-site",)],
        {"corosync-qnetd-tool -lv: Vote"},
    ),
    "one membership for every client": (
        lambda patch: patch.setattr(Membership, "clients", lambda self: dict.fromkeys(self._client_rings, ALL)),
        [("inter-site",)],
        {"corosync-qnetd-tool -lv: Membership node list"},
    ),
    "one ring for everybody": (
        lambda patch: patch.setattr(Membership, "ring_id", lambda *_: "1.16"),
        [("inter-site",)],
        {"pvecm status: Ring ID", "corosync-qdevice-tool -sv: Ring ID", "corosync-qnetd-tool -lv: Ring ID"},
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_constant_is_found(what: str, monkeypatch: pytest.MonkeyPatch):
    """Each of them is listed as never changing, and by no excuse; without it all of them change."""
    plant, faults, names = PLANTED[what]
    assert names <= endure(faults).moved
    plant(monkeypatch)
    assert names <= endure(faults).frozen - excused()
