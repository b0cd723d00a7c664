"""Hopeless, waited for: what HA's own words mean for a guest (reference: pve-ha §§5, 7)."""

import pytest

from cluster.recovery import HaView, Service, hopeless, waits_for

DEAD, LEFT = "pxmx01-01", "pxmx02-01"
LOST = frozenset({DEAD})
STATES = (
    "request_start", "request_start_balance", "started", "request_stop", "stopped", "fence", "recovery", "freeze",
    "migrate", "relocate", "error",
)  # fmt: skip


def view(*, state: str = "", node: str = DEAD, **nodes: str) -> HaView:
    """One guest, vm:300, as the master keeps it; without a state it is not under HA."""
    services = {"vm:300": Service(state=state, node=node)} if state else {}
    return HaView(master=LEFT, nodes={DEAD: "fence", LEFT: "online"} | nodes, services=services)


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("error", "is in error: HA gave up starting it"),
        ("freeze", "is held by HA with pxmx01-01 (state freeze) until that node is back"),
        ("stopped", "is stopped by request"),
        ("request_stop", "is stopped by request"),
        ("", "is not under HA any more"),
    ],
)
def test_a_guest_that_ha_will_not_bring_back_is_told(state: str, why: str):
    """What a person has to do, or has done."""
    assert hopeless("vm:300", view(state=state)) == why


@pytest.mark.parametrize(
    "state", [state for state in STATES if state not in ("error", "freeze", "stopped", "request_stop")]
)
@pytest.mark.parametrize("node", [DEAD, LEFT])
def test_a_guest_that_ha_works_on_has_hope(state: str, node: str):
    """Recovery without a node is retried every round: it may still come."""
    assert hopeless("vm:300", view(state=state, node=node)) == ""


@pytest.mark.parametrize(
    ("state", "node", "why"),
    [
        ("fence", DEAD, "waits until HA has fenced pxmx01-01"),
        ("recovery", DEAD, "HA finds no node for it: rules, maintenance or storage leave none"),
        ("started", DEAD, "HA still counts on pxmx01-01, which is fence"),
        ("request_start", LEFT, "HA starts it on pxmx02-01"),
        ("started", LEFT, "HA starts it on pxmx02-01"),
        ("", DEAD, "is not under HA any more"),
    ],
)
def test_what_a_guest_waits_for_is_told(state: str, node: str, why: str):
    """In the words of the one who waits."""
    assert waits_for("vm:300", view(state=state, node=node), LOST) == why


def test_a_node_that_the_master_does_not_know_is_unknown():
    """A master that is new has not heard of the dead node."""
    found = HaView(master=LEFT, nodes={}, services={"vm:300": Service(state="started", node=DEAD)})

    assert waits_for("vm:300", found, LOST) == "HA still counts on pxmx01-01, which is unknown"


@pytest.mark.parametrize("state", ["", *STATES])
@pytest.mark.parametrize("node", [DEAD, LEFT])
def test_every_state_has_words(state: str, node: str):
    """No guest is left on the page without a reason."""
    assert waits_for("vm:300", view(state=state, node=node), LOST)
