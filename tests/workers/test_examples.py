"""An error about a wrong request shows an example, and every example that is shown is accepted by what refused."""

import json
import shlex
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from temporalio.api.failure.v1 import Failure
from temporalio.converter import PayloadConverter

from cluster.plan import Mode
from runbooks import ALL_RUNBOOKS
from tests.rooms import ROOT
from tests.workers.test_last_lines import ended
from workers.catalogue import result_type
from workers.cli.request import example, given_data, named, request_of
from workers.errors import Unusable
from workers.inventory_file import load
from workers.temporal.failures import MESSAGES, PlainFailures
from workflows.catalogue import RunbookReport
from workflows.runbook import Runbook

INVENTORY = load(ROOT / "examples" / "lab.yaml")
BY_NAME = {runbook.about.name: runbook for runbook in ALL_RUNBOOKS}
WRONG: list[dict[str, Any]] = [{"clutser": "x"}, {"mode": "destroy"}, {"site": 7, "nodes": 7, "opening": 7, "by": 7}]


def refused(kind: type[BaseModel], given: Any) -> str:
    """What the Temporal UI shows of it."""
    failure = Failure()
    with pytest.raises(ValidationError) as caught:
        kind.model_validate(given)
    PlainFailures().to_failure(caught.value, PayloadConverter.default, failure)
    return failure.message


@pytest.mark.parametrize("wrong", WRONG, ids=json.dumps)
@pytest.mark.parametrize("runbook", BY_NAME.values(), ids=list(BY_NAME))
def test_the_example_of_a_refused_start_is_accepted(runbook: type[Runbook], wrong: dict[str, Any]):
    """It is the catalogue's own, for this very runbook."""
    said = refused(runbook.about.request, wrong)

    shown = json.loads(said.partition("Example: ")[2])
    assert shown == runbook.about.example
    assert runbook.about.request.model_validate(shown).mode in Mode


@pytest.mark.parametrize("kind", list(MESSAGES), ids=lambda kind: kind.__name__)
def test_the_example_of_a_refused_message_is_accepted(kind: type[BaseModel]):
    """What is said to a run."""
    shown = refused(kind, {"nonsense": 1}).partition("Example: ")[2]

    assert kind.model_validate_json(shown)


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("given", ["[1]", "{", '{"mdoe": "apply"}', "@/no/such/file"])
@pytest.mark.parametrize("runbook", BY_NAME.values(), ids=list(BY_NAME))
def test_the_example_of_a_refused_input_is_accepted(runbook: type[Runbook], given: str, mode: Mode):
    """By `quorate plan` and by `quorate run`, as it is printed."""
    with pytest.raises(Unusable) as caught:
        request_of(runbook, INVENTORY, given_data(runbook, given), mode=mode)
    assert caught.value.what.startswith("--input: ")
    assert caught.value.remedy == example(runbook)

    words = shlex.split(caught.value.remedy.removeprefix("Example: "))
    text = words[1] if words[0] == "--input" else ""
    assert request_of(runbook, INVENTORY, given_data(runbook, text), mode=mode).mode is mode


SAID = [
    ("failback", {}, '--input: "site" is required: the site to bring guests home to',
     """--input '{"site": "site-a"}'"""),
    ("return-site", {"site": "site-a", "by": ""},
     '--input: "by" is required: who asks for it; that person cannot approve it',
     """--input '{"site": "site-a"}'"""),
    ("evacuate-site", {}, '--input: "site" is required: the site to be emptied', """--input '{"site": "site-a"}'"""),
    ("site-loss", {}, '--input: "site" is required: the site that is lost', """--input '{"site": "site-a"}'"""),
    ("node-loss", {}, '--input: "nodes" is required: the nodes that are lost, all of one site',
     """--input '{"nodes": ["pxmx01-01"]}'"""),
    ("site-loss", {"site": "a", "plan": "x"}, """--input: leave out "plan": a loss is not planned""",
     """--input '{"site": "site-a"}'"""),
]  # fmt: skip


@pytest.mark.parametrize(("name", "given", "what", "shown"), SAID, ids=[what[9:40] for _, _, what, _ in SAID])
def test_a_wrong_input_is_told_without_the_words_of_a_library(name: str, given: dict[str, Any], what: str, shown: str):
    """What is missing, and how it is given."""
    with pytest.raises(Unusable) as caught:
        request_of(BY_NAME[name], INVENTORY, given, mode=Mode.APPLY)

    assert (caught.value.what, caught.value.remedy) == (what, f"Example: {shown}")


@pytest.mark.parametrize("runbook", BY_NAME.values(), ids=list(BY_NAME))
def test_nothing_of_a_report_is_lost_on_the_way(runbook: type[Runbook]):
    """`--json` has every field that `run` returns: the type is that of its annotation."""
    kind = result_type(runbook)
    known = set(kind.model_fields)

    assert kind is vars(runbook)["run"].__annotations__["return"]
    assert set(ended(kind, Mode.PLAN).model_dump(mode="json", warnings=False)) <= known
    assert {field for field in kind.model_fields if field not in RunbookReport.model_fields} or kind is RunbookReport


def test_a_run_without_an_annotation_is_an_error_of_ours():
    """It would lose what it reports, without a word."""

    definition = getattr(BY_NAME["deploy"], "__temporal_workflow_definition")
    untyped = type(definition)(**{**vars(definition), "ret_type": None})
    silent = type("Silent", (BY_NAME["deploy"],), {"__temporal_workflow_definition": untyped})

    with pytest.raises(TypeError, match="must be annotated"):
        result_type(silent)


@pytest.mark.parametrize(
    ("name", "words", "data"),
    [
        ("failback", ["site=site-a"], {"site": "site-a"}),
        ("failback", ["site=site-a", "by=ana=b"], {"site": "site-a", "by": "ana=b"}),
        ("node-loss", ["nodes=pxmx01-01,pxmx01-02"], {"nodes": ["pxmx01-01", "pxmx01-02"]}),
        ("failback", ["site=site-a", 'homes={"vm:300": "pxmx01-01"}'],
         {"site": "site-a", "homes": {"vm:300": "pxmx01-01"}}),
    ],
)  # fmt: skip
def test_a_request_is_written_as_words(name: str, words: list[str], data: dict[str, Any]):
    """Lists with commas, anything deeper as JSON; beside `--input` the words win."""
    assert given_data(BY_NAME[name], None, words) == data
    assert given_data(BY_NAME[name], '{"site": "other"}', words) == {"site": "other"} | data


@pytest.mark.parametrize("word", ["site", "=site-a", "homes={"])
def test_a_word_that_is_none_is_told_with_an_example(word: str):
    """Of that runbook."""
    with pytest.raises(Unusable) as caught:
        given_data(BY_NAME["failback"], None, [word])
    assert "site" in caught.value.remedy


def test_who_asks_is_never_a_number(monkeypatch: pytest.MonkeyPatch):
    """In a container the user may have no name: then it has to be said."""

    def unknown() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr("getpass.getuser", unknown)
    with pytest.raises(Unusable, match="not known here"):
        named("")
    assert named("ana") == "ana"
    with pytest.raises(Unusable, match='"by" is required'):
        request_of(BY_NAME["failback"], INVENTORY, {"site": "site-a"}, mode=Mode.APPLY)
