"""Heads are told to somebody outside: a file elsewhere, a webhook, a time stamp service, the cluster's ledger."""

import asyncio
import json
import logging
import threading
import uuid
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Iterator
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.worker import Worker

from activities.clients.secrets import Secrets
from activities.clients.signatures import new_key
from activities.clients.timestamps import stamped
from cluster.audit.head import Head
from cluster.audit.verify import verified
from cluster.ledger import ledger_id
from cluster.ledger_calls import LedgerRequest
from tests.audit.histories import events
from tests.audit.stamping import Stamping
from tests.receivers import Receiver
from workers.audit import anchors as outside
from workers.audit.anchors import Anchors, File, Ledger, Place, TimeStamps, Told, Webhook, known, told, torn
from workers.audit.history import lines
from workers.audit.store import Files, Store, soundness
from workflows.ledger import ClusterLedger


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder of records, with one."""
    return tmp_path / "audit"


@pytest.fixture
def head(place: Path) -> Head:
    """The head of a run that has ended."""
    return signed(place)


@pytest.fixture
def stamping(tmp_path: Path) -> Iterator[Stamping]:
    """A time stamp service."""
    folder = tmp_path / "tsa"
    folder.mkdir()
    service = Stamping(folder)
    yield service
    service.stop()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """The other end of a webhook."""
    found = Receiver()
    yield found
    found.stop()


def signed(place: Path, which: str = "0.2 deploy-refused") -> Head:
    """One more record in that folder."""
    store = Store(place, new_key(), "pxmx-cluster")
    told_ = list(lines(events(which)))
    record = store.record(told_[0].run, told_[0].data["first_execution"])
    record.append(told_)
    head = store.sign(record)
    store.close()
    assert head is not None
    return head


async def tell(place: Path, head: Head, *places: Place) -> Anchors:
    """Each of them is told once."""
    anchors = Anchors(place, places)
    anchors.signed(head)
    await anchors.tell()
    return anchors


async def test_a_file_elsewhere_finds_that_the_end_of_the_chain_was_cut_off(place: Path, head: Head, tmp_path: Path):
    """Nothing in the folder itself could say so."""
    elsewhere = tmp_path / "told.jsonl"
    await tell(place, head, File(elsewhere))
    for path in (place / head.name, place / f"{head.name}.sig", *(place / head.folder).iterdir()):
        path.unlink()

    alone = verified(Files(place), soundness(place))
    compared = verified(Files(place), soundness(place), known(elsewhere))

    assert alone.ok
    (fault,) = compared.whole
    assert fault.what.startswith("head 0 (of deploy/test/e0eae1ca-8ad1-4a43-8788-226a14df2291), told outside at ")
    assert fault.means == "the chain was cut off or rewritten after it was told outside"


async def test_a_webhook_is_told_of_the_head(place: Path, head: Head, receiver: Receiver, tmp_path: Path):
    """Its address is a secret, and referred to."""
    (tmp_path / "address").write_text(receiver.url)

    await tell(place, head, Webhook("file:address", Secrets(tmp_path)))

    (_, body) = receiver.got[0]
    said = json.loads(body)
    assert {name: said[name] for name in ("kind", "number", "sha256", "run")} == {
        "kind": "audit-head", "number": 0, "sha256": head.digest, "run": head.run,
    }  # fmt: skip
    assert [(one.place, one.number, one.answer) for one in told(place)] == [("webhook", 0, "HTTP 200")]
    assert receiver.url not in (place / "anchored.jsonl").read_text()


async def test_a_time_stamp_holds_for_us_and_for_openssl(place: Path, head: Head, stamping: Stamping):
    """The service has seen this head, and no other."""
    await tell(place, head, TimeStamps(stamping.url, place))

    reply = place / f"{head.name}.tsr"
    when, why = stamped(reply.read_bytes(), head.canonical, stamping.roots)
    words = ["ts", "-verify", "-data", str(place / head.name), "-in", str(reply), "-CAfile", str(stamping.roots)]
    openssl = await asyncio.create_subprocess_exec("openssl", *words, stdout=PIPE, stderr=STDOUT)
    said, _ = await openssl.communicate()
    assert (when is not None, why) == (True, "")
    assert b"Verification: OK" in said
    assert stamped(reply.read_bytes(), head.canonical + b" ", stamping.roots)[1].startswith("the time stamp does not")
    assert stamped(reply.read_bytes(), head.canonical + b" ")[1] == "the time stamp is about something else"
    assert stamped(b"no stamp", head.canonical)[1] == "it is no time stamp"


async def test_a_place_that_fails_is_told_of_once_and_tried_again(
    place: Path, head: Head, stamping: Stamping, caplog: pytest.LogCaptureFixture
):
    """The others are told meanwhile."""
    stamping.refusals = 2
    elsewhere = place / "told.jsonl"
    caplog.set_level(logging.WARNING, "quorate.audit")

    anchors = await tell(place, head, TimeStamps(stamping.url, place), File(elsewhere))
    assert [one.place for one in told(place)] == ["file"]
    await anchors.tell()
    await anchors.tell()

    assert [one.place for one in told(place)] == ["file", "time stamp"]
    where = stamping.url.removeprefix("http://").removesuffix("/tsa")
    assert caplog.messages == [f"head 0 is not told outside (time stamp): {where} says HTTP 503; it is tried again"]


async def test_what_was_told_is_not_told_again_by_the_next_process(place: Path, head: Head, tmp_path: Path):
    """It begins with the newest head that nobody was told of."""
    elsewhere = tmp_path / "told.jsonl"
    for _ in range(2):
        await tell(place, head, File(elsewhere))

    assert [one.number for one in known(elsewhere)] == [0]


async def test_the_ledger_remembers_the_newest_head_of_a_run_that_has_ended(client: Client, place: Path, head: Head):
    """In Temporal's database, which is another place than the folder; through continue-as-new as well."""
    cluster, queue = f"audit-{uuid.uuid4().hex[:8]}", f"test-{uuid.uuid4()}"
    async with Worker(client, task_queue=queue, workflows=[ClusterLedger]):
        ledger = await client.start_workflow(
            ClusterLedger.run, LedgerRequest(cluster=cluster), id=ledger_id(cluster), task_queue=queue
        )
        await tell(place, head, Ledger(client, cluster))
        book = await ledger.query(ClusterLedger.book)
        await ledger.terminate("the test is over")

    assert [(one.number, one.sha256) for one in book.audited.values()] == [(0, head.digest)]
    assert list(book.audited) == [head.signer]


