"""What the page of a run says while a gate is open."""

from collections.abc import Sequence

from cluster.approval import Audit, short
from cluster.gate import Gate
from cluster.units import counted
from workflows.page import code, safe

LISTED, SPOKEN = 5, 4  # changes; conditions and vetoes


def asks(gate: Gate, run: str, refused: Sequence[Audit] = ()) -> str:
    """What the page says of an open gate. What does not fit is counted."""
    terms, changes = gate.terms, counted(len(gate.planned), "change")
    lines = [
        f"- until {terms.until:%Y-%m-%d %H:%M} UTC; with too few approvals by then, the run ends",
        f"- plan {code(short(terms.plan))}, {changes}, requested by {safe(terms.requester)}",
        *_some([f"  - {safe(str(change))}" for change in gate.planned], LISTED),
        *_some([f"- condition: {safe(one)}" for one in terms.conditions], SPOKEN),
    ]
    lines += [f"- risk: {safe(terms.risk)}"] if terms.risk else []
    vetoes = [
        f"- {'safety' if veto.safety else 'comfort'} veto {code(veto.name)}: {safe(veto.text)}" for veto in terms.vetoes
    ]
    lines += _some(vetoes, SPOKEN)
    lines += [f"- approved by {safe(', '.join(one.who for one in gate.yes.values()))}"] if gate.yes else []
    if refused:
        votes = counted(len(refused), "vote was", "votes were")
        lines.append(f"- {votes} refused, the last one: {safe(str(refused[-1]))}")
    ways = f"Read, sign and send: {code(f'quorate approve {run}')}, or {code(f'quorate reject {run}')}."
    if gate.policy.unsigned == "allowed":
        claim = code(f'{{"by": "…", "plan": "{short(terms.plan)}"}}')
        ways += f" Or *More Actions*, *Send an Update*, {code('approve')}, and paste {claim} with your name."
    return "\n".join([*lines, "", ways]) + "\n\n"


def _some(lines: Sequence[str], most: int) -> list[str]:
    """The first of them, and how many there are besides."""
    if len(lines) <= most:
        return list(lines)
    indent = lines[0][: len(lines[0]) - len(lines[0].lstrip())]
    return [*lines[:most], f"{indent}- and {len(lines) - most} more"]
