"""The board behind the gateway: a login of its own, beside the events, for as long as the gateway runs."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
import yaml
from temporalio.client import Client

from activities.clients.secrets import Secrets
from tests.gateways import BEARER, SECRET, SOURCES
from tests.twin import EXAMPLE
from tests.workers.test_gateway_bodies import PVE
from workers.cli.board.app import WINDOWS, Boards, application
from workers.cli.board.state import Board
from workers.cli.gateway import gateway
from workers.errors import Unusable
from workers.gateway.app import STOPS_WITHIN, Gateway
from workers.gateway.delivery import Delivery
from workers.inventory_file import load
from workers.settings import Settings
from workers.temporal.embedded import TemporalServer

PASSWORD = "a password of some length"
LOGIN = {"Authorization": aiohttp.encode_basic_auth("any", PASSWORD)}
PATIENCE = 60.0
COMMAND = "import typer; from workers.cli.gateway import gateway; typer.run(gateway)"


@dataclass
class Served:
    """A gateway with a board, as a process."""

    process: asyncio.subprocess.Process
    said: list[str]
    url: str
    session: aiohttp.ClientSession

    async def get(self, path: str, headers: dict[str, str]) -> tuple[int, str]:
        async with self.session.get(f"{self.url}{path}", headers=headers, allow_redirects=False) as answer:
            return answer.status, await answer.text()

    async def send(self, headers: dict[str, str]) -> int:
        async with self.session.post(f"{self.url}/events/pve", json=PVE, headers=headers) as answer:
            return answer.status


def inventory(folder: Path) -> Path:
    """The example with one sender, and the password beside it."""
    document = yaml.safe_load(EXAMPLE.read_text())
    document["name"] = "beside"
    document["events"] = [{"name": "pve", "kind": "pve", "secret": "env:GATEWAY_SECRET"}]
    path = folder / "inventory.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    (folder / "board.password").write_text(f"{PASSWORD}\n")
    return path


@pytest_asyncio.fixture
async def served(temporal: TemporalServer, client: Client, tmp_path: Path) -> AsyncIterator[Served]:
    words = ("-i", inventory(tmp_path), "--port", "0", "--board", "file:board.password")
    environment = {"TEMPORAL_ADDRESS": temporal.address, "QUORATE_TASK_QUEUE": "nobody-works-here"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", COMMAND, *map(str, words)),
        stdout=subprocess.PIPE,
        env={**os.environ, **environment, "GATEWAY_SECRET": SECRET},
    )
    assert process.stdout
    async with asyncio.timeout(PATIENCE):
        said = [(await process.stdout.readline()).decode().rstrip() for _ in range(2)]
    url = re.findall(r"http://[\d.:]+\d", said[1])[0]
    async with aiohttp.ClientSession() as session:
        yield Served(process, said, url, session)
    if process.returncode is None:
        process.kill()
        await process.wait()


async def test_it_is_shown_beside_the_events_with_a_login_of_its_own(served: Served):
    """The page finds what it loads below /board, and each login opens one of the two."""
    assert served.said == [
        f"takes events for beside at {served.url}/events/ from pve; Ctrl-C stops it",
        f"beside is shown at {served.url}/board/",
    ]
    for path in ("/board/", "/board/board.json", "/board/stream"):
        assert await served.get(path, {}) == (401, "this board asks for its password")
        assert (await served.get(path, BEARER))[0] == 401
        assert (await served.get(path, {"Authorization": aiohttp.encode_basic_auth("pve", SECRET)}))[0] == 401
    assert (await served.get("/board", {}))[0] == 308
    status, page = await served.get("/board/", LOGIN)
    assert (status, 'new EventSource("stream")' in page) == (200, True)
    assert (await served.get("/board/board.json", LOGIN))[0] == 200
    assert await served.send(LOGIN) == 401
    assert await served.send({"Authorization": f"Bearer {PASSWORD}"}) == 401
    assert await served.send(BEARER) == 202
    assert (await served.get("/health", {}))[0] == 200


async def test_events_are_taken_while_windows_are_open_which_end_with_the_gateway(served: Served):
    """Twenty windows hear something, an event is taken meanwhile, and SIGTERM ends all of it in less than its limit."""
    async with asyncio.timeout(PATIENCE):
        windows = [await served.session.get(f"{served.url}/board/stream", headers=LOGIN) for _ in range(20)]
        first = [await one.content.readline() for one in windows]
        taken = await served.send(BEARER)
        served.process.send_signal(signal.SIGTERM)
        began = asyncio.get_running_loop().time()
        await asyncio.gather(*(one.read() for one in windows), return_exceptions=True)
        took = asyncio.get_running_loop().time() - began
        assert await served.process.wait() == 0
    assert set(first) == {b"event: board\r\n"}
    assert taken == 202
    assert took < STOPS_WITHIN


async def test_a_password_that_is_a_senders_secret_opens_nothing(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Whoever sends events would read the board: the gateway does not start with that."""
    monkeypatch.setenv("GATEWAY_SECRET", SECRET)
    known = load(EXAMPLE).model_copy(update={"events": SOURCES})
    made = Gateway(known, Secrets(tmp_path), Delivery(client, known.name, "nowhere"), Settings())

    with pytest.raises(Unusable, match="the board's password is the secret of the event source pve"):
        made.show(application(known.name, Boards(nobody_looks), SECRET), SECRET)


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("a password of some length", "--board is no reference to a secret"),
        ("env:NO_SUCH_NAME", "--board: env:NO_SUCH_NAME leads to no secret that can be read here"),
        ("file:short", "the password of file:short is too short"),
    ],
)
def test_a_password_that_cannot_be_used_is_named_before_anything_is_served(tmp_path: Path, reference: str, said: str):
    """By its reference; what is no reference may be the password, and is not repeated."""
    (tmp_path / "short").write_text("12345678901\n")
    with pytest.raises(Unusable) as refused:
        gateway(inventory(tmp_path), board=reference)

    assert refused.value.what == said


async def test_windows_leave_room_for_those_who_send():
    """However many are opened, the gateway keeps most of its connections for events."""
    boards = Boards(nobody_looks)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        opened = [group.create_task(held(boards)) for _ in range(WINDOWS)]
        await asyncio.sleep(0)
        assert boards.full
        for one in opened:
            one.cancel()
    assert not boards.full


async def held(boards: Boards) -> None:
    """A window that stays open."""
    async with boards.watched():
        await asyncio.Event().wait()


async def nobody_looks() -> Board:
    raise TimeoutError
