"""Pseudonyms: the same for the same, of the same form, in the same order, and their own pseudonyms."""

import pytest

from cluster.addresses import split
from cluster.nouns import _DNS, _GROUP, _NODE, _STORAGE
from cluster.probing.compound import COMPOUND
from cluster.probing.leaks import leaks
from cluster.probing.names import Pseudonyms


def pseudonyms(*noted: tuple[str, str]) -> Pseudonyms:
    """After the first round over these: kind and value."""
    names = Pseudonyms()
    for kind, value in noted:
        changed(names, kind, value, noting=True)
    return names


def changed(names: Pseudonyms, kind: str, value: str, *, noting: bool = False) -> str:
    """A value in one of the rounds."""
    change = names.note if noting else names.of
    return COMPOUND[kind](change, value) if kind in COMPOUND else change(kind, value)


def test_a_name_that_several_things_have_goes_by_one_pseudonym():
    """A host group that is called like its cluster still is; small and capital letters make no other name."""
    names = pseudonyms(("group", "metro"), ("cluster", "Metro"), ("host", "pve1"), ("node", "pve1"))

    assert [names.of("group", "metro"), names.of("cluster", "METRO")] == ["cluster-01", "cluster-01"]
    assert names.of("host", "pve1") == names.of("node", "pve1") == "node-01"


def test_what_is_sorted_by_name_stays_sorted():
    """Numbers follow the order of the originals."""
    originals = ["zeta", "alpha", "midway"]
    names = pseudonyms(*(("guest", one) for one in originals))

    assert [names.of("guest", one) for one in sorted(originals)] == ["guest-01", "guest-02", "guest-03"]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("node", ["pve-n1", "pve-n2"]),
        ("address_or_name", ["10.22.1.1", "10.22.1.9", "127.3.4.5", "fd00::7", "nfs.example.org"]),
        ("iqn", ["iqn.1993-08.org.debian:01:a1b2", "iqn.2010-06.com.purestorage:flasharray.5a8c", "iqn.2001-05.x:y"]),
        ("wwid", ["3624a9370730d187406c1477500a7aa92", "1IET     00090001", "INTEL_SSDSC2KB240G8_PHYF9123AGN"]),
        ("uuid", ["730d1874-06c1-4775-9b1e-5a3c7d90e2f4"]),
        ("disk_of_guest", ["fast:vm-300-disk-0,size=8G", "nfs:300/secret-name.raw,size=1G"]),
        ("token_id", ["engine@corp.example!runbook"]),
    ],
)
def test_a_pseudonym_is_its_own_pseudonym(kind: str, values: list[str]):
    """So a twin that was made from a bundle gives the same bundle again."""
    names = pseudonyms(*((kind, one) for one in values))
    once = [changed(names, kind, one) for one in values]
    again = pseudonyms(*((kind, one) for one in once))

    assert not set(once) & set(values)
    assert [changed(again, kind, one) for one in once] == once


def test_a_pseudonym_has_the_form_of_what_it_stands_for():
    """Devices, the inventory and the engine's readers take it."""
    names = pseudonyms(
        ("node", "a"), ("storage", "b"), ("vg", "c"), ("guest", "d.example.org"), ("endpoint", "10.1.2.3:443")
    )

    assert _NODE.fullmatch(names.of("node", "a"))
    assert _STORAGE.fullmatch(names.of("storage", "b"))
    assert _GROUP.fullmatch(names.of("vg", "c"))
    assert _DNS.fullmatch(names.of("guest", "d.example.org"))
    assert split(changed(names, "endpoint", "10.1.2.3:443")) == ("198.18.0.1", 443)


def test_addresses_of_one_network_stay_in_one():
    """Which of them share a network is what a maintainer needs; where that network is, is not."""
    addresses = ["10.22.2.1", "10.22.1.4", "10.22.1.1", "2001:678::5"]
    names = pseudonyms(*(("address", one) for one in addresses))

    assert [names.of("address", one) for one in addresses] == ["198.18.1.1", "198.18.0.2", "198.18.0.1", "2001:db8::1"]


def test_a_volume_is_found_by_its_serial_on_the_array_and_on_the_node():
    """The WWID is the vendor's prefix and the serial, before and after; volumes of one array begin alike."""
    serials = ["730D187406C1477500A7AA92", "730D187406C1477500A7AA93", "8C41F0AA7B524E190003C1F0"]
    names = pseudonyms(*(("serial", one) for one in serials))
    given = [names.of("serial", one) for one in serials]

    assert changed(names, "wwid", f"3624a9370{serials[0].lower()}") == f"3624a9370{given[0].lower()}"
    assert [one[:16] for one in given] == ["0000000000000001", "0000000000000001", "0000000000000002"]


def test_names_that_everybody_has_stay():
    """``local`` says more than a pseudonym would, and nothing of anybody."""
    names = pseudonyms(("storage", "local"), ("file", "vm-300-disk-0"), ("map", "mpatha"))

    assert [names.of("storage", "local"), names.of("file", "vm-300-disk-0")] == ["local", "vm-300-disk-0"]
    assert names.originals() == {}


def test_an_original_that_is_left_is_found_as_a_word_and_in_other_forms():
    """The second line knows nothing of fields: a name in any text keeps the bundle from being written."""
    names = {"contoso-dc": "cluster", "node": "guest"}

    def encoded(name: str) -> list[str]:
        return [name, name.encode().hex()]

    assert leaks(['{"tags": "Contoso-DC!"}'], names, encoded) == {"contoso-dc": "cluster"}
    assert leaks(["xx" + b"contoso-dc".hex() + "xx"], names, encoded) == {"contoso-dc": "cluster"}
    assert leaks(["a node of cluster-01", "contoso-dcs"], names, encoded) == {}
