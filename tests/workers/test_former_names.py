"""A run that was begun before the activities were named by their rooms finds them all the same."""

import importlib
import inspect
from typing import Any

import pytest

from activities.serving import DEFINITION, registered, serves
from cluster.contracts.reference import Activity
from cluster.plan import Finding, PlanRef
from tests.twin import EXAMPLE
from tests.verdict.world import INVENTORY
from workers.worker.wiring import activities

SYSTEMS = ("ha", "hosts", "people", "proxmox", "purity", "records", "watch")
KNOWN: dict[str, Activity[Any, Any]] = {
    one.name: one
    for system in SYSTEMS
    for one in vars(importlib.import_module(f"cluster.contracts.{system}")).values()
    if isinstance(one, Activity)
}
REGISTERED = {getattr(one, DEFINITION).name: one for one in activities(INVENTORY, EXAMPLE.parent)}


@pytest.mark.parametrize("name", KNOWN)
def test_a_worker_serves_every_activity_under_each_of_its_names(name: str):
    """With the same types and the same way of being called."""
    now, former = (getattr(REGISTERED[one], DEFINITION) for one in (name, KNOWN[name].formerly or name))

    assert (former.arg_types, former.ret_type, former.is_async) == (now.arg_types, now.ret_type, now.is_async)
    assert name.partition(".")[0] in SYSTEMS


async def test_the_former_name_does_the_same_work():
    """It is the very method."""
    reference = Activity("records.tried", PlanRef, Finding, formerly="tries.tried")

    class Room:
        @serves(reference)
        async def tried(self, wish: PlanRef) -> Finding:
            return Finding(finding=wish.digest)

    new, old = registered(Room().tried)

    assert [getattr(one, DEFINITION).name for one in (new, old)] == ["records.tried", "tries.tried"]
    assert [(await one(PlanRef(digest="d"))).finding for one in (new, old)] == ["d", "d"]
    assert inspect.iscoroutinefunction(new)
