"""A third place with nodes of its own: they are the vantage point of a third failure domain, and their loss is told."""

from datetime import timedelta
from pathlib import Path

import pytest

from cluster.answers.advice import answer
from cluster.facts import ArrayLook, ClusterLook, CopyLook, Facts, Memory, VotesLook, remember
from cluster.inventory import Inventory
from cluster.judging.unrest import no_winner_yet
from cluster.looks import Links
from cluster.verdict import Verdict, judge
from tests.places import third_place
from tests.verdict.world import ARRAY, SILENCE, SLOW, START
from workers.inventory_file import load

EXAMPLE = Path(__file__).parents[2] / "examples" / "lab.yaml"


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    """Two nodes at each site, one at site-c, and no witness."""
    path = tmp_path / "inventory.yaml"
    path.write_text(third_place(EXAMPLE.read_text()))
    return load(path)


def seen(inventory: Inventory, later: float, *gone: str, alive: tuple[str, ...] = ()) -> Facts:
    """What everybody says without the nodes that are `gone`; those `alive` of them are logged in at the arrays."""
    at = START + timedelta(seconds=later)
    ids = dict(enumerate((node.name for node in inventory.nodes), start=1))
    here = tuple(number for number, name in ids.items() if name not in gone)
    counted = {"expected": 5, "total": len(here), "quorum": 3, "quorate": True, "members": here, "settled": True}
    counted["links"] = Links(links=2, ways=8, down=2 * len(gone))
    told = {"ids": ids, "quorate": True, "master": "pxmx02-01", "node_states": dict.fromkeys(ids.values(), "online")}
    guests = {"services": {"vm:300": ("started", "pxmx02-01")}, "guests": {300: "pxmx02-01"}}
    both = dict.fromkeys(ARRAY.values(), CopyLook(status="online", mediator="online"))
    in_it = [node.name for node in inventory.site_nodes if node.name not in gone or node.name in alive]
    silent = {name: {"silent": SILENCE} for name in gone}

    def base(name: str, how: str, domain: str) -> dict[str, object]:
        return {"by": name, "how": how, "domain": domain, "at": at}

    return Facts(
        at=at,
        votes={
            name: VotesLook.model_validate(base(name, "ssh", inventory.place_of(name)) | silent.get(name, counted))
            for name in ids.values()
        },
        cluster={
            name: ClusterLook.model_validate(
                base(name, "api", inventory.place_of(name)) | silent.get(name, told | guests)
            )
            for name in ids.values()
        },
        arrays={
            array: ArrayLook.model_validate(
                base(array, "api", site)
                | {"copies": both, "replication": "connected", "logins": dict.fromkeys(in_it, 4), "portals": 4}
            )
            for site, array in ARRAY.items()
        },
    )


def verdict(inventory: Inventory, *gone: str, alive: tuple[str, ...] = ()) -> Verdict:
    """Healthy, and a minute later without these."""
    names = tuple(node.name for node in inventory.nodes)
    memory = remember(Memory(totem=SLOW), seen(inventory, 0), names, timedelta(minutes=5))
    facts = seen(inventory, 60, *gone, alive=alive)
    return judge(facts, remember(memory, facts, names, timedelta(minutes=5)), inventory)


def test_is_healthy_without_a_witness_and_without_its_vote(inventory: Inventory):
    """Nobody misses a quorum device, and nobody misses logins of nodes that have no path."""
    found = verdict(inventory)

    assert found.key == "healthy"
    assert found.main.reasons[0] == "5 of 5 votes, 5 of 5 nodes answer"


def test_a_site_is_lost_by_the_word_of_the_third_place_and_of_the_arrays(inventory: Inventory):
    """Two failure domains beside the survivors: the place that votes, and an array that has no login."""
    found = verdict(inventory, "pxmx01-01", "pxmx01-02")

    assert found.key == "site-lost site-a"
    assert found.main.reasons == (
        "pxmx02-01, pxmx02-02, pxmx03-01 are quorate without site-a",
        "pxmx03-01 at site-c counts no node of site-a",
        "X90R3-SiteA has no login of its own site's hosts",
        "X90R3-SiteB has no login of site-a and calls the copy of X90R3-SiteA online",
        "X90R3-SiteA answers and serves the pod",
    )
    assert found.main.unless[0] == "any node of site-a answers, or is counted by a node at site-c"


def test_a_site_that_an_array_sees_alive_is_not_lost(inventory: Inventory):
    """Silent and out of the membership, but logged in: it is cut off."""
    found = verdict(inventory, "pxmx01-01", "pxmx01-02", alive=("pxmx01-01",))

    assert found.kind == "site-isolated"


