"""The wheel, installed in a fresh environment and used in a folder that has nothing, or the wrong things, in it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
Quorate = Callable[..., subprocess.CompletedProcess[str]]


def _uv() -> str:
    return shutil.which("uv") or str(ROOT / ".uv" / "bin" / "uv")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment that holds the wheel and what it needs, at the versions of the lock file."""
    folder = tmp_path_factory.mktemp("wheel")
    uv, python = _uv(), folder / "venv" / "bin" / "python"
    needs = folder / "needs.txt"
    for command in (
        [uv, "build", "--quiet", "--wheel", "--out-dir", str(folder / "dist"), str(ROOT)],
        [
            uv,
            "export",
            "--quiet",
            "--project",
            str(ROOT),
            "--locked",
            "--no-dev",
            "--no-emit-project",
            "--no-hashes",
            "--all-extras",
            "-o",
            str(needs),
        ],
        [uv, "venv", "--quiet", "--python", sys.executable, str(folder / "venv")],
    ):
        subprocess.run(command, check=True, timeout=600)
    (wheel,) = (folder / "dist").glob("*.whl")
    # as a person installs it, with the parts that the demonstration needs; the lock file only says which versions
    asked = f"quorate[lab,gateway] @ {wheel.as_uri()}"
    install = [uv, "pip", "install", "--quiet", "--python", str(python), "--constraint", str(needs), asked]
    subprocess.run(install, check=True, timeout=600)
    return folder / "venv" / "bin"


@pytest.fixture
def quorate(environment: Path, tmp_path: Path) -> Iterator[Quorate]:
    """The installed command, in an empty folder but for packages of our names that nobody may import."""
    for name in ("workers", "cluster"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('imported from the current folder')\n")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "QUORATE"))}
        return subprocess.run(
            [environment / "quorate", *arguments],
            cwd=tmp_path, env={**kept, "COLUMNS": "200"}, capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    yield run
    run("lab", "down")


def test_the_command_and_its_examples_come_with_it(quorate: Quorate, tmp_path: Path):
    """The version, the faults; and the example, which is put where one can edit it."""
    assert quorate("--version").stdout.startswith("quorate ")
    assert "site-power SITE" in quorate("lab", "faults").stdout

    up = quorate("lab", "up", "--detach", "--built", "--speed", "20")
    assert (up.returncode, up.stderr) == (0, "")
    assert "twin of pxmx-cluster is up at speed 20" in up.stdout

    example = tmp_path / "examples" / "lab.yaml"
    assert example.read_text() == (ROOT / "examples" / "lab.yaml").read_text()
    checked = quorate("check", "--offline", "examples/lab.yaml")
    assert checked.returncode == 0, checked.stderr
    assert "cluster pxmx-cluster, 6 nodes on 2 sites, 7 votes" in checked.stdout
    status = quorate("lab", "status")
    assert status.stdout.startswith("pxmx-cluster   lab time ")


def test_an_example_that_was_edited_stays(quorate: Quorate, tmp_path: Path):
    """Copied once, and never written again."""
    quorate("lab", "faults", "-i", "examples/lab.yaml")
    quorate("lab", "status")
    example = tmp_path / "examples" / "lab.yaml"
    example.write_text("# mine\n" + example.read_text())
    quorate("lab", "status")

    assert example.read_text().startswith("# mine\n")
