"""An answer as plain lines: what a terminal shows, in the order in which a tired person needs it."""

from collections.abc import Iterator

from cluster.answers.model import Answer

# What has room below a headline; the rest is counted, and `--json` has all of it.
GUESTS, TASKS, REASONS = 5, 6, 4


def listed(guests: tuple[str, ...]) -> str:
    """The first of them, each with what is said of it, and how many there are besides."""
    more = f"; and {len(guests) - GUESTS} more" if len(guests) > GUESTS else ""
    return "; ".join(guests[:GUESTS]) + more


def body(answer: Answer) -> Iterator[tuple[str, str]]:
    """What comes after the headline, as label and text. A label that is empty belongs to the line before."""
    if answer.guests:
        yield "affected", listed(answer.guests)
    for number, task in enumerate(answer.tasks[:TASKS], start=1):
        yield f"{number}.", str(task)
        if task.command:
            yield "", task.command
    for text in answer.never[:2]:
        yield "never", text
    if answer.automatic:
        yield "automatic", answer.automatic
    for text in answer.why[:REASONS]:
        yield "why", text
    for text in answer.unless[:1]:
        yield "revised if", text
