"""Users, tokens, roles, rights and pools, administered over the API as root@pam."""

import pytest
from proxmoxer import ResourceException

from tests.lab.pve import FIRST, TOKEN, Nodes, nodes, served

__all__ = ["nodes", "served"]  # fixtures


def test_a_new_token_may_what_it_and_its_user_may(nodes):
    """Privilege separation: rights have to be granted to both."""
    root = nodes.root()
    root.access.users.post(userid="anna@pve", password="long-enough")
    made = root.access.users("anna@pve").token("cli").post()
    root.access.acl.put(path="/vms", tokens="anna@pve!cli", roles="PVEVMAdmin")
    before = listed(nodes, made["value"])
    root.access.acl.put(path="/vms/101", users="anna@pve", roles="PVEAuditor")

    assert (before, listed(nodes, made["value"])) == ([], [101])


def listed(nodes: Nodes, secret: str) -> list[int]:
    """The guests that anna's token sees."""
    headers = {"Authorization": f"PVEAPIToken=anna@pve!cli={secret}"}
    return [entry["vmid"] for entry in nodes.http("GET", f"/nodes/{FIRST}/qemu", headers=headers).json()["data"]]


def test_a_token_without_separation_may_what_its_user_may(nodes):
    """Nothing has to be granted to it."""
    root = nodes.root()
    root.access.users.post(userid="anna@pve", password="long-enough")
    root.access.acl.put(path="/vms", users="anna@pve", roles="PVEAuditor")
    made = root.access.users("anna@pve").token("cli").post(privsep=0)

    assert listed(nodes, made["value"]) == [101]


def test_a_right_in_person_replaces_the_groups(nodes):
    """On the same path the user's own entry counts alone, and NoAccess ends everything."""
    root = nodes.root()
    root.access.groups.post(groupid="operators")
    root.access.users.post(userid="anna@pve", password="long-enough", groups="operators")
    root.access.acl.put(path="/vms", groups="operators", roles="PVEVMAdmin")
    by_group = root.access.permissions.get(userid="anna@pve", path="/vms")["/vms"]
    root.access.acl.put(path="/vms", users="anna@pve", roles="NoAccess")

    assert "VM.Allocate" in by_group
    assert root.access.permissions.get(userid="anna@pve", path="/vms") == {"/vms": {}}


def test_a_right_that_does_not_propagate_stays_on_its_path(nodes):
    """Sys.Console on / gives no shell on a node."""
    root = nodes.root()
    root.access.users.post(userid="anna@pve", password="long-enough")
    root.access.roles.post(roleid="Console", privs="Sys.Console")
    root.access.acl.put(path="/", users="anna@pve", roles="Console", propagate=0)
    rights = root.access.permissions.get(userid="anna@pve")

    assert rights == {"/": {"Sys.Console": 0}}


def test_the_engines_rights_are_listed_as_roles(nodes):
    """What the twin granted is told like any other entry, for the user and for the token."""
    entries = nodes.root().access.acl.get()
    roles = {role["roleid"]: set(role["privs"].split(",")) for role in nodes.root().access.roles.get()}
    on_guests = [entry for entry in entries if entry["path"] == "/vms"]

    assert [(entry["type"], entry["ugid"]) for entry in on_guests] == [("token", TOKEN), ("user", "engine@pve")]
    assert {"VM.PowerMgmt", "VM.Clone"} <= roles[on_guests[0]["roleid"]]
    assert "Sys.Audit" not in roles[on_guests[0]["roleid"]]


def test_a_removed_user_leaves_nothing(nodes):
    """Neither tokens nor rights."""
    root = nodes.root()
    root.access.users("engine@pve").delete()

    assert nodes.http("GET", "/version").reason == "Authentication failed!"
    assert (root.access.acl.get(), [user["userid"] for user in root.access.users.get()]) == ([], ["root@pam"])


def test_a_changed_password_is_the_one_that_counts(nodes):
    """At the next login."""
    nodes.root().access.password.put(userid="engine@pve", password="another-one")
    form = {"username": "engine@pve", "password": "another-one"}
    answer = nodes.http("POST", "/access/ticket", headers={"Authorization": ""}, data=form)

    assert answer.json()["data"]["username"] == "engine@pve"


@pytest.mark.parametrize(
    ("verb", "path", "form", "reason"),
    [
        ("POST", "/access/users", {"userid": "engine@pve"}, "create user failed: user 'engine@pve' already exists"),
        ("GET", "/access/users/nobody@pve", {}, "no such user ('nobody@pve')"),
        ("GET", "/access/roles/Nobody", {}, "role 'Nobody' does not exist"),
        ("DELETE", "/access/roles/PVEAuditor", {}, "auto-generated role 'PVEAuditor' cannot be deleted"),
        ("GET", "/access/domains/ldap", {}, "domain 'ldap' does not exist"),
        ("PUT", "/access/acl", {"path": "/", "users": "nobody@pve", "roles": "PVEAuditor"},
         "ACL update failed: user 'nobody@pve' does not exist"),
        ("GET", "/access/groups/nobody", {}, "group 'nobody' does not exist"),
        ("GET", "/pools/nobody", {}, "pool 'nobody' does not exist"),
    ],
)  # fmt: skip
def test_refusals_are_in_pves_words(nodes, verb, path, form, reason):
    """Business errors: 500 with a text."""
    nodes.all_rights()
    answer = nodes.http(verb, path, data=form)

    assert (answer.status_code, answer.reason) == (500, reason)


def test_user_administration_is_not_the_engines(nodes):
    """Its token has no right that administers anybody."""
    answer = nodes.http("POST", "/access/users", data={"userid": "anna@pve"})
    rights = nodes.http("PUT", "/access/acl", data={"path": "/", "tokens": TOKEN, "roles": "Administrator"})

    assert (answer.status_code, rights.status_code) == (403, 403)
    assert rights.reason == "Permission check failed (/, Permissions.Modify)"


def test_a_guest_is_in_one_pool(nodes):
    """Moving it needs to be said; a pool with members stays."""
    root = nodes.root()
    for name in ("red", "blue"):
        root.pools.post(poolid=name)
    root.pools("red").put(vms=101)
    with pytest.raises(ResourceException, match="VM 101 belongs already to pool 'red' and 'allow-move' is not set"):
        root.pools("blue").put(vms=101)
    root.pools("blue").put(vms=101, **{"allow-move": 1})
    with pytest.raises(ResourceException, match="pool 'blue' is not empty"):
        root.pools("blue").delete()

    assert [len(root.pools(name).get()["members"]) for name in ("red", "blue")] == [0, 1]


def test_administration_needs_quorum(nodes):
    """user.cfg is a file of the cluster's: the lock is tried for in vain."""
    nodes.power_off(*list(nodes.world.nodes)[2:])
    with pytest.raises(ResourceException, match="create group failed: cfs-lock 'file-user_cfg' error: no quorum!"):
        nodes.root().access.groups.post(groupid="operators")


def test_a_login_works_without_quorum(nodes):
    """And so do reads."""
    nodes.power_off(*list(nodes.world.nodes)[2:])

    assert nodes.root().version.get()["version"] == "9.1.9"


def test_a_ticket_in_place_of_the_password_makes_a_new_one(nodes):
    """So proxmoxer renews its own, before two hours are over."""
    ticket, _ = nodes.root().get_tokens()
    form = {"username": "root@pam", "password": ticket}
    renewed = nodes.http("POST", "/access/ticket", headers={"Authorization": ""}, data=form)

    assert renewed.json()["data"]["ticket"].startswith("PVE:root@pam:")
