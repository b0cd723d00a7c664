"""Inventories whose names and addresses are Proxmox VE's own, and those that it would not take."""

from pathlib import Path

import pytest
import yaml

from cluster.addresses import netloc, split
from tests.cases.inputs import HERE
from workers.inventory_file import InventoryError, load

PLAIN = yaml.safe_load((HERE / "inventory-vg-digit.yaml").read_text())


def written(tmp_path: Path, *changes: tuple[str, object]) -> Path:
    """The plain inventory with these values at these places (``sites.0.nodes.0.name``)."""
    document = yaml.safe_load(yaml.safe_dump(PLAIN))
    for place, value in changes:
        *way, last = (int(part) if part.isdigit() else part for part in place.split("."))
        found = document
        for part in way:
            found = found[part]
        found[last] = value
    path = tmp_path / "inventory.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def refused(path: Path) -> list[str]:
    with pytest.raises(InventoryError) as caught:
        load(path)
    return [f"{one.field}: {one.message}" for one in caught.value.complaints]


@pytest.mark.parametrize("name", ["inventory-ipv6", "inventory-leading-digit", "inventory-vg-digit"])
def test_what_proxmox_takes_is_taken(name: str):
    """As it is written."""
    assert len(load(HERE / f"{name}.yaml").nodes) == 4


def test_a_witness_with_the_name_of_a_node_is_refused():
    """Commands for the one would go to the other."""
    assert refused(HERE / "inventory-witness-like-node.yaml") == [
        "witness.name: name hz1-01 is used twice, by node hz1-01 of dc1 and the witness: each needs its own"
    ]


NODE, WITNESS, ARRAY = "sites.0.nodes.0", "witness", "arrays.0"
FIELDS = {
    "cluster": ("name", ("a", "123cluster", "9", "hz-metro", "x" * 15), ("pve_1", "-x", "x-", "a.b", "", "x" * 16)),
    "node": (f"{NODE}.name", ("1pve", "a", "HZ-1", "x" * 63), ("pve_1", "pve.example.net", "-a", "a-", "", "x" * 64)),
    "witness": (f"{WITNESS}.name", ("1w", "wit.example.net", "q"), ("wit_1", "-w", "w.", ".w", "")),
    "guest": ("guests.0.name", ("01-web", "a", "web.example.net", "1.2"), ("web_1", "-a", "a..b", "a b", "")),
    "group": ("storage.vg", ("1tb-vg", "8tb.metro", "VG", "a_b", "00"), ("a", "-vg", "vg-", ".vg", "v g", "")),
    "storage": ("storage.id", ("a1", "Metro_1.x", "ab"), ("1metro", "a", "m-", "_m", "m m", "")),
    "site": ("sites.0.name", ("1", "A", "dc_1", "metro.a"), ("-a", "a-", "a b", "", "witness", "engine")),
}
TAKEN = [(where, value) for where, good, _ in FIELDS.values() for value in good]
REFUSED = [(where, value) for where, _, bad in FIELDS.values() for value in bad]


@pytest.mark.parametrize(("where", "value"), TAKEN)
def test_each_kind_of_name_by_its_own_rule(tmp_path: Path, where: str, value: str):
    """pve-node, dns-name, pve-storage-vgname, pve-storage-id; sites are named by us."""
    home = [("guests.0.node", value)] if where == f"{NODE}.name" else []

    load(written(tmp_path, (where, value), *home))


@pytest.mark.parametrize(("where", "value"), REFUSED)
def test_what_proxmox_would_not_take_is_refused_at_its_field(tmp_path: Path, where: str, value: str):
    """The field and the rule; Proxmox would say it in the middle of a deployment."""
    (said, *_) = refused(written(tmp_path, (where, value)))

    assert said.startswith(where.replace(".0", "[0]"))


@pytest.mark.parametrize("witness", ["1HZ1-01", "hz1-01", "HZ1-01"])
def test_case_makes_no_other_name(tmp_path: Path, witness: str):
    """Host names have none."""
    said = refused(written(tmp_path, ("witness.name", witness), (f"{NODE}.name", witness.lower())))

    assert any("is used twice" in one for one in said)


@pytest.mark.parametrize(
    ("address", "kept", "url"),
    [
        ("10.31.9.11", "10.31.9.11", "10.31.9.11"),
        ("pve1.example.net", "pve1.example.net", "pve1.example.net"),
        ("fd00:31:1::11", "fd00:31:1::11", "[fd00:31:1::11]"),
        ("[fd00:31:1::11]", "fd00:31:1::11", "[fd00:31:1::11]"),
        ("FD00:0031:0001:0000:0000:0000:0000:0011", "fd00:31:1::11", "[fd00:31:1::11]"),
        ("::ffff:10.31.9.11", "10.31.9.11", "10.31.9.11"),
    ],
)
@pytest.mark.parametrize("where", [NODE, WITNESS, ARRAY])
def test_an_address_has_one_spelling(tmp_path: Path, where: str, address: str, kept: str, url: str):
    """Whichever way it is written, for whichever device; brackets stand in URLs alone."""
    inventory = load(written(tmp_path, (f"{where}.address", address)))
    addresses = {
        NODE: inventory.nodes[0].address,
        WITNESS: inventory.device,
        ARRAY: inventory.arrays[0].address,
    }
    found = addresses[where]

    assert (found, netloc(found)) == (kept, url)


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("10.31.1.10:8443", "10.31.1.10:8443"),
        ("array.example.net:443", "array.example.net:443"),
        ("[fd00:0::10]:8443", "[fd00::10]:8443"),
    ],
)
def test_an_array_may_have_a_port(tmp_path: Path, address: str, kept: str):
    """And a management controller."""
    inventory = load(written(tmp_path, (f"{ARRAY}.address", address)))

    assert inventory.arrays[0].address == netloc(kept) == kept