def test_the_loss_of_the_third_place_is_told_by_its_own_name(inventory: Inventory):
    """It is to the sites what a witness is elsewhere; no guest ran there, so no node's loss is opened."""
    found = verdict(inventory, "pxmx03-01")

    assert (found.key, found.sentence) == ("witness-lost site-c", "third place lost (site-c)")
    assert found.main.reasons == (
        "pxmx03-01 left the membership, by the votes of pxmx01-01, pxmx01-02, pxmx02-01, pxmx02-02",
        "no node at site-c is left to vote",
        "4 of 5 votes: the loss of site-a or site-b now stops everything",
    )
    said = answer(found.main, Memory(), inventory)
    assert said.title == "Nodes of the third place site-c have no vote"
    assert said.tasks[0].do == (
        "bring back the nodes at site-c: pxmx03-01 (no BMC in the inventory: at the rack); check their power and "
        "corosync's links"
    )


def restless(inventory: Inventory, *, moved: bool = True, third: int = 0) -> Facts:
    """The link between the sites is cut; two rings are made without end, the second site is with the third place."""
    facts = seen(inventory, 60)
    one, two = ({node.name for node in site.nodes} for site in inventory.sites)
    ids = {name: number for number, name in facts.cluster["pxmx01-01"].ids.items()}
    alone = tuple(sorted(ids[name] for name in one))

    def looks(name: str, look: VotesLook) -> VotesLook:
        down = third if name not in one | two else 2 * len(one)
        told: dict[str, object] = {"links": Links(links=2, ways=8, down=down)}
        if name in one and moved:
            told |= {"members": alone, "total": 2, "quorate": False}
        return look.model_copy(update=told)

    return facts.model_copy(update={"votes": {name: looks(name, look) for name, look in facts.votes.items()}})


def judged(inventory: Inventory, facts: Facts) -> Verdict:
    """After a healthy minute."""
    names = tuple(node.name for node in inventory.nodes)
    memory = remember(Memory(totem=SLOW), seen(inventory, 0), names, timedelta(minutes=5))
    return judge(facts, remember(memory, facts, names, timedelta(minutes=5)), inventory)


def test_sites_that_reach_the_third_place_and_not_each_other_have_no_winner(inventory: Inventory):
    """Nodes that still call themselves quorate are no evidence, and the advice does not take them for the winner."""
    found = judged(inventory, restless(inventory))

    assert found.key.startswith("quorum-lost")
    assert found.main.reasons == (
        "corosync's links between site-a and site-b are down, and both reach site-c",
        "it makes one membership after the other, and none comes to rest: nothing is delivered, no HA agent can renew "
        "its lock",
        "what calls itself quorate does so for a moment, and it is no evidence: pxmx02-01, pxmx02-02, pxmx03-01",
    )
    said = answer(found.main, Memory(), inventory)
    assert said.title == "The quorum is lost: the sites reach the nodes at site-c, and not each other"
    assert said.tasks[0].do == "repair the link between the sites: that alone brings all nodes together"


def test_links_that_are_down_before_anybody_counts_otherwise_are_told_as_links(inventory: Inventory):
    """The token is not lost yet: the link may come back, and all nodes are members."""
    assert judged(inventory, restless(inventory, moved=False)).kind == "links-down"


def test_what_both_ends_of_a_link_tell_differently_names_no_winner_yet(inventory: Inventory):
    """A node that has just reset is heard a little longer: its word is from before."""
    found = judged(inventory, restless(inventory, third=4))

    assert found.kind == "undetermined"
    assert found.main.reasons == ("site-a and site-b tell that they reach site-c, whose own links tell otherwise",)


def hidden(inventory: Inventory, *, heard: bool) -> Facts:
    """The first site says nothing, and is with no array; the third place's links tell whether it is heard there."""
    facts = seen(inventory, 60, "pxmx01-01", "pxmx01-02")
    third = Links(links=2, ways=8, down=0 if heard else 4)
    links = {name: Links(links=2, ways=8, down=4) for name in facts.votes} | {"pxmx03-01": third}
    votes = {
        n: look.model_copy(update={"links": links[n]}) if look.answered else look for n, look in facts.votes.items()
    }
    return facts.model_copy(update={"votes": votes})


def test_a_silent_site_that_the_third_place_still_hears_is_not_lost(inventory: Inventory):
    """The engine is cut off from it as the other site is: a quorate ring without it may be a moment's picture."""
    found = judged(inventory, hidden(inventory, heard=True))

    assert found.kind == "undetermined"
    assert found.main.reasons == (
        "corosync's links of site-b do not reach site-a, and those of pxmx03-01 do: what is counted may be one "
        "membership after the other",
    )


