"""`python -m tests.record [deploy|incidents|failback|emergencies]`: record the histories that the replay test reads.

Those of the version of now; what earlier versions have recorded stays as it is, as their runs may still go on.
"""

import asyncio
import contextlib
import gzip
import os
import re
import sys
import tempfile
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowFailureError, WorkflowHandle

from cluster.ledger import ledger_id
from cluster.plan import Mode
from lab.physics.faults import Fault
from tests.breakglass.conftest import POLICY, breaking
from tests.breakglass.emergencies import dark, given_up, logged_out, parted, unconnected
from tests.conftest import APPLY, Deployment, Start, working
from tests.failback.conftest import HOMES, far_site, listed, starting
from tests.failback.test_site_work import agreed, under_way
from tests.failback.test_stops import asked
from tests.incidents.conftest import Site, watching
from tests.runs import parked, until
from tests.twin import TwinThread, inventory_file, with_policy
from workers.temporal.embedded import TemporalServer, free_port
from workflows.catalogue import RunbookRequest

FOLDER = Path(__file__).parent / "histories" / ".".join(metadata.version("quorate").split(".")[:2])


class Recorder:
    """One twin, one server, one worker; each branch starts from bare arrays unless it goes on from the one before."""

    def __init__(self, twin: TwinThread, start: Start) -> None:
        self.twin, self.start = twin, start

    async def keep(self, name: str, run: Deployment) -> None:
        """The whole of a run, at its end."""
        with contextlib.suppress(WorkflowFailureError):
            await run.result()
        await self.keep_so_far(name, run)

    async def keep_so_far(self, name: str, run: WorkflowHandle[Any, Any]) -> None:
        """What a run has done that goes on."""
        history = (await run.fetch_history()).to_json()
        # a stack trace names paths of the machine that recorded it, and replay does not read it
        history = re.sub(r'"stackTrace": "(?:[^"\\]|\\.)*"', '"stackTrace": ""', history)
        FOLDER.mkdir(parents=True, exist_ok=True)
        (FOLDER / f"{name}.json.gz").write_bytes(gzip.compress(history.encode(), mtime=0))
        print(f"recorded {name}")

    async def ends(self) -> None:
        """Runs that need nobody."""
        for name, request in (
            ("deploy-plan", RunbookRequest(mode=Mode.PLAN)),
            ("deploy-apply", APPLY),
            ("deploy-nothing-to-do", APPLY),
            ("deploy-refused", RunbookRequest(cluster="elsewhere")),
            ("deploy-plan-changed", RunbookRequest(mode=Mode.APPLY, plan="0123456789abcdef")),
        ):
            await self.keep(name, await self.start(request))

    async def parked(self, name: str, fault: Fault, *answers: tuple[str, dict[str, str]]) -> None:
        """A run that parks, and what a person then says."""
        self.twin.reset()
        self.twin.world.faults.plant(fault)
        run = await self.start()
        step = await parked(run)
        for update, message in answers:
            await run.execute_update(update, {**message, **({"step": step.title} if "answer" in message else {})})
        await self.keep(name, run)

    async def interrupted(self, name: str, *updates: str) -> None:
        """A run that is paused, aborted or cancelled while it changes the world."""
        self.twin.reset()
        run = await self.start()
        await until(
            run, lambda steps: sum(s.state == "running" and s.title.startswith("Paths") for s in steps[25:]) > 0
        )
        for update in updates:
            await (run.cancel() if update == "cancel" else run.execute_update(update))
        await self.keep(name, run)


async def record() -> None:
    """Every branch that a deployment can take."""
    with tempfile.TemporaryDirectory() as folder:
        twin = TwinThread(inventory_file(Path(folder)))
        server = TemporalServer(database=None, port=free_port(), ui_port=None, log=Path(folder) / "temporal.log")
        client = await server.start(print)
        async with working(client, twin.inventory, twin.path.parent) as start:
            recorder = Recorder(twin, start)
            await recorder.ends()
            full = Fault("X90R3-SiteB", "POST /connections", "fail", status=400, message="Array is out of LUNs.")
            busy = Fault("pve:", "POST .*/qemu/101/clone", "fail", status=400, message="no space")
            await recorder.parked(
                "deploy-retried", full, ("note", {"text": "more LUNs"}), ("answer", {"answer": "retry"})
            )
            await recorder.parked("deploy-skipped", busy, ("answer", {"answer": "skip", "why": "not needed"}))
            await recorder.parked("deploy-parked-aborted", replace(full, met=[]), ("abort", {}))
            await recorder.interrupted("deploy-paused", "pause", "resume")
            await recorder.interrupted("deploy-aborted", "abort")
            await recorder.interrupted("deploy-cancelled", "cancel")
        await server.stop()
        twin.stop()


