"""Which incidents a verdict asks for beside those that are open: levels, not edges."""

import pytest

from cluster.conditions import Condition, Kind
from cluster.incidents import Ended, Wanted, asked_of_people, taken_over_by, wanted
from cluster.verdict import Verdict
from cluster.watching import Open

SITE_OF = {f"pxmx0{site}-0{number}": f"site-{name}" for site, name in ((1, "a"), (2, "b")) for number in (1, 2, 3)}
A1, A2, B1 = "pxmx01-01", "pxmx01-02", "pxmx02-01"


def says(*told: tuple[Kind, tuple[str, ...]]) -> Verdict:
    """A verdict of these conditions, the gravest first."""
    first, *rest = [Condition(kind=kind, where=where) for kind, where in told]
    return Verdict(main=first, also=tuple(rest))


def is_open(kind: str, *where: str) -> Open:
    return Open(run=f"{kind}/{'/'.join(where)}", key="", kind=kind, where=where)


WELL = says(("healthy", ()))
DARK = says(("site-lost", ("site-a",)))
CUT = says(("sites-parted", ("site-b", "site-a")))
BOTH = says(("site-isolated", ("site-a",)), ("site-lost", ("site-b",)))
NODE = says(("node-lost", (A1,)))
NODES = says(("node-lost", (A1, A2)))
NODE_EACH = says(("node-lost", (A1,)), ("node-lost", (B1,)))
NO_WITNESS = says(("witness-lost", ("qdevice",)))
NO_QUORUM = says(("quorum-lost", ("site-a",)))
DARK_AND_NODE = says(("site-lost", ("site-a",)), ("node-lost", (B1,)))
ELSEWHERE = says(("storage-elsewhere", ("site-a", "site-b")), ("sites-parted", ("site-b", "site-a")))

LOST_A, LOST_B = Wanted(kind="SiteLoss", where=("site-a",)), Wanted(kind="SiteLoss", where=("site-b",))
EXPLAINED = Wanted(kind="ClusterIncident")


def nodes(*where: str) -> Wanted:
    return Wanted(kind="NodeLoss", where=where)


TABLE = [
    ("all is well", WELL, (), ()),
    ("nothing is built yet", says(("not-deployed", ())), (), ()),
    ("all is well, an incident is still open", WELL, (is_open("SiteLoss", "site-a"),), ()),
    ("a site", DARK, (), (LOST_A,)),
    ("the same site", DARK, (is_open("SiteLoss", "site-a"),), ()),
    ("the other site is open", DARK, (is_open("SiteLoss", "site-b"),), (LOST_A,)),
    ("a cut between the sites", CUT, (), (LOST_A,)),
    ("quorum and storage at different sites", ELSEWHERE, (), (LOST_A,)),
    ("both sites", BOTH, (), (LOST_A, LOST_B)),
    ("both sites, one is open", BOTH, (is_open("SiteLoss", "site-a"),), (LOST_B,)),
    ("a site, and something is explained already", DARK, (is_open("ClusterIncident"),), (LOST_A,)),
    ("a site, and its node has one already", DARK, (is_open("NodeLoss", A1),), (LOST_A,)),
    ("a site, and a node of the other one", DARK_AND_NODE, (), (LOST_A, nodes(B1))),
    ("the same, the site's is open", DARK_AND_NODE, (is_open("SiteLoss", "site-a"),), (nodes(B1),)),
    ("a node", NODE, (), (nodes(A1),)),
    ("the same node", NODE, (is_open("NodeLoss", A1),), ()),
    ("a further node of the same site", NODES, (is_open("NodeLoss", A1),), ()),
    ("another node of the same site", says(("node-lost", (A2,))), (is_open("NodeLoss", A1),), ()),
    ("two nodes of one site", NODES, (), (nodes(A1, A2),)),
    ("a node of each site", NODE_EACH, (), (nodes(A1), nodes(B1))),
    ("a node of each site, one is open", NODE_EACH, (is_open("NodeLoss", A1),), (nodes(B1),)),
    ("a site of which one node has not returned", NODE, (is_open("SiteLoss", "site-a"),), ()),
    ("that site's incident has closed", NODE, (), (nodes(A1),)),
    ("the witness", NO_WITNESS, (), (EXPLAINED,)),
    ("the witness, explained already", NO_WITNESS, (is_open("ClusterIncident"),), ()),
    ("the witness, while a site is lost", NO_WITNESS, (is_open("SiteLoss", "site-a"),), ()),
    ("the witness, while a node is lost", NO_WITNESS, (is_open("NodeLoss", A1),), ()),
    ("no quorum", NO_QUORUM, (), (EXPLAINED,)),
    ("no quorum while a site is lost", NO_QUORUM, (is_open("SiteLoss", "site-a"),), ()),
    ("a doubt", says(("undetermined", ("silence",))), (), (EXPLAINED,)),
    ("a doubt beside a proven loss", says(("undetermined", ("x",)), ("site-lost", ("site-a",))), (), (LOST_A,)),
    ("an incident that nobody knows the place of", DARK, (is_open("SiteLoss"),), (LOST_A,)),
]


