"""While a site is switched off: what the person with the plug reads first, and what is news."""

from pathlib import Path

import pytest

from activities.parsing.votes import parse_votes
from activities.watch.dark import _votes
from cluster.dark import about, plug
from cluster.evacuation import DarkFinding, DarkWish, SiteNodes
from tests.verdict.world import ARRAY_A, ARRAY_B, NODES, OF, QDEVICE, A, B

CAPTURES = Path(__file__).parents[1] / "captures"
ON = OF[A]
DEAD_WITNESS = f"{QDEVICE} gives pxmx02-01 no vote"
HELD = "incident/metro/20261127T061500Z (witness-lost qdevice) is open: the cluster is not healthy"
OWN_DARK = "site-loss/metro/site-a/20261127T061500Z (site-lost site-a, array-lost X90R3-SiteA) is open: HA fences"


@pytest.mark.parametrize(
    ("going", "against", "holds", "first"),
    [
        (False, (), "", "Switch off the machines of site-a: it is empty"),
        (True, (), "", "site-a is going dark: switch off the rest of its machines"),
        (False, (DEAD_WITNESS,), "", f"Do not cut the power of site-a now: {DEAD_WITNESS}"),
        (True, (DEAD_WITNESS,), "", f"Do not switch off any more machines of site-a: {DEAD_WITNESS}"),
        (True, (), HELD, f"Do not switch off any more machines of site-a: {HELD}"),
        (True, (), OWN_DARK, "site-a is going dark: switch off the rest of its machines"),
        (False, (), OWN_DARK, f"Do not cut the power of site-a now: {OWN_DARK}"),
    ],
)
def test_what_speaks_against_it_leads(going: bool, against: tuple[str, ...], holds: str, first: str):
    """A dying witness is graver than a site that is half off; that the site goes dark is no news."""
    assert plug(A, going=going, against=against, holds=holds) == first


def _found(said: str) -> DarkFinding:
    title = "Storage is active"
    return DarkFinding(finding=said, on=ON, against=(f"{title}: {said}",), about=(about(title, said, NODES),))


def test_a_finding_is_news_by_kind_and_place_alone():
    """Seconds and percents that pass are none; another node is one."""
    assert _found("pxmx02-01 silent for 10 s").key == _found("pxmx02-01 silent for 90 s").key
    assert _found("pxmx02-01 silent for 10 s").key != _found("pxmx02-02 silent for 10 s").key


def test_a_finding_without_its_kinds_is_known_by_its_titles():
    """As an older activity has told it."""
    one, two = (
        DarkFinding(finding="", on=ON, against=(f"Pod is online on both arrays: resyncing, {done}% done",)).key
        for done in (41, 42)
    )
    assert one == two == (*ON, "!", "Pod is online on both arrays")


def test_a_name_in_another_name_is_no_place():
    """``pxmx01-01`` is not in ``pxmx01-011``."""
    assert about("pod", f"{ARRAY_A} resyncs from {ARRAY_B}-old", (ARRAY_A, ARRAY_B)) == f"pod {ARRAY_A}"


def test_the_survivor_needs_the_witness_once_nodes_are_off():
    """Four of seven votes with the device; without it the last node takes the quorum along."""
    wish = DarkWish(at=SiteNodes(site=A, nodes=ON, others=OF[B]), survivor=B)
    well, dying = (
        parse_votes((CAPTURES / name).read_text()) for name in ("votes-healthy.txt", "votes-witness-lost.txt")
    )

    assert _votes([("pxmx02-01", well)], wish, QDEVICE) == []
    assert _votes([("pxmx02-01", dying)], wish, QDEVICE)[0][0] == "witness"
    assert _votes([], wish, QDEVICE) == [("quorum", "no node of site-b reports its votes")]
