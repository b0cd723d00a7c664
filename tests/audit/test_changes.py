"""Whatever is changed in a record, or in the chain of records, is found: by `verify`, and by OpenSSH's own tools."""

import os
import random
import time

import pytest

from cluster.audit.head import SIGNERS, Anchor
from cluster.audit.verify import verified
from tests.audit.chains import CHAIN, LINES, Change, Folder, changed, kept
from workers.audit.store import Signatures

# As many as the issue asks for; of every kind some are in the quick ones too.
MANY_LINES, MANY_CHAINS = 10_000, 1_000


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> tuple[Folder, Signatures, list[Anchor]]:
    """Four records, their heads, the key's list, and what was told outside."""
    place = tmp_path_factory.mktemp("audit")
    folder, anchors = kept(place)
    return folder, Signatures((place / SIGNERS).read_bytes()), anchors


def test_what_was_not_changed_is_whole(audit: tuple[Folder, Signatures, list[Anchor]]):
    """No fault is seen where there is none."""
    folder, signed, anchors = audit

    found = verified(folder, signed, anchors)

    assert [str(fault) for fault in found.whole] == []
    assert (len(found.records), found.heads, found.anchors) == (4, 8, 8)
    assert all(one.signed == one.lines for one in found.records)


@pytest.mark.parametrize("change", LINES, ids=lambda change: change.__name__)
def test_each_kind_of_change_to_lines_is_found(audit: tuple[Folder, Signatures, list[Anchor]], change: Change):
    """Edited, dropped, put in, moved, cut off, and the chain made anew."""
    _all_found(audit, (change,), 12)


@pytest.mark.parametrize("change", CHAIN, ids=lambda change: change.__name__)
def test_each_kind_of_change_to_the_chain_is_found(audit: tuple[Folder, Signatures, list[Anchor]], change: Change):
    """Runs and heads, dropped and forged; the end of the chain by what was told outside."""
    _all_found(audit, (change,), 8)


@pytest.mark.slow
def test_ten_thousand_changes_of_lines_are_all_found(audit: tuple[Folder, Signatures, list[Anchor]]):
    """None is overlooked."""
    _all_found(audit, LINES, MANY_LINES)


@pytest.mark.slow
def test_a_thousand_changes_of_the_chain_are_all_found(audit: tuple[Folder, Signatures, list[Anchor]]):
    """None is overlooked."""
    _all_found(audit, CHAIN, MANY_CHAINS)


def _all_found(audit: tuple[Folder, Signatures, list[Anchor]], changes: tuple[Change, ...], count: int) -> None:
    folder, signed, anchors = audit
    seed = int(os.environ.get("QUORATE_SEED", random.randrange(2**32)))
    began = time.monotonic()

    missed = [said for said, copy in changed(folder, changes, seed, count) if verified(copy, signed, anchors).ok]

    print(f"seed {seed}: {count - len(missed)} of {count} found in {time.monotonic() - began:.0f} s")
    assert missed == []
