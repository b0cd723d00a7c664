"""Fibre Channel: HBAs log in by themselves, zones say where, and nothing of open-iscsi is asked or needed."""

import itertools
import re

import pytest
from temporalio.client import Client

from tests.shapes.conftest import MakeShape, travelled

pytestmark = pytest.mark.slow


def over_fibre(text: str) -> str:
    """An example whose nodes have an HBA with two ports each, in the place of an initiator name."""
    numbers = itertools.count(1)

    def ports(_: re.Match[str]) -> str:
        number = next(numbers)
        return f'wwns: ["21:00:00:24:ff:00:{number:02x}:00", "21:00:00:24:ff:00:{number:02x}:01"]'

    return re.sub(r"iqn: iqn\.\S+", ports, re.sub(r"(?m)^(name: .*)$", r"\1\ntransport: fc", text, count=1))


@pytest.mark.parametrize(("example", "nodes"), [("lab", 6), ("metro", 8)])
async def test_a_cluster_on_fibre_channel_loses_a_site_and_gets_its_guests_home(
    client: Client, shape: MakeShape, example: str, nodes: int
):
    """Two fabrics, two HBA ports a node, four ports an array: four paths through each."""
    journey = await travelled(client, shape(example, over_fibre, which="fc"))

    assert journey.deployed.proof is not None
    assert len(journey.deployed.proof.paths) == nodes
    assert {(one.optimized, one.non_optimized) for one in journey.deployed.proof.paths.values()} == {(4, 4)}
    told = {(step.title, step.finding) for step in journey.deployed.steps}
    print("\n".join(f"{title}: {finding}" for title, finding in sorted(told)))
    assert not [change for change in journey.site.change_lines() if " iscsi." in change]
