"""Real nvme-cli, the kernel's own initiator and LVM: planned, made, proven, and nothing to change the second time."""

import pytest

from tests.real.alua.deployment import Deployment
from tests.real.alua.sides import Both

pytestmark = pytest.mark.real


def test_a_fresh_node_passes_the_preflight(deployment: Deployment):
    """Packages by dpkg, the module, the node's NQN, eight portals that answer, whole packets."""
    real, twin = deployment.preflight

    assert real.finding.startswith("3 packages, NQN as stated, native multipathing; round trips: array_rtt ")
    assert twin.finding.startswith("3 packages, NQN as stated, native multipathing; round trips: array_rtt ")


def test_the_plan_is_what_is_then_changed(deployment: Deployment):
    """Eight connections and eight lines of discovery.conf; word by word what the twin's plan says."""
    real, twin = deployment.planned

    assert len(real) == 16
    assert real == twin
    assert list(deployment.applied[0]) == list(real)


def test_the_second_run_changes_nothing(deployment: Deployment):
    """Neither paths nor the volume group."""
    assert deployment.again == ([], [])
    assert not deployment.group_again.changed


def test_ana_tells_which_paths_are_optimized(deployment: Deployment):
    """Four through the site's own array, four through the other one; discovery.conf and unit would bring them back."""
    real, twin = deployment.proof

    assert (real.optimized, real.non_optimized) == (4, 4)
    assert real.finding.startswith("4 optimized, 4 non-optimized, there again after a reboot")
    assert (real.optimized, real.non_optimized) == (twin.optimized, twin.non_optimized)


def test_both_nodes_see_the_volume_group(deployment: Deployment):
    """Made by one node; the other one reads it from the same namespace, through its own controllers."""
    real, twin = deployment.group_applied

    assert real.finding == "pxmx-ac-vg, 10 TiB, seen by 2 nodes"
    assert real.finding == twin.finding
    assert [str(one) for one in deployment.group_planned.changes] == [str(one) for one in real.changes]


async def test_each_site_is_optimized_through_its_own_array(both: Both):
    """The same arrays tell the other site's node the opposite."""
    for node in both.real.nodes:
        assert await both.real.counts(node, 4, 4, within=10) >= 0
