"""From the lines of a record to one run as a report needs it. Lines of unknown kinds are counted, no more."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from cluster.audit.line import Line
from cluster.report.model import Voice
from cluster.report.told import FORMER, Found, Step, Told, Verdict, mapping, moment, number, texts


class Unreadable(ValueError):
    """These lines are no record of a run: none of them, or without its beginning."""


def read(lines: Sequence[Line]) -> Told:
    """The run of these lines, all its executions together. Unreadable when they hold no beginning."""
    started = next((line for line in lines if line.kind == "started"), None)
    if started is None:
        raise Unreadable("the record holds no beginning of a run")
    data = started.data
    closed = _closed(lines)
    ending = closed.data if closed else {}
    failure = mapping(ending.get("failure"))
    return Told(
        run=started.run,
        runbook=str(data.get("runbook", "")),
        execution=str(data.get("first_execution") or started.execution),
        parent=str(data.get("parent") or ""),
        request=mapping(data.get("input")),
        memo=_memo(lines),
        began=started.at,
        ended=closed.at if closed else None,
        last=max(line.at for line in lines),
        report=mapping(ending.get("report")),
        word=str(failure.get("word", "")) or ("" if ending.get("how") in (None, "completed") else str(ending["how"])),
        failure=str(failure.get("message") or ending.get("reason") or ""),
        steps=tuple(_step(line) for line in lines if "activity" in line.data and line.kind in ("step", "verdict")),
        voices=tuple(sorted(_voices(lines), key=lambda one: one.at)),
        verdicts=tuple(_verdicts(lines)),
        runs=tuple(dict.fromkeys(str(line.data["run"]) for line in lines if line.kind == "run" and "run" in line.data)),
        lines=len(lines),
        digest=lines[-1].digest,
    )


def _memo(lines: Iterable[Line]) -> Found:
    """The newest value of each field."""
    memo: Found = {}
    for line in lines:
        memo |= mapping(line.data.get("memo")) if line.kind in ("started", "state") else {}
    return memo


def _step(line: Line) -> Step:
    data = line.data
    said = {name: data[name] for name in ("finding", "mark", "changed", "changes") if name in data}
    done = data.get("outcome") == "done"
    # a beat and a failure have the same parts; the first is what was changed so far
    told = [one for name in ("details", "last_beat") if isinstance(one := data.get(name), list) and one]
    left = mapping(told[0][0]).get("changes") if told and not done else None
    return Step(
        title=str(data.get("title", "")),
        activity=FORMER.get(str(data["activity"]), str(data["activity"])),
        asked=mapping(data.get("asked")),
        began=moment(data.get("began")) or moment(data.get("scheduled")) or line.at,
        ended=moment(data.get("ended")) or line.at,
        found=said | mapping(data.get("evidence")) if done else {},
        left=tuple(map(mapping, left)) if isinstance(left, list) else (),
        word="" if done else str(data.get("word") or data.get("outcome") or ""),
        message=str(data.get("message", "")),
        attempts=int(number(data.get("attempts")) or 1),
        quiet=bool(data.get("quiet")),
    )


# --- people ------------------------------------------------------------------------------------------------------


def _voices(lines: Sequence[Line]) -> Iterator[Voice]:
    """Messages of people; votes besides with what the gate has made of them, which the report of the run tells."""
    noted = [mapping(one) for one in _report(lines).get("approvals", ())]
    for line in lines:
        if line.kind == "said":
            yield _said(line)
        elif line.kind == "vote":
            yield _vote(line, noted)
    for one in noted:  # what no message stands for: an expiry, a vote that counted no more when it was checked again
        if when := moment(one.get("at")):
            yield Voice(
                at=when,
                by=str(one.get("by", "")),
                what=str(one.get("what", "")),
                accepted=bool(one.get("accepted")),
                said=": ".join(filter(None, (str(one.get("word", "")), str(one.get("sentence", ""))))),
                run=lines[0].run,
            )


def _report(lines: Sequence[Line]) -> dict[str, Any]:
    closed = _closed(lines)
    return mapping(closed.data.get("report")) if closed else {}


def _closed(lines: Sequence[Line]) -> Line | None:
    """The end of the run; None while it goes on, as a new execution or because a person has reset it after an end."""
    last = lines[-1]
    return last if last.kind == "closed" and last.data.get("how") != "continued as new" else None


def _said(line: Line) -> Voice:
    data, said = line.data, mapping(line.data.get("said"))
    answer = " ".join(filter(None, (str(data.get("message", "")), str(said.get("answer") or ""))))
    why = said.get("why") or said.get("text") or data.get("why") or ""
    return Voice(
        at=moment(data.get("sent")) or line.at,
        by=_who(data.get("by")),
        what=answer,
        about=str(said.get("step") or ""),
        accepted=data.get("taken") is not False,
        said=str(why) if data.get("taken") is not False else _refused(data),
        run=line.run,
    )


def _vote(line: Line, noted: list[dict[str, Any]]) -> Voice:
    """A vote. What the gate says of it is told later than it was sent: the first note of that person after that."""
    data, about = line.data, mapping(line.data.get("about"))
    by, sent = str(data.get("by") or ""), moment(data.get("sent")) or line.at
    note = next((one for one in noted if _is_of(one, by, sent, line.at)), None)
    what, accepted, said = str(data.get("message", "")), data.get("taken") is True, ""
    if note is not None:
        noted.remove(note)
        what, accepted = str(note.get("what", what)), bool(note.get("accepted"))
        said = ": ".join(filter(None, (str(note.get("word", "")), str(note.get("sentence", "")))))
    elif not accepted:
        said = _refused(data)
    why = str(about.get("why") or mapping(data.get("said")).get("why") or "")
    return Voice(
        at=sent,
        by=by,
        what=what,
        about=str(about.get("gate") or ""),
        accepted=accepted,
        said=said or ("" if why == "-" else why),
        fingerprint=str(data.get("fingerprint") or ""),
        signed=not data.get("claimed"),
        run=line.run,
    )


def _is_of(note: dict[str, Any], by: str, sent: datetime, answered: datetime) -> bool:
    when = moment(note.get("at"))
    return str(note.get("by", "")).removesuffix(" (claimed)") == by and bool(when and sent <= when <= answered)


def _who(by: object) -> str:
    """A person's name; of a run that says something, as they do to the ledger, its id."""
    return str(mapping(by).get("run") or "") if isinstance(by, dict) else str(by or "")


