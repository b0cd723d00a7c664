"""What an operator reads is said in the field's words: no private dialect, no riddle, no sign with two meanings."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.rooms import ROOT
from workflows.page import SIGNS

ROOMS = ("activities", "cluster", "runbooks", "workers", "workflows")
# Each with what is said instead.
DIALECT = {
    r"wish(es|ed|ing)?": "requested, or what the inventory says",
    r"mend(s|ed|ing)?": "fix",
    r"yeses": "approvals",
    r"counts no more": "is no longer valid",
    r"would change its mind": "revised if",
    r"somebody|anybody|everybody": "who acts, by name",
    r"anew": "again",
    r"of its own accord": "automatic",
    r"thaw(s|ed)?|frozen?": "disable, restore",
}
LONGEST_TITLE = 72
# Where signs are drawn; anywhere else a text would give one of them a meaning of its own.
DRAWN = {"workflows/page.py"}


def literals() -> Iterator[tuple[str, int, str]]:
    """Every text in the code that is no docstring: file, line, text."""
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            tree = ast.parse(path.read_text())
            docs = {id(found) for node in ast.walk(tree) if (found := docstring(node)) is not None}
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
                    yield str(path.relative_to(ROOT)), node.lineno, node.value


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


@pytest.mark.parametrize("word", DIALECT)
def test_no_text_speaks_our_dialect(word: str):
    """The right-hand side of the table says what to write instead."""
    found = [f"{file}:{line}: {text[:80]}" for file, line, text in said() if re.search(rf"\b({word})\b", text)]

    assert found == [], DIALECT[word]


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


def test_titles_are_short_and_stand_for_themselves():
    """One line of a page; it begins with a capital letter or a name, and a title is no sentence with a full stop."""
    found = list(titles())

    assert len(found) > 60
    assert [one for one in found if len(one[2]) > LONGEST_TITLE] == []
    assert [one for one in found if not (one[2][0].isupper() or one[2][0] in "…")] == []
    assert [one for one in found if one[2].endswith(".")] == []


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
