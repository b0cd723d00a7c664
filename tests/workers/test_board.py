"""The board over HTTP: its login, what it says when nobody can be asked, and that nothing in it is taken for markup."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from temporalio.service import RPCError, RPCStatusCode

from cluster.answers.model import Answer, Task
from cluster.scene import scene
from cluster.watching import Beat
from tests.verdict.world import INVENTORY, healthy
from workers.cli.board.app import Boards, application, drawn
from workers.cli.board.state import Board, Run
from workers.cli.freshness import Freshness
from workers.gateway.app import listener, server

PASSWORD = "a password of some length"
NOW = datetime(2026, 3, 1, 3, 12, tzinfo=UTC)
EVIL = Answer(
    about="x",
    urgency="act now",
    title="<script>alert(1)</script>",
    tasks=(Task(do="look", command='quorate answer "<b>"'),),
    guests=("<img src=x> (300)",),
)


def board(**changed: Any) -> Board:
    """A healthy cluster that was looked at just now."""
    world = healthy()
    verdict = world.looks()
    beat = Beat(verdict=verdict, memory=world.memory, looked_at=NOW, scene=scene(world.facts, world.memory, INVENTORY))
    fresh = Freshness("pxmx-cluster", watched=True, looked_at=NOW, beat=beat)
    return replace(Board(cluster="pxmx-cluster", at=NOW, fresh=fresh), **changed)


def gathering(found: Board | Exception) -> Callable[[], Awaitable[Board]]:
    async def gather() -> Board:
        if isinstance(found, Exception):
            raise found
        return found

    return gather


@dataclass(frozen=True)
class Got:
    """One answer, read."""

    status: int
    headers: Mapping[str, str]
    text: str


async def got(path: str, found: Board | Exception, password: str = "", given: str = "") -> Got:
    """One answer of a board that is served for it."""
    boards = Boards(gathering(found))
    serving = server(application("pxmx-cluster", boards, password))
    place = listener("127.0.0.1", 0)
    work = asyncio.create_task(serving.serve(sockets=[place]))
    headers = {"Authorization": aiohttp.encode_basic_auth("any", given)} if given else {}
    try:
        url = f"http://127.0.0.1:{place.getsockname()[1]}{path}"
        async with aiohttp.ClientSession(headers=headers) as session, session.get(url) as answer:
            return Got(answer.status, answer.headers, await answer.text())
    finally:
        boards.close()
        serving.should_exit = True
        await work


@pytest.mark.parametrize("path", ["/", "/board.json", "/stream"])
async def test_every_page_is_behind_the_login(path: str):
    """Without the password, and with another one."""
    for given in ("", "another password here"):
        answer = await got(path, board(), PASSWORD, given)
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, 'Basic realm="Quorate"')
        assert "pxmx" not in answer.text


async def test_who_knows_the_password_reads_it():
    """Whatever name is given with it."""
    answer = await got("/", board(), PASSWORD, PASSWORD)

    assert answer.status == 200
    assert "7 of 7 votes, 4 needed" in answer.text


async def test_the_page_loads_nothing_from_elsewhere():
    """Its policy allows only what carries its own word, and no address stands in it."""
    answer = await got("/", board())
    policy = answer.headers["Content-Security-Policy"]

    assert policy.startswith("default-src 'none'; style-src 'nonce-")
    assert "unsafe" not in policy
    assert "http://" not in answer.text
    assert "https://" not in answer.text


async def test_what_devices_and_people_have_said_is_no_markup():
    """A title, a command, a guest's name."""
    run = Run("deploy/<i>", "DeployStretchedCluster", "attention", EVIL)
    text = drawn(board(runs=(run,), switches=("<u>vm:300</u>",)))

    assert "<script>" not in text
    assert "<img src=x>" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "&lt;u&gt;vm:300&lt;/u&gt;" in text


async def test_it_says_that_nobody_looks_before_all_else():
    """Old facts are drawn with that sentence above them."""
    known = board()
    text = drawn(replace(known, fresh=replace(known.fresh, watched=False)))

    assert text.index("The cluster is not looked at") < text.index("What is drawn below is old")
    assert "looked at now" not in text


async def test_what_was_known_stays_while_temporal_does_not_answer():
    """With the reason; the first look has nothing to fall back on, and says so."""
    lost = RPCError("away", RPCStatusCode.UNAVAILABLE, b"")
    answers: list[Board | Exception] = [board(), lost]

    async def gather() -> Board:
        return await gathering(answers.pop(0))()

    boards = Boards(gather)
    await boards.now()
    again = await boards.now()
    none = await got("/board.json", lost)
    page = await got("/", lost)

    assert again.trouble == ("Temporal does not answer: what is shown is what was known before",)
    assert again.scene is not None
    assert (none.status, json.loads(none.text)) == (503, {"error": "Temporal does not answer"})
    assert "Temporal does not answer" in page.text


async def test_one_look_serves_all_who_watch():
    """Twenty windows are one question to Temporal; without any nobody is asked."""
    looks = 0

    async def gather() -> Board:
        nonlocal looks
        looks += 1
        return board()

    boards = Boards(gather)

    async def first() -> Board:
        async with boards.watched() as each:
            async for one in each:
                return one
        raise AssertionError("the stream has ended")

    async with asyncio.timeout(20):
        found = await asyncio.gather(*(first() for _ in range(20)))
    assert len(found) == 20
    assert looks == 1


async def test_scripts_get_the_same_as_data():
    """The answer, the scene, and how old it is."""
    data = json.loads((await got("/board.json", board())).text)

    assert (data["looking"], data["cluster"]) == (True, "pxmx-cluster")
    assert data["scene"]["quorum"]["mark"] == "good"


async def test_a_window_that_is_open_before_temporal_answers_is_filled_when_it_does():
    """The first look fails, the second one is shown; nobody has to load the page again."""
    answers: list[Board | Exception] = [RPCError("away", RPCStatusCode.UNAVAILABLE, b""), board()]

    async def gather() -> Board:
        return await gathering(answers.pop(0))()

    async with asyncio.timeout(20), Boards(gather).watched() as each:
        async for one in each:
            assert one.scene is not None
            break
