"""What multipath calls the volume does not matter to the engine: an alias, friendly names, a map of the node's own."""

from collections.abc import AsyncIterator

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


async def test_a_map_of_the_nodes_own_is_passed_over(named: Both):
    """Its WWID has letters and blanks in it, and it has one path: it is no volume of an array."""
    guest = named.stage.guests[named.a_node]
    guest.do("modprobe virtio_scsi && udevadm settle && multipath -a /dev/disk/by-id/scsi-0QEMU*OWN-1")
    guest.do("multipath -r && sleep 1 && multipath -ll | grep OWN-1")

    maps = await all_maps(named.real.ssh, named.a_node)
    changed = await named.real.ensure(named.a_node)
    guest.do(
        "multipath -w $(grep -o '0QEMU[^/]*' /etc/multipath/wwids) && multipath -f $(multipath -l -v1 | grep OWN-1)"
    )
    guest.do("modprobe -r virtio_scsi")

    assert [one.wwid for one in maps if one.handler == "1 alua"] == [named.real.wwid]
    assert changed == []
