"""The last lines of every runbook for every ending, read aloud: each is true, and each command runs as printed."""

import shlex
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from cluster.plan import Intent, Mode
from cluster.recovery import Back
from runbooks.breaking.asked import BreakGlassReport
from runbooks.deploy import DeployReport
from runbooks.homecoming import FailbackReport, Moved
from runbooks.incident import IncidentReport
from runbooks.loss import LossReport, NodeLossReport, SiteLossReport
from runbooks.site_work import EvacuationReport
from tests.rooms import ROOT
from workers.catalogue import named
from workers.cli.closing import Start, Stopped, Waits, closing
from workers.cli.main import app
from workers.cli.request import given_data, request_of
from workers.inventory_file import load
from workflows.catalogue import RunbookReport

INVENTORY = load(ROOT / "examples" / "lab.yaml")
SITE = '{"site": "site-a"}'
WHY = '{"why": "link cut"}'
CHANGE = Intent(where="HA", what="bring home", target="vm:300", verb="move")
PLAN, RUN = Mode.PLAN, Mode.APPLY
GONE = {"vm:900": "is not under HA any more"}
HOMES = {"vm:300": "pxmx01-01", "vm:301": "pxmx01-02"}
HELD = {"vm:301 failback 1": "node-loss/c/n/1 needs it disabled"}
MOVED = (Moved(sid="vm:300", source="pxmx02-01", home="pxmx01-01", seconds=9, downtime=0.1),)
BACK = (Back(sid="vm:300", ok=True, node="pxmx02-01"),)


def deploy(*, given: str = "", where: str = "lab.yaml") -> Start:
    return Start("deploy", given, given_data(named("deploy"), given), where)


def of(runbook: str, given: str = SITE, where: str = "lab.yaml") -> Start:
    return Start(runbook, given, given_data(named(runbook), given), where)


def ended(kind: type[RunbookReport], mode: Mode, changes: int = 0, *, made: int = 0, **more: Any) -> RunbookReport:
    """A report with what matters for its last lines."""
    known: dict[str, Any] = {
        "cluster": "c", "mode": mode, "seconds": 12.34, "planned": (CHANGE,) * changes, "digest": "d" * 16,
        "changed": made, "skipped": (), "steps": (),
    }  # fmt: skip
    if issubclass(kind, LossReport):
        known |= {"site": "site-a", "nodes": ("pxmx01-01", "pxmx01-02"), "back": (), "not_back": {}, "homes": {}}
        known |= {"missing": (), "outstanding": {}, "handed_to": ""}
    elif kind in (FailbackReport, EvacuationReport):
        known |= {"site": "site-a", "moved": (), "vetoes": (), "outstanding": {}}
        known |= {"staying": {}, "homes": HOMES} if kind is FailbackReport else {}
    elif kind is BreakGlassReport:
        known |= {"before": "storage elsewhere (site-a, site-b)", "after": "", "approval": None, "held": {}}
    return kind.model_construct(**(known | more))


ROOM = "safety: room-vm-300: vm:300 has no place: no node is online there"

Row = tuple[str, Start, RunbookReport | Stopped | Waits, list[str]]


def emergency(name: str) -> list[Row]:
    """What every break-glass runbook says at its ends."""
    bare, given = of(name, ""), of(name, WHY)
    return [
        (f"{name}, not called for", bare, Stopped("NotCalledFor", f"{name} is for something else"),
         [f"{name} is for something else", "what to do now: quorate watch show -i lab.yaml"]),
        (f"{name}, planned", bare, ended(BreakGlassReport, PLAN, 2),
         ["2 changes planned, none made; digest dddddddddddddddd",
          f"to have exactly these approved and made: quorate run {name} --plan dddddddddddddddd "
          """--input '{"why": "say what you have seen and done"}' -i lab.yaml"""]),
        (f"{name}, nothing to do", bare, ended(BreakGlassReport, PLAN), ["no changes needed"]),
        (f"{name}, done", given, ended(BreakGlassReport, RUN, 2, made=2), ["2 changes made and proven in 12.3 s"]),
        (f"{name}, at its gate", given, Waits(f"{name}/c", "gate"),
         [f"waits for approvers to approve or reject the plan: quorate approve {name}/c"]),
        (f"{name}, parked", given, Waits(f"{name}/c", "answer"),
         [f"waits for an answer, retry or abort: quorate answer {name}/c retry"]),
        (f"{name}, aborted", given, Stopped("Aborted", "aborted by ana. Nothing was changed."),
         ["aborted by ana. Nothing was changed.",
          f"""see what is left to do: quorate plan {name} --input '{WHY}' -i lab.yaml"""]),
    ]  # fmt: skip


