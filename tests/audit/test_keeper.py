"""The keeper: runs are followed while they go on, and nothing is written twice, whatever happens to it."""

import asyncio
import contextlib
import logging
import shutil
import time
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from activities.clients.signatures import Key, new_key
from cluster.audit.head import HEADS, folder
from cluster.audit.verify import Verdict, verified
from tests.audit.lasting import Lasting
from tests.patience import Deadline
from workers.audit import keeper as keeping
from workers.audit import process
from workers.audit.history import record
from workers.audit.keeper import Found, Keeper
from workers.audit.store import Files, Held, Store, held, soundness
from workers.settings import Settings

Run = WorkflowHandle[Lasting, int]
WITHIN = 10.0
COMPLETED = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED


@dataclass
class Audit:
    """A folder of records, its key, and the queue whose runs are recorded in it."""

    client: Client
    place: Path
    key: Key
    queue: str

    @contextlib.asynccontextmanager
    async def kept(self) -> AsyncIterator[Keeper]:
        """While a keeper is at work."""
        store = Store(self.place, self.key, "metro")
        keeper = Keeper(self.client, self.queue, store)
        work = asyncio.create_task(keeper.keep())
        try:
            yield keeper
        finally:
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work
            store.close()

    async def start(self) -> Run:
        """A run."""
        return await self.client.start_workflow(Lasting.run, 0, id=f"lasting/{uuid.uuid4()}", task_queue=self.queue)

    def verdict(self) -> Verdict:
        """What `verify` says."""
        return verified(Files(self.place), soundness(self.place))

    def text(self, run: Run) -> str:
        """All that is recorded of that run."""
        first = str(run.first_execution_run_id)
        return "".join(one.read_text() for one in sorted((self.place / folder(run.id, first)).glob("*.jsonl")))

    async def until(self, holds: Callable[[], object], what: str) -> None:
        """Wait for it."""
        deadline = Deadline(WITHIN)
        while not holds():
            assert not deadline.over, f"waited for {what}; there is {list(Files(self.place))}"
            await deadline.a_while()

    async def anew(self, run: Run) -> str:
        """The record as it is made from Temporal's histories, now."""
        executions = [one async for one in self.client.list_workflows(f"WorkflowId = '{run.id}'")]
        histories = [
            (await self.client.get_workflow_handle(run.id, run_id=one.run_id).fetch_history()).events
            for one in sorted(executions, key=lambda one: one.start_time)
        ]
        return "".join(line.canonical.decode() + "\n" for line in record(histories))


@pytest_asyncio.fixture
async def audit(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Audit]:
    """With a worker for its runs, and a keeper that looks more often than in real life."""
    monkeypatch.setattr(keeping, "LOOKS_EVERY", keeping.LOOKS_EVERY / 20)
    monkeypatch.setattr(keeping, "GATHERS_FOR", keeping.GATHERS_FOR / 20)
    monkeypatch.setattr(keeping, "AGAIN_IN", keeping.AGAIN_IN / 20)
    queue = f"test-{uuid.uuid4()}"
    async with Worker(client, task_queue=queue, workflows=[Lasting]):
        yield Audit(client, tmp_path / "audit", new_key(), queue)


async def say(run: Run, text: str) -> None:
    await run.execute_update(Lasting.say, {"text": text, "by": "ana"})


async def test_a_run_is_recorded_while_it_goes_on(audit: Audit):
    """What people say is on the disk before the run has ended; its first head is signed at its beginning."""
    async with audit.kept() as keeper:
        run = await audit.start()
        await say(run, "one")
        await audit.until(lambda: "heard one" in audit.text(run), "the word in the record")
        await audit.until(lambda: audit.verdict().heads, "the head of its beginning")
        going_on = audit.verdict()
        await run.signal(Lasting.then, "ends")
        await run.result()
        assert await keeper.caught_up(run.id)

    assert [(one.how, one.head, going_on.ok) for one in going_on.records] == [("", 0, True)]
    ended = audit.verdict()
    assert [str(fault) for fault in ended.whole] == []
    assert [(one.how, one.lines, one.signed) for one in ended.records] == [("completed", 4, 4)]
    assert audit.text(run) == await audit.anew(run)


