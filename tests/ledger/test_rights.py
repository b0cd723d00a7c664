"""The token's rights: the page, the preflight and the twin's token are one list; what is missing is named."""

import asyncio
import re
from pathlib import Path
from typing import Any, cast

import pytest
from temporalio.testing import ActivityEnvironment

from activities.clients.proxmox import PveApi
from activities.clients.secrets import Secrets
from activities.errors import Unauthorized
from activities.ha.placement import Placements
from activities.parsing.guests import parse_guests
from activities.proxmox.rights import Rights, must_see_all_guests
from cluster.contracts.proxmox import RightsFinding, RightsWish
from cluster.inventory import Inventory
from cluster.placement import PlacementWish
from cluster.privileges import PROCEDURES, Procedure, effective, granted, missing, needed, paths
from lab.pve.etc.access import Pool
from lab.pve.etc.acl import Entry
from tests.cases.inputs import clients
from tests.ledger.conftest import Switched
from tests.twin import EXAMPLE
from workers.inventory_file import load

PAGE = (Path(__file__).parents[2] / "docs" / "prepare.md").read_text()
ROLE = re.compile(r'^pveum role add (\w+) --privs "([^"]+)"$', re.MULTILINE)
ENTRY = re.compile(r"^pveum acl modify (\S+) --roles (\w+) \$who$", re.MULTILINE)


@pytest.fixture
def inventory() -> Inventory:
    return load(EXAMPLE)


def as_documented(inventory: Inventory) -> dict[str, set[str]]:
    """What somebody has who followed the page line by line."""
    roles = {name: set(privileges.split()) for name, privileges in ROLE.findall(PAGE)}
    found: dict[str, set[str]] = {}
    for path, role in ENTRY.findall(PAGE):
        for guest in inventory.guests:
            where = path.replace("SOURCE", str(guest.template)).replace("ID", str(guest.vmid))
            found[where] = roles[role]
    return found


def test_the_page_grants_what_the_code_says_it_grants(inventory: Inventory):
    """One list: docs/prepare.md, and what the twin's token is made of."""
    assert as_documented(inventory) == {path: set(privileges) for path, privileges in granted(inventory).items()}


@pytest.mark.parametrize("runbook", PROCEDURES)
def test_what_is_granted_is_enough_for_every_runbook(runbook: Procedure, inventory: Inventory):
    """Also where an entry on a deeper path replaces one above it."""
    has = {path: effective(granted(inventory), path) for path in paths(inventory, [runbook])}
    assert missing(inventory, [runbook], has) == []


def test_nothing_is_granted_that_no_runbook_needs(inventory: Inventory):
    """A token may do what runbooks do, and no more."""
    for path, privileges in granted(inventory).items():
        below = [
            privilege
            for runbook in PROCEDURES
            for where, wanted in needed(inventory, runbook).items()
            if path == "/" or where == path or where.startswith(f"{path}/") or path.startswith(f"{where}/")
            for privilege in wanted
        ]
        assert set(privileges) <= set(below), path


def test_a_missing_privilege_is_named_with_its_path_and_its_runbooks(inventory: Inventory):
    """The person who grants it knows what for."""
    has = {path: effective(granted(inventory), path) - {"Sys.Modify"} for path in paths(inventory, PROCEDURES)}
    assert [str(one) for one in missing(inventory, PROCEDURES, has)] == [
        "Sys.Modify at / (for site-loss, node-loss, evacuate-site, return-site, failback)"
    ]


# --- asked of a cluster -----------------------------------------------------------------------------------------------


@pytest.fixture
def api(site: Switched) -> PveApi:
    return PveApi(site.inventory, Secrets(site.path.parent))


def asked(site: Switched, api: PveApi, **wish: Any) -> RightsFinding:
    return asyncio.run(ActivityEnvironment().run(Rights(site.inventory, api).rights, RightsWish(**wish)))


def test_the_twins_token_may_do_what_every_runbook_asks_for(site: Switched, api: PveApi):
    """It has what the page grants."""
    found = asked(site, api)
    assert found.missing == ()
    assert found.finding == "the token may do all that any runbook asks for"


def test_rights_that_are_missing_are_a_finding(site: Switched, api: PveApi):
    """For an incident, which goes on; and for the watch, once a day."""
    site.lacks("Sys.Modify")
    found = asked(site, api, runbook="site-loss")
    assert found.mark == "warned"
    assert found.finding == (
        "the token lacks Sys.Modify at / (for site-loss); grant it to the token and to its user, see docs/prepare.md"
    )
    assert asked(site, api, runbook="watch").missing == ()


def test_planned_work_is_refused_without_its_rights(site: Switched, api: PveApi):
    """Before anything is changed."""
    site.world.cluster.drop_privilege(site.inventory.api.token_id, "VM.Audit")
    with pytest.raises(Unauthorized, match=r"VM\.Audit at /vms \(for evacuate-site\)"):
        asked(site, api, runbook="evacuate-site", must=True)


