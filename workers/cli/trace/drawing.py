"""A trace as people read it in a terminal: its tree, what the end was waiting for, where the time went."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from cluster.spans.model import Moment, Span
from cluster.spans.path import Stretch, critical_path, on_path
from cluster.spans.spent import ATTEMPT, Spent, doing, spent
from cluster.spans.tree import Tree
from cluster.units import counted, seconds
from cluster.visible import visible

CRITICAL = "*"
FAILED, STOPPED, OPEN, MOMENT = "✗", "■", "…", "·"
STYLE = {FAILED: "bold red", STOPPED: "dim", OPEN: "yellow"}
# What is shown of the hosts of a trace; those with the most time come first.
ROWS = 12
NANO = 1_000_000_000
# Letters of the longest time, "59 min 59 s"; and a text that is narrower than this is no text.
TOOK, NARROWEST = 11, 16


class Row:
    """One line of the tree: how long, whether on the path, where in the tree, and what.

    A text that is too long goes on below itself, beside the lines of the tree; into a file it is one line.
    """

    def __init__(self, took: str, critical: bool, guides: tuple[str, str], text: Text) -> None:
        """`guides` stand before the first line of the text, and before those that follow."""
        self._head = Text().append(f"{took:>{TOOK}} ", style="dim")
        self._head.append(f"{CRITICAL if critical else ' '} ", style="bold")
        self._guides, self._text = guides, text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """As wide as there is room."""
        first, after = self._guides
        width = options.max_width - self._head.cell_len - len(first)
        lines = [self._text] if options.no_wrap or width < NARROWEST else self._text.wrap(console, width)
        for number, line in enumerate(lines):
            line.rstrip()
            head = self._head.copy() if number == 0 else Text(" " * self._head.cell_len)
            whole = head.append(first if number == 0 else after, style="dim").append_text(line)
            whole.no_wrap, whole.overflow = True, "ignore"
            yield whole


class View:
    """One trace, read once."""

    def __init__(self, tree: Tree, *, whole: bool = False) -> None:
        """With `whole` each call has a line of its own."""
        self.tree, self.whole = tree, whole
        self.path = critical_path(tree)
        self.critical = on_path(self.path, tree)
        self.spent = spent(tree, self.path)

    def rows(self) -> Iterator[Row]:
        """Each root with everything below it."""
        for root in self.tree.roots:
            yield self._row([root], ("", ""))
            yield from self._below(root, "")

    def table(self) -> Table:
        """Where the time went."""
        table = Table(box=None, padding=(0, 0, 0, 2))
        table.add_column("", overflow="fold")
        for heading in ("spans", "own time", "on the path", "share"):
            table.add_column(heading, justify="right", no_wrap=True)
        whole = max(sum(stretch.took for stretch in self.path), 1)
        for row in (*self.spent[:ROWS], *_rest(self.spent[ROWS:])):
            table.add_row(
                visible(row.what),
                str(row.spans),
                took(row.own),
                took(row.critical),
                f"{100 * row.critical / whole:.0f} %",
            )
        return table

    def _below(self, span: Span, before: str) -> Iterator[Row]:
        moments = [one for one in span.moments if self.whole or one.name != "exception"]
        groups: dict[tuple[object, ...], list[Span]] = {}
        for child in self.tree.children(span):
            groups.setdefault(self._together(child), []).append(child)
        below: list[Moment | list[Span]] = sorted([*moments, *groups.values()], key=_when)
        for number, one in enumerate(below, 1):
            last = number == len(below)
            guides = (before + ("└─ " if last else "├─ "), before + ("   " if last else "│  "))
            if isinstance(one, Moment):
                yield Row("", False, guides, _moment(one))
                continue
            yield self._row(one, guides)
            if len(one) == 1:
                yield from self._below(one[0], guides[1])

    def _row(self, spans: list[Span], guides: tuple[str, str]) -> Row:
        """Of one span, or of calls that make one line."""
        critical = any(span.id in self.critical for span in spans)
        long = took(self.tree.took_of(spans))
        return Row(long, critical, guides, self._told(spans[0]) if len(spans) == 1 else self._counted(spans))

    def _together(self, span: Span) -> tuple[object, ...]:
        """Calls to one host make one line, those that failed in one word another one."""
        what, where = doing(span, self.tree)
        if self.whole or what not in ("api", "command") or span.end is None or self.tree.children(span):
            return (span.id,)
        return (what, where, span.word)

    def _counted(self, calls: list[Span]) -> Text:
        what, where = doing(calls[0], self.tree)
        call, on = ("API call", "to") if what == "api" else ("command", "on")
        name = f"{counted(sum(one.times for one in calls), call)} {on} {visible(where)}"
        if not calls[0].failed:
            return Text(name)
        return (
            Text(f"{FAILED} ", style=STYLE[FAILED]).append(name, style="default").append(f"  {visible(calls[0].word)}")
        )

    def _told(self, span: Span) -> Text:
        label = Text()
        mark = _mark(span)
        if mark:
            label.append(f"{mark} ", style=STYLE[mark])
        label.append(visible(_name(span)))
        if finding := str(span.attributes.get("quorate.finding", "")):
            label.append(f": {visible(finding)}")
        if span.failed:
            label.append(f"  {visible(span.word)}", style=STYLE[mark])
        if span.end is None:
            label.append("  (has not ended)", style=STYLE[OPEN])
        return label


def _mark(span: Span) -> str:
    if span.failed:
        return STOPPED if span.stopped else FAILED
    return OPEN if span.end is None else ""


def _name(span: Span) -> str:
    """With the attempt, where it is a later one or has failed; of calls that failed alike, how many."""
    attempt = span.attributes.get(ATTEMPT)
    if attempt is not None and (int(attempt) > 1 or (span.failed and not span.stopped)):
        return f"{span.name}, attempt {attempt}"
    if not span.folded:
        return span.name
    return f"{span.name}, {counted(span.times, 'time')}" if span.end else f"{span.name}, again and again"


def _when(one: Moment | list[Span]) -> int:
    return one.at if isinstance(one, Moment) else one[0].start


def _moment(moment: Moment) -> Text:
    """With the finding, where it is a line of the page; else with all that is known of it."""
    known = {key.removeprefix("quorate."): value for key, value in moment.attributes.items()}
    said = str(known.get("finding", "")) or ", ".join(f"{key} {value}" for key, value in known.items())
    told = f"{MOMENT} {clock(moment.at)} {moment.name}{f': {said}' if said else ''}"
    return Text(visible(told), style="dim")


def _rest(rows: tuple[Spent, ...]) -> Iterable[Spent]:
    if rows:
        total = {name: sum(getattr(row, name) for row in rows) for name in ("spans", "own", "critical")}
        yield Spent(doing="other", where=counted(len(rows), "other row"), **total)


def took(nanoseconds: int) -> str:
    """As people read it."""
    return seconds(timedelta(microseconds=nanoseconds / 1000))


def clock(nanoseconds: int) -> str:
    """The time of day in UTC."""
    return f"{datetime.fromtimestamp(nanoseconds / NANO, UTC):%H:%M:%S}"


def day(nanoseconds: int) -> str:
    """Day and time in UTC."""
    return f"{datetime.fromtimestamp(nanoseconds / NANO, UTC):%Y-%m-%d %H:%M:%S} UTC"


def stretches(path: Iterable[Stretch], tree: Tree) -> list[dict[str, object]]:
    """The critical path as plain data."""
    return [
        {
            "span": stretch.span or None,
            "name": tree.spans[stretch.span].name if stretch.span else None,
            "seconds": stretch.took / NANO,
        }
        for stretch in path
    ]