async def test_executions_that_go_on_as_new_are_files_of_one_record(audit: Audit):
    """Each file is bounded by its execution; the lines are counted and chained through all of them."""
    async with audit.kept() as keeper:
        run = await audit.start()
        await say(run, "one")
        await run.signal(Lasting.then, "goes on")
        same = audit.client.get_workflow_handle_for(Lasting.run, run.id)
        await audit.until(lambda: "goes on as a new" in audit.text(run), "the end of the first")
        await say(same, "two")
        await same.signal(Lasting.then, "ends")
        assert await same.result() == 2
        assert await keeper.caught_up(run.id)

    found = audit.verdict()
    assert [str(fault) for fault in found.whole] == []
    assert [(one.lines, one.how) for one in found.records] == [(8, "completed")]
    assert len([name for name in Files(audit.place) if name.startswith("runs/")]) == 2
    assert audit.text(run) == await audit.anew(run)


async def test_a_keeper_that_is_started_again_goes_on_where_the_file_ends(audit: Audit):
    """It was gone for a while, and a crash had cut its last line in two: nothing is missing, nothing is there twice."""
    run = await audit.start()
    async with audit.kept():
        await say(run, "one")
        await audit.until(lambda: "heard one" in audit.text(run), "the word in the record")
    await say(run, "two")
    file = next((audit.place / folder(run.id, str(run.first_execution_run_id))).glob("*.jsonl"))
    with file.open("a") as torn:
        torn.write('{"at":"2026-11-28T12:0')

    async with audit.kept() as keeper:
        await run.signal(Lasting.then, "ends")
        await run.result()
        assert await keeper.caught_up(run.id)

    assert [str(fault) for fault in audit.verdict().whole] == []
    assert audit.text(run) == await audit.anew(run)


async def test_runs_that_ended_while_nobody_looked_are_recorded(audit: Audit):
    """As long as Temporal keeps their histories."""
    runs = [await audit.start() for _ in range(5)]
    for run in runs:
        await run.signal(Lasting.then, "ends")
        await run.result()

    async with audit.kept():
        await audit.until(lambda: sum(bool(one.how) for one in audit.verdict().records) == 5, "five records")

    assert [str(fault) for fault in audit.verdict().whole] == []
    assert [audit.text(run) for run in runs] == [await audit.anew(run) for run in runs]


async def test_a_full_disk_is_told_once_and_disturbs_no_run(audit: Audit, caplog: pytest.LogCaptureFixture):
    """The keeper tries again, and catches up once there is room."""
    run = await audit.start()
    place = audit.place / folder(run.id, str(run.first_execution_run_id))
    place.mkdir(parents=True)
    (place / "0001.jsonl").symlink_to("/dev/full")
    caplog.set_level(logging.WARNING, "quorate.audit")

    async with audit.kept() as keeper:
        await say(run, "one")
        await audit.until(lambda: caplog.messages, "a word on the full disk")
        await say(run, "two")
        (place / "0001.jsonl").unlink()
        await run.signal(Lasting.then, "ends")
        await run.result()
        assert await keeper.caught_up(run.id)

    assert caplog.messages == [
        "audit records are not kept now: No space left on device; no run is disturbed, it is tried again",
        "audit records are kept again",
    ]
    assert [str(fault) for fault in audit.verdict().whole] == []
    assert audit.text(run) == await audit.anew(run)


async def test_a_folder_has_one_keeper(audit: Audit):
    """Two would write into each other's lines."""
    async with audit.kept():
        with pytest.raises(Held, match="audit"):
            Store(audit.place, audit.key, "metro")
        at_work = held(audit.place)

    assert (at_work, held(audit.place)) == (True, False)


