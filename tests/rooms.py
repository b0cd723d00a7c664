"""The rooms of the house as docs/architecture.md draws them: `python -m tests.rooms` writes that part of the page."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"
PACKAGES = ("workers", "runbooks", "workflows", "activities", "cluster", "lab")
BEGIN, END = "<!-- rooms: written by `python -m tests.rooms` -->", "<!-- end of the rooms -->"
WIDTH = 24


def rooms(folder: Path) -> Iterator[Path]:
    """A package and the packages in it, each before its own."""
    yield folder
    for path in sorted(folder.iterdir()):
        if (path / "__init__.py").exists():
            yield from rooms(path)


def purpose(folder: Path) -> str:
    """What the package says of itself in its first sentence."""
    text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or ""
    return " ".join(text.split("\n\n")[0].split())


def tree() -> str:
    """One line for each room, indented as it lies."""
    lines = []
    for name in PACKAGES:
        for folder in rooms(ROOT / name):
            depth = len(folder.relative_to(ROOT).parts) - 1
            lines.append(f"{'  ' * depth}{folder.name}/".ljust(WIDTH) + purpose(folder))
    return "\n".join(lines)


def written(page: str) -> str:
    """The page with the rooms as they are now."""
    drawn = f"{BEGIN}\n\n```text\n{tree()}\n```\n\n{END}"
    return re.sub(rf"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: drawn, page, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
