"""A report from the records of a run and of those that belong to it."""

from collections.abc import Mapping, Sequence
from typing import Any

from cluster.report import lossline, rows, sentences, timeline
from cluster.report.loss import LOSSES, Lost, lost
from cluster.report.model import Figure, Report, Rest, Tone, Voice
from cluster.report.told import Clock, Told, mapping, moment, number, texts
from cluster.report.words import length, named
from cluster.units import capital, counted
from cluster.visible import visible

HOMEWARD = ("Failback", "ReturnSite")
# Emergency procedures: never fewer than two people have to agree, whatever the inventory says.
EMERGENCIES = ("ColdStart", "HandOverQuorum", "ReconcileArrays", "RestoreSessions", "ReviveGuests")
BY_TWO = 2
# What is said of a run that is neither a loss nor a way home.
ABOUT = {
    "DeployStretchedCluster": "the deployment of the stretched cluster",
    "EvacuateSite": "the evacuation of a site",
    "ReturnSite": "the return of a site",
    "ColdStart": "the cold start",
    "HandOverQuorum": "the hand-over of the quorum",
    "ReconcileArrays": "the reconciliation of the arrays",
    "RestoreSessions": "the restoration of sessions",
    "ReviveGuests": "the revival of guests",
    "ClusterWatch": "the watch",
    "ClusterLedger": "the ledger",
}
OBJECTIVE = "The inventory states no objective for downtime: it is measured against the forecast."


def belongs(told: Told, other: Told) -> bool:
    """The other run is told in the report of this one: the watch around an incident, and the way home after a loss."""
    if other.run == told.run or other.cluster not in ("", told.cluster):
        return False
    if other.runbook == timeline.WATCH:
        return other.run == told.parent
    if other.runbook not in HOMEWARD or told.runbook != "SiteLoss" or other.began < told.began:
        return False
    return told.run in (other.report.get("incident"), other.request.get("incident"))


def report(told: Told, beside: Sequence[Told] = ()) -> Report:
    """The report of a run. `beside` are the runs that belong to it (`belongs`)."""
    loss = lost(told)
    clock = Clock(t0=loss.t0 if loss else _t0(told), speed=told.speed)
    homeward = tuple(one for one in sorted(beside, key=lambda one: one.began) if one.runbook in HOMEWARD)
    runs = (told, *homeward)
    voices = tuple(sorted((voice for run in runs for voice in run.voices), key=lambda one: one.at))
    left = rows.rests(told, homeward)
    times = tuple(rows.guests(told, loss, clock)) if loss else ()
    made = Report(
        run=told.run,
        runbook=told.runbook,
        cluster=told.cluster,
        title=_title(told, loss),
        **_outcome(told, loss, left),
        began=told.began,
        ended=told.ended,
        as_of=max(one.last for one in runs),
        sentences=_sentences(told, homeward, loss, times, voices, left, clock),
        figures=_figures(told, homeward, loss, times, voices, left, clock),
        timeline=timeline.drawn(clock, _t0_is(loss, told), told, beside, loss),
        phases=tuple(lossline.phases(loss)) if loss else (),
        forecast_why=loss.forecast.why if loss and loss.forecast else "",
        guests=times,
        objective=OBJECTIVE if loss else "",
        voices=voices,
        needed=_needed(told, homeward),
        outstanding=left,
        rests_known=bool(told.report),
        planned=rows.planned(told),
        plan=str(told.report.get("digest", "")) if told.report.get("planned") else "",
        made=tuple(change for run in runs for change in rows.made(run)),
        proofs=tuple(rows.proofs(told, loss)),
        evidence=_evidence(told),
        notes=texts(told.report.get("notes")) + texts(told.report.get("skipped")),
        steps=tuple(row for run in runs for row in rows.steps(run, clock)),
        sources=tuple(rows.sources((told, *beside))),
    )
    return Report.model_validate(_shown(made.model_dump()))


