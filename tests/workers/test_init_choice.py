"""What `quorate init` takes of several, what it asks a person to choose, and what it leaves open. Pure."""

from dataclasses import replace

import pytest

from workers.cli.init.choice import pod_of, shown_by, site_proposal, storage_of, volume_of
from workers.cli.init.draft import exactly
from workers.cli.init.seen import Member, SeenArray, SeenCluster, SeenHost, SeenVolume
from workers.errors import Unusable

BOTH = frozenset({"fa-a", "fa-b"})
VOLUMES = {"p1": (SeenVolume("v1", 2**40), SeenVolume("v2", 2**40)), "p2": (SeenVolume("v3", 2**40),)}
A = SeenArray(
    "fa-a",
    "10.0.0.10",
    pods={"p1": BOTH, "alone": frozenset({"fa-a"})},
    volumes=VOLUMES,
    connections=frozenset({("p1::v2", "nodes", 7)}),
)
B = replace(A, name="fa-b", address="10.1.0.10", pods={"p1": BOTH}, connections=frozenset({("p1::v2", "nodes", 9)}))
TWO = [replace(array, pods={"p1": BOTH, "p2": BOTH}) for array in (A, B)]
UNCONNECTED = [replace(array, connections=frozenset()) for array in (A, B)]
CLUSTER = SeenCluster("c", (Member("n1", "10.0.0.1"), Member("s1", "10.1.0.1")), None, {"one": "vg-1"}, (), (), {})


def refused(error: pytest.ExceptionInfo[Unusable]) -> tuple[str, str]:
    return error.value.what, error.value.remedy


def test_the_one_pod_that_is_stretched_to_both_is_taken():
    """One that stands on one array alone is another system's."""
    assert pod_of(None, (A, B)) == "p1"
    assert pod_of(None, [replace(array, pods={}) for array in (A, B)]) is None


def test_of_several_pods_a_person_chooses():
    """The error names them, and the option."""
    with pytest.raises(Unusable) as error:
        pod_of(None, TWO)

    assert refused(error) == ("--pod: 2 pods are stretched to both arrays: p1, p2", "choose one of them")
    assert pod_of("p2", TWO) == "p2"


def test_a_pod_that_is_not_stretched_is_told_from_one_that_is_not_there():
    """On the array that lacks it."""
    with pytest.raises(Unusable, match="--pod alone: fa-b has no pod of that name"):
        pod_of("alone", (A, B))
    parted = [replace(array, pods={"alone": frozenset({array.name})}) for array in (A, B)]
    with pytest.raises(Unusable, match="--pod alone: it is not stretched to exactly these two arrays"):
        pod_of("alone", parted)


def test_the_volume_that_the_nodes_see_is_taken():
    """Where several are seen, or none, a person chooses."""
    assert volume_of(None, "p1", (A, B)) == SeenVolume("v2", 2**40)
    assert volume_of("v1", "p1", (A, B)) == SeenVolume("v1", 2**40)
    with pytest.raises(Unusable, match="--volume: pod p1 has 2 volumes: v1, v2"):
        volume_of(None, "p1", UNCONNECTED)


def test_a_volume_that_two_groups_see_has_no_group_to_take():
    """Group and LUN are left open."""
    assert shown_by(A, "p1", "v2") == ("nodes", 7)
    assert shown_by(replace(A, connections=A.connections | {("p1::v2", "others", 8)}), "p1", "v2") is None


def test_of_several_storages_a_person_chooses():
    """None is no error: Quorate makes it."""
    assert storage_of(None, CLUSTER) == ("one", "vg-1")
    assert storage_of(None, replace(CLUSTER, storages={})) is None
    with pytest.raises(Unusable) as error:
        storage_of(None, replace(CLUSTER, storages={"one": "vg-1", "two": "vg-2"}))
    assert refused(error) == ("--storage: c has 2 shared LVM storages: one, two", "choose one of them")


def test_arrays_that_contradict_each_other_about_a_host_tell_no_site():
    """Each prefers itself: then it is for names and addresses to tell."""
    said = [replace(one, hosts={"n1": SeenHost((), one.name), "s1": SeenHost((), one.name)}) for one in (A, B)]
    found = site_proposal(CLUSTER, said)

    assert found is not None
    assert (found.halves, found.why) == ((("n1",), ("s1",)), "the nodes' names, and the arrays' addresses")


@pytest.mark.parametrize(
    ("number", "text"),
    [(10 * 2**40, "10TiB"), (1536 * 2**20, "1536MiB"), (2**30 + 1, 2**30 + 1), (0, 0), (2**50, "1PiB")],
)
def test_a_size_is_written_in_the_largest_unit_that_leaves_nothing_over(number: int, text: str | int):
    """So that it is read back as exactly that many bytes."""
    assert exactly(number) == text
