"""What the page of a run says while a gate is open."""

from collections.abc import Sequence

from cluster.approval import Audit
from cluster.gate import Gate
from cluster.units import counted
from workflows.page import safe

LISTED = 5


def asks(gate: Gate, run: str, refused: Sequence[Audit] = ()) -> str:
    """What the page says of an open gate."""
    terms = gate.terms
    yes = ", ".join(f"{name}{' (claimed)' if vote.claimed else ''}" for name, vote in gate.yes.items())
    lines = [
        f"- until {terms.until:%Y-%m-%d %H:%M} UTC; silence is a no",
        f"- plan `{terms.digest}`, {counted(len(gate.planned), 'change')}, asked for by {terms.requester}",
    ]
    lines += [f"  - {safe(str(change))}" for change in gate.planned[:LISTED]]
    lines += [f"  - and {len(gate.planned) - LISTED} more"] if len(gate.planned) > LISTED else []
    lines += [f"- risk: {safe(terms.risk)}"] if terms.risk else []
    lines += [
        f"- {'safety' if veto.safety else 'comfort'} veto `{veto.name}`: {safe(veto.text)}" for veto in terms.vetoes[:4]
    ]
    lines += [f"- said yes: {yes}"] if yes else []
    if refused:
        votes = counted(len(refused), "vote was", "votes were")
        lines.append(f"- {votes} refused, the last one: {safe(str(refused[-1]))}")
    ways = f"Look, sign and send: `quorate approve {run}`, or `quorate reject {run}`."
    return "\n".join([*lines, "", ways]) + "\n\n"
