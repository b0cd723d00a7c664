"""The engine's own reader of management controllers, against the twin's."""

from datetime import timedelta

import pytest

from activities.clients.redfish import Controllers
from activities.clients.secrets import Secrets
from activities.errors import NotYet, Rejected, Unreachable
from cluster.inventory import Bmc
from lab.physics.faults import Fault
from tests.twin import TwinThread

NODE = "pxmx01-01"


@pytest.fixture
def bmc(twin: TwinThread) -> Bmc:
    known = twin.inventory.node(NODE).bmc
    assert known is not None
    return known


@pytest.fixture
def controllers(twin: TwinThread) -> Controllers:
    return Controllers(Secrets(twin.path.parent))


def test_the_power_is_read_again_and_again(twin: TwinThread, controllers: Controllers, bmc: Bmc):
    """Over the kept connection the state is that of now."""
    assert controllers.power(bmc)
    twin.power_off(NODE)
    assert not controllers.power(bmc)


def test_a_kept_connection_that_was_closed_is_no_silence(twin: TwinThread, controllers: Controllers, bmc: Bmc):
    """A controller ends idle connections whenever it likes: it is asked once more over a new one."""
    assert controllers.power(bmc)
    twin.world.faults.plant(Fault(f"^bmc:{NODE}", "", "reset", times=1))
    assert controllers.power(bmc)


def test_a_controller_that_goes_on_closing_is_silent(twin: TwinThread, controllers: Controllers, bmc: Bmc):
    """Nobody asks for ever."""
    assert controllers.power(bmc)
    twin.world.faults.plant(Fault(f"^bmc:{NODE}", "", "reset", times=None))
    with pytest.raises(Unreachable, match=f"{bmc.address} does not answer: ConnectionError$"):
        controllers.power(bmc)


def test_a_system_that_has_another_path_now_is_found_again(twin: TwinThread, controllers: Controllers, bmc: Bmc):
    """As after an update of the controller, which may number its systems anew."""
    assert controllers.power(bmc)
    controllers._systems[bmc.address, ""] = "/redfish/v1/Systems/old"
    assert controllers.power(bmc)


TARGET = '{"PowerState": "On", "Actions": {"#ComputerSystem.Reset": {"target": %s}}}'
KINDS = '"/r", "ResetType@Redfish.AllowableValues": 1'


@pytest.mark.parametrize(
    ("call", "answer", "why"),
    [
        (
            "Systems$",
            '{"Members": [{"@odata.id": "/a"}, {"@odata.id": "/b"}]}',
            "manages several machines: a, b; say which one this node is",
        ),
        ("Systems$", '{"Members": []}', "knows of no system: one is needed"),
        ("Systems$", '{"Members": ["/a"]}', "knows of no system: one is needed"),
        ("Systems$", '{"Members": [{"@odata.id": "https://elsewhere/a"}]}', "knows of no system: one is needed"),
        ("Systems$", '{"Members": 1}', "knows of no system: one is needed"),
        ("Systems/1$", '{"PowerState": "On", "Actions": []}', "offers no #ComputerSystem.Reset"),
        ("Systems/1$", TARGET % KINDS, "offers no ForceOff: 1"),
        ("Systems/1$", TARGET % '"https://elsewhere/r"', "path of its own"),
    ],
)
def test_what_cannot_be_understood_switches_nothing(
    twin: TwinThread, controllers: Controllers, bmc: Bmc, call: str, answer: str, why: str
):
    """A chassis with several systems, and answers of another shape: the controller is refused, in words."""
    twin.world.faults.plant(Fault(f"^bmc:{NODE}", f"GET .*{call}", "garbage", message=answer, times=None))
    with pytest.raises(Rejected, match=why):
        controllers.switch(bmc, on=False)
    assert twin.world.nodes[NODE].powered


TWO = '{"Members": [{"@odata.id": "/redfish/v1/Systems/1"}, {"@odata.id": "/redfish/v1/Systems/blade-2/"}]}'


def answered(twin: TwinThread, call: str, answer: str) -> None:
    """The controller answers calls of that kind with this, for ever."""
    twin.world.faults.plant(Fault(f"^bmc:{NODE}", call, "garbage", message=answer, times=None))


def test_a_chassis_with_several_systems_says_nothing_of_a_node(twin: TwinThread, controllers: Controllers, bmc: Bmc):
    """The first of them may be another node: its power is no evidence."""
    answered(twin, "GET .*Systems$", TWO)
    with pytest.raises(Rejected) as told:
        controllers.power(bmc)
    assert told.value.message == (
        f"{bmc.address} manages several machines: 1, blade-2; say which one this node is, as `system` of its bmc in "
        "the inventory"
    )


def test_of_several_systems_the_one_that_the_inventory_names_is_read_and_switched(
    twin: TwinThread, controllers: Controllers, bmc: Bmc
):
    """Its neighbour in the chassis is left alone."""
    answered(twin, "GET .*Systems$", TWO)
    answered(twin, "GET .*Systems/blade-2", '{"PowerState": "Off"}')
    ours, other = (bmc.model_copy(update={"system": name}) for name in ("1", "blade-2"))
    assert controllers.power(ours)
    assert not controllers.power(other)
    controllers.switch(ours, on=False)
    assert not twin.world.nodes[NODE].powered


