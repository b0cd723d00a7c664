"""The consoles of the command line: what they print can be read, and does nothing else to a terminal.

Texts that people typed or devices said go through here, whichever command shows them: a requester's name must not move
an approver's cursor. Colours and cursor movements of our own are no part of a text, and stay.
"""

import json
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.highlighter import JSONHighlighter
from rich.segment import Segment
from rich.text import Text

from cluster.visible import visible, visible_json


class PlainConsole(Console):
    """A console that writes out whatever is hidden in a text, and every other letter as it is."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Without pictures for words between colons: ``:AB:`` is a part of a fingerprint, ``:cd:`` of an address."""
        super().__init__(*args, **{"emoji": False, **kwargs})

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of anything that is printed: the one place that every text passes."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else _shown(segment)

    def print(self, *objects: Any, **how: Any) -> None:
        """Texts are made visible before they are laid out as well, so that widths are right."""
        super().print(*(visible(one, keep="\n") if isinstance(one, str) else one for one in objects), **how)

    def tell(self, told: RenderableType, **how: Any) -> None:
        """Wrapped into its column on a terminal; into a file or a pipe as one line."""
        self.print(told, soft_wrap=not self.is_terminal, crop=False, **how)

    def print_json(self, json_text: str | None = None, *, data: Any = None, **_: Any) -> None:  # type: ignore[override]
        """A JSON document that means what it meant, with everything hidden in it as JSON's own escapes."""
        document = json.loads(json_text) if json_text is not None else data
        text = Text(visible_json(json.dumps(document, indent=2, ensure_ascii=False, default=str)), no_wrap=True)
        super().print(JSONHighlighter()(text), soft_wrap=True)


def _shown(segment: Segment) -> Segment:
    """A line's end is the one hidden letter that a segment may hold."""
    if segment.text.isascii() and segment.text.isprintable():
        return segment
    return segment._replace(text=visible(segment.text, keep="\n"))
