"""Which inventory judges a run: its own, or the page says that the worker goes by another one."""

import hashlib
import json
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import TypeAdapter

from cluster.contracts.records import InventoryFinding
from cluster.together import TogetherFinding
from runbooks.loss import Loss
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


# --- runs of version 0.1, whose inventory had the speed of time ------------------------------------------------------

RECORDED = json.dumps({**INVENTORY.model_dump(mode="json"), "speed": 1.0}, separators=(",", ":"), ensure_ascii=False)


def test_a_run_that_noted_an_inventory_with_a_speed_goes_by_the_same_one():
    """The worker was upgraded while a gate waits for days: its page does not say that the inventory has changed."""
    assert INVENTORY.digest == hashlib.sha256(RECORDED.encode()).hexdigest()[:12]


@pytest.mark.parametrize("speed", [1.0, 40.0])
def test_a_recorded_inventory_tells_the_speed_beside_it(speed: float):
    """What a run has recorded is decoded for as long as it goes on; so is what a worker of before answers."""
    recorded = RECORDED.replace('"speed":1.0', f'"speed":{speed}')
    known = InventoryFinding.model_validate_json(f'{{"finding": "metro", "inventory": {recorded}}}')

    assert (known.inventory, known.speed) == (INVENTORY, speed)
    assert InventoryFinding.model_validate_json(known.model_dump_json()) == known


def test_a_loss_that_was_handed_over_with_a_speed_goes_on():
    """It has continued as new under version 0.1; the speed is in its record besides."""
    loss = TypeAdapter(Loss).validate_python(
        {"inventory": json.loads(RECORDED), "site": "site-a", "nodes": ["pxmx01-01"], "memory": {}, "guests": {}}
    )

    assert loss.inventory == INVENTORY
