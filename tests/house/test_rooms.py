"""Who may import whom is kept by contracts over packages: a file that is added is inside by itself."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from tests.rooms import PACKAGES, PAGE, ROOT, rooms, written

CONTRACTS: list[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
    "contracts"
]
PLANTED = "planted"


def layers(contract: dict[str, Any]) -> list[list[str]]:
    """The layers of a contract, the highest first, each with its packages by their full names."""
    inside = f"{contract['containers'][0]}." if "containers" in contract else ""
    return [[inside + name.strip() for name in layer.split("|")] for layer in contract["layers"]]


def forbidden() -> dict[str, set[str]]:
    """For each package what it must not import: what is above it, what is beside it, and what is named as forbidden."""
    found: dict[str, set[str]] = {}
    for contract in CONTRACTS:
        if contract["type"] == "forbidden":
            for source in contract["source_modules"]:
                found.setdefault(source, set()).update(contract["forbidden_modules"])
            continue
        above: list[str] = []
        for layer in layers(contract):
            for name in layer:
                found.setdefault(name, set()).update(above, set(layer) - {name})
            above += layer
    return found


def is_package(name: str) -> bool:
    return (ROOT / name.replace(".", "/") / "__init__.py").exists()


def test_an_import_that_is_planted_in_any_room_is_refused(tmp_path: Path):
    """One in a file of its own for each room and each thing that the room must not know; all are found in one look."""
    for name in (*PACKAGES, "pyproject.toml"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    planted = []
    for number, (room, name) in enumerate(
        (room, name) for room, names in sorted(forbidden().items()) if is_package(room) for name in sorted(names)
    ):
        file = f"{PLANTED}{number}"
        (tmp_path / room.replace(".", "/") / f"{file}.py").write_text(f"import {name}\n")
        planted.append((f"{room}.{file}", name))

    lint = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    looked = subprocess.run(
        [sys.executable, "-c", lint, "--no-cache"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    refused = set(re.findall(rf"(\S+\.{PLANTED}\d+) -> (\S+)", looked.stdout))
    print(f"{len(planted)} imports planted in {len({room.rpartition('.')[0] for room, _ in planted})} rooms")
    assert looked.returncode == 1
    assert len(planted) > 100
    assert sorted(set(planted) - refused) == []


def test_every_room_of_activities_programs_and_twin_stands_in_a_contract():
    """A room that is added has to be put in its place."""
    ordered = {
        name for contract in CONTRACTS if "containers" in contract for layer in layers(contract) for name in layer
    }
    found = {
        ".".join(folder.relative_to(ROOT).parts)
        for container in ("activities", "workers", "lab")
        for folder in rooms(ROOT / container)
        if len(folder.relative_to(ROOT).parts) == 2
    }

    assert found - ordered == set()


def test_the_page_draws_the_rooms_as_they_are():
    """Written by `python -m tests.rooms`."""
    page = PAGE.read_text()

    assert page == written(page)
    assert "activities/" in page
