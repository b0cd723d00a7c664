"""The control plane: how tests and drills steer the twin."""

from typing import Any

import pytest
import requests

from activities.clients.purity import FlashArray
from activities.clients.secrets import Secrets
from activities.errors import Unreachable
from lab.control.plane import union_seconds
from lab.twin import control_url
from tests.twin import SPEED, TwinThread


def call(twin: TwinThread, method: str, path: str, body: Any = None) -> requests.Response:
    return requests.request(method, control_url(twin.inventory) + path, json=body, timeout=10)


def array(twin: TwinThread) -> FlashArray:
    return FlashArray(twin.inventory.array("X90R3-SiteA"), Secrets(twin.path.parent))


def test_tells_time_speed_and_what_changed(twin: TwinThread):
    """One look at the whole."""
    array(twin).create_pod("p")
    status = call(twin, "GET", "/status").json()

    assert (status["speed"], status["changes"]) == (SPEED, 1)
    assert status["nodes"]["pxmx01-01"] is True
    assert '"what": "pod.create"' in call(twin, "GET", "/changes").text


def test_a_reset_brings_bare_arrays_back(twin: TwinThread):
    """The credentials stay, everything else is as at the beginning."""
    array(twin).create_pod("p")
    call(twin, "POST", "/reset")

    assert array(twin).pod("p") is None
    assert call(twin, "GET", "/status").json()["changes"] == 0


def test_a_planted_failure_meets_the_next_call_alone(twin: TwinThread):
    """The status and text that were planted, once; nothing was done."""
    call(twin, "POST", "/faults", {"service": "X90R3-SiteA", "call": "POST /pods", "action": "fail", "status": 500})

    with pytest.raises(Unreachable):
        array(twin).create_pod("p")
    assert array(twin).pod("p") is None

    array(twin).create_pod("p")
    assert array(twin).pod("p") is not None


def test_a_lost_reply_has_had_its_effect(twin: TwinThread):
    """The connection closes without an answer, and the pod is there."""
    call(twin, "POST", "/faults", {"service": "X90R3-SiteA", "call": "POST /pods", "action": "drop"})

    with pytest.raises(Unreachable, match="does not answer"):
        array(twin).create_pod("p")
    assert array(twin).pod("p") is not None


def test_a_delay_is_lab_time(twin: TwinThread):
    """Twenty lab seconds are one second of the wall at speed 20."""
    client = array(twin)
    client.array()
    before = twin.world.clock.now()
    call(twin, "POST", "/faults", {"service": "X90R3-SiteA", "call": "GET /arrays", "action": "delay", "seconds": 20})

    client.array()

    assert twin.world.clock.now() - before >= 20


def test_faults_can_be_taken_back(twin: TwinThread):
    """A drill ends."""
    call(twin, "POST", "/faults", {"service": ".*", "call": ".*", "action": "reset", "times": 100})
    call(twin, "DELETE", "/faults")

    assert array(twin).array()["name"] == "X90R3-SiteA"


def test_speed_changes_without_a_jump(twin: TwinThread):
    """The clock goes on from where it was."""
    before = twin.world.clock.now()
    assert call(twin, "PUT", "/speed", {"speed": 1}).json() == {"speed": 1.0}

    assert before <= twin.world.clock.now() < before + 5


@pytest.mark.parametrize("body", [{"service": "x"}, {"service": "x", "call": "y", "action": "drop", "colour": 1}, []])
def test_a_wrong_fault_gets_a_sentence(twin: TwinThread, body: Any):
    """Status 400 and what is wrong with it."""
    answer = call(twin, "POST", "/faults", body)

    assert answer.status_code == 400
    assert "TypeError" in answer.json()["error"]


def test_device_time_counts_overlapping_work_once():
    """Two devices that work side by side are one stretch of time."""
    assert union_seconds([(0, 2, "a"), (1, 3, "b"), (5, 6, "c")]) == 4


def test_power_is_taken_and_given_back(twin: TwinThread):
    """A site goes dark at once and is up again after its boot; a name that is nobody's gets a sentence."""
    url, ca = f"https://{twin.inventory.nodes[0].address}:8006/", str(twin.path.parent / "secrets" / "ca.pem")
    assert requests.get(url, verify=ca, timeout=5).status_code == 501

    off = call(twin, "POST", "/power", {"what": "site-a", "on": False}).json()
    assert off == {"pxmx01-01": False, "pxmx01-02": False, "pxmx01-03": False}
    with pytest.raises(requests.ConnectionError):
        requests.get(url, verify=ca, timeout=5)

    assert call(twin, "POST", "/power", {"what": "pxmx01-01", "on": True}).json() == {"pxmx01-01": True}

    wrong = call(twin, "POST", "/power", {"what": "site-z", "on": False})
    assert (wrong.status_code, "site-z is neither a node nor a site" in wrong.json()["error"]) == (400, True)
