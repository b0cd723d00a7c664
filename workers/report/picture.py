"""The timeline as a picture: SVG whose text is text, drawn by matplotlib, the same bytes for the same data.

Nothing in it is told by colour alone: each mark has a shape and a label, and the page has a table with the same marks.
matplotlib is large and slow to import: only who draws imports this module.
"""

import io
import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as Xml

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle
from matplotlib.textpath import TextPath

from cluster.moments import clock_of, t_plus, utc
from cluster.report.model import Band, Mark, Shape, Span, Timeline, Tone
from cluster.report.told import Clock
from cluster.report.words import length
from workers.report.layout import EDGE, GUTTER, HEAD, MARK, WIDTH, Picture, Placed, Row, laid_out

SIZE, SMALL = 12.5, 11.0
# Each colour of the picture stands for one of the page, so that it is right on a dark screen as well.
INK, FAINT, LINE, PAPER, STRIPE = "#16202a", "#55616e", "#c9d1da", "#fffffe", "#f3f5f8"
TONES: dict[Tone, str] = {
    "good": "#0b6b34",
    "bad": "#a80f1d",
    "odd": "#7a4b00",
    "person": "#5b2a9d",
    "plain": "#1f4e8c",
}
FILLS: dict[Tone, str] = {
    "good": "#d6efdd",
    "bad": "#fbd5d8",
    "odd": "#fbe7bd",
    "person": "#e6dbf7",
    "plain": "#d8e5f6",
}
EXPECTED = "#e4e8ee"
NAMES = {INK: "ink", FAINT: "faint", LINE: "line", PAPER: "card", STRIPE: "stripe", EXPECTED: "expected"}
NAMES |= {color: tone for tone, color in TONES.items()} | {color: f"{tone}-fill" for tone, color in FILLS.items()}
SHAPES: dict[Shape, str] = {"seen": "o", "change": "s", "person": "^", "article": "D", "failed": "X"}
# What the shapes mean, for the legend.
MEANS: dict[Shape, str] = {
    "seen": "seen",
    "change": "changed by Quorate",
    "person": "a person",
    "failed": "failed or refused",
    "article": "figure of the article",
}
SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
SETTING: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "quorate",
    "font.family": "DejaVu Sans",
    "font.size": SIZE,
    "hatch.linewidth": 0.6,
    "path.simplify": False,
}


def svg(timeline: Timeline, title: str, about: str) -> str:
    """The picture, to stand inside a page. `title` and `about` are what is read to those who do not see it."""
    picture = laid_out(timeline, _wide)
    with mpl.rc_context(SETTING):
        figure = Figure(figsize=(WIDTH / 72, picture.height / 72), dpi=72)
        FigureCanvasSVG(figure)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, WIDTH)
        axes.set_ylim(picture.height, 0)
        axes.set_axis_off()
        _draw(axes, picture, timeline)
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _finished(out.getvalue(), title, about)


def _wide(text: str, size: float = SIZE) -> float:
    """The width of a text, in pixels, in the widest of the faces that a page may fall back to."""
    if not text:
        return 0.0
    return float(
        TextPath((0, 0), text, size=size, prop=FontProperties(family="DejaVu Sans"), usetex=False).get_extents().width
    )


# --- drawing -----------------------------------------------------------------------------------------------------


def _draw(axes: Axes, picture: Picture, timeline: Timeline) -> None:
    for number, row in enumerate(picture.rows):
        _lane(axes, row, striped=number % 2 == 0)
    _ticks(axes, picture, timeline)
    _cuts(axes, picture)
    for row in picture.rows:
        _band_columns(axes, row)
        for placed in row.placed:
            _thing(axes, placed)
        if not row.placed:
            _text(axes, GUTTER + 8, row.top + row.height / 2, "nothing on record", FAINT, SMALL)
    _legend(axes, picture, timeline)


def _lane(axes: Axes, row: Row, *, striped: bool) -> None:
    if striped:
        _box(axes, 0, row.top, WIDTH, row.height, STRIPE, "none")
    _text(axes, 8, row.top + row.height / 2, row.name, INK, SIZE, weight="bold")


def _ticks(axes: Axes, picture: Picture, timeline: Timeline) -> None:
    clock = Clock(t0=timeline.t0, speed=timeline.speed)
    axes.plot([GUTTER, WIDTH], [picture.bottom] * 2, color=FAINT, linewidth=1)
    for number, at in enumerate(picture.ticks):
        x = picture.x(at)
        (line,) = axes.plot([x, x], [HEAD, picture.bottom + 4], color=LINE, linewidth=1, zorder=0.5)
        line.set_gid(f"tick-{number}")
        label = t_plus(at) if at >= 0 else f"T-{clock_of(-at)}"
        _text(axes, x, picture.bottom + 13, label, INK, SMALL, ha="center")
        _text(axes, x, picture.bottom + 26, utc(clock.when(at), timeline.t0), FAINT, SMALL, ha="center")
    _text(axes, 8, picture.bottom + 13, "since T0", INK, SMALL)
    _text(axes, 8, picture.bottom + 26, "UTC", FAINT, SMALL)


