"""Which guests were lost with their nodes, by what the watch remembers and by HA's own list."""

from datetime import UTC, datetime, timedelta

import pytest

from cluster.memory import Before, Memory
from cluster.recovery import HaView, Service
from runbooks.loss import Loss
from tests.twin import EXAMPLE
from workers.inventory_file import load

INVENTORY = load(EXAMPLE)
LOST = ("pxmx01-01", "pxmx01-02", "pxmx01-03")
A, B, C, OTHER = *LOST, "pxmx02-01"
NOW = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)


def loss(**remembered: str) -> Loss:
    """The site's loss, with guests where the watch remembers them."""
    places = {sid.replace("_", ":"): node for sid, node in remembered.items()}
    states = dict.fromkeys(places, "started")
    memory = Memory(services=places, states=states, as_of=dict.fromkeys((*places, "services"), NOW))
    return Loss(INVENTORY, "site-a", LOST, memory, {sid: node for sid, node in places.items() if node in LOST})


def view(states: dict[str, str], **services: tuple[str, str]) -> HaView:
    """HA's list: a state and a node for each service."""
    nodes = dict.fromkeys((node.name for node in INVENTORY.nodes), "online") | states
    listed = {sid.replace("_", ":"): Service(state=state, node=node) for sid, (state, node) in services.items()}
    return HaView(master=OTHER, nodes=nodes, services=listed)


GONE = dict.fromkeys(LOST, "unknown")


@pytest.mark.parametrize(
    ("remembered", "states", "services", "homes"),
    [
        ({"vm_300": A}, GONE, {"vm_300": ("fence", A)}, {"vm:300": A}),
        ({"vm_300": A}, GONE, {"vm_300": ("started", OTHER)}, {"vm:300": A}),
        # it had moved after the watch's last look
        ({"vm_300": A}, GONE, {"vm_300": ("started", B)}, {"vm:300": B}),
        # the nodes are back, and HA has restarted it on another one of them
        ({"vm_300": A}, {}, {"vm_300": ("started", B)}, {"vm:300": A}),
        ({"vm_300": A}, {A: "fence"}, {"vm_300": ("started", B)}, {"vm:300": A}),
        # one of the other site has been brought to a node that is back
        ({"vm_300": A, "vm_301": OTHER}, {}, {"vm_300": ("started", A), "vm_301": ("started", B)}, {"vm:300": A}),
        # nobody remembers anything: the run was started by hand, and HA has not noticed yet
        ({}, {}, {"vm_300": ("started", A), "vm_301": ("started", OTHER)}, {"vm:300": A}),
    ],
)
def test_a_guest_lived_where_it_ran_when_the_nodes_were_lost(
    remembered: dict[str, str], states: dict[str, str], services: dict[str, tuple[str, str]], homes: dict[str, str]
):
    """However late HA's list is read, and whatever it has moved by then."""
    assert loss(**remembered).listed(view(states, **services), early=False).guests == homes


def test_what_ha_lists_before_it_can_have_moved_anybody_is_the_truth():
    """Also about a guest that had just moved away."""
    seen = view({}, vm_300=("started", OTHER), vm_301=("started", B))

    assert loss(vm_300=A, vm_301=B).listed(seen, early=True).guests == {"vm:301": B}


@pytest.mark.parametrize(
    ("alive", "counted", "early"),
    [
        ({A: 40, B: 40, C: 40}, {A: 35, B: 35, C: 35}, True),
        ({A: 61, B: 61, C: 61}, {}, False),
        ({A: 61, B: 30, C: 2}, {}, False),  # node by node: HA may have moved guests of the first one
        ({B: 30, C: 2}, {}, False),  # one of them was never seen
        ({A: 2, B: 2, C: 2}, {A: 61, B: 30, C: 30}, False),  # they go on answering without a quorum
        ({}, {}, False),
    ],
)
def test_it_is_early_by_the_node_that_was_lost_first(alive: dict[str, float], counted: dict[str, float], early: bool):
    """HA moves nobody within a minute."""

    def times(ago: dict[str, float]) -> dict[str, datetime]:
        return {node: NOW - timedelta(seconds=seconds) for node, seconds in ago.items()}

    memory = Memory(alive=times(alive), counted=times(counted), unbroken=NOW - timedelta(hours=1))
    known = Loss(INVENTORY, "site-a", LOST, memory, {})

    assert known.is_early(NOW, speed=1.0) is early


def test_a_home_that_is_a_guess_is_put_on_record_and_not_told_as_known():
    """Nobody had looked for long when HA moved the guest: whoever forgets its home loses it for good."""
    last = NOW - timedelta(hours=2)
    memory = Memory(
        services={"vm:300": OTHER, "vm:301": B},
        states=dict.fromkeys(("vm:300", "vm:301"), "started"),
        before={"vm:300": Before(node=A, as_of=last, moved=NOW)},
        as_of=dict.fromkeys(("vm:300", "vm:301", "services"), NOW),
        unbroken=NOW,
    )
    known = Loss.of(INVENTORY, "site-a", LOST, memory)

    assert known.guests == {"vm:301": B}
    assert known.homes == {"vm:300": A, "vm:301": B}
    assert known.perhaps["vm:300"].as_of == last


@pytest.mark.parametrize("state", ["stopped", "request_stop", "fence", "recovery"])
def test_a_guest_that_was_stopped_before_the_loss_is_not_lost(state: str):
    """HA fences a node for its stopped guests as well."""
    known = Loss(INVENTORY, "site-a", LOST, Memory(), {"vm:300": A}, ("vm:300",))

    assert known.listed(view(GONE, vm_300=(state, A)), early=False).stopped == ("vm:300",)
