"""Keeping guests at the sites beside other people's HA rules: foreign ones are never rewritten, conflicts are named."""

from datetime import timedelta
from typing import Any

import pytest

from activities.clients.proxmox import PveApi
from activities.clients.secrets import Secrets
from activities.errors import Conflict
from activities.proxmox.placing import keep_to_sites, lacking, open_elsewhere
from cluster.contracts.proxmox import HaWish, StorageWish
from cluster.inventory import HaPolicy
from cluster.nouns import KEPT_TO_SITES
from cluster.plan import Ledger, Mode
from tests.twin import TwinThread

SITES = ("pxmx01-01", "pxmx01-02", "pxmx02-01", "pxmx02-02")  # the other two stand for a third place
STRICT = {"type": "node-affinity", "strict": 1, "nodes": ",".join(SITES)}
Rules = dict[str, dict[str, Any]]


@pytest.fixture
def api(twin: TwinThread) -> PveApi:
    """The engine's own client; two guests are under HA."""
    twin.world.cluster.ha.resources.update({f"vm:{vmid}": {"state": "started"} for vmid in (300, 301)})
    return PveApi(twin.inventory, Secrets(twin.path.parent))


def wish(mode: Mode = Mode.APPLY) -> HaWish:
    return HaWish(
        mode=mode, guests=(300, 301), nodes=SITES, policy=HaPolicy(), within=timedelta(minutes=1), kept_to=SITES
    )


def kept(api: PveApi, mode: Mode = Mode.APPLY) -> list[str]:
    """What was done, as people read it."""
    ledger = Ledger(mode)
    keep_to_sites(api, ledger, wish(mode))
    return [f"{one.what} {one.target}: {one.detail}" for one in ledger.changes]


def foreign(twin: TwinThread, **rules: dict[str, Any]) -> Rules:
    """Rules that other people have made; a copy, to compare with."""
    rules = {name.replace("_", "-"): rule for name, rule in rules.items()}
    twin.world.cluster.ha.rules.update(rules)
    return {name: dict(rule) for name, rule in rules.items()}


def left(twin: TwinThread) -> Rules:
    """The rules that are not the engine's, as they are now."""
    return {name: dict(rule) for name, rule in twin.world.cluster.ha.rules.items() if name != KEPT_TO_SITES}


def test_without_any_rule_one_is_made_and_the_second_time_nothing(twin: TwinThread, api: PveApi):
    """A plan says the same, and makes nothing."""
    said = [f"add rule {KEPT_TO_SITES}: vm:300,vm:301 on {','.join(SITES)}, strict"]

    assert lacking(api, wish()) == ["no rule keeps vm:300, vm:301 at the sites"]
    assert kept(api, Mode.PLAN) == said
    assert twin.world.cluster.ha.rules == {}
    assert kept(api) == said
    assert kept(api) == []
    assert lacking(api, wish()) == []


def test_a_strict_rule_of_other_people_is_enough_and_stays(twin: TwinThread, api: PveApi):
    """The engine's own rule is for the other guest alone; of two rules about one guest Proxmox VE obeys none."""
    before = foreign(twin, their_rule=STRICT | {"nodes": "pxmx01-01:2,pxmx01-02", "resources": "vm:300 vm:990"})

    assert kept(api) == [f"add rule {KEPT_TO_SITES}: vm:301 on {','.join(SITES)}, strict"]
    assert twin.world.cluster.ha.rules[KEPT_TO_SITES]["resources"] == "vm:301"
    assert left(twin) == before
    assert lacking(api, wish()) == []


