"""Whatever a comment cites is in the house: a book of `docs/reference` or `docs/incidents.md`, with that section."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BOOKS = {path.stem: path for path in sorted((ROOT / "docs" / "reference").glob("*.md"))}
ROOMS = ("cluster", "activities", "workflows", "runbooks", "workers", "lab", "tests", "bench", "docs", "examples")
NUMBER = r"\d+(?:\.\d+)*"
# ``pve-ha §1``, ``pve-ha §§5, 7, 15.1``, ``host-outputs 1.1, 1.6 and 1.8``
CITATION = re.compile(rf"\b({'|'.join(BOOKS)})\s+§*\s*({NUMBER}(?:(?:\s*,\s*(?:and\s+)?|\s+and\s+)§*\s*{NUMBER})*)")
HEADING = re.compile(rf"^#+\s+({NUMBER})(?:\s|$)", re.MULTILINE)
SUFFIXES = (".py", ".md", ".yaml")


def texts() -> Iterator[tuple[str, str]]:
    """Every file that may cite, with the marks that begin a comment's line taken out of its text."""
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*")):
            if path.suffix in SUFFIXES and path not in BOOKS.values():
                yield str(path.relative_to(ROOT)), re.sub(r"\n\s*#?\s*", " ", path.read_text())


def cited(text: str) -> set[tuple[str, str]]:
    """Book and section of each citation."""
    return {(found[1], number) for found in CITATION.finditer(text) for number in re.findall(NUMBER, found[2])}


def test_every_section_that_is_cited_is_there():
    """A reader finds the fact under the number that the comment gives."""
    sections = {name: set(HEADING.findall(path.read_text())) for name, path in BOOKS.items()}
    all_cited = [(file, book, number) for file, text in texts() for book, number in cited(text)]

    assert len(all_cited) > 100
    assert [one for one in all_cited if one[2] not in sections[one[1]]] == []


def test_no_book_holds_what_nobody_cites():
    """They are the facts that the code stands on, and not a library."""
    used = {(book, number) for _, text in texts() for book, number in cited(text)}
    sections = {(name, number) for name, path in BOOKS.items() for number in HEADING.findall(path.read_text())}
    parents = {(book, number.rpartition(".")[0]) for book, number in used}

    assert sections - used - parents == set()


def test_every_incident_that_is_named_is_listed():
    """``I-17`` in a table of faults, ``V5`` in a law."""
    page = (ROOT / "docs" / "incidents.md").read_text()
    named = {name for _, text in texts() for name in re.findall(r"\bI-\d\d\b|\bV[1-8]\b", text)}

    assert len(named) > 20
    assert {name for name in named if not re.search(rf"\b{name}\b", page)} == set()


@pytest.mark.parametrize(
    ("text", "sections"),
    [
        ("(reference: pve-ha §7)", {("pve-ha", "7")}),
        ("pve-ha §§5, 7, 15.1", {("pve-ha", "5"), ("pve-ha", "7"), ("pve-ha", "15.1")}),
        ("pve-ha §15, proxmox-api §10", {("pve-ha", "15"), ("proxmox-api", "10")}),
        ("host-outputs 1.1, 1.6 and 1.8", {("host-outputs", "1.1"), ("host-outputs", "1.6"), ("host-outputs", "1.8")}),
        ("pve-ha-manager 5.2.0", set()),
    ],
)
def test_citations_are_read(text: str, sections: set[tuple[str, str]]):
    """The check itself."""
    assert cited(text) == sections
