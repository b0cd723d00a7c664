"""The page, the Markdown and the JSON: self-contained, the same each time, and deaf to what names contain."""

import json
import re
from html.parser import HTMLParser

import pytest

from cluster.report.compose import report
from cluster.report.model import Report
from cluster.report.reading import read
from tests.report.recorded import DAY_AFTER, later, lines, told
from workers.report.html import html
from workers.report.layout import laid_out
from workers.report.markdown import markdown, plain

# Elements that are never closed.
VOID = {"meta", "link", "br"}
HOSTILE = "<script>alert(1)</script>\x1b[2J\u202e & | `x` $a$ [l](http://evil)"


class Parts(HTMLParser):
    """The elements of a page with their attributes, the text beside them, and what is not closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.open += [tag] if tag not in VOID else []

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def ids(self) -> list[str]:
        return [str(attributes["id"]) for _, attributes in self.elements if "id" in attributes]


@pytest.fixture(scope="module")
def made() -> Report:
    return report(told("0.2/site-loss-followed"), [told("0.2/watch-of-both")])


@pytest.fixture(scope="module")
def page(made: Report) -> str:
    return html(made)


def test_the_page_loads_nothing_from_anywhere(page: str):
    """No address but those inside it; no script; and a policy that forbids both."""
    parts = Parts(page)
    addresses = [
        value
        for tag, attributes in parts.elements
        for name, value in attributes.items()
        if name in ("href", "src", "xlink:href", "action", "data", "poster", "srcset")
    ]

    assert {str(one)[:1] for one in addresses if one != "data:,"} == {"#"}
    assert [tag for tag, _ in parts.elements if tag in ("script", "iframe", "object", "img")] == []
    assert re.findall(r"url\((?!#)|@import|https?://(?!www\.w3\.org/)", page) == []
    assert "default-src 'none'" in page


def test_the_page_is_whole(page: str):
    """Each element that is opened is closed in its place, and no name is given twice."""
    parts = Parts(page)

    assert parts.open == []
    assert len(parts.ids()) == len(set(parts.ids()))


def test_the_same_record_gives_the_same_bytes(made: Report, page: str):
    """No time of writing, no random name in the picture."""
    again = report(told("0.2/site-loss-followed"), [told("0.2/watch-of-both")])

    assert html(again) == page
    assert markdown(again) == markdown(made)


def test_the_page_says_the_five_sentences_and_every_mark(made: Report, page: str):
    """What the picture shows stands in a table as well."""
    text = " ".join(Parts(page).text.split())

    for sentence in (*made.sentences, *(mark.text for mark in made.timeline.marks)):
        assert " ".join(sentence.split()) in text


def test_the_letters_of_the_picture_are_text(page: str):
    """Whoever searches the page finds them, and a screen draws them as sharp as the rest."""
    drawing = page[page.index("<svg") : page.index("</svg>")]

    assert "pxmx01-02 fenced 03:10</text>" in drawing
    assert 'role="img"' in drawing
    assert "<desc" in drawing
    assert "<title" in drawing


def test_each_mark_is_drawn_with_a_name(made: Report, page: str):
    """By which a test, or a style, finds it."""
    ids = set(Parts(page).ids())

    assert {f"mark-{number}" for number, _ in enumerate(made.timeline.marks)} <= ids
    assert {f"span-{number}" for number, _ in enumerate(made.timeline.spans)} <= ids
    assert {f"band-{number}" for number, _ in enumerate(made.timeline.bands)} <= ids


def test_hostile_names_are_only_letters():
    """A guest, a voter and a reason that are HTML, control characters, mathematics and Markdown."""
    known = lines("0.2/failback-signed")
    bent = [
        line.model_copy(update={"data": line.data | {"by": HOSTILE, "taken": False, "sentence": HOSTILE}})
        if line.kind == "vote"
        else line
        for line in known
    ]
    hostile = report(read(bent))
    page, text = html(hostile), markdown(hostile)

    assert [tag for tag, _ in Parts(page).elements if tag == "script"] == []
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert {letter for letter in page + text if letter in "\x1b\u202e"} == set()
    assert "<script>" not in text
    assert "](http" not in text


@pytest.mark.parametrize("name", ["failback-signed", "deploy-apply", "incident-explained", "cold-start", "deploy-plan"])
def test_other_runs_have_a_page_as_well(name: str):
    """Whole, and with their plan where they have one."""
    made = report(told(f"0.2/{name}"))
    parts = Parts(html(made))

    assert parts.open == []
    assert made.title in parts.text
    assert (made.plan in parts.text, "Changes" in parts.text) == (True, bool(made.planned or made.made))


def test_a_rehearsal_says_so_first(page: str):
    """Its seconds are no seconds of the wall."""
    assert "The cluster's time ran 10 times as fast" in " ".join(Parts(page).text.split()).replace("&#39;", "'")


def test_no_label_of_the_picture_lies_over_another():
    """Neither in a loss with its way home, where all lanes are full."""
    run = told("0.2/site-loss-followed")
    full = report(run, [read(later(lines("0.2/failback-signed"), DAY_AFTER, incident=run.run))])
    wide = 6.5  # pixels of a letter, about
    picture = laid_out(full.timeline, lambda text: len(text) * wide)
    boxes = [
        (one.y, one.text_x - (len(one.label) * wide if one.anchor == "end" else 0), one.text_x + len(one.label) * wide)
        for row in picture.rows
        for one in row.placed
        if one.anchor == "start"
    ]
    over = [
        (one, other)
        for number, one in enumerate(boxes)
        for other in boxes[number + 1 :]
        if one[0] == other[0] and one[1] < other[2] and other[1] < one[2]
    ]

    assert over == []


def test_markdown_says_the_same():
    """The beginning of it, as a ticket would show it."""
    text = markdown(report(told("0.2/failback-signed")))

    assert text.splitlines()[:7] == [
        "# Guests went home to site-b",
        "",
        "pxmx-cluster · done · 2026-11-28 00:52:53 UTC to 2026-11-28 00:53:07 UTC",
        "Run `Failback/9b2a673a`",
        "",
        "**A rehearsal.** The cluster's time ran 40 times as fast as the clock on the wall; UTC is the wall's.",
        "",
    ]
    assert (
        "| 2026-11-28 00:52:58 UTC | cleo | SHA256:P7QORNw7PyMniGm5T9cDTxVsRM9e9xenrdPbrzOJcJI | approve, 1 Bring 2 "
        "guests home to site-b | accepted |" in text.splitlines()
    )


def test_what_markdown_would_take_for_more_stays_letters():
    """A cell stays one cell."""
    assert plain("a|b <c> [d](e)") == r"a\|b \<c\> \[d\]\(e\)"


def test_json_holds_everything(made: Report):
    """And can be read back."""
    assert Report.model_validate(json.loads(made.model_dump_json())) == made
