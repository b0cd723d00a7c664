"""One schedule: acts at their times, the laws looked at all the while, and its end awaited."""

import asyncio
import contextlib
import random
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from temporalio.client import (
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.service import RPCError

from cluster.events import Event, EventBatch
from cluster.ledger import INCIDENTS
from cluster.watching import watch_id
from lab.control.places import Unfit
from lab.physics.faults import Fault
from tests.fuzz_runs.laws import NOTICED, Judge
from tests.fuzz_runs.ledger import account, homes
from tests.fuzz_runs.schedule import Act, draw
from tests.fuzz_runs.stage import Stage, answered
from tests.runs import steps

KINDS = {"failback": "Failback", "home": "Failback", "evacuate": "EvacuateSite", "return": "ReturnSite"}
# Seconds of the wall in which everything has to come to rest, after all faults were ended and people have answered.
RESTS_WITHIN = 25.0
# What does not come back by itself is mended by people, after so many seconds of the wall.
MENDED_AFTER = 2.0
# Runs that people wait for have so long to come to their end before they are aborted; then people ask every second.
ENDED_AFTER, ENDED_EVERY = 1.5, 1.0
# A gate opens when quarantine and plan are through, in seconds of the wall; voters wait for it.
OPENS_WITHIN = 8.0
# Between two looks at the laws, in seconds of the wall.
LOOK = 0.25
UNANSWERED = (
    RPCError,
    TimeoutError,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)


@dataclass
class Outcome:
    """What one seed has come to: the laws that were broken, and counts of what was met.

    `once` are laws that were broken the first time, and not when the same schedule was played again.
    """

    seed: int
    acts: list[Act]
    broken: list[str] = field(default_factory=list)
    once: list[str] = field(default_factory=list)
    met: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    phases: dict[str, float] = field(default_factory=dict)  # seconds of the wall after its start


class Play:
    """The schedule of one seed on a stage."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self._stage, self._seed = stage, seed
        self.outcome = Outcome(seed, draw(seed, stage.inventory))
        self._runs: dict[str, WorkflowHandle[Any, Any]] = {}
        self._doing: set[asyncio.Task[None]] = set()
        self._stories: list[asyncio.Task[None]] = []
        self._judge = Judge(stage)
        self._events = 0

    async def run(self) -> Outcome:
        """Play it."""
        began = time.monotonic()
        await self._stage.afresh(rule=random.Random(self._seed).random() < 0.5)
        self.outcome.phases["afresh"] = time.monotonic() - began
        self._judge.begin()
        start = self._stage.now()
        for act in self.outcome.acts:
            await self._looking(start + act.at)
            self._judge.acts(act)
            task = self._begin(self._do(act))
            if act.verb == "calm":
                self._stories.append(task)
        await self._looking(self._stage.now() + 20)
        while any(not story.done() for story in self._stories):
            await self._looking(self._stage.now() + 10)
        self.outcome.phases["acts"] = time.monotonic() - began
        await self._rest()
        for task in list(self._doing):
            task.cancel()
        self.outcome.broken, self.outcome.met = self._judge.broken, dict(self._judge.met)
        if self.outcome.broken:
            self.outcome.broken.append(await account(self._stage))
        self.outcome.seconds = time.monotonic() - began
        return self.outcome

    def _begin(self, doing: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Something that people do beside what is looked at."""
        task = asyncio.create_task(doing)
        self._doing.add(task)
        task.add_done_callback(self._doing.discard)
        return task

    async def _looking(self, until: float) -> None:
        """Look at the laws until that lab second."""
        while (left := until - self._stage.now()) > 0:
            await self._judge.look()
            await asyncio.sleep(min(LOOK, left / self._stage.world.clock.speed))

    # --- acts --------------------------------------------------------------------------------------------------

    async def _do(self, act: Act) -> None:
        doing = getattr(self, f"_{act.verb.replace('-', '_')}")
        with contextlib.suppress(*UNANSWERED):
            await answered(doing(*act.words), 40)

    async def _fail(self, name: str, *where: str) -> None:
        with contextlib.suppress(Unfit):
            self._stage.site.fail(name, *where)

    async def _restore(self, name: str, *where: str) -> None:
        with contextlib.suppress(Unfit):
            self._stage.site.restore(name, *where)

    async def _restore_all(self) -> None:
        self._stage.site.call(self._all_restored())

    async def _all_restored(self) -> None:
        self._stage.site.drills.restore_all(by="fuzz")

    async def _event(self) -> None:
        self._events += 1
        one = Event(id=f"{self._seed}-{self._events}", source="purity", kind="alert 122", severity="warning")
        await self._stage.client.get_workflow_handle(watch_id(self._stage.inventory.name)).signal(
            "events", EventBatch(events=(one,))
        )

    async def _kill_worker(self) -> None:
        self._stage.kill_worker()

    async def _stall_worker(self, seconds: str) -> None:
        """Nobody looks for so many lab seconds: whatever begins meanwhile cannot be noticed before."""
        still = float(seconds) / self._stage.world.clock.speed
        await self._stage.stall_worker(still)
        self._judge.nobody_looked(still)

    async def _list_away(self) -> None:
        """Somebody edits the list: for two seconds it is not there."""
        self._stage.signers.unlink(missing_ok=True)
        await asyncio.sleep(2)
        self._stage.write_list()

    async def _list_short(self, name: str) -> None:
        self._stage.write_list(name)
        await asyncio.sleep(3)
        self._stage.write_list()

    async def _refuse(self, sid: str) -> None:
        """The next command for that guest is refused once."""
        self._plant(Fault("^pve:", rf"^POST .*/resources/{sid}/migrate", "fail", 1, status=500, message="not now"))

    async def _lose_reply(self, sid: str) -> None:
        """The next change of that guest's resource is made, and its answer is lost."""
        self._plant(Fault("^pve:", rf"^PUT .*/resources/{sid}", "drop", 1))

    def _plant(self, fault: Fault) -> None:
        async def plant() -> None:
            self._stage.world.faults.plant(fault)

        self._stage.site.call(plant())

    async def _switch_on(self, sid: str) -> None:
        """A person sets `failback` by hand, whatever was there."""
        self._stage.world.cluster.ha.resources[sid]["failback"] = 1

    async def _move(self, sid: str, node: str) -> None:
        """A person moves a guest by HA's own command, while nothing else is wrong."""
        if self._judge.quiet_world():
            self._judge.homes.moved(sid, node)
            self._stage.site.call(self._migrated(sid, node))

    async def _migrated(self, sid: str, node: str) -> None:
        ha = self._stage.world.cluster.ha
        ha.commands.append(("migrate", sid, node))
        ha.begins(sid)

    async def _start(self, kind: str, site: str) -> None:
        wish: dict[str, Any] = {"site": site, "by": "ana", "mode": "apply"}
        if kind == "home":
            wish["homes"] = self._judge.homes.send(site)
        name = f"{kind}/{self._seed}-{len(self._runs)}-{time.monotonic_ns()}"
        self._runs[kind] = await self._stage.client.start_workflow(KINDS[kind], wish, id=name, task_queue="runbooks")

    async def _approve(self, kind: str, name: str) -> None:
        await self._votes(kind, name, "approve")

    async def _withdraw(self, kind: str, name: str) -> None:
        await self._votes(kind, name, "reject")

    async def _votes(self, kind: str, name: str, decision: Any) -> bool:
        """That person votes as soon as the run asks, waiving what can be waived; false when it does not ask in time."""
        run = await self._run(kind)
        if run is None:
            return False
        deadline = time.monotonic() + OPENS_WITHIN
        while (view := await answered(run.query("gate"))) is None:
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.1)
        waives = tuple(veto["name"] for veto in view["terms"]["vetoes"] if not veto["safety"])
        person = self._stage.people[name]
        said = await answered(person.says(run, decision, waives if decision == "approve" else ()))
        self._judge.voted(run.id, name, decision, view, said)
        return True

    async def _run(self, kind: str) -> WorkflowHandle[Any, Any] | None:
        if kind != "incident":
            return self._runs.get(kind)
        running = await self._stage.running(*INCIDENTS)
        return running[-1] if running else None

    async def _tell(self, kind: str, update: str, message: object = None) -> None:
        run = await self._run(kind)
        if run is not None:
            arguments = [] if message is None else [message]
            await answered(run.execute_update(update, args=arguments))

    async def _calm(self, site: str, sid: str, voters: str, begins: str, *ceases: str) -> None:
        """Guests are sent home with two yeses; a move is under way or was refused, and then something ceases to hold.

        A person answers `retry` when the engine has had the time to notice it, and once more when it is over.
        """
        await self._start("home", site)
        if begins == "refuse":
            await self._refuse(sid)
        for name in voters.split(","):
            if not await self._votes("home", name, "approve"):
                return
        await self._moves("home", sid, stands=begins == "refuse")
        what, *words = ceases
        if what == "withdraw":
            await self._withdraw("home", *words)
        elif what == "switch-on":
            await self._switch_on(sid)
        else:
            self._judge.acts(Act(self._stage.now(), "fail", tuple(words)))
            await self._fail(words[0], *words[1:])
        for pause in (NOTICED + 0.5, 1.0):
            await asyncio.sleep(pause)
            with contextlib.suppress(*UNANSWERED):
                await self._retry("home")

    async def _moves(self, kind: str, sid: str, *, stands: bool) -> None:
        """Until the step of that guest's move is there; `stands`: until it waits for a person."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            found = await steps(self._runs[kind])
            if any(
                one.title.startswith(f"{sid} runs at home") and not (stands and one.state == "running") for one in found
            ):
                return
            await asyncio.sleep(0.1)

    async def _retry(self, kind: str) -> None:
        await self._tell(kind, "answer", {"answer": "retry", "by": "dora"})

    async def _pause(self, kind: str) -> None:
        await self._tell(kind, "pause", {"by": "dora"})

    async def _resume(self, kind: str) -> None:
        await self._tell(kind, "resume", {"by": "dora"})

    async def _abort(self, kind: str) -> None:
        await self._tell(kind, "abort", {"by": "dora"})

    async def _cancel(self, kind: str) -> None:
        if (run := await self._run(kind)) is not None:
            await run.cancel()

    async def _terminate(self, kind: str) -> None:
        if (run := await self._run(kind)) is not None:
            if kind == "incident":
                self._judge.homes.terminated(run.id, await homes(self._stage))
            await run.terminate("by a person")

    # --- the end -----------------------------------------------------------------------------------------------

    async def _rest(self) -> None:
        """All faults end, people end what waits for them, and everything comes to rest; then the last laws."""
        self._judge.acts(Act(self._stage.now(), "restore-all"))
        await self._restore_all()
        self._stage.write_list()
        began = time.monotonic()
        rested = mended = False
        asked = began + ENDED_AFTER
        while time.monotonic() < began + RESTS_WITHIN and not rested:
            await self._judge.look()
            if time.monotonic() > asked:
                asked = time.monotonic() + ENDED_EVERY
                self._begin(self._people_end_it())
            if not mended and time.monotonic() > began + MENDED_AFTER:
                self._stage.mend()
                mended = True
            rested = await self._judge.at_rest()
            await asyncio.sleep(LOOK)
        await self._judge.finally_(rested=rested)

    async def _people_end_it(self) -> None:
        """Whoever waits for an answer gets one: runs of planned work are aborted, incidents are told to look again."""
        for run in await self._stage.running(*KINDS.values()):
            with contextlib.suppress(*UNANSWERED):
                await answered(run.execute_update("abort", args=[{"by": "dora"}]))
        for run in await self._stage.running(*INCIDENTS):
            for update, message in (("resume", {"by": "dora"}), ("answer", {"answer": "retry", "by": "dora"})):
                with contextlib.suppress(*UNANSWERED):
                    await answered(run.execute_update(update, args=[message]))
