"""Places of other kinds: a third place with nodes of its own instead of a quorum device."""

import pytest
from temporalio.client import Client

from tests.shapes.conftest import MakeShape, travelled
from tests.shapes.places import third_place

pytestmark = pytest.mark.slow


async def test_two_and_two_with_a_third_place_lose_a_site_and_get_its_guests_home(client: Client, shape: MakeShape):
    """Five votes and no quorum device; no guest runs at the third place, which has no path to the pod."""
    journey = await travelled(client, shape(change=third_place))

    assert journey.deployed.proof is not None
    votes = journey.deployed.proof.votes
    assert (votes.expected, votes.total, votes.quorum) == (5, 5, 3)
    assert "pxmx03-01" not in journey.deployed.proof.paths
