"""The version of the rules covers every module that decides: a change of one of them is told by `explain`."""

import grimp
import pytest

from activities.rules import DECIDING, Judgement, rules

# What only holds models, units and words: it decides nothing by itself.
PLUMBING = {
    "cluster.addresses", "cluster.around", "cluster.nouns", "cluster.plan", "cluster.reminders", "cluster.units",
    "cluster.visible", "cluster.approval", "cluster.paths", "cluster.portals", "cluster.transports",
}  # fmt: skip
FROM: dict[Judgement, tuple[str, ...]] = {
    "verdict": ("cluster.basis", "cluster.breakglass.judged"),
    "gate": ("cluster.gate", "cluster.ballot"),
    "fencing": ("cluster.fencing",),
}


def _modules(name: str) -> set[str]:
    """The modules of one entry of the list."""
    whole = "cluster." + name.removesuffix(".py").replace("/", ".")
    return {one for one in GRAPH.modules if one == whole or (not name.endswith(".py") and one.startswith(f"{whole}."))}


GRAPH = grimp.build_graph("cluster")


@pytest.mark.parametrize("of", DECIDING)
def test_every_module_that_decides_is_in_the_version_of_the_rules(of: Judgement):
    """All that is imported on the way to a judgement, but for plumbing."""
    imported = {one for start in FROM[of] for one in {start, *GRAPH.find_upstream_modules(start)}}
    listed = {one for name in DECIDING[of] for one in _modules(name)} - {"cluster.judging"}

    assert imported - PLUMBING - listed == set()
    assert listed - imported == set()


def test_the_version_names_the_package_and_the_sources():
    """Three kinds of judgement, three digests."""
    told = {rules(of) for of in DECIDING}

    assert len(told) == 3
    assert all(one.startswith("0.") and len(one.partition("/")[2]) == 12 for one in told)
