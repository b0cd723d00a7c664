"""A site on Fibre Channel: its bundle tells no WWN, and a twin of it answers the same."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.probing.bundle import Bundle, pack, unpack
from tests.incidents.conftest import Site
from tests.probe.test_site import comparable
from tests.twin import SPEED, TwinThread, bent, inventory_file, over_fibre
from workers.cli.lab.bundled import placed
from workers.cli.probe.asked import answers
from workers.cli.probe.bundling import bundled
from workers.inventory_file import load

pytestmark = pytest.mark.slow


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """As built."""
    path = bent(inventory_file(tmp_path, "probe-fibre"), over_fibre)
    one = Site(path, 5.0)
    one.rebuild()
    yield one
    one.stop()


async def probed(path: Path) -> Bundle:
    """What a probe takes along."""
    return bundled(load(path), await answers(load(path), path, lambda answered, asked: None))


def storage(bundle: Bundle) -> dict[str, Any]:
    """What arrays and nodes have told: HA needs a while to settle, and has no HBAs."""
    return {name: one for name, one in comparable(bundle).items() if name.startswith(("array ", "node "))}


async def test_a_site_on_fibre_channel_becomes_a_twin_without_its_wwns(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """HBAs, logins and ports are there, under pseudonyms in Linux's and in Purity's spelling."""
    bundle = await probed(site.path)
    written = pack(bundle).decode("latin-1").casefold()
    wwns = [wwn for host in site.world.nodes.values() for wwn in host.hbas]
    wwns += [wwn for array in site.world.arrays.values() for wwn in array.portals]
    assert not [wwn for wwn in wwns if wwn.casefold() in written or wwn.replace(":", "").casefold() in written]

    (file := tmp_path / "probe.zip").write_bytes(pack(bundle))
    monkeypatch.setenv("QUORATE_STATE", str(tmp_path / "state"))
    twin = TwinThread(placed(file), speed=SPEED)
    try:
        told, expected = storage(await probed(twin.path)), storage(unpack(file.read_bytes()))
    finally:
        twin.stop()
    assert [name for name in expected if "fabric" in name]
    assert {name: one for name, one in told.items() if one != expected.get(name)} == {}
    assert told.keys() == expected.keys()
