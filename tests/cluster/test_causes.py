"""Why a guest is not back, from circumstances as they are met: rules, locks, storage, capacity, errors."""

import pytest

from cluster.causes import Circumstances, cause
from cluster.placement import Guest, Placement, Rule
from cluster.recovery import Service

LEFT = ("b1", "b2")
GIB = 2**30


def found(
    *,
    state: str = "recovery",
    node: str = "a1",
    rules: tuple[Rule, ...] = (),
    memory: int = GIB,
    used: int = GIB,
    states: dict[str, str] | None = None,
    **more: object,
) -> Circumstances:
    placement = Placement(
        finding="",
        services={"vm:301": Service(state=state, node=node), "vm:9": Service(state="started", node="b1")},
        guests={"vm:301": Guest(node=node, memory=memory, running=False), "vm:9": Guest(node="b1", memory=used)},
        rules=rules,
        nodes={"b1": 10 * GIB, "b2": 10 * GIB},
    )
    known = {"a1": "unknown", "b1": "online", "b2": "online"} | (states or {})
    return Circumstances(placement=placement, states=known, **more)


STRICT = Rule(name="keep-a", type="node-affinity", resources=("vm:301",), nodes=("a1", "a2"), strict=True)
APART = Rule(name="apart", type="resource-affinity", resources=("vm:301", "vm:9"), negative=True)
WAITS = "HA finds no node for it: rules, maintenance or storage leave none"


@pytest.mark.parametrize(
    ("circumstances", "said"),
    [
        (found(rules=(STRICT,)), f"{WAITS}; no node can take it: b1, b2: rule keep-a is strict and does not allow it"),
        (
            found(rules=(APART,), storage={"b2": False}),
            f"{WAITS}; no node can take it: b1: rule apart keeps it apart from vm:9; "
            "b2: the storage is not active there",
        ),
        (
            found(storage={"b1": False, "b2": False}),
            f"{WAITS}; no node can take it: b1, b2: the storage is not active there",
        ),
        (
            found(states={"b1": "maintenance", "b2": "maintenance"}),
            f"{WAITS}; no node can take it: b1, b2: HA calls it maintenance",
        ),
        (
            found(memory=12 * GIB),
            f"{WAITS}; no node can take it: b1: no room, it needs 12 GiB, 8 GiB are free; "
            "b2: no room, it needs 12 GiB, 9 GiB are free",
        ),
        (
            found(lock="backup"),
            f"{WAITS}; it is locked (backup): an operator has to decide whether the lock may be removed",
        ),
        (
            found(state="error", node="b1", failed="start failed: no such volume"),
            "is in error: HA gave up starting it; its last task ended with: start failed: no such volume",
        ),
        (found(state="fence"), "waits until HA has fenced a1"),
        (found(state="started", node="a1"), "HA still counts on a1, which is unknown"),
        (found(state="started", node="b1"), "HA starts it on b1"),
        (found(unread=("locks",)), f"{WAITS}; could not be read: locks"),
        (found(rules=(APART,)), WAITS),
    ],
    ids=lambda value: "" if isinstance(value, str) else None,
)  # fmt: skip
def test_the_cause_is_named(circumstances: Circumstances, said: str):
    """HA's own word first, then what explains it; where a node could take it, nothing is made up."""
    assert cause("vm:301", LEFT, circumstances) == said
