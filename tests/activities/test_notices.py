"""Notices: who is told, in which words, and what happens when somebody cannot be told."""

import contextlib
import itertools
import json
import socketserver
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from temporalio.testing import ActivityEnvironment

from activities.clients.secrets import Secrets
from activities.errors import Unreachable
from activities.people import notices
from activities.people.notices import Notices
from cluster.around import Notify
from cluster.notices import Notice, NoticeWish, rendered
from tests.receivers import Receiver

NOTICE = Notice(
    key="site-loss/metro/1",
    occasion="opened",
    cluster="metro",
    incident="site-loss/metro/site-a/1",
    title="Site site-a is lost",
    text='guests run again "soon"',
    at=datetime(2026, 3, 1, 3, 12, tzinfo=UTC),
)


@pytest.fixture
def receivers() -> Iterator[tuple[Receiver, Receiver]]:
    pair = Receiver(), Receiver()
    yield pair
    for one in pair:
        one.stop()


def send(targets: tuple[Notify, ...], base: Path, earlier: BaseModel | None = None) -> tuple[str, list[Any]]:
    """The finding, and what was kept with the heartbeat."""
    environment = ActivityEnvironment()
    beats: list[Any] = []
    environment.on_heartbeat = lambda *details: beats.append(details[0])
    if earlier is not None:
        environment.info = environment.info.__class__(
            **{**environment.info.__dict__, "heartbeat_details": [earlier.model_dump()]}
        )
    try:
        finding = environment.run(Notices(targets, Secrets(base)).send, NoticeWish(notice=NOTICE)).finding
    except Unreachable as error:
        finding = f"Unreachable: {error.message}"
    return finding, beats


def test_everybody_who_wants_it_gets_the_notice_with_its_key(receivers, tmp_path: Path):
    """As a JSON document, signed by a secret that only the header holds."""
    (tmp_path / "token").write_text("s3cret")
    pager, chat = receivers
    targets = (
        Notify(name="pager", webhook=pager.url, headers={"X-Token": "file:token"}),
        Notify(name="chat", webhook=chat.url, occasions=("closed",)),
    )

    finding, _ = send(targets, tmp_path)

    assert finding == "told pager"
    headers, body = pager.got[0]
    assert json.loads(body) == NOTICE.model_dump(mode="json")
    assert (headers["X-Token"], headers["Idempotency-Key"]) == ("s3cret", "site-loss/metro/1")
    assert chat.got == []


def test_a_template_says_it_in_the_receivers_words(receivers, tmp_path: Path):
    """Braces that are no place stay as they are."""
    chat = receivers[0]
    target = Notify(name="chat", webhook=chat.url, template='{"text": "{title}: {text}", "extra": {}}')

    send((target,), tmp_path)

    assert json.loads(chat.got[0][1]) == {"text": 'Site site-a is lost: guests run again "soon"', "extra": {}}


def test_who_cannot_be_told_keeps_nobody_else_waiting_and_is_told_later(receivers, tmp_path: Path):
    """The next attempt tells only who was missed."""
    pager, chat = receivers
    pager.status = 503
    targets = tuple(Notify(name=n, webhook=r.url) for n, r in (("pager", pager), ("chat", chat)))

    finding, beats = send(targets, tmp_path)
    assert finding == f"Unreachable: pager: 127.0.0.1:{pager.port} says HTTP 503"
    assert len(chat.got) == 1

    pager.status = 200
    finding, _ = send(targets, tmp_path, beats[-1])
    assert finding == "told chat, pager"
    assert (len(pager.got), len(chat.got)) == (2, 1)


def test_a_refusal_is_told_and_not_repeated(receivers, tmp_path: Path):
    """A wrong template is nothing that time mends."""
    chat = receivers[0]
    chat.status = 400

    finding, _ = send((Notify(name="chat", webhook=chat.url),), tmp_path)

    assert finding == f"chat refused: 127.0.0.1:{chat.port} says HTTP 400"


@given(title=st.text(max_size=50), text=st.text(max_size=50))
def test_a_json_template_stays_json_whatever_is_said(title: str, text: str):
    """Quotes, line ends and braces in a finding break nothing."""
    notice = NOTICE.model_copy(update={"title": title, "text": text})

    found = json.loads(rendered('{"a": "{title}", "b": "{text}", "c": "{at}"}', notice))

    assert (found["a"], found["b"]) == (title, text)


class Drips(socketserver.BaseRequestHandler):
    """Begins an answer and never ends it."""

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            self.request.sendall(b"HTTP/1.1 200 OK\r\n")
            for number in itertools.count():
                self.request.sendall(f"X-{number}: x\r\n".encode())
                time.sleep(0.05)


def test_a_receiver_that_never_ends_its_answer_keeps_nobody_waiting(
    receivers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The others are told, and it is tried again later."""
    monkeypatch.setattr(notices, "ALL_WITHIN", 1.0)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Drips) as served:
        served.daemon_threads = True
        threading.Thread(target=served.serve_forever, daemon=True).start()
        slow = Notify(name="slow", webhook=f"http://127.0.0.1:{served.server_address[1]}/")
        began = time.monotonic()
        finding, beats = send((slow, Notify(name="chat", webhook=receivers[0].url)), tmp_path)
        took = time.monotonic() - began
        served.shutdown()

    assert finding == "Unreachable: slow: no answer within 1 s"
    assert beats[-1].told == ("chat",)
    assert took < 5