EMERGENCIES = ("hand-over-quorum", "revive-guests", "restore-sessions", "reconcile-arrays", "cold-start")
LINES: list[Row] = [
    # deploy
    ("deploy, plan, nothing to do", deploy(), ended(DeployReport, PLAN),
     ["no changes needed: the cluster matches the inventory"]),
    ("deploy, planned", deploy(), ended(DeployReport, PLAN, 2),
     ["2 changes planned, none made; digest dddddddddddddddd",
      "to make exactly these: quorate run deploy --plan dddddddddddddddd -i lab.yaml"]),
    ("deploy, planned, one change, default inventory, input kept", deploy(given='{"by": "ana"}', where=""),
     ended(DeployReport, PLAN, 1),
     ["1 change planned, none made; digest dddddddddddddddd",
      """to make exactly these: quorate run deploy --plan dddddddddddddddd --input '{"by": "ana"}'"""]),
    ("deploy, planned, the mode is the verb's word", deploy(given='{"mode": "plan"}'), ended(DeployReport, PLAN, 1),
     ["1 change planned, none made; digest dddddddddddddddd",
      "to make exactly these: quorate run deploy --plan dddddddddddddddd -i lab.yaml"]),
    ("deploy, run, nothing to do", deploy(), ended(DeployReport, RUN),
     ["no changes needed: the cluster matches the inventory (12.3 s)"]),
    ("deploy, run, done", deploy(), ended(DeployReport, RUN, 1, made=1), ["1 change made and proven in 12.3 s"]),
    ("deploy, run, a step skipped", deploy(), ended(DeployReport, RUN, 9, made=8, skipped=("Guest: by hand",)),
     ["8 changes made in 12.3 s; 1 step was skipped, so not everything is as planned",
      "see what is missing: quorate plan deploy -i lab.yaml"]),
    ("deploy, plan changed", deploy(), Stopped("PlanChanged", "the plan has changed"),
     ["the plan has changed", "look at the new plan: quorate plan deploy -i lab.yaml"]),
    ("deploy, refused", deploy(), Stopped("Unreachable", "Inventory is read: Unreachable: x"),
     ["Inventory is read: Unreachable: x", "fix the cause, then look again: quorate plan deploy -i lab.yaml"]),
    ("deploy, aborted", deploy(), Stopped("Aborted", "aborted by ana. 1 change was made and stays."),
     ["aborted by ana. 1 change was made and stays.", "see what is left to do: quorate plan deploy -i lab.yaml"]),
    ("deploy, terminated", deploy(), Stopped("Terminated", "the run was terminated"),
     ["the run was terminated", "state of the cluster: quorate status -i lab.yaml"]),
    ("deploy, parked", deploy(), Waits("deploy/c", "answer"),
     ["waits for an answer, retry or abort: quorate answer deploy/c retry"]),
    ("deploy, parked, can be skipped", deploy(), Waits("deploy/c", "answer", skippable=True),
     ["waits for an answer, retry, skip or abort: quorate answer deploy/c retry"]),
    # failback
    ("failback, plan, everybody at home", of("failback"), ended(FailbackReport, PLAN),
     ["no changes needed: 2 guests are at home at site-a"]),
    ("failback, plan, everything held back", of("failback"), ended(FailbackReport, PLAN, staying=GONE),
     ["no change is possible now: 1 guest stays: vm:900 is not under HA any more"]),
    ("failback, plan, no homes", of("failback"), ended(FailbackReport, PLAN, homes={}),
     ["no homes are recorded for site-a; "
      'name the guests that belong there with "homes" in --input']),
    ("failback, planned", of("failback"), ended(FailbackReport, PLAN, 1),
     ["1 change planned, none made; digest dddddddddddddddd",
      "to have exactly these approved and made: quorate run failback --plan dddddddddddddddd "
      """--input '{"site": "site-a"}' -i lab.yaml"""]),
    ("failback, planned, some held back", of("failback"),
     ended(FailbackReport, PLAN, 1, staying=GONE, vetoes=("safety: paths",)),
     ["1 change planned, none made; digest dddddddddddddddd; 1 guest stays: vm:900 is not under HA any more; "
      "1 veto: safety: paths",
      "to have exactly these approved and made: quorate run failback --plan dddddddddddddddd "
      """--input '{"site": "site-a"}' -i lab.yaml"""]),
    ("failback, run, done", of("failback"), ended(FailbackReport, RUN, 1, made=1, moved=MOVED),
     ["1 guest was brought home to site-a in 12.3 s"]),
    ("failback, run, some stay", of("failback"), ended(FailbackReport, RUN, 1, made=1, moved=MOVED, staying=GONE),
     ["1 guest was brought home to site-a in 12.3 s; 1 guest stays: vm:900 is not under HA any more",
      """when that is fixed: quorate plan failback --input '{"site": "site-a"}' -i lab.yaml"""]),
    ("failback, run, everything held back", of("failback"), ended(FailbackReport, RUN, staying=GONE),
     ["no change is possible now: 1 guest stays: vm:900 is not under HA any more",
      """when that is fixed: quorate plan failback --input '{"site": "site-a"}' -i lab.yaml"""]),
    ("failback, run, nothing to do", of("failback"), ended(FailbackReport, RUN),
     ["no changes needed: 2 guests are at home at site-a"]),
    ("failback, run, switches held back", of("failback"),
     ended(FailbackReport, RUN, 1, made=1, moved=MOVED, outstanding=HELD),
     ["1 guest was brought home to site-a in 12.3 s; "
      "1 switch is still disabled: vm:301 failback 1 (node-loss/c/n/1 needs it disabled)",
      "see what is still disabled and why: quorate switches -i lab.yaml"]),
    ("failback, at its gate", of("failback"), Waits("failback/c", "gate"),
     ["waits for approvers to approve or reject the plan: quorate approve failback/c"]),
    ("failback, rejected", of("failback"),
     Stopped("Aborted", "aborted by ben (rejected the plan). No guest was moved."),
     ["aborted by ben (rejected the plan). No guest was moved.",
      """see what is left to do: quorate plan failback --input '{"site": "site-a"}' -i lab.yaml"""]),
    ("failback, too few approvers", of("failback"), Stopped("TooFew", "approvals: 1 approver is listed, 2 are needed"),
     ["approvals: 1 approver is listed, 2 are needed", "check the list of approvers: quorate check lab.yaml"]),
    # return-site
    ("return-site, planned", of("return-site"), ended(FailbackReport, PLAN, 5),
     ["5 changes planned, none made; digest dddddddddddddddd",
      "to have exactly these approved and made: quorate run return-site --plan dddddddddddddddd "
      """--input '{"site": "site-a"}' -i lab.yaml"""]),
    ("return-site, nothing to do", of("return-site"), ended(FailbackReport, PLAN, homes={"vm:300": "pxmx01-01"}),
     ["no changes needed: 1 guest is at home at site-a"]),
    ("return-site, everything held back", of("return-site"), ended(FailbackReport, PLAN, staying=GONE),
     ["no change is possible now: 1 guest stays: vm:900 is not under HA any more"]),
    ("return-site, done", of("return-site"), ended(FailbackReport, RUN, 5, made=5, moved=MOVED),
     ["1 guest was brought home to site-a in 12.3 s"]),
    ("return-site, parked", of("return-site"), Waits("return-site/c", "answer"),
     ["waits for an answer, retry or abort: quorate answer return-site/c retry"]),
    ("return-site, failed", of("return-site"), Stopped("Refuted", "x"),
     ["x", """fix the cause, then look again: quorate plan return-site --input '{"site": "site-a"}' -i lab.yaml"""]),
    # evacuate-site
    ("evacuate-site, nothing to do", of("evacuate-site"), ended(EvacuationReport, PLAN),
     ["no changes needed: site-a is empty and all its nodes are in maintenance"]),
    ("evacuate-site, everything held back", of("evacuate-site"), ended(EvacuationReport, PLAN, vetoes=(ROOM,)),
     [f"no change is possible now: {ROOM}"]),
    ("evacuate-site, planned", of("evacuate-site"), ended(EvacuationReport, PLAN, 3),
     ["3 changes planned, none made; digest dddddddddddddddd",
      "to have exactly these approved and made: quorate run evacuate-site --plan dddddddddddddddd "
      """--input '{"site": "site-a"}' -i lab.yaml"""]),
    ("evacuate-site, planned under a veto", of("evacuate-site"), ended(EvacuationReport, PLAN, 3, vetoes=(ROOM,)),
     [f"3 changes planned, none made; digest dddddddddddddddd; 1 veto: {ROOM}",
      "to have exactly these approved and made: quorate run evacuate-site --plan dddddddddddddddd "
      """--input '{"site": "site-a"}' -i lab.yaml"""]),
    ("evacuate-site, done", of("evacuate-site"), ended(EvacuationReport, RUN, 3, made=3, moved=MOVED),
     ["site-a is empty: 1 guest was moved away in 12.3 s",
      """after the work: quorate plan return-site --input '{"site": "site-a"}' -i lab.yaml"""]),
    ("evacuate-site, skipped", of("evacuate-site"),
     ended(EvacuationReport, RUN, 3, made=3, skipped=("site-a is dark: lit",)),
     ["site-a is empty: 0 guests were moved away in 12.3 s; 1 step was skipped: site-a is dark: lit",
      """after the work: quorate plan return-site --input '{"site": "site-a"}' -i lab.yaml"""]),
    ("evacuate-site, aborted", of("evacuate-site"), Stopped("Aborted", "aborted. In maintenance: pxmx01-01."),
     ["aborted. In maintenance: pxmx01-01.",
      """see what is left to do: quorate plan evacuate-site --input '{"site": "site-a"}' -i lab.yaml"""]),
    ("evacuate-site, at its gate", of("evacuate-site"), Waits("evacuate-site/c", "gate"),
     ["waits for approvers to approve or reject the plan: quorate approve evacuate-site/c"]),
    # site-loss, node-loss: they follow, and what they turn off is told as such
    ("site-loss, observed", of("site-loss"), ended(SiteLossReport, PLAN, back=BACK, homes=HOMES),
     ["the loss of site-a is over: 1 guest runs again",
      """to bring the guests home: quorate plan failback --input '{"site": "site-a"}' -i lab.yaml"""]),
    ("site-loss, nobody lived there", of("site-loss"), ended(SiteLossReport, RUN),
     ["the loss of site-a is over: 0 guests run again"]),
    ("site-loss, not all back", of("site-loss"),
     ended(SiteLossReport, RUN, made=1, back=BACK, not_back={"vm:301": "is in error"}, homes=HOMES, outstanding=HELD),
     ["the loss of site-a is over: 1 guest runs again; 1 guest does not: vm:301 is in error; "
      "1 switch is still disabled: vm:301 failback 1 (node-loss/c/n/1 needs it disabled)",
      """to bring the guests home: quorate plan failback --input '{"site": "site-a"}' -i lab.yaml"""]),
    ("site-loss, aborted", of("site-loss"), Stopped("Aborted", "aborted. Nothing was disabled."),
     ["aborted. Nothing was disabled.", "see what is still disabled: quorate switches -i lab.yaml"]),
    ("site-loss, parked", of("site-loss"), Waits("site-loss/c/site-a", "answer", skippable=True),
     ["waits for an answer, retry, skip or abort: quorate answer site-loss/c/site-a retry"]),
    ("site-loss, failed", of("site-loss"), Stopped("Undecodable", "x"),
     ["x", """fix the cause, then look again: quorate run site-loss --input '{"site": "site-a"}' -i lab.yaml"""]),
    ("node-loss, over", of("node-loss", '{"nodes": ["pxmx01-01"]}'),
     ended(NodeLossReport, RUN, nodes=("pxmx01-01",), back=BACK, homes=HOMES),
     ["the loss of pxmx01-01 is over: 1 guest runs again",
      """to bring the guests home: quorate plan failback --input '{"site": "site-a"}' -i lab.yaml"""]),
    ("node-loss, a node missing", of("node-loss", '{"nodes": ["pxmx01-01"]}'),
     ended(NodeLossReport, RUN, back=BACK, homes=HOMES, missing=("pxmx01-02",), outstanding=HELD),
     ["the loss of pxmx01-01, pxmx01-02 is over: 1 guest runs again; 1 node is missing: pxmx01-02; "
      "1 switch is still disabled: vm:301 failback 1 (node-loss/c/n/1 needs it disabled)",
      "see what is still disabled and why: quorate switches -i lab.yaml"]),
    ("node-loss, taken over", of("node-loss", '{"nodes": ["pxmx01-01"]}'),
     ended(NodeLossReport, RUN, nodes=("pxmx01-01",), handed_to="site-loss/c/site-a/1"),
     ["the loss of pxmx01-01 is handed over to site-loss/c/site-a/1",
      "it goes on there: quorate incident show site-loss/c/site-a/1"]),
    # incident: it changes nothing by nature
    ("incident, over", of("incident", ""), ended(IncidentReport, RUN, verdicts=("witness lost (q)", "healthy")),
     ["found: witness lost (q); then healthy; nothing was changed"]),
    ("incident, nothing wrong", of("incident", ""), ended(IncidentReport, PLAN, verdicts=("healthy",)),
     ["found: healthy; nothing was changed"]),
    ("incident, taken over", of("incident", ""),
     ended(IncidentReport, RUN, verdicts=("site lost (site-a)",), handed_to="site-loss/c/site-a/1"),
     ["found: site lost (site-a); nothing was changed",
      "site-loss/c/site-a/1 continues this incident: quorate incident show site-loss/c/site-a/1"]),
    ("incident, aborted", of("incident", ""), Stopped("Aborted", "aborted. Nothing was changed."),
     ["aborted. Nothing was changed.", "state of the cluster: quorate status -i lab.yaml"]),
    ("incident, failed", of("incident", ""), Stopped("Unreachable", "x"),
     ["x", "fix the cause, then look again: quorate run incident -i lab.yaml"]),
    ("revive-guests, everything held back", of("revive-guests", ""),
     ended(BreakGlassReport, PLAN, held={"vm:300": "it is locked (backup)"}),
     ["no change is possible now: left to people: vm:300 (it is locked (backup))"]),
    ("revive-guests, some held back", of("revive-guests", WHY),
     ended(BreakGlassReport, RUN, 1, made=1, held={"vm:300": "it is locked (backup)"}),
     ["1 change made and proven in 12.3 s; left to people: vm:300 (it is locked (backup))"]),
    ("hand-over-quorum, a step skipped", of("hand-over-quorum", WHY),
     ended(BreakGlassReport, RUN, 3, made=1, skipped=("site-b has the quorum: no",)),
     ["1 change made in 12.3 s; 1 step was skipped, so not everything is as planned",
      """see what is missing: quorate plan hand-over-quorum --input '{"why": "link cut"}' -i lab.yaml"""]),
    *(row for name in EMERGENCIES for row in emergency(name)),
    # one of one's own
    ("own, nothing to do", deploy(), ended(RunbookReport, PLAN), ["no changes needed"]),
    ("own, done", deploy(), ended(RunbookReport, RUN, 2, made=2), ["2 changes made and proven in 12.3 s"]),
]  # fmt: skip


