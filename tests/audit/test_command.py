"""`quorate audit`: what a person reads, what a script reads, and the exit status."""

import asyncio
import errno
import json
import uuid
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.worker import Worker

from activities.clients.masks import MASKS
from activities.clients.signatures import new_key
from cluster.audit.head import RUNS, SIGNERS, folder
from cluster.audit.line import Line, chained
from cluster.ledger import ledger_id
from cluster.ledger_calls import LedgerRequest
from tests.audit.chains import kept
from tests.audit.histories import events, written
from tests.audit.lasting import Lasting
from tests.workers.test_cli_runs import here, said
from workers.audit.history import lines
from workers.audit.store import Store
from workers.cli.audit.exporting import compared
from workers.temporal.embedded import TemporalServer
from workflows.ledger import ClusterLedger

RUN, HISTORY = "Failback/0b628a54", "0.2 deploy-refused"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder of four records."""
    kept(tmp_path / "audit")
    return tmp_path / "audit"


def changed(place: Path) -> Path:
    """The same with a word changed in line 7 of the failback."""
    (file,) = place.glob(f"{RUNS}/Failback_*/0001.jsonl")
    found = file.read_bytes().splitlines(keepends=True)
    found[7] = found[7].replace(b'"what":"', b'"what":"not ', 1)
    file.write_bytes(b"".join(found))
    return file


def test_a_whole_folder_is_told_in_two_lines(place: Path):
    """And whose signatures count, since whoever writes the folder writes its list as well."""
    text = said(here("audit", "verify", str(place)))

    first, second = text.splitlines()
    assert first == "✓ 4 records, 74 lines, 8 heads: nothing was changed since it was signed"
    assert second.startswith("whose signatures count: the folder itself (SHA256:")


def test_a_changed_line_is_named_with_what_it_means(place: Path):
    """Which file, which line, which byte, and what follows from it; status 1."""
    file = changed(place)
    name = file.relative_to(place).as_posix()
    size, byte = len(file.read_bytes()) - 4, file.read_bytes().index(b"\n", file.read_bytes().index(b'"not ')) + 1

    text = said(here("audit", "verify", str(place)), 1)

    one, other, last = text.splitlines()[:3]
    assert one == (
        f"✗ {name}, line 8 (byte {byte}): it does not follow from line 7: line 7 was edited, or this one was"
    )
    assert other == (
        f"✗ {name}: its first {size} bytes (33 lines) are not those that head 7 has signed: "
        "the record was changed after it was signed"
    )
    assert last == "✗ 4 records, 74 lines, 8 heads: 2 faults"


def test_a_script_reads_the_faults(place: Path):
    """The same as one document."""
    changed(place)

    found = json.loads(said(here("audit", "verify", str(place), "--json"), 1))

    (record,) = [one for one in found["records"] if one["run"] == RUN]
    assert (found["ok"], [one["line"] for one in record["faults"]]) == (False, [8, None])


def test_one_run_is_verified_by_its_name(place: Path):
    """Another one's fault is not its own; a name that is not there is wrong use."""
    changed(place)

    found = said(here("audit", "verify", "ColdStart/2acf4341", "--folder", str(place)))
    missing = said(here("audit", "verify", "deploy/nowhere", "--folder", str(place)), 2)

    assert found.startswith("✓ 1 record, 14 lines, 8 heads: nothing was changed")
    assert "has no record of deploy/nowhere" in missing


def test_a_file_alone_has_no_signature(place: Path):
    """Its chain can be told, and that is said."""
    (file,) = place.glob(f"{RUNS}/Failback_*/0001.jsonl")

    whole = said(here("audit", "verify", str(file)))
    changed(place)
    broken = said(here("audit", "verify", str(file)), 1)

    assert "33 lines, each follows from the one before" in whole
    assert "a file alone has no signature" in whole
    assert "line 7 was edited, or this one was" in broken


def test_ones_own_list_of_signers_finds_a_folder_that_was_signed_anew(place: Path, tmp_path: Path):
    """Whoever has the folder can put another key on its list, and none on ours."""
    ours = tmp_path / "ours"
    ours.write_text(said(here("audit", "key", "--folder", str(place))))
    kept(tmp_path / "forged", new_key())

    own = said(here("audit", "verify", str(place), "--signers", str(ours)))
    trusting = said(here("audit", "verify", str(tmp_path / "forged")))
    forged = said(here("audit", "verify", str(tmp_path / "forged"), "--signers", str(ours)), 1)

    assert "whose signatures count: the list that you named" in own
    assert "nothing was changed since it was signed" in trusting
    assert "its signature does not fit it, or is of a key that is not listed for quorate-audit" in forged


