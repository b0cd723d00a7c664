"""Who may what on the nodes: logins, tokens, privileges, and the administration of them."""

import pytest
from proxmoxer import AuthenticationError, ProxmoxAPI

from tests.lab.pve import FIRST, SECRET, TOKEN, nodes, served

__all__ = ["nodes", "served"]  # fixtures


def test_logs_in_with_a_password(nodes):
    """proxmoxer's own login: a ticket as cookie, and a CSRF token on writes."""
    api = ProxmoxAPI(
        nodes.inventory.node(FIRST).address,
        port=nodes.ports[FIRST],
        user="engine@pve",
        password=nodes.world.cluster.users["engine@pve"].password,
        verify_ssl=str(nodes.ca),
    )
    api.storage.post(storage="s1", type="lvm", vgname="vg1")

    assert nodes.changes() == ["pve storage.create s1"]


def test_refuses_a_wrong_password(nodes):
    """The client turns the login's 401 into its own error."""
    with pytest.raises(AuthenticationError):
        ProxmoxAPI(
            nodes.inventory.node(FIRST).address,
            port=nodes.ports[FIRST],
            user="engine@pve",
            password="wrong",
            verify_ssl=str(nodes.ca),
        )


def test_asks_tickets_for_a_csrf_token(nodes):
    """A cookie alone must not write."""
    password = nodes.world.cluster.users["engine@pve"].password
    form = {"username": "engine", "realm": "pve", "password": password}
    login = nodes.http("POST", "/access/ticket", headers={"Authorization": ""}, data=form).json()["data"]
    cookie = {"Authorization": "", "Cookie": f"PVEAuthCookie={login['ticket']}"}
    answer = nodes.http("POST", "/storage", headers=cookie, data={"storage": "s1", "type": "lvm"})

    assert (answer.status_code, answer.reason) == (401, "Permission denied - invalid csrf token")


def test_tokens_make_no_tickets(nodes):
    """Only a password opens a session."""
    answer = nodes.http("POST", "/access/ticket", data={"username": "engine@pve", "password": "x"})

    assert answer.status_code == 403


def test_names_the_missing_privilege(nodes):
    """Path and privilege, so that an operator knows what to grant."""
    nodes.world.cluster.drop_privilege(TOKEN, "VM.PowerMgmt")
    answer = nodes.http("POST", f"/nodes/{FIRST}/qemu/101/status/start")

    assert (answer.status_code, answer.reason) == (403, "Permission check failed (/vms/101, VM.PowerMgmt)")


def test_asks_for_rights_before_it_reads_parameters(nodes):
    """A caller without rights never learns that a parameter was wrong."""
    nodes.world.cluster.drop_privilege(TOKEN, "Sys.Console")
    answer = nodes.http("POST", "/cluster/ha/resources", data={"nonsense": 1})

    assert answer.reason == "Permission check failed (/, Sys.Console)"


def test_checks_each_option_of_a_guest_for_its_own_privilege(nodes):
    """Cores need one right, memory another."""
    nodes.world.cluster.drop_privilege(TOKEN, "VM.Config.Memory")
    answer = nodes.http("PUT", f"/nodes/{FIRST}/qemu/101/config", data={"cores": 1, "memory": 1024})

    assert answer.reason == "Permission check failed (/vms/101, VM.Config.Memory)"


def test_a_clone_needs_the_bridge_of_its_card(nodes):
    """The new card hangs on the old one's bridge."""
    nodes.world.cluster.drop_privilege(TOKEN, "SDN.Use")
    answer = nodes.http("POST", f"/nodes/{FIRST}/qemu/101/clone", data={"newid": 300})

    assert answer.reason == "Permission check failed (/sdn/zones/localnetwork/vmbr0, SDN.Use)"


def test_a_deeper_grant_replaces_the_one_above(nodes):
    """As PVE's ACLs do: what stands on /vms/300 hides what came from /."""
    grants = {"/": {"VM.Audit": True}, "/vms/300": {"VM.PowerMgmt": True}}
    nodes.world.cluster.add_token(TOKEN, SECRET, grants)

    assert nodes.api().access.permissions.get(path="/vms/300") == {"/vms/300": {"VM.PowerMgmt": 1}}


def test_tells_a_token_its_own_rights(nodes):
    """The engine checks itself before it starts; a right that does not propagate is marked 0."""
    rights = nodes.api().access.permissions.get(path="/")["/"]

    assert (rights["Sys.Audit"], rights["Sys.Console"]) == (1, 0)


def test_root_alone_may_run_what_is_open_to_nobody(nodes):
    """Null permissions in the schema refuse every token."""
    answer = nodes.http("POST", "/cluster/config", data={"clustername": "x"})

    assert (answer.status_code, answer.reason) == (403, "Permission check failed (user != root@pam)")
