"""A scenario: timed faults as a YAML file, played on lab time.

    name: site-loss
    about: Site A loses its power for six minutes.
    steps:
      - at: 30s                      # since the start of the scenario
        fail: site-power site-a
      - wait-for: guests-running site-b
        within: 300s                 # lab time; later than that the scenario has failed
      - after: 60s                   # since the end of the step before
        restore: site-power site-a

A step does one thing: `fail`, `restore` (a fault with its places, or ``all``), `wait-for`, `speed` or `note`.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cluster.units import Duration, seconds
from lab.control.conditions import condition, hopeless, known_condition
from lab.control.drills import Drills, known
from lab.control.places import Unfit, checked

if TYPE_CHECKING:
    from lab.world import World

ACTS = ("fail", "restore", "wait-for", "speed", "note")
_PLAIN = {"missing": "is missing", "extra_forbidden": "is not a field here"}
# How often a condition is looked at, wall seconds.
LOOK = 0.05
# Lab seconds in which a look takes no time.
AT_ONCE = 0.5

Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Complaint:
    """One thing wrong with a scenario: where, and what to write instead."""

    line: int
    field: str
    message: str


class ScenarioError(ValueError):
    """The scenario cannot be played; `complaints` say all that is wrong with it."""

    def __init__(self, complaints: list[Complaint]) -> None:
        self.complaints = sorted(complaints, key=lambda one: one.line)
        super().__init__("; ".join(f"line {one.line}: {one.field}: {one.message}" for one in self.complaints))


class Step(BaseModel):
    """One line of a scenario."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: Duration | None = None
    after: Duration | None = None
    fail: str | None = None
    restore: str | None = None
    wait_for: str | None = Field(default=None, alias="wait-for")
    within: Duration | None = None
    speed: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    note: str | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> "Step":
        acts = [act for act in ACTS if getattr(self, act.replace("-", "_")) is not None]
        if len(acts) != 1:
            said = f"this one has {' and '.join(acts)}" if acts else "this one has none"
            raise ValueError(f"a step does one of {', '.join(ACTS)}: {said}")
        if self.at is not None and self.after is not None:
            raise ValueError("a step comes at a time or after the one before it: write at or after, not both")
        if (self.wait_for is None) != (self.within is None):
            raise ValueError("wait-for and within go together: write for how long at most it is waited, e.g. 300s")
        return self

    @property
    def title(self) -> str:
        """The step in the words of the file."""
        act = next(act for act in ACTS if getattr(self, act.replace("-", "_")) is not None)
        value = getattr(self, act.replace("-", "_"))
        return str(value) if act == "note" else f"{act} {value:g}" if act == "speed" else f"{act} {value}"


