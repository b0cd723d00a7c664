"""What people typed and devices said reaches terminals and pages as plain text, whatever is in it."""

import io
import json
import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from cluster.visible import visible, visible_json
from workers.cli.console import PlainConsole
from workflows.page import Question, Section, Sheet, StepRecord, render, safe, sentence

CALM = settings(deadline=None)  # a busy machine is no finding
# Everything, and often what does harm.
EVIL = st.sampled_from(
    ["\x1b[2J", "\x1b]8;;http://evil\x07", "\x9b31m", "\u202e", "\u2066", "\u200b", "\r", "\n", "\x00", "\U000e0041",
     "[x](http://evil.example)", "![x](http://evil.example)", "<script>", "<img src=x>", "`", "``", "\\", "\\[x\\](y)",
     "https://evil.example", "www.evil.example", "<https://evil.example>", "a@evil.example", "mailto:a@evil.example",
     "# x", "|", "$", "&rlm;", "&#91;", "[x]: http://evil", "**", "~~", "--", "[bold]", "[/]", "[link=http://evil]x[/link]"]
)  # fmt: skip
ANY = st.lists(
    st.one_of(EVIL, st.text(max_size=8), st.text(alphabet="[]()`\\<>!hw tp:/.a", max_size=12)), max_size=8
).map("".join)
HARMFUL = {"Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"}


def plain(text: str) -> str:
    """What `safe` was given, as far as it was not cut."""
    return re.sub(r"\\([\\`\[\]<>&|$*~#])", r"\1", text.replace("\u2060", "")).replace("- -", "--")


def harmful(text: str, but: str = "") -> list[str]:
    return [one for one in text if unicodedata.category(one) in HARMFUL and one not in but]


def test_a_console_makes_no_pictures_of_fingerprints_and_addresses():
    """A person compares each letter."""
    screen = io.StringIO()
    PlainConsole(file=screen, width=80).print("SHA-256 AB:CD:AB:00 at [fe80::cd:1]", markup=False, soft_wrap=True)
    assert screen.getvalue() == "SHA-256 AB:CD:AB:00 at [fe80::cd:1]\n"


@CALM
@given(text=ANY)
def test_nothing_hidden_is_left_in_a_text(text: str):
    """And what can be seen stays as it is."""
    shown = visible(text)
    assert not harmful(shown)
    assert visible(shown) == shown
    assert [one for one in text if not harmful(one)] == [one for one in text if one in shown and not harmful(one)]


@CALM
@given(text=ANY)
def test_a_console_prints_nothing_hidden(text: str):
    """As a string, as a text, in a table; escapes of the console's own begin with a colour and end with none."""
    screen = io.StringIO()
    console = PlainConsole(file=screen, force_terminal=True, color_system=None, width=200)
    console.print(escape(text), soft_wrap=True)
    console.print(Text(text))
    table = Table()
    table.add_column("a")
    table.add_row(Text(text))
    console.print(table)
    assert not harmful(re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue()), but="\n")


@CALM
@given(data=st.dictionaries(ANY, st.one_of(ANY, st.integers(), st.lists(ANY, max_size=3)), max_size=3))
def test_a_json_document_means_what_it_meant(data: dict[str, object]):
    """With nothing hidden in it."""
    screen = io.StringIO()
    PlainConsole(file=screen, width=80).print_json(data=data)
    assert json.loads(screen.getvalue()) == data
    assert not harmful(screen.getvalue(), but="\n")
    assert json.loads(visible_json(json.dumps(data, ensure_ascii=False))) == data


def flat(tokens: list[Token]) -> list[Token]:
    return [one for token in tokens for one in (token, *flat(token.children or []))]


MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
ALIVE = {
    "link_open",
    "image",
    "html_inline",
    "html_block",
    "code_inline",
    "fence",
    "code_block",
    "heading_open",
    "s_open",
}


@CALM
@given(text=ANY)
def test_a_text_is_plain_text_to_markdown(text: str):
    """No link, picture, code, HTML; what is read is what was said, once its spaces are put together."""
    tokens = flat(MARKDOWN.parse(f"- {safe(text)}\n\nend\n"))
    assert not ALIVE & {token.type for token in tokens}
    assert not re.search(r"://|www\.|\w@\w|mailto:[^\s\u2060]", safe(text))
    assert not harmful(safe(text), but="\u2060")


@CALM
@given(text=ANY)
def test_a_sentence_of_ours_has_nothing_alive_in_it_but_our_own(text: str):
    """Emphasis and code are ours; links, pictures, HTML are never."""
    tokens = {token.type for token in flat(MARKDOWN.parse(f"**Paused by {sentence(text)}. Send `resume`.**\n"))}
    assert not tokens & (ALIVE - {"code_inline"})


@CALM
@given(text=st.text(alphabet="abc []()`\\<>&|$*~#!", max_size=40))
def test_what_was_made_safe_can_be_read_back(text: str):
    """As far as it was short enough."""
    assert plain(safe(text)) == " ".join(text.replace("- -", "--").split(" ")).strip() or "  " in text


@CALM
@given(texts=st.lists(ANY, min_size=6, max_size=6))
def test_a_page_of_such_texts_is_a_page(texts: list[str]):
    """Headline, sentence, question, note, title and finding: the links that are in it are its own."""
    headline, now, title, message, note, skip = texts
    page = render(
        Sheet(
            headline=headline, now=now, notes=(note,),
            questions=(Question(step=title, word="Rejected", message=message, skip=skip),),
            sections=[Section(title="s", steps=[StepRecord(title=title, state="parked", at=0, finding=message)])],
            links=(("History", "/namespaces/default/x"),),
        )
    )  # fmt: skip
    tokens = flat(MARKDOWN.parse(page))
    assert [one.attrs["href"] for one in tokens if one.type == "link_open"] == ["/namespaces/default/x"]
    assert not {"image", "html_inline", "html_block"} & {one.type for one in tokens}
    assert len(page.encode()) < 3100


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("pxmx01-01: 4 of 7 votes, 100 %", "pxmx01-01: 4 of 7 votes, 100 %"),
        ("vm_300 is in lvm_thin", "vm_300 is in lvm_thin"),
        ("array 'X90R3-SiteA' says \"no\"", "array 'X90R3-SiteA' says \"no\""),
        ("ana\x1b[2J", "ana\\\\x1b\\[2J"),
        ("see [this](http://evil)", "see \\[this\\](http:\u2060//evil)"),
    ],
)
def test_ordinary_texts_stay_as_they_are(text: str, shown: str):
    """Names, numbers and quotes of devices need no escapes."""
    assert safe(text) == shown
