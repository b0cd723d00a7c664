"""A deployment on the twin, recorded by the workers that do it, killed in the middle; and the record proves it."""

import json
import uuid
from functools import partial
from pathlib import Path

import pytest
from temporalio.client import Client

from cluster.audit.head import SIGNERS
from cluster.audit.line import read
from runbooks.deploy import DeployStretchedCluster
from tests.conftest import APPLY
from tests.ledgers import erase
from tests.patience import Deadline
from tests.runs import until
from tests.twin import TwinThread
from tests.workers.test_cli_runs import here, said
from workers.children import WORKER_READY, Child
from workers.temporal.embedded import TemporalServer
from workflows.page import StepRecord

pytestmark = pytest.mark.slow


async def recorded(shell: dict[str, str], run: str) -> None:
    """Wait until the record of that run is signed to its end."""
    deadline = Deadline(30)
    while True:
        found = json.loads(here("audit", "list", "--json", **shell).stdout)
        if any(one["run"] == run and one["how"] and one["signed"] == one["lines"] for one in found["records"]):
            return
        assert not deadline.over, f"waited for the record of {run}: {found['records']}"
        await deadline.a_while()


def has_done(count: int, steps: list[StepRecord]) -> bool:
    """So many steps have ended."""
    return sum(1 for one in steps if one.took) >= count


async def test_a_deployment_is_on_record_although_its_workers_are_killed(
    client: Client, temporal: TemporalServer, twin: TwinThread, tmp_path: Path
):
    """Three workers, two of them killed: one record, the same bytes as made anew from the history, whole and signed."""
    queue, run = f"test-{uuid.uuid4()}", f"deploy/test/{uuid.uuid4()}"
    shell = {
        "TEMPORAL_ADDRESS": temporal.address,
        "QUORATE_TASK_QUEUE": queue,
        "QUORATE_AUDIT": str(tmp_path / "audit"),
        "QUORATE_AUDIT_KEY": str(tmp_path / "audit.key"),
        "QUORATE_AUDIT_FILE": str(tmp_path / "elsewhere.jsonl"),
        "QUORATE_STATE": str(tmp_path),
    }
    await erase(client, twin.inventory.name)
    handle = await client.start_workflow(DeployStretchedCluster.run, APPLY, id=run, task_queue=queue)
    for number, share in enumerate((0.2, 0.6, 1.0)):
        log = tmp_path / f"worker-{number}.log"
        child = Child("worker", ["worker", "-i", str(twin.path)], log=log, environment=shell)
        await child.says(WORKER_READY)
        if share < 1:
            done = partial(has_done, int(share * 55))
            await until(handle, done, "steps", 60)
            child.kill()
    report = await handle.result()
    await recorded(shell, run)
    child.stop()

    whole = said(here("audit", "verify", **shell))
    export = said(here("audit", "export", run, "--to", str(tmp_path / "out"), **shell))
    (file,) = (tmp_path / "out").glob("runs/*/0001.jsonl")
    lines = [read(line) for line in file.read_bytes().splitlines()]
    print(whole, export, sep="\n")
    assert "nothing was changed since it was signed" in whole
    assert "told outside: compared" in whole
    assert "identical to what Temporal's history says" in export
    changed = [change for line in lines for change in line.data.get("changes", ()) if line.data["mode"] == "apply"]
    assert len(changed) == report.changed
    assert (tmp_path / "audit" / SIGNERS).exists()
    assert oct((tmp_path / "audit.key").stat().st_mode & 0o777) == "0o600"
