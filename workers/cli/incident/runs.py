"""Incidents as Temporal has them: which there are, which one is meant, and how one stands now. Reads only."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from temporalio.client import (
    Client,
    WorkflowExecution,
    WorkflowExecutionStatus,
    WorkflowQueryFailedError,
)
from temporalio.service import RPCError, RPCStatusCode

from cluster.incidents import FOLDER
from runbooks import ALL_RUNBOOKS
from runbooks.loss import Progress
from runbooks.node_loss import NodeLoss
from runbooks.site_loss import SiteLoss
from workers.catalogue import type_name
from workers.cli.follow import PATIENCE, SILENT, Run, retries
from workers.cli.freshness import lines
from workers.cli.incident.view import Picture
from workers.cli.traced import trace_id
from workers.errors import Unusable
from workflows.attributes import STATE, VERDICT
from workflows.incident import Incident
from workflows.page import Sheet, spoken

T = TypeVar("T")

TYPES = tuple(type_name(runbook) for runbook in ALL_RUNBOOKS if issubclass(runbook, Incident))
LOSSES = (type_name(SiteLoss), type_name(NodeLoss))
# Seconds between two looks: what is followed lasts minutes, and each look asks the worker three times.
POLL = 1.0
# Ended ones that are listed.
NEWEST = 50
# Somebody else's question waits for the worker already.
UNHEARD = (*SILENT, RPCStatusCode.RESOURCE_EXHAUSTED)
NOBODY = "no worker answers for this run: start one with `quorate worker` or `quorate up`"
AWAY = "Temporal does not answer; it is asked again"

_EPOCH = re.compile(r"/(\d{8}T\d{6}Z)$")


@dataclass(frozen=True)
class Entry:
    """One line of the list. `since` is T0 where the run tells it, else the first sign or the start.

    `about` is what it was opened for; `verdict` is what it takes the cluster for now, or took it for at its end.
    """

    run: str
    kind: str
    state: str
    verdict: str
    since: datetime
    t_plus: float
    ended: datetime | None
    about: str = ""


async def listed(client: Client, *, ended: bool, cluster: str | None = None) -> list[Entry]:
    """Open incidents, newest first, of one cluster or of all; the last ended ones too when they are wanted."""
    found = await _runs(client, ended=ended, cluster=cluster)
    progress = await asyncio.gather(*(_progress(client, run) for run in found))
    about = await asyncio.gather(*(_about(client, run) for run in found))
    return [replace(_entry(run, known), about=said) for run, known, said in zip(found, progress, about, strict=True)]


async def _about(client: Client, run: WorkflowExecution) -> str:
    """What the watch has opened it for: the verdict of its beginning."""
    try:
        description = await client.get_workflow_handle(run.id, run_id=run.run_id).describe()
        return await description.static_summary() or ""
    except RPCError:  # a list without that is still a list
        return ""


async def _runs(client: Client, *, ended: bool, cluster: str | None = None) -> list[WorkflowExecution]:
    # a run that has continued as new goes on under the same id, and is one incident
    only = " AND ExecutionStatus != 'ContinuedAsNew'" if ended else " AND ExecutionStatus = 'Running'"
    only += f" AND Cluster = '{cluster}'" if cluster else ""
    which = " OR ".join(f"WorkflowType = '{name}'" for name in TYPES)
    found = [run async for run in client.list_workflows(f"({which}){only}", limit=NEWEST)]
    return sorted(found, key=lambda run: run.start_time, reverse=True)


async def _progress(client: Client, run: WorkflowExecution) -> Progress | None:
    """Only a loss counts from the last proof of life."""
    if run.workflow_type not in LOSSES:
        return None
    return await _asked(client.get_workflow_handle(run.id, run_id=run.run_id), "progress", Progress)


def _entry(run: WorkflowExecution, progress: Progress | None) -> Entry:
    since = _since(run, progress)
    speed = progress.speed if progress else 1.0
    took = ((run.close_time or datetime.now(UTC)) - since).total_seconds() * speed
    verdict = run.typed_search_attributes.get(VERDICT) or ""
    return Entry(run.id, run.workflow_type, _state(run), verdict, since, max(0.0, took), run.close_time)


def _since(run: WorkflowExecution, progress: Progress | None) -> datetime:
    """The last proof of life; without one the first sign, which the id of a watch's incident tells."""
    if progress is not None and progress.timeline is not None:
        return progress.timeline.t0
    epoch = _EPOCH.search(run.id)
    return datetime.strptime(epoch[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) if epoch else run.start_time


def _state(run: WorkflowExecution) -> str:
    """Ours (running, attention, paused, aborting, done, failed, aborted); Temporal's of a run that landed nothing."""
    ours = run.typed_search_attributes.get(STATE) or "running"
    if run.status in (None, WorkflowExecutionStatus.RUNNING) or ours in ("done", "failed", "aborted"):
        return ours
    return run.status.name.lower() if run.status else "unknown"


# --- which one is meant --------------------------------------------------------------------------------------------


async def meant(client: Client, run: str | None, cluster: str | None = None) -> Run:
    """That run; procedure and cluster (``site-loss/metro``) mean the open one of them, else the last; None any open.

    With `cluster` only its incidents are meant, and the procedure alone is enough: ``site-loss``.
    """
    if run is None:
        return await _open_one(client, cluster)
    run = f"{run}/{cluster}" if cluster and "/" not in run else run
    if (found := await of_place(client, run)) is not None:
        return found
    try:
        handle: Run = client.get_workflow_handle(run)
        description = await handle.describe()
        if description.workflow_type == "Claim" and description.parent_id:
            handle = client.get_workflow_handle(description.parent_id, run_id=description.parent_run_id)
            description = await handle.describe()
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        raise Unusable(f"there is no run {run!r}", "`quorate incident list --all` lists the incidents") from None
    if description.workflow_type not in TYPES:
        raise Unusable(f"{run} is no incident: it is a {description.workflow_type}", "`quorate status` shows it")
    return client.get_workflow_handle(description.id, run_id=description.run_id)


async def of_place(client: Client, run: str) -> Run | None:
    """The incident of that procedure, cluster and place: the open one, else the last; None when the name is no place.

    Unusable when two are open.
    """
    if run.partition("/")[0] not in FOLDER.values() or _EPOCH.search(run):
        return None
    here = [one for one in await _runs(client, ended=True) if one.id == run or one.id.startswith(f"{run}/")]
    running = [one for one in here if one.status == WorkflowExecutionStatus.RUNNING]
    if len(running) > 1:
        raise Unusable(f"{len(running)} incidents are open: {', '.join(one.id for one in running)}", "name one of them")
    one = next(iter(running or here), None)
    return client.get_workflow_handle(one.id, run_id=one.run_id) if one is not None else None


async def any_open(client: Client, cluster: str | None = None) -> bool:
    """An incident is open."""
    return bool(await _runs(client, ended=False, cluster=cluster))


async def _open_one(client: Client, cluster: str | None) -> Run:
    found = await _runs(client, ended=False, cluster=cluster)
    if not found:
        fresh = "; ".join(one.plain for one in await lines(client, cluster))
        raise Unusable(
            f"no incident is open ({fresh})",
            "`quorate incident list --all` lists those that are over; name one to read it",
        )
    if len(found) > 1:
        raise Unusable(f"{len(found)} incidents are open: {', '.join(run.id for run in found)}", "name one of them")
    return client.get_workflow_handle(found[0].id, run_id=found[0].run_id)


# --- how it stands -------------------------------------------------------------------------------------------------


async def looked(handle: Run) -> Picture:
    """One look. What no worker tells is missing, and said.

    One question after the other: Temporal keeps one waiting for a worker, and turns others away for many seconds.
    """
    description, sheet = await handle.describe(), await _asked(handle, "sheet", Sheet)
    progress = await _asked(handle, "progress", Progress) if sheet else None
    running = description.status == WorkflowExecutionStatus.RUNNING
    times = sheet.times if sheet else None
    return Picture(
        run=description.id,
        kind=description.workflow_type,
        headline=sheet.headline if sheet else await description.static_summary() or description.id,
        sentence=spoken(sheet.now) if sheet else "",
        state=_state(description),
        since=times.t0 if times else _since(description, progress),
        speed=times.speed if times else 1.0,
        ended=description.close_time if not running else None,
        sections=tuple(sheet.sections) if sheet else (),
        progress=progress,
        notes=sheet.notes if sheet else (),
        skips={one.step: one.skip for one in sheet.questions if one.skip} if sheet else {},
        tries=retries(description) if running else {},
        remark="" if sheet else NOBODY,
        answer=sheet.answer if sheet else None,
        trace=await trace_id(description),
    )


async def pictures(handle: Run) -> AsyncIterator[Picture]:
    """Look after look until the run has ended; what was known stays while nobody answers."""
    known: Picture | None = None
    while True:
        try:
            now = await looked(handle)
        except RPCError as error:
            if known is None or error.status == RPCStatusCode.NOT_FOUND:
                raise
            now = replace(known, remark=AWAY)
        else:
            if now.remark and known is not None:
                now = replace(known, remark=now.remark, state=now.state, ended=now.ended)
            known = now
        yield now
        if now.ended is not None:
            return
        await asyncio.sleep(POLL)


async def _asked(handle: Run, query: str, kind: type[T]) -> T | None:
    """The answer; None when this run does not know the query, or no worker answers."""
    try:
        answer: Any = await handle.query(query, result_type=kind, rpc_timeout=PATIENCE)
    except WorkflowQueryFailedError:
        return None
    except RPCError as error:
        if error.status not in UNHEARD:
            raise
        return None
    found: T = answer
    return found