@pytest.mark.parametrize(("verdict", "open_", "opens"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_what_is_missing_is_opened(verdict: Verdict, open_: tuple[Open, ...], opens: tuple[Wanted, ...]):
    """Each lost site has its own, lost nodes of a site share one, all else is explained or told to the open one."""
    assert wanted(verdict, open_, SITE_OF) == opens


@pytest.mark.parametrize("verdict", [row[1] for row in TABLE], ids=[row[0] for row in TABLE])
def test_what_is_open_is_not_opened_again(verdict: Verdict):
    """Judged again with what it has opened, the same verdict asks for nothing more."""
    opened = tuple(is_open(one.kind, *one.where) for one in wanted(verdict, (), SITE_OF))

    assert wanted(verdict, opened, SITE_OF) == ()


@pytest.mark.parametrize(
    ("kind", "site", "open_", "by"),
    [
        ("ClusterIncident", "", (is_open("SiteLoss", "site-a"),), "SiteLoss/site-a"),
        ("ClusterIncident", "", (is_open("NodeLoss", A1),), f"NodeLoss/{A1}"),
        ("ClusterIncident", "", (is_open("ClusterIncident"),), ""),
        ("NodeLoss", "site-a", (is_open("SiteLoss", "site-a"),), "SiteLoss/site-a"),
        ("NodeLoss", "site-b", (is_open("SiteLoss", "site-a"),), ""),
        ("NodeLoss", "site-a", (is_open("ClusterIncident"),), ""),
        ("SiteLoss", "site-a", (is_open("SiteLoss", "site-b"), is_open("NodeLoss", B1)), ""),
    ],
)
def test_a_graver_incident_takes_over(kind: str, site: str, open_: tuple[Open, ...], by: str):
    """A site's loss takes over that of its nodes; any loss takes over what was only explained."""
    assert taken_over_by(kind, site, open_) == by


@pytest.mark.parametrize(
    ("ended", "by_itself", "never_began"),
    [
        (Ended(run="r", status="completed"), True, False),
        (Ended(run="r", status="failed", why="Aborted: aborted by ana"), True, False),
        (Ended(run="r", status="failed", why="AlreadyRunning: one at a time"), False, True),
        (Ended(run="r", status="failed", why="ValidationError"), False, False),
        (Ended(run="r", status="terminated"), False, False),
        (Ended(run="r", status="timed out"), False, False),
        (Ended(run="r", status="unknown"), False, False),
    ],
)
def test_an_end_is_told_by_how_it_came(ended: Ended, *, by_itself: bool, never_began: bool):
    """What did not end by itself could not tell anybody; what never began is not over."""
    assert (ended.by_itself, ended.never_began) == (by_itself, never_began)


def test_people_are_asked_for_what_nobody_else_does():
    """A loss is followed by its incident; the witness, the quorum and the wrong winner are a person's."""
    assert list(asked_of_people(says(("witness-lost", ("qdevice",)), ("resyncing", ("X",))))) == [
        "witness-lost qdevice"
    ]
    assert list(asked_of_people(ELSEWHERE)) == ["storage-elsewhere site-a site-b"]
    assert not asked_of_people(DARK_AND_NODE)
