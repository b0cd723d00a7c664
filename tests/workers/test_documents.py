"""A command that was asked for a document prints one, also where it comes to nothing."""

import json
from pathlib import Path

import pytest

from workers.cli.main import run


@pytest.mark.parametrize(
    ("words", "status", "error", "remedy", "complaints"),
    [
        (
            ["doctor", "-i", "none.yaml"], 2, "there is no inventory file none.yaml",
            "name one with --inventory or QUORATE_INVENTORY; `quorate init` writes one, "
            "examples/lab.yaml is an example", [],
        ),
        (["doctor", "--only", "moon"], 2, "--only moon: there is no such area",
         "one of here, cluster, hosts, arrays, controllers, temporal", []),
        (["trust", "-i", "bent.yaml"], 1, "bent.yaml has 1 error", None,
         ["line 1: file: expected the node content, but found '<stream end>'"]),
    ],
)  # fmt: skip
def test_an_error_is_a_document_as_well(
    words: list[str], status: int, error: str, remedy: str | None, complaints: list[str],
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
):  # fmt: skip
    """A script reads why; a person reads the same beside it."""
    monkeypatch.chdir(tmp_path)
    Path("bent.yaml").write_text("name: [")

    assert run([*words, "--json"]) == status

    told = capfd.readouterr()
    assert json.loads(told.out) == {"error": error, "remedy": remedy, "complaints": complaints}
    assert told.err.startswith(f"error: {error}\n")
    assert run(words) == status
    assert capfd.readouterr().out == ""