def test_planned_work_is_refused_where_a_guest_may_be_hidden(site: Switched, api: PveApi):
    """An entry of its own replaces what the token may see from above: nothing is taken for empty from such a list."""
    site.entry("/vms/777", {"VM.PowerMgmt": True})
    with pytest.raises(Unauthorized, match=r"lacks VM\.Audit at /vms/777: permissions there replace"):
        asked(site, api, runbook="evacuate-site", must=True)
    assert asked(site, api, runbook="evacuate-site").missing == ()


def test_a_guest_that_is_hidden_is_missed_once_a_day(site: Switched, api: PveApi):
    """Nobody has to plan work to learn of it."""
    site.closed("/vms/777", "token")
    (missed,) = asked(site, api).missing
    assert (missed.privilege, missed.path) == ("VM.Audit", "/vms/777")


def test_with_the_documented_token_every_guest_is_seen(site: Switched, api: PveApi):
    """Also those that the inventory does not name."""
    must_see_all_guests(api)


def test_a_list_of_guests_is_refused_where_some_may_be_hidden(site: Switched, api: PveApi):
    """`/cluster/resources` leaves out what the token may not see: nothing is called empty from it."""
    site.world.cluster.drop_privilege(site.inventory.api.token_id, "VM.Audit", "/vms")
    with pytest.raises(Unauthorized, match=r"lacks VM\.Audit at /vms, with propagation"):
        must_see_all_guests(api)


def test_a_right_that_does_not_reach_the_guests_is_no_right_to_see_them(site: Switched, api: PveApi):
    """Granted at /vms without propagation."""
    site.entry("/vms", {"VM.Audit": False})
    with pytest.raises(Unauthorized, match=r"lacks VM\.Audit at /vms, with propagation"):
        must_see_all_guests(api)


def test_an_entry_on_one_guest_that_hides_it_is_named(site: Switched, api: PveApi):
    """What stands on the guest replaces what comes from above."""
    site.entry("/vms/777", {"VM.PowerMgmt": True})
    with pytest.raises(Unauthorized, match=r"lacks VM\.Audit at /vms/777"):
        must_see_all_guests(api)


@pytest.mark.parametrize("who", ["user", "token"])
def test_a_guest_that_is_closed_to_the_token_is_named(who: str, site: Switched, api: PveApi):
    """NoAccess leaves no privilege, and the path out of what PVE tells of the token's rights."""
    site.closed("/vms/777", who)
    with pytest.raises(Unauthorized, match=r"lacks VM\.Audit at /vms/777"):
        must_see_all_guests(api)


@pytest.mark.parametrize("path", ["/pool/apart", "/pool"])
def test_a_pool_that_is_closed_to_the_token_is_named(path: str, site: Switched, api: PveApi):
    """It hides all guests in it, whatever is granted at /vms; the pool itself is not shown either."""
    site.world.cluster.access.pools["apart"] = Pool(guests={300})
    site.closed(path, "token")
    assert "vm:300" not in {row.sid for row in parse_guests(api.get("cluster/resources"))}
    with pytest.raises(Unauthorized, match=rf"lacks VM\.Audit at .*{path}"):
        must_see_all_guests(api)


def test_entries_of_others_hide_nothing(site: Switched, api: PveApi):
    """A guest and a pool on which somebody else has rights, or none."""
    access = site.world.cluster.access
    access.pools["theirs"] = Pool(guests={301})
    for path, role in (("/vms/300", "PVEVMUser"), ("/pool/theirs", "NoAccess"), ("/vms/301", "NoAccess")):
        access.acl.entries[Entry(path, "user", "ana@pve", role)] = True
    must_see_all_guests(api)


def test_who_may_not_read_the_access_list_cannot_say_that_all_guests_are_seen(site: Switched, api: PveApi):
    """Without Sys.Audit at /access the list of entries is empty, and that is no evidence."""
    site.entry("/access", {"Realm.AllocateUser": True})
    with pytest.raises(Unauthorized, match=r"lacks Sys\.Audit at /access"):
        must_see_all_guests(api)


class Revoked(PveApi):
    """An API whose token loses its sight right before the list of guests is read."""

    site: Switched

    def get(self, path: str, /, *, node: str | None = None, **parameters: Any) -> Any:
        if path == "cluster/resources":
            self.site.lacks("VM.Audit")
        return super().get(path, node=node, **parameters)


def test_a_right_that_goes_between_the_question_and_the_list_is_missed(site: Switched):
    """The list is short without an error: it counts for nothing."""
    api = Revoked(site.inventory, Secrets(site.path.parent))
    api.site = site
    placements = Placements(api, clients(api=cast(Any, api)))
    with pytest.raises(Unauthorized, match=r"lacks VM\.Audit at /vms, with propagation"):
        ActivityEnvironment().run(placements.placement, PlacementWish(guests=()))
