"""The last lines of a command, which people read first: what is so now, and the command that comes next.

Pure, and the only place that says them. What is said depends on the runbook: one that follows a loss changes nothing by
nature, and a failback whose guests are all held back has not found everything as it should be.
"""

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from cluster.plan import Mode
from cluster.units import counted, shortly
from runbooks.breaking.asked import BreakGlassReport
from runbooks.deploy import DeployReport
from runbooks.homecoming import FailbackReport
from runbooks.incident import IncidentReport
from runbooks.loss import LossReport
from runbooks.site_work import EvacuationReport
from workflows.catalogue import RunbookReport

# Guests that are told with their reason; the others are counted.
TOLD = 5
# Stands where somebody has to say why.
WHY = "say what you have seen and done"
# Runbooks that follow what has happened, and those that only explain it; all others are planned before they are run.
FOLLOWING, EXPLAINING = ("site-loss", "node-loss"), ("incident",)


@dataclass(frozen=True)
class Start:
    """What was typed: enough to print commands that run as they are printed.

    `data` is what `given`, the text of `--input`, says.
    """

    runbook: str
    given: str = ""
    data: Mapping[str, Any] | None = None
    inventory: str = ""

    def command(self, verb: str, *options: str) -> str:
        """The same request with another verb; whether anything is changed, and after which plan, is the verb's word."""
        data = dict(self.data or {})
        kept = {name: value for name, value in data.items() if name not in ("mode", "plan")}
        given = self.given if kept == data else json.dumps(kept) if kept else ""
        words = ["quorate", verb, self.runbook, *options]
        words += ["--input", given] if given else []
        return shlex.join([*words, *self._where])

    def other(self, *words: str) -> str:
        """Another command on the same cluster."""
        return shlex.join(["quorate", *words, *self._where])

    def given_why(self) -> "Start":
        """The same with a place for the reason, which whoever approves it reads."""
        data = {"why": WHY} | dict(self.data or {})
        return replace(self, given=json.dumps(data), data=data)

    def about(self, runbook: str, site: str) -> "Start":
        """Another runbook for that site, on the same cluster."""
        data = {"site": site}
        return replace(self, runbook=runbook, given=json.dumps(data), data=data)

    @property
    def _where(self) -> list[str]:
        return ["-i", self.inventory] if self.inventory else []


@dataclass(frozen=True)
class Closing:
    """What is so now; `then` says what comes next, and `command` is how. `well` is false where a person has to look."""

    said: str
    then: str = ""
    command: str = ""
    well: bool = True

    @property
    def lines(self) -> list[str]:
        """As they are printed, the last one last."""
        return [line for line in (self.said, f"{self.then}: {self.command}" if self.command else "") if line]


@dataclass(frozen=True)
class Stopped:
    """A run that ended without a report: why, in Temporal's word for it and in a sentence."""

    word: str
    said: str


@dataclass(frozen=True)
class Waits:
    """A run that waits for people: at a gate, or because a step has parked, which may be one that can be skipped."""

    run: str
    what: Literal["gate", "answer"]
    skippable: bool = False


def closing(start: Start, ended: RunbookReport | Stopped | Waits) -> Closing:
    """The last lines for each ending of each runbook."""
    match ended:
        case Waits():
            return waits(ended)
        case Stopped():
            return _stopped(start, ended)
        case LossReport():
            return _followed(start, ended)
        case IncidentReport():
            return _explained(ended)
        case _ if ended.mode is Mode.PLAN:
            return _planned(start, ended)
        case FailbackReport():
            return _home(start, ended)
        case EvacuationReport():
            return _emptied(start, ended)
        case _:
            return _made(start, ended)


# --- it waits for people -----------------------------------------------------------------------------------------


def waits(ended: Waits) -> Closing:
    """The command that gives what it waits for; a gate knows no `answer`, and a parked step no `approve`."""
    if ended.what == "gate":
        command = shlex.join(["quorate", "approve", ended.run])
        return Closing("", "waits for approvers to approve or reject the plan", command, well=False)
    ways = "retry, skip or abort" if ended.skippable else "retry or abort"
    return Closing(
        "", f"waits for an answer, {ways}", shlex.join(["quorate", "answer", ended.run, "retry"]), well=False
    )


# --- it ended without a report -----------------------------------------------------------------------------------


