"""The coverage page is written from the code and a run of the suite: nothing may be missing or left over."""

import re

from tests.covered import PAGE, known


def test_the_page_lists_what_the_twin_emulates():
    """A call, command or fault that was added or removed asks for `make coverage`."""
    listed = set(re.findall(r"^\| `([^`]+)` \|", PAGE.read_text(), re.MULTILINE))

    assert listed == {name for _, name in known()}


def test_every_test_on_the_page_is_there():
    """A test that was renamed is no proof any more."""
    named = set(re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE.read_text()))
    root = PAGE.parents[1] / "tests"

    assert named
    assert {(file, test) for file, test in named if f"def {test}(" not in (root / file).read_text()} == set()