def _refused(data: Found) -> str:
    if data.get("taken") is None:
        return "not answered: the run had ended"
    return ": ".join(filter(None, (str(data.get("word") or ""), str(data.get("sentence") or ""))))


# --- verdicts ----------------------------------------------------------------------------------------------------


def _verdicts(lines: Iterable[Line]) -> Iterator[Verdict]:
    """What the cluster was taken for, each change of it once: by looks of this run, and as the watch has told it."""
    before = ""
    for line in lines:
        for when, told in _judged(line):
            verdict = _verdict(when, told, line.run)
            if verdict and (verdict.sentence, verdict.run) != (before, line.run):
                before = verdict.sentence
                yield verdict


def _judged(line: Line) -> Iterator[tuple[datetime, Found]]:
    if line.kind == "started":
        opening = mapping(mapping(line.data.get("input")).get("opening"))
        if opening:
            yield moment(opening.get("at")) or line.at, mapping(opening.get("verdict"))
    elif line.kind == "verdict":
        found = mapping(line.data.get("evidence"))
        yield moment(found.get("at")) or line.at, mapping(found.get("verdict"))
    elif line.kind == "told" and line.data.get("way") == "in":
        said = mapping(line.data.get("said"))
        yield moment(said.get("at")) or line.at, mapping(said.get("verdict"))


def _verdict(when: datetime, told: Found, run: str) -> Verdict | None:
    main = mapping(told.get("main"))
    if not main:
        return None
    where, kind = ", ".join(texts(main.get("where"))), str(main.get("kind", ""))
    return Verdict(
        at=when,
        kind=kind,
        sentence=kind.replace("-", " ") + (f" ({where})" if where else ""),
        reasons=texts(main.get("reasons")),
        silent=texts(told.get("silent")),
        run=run,
    )
