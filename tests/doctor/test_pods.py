"""The doctor at a twin with two pods and three volumes."""

import re
from collections.abc import Iterator

import pytest

from cluster.doctor.check import Area
from tests.doctor.conftest import SPEED, Patient
from tests.pods import two_pods
from tests.twin import bent, inventory_file

AREAS: tuple[Area, ...] = ("hosts", "arrays")


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Patient]:
    """As built."""
    path = bent(inventory_file(tmp_path_factory.mktemp("doctor"), "doctor-pods"), two_pods)
    one = Patient(path, speed=SPEED)
    one.rebuild()
    yield one
    one.stop()


def test_volumes_and_groups_of_all_pods_are_looked_at(patient: Patient):
    """Multipath, what a boot brings back, and every volume group."""
    page = patient.page(AREAS)

    assert [line for line in page if re.search("multipath: |reboot: |autoactivation: ", line)] == [
        "  ✓ 6 nodes: multipath: settings harmless for the volume, no other disk claimed",
        "  ✓ 6 nodes: after a reboot: sessions, units and WWIDs come back",
        "  ✓ pxmx-ac-vg vg-more vg-apart: autoactivation: no volume is activated at boot",
    ]


def test_a_wwid_that_a_boot_would_lose_is_found_for_each_volume(patient: Patient):
    """The last volume's alone is missing on one node."""
    inventory = patient.inventory
    (array,) = [one for one in patient.world.arrays.values() if one.name == inventory.all_pods[1].first]
    serial = next(one.serial for one in array.all_volumes() if one.full_name == inventory.disks[2].volume_name)
    wwid = patient.world.disks[serial].wwid
    patient.world.nodes["pxmx01-02"].wwids.discard(wwid)

    assert [line for line in patient.wrong(AREAS) if wwid in line and "pxmx01-02" in line]
