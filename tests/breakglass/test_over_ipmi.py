"""The same emergency where the controllers of the site that goes off have no Redfish."""

from collections.abc import Iterator

import pytest

from tests.breakglass.conftest import POLICY, Glass, Laws
from tests.breakglass.emergencies import dark, parted, states
from tests.incidents.conftest import Site
from tests.ipmi import ipmi_inventory
from tests.runs import steps
from tests.twin import only_lab, with_policy

pytestmark = [pytest.mark.ipmi, only_lab]
OFF = ("pxmx01-01", "pxmx01-02", "pxmx01-03")


@pytest.fixture(scope="module")
def running_glass_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    twin = Site(with_policy(ipmi_inventory(tmp_path_factory.mktemp("glass-ipmi")), POLICY), 10.0)
    yield twin
    twin.stop()


async def test_the_quorum_is_handed_over_through_ipmi(glass: Glass, site: Site, laws: Laws):
    """Asked for their machines' names, switched after two people agreed, and read as off."""
    await parted(glass, site)
    run = await glass.start("HandOverQuorum")
    await glass.both_agree(run)

    report = await glass.done(run)

    print(*(f"{step.state} {step.title}: {step.finding}" for step in await steps(run)), sep="\n")
    assert [str(one) for one in report.planned] == [f"BMC: power off {node}" for node in OFF]
    assert report.changed == 3
    assert not any(site.world.nodes[node].powered for node in OFF)
    assert laws.commands == [("bmc.reset", node, "ForceOff") for node in OFF]


async def test_a_dark_cluster_is_started_through_ipmi_and_redfish(glass: Glass, site: Site, laws: Laws):
    """Three controllers of each kind: node after node is switched on, and each is proven before the next one."""
    nodes = [node.name for node in site.inventory.nodes]
    await dark(glass, site)
    run = await glass.start("ColdStart")
    await glass.both_agree(run)

    report = await glass.done(run)

    print(*(f"{step.state} {step.title}: {step.finding}" for step in await steps(run)), sep="\n")
    assert [one.target for one in report.planned] == nodes
    assert report.changed == len(nodes)
    assert laws.commands == [("bmc.reset", node, "On") for node in nodes]
    assert states(site) == {"started"}
