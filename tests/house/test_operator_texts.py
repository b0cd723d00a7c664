"""What an operator reads is said in the field's words: no private dialect, no riddle, no sign with two meanings."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from cluster.answers import advice as advised
from cluster.conditions import Kind
from tests.rooms import ROOT
from workflows.page import SIGNS

# The twin is the outside world, which speaks as Proxmox and Purity do; what its operator starts is in `lab/control`.
ROOMS = ("activities", "cluster", "runbooks", "workers", "workflows", "lab/control")
# Pages for operators and developers; references quote vendors, decisions are history, the rest is about the code.
PAGES = sorted({*(ROOT / "docs").glob("*.md"), ROOT / "README.md"} - {ROOT / "docs" / "coverage.md"})
# Each with what is said instead.
DIALECT = {
    r"wish(es|ed|ing)?": "requested, or what the inventory says",
    r"mend(s|ed|ing)?": "fix",
    r"yeses": "approvals",
    r"counts no more": "is no longer valid",
    r"would change its mind": "revised if",
    r"somebody|someone|anybody|anyone|everybody|everyone|nobody|no one": "who acts, by name: operator, approver, HA",
    r"anew": "again",
    r"of its own accord": "automatic",
    r"thaw(s|ed)?|frozen?": "disable, restore",
    r"turn(s|ed|ing)? (switches |it |this one |one |what .{1,30} )?off|turned on": "disable, restore",
    r"(is|are|be|been|was|were) set back|sets (it|them|that|the switches) back": "restored",
    r"nothing stands in the way": "no incident or other run is in the way",
    r"how things stand": "the state of the cluster",
    r"designed (is|are)": "the design has",
    r"com(e|es|ing) to (its|their|an) end": "end",
    r"another hand|by reflex|with the site lit|does not come along": "who did what",
    r"have agreed already|had agreed": "approved",
    r"silence is a no|say nothing": "what happens when the time is over",
    r"is at work|be at work": "runs",
}
# Texts that approvers sign: their wording is a format, and another one would be another text.
SIGNED = {"cluster/approval.py"}
LONGEST_TITLE = 72
# Where signs are drawn; anywhere else a text would give one of them a meaning of its own.
DRAWN = {"workflows/page.py"}


def texts_of(source: str) -> Iterator[tuple[int, str]]:
    """Every text but docstrings, of which a command's is its `--help`; the parts of an f-string are one text."""
    tree = ast.parse(source)
    docs = {id(found) for node in ast.walk(tree) if (found := docstring(node)) is not None and not is_command(node)}
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield node.lineno, written(node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs | parts:
            yield node.lineno, node.value


def literals() -> Iterator[tuple[str, int, str]]:
    """Every text in the code that an operator may read: file, line, text."""
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            for line, text in texts_of(path.read_text()):
                yield str(path.relative_to(ROOT)), line, text


def is_command(node: ast.AST) -> bool:
    """What Typer takes as a command or a group of them."""
    makers = node.decorator_list if isinstance(node, ast.FunctionDef) else []
    return any(re.search(r"\.(command|callback)\(", ast.unparse(maker)) for maker in makers)


def docstring(node: ast.AST) -> ast.Constant | None:
    if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return None
    first = node.body[0] if node.body else None
    value = first.value if isinstance(first, ast.Expr) else None
    return value if isinstance(value, ast.Constant) else None


@cache
def said() -> list[tuple[str, int, str]]:
    """Sentences and parts of sentences: a text with a blank in it."""
    return [one for one in literals() if " " in one[2].strip()]


@cache
def printed() -> list[tuple[str, int, str]]:
    """The lines of the pages, without what stands in blocks and between backticks: names, commands and their output."""
    found = []
    for page in PAGES:
        plain = re.sub(
            r"^( *)```.*?^\1```$", lambda block: "\n" * block[0].count("\n"), page.read_text(), flags=re.M | re.S
        )
        plain = re.sub(r"`[^`\n]*`", "", plain)
        found += [
            (str(page.relative_to(ROOT)), number, line) for number, line in enumerate(plain.splitlines(), start=1)
        ]
    return found


def spoken(word: str, texts: list[tuple[str, int, str]]) -> list[str]:
    """Where that word is said."""
    pattern = re.compile(rf"\b({word})\b", re.IGNORECASE)
    return [f"{file}:{line}: {text[:80]}" for file, line, text in texts if pattern.search(text)]


@pytest.mark.parametrize("word", DIALECT)
def test_no_text_speaks_our_dialect(word: str):
    """The right-hand side of the table says what to write instead."""
    assert spoken(word, said()) == [], DIALECT[word]


@pytest.mark.parametrize("word", DIALECT)
def test_no_page_speaks_our_dialect(word: str):
    """What is told of a message uses the message's words."""
    assert spoken(word, printed()) == [], DIALECT[word]


PLANTED = [
    'line = run.step("Everybody is asked", look)',
    'raise ApplicationError(f"{sid} is frozen")',
    'why = "the switch "\n    f"was turned off by {run}"',
    'why = ("it is ready, "\n    "or somebody has to say so")',
    'skip = f"{count} switches are set back"',
    'text = f"designed are {votes}"',
]


@pytest.mark.parametrize("source", PLANTED)
def test_a_planted_text_is_found(source: str):
    """Also at the beginning of a sentence, and in one that is put together from parts."""
    source = source if source.count("\n") == 0 else source.replace("= ", "= (", 1) + ")"
    texts = [("planted", line, text) for line, text in texts_of(source)]

    assert any(spoken(word, texts) for word in DIALECT)


def test_help_is_read_and_other_docstrings_are_not():
    """A command's docstring is its help; any other one is for who reads the code."""
    source = 'def show() -> None:\n    """Show what somebody has done."""\n'

    assert [text for _, text in texts_of(source)] == []
    assert "Show what somebody has done." in dict(texts_of(f'@app.command("show")\n{source}')).values()


def test_what_is_gone_over_is_not_empty():
    """A room that is renamed would be gone over no more."""
    rooms = {file.rpartition("/")[0] for file, _, _ in said()}

    assert {
        "runbooks",
        "workflows",
        "cluster",
        "cluster/judging",
        "activities/ha",
        "workers/cli",
        "lab/control",
    } <= rooms
    assert len(said()) > 2000
    assert len(PAGES) >= 12
    assert len(printed()) > 1500


# --- advice --------------------------------------------------------------------------------------------------------

ADVICE = {**{(kind, ""): one for kind, one in advised._KINDS.items()}, **advised._CASES}


@pytest.mark.parametrize("case", ADVICE, ids=" ".join)
def test_advice_says_what_to_do(case: tuple[Kind, str]):
    """A number or *never* stands before it: an order fits there, a noun or a state does not."""
    advice = ADVICE[case]
    orders = [*(task.do for task in advice.do), *filter(None, [advice.never])]

    assert [one for one in orders if re.match(r"(no|not|the|a|an|(?!bring )\w+ing|planned|pvecm) ", one)] == []
    assert [
        one for one in (*orders, advice.alone) if one.endswith(".") or (one[:1].isupper() and one[:2] != "HA")
    ] == []


# --- titles --------------------------------------------------------------------------------------------------------


def titles() -> Iterator[tuple[str, int, str]]:
    """The titles of steps and lines, with `…` for what is filled in."""
    for room in ("runbooks", "workflows"):
        for path in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                    text = written(node.args[0])
                    if node.func.attr in ("step", "line", "section") and text:
                        yield str(path.relative_to(ROOT)), node.lineno, text


def written(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def waits() -> Iterator[tuple[str, int, str]]:
    """What a line is called while it is under way."""
    for room in ("runbooks", "workflows"):
        for path in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                for given in node.keywords if isinstance(node, ast.Call) else ():
                    if given.arg == "waiting" and (text := written(given.value)):
                        yield str(path.relative_to(ROOT)), given.value.lineno, text


def test_titles_are_short_and_stand_for_themselves():
    """One line of a page; it begins with a capital letter or a name, and a title is no sentence with a full stop."""
    found = list(titles())

    assert len(found) > 60
    assert [one for one in found if len(one[2]) > LONGEST_TITLE] == []
    assert [one for one in found if not (one[2][0].isupper() or one[2][0] in "…")] == []
    assert [one for one in found if one[2].endswith(".")] == []


def test_a_step_under_way_says_what_it_does():
    """*Waiting for* or another verb in -ing: never the title, which would tell what is wished as what is so."""
    found = list(waits())

    assert len(found) >= 20
    assert [one for one in found if not re.match(r"[A-Z][\w-]+ing ", one[2])] == []


# --- grammar -------------------------------------------------------------------------------------------------------


def test_one_is_and_several_are():
    """A count and its noun fit each other: `counted` makes both, and no text leaves it to the reader."""
    assert [one for one in said() if re.search(r"\w\((s|es)\)", one[2])] == []


def test_an_example_is_called_one():
    """`Right is for example` was a phrase of ours."""
    assert [one for one in said() if re.search(r"right is for example", one[2], re.IGNORECASE)] == []


# --- signs ---------------------------------------------------------------------------------------------------------


def test_signs_are_drawn_in_one_place():
    """A check mark or a cross in any other text would have a meaning of its own."""
    odd = "".join(sign for sign in SIGNS.values() if sign in "✓✗↷■✎‖")
    drawn = {file for file, _, text in literals() if any(sign in text for sign in odd)}

    assert {file for file in drawn if not file.startswith("workers/")} == DRAWN


def test_the_glossary_explains_every_sign_and_words_that_are_used():
    """A word that nothing says needs no explanation."""
    page = (ROOT / "docs" / "glossary.md").read_text()
    words = re.findall(r"^\| ([a-zA-Z0+, ]+?) \| ", page.partition("## Signs")[0], re.MULTILINE)[1:]
    texts = " ".join(text for _, _, text in said()) + " ".join(
        path.read_text() for path in sorted(Path(ROOT / "docs").glob("*.md")) if path.name != "glossary.md"
    )

    assert len(words) >= 25
    assert [word for word in words if word.partition(",")[0].lower() not in texts.lower()] == []
    assert set(re.findall(r"^\| `(.)` \|", page, re.MULTILINE)) == set(SIGNS.values())