async def test_two_keepers_with_folders_of_their_own_write_the_same_lines(audit: Audit, tmp_path: Path):
    """Each has its own key and its own chain of heads; the record is the run's."""
    other = Audit(audit.client, tmp_path / "elsewhere", new_key(), audit.queue)
    async with audit.kept() as one, other.kept() as two:
        run = await audit.start()
        await say(run, "one")
        await run.signal(Lasting.then, "ends")
        await run.result()
        assert await one.caught_up(run.id)
        assert await two.caught_up(run.id)

    assert audit.text(run) == other.text(run)
    assert audit.verdict().ok
    assert other.verdict().ok
    assert audit.verdict().digest != other.verdict().digest


async def test_a_run_that_lasts_is_signed_in_between(audit: Audit, monkeypatch: pytest.MonkeyPatch):
    """So that little of it is without a signature at any time."""
    monkeypatch.setattr(keeping, "SIGNS_EVERY", timedelta(milliseconds=100))
    async with audit.kept():
        run = await audit.start()
        await say(run, "one")
        await audit.until(
            lambda: [(one.lines, one.signed) for one in audit.verdict().records] == [(2, 2)], "a head with the word"
        )
        await run.terminate("the test is over")


async def test_a_folder_that_cannot_be_made_is_told_once_and_disturbs_no_run(
    audit: Audit, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    """The worker's process goes on; the records follow once the folder can be made."""
    monkeypatch.setattr(process, "AGAIN_IN", timedelta(milliseconds=100))
    caplog.set_level(logging.WARNING, "quorate.audit")
    audit.place.write_text("a file where the folder should be")
    settings = Settings(task_queue=audit.queue, audit=audit.place, audit_key=tmp_path / "audit.key")

    async with process.keeping(audit.client, "metro", tmp_path, settings):
        run = await audit.start()
        await audit.until(lambda: caplog.messages, "a word on the folder")
        await run.signal(Lasting.then, "ends")
        await run.result()
        audit.place.unlink()
        await audit.until(lambda: any(one.how for one in audit.verdict().records), "the record")

    assert caplog.messages == [f"no audit records are kept: {audit.place}: File exists"]
    assert audit.verdict().ok
    assert oct((tmp_path / "audit.key").stat().st_mode & 0o777) == "0o600"


async def test_what_is_being_written_disturbs_nobody_who_looks(audit: Audit):
    """A head that a crash has left half written: neither `verify` nor the next keeper takes it for one."""
    heads = audit.place / HEADS
    heads.mkdir(parents=True)
    (heads / "00000000.json.half").write_text("{")
    (heads / "00000000.json.sig").write_text("a signature whose head was never written")

    async with audit.kept() as keeper:
        run = await audit.start()
        await run.signal(Lasting.then, "ends")
        await run.result()
        assert await keeper.caught_up(run.id)

    found = audit.verdict()
    assert [str(fault) for fault in found.whole] == []
    assert [one.how for one in found.records] == ["completed"]


async def test_an_execution_that_is_found_before_the_one_it_goes_on_from_comes_after_it(audit: Audit):
    """The list of runs is told late, and in no order."""
    run = await audit.start()
    await run.signal(Lasting.then, "goes on")
    same = audit.client.get_workflow_handle_for(Lasting.run, run.id)
    await say(same, "two")
    newest = await same.describe()

    async with audit.kept() as keeper:
        keeper.follow(Found.of(newest))
        await same.signal(Lasting.then, "ends")
        await same.result()
        assert await keeper.caught_up(run.id)

    assert [str(fault) for fault in audit.verdict().whole] == []
    assert audit.text(run) == await audit.anew(run)


async def test_a_folder_that_is_deleted_while_runs_go_on_is_begun_anew(
    audit: Audit, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    """From Temporal's histories, whole: never the second half of a record in a new folder."""
    monkeypatch.setattr(process, "AGAIN_IN", timedelta(milliseconds=100))
    caplog.set_level(logging.WARNING, "quorate.audit")
    settings = Settings(task_queue=audit.queue, audit=audit.place, audit_key=tmp_path / "audit.key")

    async with process.keeping(audit.client, "metro", tmp_path, settings):
        run = await audit.start()
        await say(run, "one")
        await audit.until(lambda: audit.text(run).count('"one"'), "the first word")
        shutil.rmtree(audit.place)
        await say(run, "two")
        await run.signal(Lasting.then, "ends")
        await run.result()
        await audit.until(lambda: any(one.how for one in audit.verdict().records), "the record")

    assert [str(fault) for fault in audit.verdict().whole] == []
    assert audit.text(run) == await audit.anew(run)
    assert any("records are made again from Temporal's histories" in one for one in caplog.messages)


async def test_a_folder_that_another_clusters_worker_keeps_is_told(
    audit: Audit, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    """Else one cluster's runs would be recorded by nobody, and nobody would know."""
    monkeypatch.setattr(process, "AGAIN_IN", timedelta(milliseconds=100))
    caplog.set_level(logging.WARNING, "quorate.audit")
    settings = Settings(task_queue=audit.queue, audit=audit.place, audit_key=tmp_path / "audit.key")
    other = settings.model_copy(update={"task_queue": f"{audit.queue}-2"})

    async with (
        process.keeping(audit.client, "metro", tmp_path, settings),
        process.keeping(audit.client, "metro", tmp_path, settings),
    ):
        await audit.until(lambda: held(audit.place), "the keeper")
        async with process.keeping(audit.client, "harbour", tmp_path, other):
            await audit.until(lambda: caplog.messages, "a word on the folder")

    assert caplog.messages == [
        f"no audit records are kept: {audit.place} is kept by another worker (metro: task queue {audit.queue} of "
        f"namespace default), and this one is of harbour: task queue {audit.queue}-2 of namespace default: "
        "name a folder of its own with QUORATE_AUDIT"
    ]


async def test_a_run_that_a_person_has_reset_after_its_end_goes_on_in_its_record(audit: Audit):
    """Its new execution is signed as soon as it begins: an unsigned line after an end was put in."""
    async with audit.kept() as keeper:
        run = await audit.start()
        await run.signal(Lasting.then, "ends")
        await run.result()
        assert await keeper.caught_up(run.id)
        done = next(one for one in (await run.fetch_history()).events if one.event_type == COMPLETED)
        await audit.client.workflow_service.reset_workflow_execution(
            ResetWorkflowExecutionRequest(
                namespace="default",
                workflow_execution=WorkflowExecution(workflow_id=run.id, run_id=str(run.first_execution_run_id)),
                reason="once more",
                workflow_task_finish_event_id=done.event_id,
                request_id=str(uuid.uuid4()),
            )
        )
        same = audit.client.get_workflow_handle_for(Lasting.run, run.id)
        await same.signal(Lasting.then, "ends")
        await same.result()
        await audit.until(lambda: audit.text(run).count('"kind":"closed"') == 2, "the second end")
        assert await keeper.caught_up(run.id)

    assert [str(fault) for fault in audit.verdict().whole] == []
    assert '"what":"reset, from ' in audit.text(run)


async def test_a_clock_that_is_ahead_of_temporals_overlooks_no_run(audit: Audit, monkeypatch: pytest.MonkeyPatch):
    """What is listed is chosen by Temporal's own times, and what is due by a clock that nobody sets."""

    class Ahead(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Ahead":
            return cls.fromtimestamp(time.time() + 3600, tz)

    monkeypatch.setattr(keeping, "datetime", Ahead)
    async with audit.kept():
        first = await audit.start()
        await audit.until(lambda: audit.verdict().records, "the first record")
        run = await audit.start()
        await run.signal(Lasting.then, "ends")
        await run.result()
        await audit.until(lambda: [one.how for one in audit.verdict().records if one.how], "the second one")
        await first.terminate("the test is over")

    assert [str(fault) for fault in audit.verdict().whole] == []
