"""The doctor at a twin on Fibre Channel: nothing of iSCSI is asked, and HBAs' troubles are told with their remedy."""

import re
from collections.abc import Iterator

import pytest

from cluster.doctor.check import Area
from lab.physics import fabric
from tests.doctor.conftest import SPEED, Patient
from tests.twin import bent, inventory_file, over_fibre

AREAS: tuple[Area, ...] = ("hosts", "arrays")
NODE, OTHER, ARRAY = "pxmx01-02", "pxmx01-03", "X90R3-SiteA"


@pytest.fixture(scope="module")
def running_over_fibre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Patient]:
    path = bent(inventory_file(tmp_path_factory.mktemp("doctor"), "doctor-fibre"), over_fibre)
    one = Patient(path, speed=SPEED)
    yield one
    one.stop()


@pytest.fixture
def patient(running_over_fibre: Patient) -> Patient:
    """As built, and healthy."""
    running_over_fibre.rebuild()
    return running_over_fibre


def test_a_healthy_cluster_on_fibre_channel_is_told_in_its_own_words(patient: Patient):
    """HBA ports, maps, what a boot brings back."""
    page = patient.page(AREAS)

    assert [
        line for line in page if re.search("initiator|portals|HBA|paths|multipath|reboot|packages|Channel", line)
    ] == [
        "  ✓ 6 nodes: packages: corosync-qdevice, lvm2, multipath-tools installed",
        "  ✓ 6 nodes: services: multipathd, corosync-qdevice running, and enabled",
        "  ✓ 6 nodes: HBAs: 2 ports with a link, 8 logins at the arrays",
        "  ✓ 6 nodes: multipath: settings harmless for the volume, no other disk claimed",
        "  ✓ 6 nodes: paths: 4 optimized, 4 non-optimized",
        "  ✓ 6 nodes: after a reboot: logins, units and WWIDs come back",
        "  ✓ qdevice: packages: corosync-qnetd installed",
        "  ✓ X90R3-SiteA, X90R3-SiteB: Fibre Channel ports: 2 on CT0, 2 on CT1",
    ]
    assert not [line for line in page if "iSCSI" in line or "iscsi" in line]


def test_each_trouble_of_an_hba_has_its_line_and_its_remedy(patient: Patient):
    """A dark port, an HBA that was exchanged, a unit that does not boot along."""
    patient.fail("hba", NODE, "1")
    patient.world.nodes[NODE].disabled.add("multipathd")
    exchanged = ("21:00:00:24:FF:00:99:00", "21:00:00:24:FF:00:03:01")
    fabric.exchange(patient.world, patient.world.nodes[OTHER], exchanged)

    told = [line for line in patient.wrong(AREAS) if ": HBAs: " in line or ": after a reboot: " in line]
    assert told == [
        f"✗ {NODE}: HBAs: HBA port 21:00:00:24:FF:00:02:01 (host3) is Linkdown, not Online do: check its cable, its "
        "transceiver and the port of the switch",
        f"✗ {NODE}: after a reboot: multipathd.service is not enabled, so a reboot would lose the paths do: there: "
        "systemctl enable multipathd.service",
        f"✗ {OTHER}: HBAs: no HBA has the WWPN 21:00:00:24:FF:00:03:00 of the inventory, there is "
        "21:00:00:24:FF:00:99:00, 21:00:00:24:FF:00:03:01 do: correct wwns of the node in the inventory",
    ]


def test_a_zone_that_leaves_an_array_out_is_told_with_its_ports(patient: Patient):
    """All ports of an array in one fabric are away from each node alike."""
    for port in ("0", "2"):
        patient.fail("portal", ARRAY, port)

    assert [line for line in patient.wrong(AREAS) if f"✗ {NODE}: HBAs" in line] == [
        f"✗ {NODE}: HBAs: HBA port 21:00:00:24:FF:00:02:00 at no port of {ARRAY} (CT0.FC0, CT0.FC1, CT1.FC0, CT1.FC1) "
        "is logged in do: zone them together on the switch"
    ]
