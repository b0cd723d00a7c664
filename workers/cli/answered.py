"""The answer to "what do I do now?" in a terminal: urgency first, tasks with their commands, what never to do."""

from collections.abc import Iterator

from rich.text import Text

from cluster.answers.model import Answer, Urgency
from cluster.answers.plain import body
from workers.cli.hanging import Hanging
from workers.cli.incident.phases import BAD, FAINT, GOOD, WARN

STYLES: dict[Urgency, str] = {"act now": BAD, "decide": "bold yellow", "watch": WARN, "nothing": GOOD}
WIDTH = 10


def answered(answer: Answer | None, *, head: bool = True, reasons: bool = True) -> Iterator[Hanging]:
    """Line by line; nothing where nothing is to be done. `head`: with the sentence; `reasons`: with evidence."""
    if answer is None or answer.urgency == "nothing":
        return
    if head:
        yield Hanging(Text(), Text(answer.head, style=STYLES[answer.urgency]))
    for label, text in body(answer):
        if not reasons and label in ("why", "revised if"):
            continue
        if label:
            style = BAD if label == "never" else FAINT
            yield Hanging(Text(f"  {label:<{WIDTH}} ", style=style), Text(text, style="default"))
        else:
            yield Hanging(Text(" " * (WIDTH + 5)), Text(text, style="bold"), command=True)