def test_the_list_names_runs_and_how_much_of_each_is_signed(place: Path):
    """With the head, and who outside was told."""
    (place / "anchored.jsonl").write_text(
        '{"answer":"","at":"2026-11-28T12:00:00Z","number":5,"place":"ledger","sha256":"00"}\n'
    )

    found = json.loads(said(here("audit", "list", "--folder", str(place), "--json")))
    text = said(here("audit", "list", "--folder", str(place)))

    assert [(one["run"], one["lines"], one["signed"], one["told"]) for one in found["records"]] == [
        ("ColdStart/2acf4341", 14, 14, ["ledger"]),
        ("Failback/0b628a54", 33, 33, []),
        ("deploy/test/e0eae1ca-8ad1-4a43-8788-226a14df2291", 5, 5, ["ledger"]),
        ("incident/pxmx-cluster/20261128T005150Z", 22, 22, ["ledger"]),
    ]
    assert [line.partition(", head")[0] for line in text.splitlines()[-3:-1]] == [
        "ColdStart/2acf4341",
        "  2026-11-28 08:43 UTC, failed: NotCalledFor: cold-start is for a cluster without quorum, some…: "
        "14 lines, all signed",
    ]


def test_a_folder_that_is_not_there_is_wrong_use(tmp_path: Path):
    """It says where it was looked for."""
    text = said(here("audit", "verify", QUORATE_AUDIT=str(tmp_path / "nothing")), 2)

    assert f"there are no audit records in {tmp_path / 'nothing'}" in text


def test_an_export_holds_one_run_and_can_be_verified(place: Path, tmp_path: Path):
    """It says that it is one run alone, whose chain with the others cannot be told."""
    to = tmp_path / "out"
    nobody = {"TEMPORAL_ADDRESS": "127.0.0.1:1"}

    done = said(here("audit", "export", RUN, "--to", str(to), "--folder", str(place), **nobody))
    found = said(here("audit", "verify", str(to)))

    assert f"✓ {to}: 33 lines from the folder; not compared: no Temporal server answers" in done
    assert "✓ 1 record, 33 lines, 2 heads: nothing was changed since it was signed" in found
    assert "this is one run alone" in found
    assert (to / SIGNERS).read_bytes() == (place / SIGNERS).read_bytes()


@pytest.mark.parametrize(
    ("recorded", "status", "told"),
    [
        (0, 0, "3 lines from Temporal's history; there is no record in the folder: not compared, not signed"),
        (2, 0, "2 lines from the folder; identical to what Temporal's history says, which has 1 line more"),
        (3, 0, "3 lines from the folder; identical to what Temporal's history says"),
        (-3, 1, "3 lines from the folder; it differs from what Temporal's history says, from line 1 on"),
    ],
    ids=["no record", "half a record", "a record", "another record"],
)
async def test_an_export_is_compared_with_temporals_history(
    client: Client, temporal: TemporalServer, tmp_path: Path, recorded: int, status: int, told: str
):
    """Whoever has changed the folder, key and all, has not changed Temporal's database."""
    queue = f"test-{uuid.uuid4()}"
    async with Worker(client, task_queue=queue, workflows=[Lasting]):
        run = await client.start_workflow(Lasting.run, 0, id=f"lasting/{queue}", task_queue=queue)
        await run.signal(Lasting.then, "ends")
        await run.result()
    found = list(lines((await run.fetch_history()).events))
    found[1] = found[1].model_copy(update={"what": found[1].what + " (not)"} if recorded < 0 else {})
    place = tmp_path / "audit"
    store = Store(place, new_key(), "metro")
    record = store.record(run.id, str(run.first_execution_run_id))
    record.append(found[: abs(recorded)])
    store.sign(record)
    store.close()

    words = ("audit", "export", run.id, "--folder", str(place), "--to", str(tmp_path / "out"))
    text = said(here(*words, TEMPORAL_ADDRESS=temporal.address), status)

    assert told in text
    assert (tmp_path / "out" / folder(run.id, str(run.first_execution_run_id)) / "0001.jsonl").is_file()


def test_executions_that_temporal_has_forgotten_are_not_called_changed():
    """A run that goes on as new for weeks has more on record than in Temporal's histories."""
    first, second = ([replace_execution(one, name) for one in lines(events(HISTORY))] for name in ("one", "two"))
    ours = {"runs/a.1/0001.jsonl": written(chained(first)), "runs/a.1/0002.jsonl": written(chained([*first, *second]))}
    ours["runs/a.1/0002.jsonl"] = ours["runs/a.1/0002.jsonl"].removeprefix(ours["runs/a.1/0001.jsonl"])
    theirs = {"runs/a.2/0001.jsonl": written(chained(second))}
    edited = {**ours, "runs/a.1/0002.jsonl": ours["runs/a.1/0002.jsonl"].replace(b'"what":"', b'"what":"not ', 1)}

    gone = f"; the {len(first)} lines before it are of executions that Temporal does not have any more"
    assert compared(ours, theirs) == (f"identical to what Temporal's history says{gone}", True)
    assert compared(edited, theirs) == (
        f"it differs from what Temporal's history says, from line {len(first)} on{gone}", False
    )  # fmt: skip


def replace_execution(line: Line, execution: str) -> Line:
    return line.model_copy(update={"execution": execution})