async def record_incidents() -> None:
    """A site that is lost and comes back, a node that goes and comes back, and the watch that saw both."""
    with tempfile.TemporaryDirectory() as folder:
        site = Site(inventory_file(Path(folder)))
        server = TemporalServer(database=None, port=free_port(), ui_port=None, log=Path(folder) / "temporal.log")
        client = await server.start(print)
        site.rebuild()
        async with watching(client, site) as watched:
            keep = Recorder(site, None).keep  # type: ignore[arg-type]  # nothing is deployed
            site.fail("witness")
            run = await watched.incident()
            await until(run, lambda found: any(step.title == "Evidence" for step in found))
            site.restore("witness")
            await keep("incident-explained", run)
            await watched.until(lambda state: state.open is None, "the end")
            site.fail("node", "pxmx01-01")
            run = await watched.nodes("pxmx01-01")
            await until(run, lambda found: any(step.title == "pxmx01-01 is back" for step in found), within=60)
            site.restore("node", "pxmx01-01")
            await keep("node-loss-followed", run)
            await watched.until(lambda state: state.open is None, "the end")
            site.world.cluster.ha.resources["vm:301"]["failback"] = 1
            site.fail("site-power", "site-a")
            run = await watched.loss()
            await until(run, lambda found: any(step.title == "site-a is back" for step in found), within=60)
            site.restore("site-power", "site-a")
            await keep("site-loss-followed", run)
            await watched.handle.execute_update("stop")
            await keep("watch-of-both", watched.handle)
        await server.stop()
        site.stop()


async def record_failbacks() -> None:
    """Home after a yes that was taken back; a no; a site that is emptied and comes back."""
    with tempfile.TemporaryDirectory() as folder:
        site = far_site(Path(folder))
        server = TemporalServer(database=None, port=free_port(), ui_port=None, log=Path(folder) / "temporal.log")
        client = await server.start(print)
        people = listed(site)
        async with starting(client, site) as start:
            recorder = Recorder(site, None)  # type: ignore[arg-type]  # nothing is deployed
            keep = recorder.keep
            site.rebuild()
            run = await start("Failback", site="site-b", homes=HOMES)
            await asked(run)
            await people["ben"].says(run, "reject")
            await keep("failback-rejected", run)
            site.world.cluster.ha.resources["vm:301"]["failback"] = 1
            run = await start("Failback", site="site-b", homes=HOMES)
            await agreed(run, people)
            await until(run, lambda found: any(step.title.startswith("vm:300 runs at home") for step in found))
            await people["ben"].says(run, "reject")
            await asked(run, 2)
            await agreed(run, people)
            await keep("failback-signed", run)
            site.rebuild()
            run = await start("EvacuateSite", site="site-a")
            await agreed(run, people)
            await until(run, under_way("site-a is dark, and no node was fenced"), within=60)
            site.fail("site-power", "site-a")
            await keep("evacuate-site", run)
            site.restore("site-power", "site-a")
            back = await start("ReturnSite", site="site-a", incident=run.id)
            await agreed(back, people)
            await keep("return-site", back)
            await recorder.keep_so_far("ledger", client.get_workflow_handle(ledger_id(site.inventory.name)))
        await server.stop()
        site.stop()


EMERGENCIES = {
    "HandOverQuorum": parted,
    "ReviveGuests": given_up,
    "RestoreSessions": logged_out,
    "ReconcileArrays": unconnected,
    "ColdStart": dark,
}


async def record_emergencies() -> None:
    """Each break-glass runbook in its own emergency, and one that is refused."""
    with tempfile.TemporaryDirectory() as folder:
        site = Site(with_policy(inventory_file(Path(folder)), POLICY))
        server = TemporalServer(database=None, port=free_port(), ui_port=None, log=Path(folder) / "temporal.log")
        client = await server.start(print)
        keep = Recorder(site, None).keep  # type: ignore[arg-type]  # nothing is deployed
        for kind, happens in EMERGENCIES.items():
            site.rebuild()
            async with breaking(client, site) as glass:
                name = re.sub("(?<!^)([A-Z])", r"-\1", kind).lower()
                if kind == "ColdStart":
                    await keep(f"{name}-refused", await glass.start(kind))
                await happens(glass, site)
                run = await glass.start(kind)
                await glass.both_agree(run)
                await keep(name, run)
        await server.stop()
        site.stop()


if __name__ == "__main__":
    recordings = {
        "deploy": record,
        "incidents": record_incidents,
        "failback": record_failbacks,
        "emergencies": record_emergencies,
    }
    for kind, recording in recordings.items():
        if sys.argv[1:] in ([], [kind]):
            asyncio.run(recording())
    sys.stdout.flush()
    os._exit(0)
