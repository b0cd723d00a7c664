"""Tasks: what a node does after it has already answered with a UPID.

A task runs in lab time on one node, writes its log line by line and ends with an exit status.
A node that loses power takes its tasks along without their last line.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lab.proxmox.access import Identity
from lab.proxmox.errors import PveError, rejected

if TYPE_CHECKING:
    from lab.proxmox.models import Cluster

_UPID = re.compile(
    r"UPID:[a-zA-Z0-9-]+:[0-9A-F]{8}:[0-9A-F]{8,9}:[0-9A-F]{8}:[^:\s/]+:[^:\s/]*:[^:\s/]+:",
)
# A task that was running when its node died: the worker never wrote its last line (reference: proxmox-api §4).
DIED = "unexpected status"


class NodeDied(Exception):
    """The node that the task ran on has no power."""


@dataclass
class Task:
    """One worker. `target` is the id field of the UPID: for a clone the *source*'s vmid."""

    cluster: "Cluster"
    node: str
    pid: int
    pstart: int
    starttime: int
    kind: str
    target: str
    identity: Identity
    lines: list[str] = field(default_factory=list)
    exitstatus: str | None = None
    endtime: int | None = None
    done: asyncio.Event = field(default_factory=asyncio.Event)
    worker: "asyncio.Task[None] | None" = None

    @property
    def upid(self) -> str:
        """The identifier that the caller got."""
        return (
            f"UPID:{self.node}:{self.pid:08X}:{self.pstart:08X}:{self.starttime:08X}:"
            f"{self.kind}:{self.target}:{self.identity.name}:"
        )

    def log(self, text: str) -> None:
        """One more line of the task's log."""
        self.lines.append(text)

    async def pause(self, lab_seconds: float) -> None:
        """Let lab time pass; raises when the node died meanwhile."""
        await self.cluster.sleep(lab_seconds)
        if not self.cluster.world.nodes[self.node].powered:
            raise NodeDied

    def end(self, exitstatus: str, last_line: str | None) -> None:
        """Close the log and let everyone who waits go on."""
        if last_line is not None:
            self.lines.append(last_line)
        self.exitstatus = exitstatus
        self.endtime = int(self.cluster.world.clock.now())
        self.done.set()

    def header(self) -> dict[str, Any]:
        """What every answer about this task holds; a token's name stands apart from its user."""
        found: dict[str, Any] = {
            "upid": self.upid,
            "node": self.node,
            "pid": self.pid,
            "pstart": self.pstart,
            "starttime": self.starttime,
            "type": self.kind,
            "id": self.target,
            "user": self.identity.user,
        }
        if self.identity.token:
            found["tokenid"] = self.identity.token
        return found

    def status(self) -> dict[str, Any]:
        """The answer of ``tasks/{upid}/status``; there is no end time in it."""
        if self.exitstatus is None:
            return {**self.header(), "status": "running"}
        return {**self.header(), "status": "stopped", "exitstatus": self.exitstatus}

    def entry(self) -> dict[str, Any]:
        """The task as lists show it once it has ended; a running one has neither end nor status."""
        if self.exitstatus is None:
            return self.header()
        return {**self.header(), "endtime": self.endtime, "status": self.exitstatus}


Work = Callable[[Task], Awaitable[None]]


class Tasks:
    """All tasks of the cluster, in the order they were started."""

    def __init__(self, cluster: "Cluster") -> None:
        self._cluster = cluster
        self._pids = dict.fromkeys(cluster.world.nodes, 0x3A7F2)
        self.all: list[Task] = []

    def begin(self, node: str, kind: str, target: str, identity: Identity, work: Work) -> Task:
        """Start a worker on a node; the caller answers with its UPID."""
        now = self._cluster.world.clock.now()
        self._pids[node] += 1 + self._cluster.world.random.randrange(40)
        task = Task(
            cluster=self._cluster,
            node=node,
            pid=self._pids[node],
            pstart=int(now * 100) & 0xFFFFFFFF,
            starttime=int(now),
            kind=kind,
            target=target,
            identity=identity,
        )
        self.all.append(task)
        task.worker = self._cluster.spawn(self._run(task, work))
        return task

    async def _run(self, task: Task, work: Work) -> None:
        try:
            with self._cluster.world.working(f"pve:{task.node} {task.kind} {task.target}"):
                await work(task)
        except PveError as error:
            task.end(error.message, f"TASK ERROR: {error.message}")
        except NodeDied:
            task.end(DIED, None)
        except asyncio.CancelledError:
            task.end("interrupted by signal", "TASK ERROR: interrupted by signal")
            raise
        else:
            task.end("OK", "TASK OK")

    def find(self, node: str, upid: str) -> Task:
        """The task of that UPID on that node."""
        if not _UPID.fullmatch(upid):
            raise rejected(upid="unable to parse worker upid")
        for task in self.all:
            if task.upid == upid and task.node == node:
                return task
        raise rejected(upid="no such task")
