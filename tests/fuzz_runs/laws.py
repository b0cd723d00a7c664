"""What holds in every schedule, read from the world and from what people have said: V1 to V8, and *restored or listed*.

The engine's own word is never the proof of a law; it is what the laws are about.
"""

import contextlib
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.client import WorkflowQueryFailedError
from temporalio.service import RPCError

from cluster.ledger import INCIDENTS
from tests.fuzz.laws import _v1_and_v2
from tests.fuzz_runs.homes import Homes
from tests.fuzz_runs.ledger import listed
from tests.fuzz_runs.schedule import Act
from tests.fuzz_runs.stage import Stage

RUNBOOKS = ("Failback", "EvacuateSite", "ReturnSite")
# What an engine has to have noticed after so many seconds of the wall on a busy machine: a look, a verdict, a question.
NOTICED = 4.0
# A change may be on its way while its yes is taken back or its condition begins to fail.
ON_ITS_WAY = 1.5
# Between two questions to the runs, in seconds of the wall: the world is looked at more often.
ASKED_EVERY = 0.8
# Lab seconds by which the loss may be outside of what a told T0 leaves open: a slow round on a busy machine.
T0_DIFFERS = 150.0
NEEDED = 2
MOVED = ("bring home", "move away")
# What stops every change of planned work while it lasts.
STOPS = ("site-power", "node", "witness", "inter-site", "replication", "array")
COMMANDS = ("ha.command.migrate", "ha.command.relocate", "ha.command.node-maintenance")


@dataclass
class Yes:
    """What people have said to one gate: who said yes when, who took it back when; wall seconds."""

    planned: list[dict[str, Any]]
    at: dict[str, float] = field(default_factory=dict)
    back: dict[str, float] = field(default_factory=dict)

    def stood(self, when: float) -> bool:
        """Enough of them had said yes by then, and had not taken it back well before."""
        good = [name for name, at in self.at.items() if at <= when and when - self.back.get(name, when) <= ON_ITS_WAY]
        return len(good) >= NEEDED


