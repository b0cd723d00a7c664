"""NVMe/TCP with the kernel's own multipathing: what holds for iSCSI holds for it, without any step of iSCSI's."""

import re

import pytest
from temporalio.client import Client

from tests.shapes.conftest import MakeShape, travelled

pytestmark = pytest.mark.slow


def over_nvme(text: str) -> str:
    """An example whose nodes reach the arrays over NVMe/TCP: an NQN for each node, no LUNs."""
    numbers = iter(range(1, 100))
    text = re.sub(r"^name: .*\n", lambda found: f"{found[0]}transport: nvme-tcp\n", text, count=1, flags=re.MULTILINE)
    text = re.sub(
        r"iqn: iqn\.\S+?(?=[,}\s])",
        lambda _: f"nqn: nqn.2014-08.org.nvmexpress:uuid:4c4c4544-0031-5910-804b-{next(numbers):012x}",
        text,
    )
    return re.sub(r"^( +)luns:\n(?:\1 +\S.*\n)+", "", text, flags=re.MULTILINE)


@pytest.mark.parametrize(("example", "nodes"), [("lab", 6), ("metro", 8)])
async def test_a_cluster_on_nvme_tcp_loses_a_site_and_gets_its_guests_home(
    client: Client, shape: MakeShape, example: str, nodes: int
):
    """Four optimized paths through the near array and four through the other, with native multipathing."""
    journey = await travelled(client, shape(example, over_nvme))

    assert journey.deployed.proof is not None
    assert len(journey.deployed.proof.paths) == nodes
    assert {(one.optimized, one.non_optimized) for one in journey.deployed.proof.paths.values()} == {(4, 4)}
    assert {line.split()[1] for line in journey.site.change_lines() if "iscsi" in line} == set()
