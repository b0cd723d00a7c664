"""What was said of the fencing of lost nodes, concluded anew from HA's list as it was seen. Pure."""

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from cluster.audit.explained import EARLIER, Explained, Rules, called, others, part
from cluster.audit.line import Line
from cluster.contracts import ha
from cluster.fencing import FencingFinding, FencingLook, FencingWish

_FENCING = (ha.watch_fencing.name, ha.watch_fencing.formerly)
_WORDS = {
    "fenced": "fenced",
    "nothing": "nothing to fence",
    "back": "back before it was fenced",
    "unknown": "not known",
}


def explained(line: Line, rules: Rules) -> Iterator[Explained]:
    """What that line says of a node, unless the look was only asked to end."""
    if called(line, *_FENCING) and not part(line, "evidence").get("cut"):
        yield _explained(line, rules)


def _explained(line: Line, rules: Rules) -> Explained:
    said: dict[str, Any] = {"n": line.n, "at": line.at, "kind": "fencing", "what": line.what}
    try:
        found = FencingFinding.model_validate({"finding": line.data.get("finding", "")} | part(line, "evidence"))
        wish = FencingWish.model_validate(line.data.get("asked"))
    except ValidationError as error:
        return Explained(**said, found="unknown", should=f"it cannot be read: {error.errors()[0]['msg']}")
    said |= {"what": f"{wish.node}: {_WORDS[found.outcome]}", "because": (found.finding,)}
    if found.basis is None:
        return Explained(**said, found="unknown", should=EARLIER)
    look = found.basis
    said |= {"seen": _seen(wish, look), "rules": look.rules, "today": others(look.rules, rules.fencing)}
    anew = look.found(wish) or look.unknown
    if (anew.outcome, anew.finding) != (found.outcome, found.finding):
        word = _WORDS[anew.outcome]
        whole = anew.finding if anew.finding.startswith(word) else f"{word}: {anew.finding}"
        return Explained(**said, found="wrong", should=f"it should have been: {whole}")
    if anew.seen != found.seen:
        return Explained(**said, found="wrong", should="what is remembered of the node does not follow from HA's list")
    return Explained(**said, found="right")


def _seen(wish: FencingWish, look: FencingLook) -> tuple[str, ...]:
    before = f"before: {look.before.said}" + (f", as of {look.before.at:%H:%M:%S} UTC" if look.before.at else "")
    if look.view is None:
        return (before, f"none of {', '.join(wish.survivors)} told HA's list")
    state = look.view.nodes.get(wish.node, "gone")
    here = [f"{sid} {one.state}" for sid, one in sorted(look.view.services.items()) if one.node == wish.node]
    return (
        before,
        f"HA's list by {look.view.master or 'no master'}: {wish.node} {state}, on it {', '.join(here) or 'no service'}",
    )
