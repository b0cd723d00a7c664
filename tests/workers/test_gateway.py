"""Who gets in at the gateway, with what, and how the others are refused."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client

from tests.gateways import BEARER, SECRET, SOURCES, STRUCTURED, Running, cloud, running, signed, until
from tests.workers.test_gateway_bodies import CLOUD, PURITY, PVE
from workers.gateway.door import Door
from workers.gateway.refusals import Refused


@pytest_asyncio.fixture(scope="module")
async def gate(client: Client) -> AsyncIterator[Running]:
    async with running(client) as made:
        yield made


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {SECRET}"},
        {"Authorization": SECRET},
        {"Authorization": "Bearer "},
        {"Authorization": f"Bearer {SECRET}\u00e9"},
        signed(PVE),
    ],
)
async def test_a_stranger_learns_nothing(gate: Running, headers: dict[str, str]):
    """Whatever was wrong, the answer is the same, and it comes before the body is looked at."""
    answer = await gate.post("pve", b"{ no json", headers)

    assert answer.status == 401
    assert answer.body == {
        "error": "the request does not prove that it comes from this source",
        "remedy": "send Authorization: Bearer and the secret of this source",
    }


@pytest.mark.parametrize(
    "headers",
    [
        BEARER,
        signed(PURITY, secret="another"),
        signed(PURITY | {"id": "another"}),
        signed(PURITY, stamp=int(time.time()) - 4000),
        signed(PURITY, stamp=int(time.time()) + 4000),
        signed(PURITY) | {"X-Quorate-Timestamp": "yesterday"},
        {"X-Quorate-Timestamp": f"{int(time.time())}"},
        signed(PURITY) | {"X-Quorate-Timestamp": f"{int(time.time()) - 7}"},
    ],
)
async def test_a_signature_binds_the_secret_the_time_and_the_body(gate: Running, headers: dict[str, str]):
    """One word changed, a minute too late, another key: not from this source."""
    answer = await gate.post("arrays", PURITY, headers)

    assert (answer.status, answer.body["error"]) == (401, "the request does not prove that it comes from this source")


async def test_a_signed_request_is_taken_once(gate: Running):
    """Recorded and sent again it is refused, though its signature is right; signed anew it is a duplicate."""
    own = PURITY | {"summary": "an alert that no other test sends"}
    headers = signed(own)
    first, replayed = await gate.post("arrays", own, headers), await gate.post("arrays", own, headers)
    anew = await gate.post("arrays", own, signed(own, stamp=int(time.time()) - 30))

    assert (first.status, replayed.status, replayed.body["field"]) == (202, 409, "X-Quorate-Signature")
    assert (anew.status, anew.body["duplicates"]) == (202, 1)


async def test_a_body_that_is_too_large_is_refused_also_without_a_length(gate: Running):
    """256 KiB and not a byte more is kept, whatever the sender says about its length."""

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b" " * 64 * 1024

    large = json.dumps(CLOUD).encode().ljust(256 * 1024)
    fits = await gate.post("others", large, STRUCTURED)
    told, chunked = await gate.post("others", large + b" ", STRUCTURED), await gate.post("others", parts(), STRUCTURED)

    assert (fits.status, told.status, chunked.status) == (202, 413, 413)
    assert chunked.body["error"] == "the body is larger than 256 KiB"


async def test_a_body_that_does_not_come_is_not_waited_for(client: Client):
    """A sender that says a length and sends half of it gets its answer in time."""
    async with running(client, patience=0.2) as gate:
        host, port = gate.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"POST /events/pve HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\r\n".encode())
        writer.write(b"Content-Length: 100\r\n\r\n{")
        status = await asyncio.wait_for(reader.readline(), 5)
        writer.close()

    assert b" 408 " in status


async def test_only_so_many_requests_are_under_way_at_once(client: Client, monkeypatch: pytest.MonkeyPatch):
    """What comes on top is told to come again, so that memory stays within bounds."""
    monkeypatch.setattr("workers.gateway.app.AT_ONCE", 1)
    async with running(client) as gate:
        host, port = gate.url.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"POST /events/pve HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\r\n".encode())
        writer.write(b"Content-Length: 100\r\n\r\n{")
        await until(lambda: len(gate.serving.server_state.tasks) == 1)
        one_more = await gate.post("pve", PVE)
        writer.close()
        await until(lambda: len(gate.serving.server_state.tasks) == 0)
        after = await gate.post("pve", PVE)

    assert (one_more.status, one_more.headers["Retry-After"], after.status) == (503, "1", 202)


async def test_a_source_that_sends_too_much_is_told_when_to_come_again(client: Client):
    """Its neighbours are not held up, and neither do strangers use up what it may send."""
    async with running(client, settings={"gateway_rate": 0.1, "gateway_burst": 2}) as gate:
        strangers = [await gate.post("pve", PVE, {}) for _ in range(5)]
        mine = [await gate.post("pve", PVE) for _ in range(3)]
        neighbour = await gate.post("others", CLOUD, STRUCTURED)

    assert {answer.status for answer in strangers} == {401}
    assert [answer.status for answer in mine] == [202, 202, 429]
    assert int(mine[2].headers["Retry-After"]) in range(8, 11)
    assert neighbour.status == 202


async def test_a_wrong_body_is_answered_with_the_field_and_the_remedy(gate: Running):
    """400 for what is no JSON, 422 for what does not fit; nothing of it reaches the watch."""
    broken, wrong = await gate.post("pve", b'{"source": '), await gate.post("pve", PVE | {"title": 3})

    assert (broken.status, broken.body["field"]) == (400, "body")
    assert (wrong.status, wrong.body) == (
        422,
        {
            "error": "title: Input should be a valid string",
            "field": "title",
            "remedy": "/openapi.json describes what this source may send",
        },
    )
    assert gate.delivery.waiting == 0


async def test_what_does_not_exist_is_answered_in_the_same_form(gate: Running):
    """No such source, no such path, not with this method."""
    unknown, wrong_way = await gate.post("nobody", PVE), await gate.get("/events/pve")

    assert (unknown.status, wrong_way.status, wrong_way.headers["allow"]) == (404, 405, "POST")
    assert set(unknown.body) == {"error", "remedy"}


async def test_its_document_describes_each_source(gate: Running):
    """One route a source, with the body of its kind and its own way to prove who sends."""
    paths = (await gate.get("/openapi.json")).body["paths"]

    def taken(path: str) -> dict[str, Any]:
        return {kind: each.get("schema") for kind, each in paths[path]["post"]["requestBody"]["content"].items()}

    assert set(paths) == {f"/events/{source.name}" for source in SOURCES} | {"/health", "/ready"}
    assert taken("/events/pve") == {"application/json": {"$ref": "#/components/schemas/PveBody"}}
    assert list(taken("/events/others"))[:2] == ["application/cloudevents+json", "application/cloudevents-batch+json"]
    assert paths["/events/pve"]["post"]["security"] == [{"bearer": []}]
    assert paths["/events/arrays"]["post"]["security"] == [{"timestamp": [], "signature": []}]


async def test_refusals_are_logged_without_a_secret(gate: Running, caplog: pytest.LogCaptureFixture):
    """The source, the status and the reason: enough to see who is set up wrongly."""
    with caplog.at_level(logging.DEBUG):
        answers = [
            await gate.post("pve", PVE, {"Authorization": "Bearer a-guess"}),
            await gate.post("pve", {"source": "pve", "title": SECRET}),
            await gate.post("arrays", PURITY, signed(PURITY, secret="a-guess")),
        ]

    told = caplog.text + json.dumps([answer.body for answer in answers])
    assert "source pve: 401 the request does not prove" in caplog.text
    assert "source pve: 422 timestamp: is missing" in caplog.text
    assert SECRET not in told
    assert "a-guess" not in told


def numbered(number: int) -> tuple[dict[str, Any], bytes]:
    body = cloud(number)
    return signed(body, stamp=1000 + number), json.dumps(body).encode()


async def once(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def test_a_full_memory_narrows_the_window_and_forgets_nothing():
    """Where more signatures were taken than can be kept, what is older than the kept ones is refused."""
    door = Door(SOURCES[2], SECRET, rate=100, burst=100, signatures=2, wall=lambda: 1010.0)
    for number in (1, 2, 3, 4):
        headers, body = numbered(number)
        door.taken(await door.enter({k.lower(): v for k, v in headers.items()}, once(body), 1))

    async def again(number: int) -> int:
        headers, body = numbered(number)
        with pytest.raises(Refused, match="request") as caught:
            await door.enter({k.lower(): v for k, v in headers.items()}, once(body), 1)
        return caught.value.status

    assert [await again(number) for number in (1, 2, 3, 4)] == [401, 401, 409, 409]


async def test_a_request_that_was_not_brought_may_come_again_as_it_is():
    """A sender that was told 503 repeats what it signed; only what is safe in Temporal is a replay."""
    door = Door(SOURCES[2], SECRET, rate=100, burst=100, wall=lambda: 1010.0)
    headers, body = numbered(1)
    lower = {name.lower(): value for name, value in headers.items()}

    first, second = await door.enter(lower, once(body), 1), await door.enter(lower, once(body), 1)

    assert first == second
