"""One is one and two are two, and names are spelt as the device spells them, wherever an operator reads them."""

import ast
import re
from datetime import timedelta
from pathlib import Path

import pytest

from cluster.answers.advice import advice
from cluster.conditions import Condition
from cluster.units import capital
from tests.rooms import ROOT
from tests.verdict.world import INVENTORY
from workflows.page import Section, Sheet, StepRecord, render, story
from workflows.words import ended, plan_sentence

SPOKEN = [
    path
    for room in ("activities", "cluster", "runbooks", "workflows", "workers")
    for path in ROOT.joinpath(room).rglob("*.py")
]
STEP = StepRecord(title="Pod is online", state="done", at=timedelta(), changed=True, changes=1)


@pytest.mark.parametrize(
    ("said", "as_it_is"),
    [
        ("replication lost (x90r3-siteA)", "Replication lost (x90r3-siteA)"),
        ("array lost (X90R3-SiteB)", "Array lost (X90R3-SiteB)"),
        ("", ""),
    ],
)
def test_a_name_in_a_sentence_keeps_its_letters(said: str, as_it_is: str):
    """Only the first letter of the sentence is made a capital."""
    assert capital(said) == as_it_is


@pytest.mark.parametrize("path", SPOKEN, ids=[str(path.relative_to(ROOT)) for path in SPOKEN])
def test_no_text_is_put_into_lower_case_and_no_number_stands_before_a_fixed_plural(path: Path):
    """`str.capitalize` spoils names; `counted` knows one from many."""
    text = path.read_text()
    plural = r"\{len\([^{}]*\)\} (changes|steps|guests|switches|votes|hooks|incidents|checks)\b"
    alone = [found[0] for found in re.finditer(plural, text) if f"of {found[0]}" not in text]

    assert not [
        call for call in ast.walk(ast.parse(text)) if isinstance(call, ast.Attribute) and call.attr == "capitalize"
    ]
    assert [one for one in alone if one not in MANY] == []


# Where there are always at least two: the sentence says so right before.
MANY = (
    "{len(questions)} steps",
    "{len(running)} incidents",
    "{len(found)} incidents",
    "{len(runs)} incidents",
    "{len(times)} changes",
)

COUNTED = [
    (ended("done", [STEP], 1, None, ""), "Done: 1 step, 1 change made. No action needed."),
    (ended("done", [STEP, STEP], 2, None, ""), "Done: 2 steps, 2 changes made. No action needed."),
    (ended("done", [STEP], 0, None, plan_sentence(0, "d" * 16, {})),
     "Done: 1 step, nothing changed. No changes needed."),
    (plan_sentence(1, "d" * 16, {}),
     '1 change is planned. To make exactly these, start it with `{"mode": "apply", "plan": "dddddddddddddddd"}`.'),
    (plan_sentence(2, "d" * 16, {"site": "site-a", "by": "ana"}),
     '2 changes are planned. To make exactly these, start it with '
     '`{"mode": "apply", "plan": "dddddddddddddddd", "site": "site-a", "by": "ana"}`.'),
]  # fmt: skip


@pytest.mark.parametrize(("said", "read"), COUNTED, ids=[read[:40] for _, read in COUNTED])
def test_the_first_line_counts(said: str, read: str):
    """The end of a run, and what a plan came to."""
    assert said == read


def test_a_folded_section_counts():
    """One step with one change."""
    folded = Section(title="Apply", steps=[STEP, STEP.model_copy(update={"changed": False, "changes": 0})])
    page = render(Sheet(headline="x", now="x", sections=[folded, Section(title="Proof", steps=[STEP])]))

    assert "| Apply |" in page
    assert "2 steps, 1 change made" in page
    assert story([folded])[0] == "✓ Pod is online: "


def test_who_is_well_gets_no_advice():
    """A line that tells a person to do nothing would be marked as needing attention."""
    assert advice(Condition(kind="healthy"), INVENTORY).do == ()
