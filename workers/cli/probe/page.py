"""What is in a bundle, as people read it before they send it."""

from collections.abc import Iterator

from cluster.probing.bundle import Bundle
from cluster.units import counted

# The words for why there is no answer, as they end a line.
_WHY = {
    "Unreachable": "does not answer",
    "Unauthorized": "refuses Quorate",
    "NotFound": "has none",
    "Rejected": "answers with an error",
    "Refuted": "does not run",
}


def lines(bundle: Bundle) -> Iterator[str]:
    """Who answered what, who did not, and how much was left out."""
    by_who: dict[str, list[str]] = {}
    silent: list[str] = []
    for one in bundle.manifest.asked:
        by_who.setdefault(one.who, [])
        if one.went == "answered":
            by_who[one.who].append(f"{one.what} ({one.count})" if one.count > 1 else one.what)
        else:
            silent.append(f"  {one.who}: {one.what}: {_WHY.get(one.went, one.went)}")
    yield "In the bundle, with pseudonyms for all names and addresses:"
    yield from (f"  {who}: {', '.join(whats)}" for who, whats in by_who.items() if whats)
    if silent:
        yield "Not answered, and noted:"
        yield from silent
    left = bundle.manifest.dropped
    yield f"Left out: {counted(sum(left.values()), 'value')} of {counted(len(left), 'kind')}, listed in manifest.json."
