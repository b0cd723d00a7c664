"""What is in a bundle, as people read it before they send it: what is the same of several, on one line."""

from collections.abc import Iterator

from cluster.probing.bundle import Asked, Bundle
from cluster.units import counted

# The words for why there is no answer, as they end a line.
_WHY = {
    "Unreachable": "does not answer",
    "Unauthorized": "refuses Quorate",
    "NotFound": "has none",
    "Rejected": "answers with an error",
    "Refuted": "does not run",
}
# How many are named before they are counted; of those that are silent each is named.
_NAMED, _ALL = 2, 99


def lines(bundle: Bundle) -> Iterator[str]:
    """Who answered what, who did not, and how much was left out."""
    answered = [one for one in bundle.manifest.asked if one.went == "answered"]
    silent = [one for one in bundle.manifest.asked if one.went != "answered"]
    yield "In the bundle, with pseudonyms for all names and addresses:"
    by_who: dict[str, list[str]] = {}
    for one in answered:
        by_who.setdefault(one.who, []).append(f"{one.what} ({one.count})" if one.count > 1 else one.what)
    yield from (f"  {who}: {what}" for what, who in _alike((", ".join(all_), who) for who, all_ in by_who.items()))
    if silent:
        yield "Not answered, and noted:"
        yield from (f"  {who}: {said}" for said, who in _alike(((_said(one), one.who) for one in silent), named=_ALL))
    left = bundle.manifest.dropped
    yield f"Left out: {counted(sum(left.values()), 'value')} of {counted(len(left), 'kind')}, listed in manifest.json."


def _said(one: Asked) -> str:
    return f"{one.what}: {_WHY.get(one.went, one.went)}"


def _alike(said: Iterator[tuple[str, str]], named: int = _NAMED) -> Iterator[tuple[str, str]]:
    """What is said, each once for each kind of thing, with those of whom it is said."""
    groups: dict[tuple[str, str], list[str]] = {}
    for what, who in said:
        kind, _, name = who.partition(" ")
        groups.setdefault((what, kind), []).append(name)
    for (what, kind), names in groups.items():
        listed = ", ".join(names)
        yield what, f"{len(names)} {kind}s, {names[0]} to {names[-1]}" if len(names) > named else f"{kind} {listed}"
