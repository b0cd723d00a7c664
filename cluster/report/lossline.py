"""What the picture shows of a loss, and the table beside it: forecast, the article's figures, what was measured."""

from collections.abc import Iterator

from cluster.forecast import Phase as ForecastPhase
from cluster.moments import clock_of
from cluster.report.loss import Lost
from cluster.report.model import Band, Lane, Mark, Phase, Span, Tone
from cluster.report.told import Clock
from cluster.units import counted, shortly

# What the article measured with a cluster like this one: seconds after the power of a site's hosts went.
ARTICLE: dict[Lane, float] = {"quorum": 10.0, "fencing": 160.0, "guests": 170.0}
# Rows of single guests in the picture; of more, those that were down longest, and the others in one row.
ROWS = 8


def marks(loss: Lost, clock: Clock) -> Iterator[Mark]:
    """What was seen at one moment each: the last sign of life, the verdict, fencing, guests, the return."""

    def mark(lane: Lane, at: float, label: str, text: str, tone: Tone = "good") -> Mark:
        return Mark(lane=lane, at=at, when=clock.when(at), tone=tone, label=label, text=text)

    last = "start of the run: the last sign of life is not known" if loss.assumed else "last sign of life"
    yield mark("power", 0.0, "last sign of life", f"{last} of {place(loss)}", "plain")
    if loss.noticed:
        yield mark("power", loss.noticed, "first sign of the loss", f"first sign of the loss of {place(loss)}", "bad")
    if loss.declared is not None:
        label, text, tone = _power(loss)
        if label:
            yield mark("power", loss.declared, label, text, tone)
        said = f"the loss of {place(loss)} is declared, on settled votes of the nodes that are left"
        yield mark("quorum", loss.declared, f"seen quorate {clock_of(loss.declared)}", f"{said}: they are quorate")
    for node, at in sorted(loss.fenced.items()):
        yield mark("fencing", at, f"{node} fenced {clock_of(at)}", f"{node} is fenced: HA has taken its agent lock")
    for at, label, text in _runs_again(loss):
        yield mark("guests", at, label, text)
    if loss.rejoined is not None:
        many = f"{len(loss.nodes)} nodes are members again"
        said = many if len(loss.nodes) > 1 else f"{loss.nodes[0]} is a member again"
        yield mark("nodes", loss.rejoined, said, f"{said}: {', '.join(loss.nodes)}" if len(loss.nodes) > 1 else said)


def _power(loss: Lost) -> tuple[str, str, Tone]:
    """What is known of the machines' power when the loss was declared."""
    dark = [one for one in loss.silent if one.endswith("(bmc)") and one.removesuffix(" (bmc)") in loss.nodes]
    if dark:
        said = f"{counted(len(dark), 'management controller is', 'management controllers are')} silent"
        return said, f"{said}: whether the machines have power is not known", "odd"
    return "", "", "plain"