def test_a_site_that_the_third_place_still_hears_is_not_lost_where_the_other_site_tells_no_links(inventory: Inventory):
    """The third place's word is enough: it alone reaches both."""
    found = judged(inventory, unlinked(hidden(inventory, heard=True), "pxmx02-01", "pxmx02-02"))

    assert found.kind == "undetermined"
    assert found.main.reasons == (
        "corosync's links of pxmx03-01 reach all nodes or some of site-a: what is counted may be one membership after "
        "the other",
    )


def unlinked(facts: Facts, *names: str) -> Facts:
    """These tell members and votes, and none of corosync's links."""
    votes = {
        name: look.model_copy(update={"links": None}) if name in names else look for name, look in facts.votes.items()
    }
    return facts.model_copy(update={"votes": votes})


UNHEARD = (
    "no node at site-c tells corosync's links, and no stamp of HA is newer than the cut: what is counted may be one "
    "membership after the other"
)


def test_sites_that_tell_no_links_have_no_winner(inventory: Inventory):
    """Both answer, and members and votes of one look may be a moment's picture."""
    facts = restless(inventory)
    ring = {"members": (3, 4, 5), "total": 3}
    votes = {n: look.model_copy(update=ring) if look.quorate else look for n, look in facts.votes.items()}
    found = judged(inventory, unlinked(facts.model_copy(update={"votes": votes}), *votes))

    assert (found.kind, found.main.reasons) == ("undetermined", (UNHEARD,))


def test_a_silent_site_is_not_lost_while_the_third_place_tells_no_links(inventory: Inventory):
    """The quorum of the other site with the third place may be a moment's picture, whatever the arrays say."""
    found = judged(inventory, unlinked(seen(inventory, 60, "pxmx01-01", "pxmx01-02"), "pxmx03-01"))

    assert (found.kind, found.main.reasons) == ("undetermined", (UNHEARD,))


def stamped(facts: Facts, stamp: int) -> Facts:
    """The third place tells no links, and the other site's LRM wrote last at `stamp`."""
    cluster = {
        name: look.model_copy(update={"stamps": {"pxmx02-01": stamp}}) if look.answered else look
        for name, look in facts.cluster.items()
    }
    return unlinked(facts.model_copy(update={"cluster": cluster}), "pxmx03-01")


def after(inventory: Inventory, last: int) -> Verdict:
    """Site A says nothing from the tenth second on; the last look, a minute later, finds this stamp."""
    names, gone = tuple(node.name for node in inventory.nodes), ("pxmx01-01", "pxmx01-02")
    memory = remember(Memory(totem=SLOW), stamped(seen(inventory, 0), 100), names, timedelta(minutes=5))
    memory = remember(memory, stamped(seen(inventory, 10, *gone), 105), names, timedelta(minutes=5))
    facts = stamped(seen(inventory, 70, *gone), last)
    return judge(facts, remember(memory, facts, names, timedelta(minutes=5)), inventory)


def test_a_site_is_lost_once_ha_goes_on_writing_without_it(inventory: Inventory):
    """What is written reaches all members: the membership has come to rest, whether the links are told or not."""
    assert after(inventory, 165).key == "site-lost site-a"


def test_a_site_is_not_lost_by_what_ha_wrote_before_the_cut(inventory: Inventory):
    """The stamp of the tenth second was new then, and nothing has been written since."""
    assert after(inventory, 105).main.reasons == (UNHEARD,)


def test_a_silent_site_that_the_third_place_does_not_hear_is_lost(inventory: Inventory):
    """The same words without its links: unrest does not hide the loss of a site."""
    assert judged(inventory, hidden(inventory, heard=False)).key == "site-lost site-a"


def test_connections_to_another_node_that_is_off_do_not_stand_for_those_to_the_site(inventory: Inventory):
    """Three nodes are no members, and the connections to two are down: one of the site may be heard."""
    facts = seen(inventory, 60, "pxmx01-01", "pxmx01-02", "pxmx02-02")
    third = facts.votes["pxmx03-01"]
    heard = third.model_copy(update={"links": Links(links=2, ways=8, down=4)})
    partly = facts.model_copy(update={"votes": facts.votes | {"pxmx03-01": heard}})

    assert no_winner_yet(inventory.sites[0], facts, Memory(), inventory) is None
    assert no_winner_yet(inventory.sites[0], partly, Memory(), inventory) is not None
