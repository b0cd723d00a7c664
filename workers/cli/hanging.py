"""Lines that hang: what stands in front keeps its column, and the text beside it wraps into a column of its own.

A file or a pipe gets each as one line. A command is never broken inside a word; where it is broken, the line ends as a
shell wants it, so that it can be copied from a narrow terminal and runs.
"""

import re
from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

# A word of a command, with what is quoted in it.
_WORD = re.compile(r"""(?:'[^']*'|"[^"]*"|[^\s'"]|['"])+""")
# Below so many letters a column is no help.
NARROWEST = 16


class Hanging:
    """A head and its text; `command`: the text is one to be copied."""

    def __init__(self, head: Text, text: Text, *, command: bool = False) -> None:
        self.head, self.text, self.command = head, text, command

    @property
    def one_line(self) -> Text:
        """Unbroken."""
        return self.head.copy().append_text(self.text)

    @property
    def plain(self) -> str:
        """The same without its colours."""
        return self.one_line.plain

    def behind(self, margin: str) -> "Hanging":
        """The same, farther to the right."""
        return Hanging(Text(margin).append_text(self.head), self.text, command=self.command)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """As wide as there is room; on one line where nothing is to be wrapped."""
        width = options.max_width - self.head.cell_len
        if options.no_wrap or width < NARROWEST:
            yield self.one_line
            return
        lines = _commands(self.text, width) if self.command else self.text.wrap(console, width)
        for number, line in enumerate(lines):
            line.rstrip()
            first = self.head.copy() if number == 0 else Text(" " * self.head.cell_len)
            line = first.append_text(line)
            line.no_wrap, line.overflow = True, "ignore"  # a word that is too long stays whole
            yield line


def hanging(text: str | Text, column: int, style: str = "") -> Hanging:
    """A line whose text begins in that column."""
    whole = Text(text, style=style) if isinstance(text, str) else text
    head, rest = whole.divide([column])
    return Hanging(head, rest)


def _commands(text: Text, width: int) -> Iterator[Text]:
    """Broken between words, with a backslash at the end of each line but the last."""
    line = ""
    for word in _WORD.findall(text.plain):
        longer = f"{line} {word}" if line else word
        if line and len(longer) + 2 > width:
            yield Text(f"{line} \\", style=text.style)
            line = word
        else:
            line = longer
    yield Text(line, style=text.style)
