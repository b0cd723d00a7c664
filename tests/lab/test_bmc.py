"""The management controllers: Redfish as a plain HTTP client meets it, and the power of the world behind it."""

import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from activities.clients.secrets import Secrets
from tests.twin import TwinThread

NODE = "pxmx01-01"
SYSTEM = "/redfish/v1/Systems/1"
RESET = f"{SYSTEM}/Actions/ComputerSystem.Reset"
SESSIONS = "/redfish/v1/SessionService/Sessions"


class Controller:
    """requests at one node's controller, with its account."""

    def __init__(self, twin: TwinThread, node: str = NODE) -> None:
        bmc = twin.inventory.node(node).bmc
        assert bmc is not None
        self.url = f"https://{bmc.address}"
        self.account = (bmc.user, Secrets(twin.path.parent).read(bmc.password))
        self._ca = str(twin.path.parent / (twin.inventory.api.ca or ""))

    def call(self, verb: str, path: str, *, login: bool = True, **more: Any) -> requests.Response:
        auth = self.account if login else None
        return requests.request(verb, self.url + path, auth=auth, verify=self._ca, timeout=10, **more)

    def get(self, path: str, **more: Any) -> dict[str, Any]:
        answer = self.call("GET", path, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def reset(self, kind: str) -> requests.Response:
        return self.call("POST", RESET, json={"ResetType": kind})


@pytest.fixture
def bmc(twin: TwinThread) -> Controller:
    return Controller(twin)


def until(fits: Callable[[], bool], within: float = 5.0) -> bool:
    deadline = time.monotonic() + within
    while not fits() and time.monotonic() < deadline:
        time.sleep(0.02)
    return fits()


def powers(twin: TwinThread) -> list[str]:
    """What the world says about this node's power."""
    return [c.what for c in twin.world.changes if c.target == NODE and c.what.startswith(("power", "bmc"))]


def test_the_root_needs_no_login_and_leads_everywhere(bmc: Controller):
    """From the root every collection and the login can be found."""
    root = bmc.get("/redfish/v1/", login=False)

    assert bmc.get("/redfish", login=False) == {"v1": "/redfish/v1/"}
    assert root["Links"]["Sessions"]["@odata.id"] == SESSIONS
    for name in ("Systems", "Chassis", "Managers"):
        (member,) = bmc.get(root[name]["@odata.id"])["Members"]
        assert bmc.get(member["@odata.id"])["Id"] == "1"


def test_a_system_says_its_power_and_what_it_takes(bmc: Controller):
    """State, action and allowable values."""
    system = bmc.get(SYSTEM)

    assert (system["PowerState"], system["HostName"]) == ("On", NODE)
    assert system["Actions"]["#ComputerSystem.Reset"] == {
        "target": RESET,
        "ResetType@Redfish.AllowableValues": ["On", "ForceOff", "GracefulShutdown", "ForceRestart", "PowerCycle"],
    }


@pytest.mark.parametrize(
    ("login", "headers"),
    [(False, {}), (False, {"X-Auth-Token": "0" * 32}), (False, {"Authorization": "Basic b29wcw=="})],
)
def test_without_the_account_there_is_a_401(bmc: Controller, login: bool, headers: dict[str, str]):
    """No login, an unknown session, and another password."""
    answer = bmc.call("GET", SYSTEM, login=login, headers=headers)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert answer.json()["error"]["@Message.ExtendedInfo"][0]["MessageId"].startswith("Base.1.")


def test_a_session_opens_and_closes(bmc: Controller):
    """Its token replaces the password until it is deleted."""
    user, password = bmc.account
    wrong = bmc.call("POST", SESSIONS, login=False, json={"UserName": user, "Password": "wrong"})
    made = bmc.call("POST", SESSIONS, login=False, json={"UserName": user, "Password": password})
    token = {"X-Auth-Token": made.headers["X-Auth-Token"]}

    assert (wrong.status_code, made.status_code) == (401, 201)
    assert password not in made.text
    assert bmc.get(SYSTEM, login=False, headers=token)["PowerState"] == "On"
    place = made.headers["Location"]
    assert bmc.get(place, login=False, headers=token)["UserName"] == user
    assert bmc.call("DELETE", place, login=False, headers=token).status_code == 204
    assert bmc.call("GET", SYSTEM, login=False, headers=token).status_code == 401


def test_an_unused_session_ends(twin: TwinThread, bmc: Controller):
    """After half an hour of the lab."""
    user, password = bmc.account
    made = bmc.call("POST", SESSIONS, login=False, json={"UserName": user, "Password": password})
    token = {"X-Auth-Token": made.headers["X-Auth-Token"]}
    twin.world.clock.speed = 20000.0
    time.sleep(0.2)
    twin.world.clock.speed = 20.0

    assert bmc.call("GET", SYSTEM, login=False, headers=token).status_code == 401


def test_force_off_takes_the_power_and_the_controller_goes_on(twin: TwinThread, bmc: Controller):
    """At once; the node is silent, its controller says Off."""
    assert bmc.reset("ForceOff").status_code == 204

    assert not twin.world.nodes[NODE].powered
    assert bmc.get(SYSTEM)["PowerState"] == bmc.get("/redfish/v1/Chassis/1")["PowerState"] == "Off"
    assert bmc.get("/redfish/v1/Managers/1")["PowerState"] == "On"
    assert powers(twin) == ["bmc.reset", "power.off"]


def test_on_gives_power_at_once_and_boots_later(twin: TwinThread, bmc: Controller):
    """The state is On before the machine's daemons run."""
    bmc.reset("ForceOff")

    assert bmc.reset("On").status_code == 204
    assert bmc.get(SYSTEM)["PowerState"] == "On"
    assert not twin.world.nodes[NODE].powered
    assert until(lambda: twin.world.nodes[NODE].powered)


def test_force_off_ends_a_boot(twin: TwinThread, bmc: Controller):
    """Who takes the power away while it boots has a node that stays off."""
    bmc.reset("ForceOff")
    bmc.reset("On")
    bmc.reset("ForceOff")

    assert bmc.get(SYSTEM)["PowerState"] == "Off"
    assert not until(lambda: twin.world.nodes[NODE].powered, within=1.5)


@pytest.mark.parametrize("kind", ["ForceRestart", "PowerCycle"])
def test_a_restart_is_off_and_on(twin: TwinThread, bmc: Controller, kind: str):
    """All that ran is gone, and the node comes back by itself."""
    assert bmc.reset(kind).status_code == 204

    assert until(lambda: twin.world.nodes[NODE].powered)
    assert powers(twin) == ["bmc.reset", "power.off", "power.on"]


def test_a_graceful_shutdown_ends_without_power(twin: TwinThread, bmc: Controller):
    """The node is shut down in its own order, guests first, and the controller says On until it is."""
    twin.world.cluster.guests[101].running = True
    twin.world.clock.speed = 20.0  # guests, LRM and the rest need some thirty seconds
    assert bmc.reset("GracefulShutdown").status_code == 204

    assert bmc.get(SYSTEM)["PowerState"] == "On"
    assert until(lambda: not twin.world.nodes[NODE].powered)
    assert [c.what for c in twin.world.changes if c.target == NODE][:2] == ["bmc.reset", "node.shutdown"]


@pytest.mark.parametrize(
    ("body", "status", "key"),
    [
        ({}, 400, "ActionParameterMissing"),
        ({"ResetType": "Nmi"}, 400, "ActionParameterValueNotInList"),
        ({"ResetType": "On"}, 409, "OperationNotAllowed"),
        ([], 400, "MalformedJSON"),
    ],
)
def test_what_is_not_possible_is_refused(twin: TwinThread, bmc: Controller, body: Any, status: int, key: str):
    """With the registry's key, and without any effect."""
    answer = bmc.call("POST", RESET, json=body)

    (told,) = answer.json()["error"]["@Message.ExtendedInfo"]
    assert (answer.status_code, told["MessageId"].rpartition(".")[2]) == (status, key)
    assert powers(twin) == []


def test_off_is_not_taken_away_twice(twin: TwinThread, bmc: Controller):
    """A second ForceOff is a conflict, not a success."""
    bmc.reset("ForceOff")

    assert bmc.reset("ForceOff").status_code == 409


def test_paths_and_verbs_have_their_own_errors(bmc: Controller):
    """404 for what there is not, 405 with what is allowed."""
    absent = bmc.call("GET", "/redfish/v1/Systems/2")
    patched = bmc.call("PATCH", SYSTEM, json={"PowerState": "Off"})
    got = bmc.call("GET", RESET)

    assert (absent.status_code, patched.status_code, got.status_code) == (404, 405, 405)
    assert (patched.headers["Allow"], got.headers["Allow"]) == ("GET, HEAD", "POST")


def test_an_etag_saves_the_body(bmc: Controller):
    """Until the power changes."""
    etag = bmc.call("GET", SYSTEM).headers["ETag"]

    assert bmc.call("GET", SYSTEM, headers={"If-None-Match": etag}).status_code == 304
    bmc.reset("ForceOff")
    assert bmc.call("GET", SYSTEM, headers={"If-None-Match": etag}).status_code == 200


def test_a_site_without_any_power_has_no_controllers(
    twin: TwinThread, bmc: Controller, monkeypatch: pytest.MonkeyPatch
):
    """Then even standby power is gone."""
    monkeypatch.setattr(twin.world.nodes[NODE], "bmc_powered", False, raising=False)

    with pytest.raises(requests.ConnectionError):
        bmc.call("GET", "/redfish/v1/")


def test_each_node_has_its_own(twin: TwinThread):
    """Six controllers; one node's power is no other's."""
    Controller(twin, "pxmx02-03").reset("ForceOff")

    off = [node.name for node in twin.inventory.nodes if Controller(twin, node.name).get(SYSTEM)["PowerState"] == "Off"]
    assert off == ["pxmx02-03"]
