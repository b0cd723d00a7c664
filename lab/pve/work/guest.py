"""A guest of the cluster, virtual machine or container: its configuration file and what runs of it."""

import asyncio
import hashlib
import json
import re
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Kind = Literal["qemu", "lxc"]

_DISKS = {
    "qemu": re.compile(r"(?:scsi|virtio|ide|sata|efidisk|tpmstate)\d+"),
    "lxc": re.compile(r"rootfs|mp\d+"),
}
_FOLDERS = {"qemu": "qemu-server", "lxc": "lxc"}
_WORDS = {"qemu": "VM", "lxc": "CT"}
_SERVICES = {"qemu": "vm", "lxc": "ct"}
# How the worker of a deed is called: ``qmstart``, ``vzstart``; a migration of a machine has lost an m.
_TASKS = {"qemu": "qm", "lxc": "vz"}


@dataclass
class Guest:
    """A virtual machine or a container. `node` is where its configuration file lies.

    `qmp` is what QEMU says of a process that is there and does not work: ``paused``, ``prelaunch``, ``suspended``,
    ``internal-error``; blank while it works.
    """

    vmid: int
    node: str
    config: dict[str, Any]
    pending: dict[str, Any] = field(default_factory=dict)  # None stands for a pending deletion
    lock: str | None = None
    running: bool = False  # its process runs on `node`
    elsewhere: set[str] = field(default_factory=set)  # nodes on which an older process of it still runs
    older: dict[str, tuple[float, int]] = field(default_factory=dict)  # its start and pid there
    since: float = 0.0  # lab time of the start
    pid: int = 0
    flock: asyncio.Lock = field(default_factory=asyncio.Lock)  # one worker at a time, as /var/lock/qemu-server
    kind: Kind = "qemu"
    qmp: str = ""
    failing: dict[str, float] = field(default_factory=dict)  # deed -> how many times it will fail yet
    incoming: str | None = None  # the node on which a live migration has the volumes open, too

    @property
    def sid(self) -> str:
        """The name of its service in HA: ``vm:300``, ``ct:310``."""
        return f"{_SERVICES[self.kind]}:{self.vmid}"

    @property
    def id(self) -> str:
        """Its name among the cluster's resources: ``qemu/300``, ``lxc/310``."""
        return f"{self.kind}/{self.vmid}"

    @property
    def word(self) -> str:
        """What PVE's texts call it: ``VM``, ``CT``."""
        return _WORDS[self.kind]

    @property
    def name(self) -> str:
        """The guest's name; PVE makes one from the id when there is none."""
        if self.kind == "lxc":
            return str(self.config.get("hostname", f"CT{self.vmid}"))
        return str(self.config.get("name", f"VM {self.vmid}"))

    @property
    def digest(self) -> str:
        """SHA-1 of the configuration, by which PVE notices that someone else changed it."""
        text = json.dumps([self.config, self.pending], sort_keys=True)
        return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    @property
    def disks(self) -> dict[str, str]:
        """Bus name or mount point to volume id, CD-ROMs included."""
        pattern = _DISKS[self.kind]
        volumes = {key: str(value).split(",")[0] for key, value in self.config.items() if pattern.fullmatch(key)}
        return {key: volume for key, volume in volumes.items() if ":" in volume}

    @property
    def runs_on(self) -> set[str]:
        """Every node on which a process of it runs."""
        return {*self.elsewhere, *([self.node] if self.running else [])}

    def process(self, node: str) -> tuple[float, int]:
        """When its process on a node began, and its pid."""
        return self.older.get(node, (self.since, self.pid)) if node in self.elsewhere else (self.since, self.pid)

    def ends_on(self, node: str) -> None:
        """Its process on a node is no more, whichever of them it was."""
        self.elsewhere.discard(node)
        self.older.pop(node, None)
        if self.node == node:
            self.running, self.pid, self.qmp = False, 0, ""

    def as_filed(self, kept: "Guest") -> "Guest":
        """Its processes with another copy of its file: what a node that is cut off knows of it."""
        runs = self.runs_on
        own = self.process(kept.node)
        return replace(
            kept, running=kept.node in runs, elsewhere=runs - {kept.node}, older=self.older, since=own[0], pid=own[1],
            qmp=self.qmp if kept.node == self.node else "",
        )  # fmt: skip

    def file_copy(self) -> "Guest":
        """Its file as it is now; whoever goes on writing does not change this one."""
        return replace(self, config=dict(self.config), pending=dict(self.pending))

    def fails(self, deed: str) -> bool:
        """Whether this attempt at a deed is one of those that fail; it is counted."""
        left = self.failing.get(deed, 0)
        self.failing[deed] = max(0, left - 1)
        return left > 0

    def file(self, node: str) -> str:
        """Its configuration file below /etc/pve, if it lies under that node."""
        return file_of(self.kind, node, self.vmid)

    def task(self, deed: str) -> str:
        """The type of the task that does something with it: ``qmstart``, ``vzmigrate``."""
        return "qmigrate" if (self.kind, deed) == ("qemu", "migrate") else f"{_TASKS[self.kind]}{deed}"

    def moved_away(self, target: str) -> None:
        """Its file goes to another node, whatever runs on the old one; what runs on the new one is its process now."""
        if self.running and self.node != target:
            self.elsewhere.add(self.node)
            self.older[self.node] = (self.since, self.pid)
        self.running = target in self.elsewhere or (self.running and self.node == target)
        self.since, self.pid = self.process(target)
        self.elsewhere.discard(target)
        self.older.pop(target, None)
        self.node = target

    def effective(self) -> dict[str, Any]:
        """The configuration once everything pending is applied."""
        merged = {**self.config, **self.pending}
        return {key: value for key, value in merged.items() if value is not None}


def file_of(kind: Kind, node: str, vmid: int) -> str:
    """Where the configuration of a guest of that kind would lie, below /etc/pve."""
    return f"nodes/{node}/{_FOLDERS[kind]}/{vmid}.conf"