def _cuts(axes: Axes, picture: Picture) -> None:
    """Where time is left out: a column with two waved edges, and how much it is."""
    for piece in picture.axis.pieces:
        if not piece.cut:
            continue
        left, right = picture.x(piece.begin), picture.x(piece.end)
        _box(axes, left, HEAD, right - left, picture.bottom - HEAD + 4, PAPER, "none", zorder=0.8)
        for x in (left, right):
            ys = [HEAD + n * 6 for n in range(int((picture.bottom - HEAD) // 6) + 1)]
            xs = [x + (2 if n % 2 else -2) for n in range(len(ys))]
            axes.plot(xs, ys, color=FAINT, linewidth=0.8, zorder=0.9)
        said = f"{length(piece.end - piece.begin)} left out"
        middle = (HEAD + picture.bottom) / 2
        _text(axes, (left + right) / 2, middle, said, FAINT, SMALL, ha="center", rotation=90)


def _band_columns(axes: Axes, row: Row) -> None:
    """A forecast is seen behind the whole lane."""
    for one in row.placed:
        if isinstance(one.what, Band):
            wide = one.right - one.x
            _box(axes, one.x, row.top, wide, row.height, EXPECTED, FAINT, dashed=True, zorder=0.95, gid=one.key)


def _thing(axes: Axes, one: Placed) -> None:
    match one.what:
        case Band():
            _text(axes, one.text_x, one.y, one.label, FAINT, SMALL, ha=_side(one))
        case Span(tone=tone):
            hatch = "////" if tone == "odd" else None
            wide = one.right - one.x
            _box(axes, one.x, one.y - 7.5, wide, 15, FILLS[tone], TONES[tone], hatch=hatch, zorder=2, gid=one.key)
            color = TONES[tone] if one.inside else INK
            _text(axes, one.text_x, one.y, one.label, color, SIZE, ha=_side(one))
        case Mark(shape=shape, tone=tone):
            article = shape == "article"
            color = FAINT if article else TONES[tone]
            (drawn,) = axes.plot(
                [one.x],
                [one.y],
                marker=SHAPES[shape],
                markersize=2 * MARK - (2.5 if article else 1),
                markerfacecolor=PAPER if article else color,
                markeredgecolor=color,
                markeredgewidth=1.2,
                linestyle="none",
                zorder=4,
            )
            drawn.set_gid(one.key)
            _text(axes, one.text_x, one.y, one.label, FAINT if article else INK, SIZE, ha=_side(one))


def _legend(axes: Axes, picture: Picture, timeline: Timeline) -> None:
    """Which shape means what; only those that are there."""
    x, y = GUTTER, picture.height - 10
    used = {mark.shape for mark in timeline.marks}
    for shape, means in MEANS.items():
        if shape not in used:
            continue
        fill = PAPER if shape == "article" else INK
        axes.plot([x + MARK], [y], marker=SHAPES[shape], markersize=8, color=fill, markeredgecolor=INK)
        _text(axes, x + 2 * MARK + 5, y, means, INK, SMALL)
        x += 2 * MARK + 5 + _wide(means, SMALL) + 18
    if timeline.bands:
        _box(axes, x, y - 6, 16, 12, EXPECTED, FAINT, dashed=True)
        _text(axes, x + 21, y, "forecast", INK, SMALL)
        x += 21 + _wide("forecast", SMALL) + 18
    if x > WIDTH - EDGE:
        raise AssertionError(f"the legend is {x:.0f} pixels wide")


def _side(one: Placed) -> str:
    return "left" if one.anchor == "start" else "right"


def _text(axes: Axes, x: float, y: float, text: str, color: str, size: float, *, ha: str = "left", **more: Any) -> None:
    # a dollar is a dollar: matplotlib would take what stands between two for mathematics
    axes.text(x, y, text, color=color, fontsize=size, ha=ha, va="center_baseline", parse_math=False, zorder=5, **more)


def _box(
    axes: Axes,
    x: float,
    y: float,
    wide: float,
    high: float,
    fill: str,
    edge: str,
    *,
    hatch: str | None = None,
    dashed: bool = False,
    zorder: float = 0.3,
    gid: str | None = None,
) -> None:
    style = (0, (3, 2)) if dashed else "solid"
    box = Rectangle((x, y), wide, high, facecolor=fill, edgecolor=edge, hatch=hatch, linewidth=0.8, linestyle=style)
    box.set_zorder(zorder)
    box.set_gid(gid)
    axes.add_patch(box)


# --- as it stands in a page --------------------------------------------------------------------------------------


def _finished(drawn: str, title: str, about: str) -> str:
    """Without what only a file of its own needs, with what a reader's software reads out, in the page's colours."""
    Xml.register_namespace("", SVG)
    Xml.register_namespace("xlink", XLINK)
    root = Xml.fromstring(drawn)  # noqa: S314 - it is our own picture
    for one in root.findall(f"{{{SVG}}}metadata"):
        root.remove(one)
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.attrib |= {"role": "img", "aria-labelledby": "timeline-title timeline-about", "class": "timeline"}
    for number, (name, text) in enumerate((("title", title), ("desc", about))):
        child = Xml.Element(f"{{{SVG}}}{name}", {"id": f"timeline-{'title' if name == 'title' else 'about'}"})
        child.text = text
        root.insert(number, child)
    for one in root.iter():
        _own_colors(one)
    return Xml.tostring(root, encoding="unicode")


def _own_colors(one: Xml.Element) -> None:
    """Its colours by name, and the page's letters."""
    for name, value in list(one.attrib.items()):
        if name in ("style", "fill", "stroke"):
            one.set(name, re.sub(r"#[0-9a-f]{6}", lambda found: _named(found.group()), _page_font(value)))
    style = one.get("style", "")
    if one.tag.endswith("}style"):
        one.text = (one.text or "").replace("*{", ".timeline *{")
    if one.tag.endswith("}text"):
        one.set("style", style)


def _named(color: str) -> str:
    return f"var(--{NAMES[color]}, {color})" if color in NAMES else color


def _page_font(style: str) -> str:
    return re.sub(r"'DejaVu Sans'[^;]*", "var(--letters, sans-serif)", style)


def colors() -> Iterator[tuple[str, str]]:
    """The names of the picture's colours, as a page has to define them, with what they are on white paper."""
    yield from ((name, color) for color, name in NAMES.items())