def _stopped(start: Start, ended: Stopped) -> Closing:
    planned = start.runbook not in (*FOLLOWING, *EXPLAINING)
    again = start.command("plan" if planned else "run")
    match ended.word:
        case "PlanChanged":
            return Closing(ended.said, "look at the new plan", again, well=False)
        case "AlreadyRunning" | "Cancelled" | "Terminated":
            return Closing(ended.said, "state of the cluster", start.other("status"), well=False)
        case "Aborted" if planned:
            return Closing(ended.said, "see what is left to do", again, well=False)
        case "Aborted" if start.runbook in FOLLOWING:
            return Closing(ended.said, "see what is still disabled", start.other("switches"), well=False)
        case "Aborted":
            return Closing(ended.said, "state of the cluster", start.other("status"), well=False)
        case "NotCalledFor":
            return Closing(ended.said, "what to do now", start.other("watch", "show"), well=False)
        case "TooFew":
            check = shlex.join(["quorate", "check", start.inventory or "inventory.yaml"])
            return Closing(ended.said, "check the list of approvers", check, well=False)
        case _:
            return Closing(ended.said, "fix the cause, then look again", again, well=False)


# --- it only planned ---------------------------------------------------------------------------------------------


def _planned(start: Start, report: RunbookReport) -> Closing:
    """How many changes, and the command that makes exactly these; or why there is none."""
    held = _held_back(report)
    if not report.planned:
        return _nothing(start, report)
    said = f"{counted(len(report.planned), 'change')} planned, none made; digest {report.digest}"
    signed = isinstance(report, FailbackReport | EvacuationReport | BreakGlassReport)
    then = "to have exactly these approved and made" if signed else "to make exactly these"
    if isinstance(report, BreakGlassReport):
        start = start.given_why()
    return Closing(f"{said}{held}", then, start.command("run", "--plan", report.digest), well=not held)


def _nothing(start: Start, report: RunbookReport) -> Closing:
    """A plan, or a run, that had nothing to change."""
    match report:
        case FailbackReport() if report.staying:
            count = counted(len(report.staying), "guest stays", "guests stay")
            return Closing(f"no change is possible now: {count}: {_each(report.staying)}", well=False)
        case FailbackReport(homes=None):
            return Closing(f"no changes needed: no guest of {report.site} is away")
        case FailbackReport() if not report.homes:
            said = f"no homes are recorded for {report.site}"
            return Closing(f'{said}; name the guests that belong there with "homes" in --input', well=False)
        case FailbackReport():
            at_home = counted(len(report.homes or {}), "guest is at home", "guests are at home")
            return Closing(f"no changes needed: {at_home} at {report.site}")
        case EvacuationReport() if report.vetoes:
            return Closing(f"no change is possible now: {shortly(report.vetoes, TOLD)}", well=False)
        case EvacuationReport():
            return Closing(f"no changes needed: {report.site} is empty and all its nodes are in maintenance")
        case BreakGlassReport() if report.held:
            return Closing(f"no change is possible now: {_held(report)}", well=False)
        case DeployReport():
            return Closing("no changes needed: the cluster matches the inventory")
        case _:
            return Closing("no changes needed")


def _held_back(report: RunbookReport) -> str:
    """What speaks against the plan, and who does not come along."""
    said = []
    if isinstance(report, FailbackReport) and report.staying:
        count = counted(len(report.staying), "guest stays", "guests stay")
        said.append(f"{count}: {_each(report.staying)}")
    if isinstance(report, FailbackReport | EvacuationReport) and report.vetoes:
        said.append(f"{counted(len(report.vetoes), 'veto', 'vetoes')}: {shortly(report.vetoes, TOLD)}")
    if isinstance(report, BreakGlassReport) and report.held:
        said.append(_held(report))
    return "".join(f"; {one}" for one in said)


def _held(report: BreakGlassReport) -> str:
    """What is left to people, each with its reason."""
    return f"left to people: {_each({name: f'({why})' for name, why in report.held.items()})}"


# --- it made changes ---------------------------------------------------------------------------------------------


