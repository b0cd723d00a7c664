"""Two whole situations as people meet them, side by side on page, terminal, notice and board.

Nobody looks any more; and guests that HA has given up, until a person has mended them by hand.
"""

import asyncio
import html
import io
import json
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import Client

from activities.watch import looking
from cluster.watching import WatchRequest
from tests.incidents.conftest import Site, Watched, ended, nothing_runs, watching
from tests.incidents.test_levels import waits_for
from tests.incidents.test_truths import B_NODES, shows
from tests.ledgers import erase
from tests.patience import Deadline
from tests.receivers import Receiver
from workers.cli.board.app import drawn
from workers.cli.board.state import Board, gathered
from workers.cli.console import PlainConsole
from workers.cli.follow import told_by
from workers.cli.freshness import OLD_AFTER, freshness
from workers.cli.incident.runs import looked
from workers.cli.incident.view import plain
from workers.inventory_file import load
from workers.settings import Settings
from workers.worker.run import worker
from workflows.watch import ClusterWatch

pytestmark = pytest.mark.slow

REVIVE = "ha-manager set vm:300 --state disabled && ha-manager set vm:300 --state started"


@pytest.fixture
def duty(site: Site) -> Iterator[tuple[Receiver, Receiver]]:
    """Who is told, and the service elsewhere that hears that the cluster is looked at."""
    pair, text = (Receiver(), Receiver()), site.path.read_text()
    told, deadman = pair
    rows = json.dumps([{"name": "duty", "webhook": told.url}])
    site.path.write_text(f"{text}\nnotify: {rows}\nwatch: {json.dumps({'deadman': deadman.url})}\n")
    yield pair
    site.path.write_text(text)
    for one in pair:
        one.stop()


async def heard(true: Callable[[], bool], what: str, within: float = 40) -> None:
    deadline = Deadline(within)
    while not true():
        assert not deadline.over, f"waited for {what}"
        await deadline.a_while()


def notices(told: Receiver) -> list[dict[str, Any]]:
    return [json.loads(body) for _, body in told.got]


def text_of(board: Board) -> str:
    """The board without its markup."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", drawn(board))).split())


async def terminal(run: Any) -> str:
    """`quorate incident show`, 80 columns wide, with what wraps put together again."""
    console = PlainConsole(width=80, file=io.StringIO(), record=True, force_terminal=True)
    for part in plain(await looked(run), datetime.now(UTC), console):
        console.tell(part)
    return " ".join(console.export_text().replace("\\\n", " ").split())


async def reads(run: Any, what: str, within: float = 40) -> str:
    """The terminal, once it says that."""
    deadline = Deadline(within)
    while what not in (screen := await terminal(run)):
        assert not deadline.over, f"waited for {what!r}: {screen}"
        await deadline.a_while()
    return screen


async def test_nobody_looks(
    site: Site, client: Client, duty: tuple[Receiver, Receiver], monkeypatch: pytest.MonkeyPatch
):
    """The worker is gone and a site dies: no page, no notice; terminal and board say so, and the calls stay away."""
    told, deadman = duty
    monkeypatch.setattr(looking, "CALLED_EVERY", 0.2)
    inventory = load(site.path)
    settings = Settings(task_queue=f"test-{uuid.uuid4()}", grace=timedelta(seconds=1), speed=site.speed)
    await erase(client, inventory.name)
    try:
        async with worker(client, inventory, site.path.parent, settings):
            handle = await client.start_workflow(
                ClusterWatch.run, WatchRequest(), id=f"watch/{inventory.name}", task_queue=settings.task_queue
            )
            await Watched(client, handle, inventory.name).says("healthy")
            await heard(lambda: len(deadman.got) > 1, "calls that say that the cluster is looked at")
        called, said = len(deadman.got), len(told.got)
        site.fail("site-power", "site-a")

        later = datetime.now(UTC) + OLD_AFTER + timedelta(seconds=30)
        fresh = await freshness(client, inventory.name)
        assert not fresh.looking(later)
        assert re.fullmatch(
            r"pxmx-cluster: not looked at since [\d-]+ [\d:]+ UTC, for \d+ min \d+ s: .+", fresh.sentence(later)
        )
        assert await told_by(handle, "page", str) is None
        wall = text_of(replace(await gathered(client, inventory.name), at=later))
        assert wall.startswith("The cluster is not looked at pxmx-cluster: not looked at since ")
        assert "What is drawn below is old" in wall
        assert (len(told.got), len(deadman.got)) == (said, called), "nothing here can tell anybody any more"

        async with worker(client, inventory, site.path.parent, settings):
            await Watched(client, handle, inventory.name).loss()
            await heard(lambda: len(deadman.got) > called, "calls again")
            await heard(lambda: any(one["occasion"] == "opened" for one in notices(told)), "the notice of the loss")
    finally:
        await nothing_runs(client, inventory.name)


async def test_guests_that_do_not_come_back_and_are_mended_by_hand(
    site: Site, client: Client, duty: tuple[Receiver, Receiver]
):
    """HA gives up: every surface has the command. A person mends them: every surface says that they run again."""
    told, _ = duty
    async with watching(client, site) as watched:
        for node in B_NODES:
            site.fail("vg-hidden", node)
        site.fail("site-power", "site-a")
        run = await watched.loss()
        await waits_for(run, within=90)
        await shows(run, "Act now: ac-test-vm-0", 90)
        await heard(lambda: any(REVIVE in str(one["tasks"]) for one in notices(told)), "the command in a notice", 90)
        assert REVIVE in await run.query("page")
        screen = await terminal(run)
        assert "0 of 2 guests run again" in screen
        assert REVIVE in screen
        wall = text_of(await gathered(client, site.inventory.name))
        assert "Act now:" in wall
        assert REVIVE in wall

        for node in B_NODES:
            site.restore("vg-hidden", node)
        await asyncio.to_thread(site.call, mended(site))
        await shows(run, "Waiting for site-a to return. No action needed.", 60)
        await heard(
            lambda: [str(one["title"]) for one in notices(told) if one["occasion"] == "running"] != [], "the good news"
        )
        assert REVIVE not in await reads(run, "2 of 2 guests run again, the last one at ")
        assert REVIVE not in await run.query("page")
        wall = text_of(await gathered(client, site.inventory.name))
        assert "2 of 2 guests run again" in wall
        assert REVIVE not in wall
        site.restore("site-power", "site-a")
        await ended(run, 120)
        closed = [one for one in notices(told) if one["occasion"] == "closed" and one["incident"] == run.id]
        assert closed[-1]["resolved"]
        assert "2 of 2 guests run again" in closed[-1]["text"]


async def mended(site: Site) -> None:
    """As the task says: disabled, then started."""
    resources = site.world.cluster.ha.resources
    for sid in ("vm:300", "vm:301"):
        resources[sid]["state"] = "disabled"
    await site.world.clock.sleep(40)
    for sid in ("vm:300", "vm:301"):
        resources[sid]["state"] = "started"
