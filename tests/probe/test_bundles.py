"""Files that are no bundle, each with its sentence; none of them is unpacked into a folder."""

import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cluster.probing.bundle import Bundle, Manifest, pack, unpack
from cluster.probing.cleaning import Answer
from workers.cli.main import app, run

GOOD = Bundle(
    manifest=Manifest(quorate="0.3.0"),
    inventory="name: cluster-01\n",
    answers=(Answer(of="cluster", who="cluster-01", what="options", data={"keyboard": "de"}),),
)


def zipped(*files: tuple[str, str]) -> bytes:
    """A zip file of these."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in files:
            file.writestr(name, text)
    return written.getvalue()


def manifested(*files: tuple[str, str], form: object = 1) -> bytes:
    """The same with a manifest and an inventory."""
    about = json.dumps({"format": form, "quorate": "9.9.9"})
    return zipped(("manifest.json", about), ("inventory.yaml", "name: x"), *files)


def oversized() -> bytes:
    """Says that a file in it is 4 GB."""
    data = bytearray(manifested(("answers/node/node-01/votes.json", "{}")))
    at = data.rfind(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", 0xFFFFFFF0)
    return bytes(data)


BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "no zip": (lambda: b"not a zip file", "it is no zip file, or a part of it is missing: fetch it once more"),
    "cut": (lambda: pack(GOOD)[:-30], "it is no zip file, or a part of it is missing: fetch it once more"),
    "no manifest": (
        lambda: zipped(("inventory.yaml", "")),
        "it has no manifest.json, so `quorate probe` did not make it",
    ),
    "another version": (
        lambda: manifested(form=2),
        "it has the form 2, made by Quorate 9.9.9; this one reads form 1: use the same one",
    ),
    "a path that leads out": (
        lambda: manifested(("answers/../../etc/cron.d/x", "boo")),
        "it has a file 'answers/../../etc/cron.d/x', which is in no bundle",
    ),
    "a path from the root": (
        lambda: manifested(("/etc/passwd", "boo")),
        "it has a file '/etc/passwd', which is in no bundle",
    ),
    "a huge entry": (oversized, "it would be 4096 MiB; a bundle has at most 64"),
    "anchors": (
        lambda: zipped(
            ("manifest.json", '{"format": 1, "quorate": "0.3.0"}'), ("inventory.yaml", "a: &a [1]\nb: *a\n")
        ),
        "its inventory.yaml is not as `quorate probe` writes one",
    ),
    "no JSON": (
        lambda: manifested(("answers/node/node-01/votes.json", "{")),
        "its answers/node/node-01/votes.json is no JSON",
    ),
    "another kind": (
        lambda: manifested(("answers/moon/node-01/votes.json", "{}")),
        "its answers/moon/node-01/votes.json cannot be read: of: "
        "Input should be 'array', 'cluster', 'node', 'witness' or 'controller'",
    ),
}


@pytest.mark.parametrize("which", BAD)
def test_a_file_that_is_no_bundle_is_refused_with_a_sentence(
    which: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """`lab up` says what is wrong with it, and leaves nothing behind."""
    monkeypatch.setenv("QUORATE_STATE", str(tmp_path / "state"))
    make, sentence = BAD[which]
    file = tmp_path / "probe.zip"
    file.write_bytes(make())

    assert run(["lab", "up", "--bundle", str(file)]) == 2
    said = capfd.readouterr().err
    assert said == (
        f"error: {file} is no bundle that can be used: {sentence}\nwhat to do: ask for one from `quorate probe`\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["probe.zip"]


def test_what_was_packed_is_unpacked_and_equal_bytes_are_equal_answers():
    """Nothing of a bundle depends on the day."""
    assert unpack(pack(GOOD)) == GOOD
    assert pack(unpack(pack(GOOD))) == pack(GOOD)


def test_a_bundle_whose_inventory_is_cut_short_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """A bundle that somebody has edited ends in a sentence, too."""
    monkeypatch.setenv("QUORATE_STATE", str(tmp_path / "state"))
    file = tmp_path / "probe.zip"
    file.write_bytes(pack(GOOD))

    assert run(["lab", "up", "--bundle", str(file)]) == 2
    assert "its inventory cannot be read" in capfd.readouterr().err


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path):
    """Nor is anything asked before."""
    file = tmp_path / "probe.zip"
    file.write_text("mine")
    inventory = tmp_path / "inventory.yaml"
    inventory.write_text((Path(__file__).parents[2] / "examples" / "lab.yaml").read_text())
    done = CliRunner().invoke(app, ["probe", "-i", str(inventory), "--out", str(file)])
    assert "is there already" in str(done.exception)
    assert file.read_text() == "mine"
