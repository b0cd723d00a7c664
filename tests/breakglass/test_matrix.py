"""Every break-glass runbook in every situation of the catalogue, on the twin: which begin, and which refuse."""

import asyncio
from typing import Any

import pytest
from temporalio.client import WorkflowFailureError

from tests.breakglass.conftest import Glass, Laws
from tests.incidents.conftest import Site
from tests.incidents.scenarios import SCENARIOS, Scenario

pytestmark = pytest.mark.slow

B = "X90R3-SiteB"
HANDS = ("HandOverQuorum", "ReviveGuests", "RestoreSessions", "ReconcileArrays", "ColdStart")
PARTED = Scenario(
    "parted-without-storage", ("I-03",), (("inter-site",), ("replication",), ("storage-network",)), "storage-elsewhere",
    ("site-a", "site-b"), prefers=B,
)  # fmt: skip
DARK = Scenario(
    "all-nodes-off",
    ("I-07",),
    tuple(("node", f"pxmx0{site}-0{node}") for site in (1, 2) for node in (1, 2, 3)),
    "quorum-lost",
)
CHOSEN = (
    "site-power", "site-network", "inter-site", "inter-site-and-replication", "witness", "witness-and-site",
    "both-sites", "array", "replication", "mediator", "portal", "node", "nodes-not-array", "liar", "ring", "hung-api",
    "failing-array-api", "management-of-a-site", "clock",
)  # fmt: skip
SITUATIONS = (*(one for one in SCENARIOS if one.name in CHOSEN), PARTED, DARK)
# All others refuse.
BEGINS = {
    "parted-without-storage": {"HandOverQuorum"},
    "all-nodes-off": {"ColdStart"},
    "portal": {"RestoreSessions"},
}


async def outcome(glass: Glass, kind: str) -> tuple[str, str]:
    """Whether it would begin, planned only: the word and the sentence."""
    run = await glass.start(kind, mode="plan")
    try:
        async with asyncio.timeout(60):
            report: dict[str, Any] = await run.result()
    except WorkflowFailureError as error:
        return str(getattr(error.cause, "type", "")), str(error.cause)
    except TimeoutError:
        raise AssertionError(f"{kind} neither begins nor refuses: {await run.query('page')}") from None
    return "begins", f"{len(report['planned'])} changes planned"


@pytest.mark.parametrize("scenario", SITUATIONS, ids=[one.name for one in SITUATIONS])
async def test_each_begins_in_its_own_emergency_alone(scenario: Scenario, glass: Glass, site: Site, laws: Laws):
    """Planned, so that nothing is changed: five answers for each situation, and each refusal names what is so."""
    for array in site.world.arrays.values():
        for pod in array.pods:
            pod.failover_preferences = [site.named(scenario.prefers)] if scenario.prefers else []
    for fault in scenario.faults_on(site.inventory):
        site.fail(*fault)
    await glass.watched.says(scenario.kind, 90)

    # one after the other: five that ask every machine at once make a busy computer's machines look silent
    found = {kind: await outcome(glass, kind) for kind in HANDS}

    print(*(f"{scenario.name:26} {kind:16} {word:14} {said[:110]}" for kind, (word, said) in found.items()), sep="\n")
    assert {kind for kind, (word, _) in found.items() if word == "begins"} == BEGINS.get(scenario.name, set())
    assert {word for word, _ in found.values()} <= {"begins", "NotCalledFor"}
