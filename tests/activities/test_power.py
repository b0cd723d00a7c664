"""What is asked of a management controller before a node's power is switched: whose machine it is."""

import pytest
from temporalio.testing import ActivityEnvironment

from activities.bmc.power import Power
from activities.clients.controllers import Controllers
from activities.clients.secrets import Secrets
from activities.errors import Refuted, Unauthorized
from activities.people.approvals import Approvals
from cluster.approval import ApprovalPolicy
from cluster.breakglass.power import MachineFinding, PowerWish
from cluster.plan import Mode
from lab.physics.faults import Fault
from tests.twin import TwinThread
from workers.worker.wiring import quick

NODE = "pxmx01-01"
SYSTEM = '{"PowerState": "%s", "HostName": "%s"}'


@pytest.fixture
def power(twin: TwinThread) -> Power:
    secrets = Secrets(twin.path.parent)
    approvals = Approvals(ApprovalPolicy().signed_by(2), secrets)
    return Power(
        twin.inventory, Controllers(secrets), quick(twin.inventory, secrets), approvals, twin.world.clock.speed
    )


def wish(mode: Mode = Mode.PLAN, *, nameless: bool = False) -> PowerWish:
    return PowerWish(mode=mode, node=NODE, on=False, turn=1, nameless=nameless)


async def switched(power: Power, asked: PowerWish) -> MachineFinding:
    return await ActivityEnvironment().run(power.switch, asked)


async def test_the_controller_of_another_node_switches_nothing(twin: TwinThread, power: Power):
    """Two addresses are mixed up in the inventory."""
    says(twin, SYSTEM % ("On", "pxmx02-01"))
    with pytest.raises(Refuted, match="calls its machine 'pxmx02-01', the inventory says pxmx01-01"):
        await switched(power, wish())


async def test_a_controller_without_a_name_was_agreed_to_or_switches_nothing(twin: TwinThread, power: Power):
    """Many know no name; then people have looked at the device."""
    says(twin, SYSTEM % ("On", ""))
    with pytest.raises(Refuted, match="was not agreed to; look at the device"):
        await switched(power, wish())
    assert (await switched(power, wish(nameless=True))).finding.endswith("; planned")


async def test_nothing_is_switched_without_an_approval(twin: TwinThread, power: Power):
    """Whatever has asked for it."""
    with pytest.raises(Unauthorized, match="BMC: power off pxmx01-01: it has no approval"):
        await switched(power, wish(Mode.APPLY))
    assert twin.world.nodes[NODE].powered


def says(twin: TwinThread, system: str) -> None:
    twin.world.faults.plant(Fault(f"^bmc:{NODE}", "GET .*Systems/1$", "garbage", message=system, times=None))
