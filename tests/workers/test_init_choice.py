"""What `quorate init` takes of several, what it asks a person to choose, and what it leaves open. Pure."""

from dataclasses import replace

import pytest

from cluster.transports import Transport
from workers.cli.init.choice import (
    must_be_two_sites,
    pods_of,
    prefers,
    shown_by,
    site_proposal,
    storages_of,
    third_place,
    transport_of,
)
from workers.cli.init.draft import Chosen, carriers, exactly
from workers.cli.init.nodes import chosen
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
NODES = ("n1", "s1")
CLUSTER = SeenCluster("c", (Member("n1", "10.0.0.1"), Member("s1", "10.1.0.1")), None, {"one": "vg-1"}, (), (), {})


def refused(error: pytest.ExceptionInfo[Unusable]) -> tuple[str, str]:
    return error.value.what, error.value.remedy


def taken(found: tuple[dict[str, tuple[SeenVolume, ...]], list[str]]) -> dict[str, list[str]]:
    return {pod: [one.name for one in volumes] for pod, volumes in found[0].items()}


def test_the_one_pod_that_is_stretched_to_both_is_taken():
    """One that stands on one array alone is another system's."""
    assert taken(pods_of(None, None, NODES, (A, B))) == {"p1": ["v2"]}
    assert pods_of(None, None, NODES, [replace(array, pods={}) for array in (A, B)]) == ({}, [])


def test_of_several_pods_those_that_the_nodes_see_are_taken_with_all_such_volumes():
    """What the nodes do not see is told, and left out."""
    more = {("p2::v3", "nodes", 8), ("p1::v1", "nodes", 5)}
    both = [replace(array, connections=array.connections | more) for array in TWO]

    assert taken(pods_of(None, None, NODES, both)) == {"p1": ["v1", "v2"], "p2": ["v3"]}
    assert pods_of(None, None, NODES, TWO)[1] == [
        "not drafted, for not both arrays show them to the nodes: p1::v1, p2::v3"
    ]
    assert taken(pods_of("p2", None, NODES, TWO)) == {"p2": ["v3"]}


def test_of_several_pods_that_no_node_sees_a_person_chooses():
    """The error names them, and the option."""
    with pytest.raises(Unusable) as error:
        pods_of(None, None, NODES, [replace(array, connections=frozenset()) for array in TWO])

    assert refused(error) == (
        "--pod: 2 pods are stretched to both arrays, and the nodes see none of their volumes: p1, p2",
        "choose one of them",
    )


def test_a_pod_that_is_not_stretched_is_told_from_one_that_is_not_there():
    """On the array that lacks it."""
    with pytest.raises(Unusable, match="--pod alone: fa-b has no pod of that name"):
        pods_of("alone", None, NODES, (A, B))
    parted = [replace(array, pods={"alone": frozenset({array.name})}) for array in (A, B)]
    with pytest.raises(Unusable, match="--pod alone: it is not stretched to exactly these two arrays"):
        pods_of("alone", None, NODES, parted)


def test_the_volume_that_was_asked_for_is_taken_alone():
    """Where none is asked for, and none is seen, a person chooses."""
    assert taken(pods_of(None, "v1", NODES, (A, B))) == {"p1": ["v1"]}
    with pytest.raises(Unusable, match="--volume: pod p1 has 2 volumes, and the nodes see none of them: v1, v2"):
        pods_of(None, None, NODES, UNCONNECTED)


def test_a_volume_that_two_groups_see_is_taken_as_the_nodes_own_group_sees_it():
    """Without a group of the nodes there is none to take: group and LUN are left open."""
    two = replace(A, connections=A.connections | {("p1::v2", "others", 8)})
    grouped = replace(two, hosts={"n1": SeenHost((), None, group="others")})

    assert shown_by(A, NODES, "p1", "v2") == ("nodes", 7)
    assert shown_by(two, NODES, "p1", "v2") is None
    assert shown_by(grouped, NODES, "p1", "v2") == ("others", 8)


@pytest.mark.parametrize(
    ("hosts", "given", "expected"),
    [
        ({}, None, "iscsi"),
        ({"n1": SeenHost(("iqn.a",), None)}, None, "iscsi"),
        ({"n1": SeenHost((), None, ("52:4a",))}, None, "fc"),
        ({"n1": SeenHost((), None, nqns=("nqn.a",))}, None, "nvme-tcp"),
        # a host of another cluster counts for nothing
        ({"x1": SeenHost((), None, ("52:4a",))}, None, "iscsi"),
        ({"n1": SeenHost(("iqn.a",), None, ("52:4a",))}, "fc", "fc"),
    ],
)
def test_the_transport_is_that_by_which_the_arrays_know_the_nodes(
    hosts: dict[str, SeenHost], given: Transport | None, expected: str
):
    """What was asked for goes before it."""
    assert transport_of(given, NODES, [replace(A, hosts=hosts)]) == expected


