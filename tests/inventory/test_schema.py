"""The inventory's JSON Schema: what editors go by while a file is written."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from typer.testing import CliRunner

from cluster.inventory import Inventory
from cluster.schema import FILE, HEADER, schema
from cluster.units import parse_duration, written
from workers.cli.main import app

ROOT = Path(__file__).parents[2]
EXAMPLES = [ROOT / "examples" / "lab.yaml", ROOT / "examples" / "metro.yaml"]
TAKEN = [*EXAMPLES, ROOT / "tests" / "cases" / "inventory-ipv6.yaml"]


@pytest.fixture(scope="module")
def validator() -> Any:
    """The schema as another implementation reads it."""
    return jsonschema_rs.validator_for(schema(), validate_formats=True)


def example() -> dict[str, Any]:
    """The article's lab."""
    found: dict[str, Any] = yaml.safe_load(EXAMPLES[0].read_text())
    return found


def test_it_is_a_json_schema():
    """By the schema of schemas."""
    jsonschema_rs.meta.validate(schema())


def test_the_shipped_file_is_that_of_this_version():
    """`quorate schema --out examples/inventory.schema.json` writes it anew."""
    assert json.loads((ROOT / "examples" / FILE).read_text()) == schema()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_names_it_in_its_first_line(path: Path):
    """Editors look there."""
    assert path.read_text().splitlines()[0] == HEADER.format(FILE)


@pytest.mark.parametrize("path", TAKEN, ids=lambda path: path.name)
def test_an_inventory_that_loads_has_that_shape(validator: Any, path: Path):
    """Nothing right is underlined."""
    assert [one.message for one in validator.iter_errors(yaml.safe_load(path.read_text()))] == []


FORMS: list[tuple[tuple[str | int, ...], Any]] = [
    (("sites", 0, "nodes", 0, "address"), "[fd00::1]"),
    (("sites", 0, "nodes", 0, "bmc", "answers_within"), "12.5s"),
    (("sites", 0, "nodes", 0, "bmc", "fingerprint"), "ab" * 32),
    (("sites", 0, "nodes", 0, "fingerprint"), [":".join(["AB"] * 32)]),
    (("arrays", 0, "server_name"), "fa-a.example"),
    (("pod", "volumes", 0, "size"), 2**40),
    (("limits",), {"clock_offset": "500ms"}),
    (("timeouts",), {"stretch": "PT6H"}),
    (("approvals", "reminders"), ["50%", "1h", 0.25]),
    (("watch",), {"deadman": "env:DEADMAN", "quick": "2s"}),
    (("notify",), [{"name": "mail", "kind": "mail", "mail": {"server": "mx:25", "sender": "a@b", "to": ["c@d"]}}]),
]  # fmt: skip


def with_value(place: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    """The example with one value more, or another one."""
    whole: Any = example()
    part = whole
    for step in place[:-1]:
        part = part.setdefault(step, {}) if isinstance(part, dict) else part[step]
    part[place[-1]] = value
    found: dict[str, Any] = whole
    return found


@pytest.mark.parametrize(("place", "value"), FORMS, ids=lambda given: str(given)[:40])
def test_each_way_to_write_a_value_is_taken_by_both(validator: Any, place: tuple[str | int, ...], value: Any):
    """By the inventory, and by the editor."""
    document = with_value(place, value)
    Inventory.model_validate(document)
    assert [one.message for one in validator.iter_errors(document)] == []


WRONG: list[tuple[tuple[str | int, ...], Any]] = [
    (("speed",), 5),
    (("name",), "a-name-that-is-too-long"),
    (("sites",), []),
    (("sites", 0, "nodes", 0, "name"), "pve1.example"),
    (("sites", 0, "nodes", 0, "iqn"), "iqn.debian"),
    (("sites", 0, "nodes", 0, "bmc", "answers_within"), 3),
    (("sites", 0, "nodes", 0, "fingerprint"), "ab:cd"),
    (("arrays", 0, "api_token"), "T-123"),
    (("pod", "volumes", 0, "size"), "10TB"),
    (("pod", "volumes", 0, "luns"), {"X90R3-SiteA": 0}),
    (("storage", "id"), "1st"),
    (("limits",), {"clock_offset": "2 weeks"}),
    (("approvals", "reminders"), ["120%"]),
    (("notify",), [{"name": "chat", "kind": "icq"}]),
]  # fmt: skip


@pytest.mark.parametrize(("place", "value"), WRONG, ids=lambda given: str(given)[:40])
def test_what_is_wrong_by_itself_is_refused_by_both(validator: Any, place: tuple[str | int, ...], value: Any):
    """A person sees it before the file is saved."""
    document = with_value(place, value)
    with pytest.raises(ValueError, match="validation error"):
        Inventory.model_validate(document)
    assert not validator.is_valid(document)


@pytest.mark.parametrize("text", ["10ms", "1500ms", "90s", "15m", "2h", "7d", "36h", "0ms"])
def test_a_duration_is_written_as_it_is_read(text: str):
    """Defaults are shown in the words of the file."""
    duration = parse_duration(text)
    assert isinstance(duration, timedelta)
    assert written(duration) == text


def test_the_command_prints_it_or_writes_it(tmp_path: Path):
    """And says which line an editor looks for."""
    printed = CliRunner().invoke(app, ["schema"])
    assert json.loads(printed.output) == schema()
    file = tmp_path / "shape.json"
    told = CliRunner().invoke(app, ["schema", "--out", str(file)])
    assert told.output == (
        f"{file} is written. The inventory's first line, for the editor:\n# yaml-language-server: $schema=shape.json\n"
    )
    assert json.loads(file.read_text()) == schema()
    refused = CliRunner().invoke(app, ["schema", "--out", str(tmp_path)])
    assert "cannot be written: Is a directory" in str(refused.exception)


def test_the_command_writes_over_nothing_but_an_older_schema(tmp_path: Path):
    """An inventory that is named by mistake stays as it is."""
    file = tmp_path / "inventory.yaml"
    file.write_text("name: metro\n")
    refused = CliRunner().invoke(app, ["schema", "--out", str(file)])
    assert str(refused.exception) == f"--out {file} is there already, and no schema of an inventory"
    assert file.read_text() == "name: metro\n"
    older = tmp_path / "shape.json"
    older.write_text(json.dumps({**schema(), "title": "older"}))
    assert CliRunner().invoke(app, ["schema", "--out", str(older)]).exit_code == 0
    assert json.loads(older.read_text()) == schema()
