"""Several pods, volumes and storages in one file: what each needs of its own, and how one of each is spelt."""

from pathlib import Path

import pytest
import yaml

from cluster.plan import Mode
from cluster.privileges import needed
from cluster.wishes import Wishes
from tests.pods import two_pods
from tests.twin import PREFERENCE
from tests.workers.test_inventory_file import EXAMPLE
from tests.workers.test_inventory_places import changed, said
from workers.inventory_file import load

TWO = two_pods(PREFERENCE.sub("", EXAMPLE.read_text()))
ONE = "webb-ac-proxmox-01"
# What the example's digest was when an inventory had one pod and no preference: runs have recorded it.
DIGESTS = {"lab": "0c20bafe6837", "metro": "1cb4d236b1a0"}


@pytest.mark.parametrize("example", ["lab", "metro"])
def test_one_of_each_is_spelt_and_counted_as_before(tmp_path: Path, example: str):
    """Neither list stands in it, and the digest is the one that runs have recorded."""
    path = tmp_path / "inventory.yaml"
    path.write_text(PREFERENCE.sub("", EXAMPLE.with_name(f"{example}.yaml").read_text()))
    inventory = load(path)

    assert not {"pods", "storages"} & inventory.model_dump().keys()
    assert inventory.disks == (inventory,)
    assert inventory.digest == DIGESTS[example]


def test_each_volume_is_asked_for_with_its_storage_and_its_guests(tmp_path: Path):
    """Pod by pod, volume by volume, in the order of the file."""
    path = tmp_path / "inventory.yaml"
    path.write_text(TWO)
    inventory = load(path)
    wishes = Wishes(inventory, Mode.PLAN)

    assert [(one.volume_name, one.inventory.storage.id) for one in wishes.each] == [
        (f"{ONE}::ac-pve-test-01", "pxmx-ac-shared"),
        (f"{ONE}::more", "more"),
        (f"{ONE}-two::apart", "apart"),
    ]
    assert [[guest.vmid for guest in one.inventory.guests] for one in wishes.each] == [[300], [301], [302]]
    assert [wishes.guest(guest).storage for guest in inventory.guests] == ["pxmx-ac-shared", "more", "apart"]
    assert [one.pod().beside for one in wishes.each] == [(f"{ONE}::more",), (f"{ONE}::ac-pve-test-01",), ()]
    assert [one.inventory.pod.name for one in wishes.each_pod] == [ONE, f"{ONE}-two"]
    assert {path for path in needed(inventory) if path.startswith("/storage/")} == {
        "/storage/pxmx-ac-shared",
        "/storage/more",
        "/storage/apart",
    }


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (
            f"volume: {ONE}::more",
            f"volume: {ONE}::other",
            f"storages[1].volume: volume {ONE}::other is unknown: known are {ONE}::ac-pve-test-01, {ONE}::more, "
            f"{ONE}-two::apart",
        ),
        (
            f"  volume: {ONE}::more\n",
            "",
            f"storages[1].volume: is missing: with several volumes each storage names its own, one of "
            f"{ONE}::ac-pve-test-01, {ONE}::more, {ONE}-two::apart",
        ),
        (
            f"- id: more\n  vg: vg-more\n  volume: {ONE}::more\n",
            "",
            f"pods[0].volumes[1]: volume {ONE}::more carries no storage: add one to storages with volume: {ONE}::more, "
            "or remove the volume here",
        ),
        (
            "vg: vg-apart",
            "vg: vg-more",
            "storages[2].vg: volume group vg-more is used twice, by storage more and storage apart: each needs its own",
        ),
        (
            "X90R3-SiteA: 51",
            "X90R3-SiteA: 41",
            f"pods[1].volumes[0].luns.X90R3-SiteA: LUN 41 on X90R3-SiteA is used twice, by volume {ONE}::more and "
            f"volume {ONE}-two::apart: each needs its own",
        ),
        (
            f"name: {ONE}-two\n",
            f"name: {ONE}-two\n  failover_preference: X90R3-SiteB\n",
            f"pods[1].failover_preference: pod {ONE}-two prefers X90R3-SiteB and pod {ONE} no array: after a cut "
            "between the sites the pods would be at different ones, and quorum is at one; give all pods the same",
        ),
        (
            "first: X90R3-SiteB",
            "first: elsewhere",
            "pods[1].first: array elsewhere is unknown: known are X90R3-SiteA, X90R3-SiteB",
        ),
        (
            "storage: apart",
            "storage: nowhere",
            "guests[2].storage: storage nowhere is unknown: known are pxmx-ac-shared, more, apart",
        ),
    ],
    ids=["unknown volume", "no volume", "left over", "group twice", "LUN twice", "sides", "first", "guest"],
)
def test_what_does_not_fit_is_told_with_its_field_value_and_remedy(tmp_path: Path, old: str, new: str, complaint: str):
    """One sentence for each."""
    found = said(tmp_path, changed(TWO, (old, new)))

    assert complaint in found


def test_a_volume_that_carries_two_storages_is_refused(tmp_path: Path):
    """And the one that is left over by it."""
    twice = changed(TWO, (f"volume: {ONE}::more", f"volume: {ONE}-two::apart"))

    assert said(tmp_path, twice) == [
        f"pods[0].volumes[1]: volume {ONE}::more carries no storage: add one to storages with volume: {ONE}::more, or "
        "remove the volume here",
        f"storages[2].volume: volume {ONE}-two::apart carries more and apart: each storage needs a volume of its own",
    ]


def test_one_and_several_are_not_given_together(tmp_path: Path):
    """Nothing else is said before that is settled; nor without any."""
    document = yaml.safe_load(TWO)
    alone = {key: value for key, value in document.items() if key not in ("pods", "storages")}

    assert said(tmp_path, yaml.safe_dump(document | {"pod": document["pods"][0]})) == [
        "pods: is given beside pod: list all of them in pods, and remove pod"
    ]
    assert said(tmp_path, yaml.safe_dump(alone)) == [
        "pod: is missing: give pod, or pods where there are several",
        "storage: is missing: give storage, or storages where there are several",
    ]
