"""Which nodes stand beside which array: what names, addresses and preferred arrays tell, and when they do not."""

import pytest

from workers.cli.init.sites import Proposal, proposed

ARRAYS = [("fa-a", "10.1.0.10"), ("fa-b", "10.2.0.10:8443")]
FLAT = [("fa-a", "10.9.0.10"), ("fa-b", "10.9.0.11")]


def nodes(*names: str, nets: tuple[str, ...] = ("10.1.0", "10.2.0")) -> dict[str, str]:
    """Half of them in the first network, half in the second."""
    half = len(names) // len(nets)
    return {name: f"{nets[place // half]}.{place + 20}" for place, name in enumerate(names)}


def told(found: Proposal | None) -> tuple[str, str, bool]:
    assert found is not None
    return "+".join(found.halves[0]), "+".join(found.halves[1]), found.sure


@pytest.mark.parametrize(
    ("known", "preferred", "arrays", "expected"),
    [
        # each host's preferred array is beside it, whatever names and addresses say
        (nodes("n1", "s1"), {"n1": "fa-b", "s1": "fa-a"}, ARRAYS, ("s1", "n1", True)),
        # one without a preferred array: names, and the arrays' addresses
        (nodes("n1", "s1"), {"n1": "fa-a"}, ARRAYS, ("n1", "s1", True)),
        (nodes("pve01-1", "pve01-2", "pve02-1", "pve02-2"), {}, ARRAYS, ("pve01-1+pve01-2", "pve02-1+pve02-2", True)),
        # the arrays are named in the other order
        (nodes("n1", "n2", "s1", "s2"), {}, ARRAYS[::-1], ("s1+s2", "n1+n2", True)),
        # the names tell nothing, the addresses do
        (nodes("pve1", "pve2", "pve3", "pve4"), {}, ARRAYS, ("pve1+pve2", "pve3+pve4", True)),
        # halves, and nothing that tells which array is beside them
        (nodes("n1", "n2", "s1", "s2"), {}, FLAT, ("n1+n2", "s1+s2", False)),
        (nodes("n1", "n2", "s1", "s2", nets=("10.9.0",)), {}, FLAT, ("n1+n2", "s1+s2", False)),
        # names and addresses contradict each other
        (nodes("n1", "s1", "n2", "s2"), {}, ARRAYS, ("n1+n2", "s1+s2", False)),
    ],
)
def test_the_sites_are_proposed_and_said_to_be_certain_only_where_they_are(
    known: dict[str, str], preferred: dict[str, str], arrays: list[tuple[str, str]], expected: tuple[str, str, bool]
):
    """What is not certain is left to a person."""
    assert told(proposed(known, preferred, arrays)) == expected


def test_nodes_that_nothing_parts_are_not_guessed():
    """Neither names nor addresses tell two halves."""
    assert proposed(nodes("pve1", "pve2", "pve3", "pve4", nets=("10.9.0",)), {}, FLAT) is None
