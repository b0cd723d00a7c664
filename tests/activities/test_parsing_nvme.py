"""What nvme-cli and a host's files say of NVMe over fabrics becomes models.

The shapes are those of nvme-cli's own sources, `json_print_nvme_subsystem_list` of 1.16, 2.13 and 3.0; the names in
them are an array's and a host's.
"""

from pathlib import Path

import pytest

from activities.errors import Unreachable
from activities.parsing.nvme import parse_controllers, parse_discovery, parse_hostnqn, parse_native
from cluster.nvme import Line


def capture(name: str) -> str:
    return (Path(__file__).parents[1] / "captures" / name).read_text()


@pytest.mark.parametrize(
    ("name", "iface", "states"),
    [
        ("nvme-subsys-1.16.json", "", ["", "", "", ""]),
        ("nvme-subsys-2.13.json", "ens1f0", ["", "", "", ""]),
        ("nvme-device-2.13.json", "ens1f0", ["optimized", "optimized", "non-optimized", "non-optimized"]),
        ("nvme-device-3.0.json", "ens1f0", ["optimized", "optimized", "non-optimized", "non-optimized"]),
    ],
)
def test_reads_the_controllers_of_every_version(name: str, iface: str, states: list[str]):
    """The disk within the node and discovery controllers are none; addresses have blanks or commas."""
    found = parse_controllers(capture(name))

    assert [one.portal for one in found] == ["10.22.1.1:4420", "10.22.1.2:4420", "10.22.2.1:4420", "10.22.2.2:4420"]
    assert {(one.subsystem, one.group, one.iface) for one in found} == {
        ("nqn.2010-06.com.purestorage:flasharray.5a8c19e07d2b4f63", "nvme-subsys1", iface)
    }
    assert [one.ana for one in found] == states


def test_a_controller_that_is_not_live_is_told():
    """Connecting is the kernel's word for one whose portal does not answer."""
    assert [one.live for one in parse_controllers(capture("nvme-subsys-2.13.json"))] == [False, True, True, True]


@pytest.mark.parametrize("text", ["", "[]\n", "{}\n", '[{"HostNQN": "nqn.2014-08.x:y", "Subsystems": []}]'])
def test_a_host_without_controllers_has_none(text: str):
    """Each version says so in its own way."""
    assert parse_controllers(text) == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nvme-subsys1 - NQN=nqn.2010", "cannot be read"),
        ('[{"Subsystems": [{"Name": "nvme-subsys1"}]}]', "a subsystem without NQN"),
        ('{"Subsystems": [{"NQN": "nqn.x", "Paths": [{"Transport": "tcp"}]}]}', "a path without address or state"),
    ],
)
def test_what_cannot_be_read_is_no_empty_list(text: str, said: str):
    """Passed over, it would be a controller that is not there."""
    with pytest.raises(Unreachable, match=said):
        parse_controllers(text)


def test_an_ipv6_portal_has_its_brackets():
    """As the arrays spell it."""
    path = '{"Name": "nvme1", "Transport": "tcp", "Address": "traddr=fd00::1,trsvcid=4420", "State": "live"}'
    (found,) = parse_controllers(f'[{{"Subsystems": [{{"Name": "s", "NQN": "nqn.x", "Paths": [{path}]}}]}}]')

    assert found.portal == "[fd00::1]:4420"


def test_reads_the_lines_of_discovery_conf():
    """Long and short options, blank or equals sign; the port of discovery where none is written."""
    text = (
        "# Used for extracting default parameters for discovery\n\n"
        "--transport=tcp --traddr=10.22.1.1 --trsvcid=4420 --ctrl-loss-tmo=-1 --fast_io_fail_tmo=30\n"
        "-t tcp -a 10.22.1.2 -s 4420 -f ens1f0 -l 1800\n"
        "--transport tcp --traddr 10.22.1.3 --host-traddr 10.22.9.11\n"
        "--transport=fc --traddr=nn-0x1:pn-0x2\n"
    )

    assert parse_discovery(text) == (
        Line(portal="10.22.1.1:4420", patient=True),
        Line(portal="10.22.1.2:4420", iface="ens1f0"),
        Line(portal="10.22.1.3:8009", iface="10.22.9.11"),
    )


def test_reads_the_hosts_own_name():
    """One line, and nothing else."""
    assert parse_hostnqn("nqn.2014-08.org.nvmexpress:uuid:4c4c4544\n") == "nqn.2014-08.org.nvmexpress:uuid:4c4c4544"
    with pytest.raises(Unreachable, match="it is empty"):
        parse_hostnqn("\n")


def test_reads_whether_the_kernel_joins_paths():
    """A parameter of nvme_core."""
    assert parse_native("Y\n")
    assert not parse_native("N\n")
    with pytest.raises(Unreachable, match="cannot be read"):
        parse_native("maybe\n")
