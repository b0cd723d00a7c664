"""What the arrays say of the mediator, and of the pre-election that takes its place."""

from collections.abc import Iterator

from cluster.conditions import Condition, serves
from cluster.looks import ArrayLook

MEDIATOR_WELL, MEDIATOR_LOST = "online", ("unreachable", "flummoxed")


def mediator(answering: dict[str, ArrayLook]) -> Iterator[Condition]:
    """The mediator as each array sees it; of an array that is silent its peer tells. Without a word it is not known."""
    words: dict[str, tuple[str, str]] = {}
    elected = ""
    for name, look in answering.items():
        elected = next((n for n, copy in look.copies.items() if copy.pre_elected), elected)
        for owner, copy in look.copies.items():
            if copy.mediator == MEDIATOR_WELL or (owner != name and owner in answering):
                continue
            # of a copy that does not serve, nothing else than a loss is worth telling
            serving = serves(look) and copy.status == "online"
            if serving or (owner == name and copy.mediator in MEDIATOR_LOST):
                words[owner] = (name, copy.mediator)
    if words:
        pre = (f"{elected} is pre-elected: it alone survives a break of the replication",) if elected else ()
        untold = all(word not in (*MEDIATOR_LOST, "unknown") for _, word in words.values())
        yield Condition(
            kind="mediator-lost",
            where=tuple(sorted(words)),
            case="not known" if untold else "",
            reasons=(*(_said(owner, *said) for owner, said in sorted(words.items())), *pre),
            unless=("both arrays call the mediator online",),
        )


def _said(owner: str, by: str, word: str) -> str:
    of = "" if owner == by else f" of {owner}"
    if not word:
        return f"{by} does not report the state of the mediator{of}"
    known = "" if word in (*MEDIATOR_LOST, "unknown") else ", a state that Quorate does not know"
    return f"{by} calls the mediator{of} {word}{known}"