def _shown(value: Any) -> Any:
    """The same with everything that cannot be seen written out: names and findings are what people and devices say."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, Mapping):
        return {name: _shown(one) for name, one in value.items()}
    return [_shown(one) for one in value] if isinstance(value, list | tuple) else value


def _t0(told: Told) -> Any:
    """The start; of an incident the moment at which the first sign of it was seen, which its own clock counts from."""
    first = moment(told.opening.get("odd_since")) if told.runbook == "ClusterIncident" else None
    return first or told.began


def _t0_is(loss: Lost | None, told: Told) -> str:
    if loss is None:
        return "the start of the run" if _t0(told) == told.began else "the first sign of it"
    return "the start of the run" if loss.assumed else "the last sign of life"


def _title(told: Told, loss: Lost | None) -> str:
    if loss is not None:
        what = f"Site {loss.site}" if loss.whole or not loss.nodes else named(loss.nodes)
        return f"{what} {'was' if loss.whole or len(loss.nodes) < 2 else 'were'} lost"
    site = str(told.request.get("site") or told.report.get("site") or "")
    if told.runbook == "Failback":
        went = "went home" if told.ended and not told.word else "were to go home"
        return f"Guests {went} to {site}" if site else f"Guests {went}"
    if told.runbook == "ClusterIncident":
        first = next((one.sentence for one in told.verdicts if one.kind != "healthy"), "")
        return f"Incident: {first or 'verdict not known'}"
    about = ABOUT.get(told.runbook, told.runbook)
    return capital(about.removeprefix("the ")).replace("a site", site or "a site")


def _outcome(told: Told, loss: Lost | None, left: Sequence[Rest]) -> dict[str, Any]:
    tone: Tone
    if told.ended is None:
        said, tone = "goes on", "plain"
    elif told.word:
        said, tone = f"ended early: {told.word}", "bad"
    elif loss and (loss.not_back or loss.missing):
        said, tone = "ended with guests or nodes missing", "bad"
    elif skipped := len(told.report.get("skipped") or ()):
        said, tone = f"done, {counted(skipped, 'step')} skipped", "odd"
    elif left:
        said, tone = f"done, {counted(len(left), 'switch', 'switches')} not restored", "odd"
    else:
        said, tone = "done", "good"
    return {"outcome": said, "tone": tone}


def _sentences(
    told: Told,
    homeward: Sequence[Told],
    loss: Lost | None,
    times: Any,
    voices: Sequence[Voice],
    left: Sequence[Rest],
    clock: Clock,
) -> tuple[str, ...]:
    if loss is not None:
        return sentences.of_loss(told, homeward, loss, times, voices, left, clock)
    if told.runbook == "ClusterIncident":
        return sentences.of_incident(told, left, voices, clock)
    if told.runbook == "Failback":
        return sentences.of_failback(told, voices, left, clock)
    return sentences.of_any(told, voices, left, clock, ABOUT.get(told.runbook, told.runbook))


def _figures(
    told: Told,
    homeward: Sequence[Told],
    loss: Lost | None,
    times: Any,
    voices: Sequence[Voice],
    left: Sequence[Rest],
    clock: Clock,
) -> tuple[Figure, ...]:
    tail = (_left_figure(told, left),)
    if loss is not None:
        return (*_of_loss(loss, times), *tail)
    took = length((told.ended - told.began).total_seconds() * clock.speed) if told.ended else "goes on"
    yes = len({one.by for one in voices if one.accepted and one.what == "approve"})
    refused = sum(not one.accepted for one in voices if one.signed is not None)
    votes = Figure(
        name="Approved by", value=counted(yes, "person", "people"), note=f"{counted(refused, 'vote')} refused"
    )
    if told.runbook == "ClusterIncident":
        turns = int(number(told.report.get("turns")) or len(told.verdicts))
        return (Figure(name="Lasted", value=took), Figure(name="Verdicts", value=str(turns)), *tail)
    if told.runbook == "Failback":
        moved = [mapping(one) for one in told.report.get("moved", ())]
        down = max((number(one.get("downtime")) or 0.0 for one in moved), default=None)
        seen = "none moved" if down is None else "under 1 s" if down < 1 else length(down)
        whole = len(mapping(told.report.get("homes"))) or len(moved)
        home = Figure(name="Guests home", value=f"{len(moved)} of {whole}" if whole else "none was moved")
        return (home, Figure(name="Longest downtime seen", value=seen), votes, *tail)
    planned = len(told.report.get("planned", ()))
    note = f"of {planned} planned" if planned else "" if told.report else "by its steps"
    counts = Figure(name="Changes made", value=str(told.changed), note=note)
    return (counts, Figure(name="Took", value=took), *((votes,) if yes or refused else ()), *tail)


def _of_loss(loss: Lost, times: Any) -> tuple[Figure, ...]:
    back = sum(one.until is not None for one in times)
    most = max((one.most for one in times if one.most is not None), default=None)
    allowed = loss.forecast.running.latest if loss.forecast else None
    late = allowed is not None and most is not None and most > allowed
    return (
        Figure(
            name="Guests back",
            value=f"{back} of {len(times)}" if times else "none was down",
            tone="good" if back == len(times) else "bad",
        ),
        Figure(
            name="Longest downtime",
            value="not known" if most is None else f"{length(most)}",
            note="" if allowed is None else f"forecast: {length(allowed)} at most",
            tone="odd" if late else "good" if most is not None else "plain",
        ),
        Figure(
            name="Loss declared after",
            value="not known" if loss.declared is None else length(loss.declared),
            note="" if loss.noticed is None else f"first sign after {length(loss.noticed)}",
        ),
    )


def _left_figure(told: Told, left: Sequence[Rest]) -> Figure:
    if not told.report:
        return Figure(name="Not restored", value="not known")
    said = counted(len(left), "switch", "switches") if left else "nothing"
    return Figure(name="Not restored", value=said, tone="odd" if left else "good")


def _needed(told: Told, homeward: Sequence[Told]) -> str:
    """What the inventory asks for before a gate opens; of a run that nobody had to approve, that."""
    asked = [run for run in (told, *homeward) if any(step.activity == "people.verify" for step in run.steps)]
    if not asked:
        return "No approval was asked for: no gate was opened."
    # the gate's own policy, where the record tells it: an emergency procedure asks for more than the inventory
    gates = [mapping(mapping(step.asked.get("asked")).get("policy")) for step in asked[0].of("people.verify")]
    known = next((one for one in gates if one), mapping(asked[0].inventory.get("approvals")))
    count = max(int(number(known.get("needed")) or 2), BY_TWO if asked[0].runbook in EMERGENCIES else 1)
    who = "approval is" if count == 1 else "approvals are"
    return f"{count} {who} needed, signed and not by {asked[0].by or 'the one who asks'}."


def _evidence(told: Told) -> tuple[str, ...]:
    """From which words the first verdict was made, and who was silent."""
    first = next((one for one in told.verdicts if one.kind != "healthy"), None)
    if first is None or told.runbook not in (*LOSSES, "ClusterIncident"):
        return ()
    silent = (f"silent: {', '.join(first.silent)}",) if first.silent else ()
    return (*first.reasons, *silent)
