"""The doctor at a twin over NVMe/TCP: nothing of iSCSI is asked, and NVMe's own troubles are told with their remedy."""

import re
from collections.abc import Iterator

import pytest

from cluster.doctor.check import Area
from lab.physics import nvme
from lab.physics.initiator import Way
from tests.doctor.conftest import SPEED, Patient
from tests.twin import bent, inventory_file, over_nvme

AREAS: tuple[Area, ...] = ("hosts", "arrays")
NODE, CLONE, ARRAY = "pxmx01-02", "pxmx01-03", "X90R3-SiteA"


@pytest.fixture(scope="module")
def running_over_nvme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Patient]:
    path = bent(inventory_file(tmp_path_factory.mktemp("doctor"), "doctor-nvme"), over_nvme)
    one = Patient(path, speed=SPEED)
    yield one
    one.stop()


@pytest.fixture
def patient(running_over_nvme: Patient) -> Patient:
    """As built, and healthy."""
    running_over_nvme.rebuild()
    return running_over_nvme


def test_a_healthy_cluster_over_nvme_is_told_in_its_own_words(patient: Patient):
    """Portals, who joins paths, each path, what a boot brings back."""
    page = patient.page(AREAS)

    assert [line for line in page if re.search("initiator|portals|NVMe|paths|reboot|packages|services", line)] == [
        "  ✓ 6 nodes: packages: corosync-qdevice, lvm2, nvme-cli installed",
        "  ✓ 6 nodes: services: corosync-qdevice running, and enabled",
        "  ✓ 6 nodes: initiator: as in the inventory",
        "  ✓ 6 nodes: portals: all 8 take connections",
        "  ✓ 6 nodes: NVMe: native multipathing",
        "  ✓ 6 nodes: paths: 4 optimized, 4 non-optimized",
        "  ✓ 6 nodes: after a reboot: discovery.conf and its unit bring every controller back",
        "  ✓ qdevice: packages: corosync-qnetd installed",
        "  ✓ qdevice: services: corosync-qnetd running, and enabled",
        "  ✓ X90R3-SiteA, X90R3-SiteB: NVMe/TCP ports: 2 on CT0, 2 on CT1",
    ]
    assert not [line for line in page if "iSCSI" in line or "multipathd" in line]


def test_each_trouble_of_a_node_has_its_line_and_its_remedy(patient: Patient):
    """A name, a module, a controller that was given up, a boot that would connect nowhere."""
    host, clone = patient.world.nodes[NODE], patient.world.nodes[CLONE]
    clone.nvme.nqn = "nqn.2014-08.org.nvmexpress:uuid:00000000-0000-0000-0000-000000000001"
    host.nvme.loaded = False
    nvme.disconnect(host, Way(ARRAY, "10.22.1.4:4420"))
    host.disabled.add(nvme.UNIT)

    assert [line for line in patient.wrong(AREAS) if "failover preference" not in line] == [
        f"✗ {NODE}: NVMe: the module nvme_tcp is not loaded do: there: modprobe nvme-tcp; echo nvme-tcp > "
        "/etc/modules-load.d/nvme-tcp.conf",
        f"✗ {NODE}: paths: 3 of 4 optimized paths through {ARRAY}, no controller at 10.22.1.4:4420 do: run: quorate "
        "plan deploy; there: nvme list-subsys",
        f"✗ {NODE}: after a reboot: nvmf-autoconnect.service is not enabled, so a reboot would lose the paths do: "
        "there: systemctl enable nvmf-autoconnect.service",
        f"✗ {CLONE}: initiator: /etc/nvme/hostnqn says nqn.2014-08.org.nvmexpress:uuid:00000000-0000-0000-0000-"
        "000000000001, the inventory says nqn.2014-08.org.nvmexpress:uuid:4c4c4544-0031-5910-804b-000000000003 "
        f"do: correct the nqn of {CLONE} in the inventory",
        f"✗ {CLONE}: paths: 0 of 4 optimized paths through {ARRAY}, ANA says inaccessible: {ARRAY} does not serve it "
        "to this host; look at pod and connections there; 0 of 4 non-optimized paths through X90R3-SiteB, ANA says "
        "inaccessible: X90R3-SiteB does not serve it to this host; look at pod and connections there do: run: quorate "
        "plan deploy; there: nvme list-subsys",
    ]


def test_two_subsystems_are_told_once_for_each_node(patient: Patient):
    """With the words of the deployment."""
    patient.world.arrays["X90R3-SiteB"].nqn = "nqn.2010-06.com.purestorage:flasharray.13f7c2b96e04d8a5"

    (line,) = [one for one in patient.page(AREAS) if "NVMe: the arrays show" in one]
    assert line.startswith("  ✗ 6 nodes: NVMe: the arrays show the pod under 2 NVMe subsystems (nqn.2010-06.")
