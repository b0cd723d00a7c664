"""The laws of the fuzz find what they are there for: a twin that knows too much, or forgets too little, breaks them."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from lab.membership import Membership
from lab.proxmox import backups, broadcasts, clones, guest_rows, models, tasks, workers
from lab.proxmox.broadcasts import Broadcasts
from lab.proxmox.guest import Guest
from lab.proxmox.models import Cluster
from lab.proxmox.tasks import Tasks
from lab.world import UP_BEFORE, World
from tests.fuzz.run import run

Patch = pytest.MonkeyPatch


def one_truth(patch: Patch) -> None:
    """A node reads whether a guest runs anywhere, not whether it runs here."""
    here = guest_rows.vmstatus

    def everywhere(cluster: Cluster, guest: Guest, node: str) -> dict[str, Any]:
        live = cluster.world.cluster.guests.get(guest.vmid, guest)
        return {**here(cluster, guest, node), "status": "running" if live.running else "stopped"}

    patch.setattr(guest_rows, "vmstatus", everywhere)
    patch.setattr(broadcasts, "broadcast", _telling(everywhere))


def _telling(status: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    told = guest_rows.broadcast
    return lambda cluster, guest, node: {**told(cluster, guest, node), "status": status(cluster, guest, node)["status"]}


def at_once(patch: Patch) -> None:
    """What a node without power or behind a cut link does is known to the others: they hear it all the time."""
    patch.setattr(Broadcasts, "hears", lambda *_: True)


def one_database(patch: Patch) -> None:
    """Who is cut off reads what the others write."""
    patch.setattr(models.Pmxcfs, "cut_off", lambda *_: None)


def one_ring(patch: Patch) -> None:
    """Every node names the ring of them all."""
    patch.setattr(Membership, "ring_id", lambda *_: "1.16")


def a_vote_for_all(patch: Patch) -> None:
    """The witness says of every client that it has the vote."""
    patch.setattr(Membership, "granted", lambda self: frozenset(self.clients()))


def no_boot(patch: Patch) -> None:
    """Uptimes go on over a reboot."""
    patch.setattr(World, "uptime", lambda self, _: int(self.clock.now() - self.started) + UP_BEFORE)
    begin = World.__init__

    def started(self: World, *given: Any, **options: Any) -> None:
        begin(self, *given, **options)
        self.started = self.clock.now()  # type: ignore[attr-defined]

    patch.setattr(World, "__init__", started)


def no_time(patch: Patch) -> None:
    """An uptime is a figure."""
    patch.setattr(World, "uptime", lambda *_: UP_BEFORE)


def immortal_tasks(patch: Patch) -> None:
    """A task does not notice that its node has died."""
    patch.setattr(Tasks, "node_died", lambda *_: None)


def tidy_death(patch: Patch) -> None:
    """A clone whose node dies takes its file away, and whatever was locked is free."""

    async def pause(self: tasks.Task, seconds: float) -> None:
        await self.cluster.sleep(seconds)

    patch.setattr(tasks.Task, "pause", pause)


# Each fault with a seed that finds it, and a word of what it says.
PLANTED = {
    "one truth for all nodes": (one_truth, 0, "runs on"),
    "news without a way": (at_once, 0, "from where nothing comes"),
    "one database for all": (one_database, 0, "is cut off and reads"),
    "one ring for all": (one_ring, 0, "rings"),
    "a vote for all": (a_vote_for_all, 0, "the witness"),
    "no boot": (no_boot, 0, "was booted"),
    "no time": (no_time, 0, "seconds have passed"),
    "tasks without a node": (immortal_tasks, 0, "outlived its node"),
    "a tidy death": (tidy_death, 0, "has left no lock"),
}