class Judge:
    """The laws of one schedule."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.homes = Homes(stage)
        self.broken: list[str] = []
        self.met: Counter[str] = Counter()
        self._read = 0
        self._asked = 0.0
        self._since: dict[str, float] = {}  # fault to the wall second of its beginning
        # site to the moment (UTC), HA's guests there, and those that were on their way
        self._losses: dict[str, tuple[datetime, dict[str, str], set[str]]] = {}
        self._gates: dict[str, Yes] = {}
        self._first: dict[str, int] = {}
        self._whole_since = 0.0  # wall second since which all nodes have been one membership
        self._frozen: set[str] = set()
        self._proven: set[tuple[str, str]] = set()
        self._told: set[str] = set()
        # The vote has moved to a site with an older /etc/pve, whose writes were lost when it met the others again:
        # there the real stack, too, lets a guest run twice.
        self._reverted = False

    # --- what is told to it ------------------------------------------------------------------------------------

    def begin(self) -> None:
        """The world as it is before the schedule."""
        world = self._stage.world
        self._read = len(world.changes)
        self._whole_since = time.monotonic() - NOTICED  # the watch has called it healthy
        self.homes.begin()
        self._first = {sid: int(one.get("failback", 1)) for sid, one in world.cluster.ha.resources.items()}

    def acts(self, act: Act) -> None:
        """An act is about to be done."""
        self.met[act.verb] += 1
        title, wall = " ".join(act.words), time.monotonic()
        self.homes.acts(act)
        if act.verb == "fail":
            self._since.setdefault(title, wall)
            self._note_loss(act)
        elif act.verb == "restore":
            self._since.pop(title, None)
        elif act.verb == "restore-all":
            self._since.clear()

    def _note_loss(self, act: Act) -> None:
        """Who ran where at the very moment in which a whole site loses its power."""
        if act.words[0] != "site-power":
            return
        site, world = act.words[1], self._stage.world
        nodes = [node.name for node in self._stage.inventory.site(site).nodes]
        self._losses.pop(site, None)
        if not self._whole_since or time.monotonic() - self._whole_since < NOTICED:
            return  # it was not whole before, or not for long enough: which moment was its loss is a matter of words
        services = world.cluster.ha.files.manager.services
        there = {sid: service.node for sid, service in services.items() if service.node in nodes}
        moving = {sid for sid, service in services.items() if service.state != "started"}
        self._losses[site] = (datetime.now(UTC), there, moving)

    def nobody_looked(self, seconds: float) -> None:
        """The engine could notice nothing in the last seconds of the wall."""
        self._since = {title: since + seconds for title, since in self._since.items()}

    def voted(self, run: str, name: str, decision: str, view: dict[str, Any], said: str) -> None:
        """A vote that the run has taken."""
        gate = self._gates.setdefault(f"{run} {view['digest']}", Yes(view["planned"]))
        self.met[f"{decision} taken"] += 1
        (gate.at if decision == "approve" else gate.back)[name] = time.monotonic()
        if decision == "reject" and not said.startswith("Approval withdrawn"):
            gate.at.clear()

    def quiet_world(self) -> bool:
        """No fault holds."""
        return not self._since

    # --- looking -----------------------------------------------------------------------------------------------

    async def look(self) -> None:
        """All laws that hold at every moment."""
        world = self._stage.world
        self.homes.look()
        whole = all(world.membership.members(name) >= set(world.nodes) for name in world.nodes)
        self._whole_since = (self._whole_since or time.monotonic()) if whole else 0.0
        changes = world.changes[self._read :]
        self._reverted |= any(change.what == "pmxcfs.revert" for change in changes)
        for sentence in () if self._reverted else _v1_and_v2(world):
            self._break(sentence)
        self._v4()
        self._read += len(changes)
        for change in changes:
            self._change(change)
        if time.monotonic() - self._asked >= ASKED_EVERY:
            self._asked = time.monotonic()
            await self._incidents()

    def _break(self, sentence: str) -> None:
        if sentence not in self._told:
            self._told.add(sentence)
            self.broken.append(sentence)

    def _v4(self) -> None:
        """Nobody unstretches, destroys or eradicates."""
        name = self._stage.inventory.pod.name
        for array in self._stage.world.arrays.values():
            pod = next((pod for pod in array.pods if pod.name == name), None)
            if pod is None or len(pod.members) != len(self._stage.inventory.arrays):
                self._break(f"V4: {array.name} has no stretched pod {name} any more")

    def _change(self, change: Any) -> None:
        if change.what in COMMANDS:
            self.met["commands"] += 1
            self.homes.commanded(change.target, change.detail.get("node"))
            self._v3(change)
            self._conditions(change)
        if change.what == "ha.resource.update" and "failback" in change.detail:
            self._switch(change.target, int(change.detail["failback"]))
        if change.what == "options.update":
            self._switch("crs", int("ha-auto-rebalance=1" in str(change.detail)))
        if change.what.startswith(("pod.", "volume.")) and change.what.rpartition(".")[2] in (
            "destroy",
            "eradicate",
            "unstretch",
        ):
            self._break(f"V4: {change}")

    def _v3(self, change: Any) -> None:
        """No command without enough yeses for that very change."""
        now = time.monotonic()
        if change.what == "ha.command.node-maintenance":
            what = f"{change.detail.get('argument')} maintenance"
            fits = [
                gate for gate in self._gates.values() if any(self._is(one, what, change.target) for one in gate.planned)
            ]
        else:
            fits = [
                gate
                for gate in self._gates.values()
                if any(self._is(one, what, change.target) for one in gate.planned for what in MOVED)
            ]
        if not any(gate.stood(now) for gate in fits):
            said = [(gate.at.keys(), {name: round(now - at, 1) for name, at in gate.back.items()}) for gate in fits]
            self._break(f"V3: {change.what} {change.target} {change.detail} without a standing approval: {said}")

    @staticmethod
    def _is(planned: dict[str, Any], what: str, target: str) -> bool:
        return bool(planned["what"] == what and planned["target"] == target)

    def _conditions(self, change: Any) -> None:
        """No command while something that stops it has been wrong for long enough to be noticed."""
        now = time.monotonic()
        for title, since in self._since.items():
            if title.split(" ")[0] in STOPS and now - since > NOTICED:
                said = f"{change.what} {change.target} {now - since:.1f} s after {title} had begun to fail"
                self._break(f"conditions: {said}")

    def _switch(self, name: str, value: int) -> None:
        """A switch is turned; on only where that moves nobody."""
        if value == 0:
            self._frozen.add(name)
            self.met["switched off"] += 1
            return
        if name not in self._frozen:
            return
        self.met["switched on"] += 1
        self._frozen.discard(name)
        now = time.monotonic()
        for title, since in self._since.items():
            if title.split(" ")[0] in ("site-power", "node") and now - since > NOTICED:
                self._break(f"thaw: {name} is on again while {title} has been failing for {now - since:.1f} s")
        away = self.homes.away()
        hurts = away if name == "crs" else {sid: away[sid] for sid in away if sid == name}
        if hurts:
            self._break(f"thaw: {name} is on again while guests are away from home: {hurts}")

    # --- incidents ---------------------------------------------------------------------------------------------

    async def _incidents(self) -> None:
        """V7, and what open incidents claim."""
        with contextlib.suppress(RPCError, TimeoutError, WorkflowQueryFailedError):
            running = await self._stage.running(*INCIDENTS)
            places = Counter("/".join(run.id.split("/")[:-1]) for run in running)
            for place, count in places.items():
                if count > 1:
                    self._break(f"V7: {count} incidents of {place} are open: {[run.id for run in running]}")
            for run in running:
                self.met[run.id.split("/")[0]] += 1
                self.homes.notices(run.id)
                if run.id.startswith(("site-loss/", "node-loss/")):
                    await self._claims(run)

    async def _claims(self, run: Any) -> None:
        """*Fenced* only where HA has fenced; T0 and homes as they were, or not told."""
        for section in await run.query("steps", rpc_timeout=_QUERIED):
            for step in section["steps"]:
                if step["state"] == "done" and step["title"].endswith(" is fenced"):
                    self._fenced(run.id, step["title"].partition(" ")[0], step["finding"])
        if not run.id.startswith("site-loss/"):
            return
        site = next((one for one in self._losses if f"/{one}/" in run.id), None)
        if site is None or (run.id, "homes") in self._proven:
            return
        progress = await run.query("progress", rpc_timeout=_QUERIED)
        if progress["forecast"] is None:
            return
        self._proven.add((run.id, "homes"))
        self._memory(run.id, site, progress)

    def _fenced(self, run: str, node: str, finding: str) -> None:
        if (run, node) in self._proven:
            return
        self._proven.add((run, node))
        self.met["fenced"] += 1
        last_off = max(
            (
                one.time
                for one in self._stage.world.changes
                if one.where == node and one.what.startswith(("power.off", "watchdog"))
            ),
            default=0.0,
        )
        fenced = [one.time for one in self._stage.world.changes if one.what == "ha.fenced" and one.target == node]
        if not any(at >= last_off for at in fenced):
            self._break(f"E: {run} says that {node} is fenced ({finding}), HA has not acknowledged it")

    def _memory(self, run: str, site: str, progress: dict[str, Any]) -> None:
        lost_at, there, moving = self._losses[site]
        timeline = progress["timeline"]
        told = timeline["t0"] if timeline and not timeline["assumed"] else None
        if told is not None:
            speed = self._stage.world.clock.speed
            late = (lost_at - datetime.fromisoformat(told)).total_seconds() * speed
            self.met["t0 told"] += 1
            if not -T0_DIFFERS < late < timeline["uncertain"] + T0_DIFFERS:
                self._break(
                    f"B: {site} was lost {late:.0f} lab s after the T0 of {run}, {timeline['uncertain']:.0f} at most"
                )
        told_homes = {sid: node for sid, node in progress["guests"].items() if sid not in moving}
        homes = {sid: node for sid, node in there.items() if sid not in moving}
        if told_homes and told_homes != homes:
            self._break(f"B: {run} has the homes {told_homes}, they were {homes}")

    # --- the end -----------------------------------------------------------------------------------------------

    async def at_rest(self) -> bool:
        """The watch calls the cluster healthy, and nothing is under way."""
        state = await self._stage.watch_state()
        if state is None or state.verdict is None or state.verdict.kind != "healthy":
            return False
        return not await self._stage.running(*INCIDENTS, *RUNBOOKS)

    async def finally_(self, *, rested: bool) -> None:
        """V5 and V8."""
        if not rested:
            await self._v8()
        outstanding = await listed(self._stage)
        running = await self._stage.running(*INCIDENTS, *RUNBOOKS)
        for sid, properties in self._stage.world.cluster.ha.resources.items():
            now = int(properties.get("failback", 1))
            if now != self._first.get(sid, 1) and not running and not any(sid in one for one in outstanding):
                self._break(f"V5: failback of {sid} is {now}, was 1, and nobody lists it: {outstanding}")
        rebalancing = "ha-auto-rebalance=1" in str(self._stage.world.cluster.options.get("crs"))
        if not rebalancing and not running and not any("crs" in one for one in outstanding):
            self._break(f"V5: the rebalancer is off, and nobody lists it: {outstanding}")

    async def _v8(self) -> None:
        """Whoever has not ended says what it waits for; and no loss stands without an incident."""
        state = await self._stage.watch_state()
        running = await self._stage.running(*INCIDENTS, *RUNBOOKS)
        if state is None or state.verdict is None:
            self._break("V8: the watch does not answer, although a worker is there")
            return
        if state.verdict.kind != "healthy" and not any(run.id.split("/")[0] in _OPEN for run in running):
            self._break(f"V8: the watch says {state.verdict.sentence}, and no incident is open")
        for run in running:
            page = str(await run.query("page", rpc_timeout=_QUERIED))
            self.met["went on at the end"] += 1
            if "between two steps" in page or "**" not in page:
                self._break(f"V8: {run.id} goes on and does not say what it waits for: {page[:200]!r}")


_OPEN = ("site-loss", "node-loss", "incident")

_QUERIED = timedelta(seconds=4)