class Scenario(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    about: str = ""
    steps: tuple[Step, ...] = Field(min_length=1)


def read(text: str, world: "World") -> Scenario:
    """The scenario of a YAML text, its places found in the world; ScenarioError says all that is wrong at once."""
    try:
        tree, document = yaml.compose(text, Loader=yaml.SafeLoader), yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        said = str(getattr(error, "problem", None) or "is not YAML")
        raise ScenarioError([Complaint(mark.line + 1 if mark else 0, "file", said)]) from None
    if tree is None or not isinstance(document, dict):
        raise ScenarioError([Complaint(1, "file", "is empty or no mapping; see examples/scenarios/site-loss.yaml")])
    lines = dict(_lines(tree, ()))
    try:
        scenario = Scenario.model_validate(document)
    except ValidationError as error:
        raise ScenarioError([_complaint(lines, tuple(one["loc"]), _said(one)) for one in error.errors()]) from None
    if found := [_complaint(lines, place, said) for place, said in _misfits(scenario, world)]:
        raise ScenarioError(found)
    return scenario


def _said(error: Any) -> str:
    plain = _PLAIN.get(error["type"]) or str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden" and len(error["loc"]) > 1:
        plain += f": a step has at, after, within, {', '.join(ACTS)}"
    shown = error["type"] not in _PLAIN and not isinstance(error["input"], dict | list)
    return f"{error['input']!r}: {plain}" if shown else plain


def _complaint(lines: dict[Place, int], place: Place, message: str) -> Complaint:
    known_place = place
    while known_place not in lines and known_place:  # what is missing stands nowhere: name what should hold it
        known_place = known_place[:-1]
    dotted = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")
    return Complaint(lines.get(known_place, 1), dotted, message)


def _lines(node: yaml.Node, place: Place) -> Iterator[tuple[Place, int]]:
    yield place, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _lines(value, (*place, key.value))
            yield (*place, key.value), key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _lines(value, (*place, index))


def _misfits(scenario: Scenario, world: "World") -> Iterator[tuple[Place, str]]:
    """What the fields are right in and the world is not: unknown faults and places, and times that go backwards."""
    latest = timedelta()
    for index, step in enumerate(scenario.steps):
        if step.at is not None:
            if step.at < latest:
                yield ("steps", index, "at"), f"is earlier than the {seconds(latest)} of a step above it"
            latest = max(latest, step.at)
        for act, order in (("fail", step.fail), ("restore", step.restore), ("wait-for", step.wait_for)):
            try:
                if order is not None:
                    _fits(world, act, order.split())
            except Unfit as unfit:
                yield ("steps", index, act), str(unfit)


def _fits(world: "World", act: str, words: list[str]) -> None:
    if not words:
        raise Unfit("is empty")
    if act == "wait-for":
        known_condition(world, words)
    elif words != ["all"] or act == "fail":
        drill = known(words[0])
        if drill.name != "stale-lv":  # its volume may be made while the scenario runs
            checked(world, drill.usage, drill.arguments, words[1:], partial=act == "restore")


# --- playing ---------------------------------------------------------------------------------------------------------

State = Literal["waiting", "running", "done", "failed"]


@dataclass
class Played:
    """One step as it went; times are lab seconds since the scenario's start."""

    title: str
    state: State = "waiting"
    began: float | None = None
    ended: float | None = None
    said: str = ""


@dataclass
class Run:
    """A scenario that is played, or was."""

    scenario: Scenario
    started: float
    steps: list[Played] = field(default_factory=list)
    state: str = "running"  # "running", "done", "failed" or "stopped"
    ended: float | None = None

    def shown(self, now: float) -> dict[str, Any]:
        """As data."""
        return {
            "name": self.scenario.name,
            "about": self.scenario.about,
            "state": self.state,
            "started": self.started,
            "ended": self.ended,
            "elapsed": (self.ended or now) - self.started,
            "steps": [step.__dict__ for step in self.steps],
        }


class Player:
    """Plays one scenario at a time."""

    def __init__(self, world: "World", drills: Drills) -> None:
        self._world, self._drills = world, drills
        self._task: asyncio.Task[None] | None = None
        self.run: Run | None = None

    @property
    def playing(self) -> bool:
        """Whether one is under way."""
        return self._task is not None and not self._task.done()

    def start(self, scenario: Scenario, *, by: str) -> Run:
        """Begin; Unfit while another one is under way."""
        if self.playing and self.run is not None:
            raise Unfit(f"scenario {self.run.scenario.name} is being played: wait for its end, or stop it first")
        run = Run(scenario, self._world.clock.now(), [Played(step.title) for step in scenario.steps])
        self.run = run
        self._world.record("drill", "scenario.begin", scenario.name, by=by)
        self._task = asyncio.get_running_loop().create_task(self._play(run))
        self._world.background.add(self._task)  # a reset of the world ends it
        self._task.add_done_callback(self._world.background.discard)
        return run

    def stop(self) -> bool:
        """End it here; what it has taken stays taken."""
        if not self.playing or self._task is None:
            return False
        self._task.cancel()
        return True

    async def _play(self, run: Run) -> None:
        by = f"scenario {run.scenario.name}"
        try:
            for step, played in zip(run.scenario.steps, run.steps, strict=True):
                await self._until(run, step)
                played.state, played.began = "running", self._world.clock.now() - run.started
                try:
                    played.said = await self._do(step, by)
                    played.state = "done"
                except Unfit as unfit:
                    played.state, played.said, run.state = "failed", str(unfit), "failed"
                played.ended = self._world.clock.now() - run.started
                if run.state == "failed":
                    break
            else:
                run.state = "done"
        except asyncio.CancelledError:
            run.state = "stopped"
        run.ended = self._world.clock.now()
        self._world.record("drill", f"scenario.{run.state}", run.scenario.name)

    async def _until(self, run: Run, step: Step) -> None:
        now = self._world.clock.now()
        if step.at is not None:
            await self._world.clock.sleep(run.started + step.at.total_seconds() - now)
        elif step.after is not None:
            await self._world.clock.sleep(step.after.total_seconds())

    async def _do(self, step: Step, by: str) -> str:
        """What the step says; a line about how it went, if there is something to say."""
        if step.fail is not None:
            name, *where = step.fail.split()
            return "" if self._drills.fail(name, where, by=by) else "it was so already"
        if step.restore is not None:
            name, *where = step.restore.split()
            ended = self._drills.restore_all(by=by) if name == "all" else self._drills.restore(name, where, by=by)
            return "" if ended else "there was nothing to restore"
        if step.wait_for is not None and step.within is not None:
            return await self._wait(step.wait_for, step.within)
        if step.speed is not None:
            self._drills.set_speed(step.speed, by=by)
        if step.note is not None:
            self._world.record("drill", "scenario.note", step.note, by=by)
        return ""

    async def _wait(self, what: str, within: timedelta) -> str:
        began = self._world.clock.now()
        while not condition(self._world, self._drills, what.split()):
            if self._world.clock.now() > began + within.total_seconds():
                why = hopeless(self._world, self._drills, what.split())
                raise Unfit(f"it was not so within {seconds(within)}" + (f"; {why}" if why else ""))
            await asyncio.sleep(LOOK)
        waited = self._world.clock.now() - began
        return "it was so already" if waited < AT_ONCE else f"came after {seconds(timedelta(seconds=waited))}"
