"""Scenarios: what is wrong with a file is said with its line; what is right is played on lab time."""

import time
from pathlib import Path
from typing import Any

import pytest
import requests

from lab.control.scenario import ScenarioError, read
from lab.twin import control_url
from lab.world import World
from tests.twin import EXAMPLE, TwinThread
from workers.inventory_file import load

SCENARIOS = sorted((EXAMPLE.parent / "scenarios").glob("*.yaml"))


@pytest.fixture(scope="module")
def world() -> World:
    return World(load(EXAMPLE))


def play(twin: TwinThread, steps: str, **query: str) -> requests.Response:
    text = f"name: test\nsteps:\n{steps}"
    return requests.post(control_url(twin.inventory) + "/scenario", params=query, data=text, timeout=10)


def end_of(twin: TwinThread, within: float = 15) -> dict[str, Any]:
    """The scenario when it is over."""
    deadline = time.monotonic() + within
    while (run := requests.get(control_url(twin.inventory) + "/scenario", timeout=10).json())["state"] == "running":
        assert time.monotonic() < deadline, run
        time.sleep(0.05)
    return run


def complaints(world: World, text: str) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        read(text, world)
    return [f"line {one.line}: {one.field}: {one.message}" for one in caught.value.complaints]


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_the_shipped_scenarios_are_right(world: World, path: Path):
    """Each can be played on the example cluster and says what it is about."""
    scenario = read(path.read_text(), world)

    assert scenario.name == path.stem
    assert scenario.about


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("fial: witness", "line 3: steps[0].fial: is not a field here: a step has at, after, within, fail, "),
        ("fail: witnes", "line 3: steps[0].fail: there is no fault 'witnes': there are alias, array, "),
        ("fail: ring pxmx01-01 5", "line 3: steps[0].fail: there is no RING '5': there are 0, 1"),
        ("fail: all", "line 3: steps[0].fail: there is no fault 'all'"),
        ("wait-for: quorate", "line 3: steps[0]: wait-for and within go together"),
        ("{wait-for: sunrise, within: 9s}", "line 3: steps[0].wait-for: there is nothing called 'sunrise' to wait for"),
        ("{at: 30, fail: witness}", "line 3: steps[0].at: 30: a duration needs a unit"),
        ("{at: 3s, after: 2s, fail: witness}", "line 3: steps[0]: a step comes at a time or after the one before it"),
        ("at: 30s", "line 3: steps[0]: a step does one of fail, restore, wait-for, speed, note: this one has none"),
        ("{fail: witness, restore: all}", "this one has fail and restore"),
        ("speed: 0", "line 3: steps[0].speed: 0: Input should be greater than 0"),
    ],
)
def test_a_wrong_step_is_named_with_line_and_remedy(world: World, step: str, said: str):
    """Line, field, and what there is."""
    assert said in "\n".join(complaints(world, f"name: test\nsteps:\n  - {step}\n"))


def test_all_that_is_wrong_is_said_at_once(world: World):
    """One look is enough, also at times that go backwards."""
    text = "name: test\nsteps:\n  - at: 60s\n    fail: site-power moon\n  - at: 30s\n    restore: all\n"

    assert complaints(world, text) == [
        "line 4: steps[0].fail: there is no SITE 'moon': there are site-a, site-b",
        "line 5: steps[1].at: is earlier than the 1 min 0 s of a step above it",
    ]


@pytest.mark.parametrize(("text", "said"), [("", "is empty or no mapping"), ("a: [", "line 1"), ("- x", "no mapping")])
def test_what_is_no_scenario_at_all_is_refused(world: World, text: str, said: str):
    """Not a stack trace."""
    assert said in complaints(world, text)[0]


def test_steps_are_played_at_their_lab_times(twin: TwinThread):
    """Counted from the start of the scenario, or from the end of the step before."""
    steps = "  - {at: 10s, fail: witness}\n  - {after: 5s, note: hello}\n  - {at: 30s, restore: witness}\n"
    assert play(twin, steps, by="a test").status_code == 200
    run = end_of(twin)

    assert (run["state"], [step["state"] for step in run["steps"]]) == ("done", ["done"] * 3)
    began = [step["began"] for step in run["steps"]]
    assert began[0] == pytest.approx(10, abs=2)
    assert began[1] == pytest.approx(15, abs=3)
    assert began[2] == pytest.approx(30, abs=2)
    assert twin.change_lines() == [
        'drill scenario.begin test {"by": "a test"}',
        'drill fault.begin witness {"by": "scenario test"}',
        "qdevice power.off qdevice {}",
        'drill scenario.note hello {"by": "scenario test"}',
        'drill fault.end witness {"by": "scenario test"}',
        "drill scenario.done test {}",  # the witness boots
    ]


def test_a_condition_is_waited_for(twin: TwinThread):
    """The votes fall when corosync has noticed, not when the node fell silent."""
    play(twin, "  - fail: node pxmx01-02\n  - {wait-for: votes 5, within: 60s}\n  - restore: all\n")
    run = end_of(twin)

    assert run["state"] == "done"
    assert run["steps"][1]["ended"] > 7
    assert run["steps"][1]["said"].startswith("came after ")


def test_a_wait_in_vain_ends_the_scenario(twin: TwinThread):
    """What comes after it is not played, and what was taken stays taken."""
    play(twin, "  - fail: witness\n  - {wait-for: votes 99, within: 5s}\n  - restore: all\n")
    run = end_of(twin)

    assert (run["state"], [step["state"] for step in run["steps"]]) == ("failed", ["done", "failed", "waiting"])
    assert run["steps"][1]["said"] == "it was not so within 5.0 s"
    assert twin.world.witness.powered is False


def test_one_scenario_at_a_time_and_it_can_be_stopped(twin: TwinThread):
    """A second one is refused with the name of the first."""
    play(twin, "  - {at: 1h, note: late}\n")
    second = play(twin, "  - note: second\n")
    assert (second.status_code, "scenario test is being played" in second.json()["error"]) == (400, True)

    stopped = requests.delete(control_url(twin.inventory) + "/scenario", timeout=10).json()
    assert stopped == {"stopped": True}
    assert end_of(twin)["state"] == "stopped"
    assert play(twin, "  - note: third\n").status_code == 200


def test_a_reset_ends_a_scenario(twin: TwinThread):
    """Nothing is played on in the new world."""
    play(twin, "  - {at: 20s, fail: witness}\n")
    requests.post(control_url(twin.inventory) + "/reset", timeout=10)
    twin.call(twin.world.clock.sleep(30))

    assert requests.get(control_url(twin.inventory) + "/scenario", timeout=10).json() is None
    assert twin.world.witness.powered is True
