"""Expected beside measured: quorum, fencing node after node, guests one by one, and how each of them stands now.

Times are T+ in seconds of the cluster's own time. T0 is the last proof of life and the loss came up to `uncertain`
seconds later, so being late by less than that proves nothing: it is yellow, and more is red.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from rich.text import Text

from cluster.forecast import Phase
from cluster.moments import Times, t_plus
from cluster.units import seconds
from runbooks.loss import Progress

GOOD, BAD, WARN, FAINT = "green", "bold red", "yellow", "dim"
# Below this a number is as good as on time.
LATE = 1.0

State = Literal["done", "ahead", "due", "late", "failed"]
# What a person must see first.
URGENCY: tuple[State, ...] = ("failed", "late", "due", "ahead", "done")


@dataclass(frozen=True)
class Row:
    """One thing that is expected: of which phase, of whom, when, and when it was. `said`: where, or why not."""

    phase: str
    who: str
    expected: Phase
    measured: float | None = None
    said: str = ""
    failed: bool = False
    proven_late: bool = False  # the time is no measure: that of the proof, or of a return after another outage

    def late_by(self, now: float) -> float:
        """Seconds behind the forecast, 0 when it is not."""
        by = (now if self.measured is None else self.measured) - self.expected.latest
        return by if by >= LATE and not self.proven_late else 0.0

    def state(self, now: float) -> State:
        """How it stands at that time."""
        if self.failed:
            return "failed"
        if self.measured is not None:
            return "done"
        if self.late_by(now):
            return "late"
        return "due" if now >= self.expected.earliest else "ahead"


def rows(progress: Progress) -> list[Row]:
    """Every expectation of the forecast, in the order in which they come true."""
    expected, times = progress.forecast, progress.timeline
    if expected is None or times is None:
        return []
    by_verdict = times.quorum is not None and times.quorum == times.declared
    found = [Row("quorum", "survivor", expected.quorum, times.quorum, proven_late=by_verdict)]
    nodes = sorted(set(progress.guests.values()))
    for node in nodes:
        why = progress.unfenced.get(node, "")
        found.append(Row("fenced", node, expected.fenced, times.fenced.get(node), why, failed="not known" in why))
    back = {one.sid: one for one in progress.back}
    for sid in sorted(progress.guests):
        one, when = back.get(sid), times.running.get(sid)
        failed = one is not None and not one.ok
        if one is not None and one.ok and when is not None:
            said = f"on {one.node}"
        else:
            said = progress.waiting.get(sid, "") or (one.text if one is not None else "")
        again = sum(outage.sid == sid for outage in progress.outages) > 1
        if again and when is not None:
            said = f"{said}, after another outage"
        # what came back once and fell again was not late for that
        found.append(Row("running", sid, expected.running, when, said, failed, proven_late=again))
    return found


def times_of(progress: Progress) -> Times | None:
    """Its clocks, once T0 is known."""
    return Times(t0=progress.timeline.t0, speed=progress.speed) if progress.timeline else None


def gist(progress: Progress, now: float) -> Text:
    """The one thing that everybody asks: are the guests back, and if not, when."""
    guests = [row for row in rows(progress) if row.phase == "running"]
    times = times_of(progress)
    if progress.forecast is None or times is None:
        return Text("The forecast comes once the loss is confirmed.", style=FAINT)
    if not guests:
        return Text("No guest under HA ran there.")
    back = [row.measured for row in guests if row.measured is not None]
    failed, late = (sum(row.state(now) == state for row in guests) for state in ("failed", "late"))
    whole, all_ = f"{len(back)} of {len(guests)} guests run again", len(back) == len(guests)
    said = f"{whole}, the last one at {times.both(max(back))}" if all_ else whole
    text = Text(said, style=GOOD if all_ else "bold")
    if failed:
        text.append(f" · {failed} will not come back by {'itself' if failed == 1 else 'themselves'}", style=BAD)
    others = [outage for outage in progress.outages if outage.until is None and outage.sid not in progress.guests]
    if others:
        text.append(f" · {len(others)} more {'is' if len(others) == 1 else 'are'} down", style=BAD)
    if late:
        by = now - progress.forecast.running.latest
        text.append(f" · {late} {'is' if late == 1 else 'are'} LATE by {span(by)}", style=BAD)
    elif not all_ and len(back) + failed < len(guests):
        latest = progress.forecast.running.latest
        text.append(f" · expected by {times.both(latest)}, in {span(latest - now)}")
    return text


def how(row: Row, now: float, uncertain: float, *, ended: bool) -> Text:
    """How it stands, in words; colour only helps to find them."""
    state, by = row.state(now), row.late_by(now)
    style = BAD if by > uncertain else WARN
    if state == "failed":
        return Text(f"✗ {row.said}", style=BAD)
    if row.measured is not None:
        at = f"{'by ' if row.proven_late else ''}{t_plus(row.measured)}" + (f", {span(by)} late" if by else "")
        return Text.assemble((f"✓ {at}", style if by else GOOD), f" {row.said}" if row.said else "")
    if ended:
        return Text("not seen", style=BAD)
    if state == "late":
        return Text(f"LATE by {span(by)}" + (f": {row.said}" if row.said else ""), style=style)
    if state == "due":
        return Text("due now" + (f": {row.said}" if row.said else ""), style=WARN)
    return Text(f"in {span(row.expected.earliest - now)} at the earliest", style=FAINT)


def scale(found: list[Row], now: float) -> float:
    """Seconds that a bar shows: all that is expected or measured, and some air; a late now pushes it on."""
    ends = [row.expected.latest for row in found] + [row.measured for row in found if row.measured is not None]
    waits = any(row.measured is None and not row.failed for row in found)
    # what is later than twice the forecast needs no ruler any more
    return max([*ends, min(now, 2 * max(ends))] if waits else ends) * 1.08


def bar(row: Row, now: float, end: float, width: int, uncertain: float) -> Text:
    """``━`` is when it is expected, ``●`` when it was, ``│`` is now, ``╍`` is how late it is."""

    def place(at: float) -> int:
        return min(width - 1, max(0, int(at / end * width)))

    cells: list[tuple[str, str]] = [("·", FAINT)] * width
    first, last = place(row.expected.earliest), place(row.expected.latest)
    cells[first : last + 1] = [("━", "cyan")] * (last + 1 - first)
    style = BAD if row.late_by(now) > uncertain else WARN if row.late_by(now) else GOOD
    if row.measured is None and row.state(now) == "late":
        cells[last + 1 : place(now)] = [("╍", style)] * max(0, place(now) - last - 1)
    if now <= end:
        cells[place(now)] = ("│", "bold")
    if row.measured is not None:
        cells[place(row.measured)] = ("●", style)
    text = Text(no_wrap=True)
    for sign, look in cells:
        text.append(sign, style=look)
    return text


def span(length: float) -> str:
    """A length of time in whole seconds: ``12 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = round(max(0.0, length))
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return seconds(timedelta(seconds=whole)) if whole >= 60 else f"{whole} s"
