"""The engine's own reader of management controllers, against the twin's."""

import pytest

from activities.clients.redfish import Controllers
from activities.clients.secrets import Secrets
from activities.errors import Rejected, Unreachable
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
    controllers._systems[bmc.address] = "/redfish/v1/Systems/old"
    assert controllers.power(bmc)


TARGET = '{"PowerState": "On", "Actions": {"#ComputerSystem.Reset": {"target": %s}}}'
KINDS = '"/r", "ResetType@Redfish.AllowableValues": 1'


@pytest.mark.parametrize(
    ("call", "answer", "why"),
    [
        (
            "Systems$",
            '{"Members": [{"@odata.id": "/a"}, {"@odata.id": "/b"}]}',
            "knows of /a, /b: one system is needed",
        ),
        ("Systems$", '{"Members": []}', "knows of no system: one system is needed"),
        ("Systems$", '{"Members": ["/a"]}', "knows of no system: one system is needed"),
        ("Systems$", '{"Members": 1}', "knows of no system: one system is needed"),
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


def test_a_chassis_with_several_systems_says_nothing_of_a_node(twin: TwinThread, controllers: Controllers, bmc: Bmc):
    """The first of them may be another node: its power is no evidence."""
    two = '{"Members": [{"@odata.id": "/redfish/v1/Systems/1"}, {"@odata.id": "/redfish/v1/Systems/2"}]}'
    twin.world.faults.plant(Fault(f"^bmc:{NODE}", "GET .*Systems$", "garbage", message=two, times=None))
    with pytest.raises(Rejected, match="one system is needed"):
        controllers.power(bmc)
