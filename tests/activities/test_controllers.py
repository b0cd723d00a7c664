"""The engine's own reader of management controllers, against the twin's."""

import pytest

from activities.clients.redfish import Controllers
from activities.clients.secrets import Secrets
from activities.errors import Unreachable
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