@pytest.mark.parametrize(
    "rule",
    [
        STRICT | {"strict": 0},
        {"type": "node-affinity", "nodes": ",".join(SITES)},
        STRICT | {"nodes": "pxmx01-01,pxmx02-03:5"},
    ],
    ids=["not strict", "strict left out", "a node beside the sites"],
)
def test_a_rule_that_lets_a_guest_run_beside_the_sites_is_named_and_stays(
    twin: TwinThread, api: PveApi, rule: dict[str, Any]
):
    """Nothing is changed before its owner has; the remedy says how."""
    before = foreign(twin, their_rule=rule | {"resources": "vm:301,vm:990"})

    with pytest.raises(Conflict) as told:
        kept(api)

    assert told.value.message == (
        f"HA's rule their-rule lets vm:301 run beside the sites: make it strict and name nodes of the sites alone "
        f"({', '.join(SITES)}), or remove it"
    )
    assert twin.world.cluster.ha.rules == before
    assert lacking(api, wish()) == ["no rule keeps vm:300, vm:301 at the sites"]


def test_rules_about_other_guests_rules_that_are_off_and_other_kinds_stand_in_nobodys_way(
    twin: TwinThread, api: PveApi
):
    """They are as they were afterwards."""
    before = foreign(
        twin,
        other_guests={"type": "node-affinity", "nodes": "pxmx02-03", "resources": "vm:990"},
        switched_off={"type": "node-affinity", "nodes": "pxmx02-03", "resources": "vm:300", "disable": 1},
        apart={"type": "resource-affinity", "affinity": "negative", "resources": "vm:300,vm:301"},
    )

    assert kept(api) == [f"add rule {KEPT_TO_SITES}: vm:300,vm:301 on {','.join(SITES)}, strict"]
    assert left(twin) == before
    assert kept(api) == []


@pytest.mark.parametrize(
    "bent",
    [
        {"strict": 0, "resources": "vm:300,vm:301"},
        {"disable": 1, "resources": "vm:300,vm:301"},
        {"nodes": "pxmx01-01,pxmx02-03", "resources": "vm:300,vm:301"},
        {"resources": "vm:300"},
    ],
    ids=["not strict", "off", "a node beside the sites", "a guest is missing"],
)
def test_the_engines_own_rule_is_set_right_where_people_have_changed_it(
    twin: TwinThread, api: PveApi, bent: dict[str, Any]
):
    """It has the engine's name, so it is the engine's to set."""
    twin.world.cluster.ha.rules[KEPT_TO_SITES] = STRICT | bent

    assert kept(api) == [f"set rule {KEPT_TO_SITES}: vm:300,vm:301 on {','.join(SITES)}, strict"]
    assert kept(api) == []
    assert lacking(api, wish()) == []


def test_guests_that_people_have_added_to_the_engines_rule_stay_in_it(twin: TwinThread, api: PveApi):
    """They are kept at the sites because somebody wanted it."""
    twin.world.cluster.ha.resources["vm:990"] = {"state": "started"}
    twin.world.cluster.ha.rules[KEPT_TO_SITES] = STRICT | {"resources": "vm:990,vm:300"}

    assert len(kept(api)) == 1
    assert twin.world.cluster.ha.rules[KEPT_TO_SITES]["resources"] == "vm:300,vm:301,vm:990"


@pytest.mark.parametrize(
    ("existing", "said"),
    [
        ({"nodes": "pxmx02-02,pxmx02-01,pxmx01-02,pxmx01-01"}, ""),
        (
            {},
            "storage shared is for all nodes; the nodes of the third place have no path to it, set it by hand: pvesm "
            f"set shared --nodes {','.join(SITES)}",
        ),
        (
            {"nodes": "pxmx01-01,pxmx02-03"},
            "storage shared is for pxmx01-01, pxmx02-03; the nodes of the third place have no path to it, set it by "
            f"hand: pvesm set shared --nodes {','.join(SITES)}",
        ),
    ],
)
def test_a_storage_that_is_open_elsewhere_is_told_with_the_command(existing: dict[str, str], said: str):
    """Who restricted it otherwise is asked to change it; the engine does not."""
    wanted = StorageWish(mode=Mode.APPLY, storage="shared", vg="vg", nodes=SITES, only_there=True)

    assert open_elsewhere(existing, wanted) == said
