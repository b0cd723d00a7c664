"""HBA ports and their logins: what is missing is told with where it is mended. Pure."""

import pytest

from activities.parsing.fabric import parse_fabric
from cluster.fabric import Fabric, Hba, Login, lacking, uneven, unzoned

ONE, TWO = "21:00:00:24:FF:00:01:00", "21:00:00:24:FF:00:01:01"
A = {f"52:4A:93:70:00:00:00:{number}": f"CT{number[0]}.FC{number[1]}" for number in ("00", "01", "10", "11")}
B = {f"52:4A:93:78:00:00:00:{number}": f"CT{number[0]}.FC{number[1]}" for number in ("00", "01", "10", "11")}
ARRAYS = {"fa-a": A, "fa-b": B}


def fabric(*without: str, state: str = "Online") -> Fabric:
    """Two HBA ports on two fabrics; `without` are ends of logins that do not carry: ``fa-a CT0.FC0``."""
    logins = [
        Login(hba=hba, target=port, place=f"{2 + side}:0:{number}")
        for side, hba in enumerate((ONE, TWO))
        for array, ports in ARRAYS.items()
        for number, (port, name) in enumerate(ports.items())
        if name.endswith(str(side)) and f"{array} {name}" not in without
    ]
    return Fabric(hbas=(Hba(host=2, wwn=ONE, state=state), Hba(host=3, wwn=TWO, state="Online")), logins=tuple(logins))


def test_a_whole_fabric_lacks_nothing():
    """Four paths through each array, two through each HBA port."""
    whole = fabric()

    assert (lacking(whole, (ONE, TWO)), unzoned(whole, (ONE, TWO), ARRAYS), uneven(whole, (ONE, TWO), ARRAYS)) == (
        "", "", "",
    )  # fmt: skip
    assert [len(whole.at((ONE, TWO), ports)) for ports in ARRAYS.values()] == [4, 4]


def test_a_port_without_a_link_is_told_with_its_scsi_host():
    """Cable, transceiver or switch: nothing that a command on the node mends."""
    assert lacking(fabric(state="Linkdown"), (ONE, TWO)) == (
        f"HBA port {ONE} (host2) is Linkdown, not Online: check its cable, its transceiver and the port of the switch"
    )


def test_a_wwpn_that_the_node_does_not_have_is_told_with_those_that_it_has():
    """An HBA that was exchanged has new names."""
    other = "21:00:00:24:FF:00:09:00"

    assert lacking(fabric(), (other, TWO)) == (
        f"no HBA has the WWPN {other} of the inventory, there is {ONE}, {TWO}; correct wwns of the node in "
        "the inventory"
    )
    assert lacking(Fabric(), (TWO,)) == (
        f"no HBA has the WWPN {TWO} of the inventory, there is no HBA at all; correct wwns of the node in the inventory"
    )


def test_a_port_that_is_zoned_to_no_port_of_an_array_is_named():
    """With the array's ports, so that a zone can be made."""
    found = fabric("fa-b CT0.FC0", "fa-b CT1.FC0")

    assert unzoned(found, (ONE, TWO), ARRAYS) == (
        f"HBA port {ONE} at no port of fa-b (CT0.FC0, CT0.FC1, CT1.FC0, CT1.FC1) is logged in; zone them together on "
        "the switch"
    )


@pytest.mark.parametrize(
    ("without", "said"),
    [
        (
            ("fa-a CT1.FC0",),
            f"each HBA port needs the same number of ports of fa-a: {ONE} has 1 (CT0.FC0), others have 2",
        ),
        (
            ("fa-a CT1.FC0", "fa-a CT1.FC1"),
            "no HBA port is logged in at controller CT1 of fa-a, so the node has no path there while the other one "
            "restarts; zone ports of both",
        ),
    ],
)
def test_logins_that_are_not_alike_are_told(without: tuple[str, ...], said: str):
    """How many there are is the site's affair; a failure shows as a difference."""
    assert uneven(fabric(*without), (ONE, TWO), ARRAYS) == said


def test_arrays_that_are_reached_by_another_number_of_paths_are_told():
    """One HBA port that sees all ports of one array and half of the other's."""
    logins = [Login(hba=ONE, target=port, place="2:0:1") for port in (*A, *list(B)[::2])]
    found = Fabric(hbas=(Hba(host=2, wwn=ONE, state="Online"),), logins=tuple(logins))

    assert uneven(found, (ONE,), ARRAYS) == (
        "both arrays need the same number of paths: 4 logins at fa-a, 2 logins at fa-b; zone as many ports of each"
    )


def test_the_kernels_files_are_read_in_puritys_spelling():
    """A remote port that is gone stays listed for a while; the switch's own is no target."""
    told = (
        "/sys/class/fc_host/host2/port_name:0x21000024ff000100\n"
        "/sys/class/fc_host/host2/port_state:Online\n"
        "/sys/class/fc_remote_ports/rport-2:0-0/port_name:0x2001000000000001\n"
        "/sys/class/fc_remote_ports/rport-2:0-0/port_state:Online\n"
        "/sys/class/fc_remote_ports/rport-2:0-0/scsi_target_id:-1\n"
        "/sys/class/fc_remote_ports/rport-2:0-7/port_name:0x524a937000000010\n"
        "/sys/class/fc_remote_ports/rport-2:0-7/port_state:Not Present\n"
        "/sys/class/fc_remote_ports/rport-2:0-7/scsi_target_id:1\n"
    )

    assert parse_fabric(told) == Fabric(
        hbas=(Hba(host=2, wwn=ONE, state="Online"),),
        logins=(Login(hba=ONE, target="52:4A:93:70:00:00:00:10", place="2:0:1", state="Not Present"),),
    )