WRONG = [
    ("https://10.31.1.11:8006/", "an address is no URL: write 10.31.1.11:8006 alone"),
    ("10.31.1.11/24", "an address has no prefix length and no path: write 10.31.1.11 alone"),
    ("fd00::11/64", "an address has no prefix length and no path: write fd00::11 alone"),
    ("10.31.1.300", "is no IPv4 address"),
    ("10.31.1", "is no IPv4 address"),
    ("010.31.1.11", "is no IPv4 address"),
    ("fd00:::11", "is no IPv6 address"),
    ("[fd00::11", "an IPv6 address in brackets looks like"),
    ("[pve1]", "brackets are for IPv6 addresses alone: write pve1"),
    ("fe80::1%vmbr0", "a link-local address with a zone"),
    ("0.0.0.0", "stands for no single host"),  # noqa: S104  # nothing is bound to it
    ("::", "stands for no single host"),
    ("pve_1", "is neither an address nor a host name"),
    ("pve 1", "is neither an address nor a host name"),
    ("", "is neither an address nor a host name"),
    ("pve1:port", "a port is a number from 1 to 65535"),
    ("pve1:0", "a port is a number from 1 to 65535"),
]


@pytest.mark.parametrize(("address", "said"), WRONG)
@pytest.mark.parametrize("where", [NODE, WITNESS, ARRAY])
def test_what_is_no_address_is_refused_with_what_to_write(tmp_path: Path, where: str, address: str, said: str):
    """At the field, for each device."""
    (found, *_) = refused(written(tmp_path, (f"{where}.address", address)))

    assert found.startswith(f"{where.replace('.0', '[0]')}.address: ")
    assert said in found


@pytest.mark.parametrize("address", ["10.31.1.11:8006", "[fd00::11]:8006", "pve1:22"])
@pytest.mark.parametrize("where", [NODE, WITNESS])
def test_a_port_is_no_part_of_a_hosts_address(tmp_path: Path, where: str, address: str):
    """It is reached at two: the API's and the SSH server's."""
    (found,) = refused(written(tmp_path, (f"{where}.address", address)))

    assert f"this address takes no port: write {split(address)[0]}; ports are set at api.port and ssh.port" in found


@pytest.mark.parametrize("other", ["FD00:31:1:0::11", "[fd00:31:1::11]", "[fd00:31:1::11]:443"])
def test_two_spellings_are_one_address(tmp_path: Path, other: str):
    """An array on a node's address, written otherwise."""
    (found,) = refused(written(tmp_path, (f"{NODE}.address", "fd00:31:1::11"), (f"{ARRAY}.address", other)))

    assert "address fd00:31:1::11 is used twice" in found


def test_a_password_in_an_address_is_not_repeated(tmp_path: Path):
    """An URL is refused, and the message does not spread what stands in it."""
    (found,) = refused(written(tmp_path, (f"{ARRAY}.address", "https://admin:canary@10.31.1.10/")))

    assert found == "arrays[0].address: an address is no URL: write 10.31.1.10 alone"


def test_two_nodes_have_two_management_controllers(tmp_path: Path):
    """Else one machine's power would speak for the other."""
    bmc = {"address": "10.31.9.1", "user": "u", "password": "env:BMC"}
    path = written(tmp_path, ("sites.0.nodes.0.bmc", bmc), ("sites.1.nodes.0.bmc", bmc))

    assert "bmc.address 10.31.9.1 is used twice, by node hz1-01 and node hz2-01" in refused(path)[0]


IPMI = {"address": "10.31.9.1", "protocol": "ipmi", "user": "quorate", "password": "env:BMC"}
NO_CERTIFICATES = (
    "IPMI has no certificates: what proves who answers is the password, which both sides have to know; remove {}, or "
    "use protocol redfish"
)
OTHERWISE = {
    "ca": ("bmc.pem", NO_CERTIFICATES.format("ca")),
    "fingerprint": (":".join(["AB"] * 32), NO_CERTIFICATES.format("fingerprint")),
    "server_name": ("bmc.example.net", NO_CERTIFICATES.format("server_name")),
    "system": (
        "1",
        "an IPMI controller is one machine's: give each node the address of its own; remove system, or use protocol "
        "redfish",
    ),
    "user": ("longer-than-sixteen", "IPMI takes names of 1 to 16 bytes: choose another account at 10.31.9.1"),
}


@pytest.mark.parametrize("field", OTHERWISE)
def test_what_ipmi_does_not_know_is_refused(tmp_path: Path, field: str):
    """A field that nothing looks at would promise what nobody checks."""
    value, said = OTHERWISE[field]
    path = written(tmp_path, ("sites.0.nodes.0.bmc", IPMI | {field: value}))

    assert refused(path) == [f"sites[0].nodes[0].bmc.{field}: {said}"]


def test_the_port_of_ipmi_may_be_written_or_not(tmp_path: Path):
    """One controller is one, however its address is spelt."""
    port = IPMI | {"address": "10.31.9.1:623"}
    path = written(tmp_path, ("sites.0.nodes.0.bmc", IPMI), ("sites.1.nodes.0.bmc", port))

    assert refused(path) == [
        "sites[1].nodes[0].bmc.address: bmc.address 10.31.9.1 is used twice, by node hz1-01 and node hz2-01: each "
        "needs its own"
    ]


def test_a_controller_without_a_protocol_speaks_redfish(tmp_path: Path):
    """And is written down as before."""
    bmc = {name: value for name, value in IPMI.items() if name != "protocol"}
    found = load(written(tmp_path, ("sites.0.nodes.0.bmc", bmc))).nodes[0].bmc

    assert found is not None
    assert found.protocol == "redfish"
    assert "protocol" not in found.model_dump()
