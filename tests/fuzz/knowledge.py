"""Laws with a memory: nobody tells what it cannot know, a reboot is visible, nothing stands still, and what was under
way is left as its end has left it.

What a node can know follows from power and cables alone: they are watched here apart from the twin's own reckoning.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lab.physics.world import UP_BEFORE, Change
from lab.pve.work.tasks import DIED
from lab.world import World
from tests.fuzz.views import NodeView, Views

# For how long a silent node is believed, and how long the file of a state may wait for a daemon's round; lab seconds.
BELIEVED, ROUND = 300.0, 20.0
# After so long without any change of links or power everybody has settled: token, consensus, device, and its timeouts.
QUIET = 60.0
# What a row of the cluster's list has of its own node's words; the others are read from files.
WORDS = ("status", "name", "uptime", "cpu", "mem", "maxmem", "disk", "maxdisk", "diskread", "diskwrite")
FILED = ("node", "lock", "tags", "hastate")


@dataclass(frozen=True)
class Look:
    """One look: when, what was told, how long the log was, and who might write."""

    at: float
    seen: Views
    changes: int
    writers: frozenset[str]


class Memory:
    """The look before, and since when whose words have not arrived at whom."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._began = world.clock.now()
        self._apart: dict[tuple[str, str], float] = {}
        self._together: dict[tuple[str, str], float] = {}
        self._touched = self._began
        self._before: Look | None = None
        self._born = {name: host.up_since for name, host in world.nodes.items()}
        world.links.on_change(self._look_at_links)
        self._look_at_links()

    def _look_at_links(self) -> None:
        now, groups = self._world.clock.now(), self._groups()
        self._touched = now
        for a in self._world.nodes:
            for b in self._world.nodes:
                kept, lost = (self._together, self._apart) if b in groups.get(a, ()) else (self._apart, self._together)
                kept.setdefault((a, b), now)
                lost.pop((a, b), None)

    def _groups(self) -> dict[str, frozenset[str]]:
        """Node -> all that it meets over a ring, directly or over others; none without power."""
        world, found = self._world, dict[str, frozenset[str]]()
        left = {name for name, host in world.nodes.items() if host.powered}
        while left:
            group, new = set[str](), {min(left)}
            while new:
                group |= new
                new = {b for a in new for b in left - group if any(world.links.rings(a, b))}
            found |= dict.fromkeys(group, frozenset(group))
            left -= group
        return found

    def broken(self, seen: Views) -> list[str]:
        """The laws that do not hold now; the look becomes the one before."""
        world = self._world
        writers = frozenset(name for name in world.nodes if world.membership.writable(name))
        now = Look(world.clock.now(), seen, len(world.changes), writers)
        before, self._before = self._before, now
        said = [*self._boots(now), *self._lives(now), *self._rings(now), *self._witness(now)]
        if before is not None:
            news = world.changes[before.changes :]
            for name, view in seen.nodes.items():
                if (old := before.seen.nodes.get(name)) is not None and not _died(news, name):
                    said += [*self._words(before, now, name, old, view), *self._files(before, now, name, old, view)]
                    said += self._stands_still(before, now, name, old, view)
            said += self._left_behind(before, news)
        return said

    # --- nobody tells what it cannot know ------------------------------------------------------------------------

    def _words(self, before: Look, now: Look, name: str, old: NodeView, view: NodeView) -> Iterator[str]:
        """Of whom nothing arrives, nothing new is told: the last words for five minutes, and then none."""
        for key, row in view.rows.items():
            place, since = row["node"], self._apart.get((name, row["node"]))
            was = old.rows.get(key)
            if since is None or was is None or was["node"] != place:
                continue
            if now.at - since > BELIEVED + 1:
                if row["status"] != "unknown" or "uptime" in row:
                    yield f"{name} tells {_words(row)} of {key}, whose node is silent for {now.at - since:.0f} s"
            elif since <= before.at:
                if _words(row) != _words(was) and row["status"] != "unknown":
                    yield f"{name} has news of {key} on {place}, from where nothing comes: {_words(was)}, {_words(row)}"
            elif was["status"] == "unknown":
                continue  # they were apart, have met since that look, and have parted again
            elif row["status"] != was["status"] and not self._happened(before, key):
                yield f"{name} heard {was['status']} of {key} and says {row['status']} since {place} is silent"
        for task in view.cluster_tasks:
            since = self._apart.get((name, task["node"]))
            if since is not None and max(task["starttime"], task.get("endtime") or 0) > since:
                yield f"{name} knows of {task['upid']}, and nothing has come from there for {now.at - since:.0f} s"

    def _happened(self, before: Look, key: str) -> bool:
        """Whether anything was done to a guest, or to storage, between two looks."""
        vmid = key.partition("/")[2]
        return any(
            change.target in (vmid, f"vm:{vmid}", f"ct:{vmid}", "/etc/pve")
            or change.where in self._world.arrays
            or change.target.startswith(("san", "portal", "replication", "mediator"))
            for change in self._world.changes[before.changes :]
        )

    def _files(self, before: Look, now: Look, name: str, old: NodeView, view: NodeView) -> Iterator[str]:
        """Who is cut off from everybody who may write reads what was there: places, locks, HA's state, options."""
        mine = {other for other in self._world.nodes if (name, other) in self._together}
        # a node that has just booted takes over what the others of its partition have, quorum or not
        settled = all(self._together[name, other] < before.at - ROUND for other in mine)
        if not settled or mine & (before.writers | now.writers):
            return
        minority, quiet = 2 * len(mine) < len(self._world.nodes), self._touched < before.at - QUIET
        if not (minority or quiet):
            return  # with the device's vote they might have written in between
        if self._touched > before.at and any(self._apart.get((name, b), 0) > before.at for b in self._world.nodes):
            return  # something was under way between the looks
        if old.options != view.options:
            yield f"{name} is cut off and reads new options: {view.options}"
        if (stamp := _stamp(old)) != _stamp(view):
            yield f"{name} is cut off and reads a new state of HA: {stamp}, {_stamp(view)}"
        for key, row in view.rows.items():
            was = old.rows.get(key)
            if was is None or any(was.get(field) != row.get(field) for field in FILED):
                yield f"{name} is cut off and reads {row} where it read {was}"

    def _rings(self, now: Look) -> Iterator[str]:
        """One ring has one name, and two rings have two; asked when all is settled."""
        if now.at - self._touched < QUIET:
            return
        names: dict[frozenset[str], set[str]] = {}
        for view in now.seen.nodes.values():
            names.setdefault(frozenset(view.online), set()).add(view.ring)
        told = [ring for rings in names.values() for ring in rings]
        if len(told) != len(set(told)) or any(len(rings) > 1 for rings in names.values()):
            yield f"rings { ({', '.join(sorted(members)): sorted(rings) for members, rings in names.items()}) }"

    def _witness(self, now: Look) -> Iterator[str]:
        """The witness tells each client's own membership, and the vote that this client counts."""
        if now.at - self._touched < QUIET or not now.seen.clients:
            return
        names = {host.node_id: name for name, host in self._world.nodes.items()}
        blocks = re.findall(
            r"Node ID (\d+):.*?Membership node list:\t(.*?)\n.*?Vote:\t+(.*?)\n", now.seen.clients, re.S
        )
        for number, members, vote in blocks:
            view = now.seen.nodes.get(names[int(number)])
            if view is None:
                yield f"the witness lists {names[int(number)]}, which has no power"
                continue
            told = {names[int(one)] for one in members.split(", ")}
            if told != view.online:
                yield f"{names[int(number)]} is with {sorted(view.online)}, the witness says with {sorted(told)}"
            if vote != f"No change ({'ACK' if view.votes.device_votes else 'NACK'})":
                yield f"{names[int(number)]} counts {view.votes.device_votes} votes of the device, the witness {vote}"

    # --- a reboot is visible -------------------------------------------------------------------------------------

    def _boots(self, now: Look) -> Iterator[str]:
        """Every uptime of a host is one, and it begins with the last boot; what ran before does not run any more."""
        for name, view in now.seen.nodes.items():
            booted = max((one.time for one in self._world.changes if _is(one, name, "power.on")), default=None)
            expected = now.at - booted if booted is not None else UP_BEFORE + now.at - self._began
            least = expected - 2 if booted is not None else UP_BEFORE
            told = {view.uptime, *(e["uptime"] for e in view.resources if e["id"] == f"node/{name}" and "uptime" in e)}
            if not all(least <= one <= expected + 200 * (booted is None) for one in told):
                yield f"{name} was booted {expected:.0f} s ago and says {sorted(told)}"
            if abs(view.shell_uptime - view.uptime) > 2:
                yield f"{name} is up {view.uptime} s by the API and {view.shell_uptime:.0f} s by its shell"
            if booted is not None:
                yield from self._young(name, view, now.at, booted)
        booted = max(
            (one.time for one in self._world.changes if _is(one, self._world.witness.name, "power.on")), default=None
        )
        if booted is not None and now.seen.witness_uptime is not None and now.seen.witness_uptime > now.at - booted + 2:
            yield f"the witness was booted {now.at - booted:.0f} s ago and says {now.seen.witness_uptime:.0f}"

    def _young(self, name: str, view: NodeView, now: float, booted: float) -> Iterator[str]:
        for machine in view.machines:
            if machine["status"] == "running" and machine["uptime"] > now - booted + 1:
                yield f"{name} was booted {now - booted:.0f} s ago, its {machine['vmid']} runs for {machine['uptime']}"
        for task in view.tasks:
            if task["starttime"] < int(booted) and task.get("endtime") is None:
                yield f"{name} was booted since {task['upid']} began, and it goes on"
            if task["starttime"] > booted and task["pstart"] > (now - booted) * 100:
                yield f"{name}: {task['upid']} began before the boot by its ticks, and after it by its clock"

    # --- no value stands still -----------------------------------------------------------------------------------

    def _stands_still(self, before: Look, now: Look, name: str, old: NodeView, view: NodeView) -> Iterator[str]:
        """Time passes on a node that runs, and whose daemon may write writes."""
        passed = now.at - before.at
        if abs(view.uptime - old.uptime - passed) > 2:
            yield f"{name}: {passed:.0f} s have passed, and its uptime went from {old.uptime} to {view.uptime}"
        for machine in view.machines:
            was = next((one for one in old.machines if one["vmid"] == machine["vmid"]), {"status": "away"})
            same = was.get("pid") == machine.get("pid") and machine["status"] == was["status"] == "running"
            if same and machine["uptime"] == was["uptime"] and passed > 2:
                yield f"{name}: {passed:.0f} s have passed, and not for its guest {machine['vmid']}"
        lrm = self._world.cluster.ha.lrms[name]
        if passed < ROUND or self._touched > before.at or name not in before.writers & now.writers:
            return
        if not (lrm.stalled or lrm.ended) and _lrm(view, name) == _lrm(old, name):
            yield f"{name} may write for {passed:.0f} s, and its LRM's state is of {_lrm(view, name)}"
        if view.online != old.online and view.ring == old.ring:
            yield f"{name} has other members, and the ring {view.ring} as before"

    # --- what was under way --------------------------------------------------------------------------------------

    def _lives(self, now: Look) -> Iterator[str]:
        """No task outlives the life of its node that it began in."""
        deaths = [one for one in self._world.changes if one.what in ("power.off", "watchdog.reset")]
        for task in self._world.cluster.tasks.all:
            death = min(
                (one.time for one in deaths if one.where == task.node and one.time > task.starttime + 1), default=None
            )
            if death is not None and (task.ended_at is None or task.ended_at > death):
                yield f"{task.upid} outlived its node, which died at {death % 100_000:.1f}"

    def _left_behind(self, before: Look, news: list[Change]) -> Iterator[str]:
        """The file and the lock of what died with its node are still there, unless somebody took them away since."""
        guests = self._world.cluster.guests
        if any(change.what == "pmxcfs.revert" for change in self._world.changes):
            return
        for change in self._world.changes:
            if change.what != "guest.cloning" or self._over(change):
                continue
            guest = guests.get(int(change.target))
            if guest is None or guest.lock != "clone":
                yield f"the clone {change.target} on {change.where} neither ended nor is it there: {guest}"
        for task in self._world.cluster.tasks.all:
            fresh = task.exitstatus == DIED and task.ended_at is not None and task.ended_at >= before.at
            if not fresh or task.kind not in _LOCKS or task.ended_at is None:
                continue
            for vmid in _about(before, task.node, task.target, _LOCKS[task.kind]):
                taken = any(
                    one.target in (vmid, f"vm:{vmid}", f"ct:{vmid}") and one.time >= task.ended_at for one in news
                )
                if not taken and guests[int(vmid)].lock != _LOCKS[task.kind]:
                    yield f"{task.upid} died and has left no lock on {vmid}"

    def _over(self, began: Change) -> bool:
        """Whether a clone has come to an end that its node lived to see, or was destroyed."""
        ends = ("guest.clone", "guest.clone_failed", "guest.delete")
        later = self._world.changes[began.number :]
        return any(change.what in ends and change.target == began.target for change in later)


# The locks that tasks hold on their guests while they are under way.
_LOCKS = {"qmigrate": "migrate", "vzmigrate": "migrate", "vzdump": "backup"}


def _about(before: Look, node: str, target: str, lock: str) -> list[str]:
    """The guests that a task had locked at the look before."""
    view = before.seen.nodes.get(node)
    rows = view.rows.values() if view else ()
    return [
        str(row["vmid"])
        for row in rows
        if row["node"] == node and row.get("lock") == lock and target in ("", str(row["vmid"]))
    ]


def _died(news: list[Change], node: str) -> bool:
    return any(_is(change, node, "power.off", "watchdog.reset", "power.on") for change in news)


def _is(change: Change, where: str, *what: str) -> bool:
    return change.where == where and change.what in what


def _words(row: dict[str, Any]) -> dict[str, Any]:
    return {word: row.get(word) for word in WORDS}


def _stamp(view: NodeView) -> Any:
    return view.manager["manager_status"].get("timestamp")


def _lrm(view: NodeView, name: str) -> Any:
    return view.manager["lrm_status"].get(name, {}).get("timestamp")
