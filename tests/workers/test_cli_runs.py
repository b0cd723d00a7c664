"""The commands around a run: plan, agree, start, answer, pause, abort; in words for people, in statuses for scripts."""

import contextlib
import io
import re
import threading
import uuid
from collections.abc import AsyncIterator
from subprocess import CompletedProcess

import pytest
import pytest_asyncio
from temporalio.api.failure.v1 import Failure
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import Client, WorkflowFailureError
from temporalio.service import RPCError

from runbooks.deploy import DeployReport, DeployStretchedCluster
from tests.conftest import APPLY
from tests.runs import parked
from tests.twin import TwinThread
from tests.workers.test_cli import quorate
from tests.workflows.test_operator import FULL, PARKED, plant
from workers.children import WORKER_READY, Child
from workers.cli import follow
from workers.cli import main as cli
from workers.cli.options import err, out
from workers.temporal.embedded import TemporalServer

RUN, QUEUE = "deploy/pxmx-cluster", "cli-runs"
DIGEST = r"digest ([0-9a-f]{16})"


@pytest_asyncio.fixture(scope="module")
async def shell(running_twin: TwinThread, temporal: TemporalServer) -> AsyncIterator[dict[str, str]]:
    """The environment of ana's terminal; a worker in a process of its own stands behind it."""
    environment = {"TEMPORAL_ADDRESS": temporal.address, "QUORATE_TASK_QUEUE": QUEUE, "USER": "ana"}
    path = running_twin.path
    child = Child("worker", ["worker", "-i", str(path)], log=path.parent / "runs.log", environment=environment)
    try:
        await child.says(WORKER_READY)
        yield {**environment, "QUORATE_INVENTORY": str(path)}
    finally:
        child.stop()


@pytest_asyncio.fixture(autouse=True)
async def nothing_left_behind(client: Client, no_ledger: None) -> AsyncIterator[None]:
    """A test that failed may leave a run that waits for an answer."""
    yield
    with contextlib.suppress(RPCError):
        await client.get_workflow_handle(RUN).terminate("the test is over")


def here(*arguments: str, **environment: str) -> CompletedProcess[str]:
    """The command in this process, which is spared the imports; in a thread, as it runs an event loop of its own.

    Who acts is taken from the environment when the process starts, so what is signed needs `quorate`.
    """
    told, ended = io.StringIO(), []
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
        for name, value in environment.items():
            patch.setenv(name, value)
        for screen in (out, err):
            patch.setattr(screen, "_width", 200)
        thread = threading.Thread(target=lambda: ended.append(cli.run(list(arguments))))
        thread.start()
        thread.join(120)
    return CompletedProcess(arguments, ended[0], told.getvalue(), "")


def said(done: CompletedProcess[str], status: int = 0) -> str:
    """What a person reads, when the command ended with that status."""
    text = done.stdout + done.stderr
    assert done.returncode == status, text
    assert "Traceback" not in text
    return text


def test_a_plan_reads_like_a_difference_and_a_changed_plan_is_refused(twin: TwinThread, shell: dict[str, str]):
    """Place by place, then the digest and the command; a digest that no longer fits names what differs."""
    text = said(quorate("plan", "deploy", **shell))
    lines = text.splitlines()
    (digest,) = re.findall(DIGEST, text)

    created = lines.index("  + create pod webb-ac-proxmox-01")
    assert lines[created - 1] == "X90R3-SiteA"
    assert "  ~ configure guest 300 ac-test-vm-01 (1 core, 1 GiB, no network)" in lines
    assert re.search(r"^\d+ changes planned, none made; digest ", text, re.MULTILINE)
    assert lines[-1] == f"to make exactly these: quorate run deploy --plan {digest}"
    assert twin.change_lines() == []

    twin.call(device_is_there(twin))
    before = twin.change_lines()
    refused = said(quorate("run", "deploy", "--plan", digest, **shell), 1)

    expected = (
        rf"the plan has changed: agreed was {digest}, now it is [0-9a-f]{{16}}\. - pxmx01-01: set up quorum device"
    )
    assert re.search(expected, refused)
    assert twin.change_lines() == before


async def device_is_there(twin: TwinThread) -> None:
    """Somebody was faster: the quorum device votes already."""
    twin.world.membership.set_up_device(settled=True)
    twin.world.corosync.config_version += 1