def _runs_again(loss: Lost) -> Iterator[tuple[float, str, str]]:
    """Each guest; of many the first, the middle and the last one, with how many ran by then."""
    order = sorted(loss.running.items(), key=lambda one: (one[1], loss.guests.index(one[0])))
    if len(order) <= ROWS:
        for sid, at in order:
            there = loss.runs_on.get(sid, "")
            yield at, f"{sid} runs {clock_of(at)}", f"{sid} runs again{f' on {there}' if there else ''}"
        return
    for n in (0, len(order) // 2, len(order) - 1):
        at = order[n][1]
        by_then = sum(when <= at for _, when in order)
        said = f"{by_then} of {len(loss.guests)} guests run"
        yield at, f"{said} {clock_of(at)}", said


def spans(loss: Lost, clock: Clock) -> Iterator[Span]:
    """What lasted: the doubt about the moment of the loss, the absence of the nodes, the outages of guests."""
    if loss.nodes:
        text = f"{', '.join(loss.nodes)} {'are no members' if len(loss.nodes) > 1 else 'is no member'}"
        label = f"{counted(len(loss.nodes), 'node')} gone"
        yield Span(lane="nodes", begin=0.0, end=loss.rejoined, tone="bad", label=label, text=text)
    if loss.uncertain:
        said = "in this time the loss came"
        text = f"{said}: between the last sign of life and the first sign of the loss"
        yield Span(lane="power", begin=0.0, end=loss.uncertain, tone="odd", label=said, text=text)
    yield from _outages(loss, clock)


def _outages(loss: Lost, clock: Clock) -> Iterator[Span]:
    """A row for each guest; where there are many, for those that were down longest, and one for all others."""
    rows = sorted({one.sid for one in loss.outages}, key=lambda sid: (-_down(loss, sid), loss.guests.index(sid)))
    single = rows if len(rows) <= ROWS + 1 else rows[:ROWS]
    for one in loss.outages:
        if one.sid not in single:
            continue
        home, begin, end = loss.homes.get(one.sid, ""), clock.at(one.begin), clock.at(one.until) if one.until else None
        text = f"{one.sid} runs nowhere" + (f", it ran on {home}" if home else "")
        if one.times > 1:
            text += f": {one.times} outages told in one"
        row = f"{single.index(one.sid):03d}"
        yield Span(lane="guests", begin=begin, end=end, tone="bad", label=f"{one.sid} down", text=text, row=row)
    others = [one for one in loss.outages if one.sid not in single]
    if others:
        begin = min(clock.at(one.begin) for one in others)
        over = [clock.at(one.until) for one in others if one.until]
        end = max(over) if len(over) == len(others) else None
        label = f"{counted(len({one.sid for one in others}), 'other guest')} down, the last one until here"
        yield Span(lane="guests", begin=begin, end=end, tone="bad", label=label, text=label, row="999")


def _down(loss: Lost, sid: str) -> float:
    mine = [one for one in loss.outages if one.sid == sid]
    return float("inf") if any(one.until is None for one in mine) else sum(one.lasted for one in mine)


def bands(loss: Lost) -> Iterator[Band]:
    """The forecast."""
    expected = loss.forecast
    if expected is None:
        return
    rows: tuple[tuple[Lane, ForecastPhase, str], ...] = (
        ("quorum", expected.quorum, "votes settle"),
        ("fencing", expected.fenced, "nodes are fenced"),
        ("guests", expected.running, "guests run again"),
    )
    for lane, phase, what in rows:
        if lane == "guests" and not loss.guests:
            continue
        yield Band(lane=lane, earliest=phase.earliest, latest=phase.latest, text=f"forecast: {what} {phase}")


def applies(loss: Lost) -> bool:
    """The article lost all hosts of one site; its figures say nothing of other losses."""
    return loss.whole


def article(loss: Lost, clock: Clock) -> Iterator[Mark]:
    """Its figures, where they apply."""
    if not applies(loss):
        return
    said: dict[Lane, str] = {
        "quorum": "quorum survives",
        "fencing": "fencing complete",
        "guests": "guests run on the other site",
    }
    for lane, at in ARTICLE.items():
        if lane == "guests" and not loss.guests:
            continue
        text = f"the article's own test: {said[lane]}"
        yield Mark(lane=lane, at=at, when=None, shape="article", label=f"article {clock_of(at)}", text=text)


def phases(loss: Lost) -> Iterator[Phase]:
    """Forecast beside measured."""
    expected, article = loss.forecast, ARTICLE if applies(loss) else {}
    q, f, r = (expected.quorum, expected.fenced, expected.running) if expected else (None, None, None)
    rows: tuple[tuple[str, Lane, ForecastPhase | None, float | None], ...] = (
        ("Votes settle, the rest is quorate", "quorum", q, loss.declared),
        ("Nodes fenced", "fencing", f, max(loss.fenced.values(), default=None)),
        ("All guests run again", "guests", r, None if loss.not_back else max(loss.running.values(), default=None)),
    )
    for name, lane, phase, measured in rows:
        tone, said = _beside(lane, phase.latest if phase else None, measured, loss)
        yield Phase(
            name=name,
            article=article.get(lane),
            earliest=phase.earliest if phase else None,
            latest=phase.latest if phase else None,
            measured=measured,
            said=said,
            tone=tone,
        )


def _beside(lane: str, latest: float | None, measured: float | None, loss: Lost) -> tuple[Tone, str]:
    if measured is None:
        return _unmeasured(lane, loss)
    if lane == "quorum":
        # the verdict waits for settled votes of two vantage points: it says when they were seen, not when they settled
        return "plain", "seen with the first verdict; the votes had settled by then"
    if latest is None:
        return "plain", "no forecast is known"
    more = f"; {counted(len(loss.unfenced), 'node')} not fenced" if lane == "fencing" and loss.unfenced else ""
    if measured <= latest:
        return "good", f"within the forecast{more}"
    return "odd", f"later than the forecast by {measured - latest:.0f} s"


def _unmeasured(lane: str, loss: Lost) -> tuple[Tone, str]:
    if lane == "fencing" and loss.unfenced:
        return "plain", f"not seen: {shortly(sorted(set(loss.unfenced.values())), 2)}"
    if lane == "guests" and loss.not_back:
        return "bad", f"{counted(len(loss.not_back), 'guest')} not back: {shortly(sorted(loss.not_back))}"
    if lane == "guests" and not loss.guests:
        return "plain", "no guest under HA ran there"
    return "plain", "not known"


def place(loss: Lost) -> str:
    """What was lost, in words."""
    # which hosts they are stands in the inventory, and that may not be read yet
    some = ", ".join(loss.nodes) or f"hosts of {loss.site or 'a site that is not known'}"
    return f"all {len(loss.nodes)} hosts of {loss.site}" if loss.whole else some
