"""How each change of a plan is drawn, and that drawing it is no part of what people sign."""

import ast
import base64
import gzip
import json
from collections.abc import Iterator
from typing import Any, get_args

import pytest

from cluster.evacuation import maintenance, master_away
from cluster.move import Move
from cluster.plan import SIGNS, Intent, Verb, digest, verb_of
from cluster.recovery import Frozen
from tests.rooms import ROOT
from workers.cli.run import plan_lines

CLUSTER = "pxmx-cluster"
AWAY = Move(sid="vm:300", name="web", source="pxmx01-01", home="pxmx02-01", away=True)
OFF = Frozen(kind="resource", name="vm:300", field="failback", old="1", new="0")


def recorded(name: str) -> dict[str, Any]:
    """The report of a run of version 0.1 on the example, letter for letter: its changes have no verb."""
    history = json.loads(gzip.decompress((ROOT / "tests" / "histories" / "0.1" / f"{name}.json.gz").read_bytes()))
    ended = history["events"][-1]["workflowExecutionCompletedEventAttributes"]["result"]["payloads"][0]
    report: dict[str, Any] = json.loads(base64.b64decode(ended["data"]))
    return report


def signs(name: str) -> set[str]:
    """Sign and words of every change of that plan; each only once."""
    return {f"{one.sign} {one.what}" for one in map(Intent.model_validate, recorded(name)["planned"])}


PLANS = [
    ("deploy-plan", [
        "+ add host", "+ add storage", "+ clone guest", "+ connect volume", "+ create host", "+ create host group",
        "+ create physical volume", "+ create pod", "+ create volume", "+ create volume group", "+ discover targets",
        "+ log in", "+ map multipath device", "+ register", "+ set up quorum device", "~ configure guest",
        "~ start guest", "~ stretch pod",
    ]),
    ("failback-signed", ["→ bring home"]),
    ("evacuate-site", ["~ enable maintenance", "→ move away", "→ move master away from"]),
    ("return-site", ["~ disable maintenance", "→ bring home"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "drawn"), PLANS, ids=[name for name, _ in PLANS])
def test_each_change_of_a_plan_is_drawn_as_what_it_is(name: str, drawn: list[str]):
    """Nothing that moves or is set looks as if it came into being."""
    assert sorted(signs(name)) == drawn


@pytest.mark.parametrize(
    ("name", "procedure"),
    [
        ("deploy-plan", "deploy"),
        ("failback-signed", "failback"),
        ("evacuate-site", "evacuate-site"),
        ("return-site", "return-site"),
    ],
)
def test_the_digest_is_that_of_version_0_1(name: str, procedure: str):
    """Approvals that were signed before stay good for the same changes."""
    report = recorded(name)
    planned = [Intent.model_validate(one) for one in report["planned"]]

    assert digest(f"{procedure}/{CLUSTER}", planned) == report["digest"]


def test_another_verb_is_no_other_plan():
    """It is how a change is told; what it does is in its other words."""
    change = Intent(where="HA", what="set", target="vm:300", verb="set")
    told = change.model_copy(update={"verb": "move"})

    assert digest("deploy/metro", [change]) == digest("deploy/metro", [told])


def stated() -> Iterator[tuple[str, str, str]]:
    """Every change that an activity notes: where in the code, its words, its verb."""
    for path in sorted((ROOT / "activities").rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "intend":
                words = [part.value for part in call.args if isinstance(part, ast.Constant)]
                verb = next(word.value for word in call.keywords if word.arg == "verb")
                what = next(word for word in words if word not in ("cluster", "HA"))
                yield f"{path.name}:{call.lineno}", str(what), str(getattr(verb, "value", ""))


STATED = list(stated())


@pytest.mark.parametrize(("where", "what", "verb"), STATED, ids=[where for where, _, _ in STATED])
def test_an_activity_states_the_verb_that_an_old_change_gets(where: str, what: str, verb: str):
    """Else a change that was signed before would not be found among those that are made now."""
    assert verb == verb_of(what)


BY_PEOPLE = [
    (AWAY.intent(1), "→ move away vm:300 (from pxmx01-01)"),
    (AWAY.model_copy(update={"away": False}).intent(1), "→ bring home vm:300 (from pxmx01-01)"),
    (maintenance("pxmx01-01", on=True), "~ enable maintenance pxmx01-01"),
    (maintenance("pxmx01-01", on=False), "~ disable maintenance pxmx01-01"),
    (master_away("site-a"), "→ move master away from site-a"),
    (OFF.becomes("0"), "~ set vm:300 (failback 0)"),
    (Intent(where="X90R3-SiteA", what="set preferred array", target="pxmx01-01", verb="set"),
     "~ set preferred array pxmx01-01"),
    (Intent(where="a", what="retire volume", target="v", verb="delete"), "- retire volume v"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "line"), BY_PEOPLE, ids=[line for _, line in BY_PEOPLE])
def test_approvers_read_the_same_signs(change: Intent, line: str):
    """What `quorate plan` and `quorate approve` print; colours apart."""
    drawn = plan_lines((change,))[1]

    assert drawn.replace(f"[/{drawn.partition(']')[0].strip(' [')}]", "").partition("]")[2] == line


@pytest.mark.parametrize("change", [one for one, _ in BY_PEOPLE[:-1]], ids=[line for _, line in BY_PEOPLE[:-1]])
def test_a_change_without_a_verb_decodes_to_the_same(change: Intent):
    """A worker of before and one of now agree about what was approved."""
    assert Intent.model_validate(change.model_dump(exclude={"verb"})) == change


def test_every_verb_has_a_sign():
    """Those that a runbook of one's own may use are among them."""
    assert set(SIGNS) == set(get_args(Verb))
    assert set(SIGNS.values()) == {"+", "~", "→", "-"}
