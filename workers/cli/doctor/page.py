"""What was found, as people read it: areas in their order, what several have in common on one line."""

from collections import Counter
from collections.abc import Iterator, Sequence

from cluster.doctor.check import Area, Check, State
from cluster.units import shortly
from cluster.visible import visible

MARKS: dict[State, str] = {"ok": "✓", "wrong": "✗", "unknown": "?", "later": "–"}
_TITLES: dict[Area, str] = {
    "here": "This machine",
    "cluster": "Proxmox VE",
    "hosts": "Hosts, over SSH",
    "arrays": "Arrays",
    "controllers": "Management controllers",
    "temporal": "Temporal",
}
# Several of which the same is said, by what is said; else by where it stands.
_SUBJECTS = {"rights of the token": "runbooks", "SSH": "hosts"}
_MANY: dict[Area, str] = {
    "cluster": "nodes", "hosts": "nodes", "arrays": "arrays", "controllers": "management controllers",
}  # fmt: skip
# So many are named one by one.
_NAMED = 2
# So many of the same trouble have a line with a remedy each; of more of them so many are listed beside the first.
_EACH, _LISTED = 6, 20
_STATES: dict[State, str] = {"ok": "ok", "wrong": "wrong", "unknown": "not known", "later": "not there yet"}


def lines(checks: Sequence[Check]) -> Iterator[str]:
    """The page, without the line at its end."""
    area = None
    for alike in _alike(checks):
        first = alike[0]
        if first.area != area:
            area = first.area
            yield _TITLES[area]
        # what a device has said shall not look like a line of ours
        yield visible(f"  {MARKS[first.state]} {_subject(alike)}: {first.what}: {_said(first)}")
        if all(check.remedy == first.remedy for check in alike):
            yield from [visible(f"      do: {first.remedy}")] if first.remedy else []
        else:
            yield visible(f"      do, for each, here for {first.subject}: {first.remedy}")
            yield visible(f"      the others: {shortly((check.subject for check in alike[1:]), _LISTED)}")


def sentence(checks: Sequence[Check]) -> str:
    """How many of each kind there are: ``61 ok, 2 wrong``."""
    numbers = Counter(check.state for check in checks)
    return ", ".join(f"{numbers[state]} {word}" for state, word in _STATES.items() if numbers[state] or state == "ok")


def _alike(checks: Sequence[Check]) -> list[list[Check]]:
    """What is the same of several subjects, together where the first of them stands."""
    groups: dict[tuple[str, ...], list[Check]] = {}
    often = Counter(map(_trouble, checks))
    for check in checks:
        # a remedy names its subject: of half a cluster that is dark the first one says it for all
        own = () if often[_trouble(check)] > _EACH else (check.remedy,)
        groups.setdefault((*_trouble(check), *own), []).append(check)
    return list(groups.values())


def _trouble(check: Check) -> tuple[str, ...]:
    return check.area, check.what, check.state, check.evidence


def _subject(alike: Sequence[Check]) -> str:
    names, first = [check.subject for check in alike], alike[0]
    if len(names) <= _NAMED:
        return ", ".join(names)
    return f"{len(names)} {_SUBJECTS.get(first.what) or _MANY.get(first.area, 'things')}"


def _said(check: Check) -> str:
    return f"not known: {check.evidence}" if check.state == "unknown" else check.evidence
