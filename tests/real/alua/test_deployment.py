"""Real open-iscsi, multipathd and LVM: planned, made, proven, and nothing to change the second time."""

import pytest

from tests.real.alua.deployment import Deployment

pytestmark = pytest.mark.real


def test_a_fresh_node_passes_the_preflight(deployment: Deployment):
    """Packages by dpkg, the initiator's name, eight portals that answer, whole packets."""
    real, twin = deployment.preflight

    assert real.finding.startswith("4 packages, initiator as stated; round trips: array_rtt ")
    assert twin.finding.startswith("4 packages, initiator as stated; round trips: array_rtt ")


def test_the_plan_is_what_is_then_changed(deployment: Deployment):
    """Two discoveries, eight logins, one map; word by word what the twin's plan says."""
    real, twin = deployment.planned

    assert len(real) == 11
    assert real == twin
    assert set(deployment.applied[0]) <= set(real)


def test_the_second_run_changes_nothing(deployment: Deployment):
    """Neither paths nor the volume group."""
    assert deployment.again == ([], [])
    assert not deployment.group_again.changed


def test_alua_tells_which_paths_are_optimized(deployment: Deployment):
    """Four through the site's own array, four through the other one; records and units would bring them back."""
    real, twin = deployment.proof

    assert (real.optimized, real.non_optimized) == (4, 4)
    assert real.finding.startswith("4 optimized, 4 non-optimized, there again after a reboot")
    assert (real.optimized, real.non_optimized) == (twin.optimized, twin.non_optimized)


def test_both_nodes_see_the_volume_group(deployment: Deployment):
    """Made by one node; the other one reads it from the same volume, through its own paths."""
    real, twin = deployment.group_applied

    assert real.finding == "pxmx-ac-vg, 10 TiB, seen by 2 nodes"
    assert real.finding == twin.finding
    assert [str(one) for one in deployment.group_planned.changes] == [str(one) for one in real.changes]