@pytest.mark.parametrize(("start", "how", "lines"), [row[1:] for row in LINES], ids=[row[0] for row in LINES])
def test_the_last_lines_are_true_for_this_runbook(start: Start, how: RunbookReport | Stopped | Waits, lines: list[str]):
    """Letter for letter, as a person reads them."""
    assert closing(start, how).lines == lines


SUGGESTED = {command: row[0] for row in LINES if (command := closing(row[1], row[2]).command)}


@pytest.mark.parametrize("printed", list(SUGGESTED), ids=list(SUGGESTED.values()))
def test_the_suggested_command_runs_as_it_is_printed(printed: str):
    """The shell reads it, the command line takes it, and the runbook accepts its input."""
    program, *words = shlex.split(printed)
    assert program == "quorate"

    command: Any = typer.main.get_command(app)
    while isinstance(command, TyperGroup):
        command = command.commands[words.pop(0)]
    taken = command.make_context(command.name, words).params

    if command.name in ("plan", "run"):
        runbook, data = named(taken["runbook"]), given_data(named(taken["runbook"]), taken["given"])
        mode = PLAN if command.name == "plan" else RUN
        assert request_of(runbook, INVENTORY, data, mode=mode).mode is mode


def test_every_runbook_is_read():
    """A new one adds its endings here."""
    assert {row[1].runbook for row in LINES} == {
        "deploy", "failback", "return-site", "evacuate-site", "site-loss", "node-loss", "incident",
        *EMERGENCIES,
    }  # fmt: skip