def test_a_system_that_the_controller_does_not_know_is_named(twin: TwinThread, controllers: Controllers, bmc: Bmc):
    """With those that it has."""
    answered(twin, "GET .*Systems$", TWO)
    with pytest.raises(Rejected, match=r"knows no system blade-3: it has 1, blade-2$"):
        controllers.power(bmc.model_copy(update={"system": "blade-3"}))


@pytest.mark.parametrize("state", ["On", "PoweringOn", "PoweringOff", "Paused"])
def test_a_machine_on_its_way_has_power(twin: TwinThread, controllers: Controllers, bmc: Bmc, state: str):
    """Only one that is off is off: nobody counts on less."""
    answered(twin, "GET .*Systems/1", f'{{"PowerState": "{state}"}}')
    assert controllers.power(bmc)


def test_a_controller_that_does_not_know_the_power_is_asked_again(twin: TwinThread, controllers: Controllers, bmc: Bmc):
    """`null` is what many say while a machine or they themselves begin."""
    answered(twin, "GET .*Systems/1", '{"PowerState": null}')
    with pytest.raises(NotYet, match="does not say now whether the machine is on"):
        controllers.power(bmc)


@pytest.mark.parametrize("state", ['"Standby"', "17", "[]"])
def test_a_power_that_nobody_has_heard_of_is_refused(twin: TwinThread, controllers: Controllers, bmc: Bmc, state: str):
    """It is neither on nor off."""
    answered(twin, "GET .*Systems/1", f'{{"PowerState": {state}}}')
    with pytest.raises(Rejected, match="calls the power"):
        controllers.power(bmc)


def moved(twin: TwinThread, call: str, status: int, location: str, times: int | None = 1) -> None:
    """The controller sends its callers on."""
    fault = Fault(f"^bmc:{NODE}", call, "fail", status=status, location=location, message="moved", times=times)
    twin.world.faults.plant(fault)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_path_that_the_controller_has_moved_is_followed(
    twin: TwinThread, controllers: Controllers, bmc: Bmc, status: int
):
    """With a slash more, as many do, or with the whole address of itself."""
    moved(twin, "GET .*Systems$", status, "/redfish/v1/Systems/")
    moved(twin, "GET .*Systems/1$", status, f"https://{bmc.address}/redfish/v1/Systems/1/")
    assert controllers.power(bmc)


@pytest.mark.parametrize(
    "location",
    ["https://127.99.99.99/redfish/v1/Systems", "http://{address}/redfish/v1/Systems", "//127.99.99.99:8443/x",
     "https://user@127.99.99.99/x", ""],
)  # fmt: skip
def test_nobody_is_followed_to_another_address(twin: TwinThread, controllers: Controllers, bmc: Bmc, location: str):
    """The password would go along."""
    location = location.format(address=bmc.address)
    moved(twin, "GET .*Systems$", 302, location)
    with pytest.raises(Rejected) as told:
        controllers.power(bmc)
    assert told.value.message == (
        f"{bmc.address} sends its callers to {location or 'nowhere'}: only a path of its own is followed; correct the "
        "address of that bmc in the inventory"
    )


def test_an_address_that_nobody_can_read_ends_in_a_sentence(twin: TwinThread, controllers: Controllers, bmc: Bmc):
    """Not in a bug of the worker."""
    moved(twin, "GET .*Systems$", 302, "https://[::1/x")
    with pytest.raises(Rejected, match=f"^Rejected: {bmc.address} sends its callers to no address: Invalid IPv6 URL$"):
        controllers.power(bmc)


def test_a_circle_of_paths_has_an_end(twin: TwinThread, controllers: Controllers, bmc: Bmc):
    """And says where it went last."""
    moved(twin, "GET .*Systems", 308, "/redfish/v1/Systems/", None)
    with pytest.raises(Rejected, match=r"sends its callers on and on: the last time to /redfish/v1/Systems/$"):
        controllers.power(bmc)


@pytest.mark.parametrize("status", [307, 308])
def test_an_order_goes_to_the_path_that_asks_for_the_same_order(
    twin: TwinThread, controllers: Controllers, bmc: Bmc, status: int
):
    """It was not carried out where it was sent first."""
    moved(twin, "POST .*Reset$", status, "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset/")
    controllers.switch(bmc, on=False)
    assert not twin.world.nodes[NODE].powered


@pytest.mark.parametrize("status", [301, 302, 303])
def test_an_order_is_not_sent_where_only_a_question_would_be(
    twin: TwinThread, controllers: Controllers, bmc: Bmc, status: int
):
    """Such a redirection may say that the order was carried out, or not: a person looks."""
    moved(twin, "POST .*Reset$", status, "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset/")
    with pytest.raises(Rejected, match=f"refuses ForceOff: HTTP {status}$"):
        controllers.switch(bmc, on=False)
    assert twin.world.nodes[NODE].powered


def test_a_slow_controller_has_its_own_limit(twin: TwinThread, controllers: Controllers, bmc: Bmc):
    """In seconds of the wall; the others are given up as early as before."""
    twin.world.faults.plant(Fault(f"^bmc:{NODE}", "", "hang", times=1))
    with pytest.raises(Unreachable, match="does not answer: ReadTimeout"):
        controllers.power(bmc.model_copy(update={"answers_within": timedelta(seconds=0.2)}))
    twin.world.faults.plant(Fault(f"^bmc:{NODE}", "", "delay", seconds=0.5 * twin.world.clock.speed, times=1))
    assert controllers.power(bmc.model_copy(update={"answers_within": timedelta(seconds=20)}))
