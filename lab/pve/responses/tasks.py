"""Tasks as clients follow them: lists, status, log, and the request to stop."""

from typing import Any

from lab.pve.daemon.calls import Call, Page, Routes
from lab.pve.errors import denied
from lab.pve.work.tasks import Task

routes = Routes()


@routes.on("GET /cluster/tasks")
async def recent(call: Call) -> list[dict[str, Any]]:
    """The recent tasks of all nodes, dead ones included; newest first. `saved` is text, as Go clients expect it.

    Without Sys.Audit on / only one's own: PVE compares with the task's user, so that a token has none.
    """
    everything = call.may("/", "Sys.Audit")
    heard = call.cluster.broadcasts.tasks(call.node)
    seen = [(task, as_of) for task, as_of in heard if everything or task.identity.user == call.identity.name]
    return [{**task.entry(as_of), "saved": str(int(task.over(as_of)))} for task, as_of in reversed(seen[-100:])]


@routes.on("GET /nodes/{node}/tasks")
async def of_node(call: Call) -> Page:
    """One node's tasks, newest first; the archive holds only those that ended."""
    source = call.get("source", "archive")
    found = [
        task
        for task in reversed(call.cluster.tasks.all)
        if task.node == call.node
        and (source == "all" or (source == "active") == (task.endtime is None))
        and _matches(call, task)
        and _may_see(call, task)
    ]
    start = call.get("start", 0)
    entries = [{"status": "RUNNING", **task.entry()} for task in found[start : start + call.get("limit", 50)]]
    return Page(entries, len(found))


def _matches(call: Call, task: Task) -> bool:
    vmid, kind, user = call.get("vmid"), call.get("typefilter"), call.get("userfilter")
    return (
        (vmid is None or task.target == str(vmid))
        and (kind is None or task.kind == kind)
        and (user is None or user in task.identity.name)
        and call.get("since", 0) <= task.starttime <= call.get("until", task.starttime)
        and (not call.get("errors") or task.exitstatus not in (None, "OK"))
    )


def _may_see(call: Call, task: Task) -> bool:
    """The owner may, and a user also sees its tokens' tasks; others need Sys.Audit on the node."""
    own = call.identity in (task.identity, type(call.identity)(task.identity.user))
    return own or call.may(f"/nodes/{task.node}", "Sys.Audit")


def _visible(call: Call) -> Task:
    task = call.cluster.tasks.find(call.node, str(call["upid"]))
    if not _may_see(call, task):
        raise denied(f"/nodes/{task.node}", "Sys.Audit")
    return task


@routes.on("GET /nodes/{node}/tasks/{upid}/status")
async def status(call: Call) -> dict[str, Any]:
    """Running, or stopped with an exit status."""
    return _visible(call).status()


@routes.on("GET /nodes/{node}/tasks/{upid}/log")
async def log(call: Call) -> Page:
    """The lines so far; an empty log reads as one line that says so."""
    lines = _visible(call).lines or ["no content"]
    start, limit = call.get("start", 0), call.get("limit", 50)
    shown = lines[start:] if limit == 0 else lines[start : start + limit]
    return Page([{"n": start + n, "t": line} for n, line in enumerate(shown, start=1)], len(lines))


@routes.on("DELETE /nodes/{node}/tasks/{upid}")
async def stop(call: Call) -> None:
    """Interrupt the worker; foreign tasks need Sys.Modify on the node."""
    task = call.cluster.tasks.find(call.node, str(call["upid"]))
    if call.identity not in (task.identity, type(call.identity)(task.identity.user)):
        call.require(f"/nodes/{task.node}", "Sys.Modify")
    if task.worker is not None and task.endtime is None:
        task.worker.cancel()
        call.cluster.world.record(task.node, "task.stop", task.upid)
