"""What the gateway acknowledges, and when: never before Temporal has it."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from temporalio.client import Client

from tests.gateways import BEARER, STRUCTURED, Running, cloud, running, signed, until
from tests.workers.test_gateway_bodies import ALERTMANAGER, CLOUD, PURITY, PVE
from workers.temporal.embedded import TemporalServer, free_port


@pytest_asyncio.fixture
async def gate(client: Client) -> AsyncIterator[Running]:
    async with running(client) as made:
        yield made


class Frozen:
    """A Temporal server that can be made to hang: it holds its connections and answers nothing."""

    def __init__(self, server: TemporalServer, client: Client) -> None:
        self.client, self._pid = client, server.pid or 0

    def hang(self) -> None:
        os.kill(self._pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self._pid, signal.SIGCONT)


@pytest_asyncio.fixture(scope="module")
async def own_temporal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Frozen]:
    log = tmp_path_factory.mktemp("own") / "temporal.log"
    server = TemporalServer(database=None, port=free_port(), ui_port=None, log=log)
    frozen = Frozen(server, await server.start())
    yield frozen
    frozen.go_on()
    await server.stop()


@pytest.fixture
def frozen(own_temporal: Frozen) -> Any:
    yield own_temporal
    own_temporal.go_on()


async def test_every_kind_of_event_reaches_the_watch_though_no_worker_runs(gate: Running):
    """The watch is started by the first of them; a worker that comes later finds them all."""
    answers = [
        await gate.post("pve", PVE),
        await gate.post("prometheus", ALERTMANAGER),
        await gate.post("arrays", PURITY, signed(PURITY)),
        await gate.post("others", CLOUD, STRUCTURED),
        await gate.post("others", b"", {**BEARER, **{f"ce-{k}": f"{v}" for k, v in cloud(2).items() if k != "data"}}),
    ]

    assert [answer.status for answer in answers] == [202] * 5
    assert [answer.body["accepted"] for answer in answers] == [1, 2, 1, 1, 1]
    assert [(event.source, event.kind, event.subject) for event in await gate.seen()] == [
        ("pve", "fencing", "pxmx01-01"),
        ("prometheus", "NodeDown", "pxmx01-01:9100"),
        ("prometheus", "NodeDown", "pxmx01-02"),
        ("arrays", "alert 122", "webb-ac-proxmox-01"),
        ("others", "org.example.power.lost", "pdu-3"),
        ("others", "org.example.power.lost", "pdu-3"),
    ]


async def test_an_event_that_is_sent_again_is_a_duplicate(gate: Running):
    """Acknowledged as well, counted apart, and brought once; another source's same id is another event."""
    first, again = await gate.post("others", cloud(1), STRUCTURED), await gate.post("others", cloud(1), STRUCTURED)
    batch = [cloud(1), cloud(2), cloud(2)]
    several = await gate.post("others", batch, {**BEARER, "Content-Type": "application/cloudevents-batch+json"})

    assert (first.body, again.body) == ({"accepted": 1, "duplicates": 0}, {"accepted": 0, "duplicates": 1})
    assert (several.status, several.body) == (202, {"accepted": 1, "duplicates": 2})
    assert [event.id for event in await gate.seen()] == ["/power/site-a/event-1", "/power/site-a/event-2"]


async def test_what_was_acknowledged_is_remembered_within_bounds(client: Client):
    """The oldest ids are forgotten; an event that comes again after that is brought again."""
    async with running(client, remembered=2) as gate:
        for number in (1, 2, 3):
            await gate.post("others", cloud(number), STRUCTURED)
        newest, oldest = (
            await gate.post("others", cloud(3), STRUCTURED),
            await gate.post("others", cloud(1), STRUCTURED),
        )

    assert (newest.body["duplicates"], oldest.body["accepted"]) == (1, 1)


async def test_a_storm_becomes_few_messages_and_loses_nothing(gate: Running):
    """Three hundred at once: all of them in the watch, in batches."""
    answers = await asyncio.gather(*(gate.post("others", cloud(number), STRUCTURED) for number in range(300)))
    batches = await gate.batches()

    assert {answer.status for answer in answers} == {202}
    ids = [event.id for batch in batches for event in batch.events]
    assert sorted(ids) == sorted(f"/power/site-a/event-{number}" for number in range(300))
    assert len(batches) <= 30
    assert max(len(batch.events) for batch in batches) <= 100


async def test_nothing_is_acknowledged_before_temporal_has_it(frozen: Frozen):
    """Two senders of the same event wait while Temporal hangs, and both are told when it has the event."""
    async with running(frozen.client) as gate:
        await gate.post("others", cloud("before"), STRUCTURED)
        frozen.hang()
        senders = [asyncio.create_task(gate.post("others", cloud(1), STRUCTURED)) for _ in range(2)]
        await until(lambda: len(gate.serving.server_state.tasks) == 2 and gate.delivery.waiting == 1)
        finished, _ = await asyncio.wait(senders, timeout=0.3)
        frozen.go_on()
        answers = [await sender for sender in senders]
        seen = {event.id for event in await gate.seen()}

    assert not finished
    assert sorted(answer.body["accepted"] for answer in answers) == [0, 1]
    assert {answer.status for answer in answers} == {202}
    assert seen == {"/power/site-a/event-before", "/power/site-a/event-1"}


async def test_when_temporal_hangs_the_sender_is_told_to_come_again(frozen: Frozen):
    """503 within the patience; what was not acknowledged is not taken for known, and more than there is room waits not.

    The process lives on and says that it is not ready.
    """
    async with running(frozen.client, patience=0.5, room=2) as gate:
        frozen.hang()
        three = await asyncio.gather(*(gate.post("others", cloud(number), STRUCTURED) for number in range(3)))
        health, ready = await asyncio.gather(gate.get("/health"), gate.get("/ready"))
        frozen.go_on()
        await until(lambda: gate.delivery.waiting == 0)
        again = await gate.post("others", cloud(0), STRUCTURED)
        seen = {event.id for event in await gate.seen()}

    assert [answer.status for answer in three] == [503, 503, 503]
    assert sorted(answer.body["error"] for answer in three) == [
        "Temporal has not taken these events in time",
        "Temporal has not taken these events in time",
        "more events wait than this gateway keeps",
    ]
    assert {answer.headers["Retry-After"] for answer in (*three, ready)} == {"2"}
    assert (health.status, health.body, ready.status) == (200, {"status": "alive"}, 503)
    assert ready.body["error"] in ("Temporal does not answer", "no more events may wait")
    assert again.status == 202
    assert "/power/site-a/event-0" in seen


async def test_it_is_ready_when_temporal_answers(gate: Running):
    """And says so in a form that a probe reads."""
    ready = await gate.get("/ready")

    assert (ready.status, ready.body) == (200, {"status": "ready"})


async def test_a_stop_brings_what_was_taken_in(frozen: Frozen):
    """The sender that waits still gets its answer; nobody new is let in."""
    async with running(frozen.client) as gate:
        await gate.post("others", cloud("before"), STRUCTURED)
        frozen.hang()
        sender = asyncio.create_task(gate.post("others", cloud(1), STRUCTURED))
        await until(lambda: gate.delivery.waiting == 1)
        gate.serving.should_exit = True
        await until(lambda: not any(server.is_serving() for server in gate.serving.servers))
        with pytest.raises(aiohttp.ClientConnectionError):
            await gate.post("others", cloud(2), STRUCTURED)
        frozen.go_on()

        assert (await sender).status == 202
        assert {event.id for event in await gate.seen()} == {"/power/site-a/event-before", "/power/site-a/event-1"}
