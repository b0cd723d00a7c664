"""What multipath, open-iscsi and LVM print, line by line beside the twin's."""

import pytest

from tests.real.alua.sides import Both
from tests.real.alua.texts import differences

pytestmark = pytest.mark.real


async def test_the_twin_prints_what_the_programs_print_with_eight_paths(both: Both):
    """Seventeen commands on a node whose paths and group are as the deployment made them."""
    # the kernel calls a group active once it was read from, and a login that was made again has left it enabled
    volume = f"/dev/disk/by-id/dm-uuid-mpath-{both.real.wwid}"
    both.stage.guests[both.a_node].do(f"dd if={volume} of=/dev/null bs=4096 count=1 iflag=direct status=none")
    assert await differences(both) == ""
