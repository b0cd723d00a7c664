"""The original: pve-ha-manager's own simulator, run from a checkout that the user names."""

import json
import os
import re
import subprocess
from pathlib import Path

from tests.oracle.scenario import BETWEEN, Act, Scenario
from tests.oracle.story import NEW, Story

SOURCE = "PVE_HA_MANAGER"
CHANGE = re.compile(r"service '(?P<sid>[a-z]+:\d+)': state changed from '\w+' to '(?P<state>\w+)'")
FROZEN = re.compile(r"disarm: freezing service '(?P<sid>[a-z]+:\d+)'")
ADDED = re.compile(r"adding new service '(?P<sid>[a-z]+:\d+)'")
FENCED = re.compile(r"fencing: acknowledged - got agent lock for node '(?P<node>\S+)'")
LINE = re.compile(r"^(?P<level>\w+) +(?P<at>\d+) +(?P<who>\S+): (?P<text>.*)$")
WITHIN = 120.0


class Missing(Exception):
    """The original cannot be had here; the text says what is missing."""


def checkout() -> Path:
    """The folder ``src`` of the checkout, with the simulator in it."""
    named = os.environ.get(SOURCE, "")
    if not named:
        raise Missing(f"{SOURCE} is not set: it names a checkout of pve-ha-manager, whose simulator is run")
    source = Path(named) / "src"
    if not (source / "pve-ha-tester").exists():
        raise Missing(f"{SOURCE}={named}: there is no src/pve-ha-tester in it")
    tried = subprocess.run(
        ["perl", "-I", str(source), "-e", "use PVE::HA::Sim::TestHardware;"], capture_output=True, text=True
    )
    if tried.returncode:
        first = next(iter(tried.stderr.splitlines()), "perl fails")
        raise Missing(f"the simulator does not start: {first[:200]}; PERL5LIB names the folders of PVE's other modules")
    return source


def play(scenario: Scenario, source: Path, folder: Path) -> Story:
    """Run it there, and read the log and the status that it leaves."""
    _write(scenario, folder)
    run = subprocess.run(
        ["perl", "-I", str(source), str(source / "pve-ha-tester"), str(folder)],
        capture_output=True, text=True, timeout=WITHIN, cwd=folder.parent,
    )  # fmt: skip
    told = Story()
    step = -1  # the first list of commands gives everything its power
    for line in (found for text in run.stdout.splitlines() if (found := LINE.match(text))):
        at, text = float(line["at"]), line["text"]
        if text == "execute delay 10":
            step += 1
            told.begins(step, at)
        elif change := CHANGE.search(text):
            told.changed(change["sid"], change["state"], at)
        elif frozen := FROZEN.search(text):
            told.changed(frozen["sid"], "freeze", at)
        elif (added := ADDED.search(text)) and step >= 0:
            told.changed(added["sid"], NEW, at)
        elif line["level"] == "info" and (fenced := FENCED.search(text)):
            told.fenced.append(fenced["node"])
    if "exit simulation - done" not in run.stdout:
        raise RuntimeError(f"the simulator failed: {(run.stdout + run.stderr)[-500:]}")
    manager = json.loads((folder / "status" / "manager_status").read_text())
    for sid, one in manager["service_status"].items():
        told.ends[sid] = (one["state"], one["node"])
    return told


def _write(scenario: Scenario, folder: Path) -> None:
    """The files of a test of the simulator."""
    folder.mkdir(parents=True)
    off = {node: {"power": "off", "network": "off"} for node in scenario.nodes}
    services = {one.sid: {"node": one.node, "state": one.state, "failback": one.failback} for one in scenario.services}
    steps = [["delay 10", *(_command(act, scenario.nodes) for act in step)] for step in scenario.steps]
    commands: list[list[str]] = [[f"power {node} on" for node in scenario.nodes], [f"delay {BETWEEN}"]]
    for step in steps:
        commands += [step, [f"delay {BETWEEN}"]]
    files = {
        "hardware_status": off,
        "service_config": services,
        "manager_status": {},
        "cmdlist": commands,
        "datacenter.cfg": {"ha": {"shutdown_policy": scenario.policy}},
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
    rules = [
        f"{rule.kind}: {rule.name}\n" + "".join(f"\t{name} {value}\n" for name, value in rule.properties)
        for rule in scenario.rules
    ]
    (folder / "rules_config").write_text("\n".join(rules))


def _command(act: Act, nodes: tuple[str, ...]) -> str:
    match act.verb:
        case "power-off" | "power-on" | "network-off":
            what, _, how = act.verb.partition("-")
            return f"{what} {act.about} {how}"
        case "shutdown":
            return f"shutdown {act.about}"
        case "maintenance":
            return f"crm {act.about} {act.word}-node-maintenance"
        case "migrate" | "relocate" | "stop":
            return f"service {act.about} {act.verb} {act.word}"
        case "state":
            return f"service {act.about} {act.word}"
        case "disarm":
            return f"crm {nodes[0]} disarm-ha {act.word}"
        case "arm":
            return f"crm {nodes[0]} arm-ha"
        case "crm-stop" | "crm-start":
            return f"crm {act.about} {act.verb.removeprefix('crm-')}"
    raise ValueError(act.verb)