def test_of_two_transports_a_person_chooses():
    """The error says which there are."""
    with pytest.raises(Unusable) as error:
        transport_of(None, NODES, [replace(A, hosts={"n1": SeenHost(("iqn.a",), None, ("52:4a",))})])

    assert refused(error) == (
        "--transport: the arrays know the nodes by iqns and wwns",
        "choose the one that carries the pod: --transport iscsi (iSCSI), --transport fc (Fibre Channel)",
    )


def test_pods_that_prefer_different_arrays_get_no_preference():
    """The file holds one for all; the note says what there is."""
    pods = {"p1": VOLUMES["p1"], "p2": VOLUMES["p2"]}
    differing = replace(A, prefers={"p1": ("fa-a",), "p2": ()})

    assert prefers(pods, [replace(A, prefers={"p1": ("fa-b",), "p2": ("fa-b",)}), B]) == ("fa-b", [])
    assert prefers(pods, [differing, B])[0] is None
    assert prefers(pods, [differing, B])[1] == [
        "the pods prefer different arrays (p1: fa-a, p2: none), so no failover_preference is drafted: give all pods "
        "the same"
    ]


WITH_THIRD = replace(CLUSTER, nodes=(*CLUSTER.nodes, Member("t1", "10.2.0.1")))
KNOWN = [replace(one, hosts={"n1": SeenHost((), "fa-a"), "s1": SeenHost((), "fa-b")}) for one in (A, B)]


def test_nodes_that_no_array_knows_are_at_a_third_place_where_no_witness_decides():
    """With a quorum device, or before the arrays know both sites, nothing is guessed."""
    assert third_place(None, WITH_THIRD, KNOWN, witness=False) == ("t1",)
    assert third_place(None, WITH_THIRD, KNOWN, witness=True) == ()
    assert third_place(None, replace(WITH_THIRD, witness="10.9.0.1"), KNOWN, witness=False) == ()
    assert third_place(None, WITH_THIRD, (A, B), witness=False) == ()
    assert third_place("t*", WITH_THIRD, (A, B), witness=False) == ("t1",)


def test_an_odd_number_of_nodes_needs_a_third_place():
    """The error says how it is named."""
    with pytest.raises(Unusable) as error:
        must_be_two_sites(WITH_THIRD, ())

    assert refused(error) == (
        "--pve: cluster c has 3 nodes, an odd number",
        "give both sites the same number of nodes: the quorum device votes only for an even one; or name the nodes of "
        "a third place with --nodes-c",
    )
    must_be_two_sites(WITH_THIRD, ("t1",))


def test_of_hba_ports_the_arrays_list_is_taken_and_of_names_the_nodes_own():
    """Where both say different things a note has both."""
    fibre = [replace(A, hosts={"n1": SeenHost((), None, ("52:00", "52:01"))})]
    named = [replace(A, hosts={"n1": SeenHost(("iqn.old",), None)})]

    assert chosen(["n1"], fibre, {"n1": ("52:00", "52:01", "52:02")}, "fc") == ({"n1": ("52:00", "52:01")}, [])
    assert chosen(["n1"], fibre, {"n1": ("52:00",)}, "fc")[1] == [
        "fa-a has host n1 with 52:00, 52:01; the node itself says 52:00"
    ]
    assert chosen(["n1"], named, {"n1": ("iqn.new",)}, "iscsi") == (
        {"n1": ("iqn.new",)},
        ["fa-a has host n1 with iqn.old; the node itself says iqn.new"],
    )


SEVERAL = replace(CLUSTER, storages={"one": "vg-1", "two": "vg-2"})


def test_storages_are_put_on_the_volumes_that_a_node_says_carry_their_groups():
    """A shared storage on another disk is left out; where no node tells it, the volume is left open."""
    pods, of_two = {"p1": VOLUMES["p1"]}, {"p2": VOLUMES["p2"]}
    on = {"vg-1": "p1::v1", "vg-2": "p1::v2"}

    assert storages_of(None, SEVERAL, pods, on) == (("one", "vg-1", "p1::v1"), ("two", "vg-2", "p1::v2"))
    assert storages_of(None, SEVERAL, of_two, {"vg-2": "p2::v3"}) == (("two", "vg-2", None),)
    unknown = storages_of(None, SEVERAL, pods, {})
    left = carriers(SEVERAL, (A, B), Chosen((("n1",), ("s1",)), pods=pods, storages=unknown))
    assert str(left["storages"][0]["volume"]) == (
        "FILL IN: volume that carries vg-1 (`pvs` on a node, and the volumes' serials): one of p1::v1, p1::v2"
    )


def test_of_several_storages_a_person_chooses():
    """None is no error: Quorate makes it."""
    assert storages_of(None, CLUSTER, {}, {}) == (("one", "vg-1", None),)
    assert storages_of(None, replace(CLUSTER, storages={}), {}, {}) == ()
    with pytest.raises(Unusable) as error:
        storages_of(None, SEVERAL, {}, {})
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
