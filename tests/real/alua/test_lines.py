"""What multipath, open-iscsi and LVM print, line by line beside the twin's."""

import pytest

from tests.real.alua.sides import Both
from tests.real.alua.texts import differences

pytestmark = pytest.mark.real


async def test_the_twin_prints_what_the_programs_print_with_eight_paths(both: Both):
    """Seventeen commands on a node whose paths and group are as the deployment made them."""
    assert await differences(both) == ""