async def test_the_ledger_finds_that_the_folder_was_signed_anew(
    client: Client, temporal: TemporalServer, tmp_path: Path
):
    """It knows the head that it was told, and by which key: no other key's."""
    cluster, queue = f"audit-{uuid.uuid4().hex[:8]}", f"test-{uuid.uuid4()}"
    _, anchors = kept(tmp_path / "before", cluster=cluster)
    kept(tmp_path / "audit", cluster=cluster)
    async with Worker(client, task_queue=queue, workflows=[ClusterLedger]):
        ledger = await client.start_workflow(
            ClusterLedger.run, LedgerRequest(cluster=cluster), id=ledger_id(cluster), task_queue=queue
        )
        await ledger.signal(ClusterLedger.audited, anchors[-1])
        words = ("audit", "verify", str(tmp_path / "audit"), "--ledger")
        text = said(await asyncio.to_thread(here, *words, TEMPORAL_ADDRESS=temporal.address), 1)
        await ledger.terminate("the test is over")

    assert (
        f"✗ allowed_signers: the ledger of {cluster} was told of no head by a key of this folder, but by "
        f"{anchors[-1].signer}: the folder was signed again with another key" in text
    )


def test_a_file_of_anchors_that_is_not_there_is_told(place: Path, tmp_path: Path):
    """Silence would look like a comparison."""
    elsewhere = tmp_path / "nothing.jsonl"

    text = said(here("audit", "verify", str(place), QUORATE_AUDIT_FILE=str(elsewhere)))

    assert f"! QUORATE_AUDIT_FILE is {elsewhere}, which is not there: nothing was compared with it" in text


async def test_the_ledger_finds_that_the_end_was_cut_off(client: Client, temporal: TemporalServer, tmp_path: Path):
    """It was told the newest head when that run ended."""
    cluster, queue = f"audit-{uuid.uuid4().hex[:8]}", f"test-{uuid.uuid4()}"
    folder_, anchors = kept(tmp_path / "audit", cluster=cluster)
    words = ("audit", "verify", str(tmp_path / "audit"), "--ledger")
    async with Worker(client, task_queue=queue, workflows=[ClusterLedger]):
        ledger = await client.start_workflow(
            ClusterLedger.run, LedgerRequest(cluster=cluster), id=ledger_id(cluster), task_queue=queue
        )
        await ledger.signal(ClusterLedger.audited, anchors[-1])
        whole = said(await asyncio.to_thread(here, *words, TEMPORAL_ADDRESS=temporal.address))
        for name in (name for name in folder_ if name.startswith(("heads/00000007", "runs/Failback"))):
            (tmp_path / "audit" / name).unlink()
        (tmp_path / "audit" / "heads" / "00000006.json").unlink()
        cut = said(await asyncio.to_thread(here, *words, TEMPORAL_ADDRESS=temporal.address), 1)
        await ledger.terminate("the test is over")

    assert "1 head told outside: compared" in whole
    assert "head 7 (of Failback/0b628a54), told outside at 2026-11-28 12:00:03 UTC, is not here" in cut


def test_an_empty_file_is_no_record(tmp_path: Path):
    """Nothing follows from nothing."""
    (tmp_path / "empty.jsonl").write_bytes(b"")

    assert f"error: {tmp_path / 'empty.jsonl'} holds no line" in said(
        here("audit", "verify", str(tmp_path / "empty.jsonl")), 2
    )


def test_a_file_that_may_not_be_read_is_told_without_a_stack_trace(place: Path, monkeypatch: pytest.MonkeyPatch):
    """It is there: whoever may not look into it must not be told that it is missing, or whole."""
    denied = next((place / "heads").glob("*.json"))

    def read_bytes(path: Path) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied", str(denied))

    monkeypatch.setattr(Path, "read_bytes", read_bytes)

    text = said(here("audit", "verify", str(place)), 2)

    assert text.splitlines() == [
        f"error: {denied}: Permission denied",
        "what to do: let this user read or write there, or name another place",
    ]


def test_a_bug_is_told_without_secrets_also_where_its_log_cannot_be_written(
    place: Path, monkeypatch: pytest.MonkeyPatch
):
    """The last line of defence holds on a disk that is full, too."""
    MASKS.learn("canary-of-a-bug-77")

    def bug(*_: object, **__: object) -> None:
        raise RuntimeError("the token canary-of-a-bug-77 is odd")

    monkeypatch.setattr("workers.cli.audit.reading.judged", bug)

    text = said(here("audit", "verify", str(place), QUORATE_STATE=str(place / SIGNERS)), 70)

    assert text.splitlines() == [
        "error: a bug in Quorate: RuntimeError: the token [secret] is odd",
        f"what to do: please report it; {place / SIGNERS / 'crash.log'} cannot be written (File exists), "
        "QUORATE_STATE names another folder",
    ]


def test_an_export_of_temporals_history_is_not_called_signed(place: Path, tmp_path: Path):
    """It has no heads, and nobody has signed it."""
    words = ("audit", "export", RUN, "--to", str(tmp_path / "out"), "--folder", str(place))
    said(here(*words, TEMPORAL_ADDRESS="127.0.0.1:1"))
    for head in (tmp_path / "out" / "heads").iterdir():
        head.unlink()

    text = said(here("audit", "verify", str(tmp_path / "out")))

    assert "! 1 record, 33 lines, 0 heads: each line follows from the one before, and nothing is signed" in text
