"""What `quorate init` drafts of a cluster that is deployed is deployed already: the plan has nothing in it."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from temporalio.client import Client

from cluster.plan import Mode
from runbooks.deploy import DeployReport
from tests.conftest import working
from tests.places import linked, third_place
from tests.pods import two_pods
from tests.runs import parked_or_ended
from tests.shapes.conftest import MakeShape
from tests.twin import over_fibre, over_nvme
from tests.workers.test_init import words
from workers.cli.main import run
from workers.inventory_file import load
from workflows.catalogue import RunbookRequest

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "change",
    [lambda text: over_nvme(two_pods(linked(third_place(text)))), lambda text: two_pods(over_fibre(text))],
    ids=["nvme-with-a-third-place", "fibre"],
)
async def test_the_draft_of_a_deployed_cluster_plans_no_change(
    client: Client, shape: MakeShape, monkeypatch: pytest.MonkeyPatch, change: Callable[[str], str]
):
    """Two pods with three volumes, read from the devices and from nothing else."""
    site = shape("lab", change, which="draft")
    site.rebuild()
    monkeypatch.chdir(site.path.parent)
    assert await asyncio.to_thread(run, words(site)) == 0
    draft = Path("new.yaml")

    async with working(client, load(draft), draft.absolute().parent) as start:
        deployment = await start(RunbookRequest(mode=Mode.PLAN), limit=120)
        assert (step := await parked_or_ended(deployment, 120)) is None, f"{step.title}: {step.finding}"
        report = DeployReport.model_validate(await deployment.result())

    assert report.planned == ()
