"""The tables of a report: steps, changes, guests, proofs, what is not as it was."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from cluster.plan import SIGNS as CHANGES
from cluster.plan import verb_of
from cluster.report.loss import LOSSES, Lost
from cluster.report.model import Change, GuestTime, Proof, Rest, Row, Source
from cluster.report.told import Clock, Step, Told, mapping, number
from cluster.report.told import length as seconds_of
from cluster.report.words import length
from cluster.units import counted


def steps(told: Told, clock: Clock) -> Iterator[Row]:
    """As the run has reported them; of one without a report its activities, those that have a line on the page."""
    # a run of an incident counts from T0, every other one from its start
    since = clock.t0 if told.runbook in (*LOSSES, "ClusterIncident") else told.began
    reported = [mapping(one) for one in told.report.get("steps", ())]
    for one in reported:
        after = seconds_of(one.get("at"))
        began = since + timedelta(seconds=after)
        state = str(one.get("state", ""))
        yield Row(
            title=str(one.get("title", "")),
            state=state,
            at=clock.at(began),
            began=began,
            took=seconds_of(one.get("took")),
            finding=str(one.get("finding", "")),
            changes=int(number(one.get("changes")) or 0),
            run=told.run,
        )
    if not reported:
        yield from (_step(one, told, clock) for one in told.steps if not one.quiet)


def _step(step: Step, told: Told, clock: Clock) -> Row:
    state = str(step.found.get("mark", "done")) if step.found else "stopped" if step.word == "Stopped" else "failed"
    ended = step.ended or told.last
    return Row(
        title=step.title,
        state=state,
        at=clock.at(step.began),
        began=step.began,
        took=max(0.0, (ended - step.began).total_seconds()),
        finding=step.finding or ": ".join(filter(None, (step.word, step.message))),
        changes=len(step.found.get("changes", ())) if step.found.get("changed") else 0,
        run=told.run,
    )


# --- changes -----------------------------------------------------------------------------------------------------


def planned(told: Told) -> tuple[Change, ...]:
    """What the run has said it would change."""
    return tuple(_change(mapping(one)) for one in told.report.get("planned", ()))


def made(told: Told) -> Iterator[Change]:
    """What was changed and read back, in the order of the steps' ends."""
    for step in told.steps:
        changes = step.made
        for one in changes:
            more = {"by": step.title, "at": step.ended, "made": True, "run": told.run}
            yield _change(one).model_copy(update={key: more[key] for key in ("by", "at", "made")})
        if not changes and step.found.get("changed"):
            for one in map(mapping, step.found.get("restored", ())):
                detail = f"{one.get('field', '')} back to {one.get('old', '')}"
                target = str(one.get("name", ""))
                where = "HA" if one.get("kind") == "resource" else "cluster"
                change = Change(where=where, what="restore", target=target, detail=detail, sign="~")
                yield change.model_copy(update={"by": step.title, "at": step.ended, "made": True})


def _change(one: dict[str, Any]) -> Change:
    what = str(one.get("what", ""))
    verb = one.get("verb") or verb_of(what)
    return Change(
        where=str(one.get("where", "")),
        what=what,
        target=str(one.get("target", "")),
        detail=str(one.get("detail", "")),
        sign=CHANGES.get(verb, "~"),
    )


# --- guests ------------------------------------------------------------------------------------------------------


def guests(told: Told, loss: Lost, clock: Clock) -> Iterator[GuestTime]:
    """How long each guest of a loss was down, beside the forecast."""
    names = told.guest_names
    allowed = loss.forecast.running.latest if loss.forecast else None
    for sid in loss.guests:
        mine = [one for one in loss.outages if one.sid == sid]
        begin = min((one.begin for one in mine), default=None)
        ends = [one.until for one in mine]
        until = max(one for one in ends if one) if ends and all(ends) else None
        most = round(sum(one.lasted for one in mine) * clock.speed, 1) if until else None
        yield GuestTime(
            sid=sid,
            name=names.get(sid, ""),
            came_from=loss.homes.get(sid, ""),
            runs_on=loss.runs_on.get(sid, ""),
            begin=begin,
            until=until,
            most=most,
            least=None if most is None else max(0.0, round(most - loss.uncertain, 1)),
            outages=sum(one.times for one in mine),
            allowed=allowed,
            **_judged(sid, most, allowed, loss),
        )


def _judged(sid: str, most: float | None, allowed: float | None, loss: Lost) -> dict[str, Any]:
    if most is None:
        why = loss.not_back.get(sid, "")
        return {"tone": "bad", "said": f"not back{f': {why}' if why else ''}"}
    if allowed is None:
        return {"tone": "plain", "said": "no forecast is known"}
    if most <= allowed:
        return {"tone": "good", "said": f"within the forecast, {length(allowed)}"}
    return {"tone": "odd", "said": f"{length(most - allowed)} longer than the forecast, {length(allowed)}"}


# --- proofs and rests --------------------------------------------------------------------------------------------


def proofs(told: Told, loss: Lost | None) -> Iterator[Proof]:
    """What was proven last, layer by layer."""
    proof = mapping(told.report.get("proof"))
    if votes := mapping(proof.get("votes")):
        said = f"{votes.get('total')} of {votes.get('expected')} votes, quorum {votes.get('quorum')}"
        yield Proof(about="Votes", said=said)
    for node, paths in mapping(proof.get("paths")).items():
        said = f"{mapping(paths).get('optimized')} optimized, {mapping(paths).get('non_optimized')} non-optimized"
        yield Proof(about=f"Paths of {node}", said=said)
    if ha := mapping(proof.get("ha")):
        armed = "armed" if ha.get("armed") else "not armed"
        started = ", ".join(str(one) for one in ha.get("started", ()))
        yield Proof(about="HA", said=f"{armed}, {counted(int(ha.get('lrms', 0)), 'LRM')} well, started: {started}")
    if told.report.get("wwid"):
        yield Proof(about="Volume", said=f"WWID {told.report['wwid']}")
    for sid, said in sorted(loss.proofs.items()) if loss else ():
        yield Proof(about=f"{sid} on {loss.runs_on.get(sid, '')}" if loss else sid, said=said)
    checks = next((s.found["checks"] for s in reversed(list(told.of("watch.quarantine"))) if s.found.get("checks")), ())
    for one in map(mapping, checks):
        said = str(one.get("said", ""))
        yield Proof(about=str(one.get("title")), said=said if one.get("holds") else f"does not hold: {said}")


def rests(told: Told, homeward: Sequence[Told]) -> tuple[Rest, ...]:
    """What is not as it was, by the newest word on each: a failback restores what its incident has left."""
    left = {str(what): str(why) for what, why in mapping(told.report.get("outstanding")).items()}
    for run in homeward:
        for what in run.report.get("restored", ()):
            left.pop(str(what), None)
        left |= {str(what): str(why) for what, why in mapping(run.report.get("outstanding")).items()}
    return tuple(Rest(what=what, why=why) for what, why in sorted(left.items()))


def sources(runs: Sequence[Told]) -> Iterator[Source]:
    """The records, each with its last line."""
    for one in runs:
        trace = next((str(value) for name, value in sorted(one.memo.items()) if "trace" in name and value), "")
        yield Source(
            run=one.run,
            runbook=one.runbook,
            execution=one.execution,
            lines=one.lines,
            first=one.began,
            last=one.last,
            digest=one.digest,
            trace=trace,
            ended=one.ended is not None,
        )
