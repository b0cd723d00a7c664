"""Which inventory judges a run: its own, or the page says that the worker goes by another one."""

from types import SimpleNamespace
from typing import Any

import pytest

from cluster.crosscheck import rehearsed
from cluster.together import TogetherFinding
from tests.verdict.world import INVENTORY
from workflows.interlock import OTHER, Interlock


class Told:
    """The part that does steps, with one answer."""

    def __init__(self, inventory: str) -> None:
        self._inventory = inventory

    async def learn(self, *_: Any, **__: Any) -> TogetherFinding:
        return TogetherFinding(finding="no incident and no other run is in the way", inventory=self._inventory)


@pytest.mark.parametrize(
    ("ours", "theirs", "notes"), [("a", "b", [OTHER]), ("a", "a", []), ("a", "", []), ("", "b", [])]
)
async def test_the_page_says_once_that_the_worker_goes_by_another_inventory(ours: str, theirs: str, notes: list[str]):
    """An edit of the file and a restart of the worker, while a gate waits for days."""
    state: Any = SimpleNamespace(cluster="metro", inventory=ours, notes=[], tell=lambda: None)
    steps: Any = Told(theirs)
    interlock = Interlock(state, steps)
    await interlock.asked_once()
    await interlock.asked_once()

    assert state.notes == notes


def test_another_limit_is_another_inventory():
    """The digest covers everything that a run is judged by."""
    longer = INVENTORY.failback.model_copy(update={"together": INVENTORY.failback.together + 1})

    assert INVENTORY.digest == INVENTORY.model_copy().digest
    assert INVENTORY.digest != INVENTORY.model_copy(update={"failback": longer}).digest


def test_time_runs_faster_only_on_loopback():
    """Every wait that safety asks for would be shorter."""
    node = INVENTORY.nodes[0].model_copy(update={"address": "10.20.1.11"})
    site = INVENTORY.sites[0].model_copy(update={"nodes": (node, *INVENTORY.sites[0].nodes[1:])})
    real = INVENTORY.model_copy(update={"speed": 20.0, "sites": (site, INVENTORY.sites[1])})
    ((where, said),) = rehearsed(real)

    assert where == ("speed",)
    assert said == (
        "20 shortens the safety waits: it is only for a rehearsal on loopback addresses, "
        f"and {node.name} (10.20.1.11) is not one; remove speed"
    )
    assert list(rehearsed(INVENTORY.model_copy(update={"speed": 20.0}))) == []
    assert list(rehearsed(real.model_copy(update={"speed": 1.0}))) == []
