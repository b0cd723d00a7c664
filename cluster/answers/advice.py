"""What a person should know about each condition: what happens by itself, what to do, what never to do.

The responses of the incident catalogue in one place; surfaces show them, nothing acts on them. Where the same name
needs another answer, a condition has a `case`.
"""

from cluster.answers import disks, losses, services
from cluster.answers.affected import affected
from cluster.answers.model import Answer, Urgency
from cluster.answers.planned import planned
from cluster.answers.texts import Advice
from cluster.conditions import BY_ITSELF, CALM, THIRD_PLACE, Condition, follows
from cluster.inventory import Inventory
from cluster.memory import Memory
from cluster.verdict import HELD, Verdict

_KINDS = {**losses.LOSSES, **disks.DISKS, **services.SERVICES}
_CASES = {**losses.CASES, **disks.CASES, **services.CASES}


def advice(condition: Condition, inventory: Inventory) -> Advice:
    """What to know about a condition, with the names of this cluster."""
    # one that is only held has lost its case
    third = inventory.third is not None and condition.kind == "witness-lost"
    known = _CASES.get((condition.kind, THIRD_PLACE if third else condition.case)) or _KINDS[condition.kind]
    return known.filled(condition, inventory)


def urgency(condition: Condition, beside: tuple[Condition, ...] = ()) -> Urgency:
    """Whether a person has to do something about it now; what is only held is not seen just now."""
    if condition.kind in CALM:
        return "nothing"
    watched = condition.kind in BY_ITSELF or condition.case == HELD or follows(condition, beside)
    return "watch" if watched else "act now"


def answer(condition: Condition, memory: Memory, inventory: Inventory, beside: tuple[Condition, ...] = ()) -> Answer:
    """What one condition asks of a person, with those that stand `beside` it."""
    if condition.planned is not None:
        return planned(condition, condition.planned)
    told = advice(condition, inventory)
    return Answer(
        about=condition.key,
        urgency=urgency(condition, beside),
        title=told.title,
        stake=told.stake,
        tasks=told.do,
        never=(told.never,) if told.never else (),
        automatic=told.alone,
        guests=affected(condition, memory, inventory),
        why=condition.reasons,
        unless=condition.unless,
    )


def answers(verdict: Verdict, memory: Memory, inventory: Inventory) -> tuple[Answer, ...]:
    """One for each condition of a verdict, the gravest first."""
    found = (verdict.main, *verdict.also)
    return tuple(answer(one, memory, inventory, found) for one in found)
