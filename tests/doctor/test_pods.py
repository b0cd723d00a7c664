"""The doctor at a twin with two pods and three volumes."""

import re
from collections.abc import Iterator

import pytest

from cluster.doctor import nvme
from cluster.doctor.arrays import ArrayTold
from cluster.doctor.check import Area
from cluster.doctor.nvme import NvmeTold, Seen
from cluster.nvme import Controller
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


def test_a_pod_that_prefers_another_array_has_a_line_of_its_own(patient: Patient):
    """Both prefer none as they were made; then the second one alone is wrong."""
    for array in patient.world.arrays.values():
        for pod in array.pods:
            pod.failover_preferences = [patient.inventory.arrays[pod.name.endswith("-two")].name]

    assert [line.partition(":")[0] for line in patient.wrong(AREAS)] == ["✗ webb-ac-proxmox-01-two"]


def test_volumes_and_groups_of_all_pods_are_looked_at(patient: Patient):
    """Multipath, what a boot brings back, and every volume group."""
    page = patient.page(AREAS)

    assert [line for line in page if re.search("multipath: |paths: |reboot: |autoactivation: ", line)] == [
        "  ✓ 6 nodes: multipath: settings harmless for the volume, no other disk claimed",
        "  ✓ 6 nodes: paths: 4 optimized, 4 non-optimized",
        "  ✓ 6 nodes: after a reboot: sessions, units and WWIDs come back",
        "  ✓ pxmx-ac-vg vg-more vg-apart: autoactivation: no volume is activated at boot",
    ]


def test_a_volume_without_a_map_is_found_whichever_it_is(patient: Patient):
    """multipathd has forgotten the last one's on one node: it has no paths now, and a boot makes none."""
    inventory = patient.inventory
    (array,) = [one for one in patient.world.arrays.values() if one.name == inventory.all_pods[1].first]
    serial = next(one.serial for one in array.all_volumes() if one.full_name == inventory.disks[2].volume_name)
    wwid = patient.world.disks[serial].wwid
    patient.world.nodes["pxmx01-02"].wwids.discard(wwid)

    told = [line for line in patient.wrong(AREAS) if wwid in line and "pxmx01-02" in line]
    assert told[0] == (
        f"✗ pxmx01-02: paths: multipath shows no device {wwid} do: run: quorate plan deploy; "
        f"there: multipath -ll {wwid}"
    )
    assert [line.split(": ")[1] for line in told] == ["paths", "after a reboot"]


WWIDS = ("eui.00730d18773140002400010000000001", "eui.00730d18773140002400010000000002")
PORTALS = {"array-a": "10.0.1.1:4420", "array-b": "10.0.2.1:4420"}


def seen(a: str, b: str, device: str = "/dev/nvme1n1") -> dict[str, object]:
    """A volume over one controller to each array, with its ANA states."""
    states = zip(PORTALS.values(), (a, b), strict=True)
    ways = [Controller(name=at, subsystem="nqn", portal=at, ana=ana) for at, ana in states]
    return {"device": device, "controllers": tuple(ways)}


def paths_over_nvme(second: dict[str, object]) -> str:
    """What is said of a node whose first volume has all its paths."""
    first = seen("optimized", "non-optimized")
    arrays = [
        ArrayTold(name=name, levels=(), wwid=WWIDS[0], wwids=WWIDS[1:], portals=(at,)) for name, at in PORTALS.items()
    ]
    told = NvmeTold(native=True, module=None, others={WWIDS[1]: Seen.model_validate(second)}, **first)
    check = nvme.paths("pxmx01-01", "array-a", told, arrays)
    return f"{check.state}: {check.evidence}"


def test_the_paths_of_every_volume_are_asked_for_over_nvme():
    """The first volume's are complete; the last one has none through one array, or is not there at all."""
    assert paths_over_nvme(seen("optimized", "non-optimized")) == "ok: 1 optimized, 1 non-optimized"
    assert paths_over_nvme(seen("inaccessible", "non-optimized")).startswith(
        f"wrong: {WWIDS[1]}: 0 of 1 optimized paths through array-a, ANA says inaccessible"
    )
    assert paths_over_nvme({"controllers": seen("", "")["controllers"]}) == (
        f"wrong: no NVMe namespace {WWIDS[1]}, though every controller is live"
    )
