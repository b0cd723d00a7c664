"""A copy of /etc/pve as a node keeps it that is cut off: everything in it but HA's part, which `ha_state` keeps.

What is no file has no copy: processes, tasks, volumes, what other nodes broadcast.
"""

import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lab.pve.work.guest import Guest

if TYPE_CHECKING:
    from lab.pve.etc.access import Access
    from lab.pve.models import Cluster, Storage
    from lab.pve.notices.notify import Notifications


@dataclass(frozen=True)
class Files:
    """The files of one moment."""

    guests: dict[int, Guest]
    storages: "dict[str, Storage]"
    options: dict[str, Any]
    jobs: dict[str, dict[str, Any]]
    access: "Access"
    notifications: "Notifications"

    @classmethod
    def now(cls, cluster: "Cluster") -> "Files":
        """A copy of what is written now."""
        return cls(
            {vmid: guest.file_copy() for vmid, guest in cluster.guests.items()},
            {name: replace(one, properties=dict(one.properties)) for name, one in cluster.storages.items()},
            dict(cluster.options),
            copy.deepcopy(cluster.jobs),
            copy.deepcopy(cluster.access),
            copy.deepcopy(cluster.notifications),
        )

    def of(self, cluster: "Cluster") -> "Cluster":
        """The cluster with these files: its guests have the processes that run in earnest, and no others."""
        seen = copy.copy(cluster)
        seen.guests = {vmid: _alive(cluster, kept) for vmid, kept in self.guests.items()}
        seen.storages, seen.options, seen.jobs = self.storages, self.options, self.jobs
        seen.access, seen.notifications = self.access, self.notifications
        return seen

    def come_back(self, cluster: "Cluster") -> None:
        """These files count from now on; what was written into the former ones since is lost.

        A guest whose file is lost, and that runs, stays known: the twin has no processes without a guest.
        """
        fresh = copy.deepcopy(replace(self, guests={}))
        cluster.storages, cluster.options, cluster.jobs = fresh.storages, fresh.options, fresh.jobs
        cluster.access, cluster.notifications = fresh.access, fresh.notifications
        for vmid, kept in self.guests.items():
            guest = cluster.guests.get(vmid)
            if guest is None:
                cluster.guests[vmid] = _alive(cluster, kept).file_copy()
                continue
            guest.config, guest.pending, guest.lock = dict(kept.config), dict(kept.pending), kept.lock
            if guest.node != kept.node:
                guest.moved_away(kept.node)
        for vmid in [vmid for vmid, guest in cluster.guests.items() if vmid not in self.guests and not guest.runs_on]:
            del cluster.guests[vmid]


def _alive(cluster: "Cluster", kept: Guest) -> Guest:
    """A guest by an old file, with the processes of now; of one that was destroyed meanwhile there are none."""
    live = cluster.guests.get(kept.vmid)
    if live is None or live.kind != kept.kind:
        return replace(kept, running=False, elsewhere=set(), pid=0)
    return live.as_filed(kept)
