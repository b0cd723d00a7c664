"""Five sentences for whoever reads nothing else: what happened, when, what it meant, who acted, how it stands.

They say what the record says. What it does not say is called not known.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from cluster.report.loss import Lost
from cluster.report.model import GuestTime, Rest, Voice
from cluster.report.told import Clock, Told, mapping, number
from cluster.report.words import day, full, length, named, of, time
from cluster.units import are, capital, counted, shortly

# Runs that have no plan and no end: they go on as long as the cluster is looked after.
LASTING = ("ClusterWatch", "ClusterLedger")
# Votes that are no yes.
AGAINST = ("reject", "withdraws the approval", "expiry")


def of_loss(
    told: Told,
    homeward: Sequence[Told],
    loss: Lost,
    guests: Sequence[GuestTime],
    voices: Sequence[Voice],
    rests: Sequence[Rest],
    clock: Clock,
) -> tuple[str, ...]:
    """Those of the loss of nodes, and of the way home that followed it."""
    return (
        _lost(told, loss, clock),
        _noticed(loss, clock),
        _guests(loss, guests),
        _acted(told, homeward, loss, voices),
        _stands(told, homeward, loss, rests, clock),
    )


def _lost(told: Told, loss: Lost, clock: Clock) -> str:
    site = loss.site or "a site that is not known"
    some = f"{named(loss.nodes)} of {site}" if loss.nodes else f"hosts of {site}"
    what = f"all {len(loss.nodes)} hosts of site {loss.site}" if loss.whole else some
    when = f"On {day(clock.t0)} at {time(clock.t0)}"
    if loss.assumed:
        return f"At some time before {full(clock.t0)} the cluster {told.cluster} lost {what}; when is not known."
    array = next((one for one in _reasons(told) if " is dark:" in one), "")
    dark = " The site's storage array was gone as well." if array else ""
    within = f", or up to {length(loss.uncertain)} later," if loss.uncertain >= 1 else ""
    return f"{when}{within} the cluster {told.cluster} lost {what}.{dark}"


def _reasons(told: Told) -> tuple[str, ...]:
    opening = mapping(told.opening.get("verdict"))
    return tuple(str(one) for one in mapping(opening.get("main")).get("reasons", ()))


def _noticed(loss: Lost, clock: Clock) -> str:
    if loss.noticed is None or loss.declared is None:
        return "The run was started by hand, and when the loss was noticed first is not known."
    rest = f"{loss.other} was quorate without it" if loss.whole else "the rest of the cluster was quorate"
    return (
        f"Quorate saw the first sign {length(loss.noticed)} after the last sign of life, and after "
        f"{length(loss.declared)}, at {time(clock.when(loss.declared))}, several sources agreed on the loss: {rest}."
    )


def _guests(loss: Lost, guests: Sequence[GuestTime]) -> str:
    if not loss.guests:
        return "No guest under HA ran there, so none was down; guests outside of HA may have been."
    back = [one for one in guests if one.until is not None]
    ran = f"{of(len(back), len(guests), 'guest')} under HA"
    if not back:
        if len(guests) == 1:
            return f"The one guest under HA that ran there, {guests[0].sid}, does not run again."
        return f"None of {counted(len(guests), 'guest')} under HA that ran there runs again."
    where = f" at {loss.other}" if loss.whole else ""
    most = max((one.most for one in back if one.most is not None), default=None)
    verb = "was" if len(back) == 1 else "were"
    said = f"{capital(ran)} {verb} restarted{where}"
    if most is not None:
        said += f", {'each ' if len(back) > 1 else ''}after at most {length(most)} of downtime"
    late = [one for one in back if one.allowed is not None and one.most is not None and one.most > one.allowed]
    allowed = max((one.allowed for one in back if one.allowed is not None), default=None)
    if allowed is not None:
        said += f"; {counted(len(late), 'guest')} took longer than" if late else "; that is within"
        said += f" the forecast of {length(allowed)}"
    gone = [one.sid for one in guests if one.until is None]
    more = f" Not back: {named(gone)}." if gone else ""
    return f"{said}.{more}"


def _acted(told: Told, homeward: Sequence[Told], loss: Lost, voices: Sequence[Voice]) -> str:
    said = []
    if loss.fenced:
        fenced = named(sorted(loss.fenced))
        said.append(f"Proxmox HA fenced {fenced}" + (f" and restarted {_them(loss)}" if loss.running else ""))
    elif loss.running:
        said.append(f"Proxmox HA restarted {_them(loss)}")
    frozen = told.report.get("frozen", ()) if told.report else _frozen(told)
    off = [f"{one.get('name', '')} {one.get('field', '')}" for one in map(mapping, frozen)]
    if off:
        switches = counted(len(off), "automatic move")
        rest = told.changed - len(off)
        more = f"made {counted(rest, 'other change')}" if rest > 0 else "changed nothing else"
        said.append(f"Quorate disabled {switches} ({shortly(off, 2)}) and {more}")
    elif told.changed:
        said.append(f"Quorate made {counted(told.changed, 'change')}")
    else:
        said.append("Quorate watched and changed nothing")
    people = list(dict.fromkeys(one.by or "a person without a name" for one in voices if one.run == told.run))
    said.append(f"{named(people)} acted on the run" if people else "no person had to act during the incident")
    return "; ".join(said) + "."


def _them(loss: Lost) -> str:
    """Those of the guests that run again."""
    if len(loss.running) < len(loss.guests):
        return of(len(loss.running), len(loss.guests), "guest")
    return "the guest" if len(loss.running) == 1 else "the guests"


def _frozen(told: Told) -> Iterator[object]:
    """The switches that were disabled by a run that goes on, or has left no report."""
    for step in told.of("ha.freeze"):
        for one in map(mapping, step.found.get("outcomes", ())):
            if one.get("state") == "switched":
                yield one.get("switch")


def _stands(told: Told, homeward: Sequence[Told], loss: Lost, rests: Sequence[Rest], clock: Clock) -> str:
    parts = [_returned(told, loss, clock)]
    if moves := [move for run in homeward for move in run.report.get("moved", ())]:
        agreed = list(dict.fromkeys(one.by for run in homeward for one in run.voices if _agrees(one)))
        by = f", approved by {named(agreed)}" if agreed else ""
        parts.append(f"{counted(len(moves), 'guest was', 'guests were')} brought home{by}")
    elif loss.runs_on and loss.whole:
        stay = "stays" if len(loss.runs_on) == 1 else "stay"
        parts.append(f"{of(len(loss.runs_on), len(loss.guests), 'guest')} {stay} at {loss.other} until people decide")
    if told.ended is None:
        parts.append("the incident is open")
    elif told.word:
        parts.append(f"the run ended early: {told.word}")
    parts.append(_left(rests, told.report))
    return "; ".join(filter(None, parts)) + "."


def _returned(told: Told, loss: Lost, clock: Clock) -> str:
    some = f"{'Nodes' if len(loss.nodes) > 1 else 'Node'} {named(loss.nodes)}" if loss.nodes else f"Site {loss.site}"
    what = f"Site {loss.site}" if loss.whole else some
    was = "was" if loss.whole or len(loss.nodes) < 2 else "were"
    if loss.handed_to:
        return f"The loss went on as {loss.handed_to}"
    if loss.rejoined is None or loss.missing:
        away = f" ({named(loss.missing)} {are(loss.missing)} still missing)" if loss.missing else ""
        return f"{what} {was} not back when this was written{away}"
    # of the newest quarantine that has ended
    checks = [mapping(one) for step in told.of("watch.quarantine") for one in step.found.get("checks", ())]
    failed = [str(one.get("title")) for one in checks if not one.get("holds")]
    passed = f" and passed {counted(len(checks), 'check')}" if checks and not failed else ""
    doubts = f"; checks that failed: {shortly(failed, 3)}" if failed else ""
    return f"{what} {was} back {length(loss.rejoined)} after the loss{passed}{doubts}"


def _agrees(voice: Voice) -> bool:
    return voice.accepted and voice.what == "approve"


def _left(rests: Sequence[Rest], known: object) -> str:
    if rests:
        count = counted(len(rests), "switch is", "switches are")
        return f"{count} not restored: {shortly([one.what for one in rests], 2)}"
    return "nothing is outstanding" if known else "what is outstanding is not known"


# --- other runs --------------------------------------------------------------------------------------------------


def of_incident(told: Told, rests: Sequence[Rest], voices: Sequence[Voice], clock: Clock) -> tuple[str, ...]:
    """Those of an incident that Quorate explains and does not steer."""
    kinds = [one for one in told.verdicts if one.kind != "healthy"]
    first = kinds[0] if kinds else None
    seen = [str(one) for one in told.report.get("verdicts", ())] or [one.sentence for one in told.verdicts]
    what = first.sentence if first else next(iter(seen), "not known")
    why = f". The evidence: {first.reasons[0]}" if first and first.reasons else ""
    begun = told.began if first is None else first.at
    ended = (
        f"ended at {_moment(told.ended, begun)}, {_after(begun, told.ended, clock.speed)}" if told.ended else "is open"
    )
    made = counted(told.changed, "change")
    people = list(dict.fromkeys(one.by or "a person without a name" for one in voices))
    healthy = bool(seen) and seen[-1].startswith("healthy")
    return (
        f"On {day(begun)} the cluster {told.cluster} was not as designed: {what}{why}.",
        f"The verdict was reached at {time(begun)}, and the incident {ended}.",
        "This record holds no outage of a guest."
        if not _outages(told)
        else f"This record holds {counted(len(_outages(told)), 'outage')} of guests.",
        f"Quorate explained what was so and {f'made {made}' if told.changed else 'changed nothing'}; "
        + (f"{named(people)} acted on the run." if people else "no person acted on the run."),
        (f"The cluster was healthy at the end; {_left(rests, told.report)}." if healthy else _no_end(told, seen)),
    )


def _outages(told: Told) -> Sequence[object]:
    return tuple(told.report.get("outages", ()))


def _no_end(told: Told, seen: Sequence[str]) -> str:
    last = seen[-1] if seen else "not known"
    if told.report.get("handed_to"):
        return f"It became another incident, {told.report['handed_to']}."
    return f"The last verdict in this record is: {last}."


def of_failback(told: Told, voices: Sequence[Voice], rests: Sequence[Rest], clock: Clock) -> tuple[str, ...]:
    """Those of a run that brings guests home."""
    report = told.report
    site = str(told.request.get("site") or report.get("site") or "a site that is not known")
    moved = [mapping(one) for one in report.get("moved", ())] or _moved(told)
    planned = len(mapping(report.get("homes") or told.request.get("homes"))) or len(moved)
    down = max((number(one.get("downtime")) or 0.0 for one in moved), default=0.0)
    # HA restarts a container at its new node
    how = "moved live" if all(str(one.get("sid", "")).startswith("vm:") for one in moved) else "moved"
    after = f", after the incident {report['incident']}" if report.get("incident") else ""
    seen = "with less than 1 s seen down" if down < 1 else f"with at most {length(down)} seen down"
    return (
        f"On {day(told.began)} {told.by or 'a person without a name'} asked for the guests of {site} to be brought "
        f"home on cluster {told.cluster}{after}.",
        _lasted(told, clock.speed),
        f"{capital(of(len(moved), planned, 'guest'))} {how}, {seen}." if moved else "No guest was moved.",
        _voted(voices),
        _ended(told, rests),
    )


def _lasted(told: Told, speed: float) -> str:
    if told.ended is None:
        return f"The run began at {time(told.began)} and goes on."
    ended = _moment(told.ended, told.began)
    return f"The run began at {time(told.began)} and ended at {ended}, {_after(told.began, told.ended, speed)}."


def _moment(when: datetime, began: datetime) -> str:
    """The time of day; with its day where that is another one than that of the beginning."""
    return time(when) if day(when) == day(began) else full(when)


def _after(begun: datetime, ended: datetime, speed: float) -> str:
    """How long it took, by the cluster's own clock where that is another one than the wall's."""
    own = " of the cluster's time" if speed != 1 else ""
    return f"after {length((ended - begun).total_seconds() * speed)}{own}"


def _voted(voices: Sequence[Voice]) -> str:
    """Who has agreed, and how many votes were not for it."""
    yes = list(dict.fromkeys(one.by for one in voices if _agrees(one)))
    no = [one for one in voices if not one.accepted or one.what in AGAINST]
    against = f"{counted(len(no), 'vote was', 'votes were')} a no, withdrawn or refused" if no else ""
    if not yes:
        return f"The plan has no approval on record{f'; {against}' if no else ''}."
    signed = ", signed with their keys" if _signed(voices, yes) else ", as they claimed"
    return f"The plan was approved by {named(yes)}{signed}{f'; {against}' if no else ''}."


def _moved(told: Told) -> list[dict[str, object]]:
    return [mapping(step.asked.get("move")) for step in told.of("ha.bring_home") if step.found.get("changed")]


def _signed(voices: Sequence[Voice], names: Sequence[str]) -> bool:
    return all(any(one.by == name and one.signed for one in voices) for name in names)


def _ended(told: Told, rests: Sequence[Rest]) -> str:
    if told.ended is None:
        return f"The run goes on; {_left(rests, told.report)}."
    if told.word:
        why = (told.failure or "why is not known").rstrip(".")
        return f"It ended early ({told.word}): {why}."
    skipped = len(told.report.get("skipped") or ())
    more = f"; {counted(skipped, 'step was skipped', 'steps were skipped')}, so not everything is as planned"
    return f"It came to its end; {_left(rests, told.report)}{more if skipped else ''}."


def of_any(told: Told, voices: Sequence[Voice], rests: Sequence[Rest], clock: Clock, about: str) -> tuple[str, ...]:
    """Those of every other run: a deployment, planned work, an emergency procedure."""
    mode = str(told.report.get("mode") or told.request.get("mode") or "plan")
    by = f"by {told.by}" if told.by else "by whom is not known"
    started = f"{capital(about)} on cluster {told.cluster or 'not known'} was started on {day(told.began)}"
    asked = "" if told.runbook in LASTING else f", to {'make' if mode == 'apply' else 'plan'} its changes"
    return (
        f"{started}{asked}; {by}.",
        _lasted(told, clock.speed),
        _did(told, mode),
        _spoke(voices),
        _ended(told, rests),
    )


def _did(told: Told, mode: str) -> str:
    if not told.report:
        return f"It has left no report; its steps tell of {counted(told.changed, 'change')}."
    if mode != "apply":
        return f"It planned {counted(len(told.report.get('planned', ())), 'change')} and made none."
    proven = " and proved every layer at the end" if told.report.get("proof") else ""
    return f"It made {counted(told.changed, 'change')}{proven}."


def _spoke(voices: Sequence[Voice]) -> str:
    votes = [one for one in voices if one.signed is not None]
    people = list(dict.fromkeys(one.by or "a person without a name" for one in voices if one.signed is None))
    if votes:
        return _voted(votes)
    return f"The run was steered by {named(people)}." if people else "No person had to act on the run."
