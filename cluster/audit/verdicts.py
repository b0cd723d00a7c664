"""Verdicts on record, computed anew from the facts that stand beside them. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import ValidationError

from cluster.audit.explained import EARLIER, Explained, Rules, called, others, part
from cluster.audit.line import Line
from cluster.basis import Basis, Grounds
from cluster.breakglass.judged import Judged, JudgeWish, judged, lacks
from cluster.contracts import watch
from cluster.inventory import Inventory
from cluster.looks import Look, fresh
from cluster.memory import Memory
from cluster.units import counted
from cluster.verdict import Verdict
from cluster.watching import Suspected

# What has judged by the facts, with the names of version 0.1.
_LOOKS = (watch.look.name, watch.look.formerly)
_CONFIRMS = (watch.confirm.name, watch.confirm.formerly)
_JUDGED = (watch.judged.name,)
# What the person is told of it, and what goes with every finding: none of it is computed from the facts alone.
# A refusal comes as an error, which holds no facts.
REFUTED = "the facts of a verdict that was refuted are not on record"
# A longer reason for a silence begins with its word, and repeats the address.
_SENTENCE = 40
_SAID = ("finding", "mark", "changed", "changes", "tried", "basis")


def explained(line: Line, rules: Rules) -> Iterator[Explained]:
    """The verdict of that line, if it holds one that was new then."""
    if called(line, *_LOOKS, *_CONFIRMS, *_JUDGED) and part(line, "evidence").get("new") is not False:
        yield _explained(line, rules)
    elif line.data.get("activity") in (*_CONFIRMS, *_JUDGED) and line.data.get("word") == "Refuted":
        what = f"not confirmed: {line.data.get('message', '')}"
        yield Explained(n=line.n, at=line.at, kind="verdict", what=what, found="unknown", should=REFUTED)


def _explained(line: Line, rules: Rules) -> Explained:
    told = part(line, "evidence")
    said: dict[str, Any] = {"n": line.n, "at": line.at, "kind": "verdict", "what": str(line.data.get("finding", ""))}
    try:
        verdict = Verdict.model_validate(told.get("verdict"))
    except ValidationError as error:
        return Explained(**said, found="unknown", should=f"the verdict cannot be read: {_first(error)}")
    said |= {"what": verdict.sentence, "because": _reasons(verdict)}
    if told.get("basis") is None:
        return Explained(**said, found="unknown", should=EARLIER)
    try:
        basis = Basis.model_validate(told["basis"])
        grounds, inventory = basis.grounds, basis.judged_by
    except (ValidationError, KeyError) as error:
        return Explained(**said, found="unknown", should=f"today's version cannot read its facts: {_first(error)}")
    said |= {"seen": evidence(grounds, inventory), "rules": basis.rules, "today": others(basis.rules, rules.verdict)}
    wrong = _wrong(line, verdict, grounds, inventory)
    return Explained(**said, found="wrong" if wrong else "right", should=wrong)


def _wrong(line: Line, verdict: Verdict, grounds: Grounds, inventory: Inventory) -> str:
    """What is not as it should have been; empty when all is."""
    found, memory = grounds.verdict(inventory)
    if found != verdict:
        return _differs(verdict, found)
    if line.data["activity"] in _JUDGED:
        return _judged_otherwise(line, found, grounds, memory)
    if Memory.model_validate(part(line, "evidence").get("memory")) != memory:
        return "what is remembered after it does not follow from the facts"
    if line.data["activity"] in _CONFIRMS:
        suspected = Suspected.model_validate(line.data.get("asked"))
        if not any(suspected.fits(one) for one in (found.main, *found.also)):
            return f"{suspected.kinds[0]} {suspected.where} is not confirmed by it: the cluster was {found.sentence}"
    elif line.data.get("finding") != found.sentence:
        return f"the sentence should have been: {found.sentence}"
    return ""


def _differs(verdict: Verdict, found: Verdict) -> str:
    """In which way."""
    if found.key != verdict.key:
        also = f", beside {'; '.join(one.words for one in found.also)}" if found.also else ""
        return f"it should have been: {found.sentence}{also}, because {'; '.join(found.main.reasons)}"
    if found.settling != verdict.settling:
        return "the cluster was still making up its mind" if found.settling else "the cluster had made up its mind"
    for was, now in zip((verdict.main, *verdict.also), (found.main, *found.also), strict=True):
        if was.reasons != now.reasons:
            return f"the reasons of {now.words} should have been: {'; '.join(now.reasons)}"
        if was != now:
            return f"{now.words} has other details on record than follow from the facts"
    return f"those without an answer should have been: {', '.join(found.silent) or 'none'}"


def _judged_otherwise(line: Line, found: Verdict, grounds: Grounds, memory: Memory) -> str:
    """What a break-glass run stands on beside the verdict; and whether what it waited for had come about."""
    recorded = Judged.model_validate({"finding": line.data.get("finding", "")} | part(line, "evidence"))
    anew = judged(found, grounds.facts, "", memory)
    for field in Judged.model_fields:
        if field not in _SAID and getattr(recorded, field) != getattr(anew, field):
            return f"{field} should have been: {getattr(anew, field)}"
    wish = JudgeWish.model_validate(line.data.get("asked"))
    return lacks(wish, anew) if wish.until is not None else ""


def evidence(grounds: Grounds, inventory: Inventory) -> tuple[str, ...]:
    """Who answered and how old that was, who did not and why, what was announced: as it was known then."""
    facts = fresh(grounds.facts.in_order, inventory)
    answered = [look for look in facts.looks if look.answered]
    ages = [(facts.at - look.at).total_seconds() * facts.speed for look in answered]
    oldest = f", the oldest answer {max(ages):.1f} s old" if ages else ""
    silent = [look for look in facts.looks if not look.answered]
    lines = [f"answered, {len(answered)} of {len(facts.looks)}{oldest}: {_by_way(answered) or 'none'}"]
    if silent:
        lines.append(f"no answer, {len(silent)}: {_by_way(silent)}")
    looked = grounds.memory.looked
    if looked is not None:
        ago = (facts.at - looked).total_seconds() * facts.speed
        alive = counted(len(grounds.memory.alive), "node")
        lines.append(f"remembered: {alive} had been seen alive, the look before was {ago:.1f} s earlier")
    else:
        lines.append("remembered: nothing, it was the first look")
    lines += [f"announced: {one}" for one in grounds.silences]
    return tuple(lines)


def _by_way(looks: Iterable[Look]) -> str:
    """Who was asked in which way, and why there was no answer: ``pxmx01-01, pxmx01-02 (ssh: no answer in 3 s)``."""
    found: dict[str, list[str]] = {}
    for look in looks:
        why = look.silent if len(look.silent) <= _SENTENCE else look.silent.partition(":")[0]
        found.setdefault(f"{look.how}: {why}" if why else look.how, []).append(look.by)
    return "; ".join(f"{', '.join(names)} ({way})" for way, names in found.items())


def _reasons(verdict: Verdict) -> tuple[str, ...]:
    also = [f"also {one.words}: {'; '.join(one.reasons)}" for one in verdict.also]
    return (*verdict.main.reasons, *also)


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        one = error.errors()[0]
        return f"{'.'.join(map(str, one['loc']))}: {one['msg']}"
    return f"{error} is missing"
