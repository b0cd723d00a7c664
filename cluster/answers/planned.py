"""What a person reads of something that was announced: who has said so, until when, and what would be an incident."""

from cluster.answers.model import Answer, Task
from cluster.conditions import SITE_GONE, Condition
from cluster.silences import Silence, at
from cluster.units import are


def planned(condition: Condition, silence: Silence) -> Answer:
    """Nothing is asked of anybody; it says when the silence ends and what opens an incident before that."""
    return Answer(
        about=condition.key,
        urgency="watch",
        planned=True,
        title=f"{_what(condition)}, as {silence.by} announced until {at(silence.until)} ({silence.why})",
        stake="No guest ran there. An incident opens for what is not back by then, and for anything else that fails.",
        tasks=(
            Task(
                do="if the work takes longer, announce a later end",
                command=f"quorate silence {' '.join(silence.where)} --by NAME --why REASON --for 4h",
            ),
        ),
        automatic=f"the announcement ends at {at(silence.until)}; what is not back by then opens an incident",
        why=condition.reasons,
        unless=("a guest is found there, or anything fails that was not announced: an incident opens at once",),
    )


def _what(condition: Condition) -> str:
    if condition.kind in SITE_GONE:
        return f"{condition.where[0]} {'is dark' if condition.kind == 'site-lost' else 'is cut off'}"
    if condition.kind == "node-lost":
        return f"{', '.join(condition.where)} {are(condition.where)} dark"
    return f"{condition.kind.replace('-', ' ')} ({', '.join(condition.where)})"
