"""The demonstration: the article's lab on the twin, built twice; its own test; guests go home; a whole site is lost."""

import asyncio
import contextlib
import json
import shlex
import shutil
import signal
from pathlib import Path
from typing import Any

from cluster.plan import Mode
from runbooks.deploy import DeployReport, DeployStretchedCluster
from workers.children import TWIN_READY, WORKER_READY, Child
from workers.cli import follow
from workers.cli.demo.failback import bring_home
from workers.cli.demo.loss import hosts_of, lose_a_site, no_more_watch, whole_site
from workers.cli.demo.proof import audited, kept_in, reported, traced
from workers.cli.lab.client import Control
from workers.cli.story import Story
from workers.errors import Unusable
from workers.inventory_file import load
from workers.temporal.embedded import TemporalServer, free_port
from workflows.catalogue import RunbookRequest
from workflows.page import StepRecord


async def demo(
    inventory_path: Path, state: Path, *, speed: float, loss_speed: float, story: Story, stay: bool = False
) -> dict[str, Any]:
    """Build the cluster on a fresh twin, run again, lose hosts, go home, lose a site, and write ``summary.json``.

    With `stay` the board shows all of it from the start, and everything stays until Ctrl-C.
    """
    inventory = load(inventory_path)
    await asyncio.to_thread(_emptied, state)
    server = TemporalServer(
        database=state / "temporal.db", port=free_port(), ui_port=free_port(), log=state / "temporal.log"
    )
    children: list[Child] = []
    try:
        story.line("starting the twin: two arrays, six nodes and a witness on loopback")
        twin = ["lab", "up", "--inventory", str(inventory_path), "--speed", str(speed)]
        children.append(Child("the twin", twin, log=state / "twin.log"))
        story.line("starting the Temporal server and a worker")
        client = await server.start(story.line)
        environment = {"TEMPORAL_ADDRESS": server.address, **kept_in(state)}
        arguments = ["worker", "--inventory", str(inventory_path)]
        children.append(Child("the worker", arguments, log=state / "worker.log", environment=environment))
        await children[0].says(TWIN_READY)
        await children[1].says(WORKER_READY)
        shown = await _board(children, inventory_path, state, environment) if stay else ""
        if shown:
            story.line(f"watch it on the board: {shown}")
        reports = []
        for title in ("first run: build it", "second run: nothing is left to do"):
            story.heading(title)
            request = RunbookRequest(mode=Mode.APPLY)
            handle = await follow.start_run(client, DeployStretchedCluster, request, inventory.name, "runbooks")
            async for look in follow.looks(handle):
                _alive(children)
                story.tell(look)
                if look.parked:
                    raise Unusable("a step of the demonstration failed", f"look at its steps, and at {state}")
            reports.append(DeployReport.model_validate((await follow.result(handle, DeployReport)).model_dump()))
        summary = summarise(*reports)
        story.heading(f"the article's own test: the hosts of a site; the twin's time runs {loss_speed:g} times as fast")
        await asyncio.to_thread(children.pop(1).stop)
        Control(inventory_path).call("PUT", "/speed", json.dumps({"speed": loss_speed, "by": "demo"}))
        log = state / "worker-loss.log"
        faster = {**environment, "QUORATE_SPEED": str(loss_speed)}
        children.insert(1, Child("the worker", arguments, log=log, environment=faster))
        await children[1].says(WORKER_READY)
        stage = (client, inventory_path, inventory, "runbooks", story, lambda: _alive(children))
        site = inventory.sites[0].name
        hosts = f"the hosts of {site} lose their power, its array stays on"
        summary["article"] = await lose_a_site(*stage, hosts_of(inventory), hosts, speed=loss_speed)
        story.heading("the guests go home")
        summary["failback"] = await bring_home(
            client,
            inventory_path,
            inventory,
            summary["article"]["incident"],
            "runbooks",
            story,
            lambda: _alive(children),
        )
        story.heading("the whole site is lost, its array with it")
        whole = f"{site} loses its power, its array with it"
        summary["loss"] = await lose_a_site(*stage, whole_site(inventory), whole, speed=loss_speed)
        summary["trace"] = await traced(state, summary["loss"]["incident"])
        summary["audit"] = await audited(state, [summary["article"]["incident"], summary["loss"]["incident"]])
        summary["report"] = await reported(state, 2)
        (state / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
        if stay:
            story.heading("everything stays as it is until Ctrl-C")
            story.line(f"the board: {shown}")
            story.line(f"Temporal's web UI: {server.ui}")
            story.line(f"try it: quorate lab fail witness -i {shlex.quote(str(inventory_path))}")
            await _until_interrupted(children)
        await no_more_watch(client, inventory)
        return summary
    finally:
        story.rest()
        for child in reversed(children):
            await asyncio.to_thread(child.stop)
        await server.stop()


async def _board(children: list[Child], inventory_path: Path, state: Path, environment: dict[str, str]) -> str:
    """Serve the board; where it is shown."""
    port = free_port()
    words = ["board", "--inventory", str(inventory_path), "--port", str(port)]
    children.append(Child("the board", words, log=state / "board.log", environment=environment))
    await children[-1].says("is shown at")
    return f"http://127.0.0.1:{port}/"


async def _until_interrupted(children: list[Child]) -> None:
    """Until Ctrl-C; Unusable when one of them ends before."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    while not stop.is_set():
        _alive(children)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 1.0)


def _emptied(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def summarise(first: DeployReport, second: DeployReport) -> dict[str, Any]:
    """What the two runs did and proved, as plain data."""
    proof = second.proof
    if proof is None:
        raise Unusable("the second run brought no proof", "look at its steps")
    return {
        "cluster": first.cluster,
        "deploy": {
            "steps": [_step(step) for step in first.steps],
            "changed": first.changed,
            "seconds": round(first.seconds, 2),
            "plan": [str(intent) for intent in first.planned],
            "digest": first.digest,
            "second_run_changed": second.changed,
            "second_run_seconds": round(second.seconds, 2),
        },
        "votes": proof.votes.model_dump(),
        "paths": {node: paths.model_dump() for node, paths in proof.paths.items()},
        "ha": proof.ha.model_dump(mode="json"),
        "wwid": second.wwid,
    }


def _step(step: StepRecord) -> dict[str, Any]:
    return {
        "title": step.title,
        "finding": step.finding,
        "changed": step.changed,
        "seconds": round(step.took.total_seconds(), 3),
    }


def _alive(children: list[Child]) -> None:
    for child in children:
        if child.ended is not None:
            raise Unusable(f"{child.name} ended in the middle: {child.last_words()}", f"read {child.log}")