def _made(start: Start, report: RunbookReport) -> Closing:
    """A deployment, and runbooks of one's own."""
    took = f" in {report.seconds:.1f} s"
    if report.skipped:
        skipped = counted(len(report.skipped), "step was skipped", "steps were skipped")
        said = f"{counted(report.changed, 'change')} made{took}; {skipped}, so not everything is as planned"
        return Closing(said, "see what is missing", start.command("plan"), well=False)
    if report.changed:
        held = _held_back(report)
        return Closing(f"{counted(report.changed, 'change')} made and proven{took}{held}", well=not held)
    nothing = _nothing(start, report)
    return replace(nothing, said=f"{nothing.said} ({report.seconds:.1f} s)")


def _home(start: Start, report: FailbackReport) -> Closing:
    """Who is home, who stays and why, what is still turned off."""
    if not report.moved and not report.changed:
        said = _nothing(start, report)
    else:
        came = counted(len(report.moved), "guest was brought home", "guests were brought home")
        said = Closing(f"{came} to {report.site} in {report.seconds:.1f} s")
        if report.staying:
            stay = counted(len(report.staying), "guest stays", "guests stay")
            said = Closing(f"{said.said}; {stay}: {_each(report.staying)}", well=False)
    if report.outstanding:
        off = counted(len(report.outstanding), "switch is still disabled", "switches are still disabled")
        said = Closing(f"{said.said}; {off}: {_off(report.outstanding)}", well=False)
        return replace(said, then="see what is still disabled and why", command=start.other("switches"))
    if report.staying:
        return replace(said, then="when that is fixed", command=start.command("plan"))
    return said


def _emptied(start: Start, report: EvacuationReport) -> Closing:
    """Empty; the way back is the next command, however long the work takes."""
    moved = counted(len(report.moved), "guest was moved away", "guests were moved away")
    said = f"{report.site} is empty: {moved}" + (f" in {report.seconds:.1f} s" if report.changed else "")
    if report.skipped:
        skipped = counted(len(report.skipped), "step was skipped", "steps were skipped")
        said = f"{said}; {skipped}: {shortly(report.skipped, TOLD)}"
    back = start.about("return-site", report.site).command("plan")
    return Closing(said, "after the work", back, well=not report.skipped)


# --- it followed what happened -----------------------------------------------------------------------------------


def _followed(start: Start, report: LossReport) -> Closing:
    """The guests first. What this runbook has changed is what it turned off, and that is told as such."""
    where = f"{report.site}" if start.runbook == "site-loss" else shortly(report.nodes)
    if report.handed_to:
        show = shlex.join(["quorate", "incident", "show", report.handed_to])
        return Closing(f"the loss of {where} is handed over to {report.handed_to}", "it goes on there", show)
    back = sum(one.ok for one in report.back)
    said = f"the loss of {where} is over: {counted(back, 'guest runs', 'guests run')} again"
    if lost := report.not_back:
        said += f"; {counted(len(lost), 'guest does', 'guests do')} not: {_each(lost)}"
    if away := report.missing:
        said += f"; {counted(len(away), 'node is', 'nodes are')} missing: {_few(away)}"
    if off := report.outstanding:
        said += f"; {counted(len(off), 'switch is', 'switches are')} still disabled: {_off(off)}"
    well = not (report.not_back or report.missing or report.outstanding)
    if report.homes and not report.missing:
        home = start.about("failback", report.site).command("plan")
        return Closing(said, "to bring the guests home", home, well=well)
    if report.outstanding:
        return Closing(said, "see what is still disabled and why", start.other("switches"), well=False)
    return Closing(said, well=well)


def _explained(report: IncidentReport) -> Closing:
    """What it was; this runbook changes nothing by nature."""
    found = "; then ".join(report.verdicts) or "nothing was found"
    if report.handed_to:
        show = shlex.join(["quorate", "incident", "show", report.handed_to])
        return Closing(f"found: {found}; nothing was changed", f"{report.handed_to} continues this incident", show)
    return Closing(f"found: {found}; nothing was changed")


def _each(known: Mapping[str, str]) -> str:
    """Each with its reason, which is the end of a sentence about it; the first few."""
    return _few(f"{name} {why}".rstrip() for name, why in known.items())


def _off(switches: Mapping[str, str]) -> str:
    """Each with what holds it back; the first few."""
    return _few(f"{name} ({why})" for name, why in switches.items())


def _few(texts: Iterable[str]) -> str:
    listed: Sequence[str] = list(texts)
    more = f"; and {len(listed) - TOLD} more" if len(listed) > TOLD else ""
    return "; ".join(listed[:TOLD]) + more