def test_a_plan_never_changes_anything_whatever_its_input_says(twin: TwinThread, shell: dict[str, str]):
    """The command decides between looking and changing, not the JSON."""
    text = said(quorate("plan", "deploy", "--input", '{"mode": "apply"}', **shell), 2)

    assert "--input: mode: this command means plan" in text
    assert twin.change_lines() == []


async def test_a_parked_run_is_steered_from_the_command_line(twin: TwinThread, client: Client, shell: dict[str, str]):
    """A script gets status 3 and the sentence that helps; everything said to the run is answered in words."""
    plant(twin, FULL)
    text = said(quorate("run", "deploy", **shell), 3)
    assert f" ? {PARKED}  Rejected: X90R3-SiteB: Array is out of LUNs." in text
    assert f"waits for an answer, retry or abort: quorate answer {RUN} retry" in text

    status = said(here("status", **shell))
    assert f"? {RUN}  DeployStretchedCluster  attention" in status
    assert f"    Act now: {PARKED} failed and waits for your answer." in status
    assert f"quorate answer {RUN} retry" in status

    assert said(quorate("note", RUN, "spare controller ordered", **shell)) == "noted\n"
    assert said(here("pause", RUN, "--why", "mending", **shell)) == "paused: nothing is changed until resumed\n"
    assert "the run is paused already" in said(here("pause", RUN, **shell), 1)
    assert said(quorate("resume", RUN, **shell)) == "resumed\n"
    assert "name the step to skip" in said(here("answer", RUN, "skip", **shell), 1)
    assert "answer: Input should be 'retry', 'skip' or 'abort'" in said(here("answer", RUN, "perhaps", **shell), 2)

    assert said(quorate("answer", RUN, "retry", "--why", "more LUNs", **shell)) == f"retry: {PARKED}\n"
    report = DeployReport.model_validate(await client.get_workflow_handle(RUN).result())
    assert report.proof is not None
    assert report.notes == ("ana: spare controller ordered", "resumed by ana", f"retried {PARKED} by ana: more LUNs")
    assert f"{RUN} is not running: it is completed" in said(here("pause", RUN, **shell), 2)


async def test_the_fixed_id_means_the_run_that_holds_it(twin: TwinThread, client: Client, shell: dict[str, str]):
    """Who started it in the browser chose another id: the commands find it, and abort says what is left."""
    plant(twin, FULL)
    run = await client.start_workflow(
        DeployStretchedCluster.run, APPLY, id=f"from-the-browser-{uuid.uuid4()}", task_queue=QUEUE
    )
    await parked(run)

    assert "is running already" in said(quorate("run", "deploy", **shell), 2)
    replayed = said(quorate("replay", **shell))
    assert f"✓ {run.id}\n" in replayed
    assert f"✓ {RUN}\n" in replayed
    assert "✓ ledger/pxmx-cluster\n" in replayed
    assert replayed.endswith("3 runs are going on; this build can carry on all of them\n")
    left = said(quorate("abort", RUN, "--why", "wrong cluster", **shell)).strip()
    with pytest.raises(WorkflowFailureError) as ended:
        await run.result()

    assert "changes were made and stay." in left
    assert left.endswith("started again, this runbook goes on from here.")
    assert str(ended.value.cause) == f"Aborted: aborted by ana: wrong cluster. {left}"


def test_a_script_may_want_an_end_instead_of_a_question(twin: TwinThread, shell: dict[str, str]):
    """`--when-parked abort`: the run lands, and the status is 1."""
    plant(twin, FULL)
    text = said(quorate("run", "deploy", "--when-parked", "abort", **shell), 1)

    assert f"{PARKED}: Rejected: X90R3-SiteB: Array is out of LUNs. - the run was aborted: " in text
    assert "changes were made and stay." in text


def test_a_run_that_nobody_knows_is_wrong_use(shell: dict[str, str]):
    """The next thing to do is said."""
    text = said(quorate("answer", "deploy/nowhere", "retry", **shell), 2)

    assert "there is no run 'deploy/nowhere'" in text
    assert "`quorate status` lists the newest runs" in text


@pytest.mark.parametrize(
    ("paused", "expected"),
    [(False, "attempt 5: array is busy"), (True, "attempt 5, paused in Temporal's UI: array is busy")],
)
def test_a_step_that_is_tried_again_tells_attempt_and_reason(paused: bool, expected: str):
    """Who paused the activity in Temporal's own screen is reminded of it."""
    one = PendingActivityInfo(attempt=5, paused=paused, last_failure=Failure(message="array is busy"))

    assert follow._retry(one) == expected
