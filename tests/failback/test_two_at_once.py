"""Two runs that change the cluster begin at the same moment: one of them does, the other one says who is at work."""

import asyncio
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError

from tests.failback.conftest import HOMES, Begin
from tests.failback.people import Person, Run
from tests.incidents.conftest import Site
from tests.patience import Deadline
from workers.cli.follow import why

pytestmark = pytest.mark.slow

Asked = tuple[str, dict[str, Any]]
FAILBACK: Asked = ("Failback", {"site": "site-b", "homes": HOMES})
EVACUATE: Asked = ("EvacuateSite", {"site": "site-a"})
RETURN: Asked = ("ReturnSite", {"site": "site-a"})
DEPLOY: Asked = ("DeployStretchedCluster", {})
SESSIONS: Asked = ("RestoreSessions", {"why": "seen by the test"})


async def comes_to(run: Run, within: float = 90) -> str:
    """``asks`` at its gate, ``ended`` well; or why it was refused, or is held."""
    deadline = Deadline(within)
    while (await run.describe()).status == WorkflowExecutionStatus.RUNNING:
        page = str(await run.query("page"))
        if await run.query("gate"):
            return "asks"
        if "Held" in page or "Answer" in page:
            return f"waits: {page}"
        assert not deadline.over, page
        await deadline.a_while()
    try:
        await run.result()
    except WorkflowFailureError as error:
        return f"refused: {why(error)}"
    return "ended"


@pytest.mark.parametrize(
    ("one", "other", "logged_out"),
    [
        (FAILBACK, FAILBACK, ()),
        (FAILBACK, EVACUATE, ()),
        (EVACUATE, RETURN, ()),
        (DEPLOY, DEPLOY, ()),
        (EVACUATE, DEPLOY, ()),
        (DEPLOY, SESSIONS, ("pxmx01-03",)),
        (FAILBACK, SESSIONS, ("pxmx01-03",)),
    ],
    ids=lambda asked: asked[0] if asked else "",
)
async def test_of_two_runs_that_begin_at_once_one_goes_on(
    one: Asked, other: Asked, logged_out: tuple[str, ...], start: Begin, people: dict[str, Person], site: Site
):
    """Whoever is on record first; the other one ends before it has changed anything, or waits for that one's end."""
    for node in logged_out:  # what restoring sessions is there for; no guest runs there
        site.world.nodes[node].sessions.clear()
    before = site.change_lines()
    first, second = await asyncio.gather(*(start(kind, **wish) for kind, wish in (one, other)))

    ends = await asyncio.gather(comes_to(first), comes_to(second))

    print(one[0], other[0], *ends, sep="\n  ")
    stopped = [said for said in ends if said not in ("asks", "ended")]
    assert len(stopped) == 1, ends
    assert "is open: " in stopped[0] or "is running already, one at a time" in stopped[0]
    changes = site.change_lines()[len(before) :]
    assert len(changes) == len(set(changes)), "something was done twice"
