"""A site whose controllers speak IPMI: the twin of its bundle speaks it too."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.probing.references import referring
from tests.ipmi import over_ipmi
from tests.probe.taken import before_and_after, taken

# of the twin of a bundle, and of nothing that FreeIPMI is needed for
BMC = {"address": "10.0.0.9", "user": "user-1"}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The bundle of a cluster with three controllers of each kind."""
    with taken(tmp_path_factory.mktemp("probe"), "probed-ipmi", over_ipmi) as one:
        yield one


def test_a_controller_over_ipmi_has_a_password_and_no_certificate():
    """Those over Redfish have both, at a third place as well."""
    nodes = [{"bmc": BMC | {"protocol": "ipmi"}}, {"bmc": dict(BMC)}]
    made = referring({"arrays": [], "api": {}, "sites": [{"nodes": nodes[:1]}], "third": {"nodes": nodes[1:]}})

    assert made["sites"][0]["nodes"][0]["bmc"] == BMC | {"protocol": "ipmi", "password": "file:secrets/bmc.password"}
    assert made["third"]["nodes"][0]["bmc"] == BMC | {"password": "file:secrets/bmc.password", "ca": "secrets/ca.pem"}


@pytest.mark.ipmi
def test_the_twin_of_a_bundle_plays_ipmi_where_the_site_had_it(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Each node's power is told as it was, through the same protocol."""
    before, after = before_and_after(file, tmp_path, {"power"}, monkeypatch)

    assert len(before) == 6
    assert after == before