async def test_where_there_is_no_ledger_nobody_is_told_and_nothing_fails(client: Client, place: Path, head: Head):
    """A cluster whose ledger has never been needed."""
    await tell(place, head, Ledger(client, f"audit-{uuid.uuid4().hex[:8]}"))

    assert [one.answer for one in told(place)] == ["there is no ledger yet"]


class Hanging(File):
    """A file on the disk of a machine that has gone: whoever writes there waits until it is back."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.back = threading.Event()
        self.asked = 0

    def _append(self, text: bytes) -> None:
        self.asked += 1
        self.back.wait()
        super()._append(text)


async def test_a_place_that_hangs_keeps_no_other_from_being_told(
    place: Path, head: Head, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    """It is not asked again before it has come back, and no thread of the process waits for it."""
    monkeypatch.setattr(outside, "PATIENCE", 1.0)
    caplog.set_level(logging.WARNING, "quorate.audit")
    hangs, other = Hanging(tmp_path / "gone"), File(tmp_path / "there")
    other.name = "another file"

    anchors = await tell(place, head, hangs, other)
    await anchors.tell()
    asked = hangs.asked
    hangs.back.set()
    monkeypatch.setattr(outside, "PATIENCE", 10.0)
    await anchors.tell()

    assert asked == 1
    assert [one.place for one in told(place)] == ["another file", "file"]
    assert caplog.messages == ["head 0 is not told outside (file): it has not answered within 1 s; it is tried again"]


async def test_a_place_that_fails_in_a_way_of_its_own_keeps_no_other_from_being_told(
    place: Path, head: Head, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """A bug in one of them must not end what tells all of them."""

    class Broken(File):
        name = "broken"

        def _append(self, text: bytes) -> None:
            raise ValueError(text)

    caplog.set_level(logging.WARNING, "quorate.audit")
    await tell(place, head, Broken(tmp_path / "broken"), File(tmp_path / "there"))

    assert [one.place for one in told(place)] == ["file"]
    assert caplog.messages == ["head 0 is not told outside (broken): a bug: ValueError; it is tried again"]


async def test_what_a_crash_has_left_of_a_line_elsewhere_spoils_no_other_line(place: Path, head: Head, tmp_path: Path):
    """The next head has a line of its own; what is torn is counted."""
    elsewhere = tmp_path / "told.jsonl"
    elsewhere.write_bytes(b'{"at":"2026-11')

    await tell(place, head, File(elsewhere))

    assert [one.sha256 for one in known(elsewhere)] == [head.digest]
    assert torn(elsewhere) == 1


async def test_a_note_that_somebody_has_made_up_silences_nobody(place: Path, head: Head, tmp_path: Path):
    """What was told is noted in the folder, which whoever holds the folder can write."""
    made_up = Told(at=head.at, place="file", number=999_999, sha256="f" * 64).model_dump_json()
    (place / "anchored.jsonl").write_text(f"{made_up}\n")

    await tell(place, head, File(tmp_path / "there"))

    assert [one.sha256 for one in known(tmp_path / "there")] == [head.digest]


async def test_a_place_is_told_once_although_that_cannot_be_noted(place: Path, head: Head, receiver: Receiver):
    """On a full disk a webhook would be told again every half minute."""
    (place / "anchored.jsonl").mkdir()

    anchors = await tell(place, head, Webhook(receiver.url, Secrets(place)))
    await anchors.tell()

    assert len(receiver.got) == 1
