"""Which test proves what of the twin: a plugin that notes, for every test, the calls, commands and faults it has met.

`make coverage` runs the suite with it and writes docs/coverage.md. Nothing of it is loaded otherwise.
"""

import functools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.control.drills import Drills
from lab.control.table import DRILLS
from lab.hosts.node import NODE
from lab.hosts.shell import Registry
from lab.hosts.witness import WITNESS
from lab.purity import urls as purity
from lab.purity.responses import Read
from lab.pve import urls as pve

FOLDER = Path(__file__).parents[1] / "var" / "coverage"
PAGE = Path(__file__).parents[1] / "docs" / "coverage.md"
# As many tests as a person wants to see for one line.
SHOWN = 2

Item = tuple[str, str]  # kind, name

_met: dict[Item, set[str]] = {}


def known() -> list[Item]:
    """Everything that the twin emulates and that can be listed."""
    calls = [("pve", f"{verb} {path}") for verb, path in sorted(pve.routes().table, key=lambda key: key[::-1])]
    arrays = [("flasharray", f"GET {path}") for path in sorted(purity.READS)]
    arrays += [("flasharray", f"{verb} {path}") for verb, path in sorted(purity.WRITES, key=lambda key: key[::-1])]
    commands = [("node", name) for name in sorted(NODE.programs)]
    commands += [("witness", name) for name in sorted(WITNESS.programs)]
    return [*calls, *arrays, *commands, *(("fault", drill.usage) for drill in DRILLS.values())]


def _note(kind: str, name: str) -> None:
    test = os.environ.get("PYTEST_CURRENT_TEST", "").partition(" ")[0].partition("[")[0]
    if test:
        _met.setdefault((kind, name), set()).add(test)


def _watched(kind: str, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*arguments: Any, **keywords: Any) -> Any:
        _note(kind, name)
        return function(*arguments, **keywords)

    return call


def _watch_registry(kind: str, registry: Registry) -> None:
    for name, program in registry.programs.items():
        registry.programs[name] = _watched(kind, name, program)


def pytest_configure() -> None:
    """Put a note before everything that can be called."""
    merged = pve.routes

    def routes() -> Any:
        table = merged()
        table.table = {key: _watched("pve", " ".join(key), handler) for key, handler in table.table.items()}
        return table

    pve.routes = routes
    paths = {id(read): path for path, read in purity.READS.items()}
    answer = Read.answer

    def read_noted(self: Read, call: Any) -> Any:
        _note("flasharray", f"GET {paths.get(id(self))}")
        return answer(self, call)

    Read.answer = read_noted  # type: ignore[method-assign]
    for (verb, path), write in purity.WRITES.items():
        purity.WRITES[verb, path] = _watched("flasharray", f"{verb} {path}", write)
    _watch_registry("node", NODE)
    _watch_registry("witness", WITNESS)
    fail = Drills.fail

    def noted(self: Drills, name: str, *arguments: Any, **keywords: Any) -> bool:
        begun = fail(self, name, *arguments, **keywords)
        _note("fault", DRILLS[name].usage)
        return begun

    Drills.fail = noted  # type: ignore[method-assign]


def pytest_sessionfinish() -> None:
    """Leave this process's notes."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    rows = [[kind, name, sorted(tests)] for (kind, name), tests in _met.items()]
    (FOLDER / f"{os.getpid()}.json").write_text(json.dumps(rows))


# --- the page --------------------------------------------------------------------------------------------------------

TITLES = {
    "pve": "Proxmox VE API",
    "flasharray": "FlashArray REST",
    "node": "Commands of a node",
    "witness": "Commands of the witness",
    "fault": "Faults of `quorate lab fail`",
}


def page(met: dict[Item, set[str]]) -> str:
    """The coverage page."""
    lines = [
        "# What the twin emulates, and which test proves it",
        "",
        "Written by `make coverage` from a run of the whole suite: a test stands in a line when it has met that call,",
        "command or fault. Everything else of an API is answered with status 501 or the API's own words for it.",
        "",
    ]
    items = known()
    for kind, title in TITLES.items():
        rows = [item for item in items if item[0] == kind]
        proved = sum(bool(met.get(item)) for item in rows)
        lines += [
            f"## {title}: {len(rows)}, {proved} of them met by tests",
            "",
            "| What | Proved by |",
            "| --- | --- |",
        ]
        lines += [f"| `{name}` | {_tests(met.get((kind, name), set()))} |" for _, name in rows]
        lines.append("")
    return "\n".join(lines)


def _tests(tests: set[str]) -> str:
    """The tests that are most about it: the twin's own before the engine's, the shorter before the longer name."""
    ranked = sorted(tests, key=lambda test: ("tests/lab/" not in test, len(test), test))
    return "<br>".join(f"`{test.removeprefix('tests/')}`" for test in ranked[:SHOWN]) or "no test yet"


def write() -> None:
    """Merge the notes of all processes into the page."""
    met: dict[Item, set[str]] = {}
    for file in FOLDER.glob("*.json"):
        for kind, name, tests in json.loads(file.read_text()):
            met.setdefault((kind, name), set()).update(tests)
        file.unlink()
    PAGE.write_text(page(met))
    missing = [name for kind, name in known() if not met.get((kind, name))]
    print(f"{PAGE.name}: {len(known())} entries, {len(missing)} without a test: {', '.join(missing)}")


@pytest.hookimpl(trylast=True)
def pytest_report_header() -> str:
    """Say that notes are taken."""
    return "taking notes for docs/coverage.md"


if __name__ == "__main__":
    write()
