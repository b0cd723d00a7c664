"""One node asked about another: what the one in between says when the other does not answer."""

import time

import pytest

from lab.physics.faults import Fault, freeze
from tests.lab.pve import FIRST, SECOND, SPEED, nodes, served

__all__ = ["nodes", "served"]  # fixtures

FAR = "pxmx02-01"


def test_forwarding_to_a_dead_node_ends_with_595(nodes):
    """ARP gives up after three seconds; the node that was asked says so."""
    nodes.power_off(SECOND)
    began = time.monotonic()
    answer = nodes.http("GET", f"/nodes/{SECOND}/status")

    assert (answer.status_code, answer.reason, answer.content) == (595, "No route to host", b"")
    assert time.monotonic() - began >= 3 / SPEED


def test_a_dead_node_behind_a_router_is_waited_for(nodes):
    """Nobody answers for it, so the connection is tried for thirty seconds."""
    nodes.power_off(FAR)
    began = time.monotonic()
    answer = nodes.http("GET", f"/nodes/{FAR}/status")

    assert (answer.status_code, answer.reason, answer.content) == (595, "Connection timed out", b"")
    assert time.monotonic() - began >= 30 / SPEED


@pytest.mark.parametrize(("link", "there"), [("inter-site", FAR), (f"node:{SECOND}", SECOND)])
def test_a_node_behind_a_cut_link_is_waited_for(nodes, link, there):
    """It runs, but what is sent to it is lost."""
    nodes.cut(link)
    answer = nodes.http("GET", f"/nodes/{there}/status")

    assert (answer.status_code, answer.reason) == (595, "Connection timed out")


@pytest.mark.parametrize(
    ("fault", "status", "reason"),
    [
        ({"action": "hang"}, 596, "Connection timed out"),
        ({"action": "reset"}, 596, "Broken pipe"),
        ({"action": "fail", "status": 500, "message": "got no worker"}, 500, "got no worker"),
        ({"action": "fail", "status": 596, "message": "tls_process_server_certificate: certificate verify failed"},
         596, "tls_process_server_certificate: certificate verify failed"),
    ],
)  # fmt: skip
def test_a_fault_of_the_other_node_is_passed_on(nodes, fault, status, reason):
    """The node that was asked is well; it says what it met."""
    nodes.world.faults.plant(Fault(service=f"pve:{SECOND}", call=".*", **fault))
    answer = nodes.http("GET", f"/nodes/{SECOND}/status")

    assert (answer.status_code, answer.reason) == (status, reason)


def test_a_lost_answer_of_the_other_node_follows_its_work(nodes):
    """596 after a write: the outcome is unknown to who asked, and it was done."""
    nodes.all_rights()
    nodes.world.faults.plant(Fault(service=f"pve:{SECOND}", call="POST .*/restart", action="drop"))
    answer = nodes.http("POST", f"/nodes/{SECOND}/services/cron/restart")

    assert (answer.status_code, answer.reason) == (596, "Broken pipe")
    assert nodes.api().nodes(SECOND).tasks.get(source="all", typefilter="srvrestart")[0]["id"] == "cron"


def test_a_lying_node_lies_through_others_too(nodes):
    """Its reads come from the moment in which it began to lie."""
    nodes.world.faults.plant(
        Fault(service=f"pve:{FIRST}", call=".*", action="stale", times=None, frozen=freeze(nodes.world))
    )
    nodes.http("PUT", f"/nodes/{FIRST}/qemu/101/config", node=SECOND, data={"name": "renamed"})
    told = nodes.http("GET", f"/nodes/{FIRST}/qemu/101/config", node=SECOND).json()["data"]["name"]

    assert (told, nodes.world.cluster.guests[101].name) == ("debian-base", "renamed")


def test_a_call_is_forwarded_once(nodes):
    """What a node has passed on is not passed on again."""
    answer = nodes.http("GET", f"/nodes/{SECOND}/status", headers={"PVEDisableProxy": "true"})

    assert (answer.status_code, answer.reason) == (500, "proxy loop detected")


def test_an_unknown_node_has_no_address(nodes):
    """PVE looks it up like any host name."""
    answer = nodes.http("GET", "/nodes/nowhere/status")

    assert (answer.status_code, answer.reason) == (
        500,
        "hostname lookup 'nowhere' failed - failed to get address info for: nowhere: Name or service not known",
    )
