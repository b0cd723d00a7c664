"""What multipath calls the volume does not matter to the engine: an alias, friendly names, a map of the node's own."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from activities.hosts.maps import all_maps
from tests.real.alua.sides import Both

pytestmark = pytest.mark.real

CONF = "/etc/multipath/conf.d/test.conf"


@pytest_asyncio.fixture
async def named(both: Both) -> AsyncIterator[Both]:
    """Both worlds, with the names of before after the test."""
    yield both
    for name in both.real.nodes:
        both.stage.guests[name].do(f"rm -f {CONF} && multipathd reconfigure && sleep 1 && multipath -r")


async def nothing_to_change(both: Both) -> bool:
    """Neither paths nor the volume group, on either node."""
    changed = [await both.real.ensure(node) for node in both.real.nodes]
    group = await both.real.patiently(both.real.rooms()[2].ensure_volume_group, both.real.group())
    return changed == [[], []] and not group.changed


async def head(both: Both) -> tuple[str, str]:
    """The first line that multipath prints of the volume, in both worlds, without the number of its device."""
    lines = [
        await side.ssh.read(both.a_node, "multipath", "-ll", side.wwid) for side in (both.real, both.twin)
    ]  # fmt: skip
    return tuple(" ".join(line.splitlines()[0].split("dm-")[0].split()) for line in lines)  # type: ignore[return-value]


async def test_an_alias_is_no_other_device(named: Both):
    """Its WWID stands beside the alias, and LVM calls the device by the alias."""
    for name in named.real.nodes:
        named.stage.guests[name].write(
            CONF, f'multipaths {{\n multipath {{\n  wwid "{named.real.wwid}"\n  alias pod\n }}\n}}\n'
        )
        named.stage.guests[name].do("multipathd reconfigure && sleep 1 && multipath -r")
    named.fail("alias", "pod")

    real, twin = await head(named)
    assert real == f"pod ({named.real.wwid})"
    assert real == twin
    assert await nothing_to_change(named)
    named.restore("alias", "pod")


async def test_friendly_names_are_no_other_device(named: Both):
    """mpatha on one node may be mpathb on the other one: each keeps its own list."""
    for name in named.real.nodes:
        named.stage.guests[name].write(CONF, "defaults {\n user_friendly_names yes\n}\n")
        named.stage.guests[name].do("multipathd reconfigure && sleep 1 && multipath -r")
    named.fail("friendly-names", named.a_node)

    real, twin = await head(named)
    assert real == f"mpatha ({named.real.wwid})"
    assert real == twin
    assert await nothing_to_change(named)
    named.restore("friendly-names", named.a_node)


@pytest.fixture
def own_map(both: Both) -> Iterator[Both]:
    """A disk of the first node's own that multipath has claimed; it is gone after the test."""
    guest = both.stage.guests[both.a_node]
    disk = "/dev/$(lsblk -dno NAME,SERIAL | awk '$2 == \"OWN-1\" {print $1}')"
    guest.do(f"modprobe virtio_scsi && udevadm settle && multipath -a {disk} && multipath -r && sleep 1")
    yield both
    guest.do(f"multipath -w {disk} && multipath -f $(multipath -ll -v1 | grep OWN-1)")
    guest.do("udevadm settle --timeout=20; modprobe -r virtio_scsi")


async def test_a_map_of_the_nodes_own_is_passed_over(own_map: Both):
    """Its WWID has letters in it, and it has one path: it is no volume of an array."""
    shown = await own_map.real.ssh.read(own_map.a_node, "multipath", "-ll")
    maps = await all_maps(own_map.real.ssh, own_map.a_node)

    assert "0QEMU_QEMU_HARDDISK_OWN-1 dm-" in shown
    assert [one.wwid for one in maps if one.handler == "1 alua"] == [own_map.real.wwid]
    assert await own_map.real.ensure(own_map.a_node) == []
