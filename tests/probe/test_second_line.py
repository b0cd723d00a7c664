"""What the list of fields let through all the same keeps the bundle from being written."""

from pathlib import Path

import pytest

from activities.clients.masks import MASKS
from cluster.approval import ApprovalPolicy
from cluster.probing.bundle import pack
from cluster.probing.cleaning import Answer
from tests.twin import EXAMPLE
from workers.cli.lab.bundled import placed
from workers.cli.probe.bundling import bundled
from workers.errors import Unusable
from workers.inventory_file import load

LAB = load(EXAMPLE)


def guests(**config: object) -> list[Answer]:
    """A guest called ``payroll``, and one with that configuration."""
    return [
        Answer(of="cluster", who=LAB.name, what="guest", item="300", data={"name": "payroll"}),
        Answer(of="cluster", who=LAB.name, what="guest", item="301", data=config),
    ]


def test_a_name_that_is_left_is_told_with_its_place():
    """Nothing is written; the operator sees which name, on the machine where it is known anyway."""
    with pytest.raises(Unusable) as told:
        bundled(LAB, guests(machine="q35,viommu=payroll"))

    assert told.value.what == (
        "nothing was written: guest 'payroll' is still in answers/cluster/cluster-01/guest.301.json"
    )
    assert told.value.remedy == (
        "if it is a word of the device there, and not your name for something, add --word payroll; else report it"
    )


def test_a_name_that_is_a_word_of_devices_may_stay():
    """Where the operator says that it is one."""
    bundle = bundled(LAB, guests(machine="q35,viommu=payroll"), ["payroll"])

    assert [one.data for one in bundle.answers] == [{"name": "guest-03"}, {"machine": "q35,viommu=payroll"}]


def test_a_secret_that_a_device_repeats_is_in_no_bundle():
    """Whatever field it came in."""
    MASKS.learn("hunter2-of-the-array")

    with pytest.raises(Unusable, match="an answer repeats a secret of this inventory"):
        bundled(LAB, guests(machine="hunter2-of-the-array"))


def test_references_of_a_bundle_that_was_tampered_with_lead_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A twin writes keys where its inventory refers to: into its own folder, whatever the bundle says."""
    monkeypatch.setenv("QUORATE_STATE", str(tmp_path / "state"))
    bundle = bundled(LAB, guests())
    evil = bundle.inventory.replace("secrets/known_hosts", str(tmp_path / "authorized_keys")).replace(
        "file:secrets/pve.token", f"file:{tmp_path}/pve.token"
    )
    file = tmp_path / "probe.zip"
    file.write_bytes(pack(bundle.model_copy(update={"inventory": evil + "hooks:\n- run: [/bin/false]\n"})))
    inventory = load(placed(file))

    assert str(tmp_path) in evil
    assert (inventory.ssh.known_hosts, inventory.api.token) == ("secrets/known_hosts", "file:secrets/pve.token")
    assert inventory.hooks == ()


def test_the_inventory_of_a_bundle_can_be_used(tmp_path: Path):
    """Names are of the right form, and references are in the places of secrets."""
    path = tmp_path / "inventory.yaml"
    path.write_text(bundled(LAB, guests()).inventory)
    inventory = load(path)

    assert [node.name for node in inventory.nodes] == [f"node-0{number}" for number in range(1, 7)]
    assert {array.api_token for array in inventory.arrays} == {
        "file:secrets/array-01.token", "file:secrets/array-02.token",
    }  # fmt: skip
    assert (inventory.approvals, inventory.notify, inventory.hooks) == (ApprovalPolicy(), (), ())
