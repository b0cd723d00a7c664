"""What every call asks of its caller, compared with the permissions of PVE's own schema: the twin is never kinder."""

import gzip
import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from lab.pve.daemon.schema import SOURCE
from lab.pve.etc.roles import ALL
from lab.pve.urls import routes
from tests.lab.pve import FIRST, SECRET, TOKEN, Nodes, nodes, served

__all__ = ["nodes", "served"]  # fixtures

SCHEMA: dict[str, dict[str, Any]] = json.loads(gzip.decompress(SOURCE.read_bytes()))["paths"]
PLAYED = sorted(routes().table, key=lambda key: key[::-1])
# How anything is called in a path; whether it is there does not matter, rights are asked first.
NAMES = {
    "node": FIRST, "vmid": "101", "storage": "local", "service": "corosync", "sid": "vm:101", "rule": "home",
    "userid": "root@pam", "tokenid": "one", "groupid": "operators", "roleid": "PVEAuditor", "poolid": "lab",
    "realm": "pve", "iface": "vmbr0", "name": "one", "id": "nightly", "zone": "localnetwork", "newid": "300",
    "upid": f"UPID:{FIRST}:0003A7F3:00000001:00000001:qmstart:101:root@pam:",
}  # fmt: skip


def filled(template: str) -> str:
    return re.sub(r"\{([^}]+)\}", lambda found: NAMES[found[1]], template)


def documented(verb: str, template: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = SCHEMA[template][verb]["permissions"]
    return found


def blocking(tree: list[Any]) -> set[frozenset[str]]:
    """Each set of privileges without which a tree lets nobody through, though everything else is granted."""
    kind, *rest = tree
    if kind == "and":
        return set().union(*(blocking(branch) for branch in rest))
    if kind == "or":
        choices = [branch for branch in rest if "require_param" not in branch]
        return {frozenset().union(*one) for one in itertools.product(*(blocking(branch) for branch in choices))}
    if kind == "perm":
        any_of = dict(zip(rest[2::2], rest[3::2], strict=True)).get("any")
        return {frozenset(rest[1])} if any_of else {frozenset([name]) for name in rest[1]}
    if kind == "userid-group":
        return {frozenset(rest[0])}
    if kind == "perm-modify":
        return {frozenset(["Permissions.Modify", "VM.Allocate", "Datastore.Allocate", "Pool.Allocate"])}
    return {frozenset()} if rest == ["self"] else {frozenset(rest)}


def cases() -> Iterator[Any]:
    for verb, template in PLAYED:
        permissions = documented(verb, template)
        if SCHEMA[template][verb].get("allowtoken", 1) and permissions and permissions.get("user") is None:
            for missing in sorted(blocking(permissions["check"]), key=sorted):
                yield pytest.param(verb, template, missing, id=f"{verb} {template} without {'|'.join(sorted(missing))}")


def with_all_but(nodes: Nodes, missing: frozenset[str]) -> None:
    rights = {"/": dict.fromkeys(ALL - missing, True)}
    access = nodes.world.cluster.access
    access.acl.grant("user", TOKEN.partition("!")[0], rights)
    access.acl.grant("token", TOKEN, rights)


@pytest.fixture(scope="module")
def one_cluster(served: Nodes) -> Nodes:
    """Nothing is changed by calls that are refused."""
    served.reset()
    return served


@pytest.mark.parametrize(("verb", "template", "missing"), list(cases()))
def test_nothing_is_kinder_than_the_schema(one_cluster: Nodes, verb: str, template: str, missing: frozenset[str]):
    """Everything but what the schema asks for: refused, before parameters are looked at."""
    with_all_but(one_cluster, missing)
    answer = one_cluster.http(verb, filled(template), params={"newid": "300", "path": "/vms"})

    assert (answer.status_code, answer.reason[:23]) == (403, "Permission check failed")


def test_without_any_right_only_what_is_for_all_users_answers(one_cluster: Nodes):
    """A token that was granted nothing gets through exactly where the schema says `user: all`, or no login."""
    one_cluster.world.cluster.add_token(TOKEN, SECRET, {})
    one_cluster.world.cluster.access.acl.forget("user", TOKEN.partition("!")[0])
    let_through = {
        (verb, template)
        for verb, template in PLAYED
        if verb == "GET" and one_cluster.http(verb, filled(template)).status_code != 403
    }

    # the code of these asks further: of a task, an owner; of another's factors, being that user
    asked_further = {("GET", f"/nodes/{{node}}/tasks/{{upid}}{rest}") for rest in ("", "/log", "/status")}
    assert (
        let_through - asked_further
        == {
            (verb, template)
            for verb, template in PLAYED
            if verb == "GET" and (documented(verb, template) or {}).get("user") in ("all", "world")
        }
        - asked_further
    )


# --- lists that show less --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("privilege", "hidden"),
    [
        ("VM.Audit", {"qemu"}),
        ("Datastore.Audit", {"storage"}),
    ],
)
def test_resources_leave_out_what_the_caller_may_not_see(nodes: Nodes, privilege: str, hidden: set[str]):
    """No error says so: a missing right looks like an empty world. AllocateSpace shows no storage here."""
    with_all_but(nodes, frozenset())
    everything = {entry["type"] for entry in nodes.api().cluster.resources.get()}
    with_all_but(nodes, frozenset([privilege]))

    assert everything - {entry["type"] for entry in nodes.api().cluster.resources.get()} == hidden


def test_nodes_are_listed_without_their_figures(nodes: Nodes):
    """Without Sys.Audit a node is only a name and whether it is online."""
    with_all_but(nodes, frozenset(["Sys.Audit"]))
    found = nodes.api().cluster.resources.get(type="node")

    assert {key for entry in found for key in entry} <= {
        "id",
        "type",
        "node",
        "status",
        "level",
        "hastate",
        "cgroup-mode",
    }
    assert len(found) == len(nodes.world.nodes)


def test_one_hidden_guest_leaves_the_others(nodes: Nodes):
    """A deeper grant without VM.Audit hides that guest alone, from resources and from its node's list."""
    nodes.shared_storage()
    nodes.guest(300)
    rights = {"/": dict.fromkeys(ALL, True), "/vms/300": {"VM.PowerMgmt": True}}
    nodes.world.cluster.access.acl.grant("token", TOKEN, rights)

    assert [entry["vmid"] for entry in nodes.api().cluster.resources.get(type="vm")] == [101]
    assert [entry["vmid"] for entry in nodes.api().nodes(FIRST).qemu.get()] == [101]


def test_options_are_told_in_part_without_sys_audit(nodes: Nodes):
    """Everybody may ask; the rebalancer is not told to those without the right."""
    nodes.world.cluster.options["crs"] = "ha-auto-rebalance=1"
    with_all_but(nodes, frozenset(["Sys.Audit"]))
    with_less = nodes.api().cluster.options.get()
    with_all_but(nodes, frozenset())

    assert with_less == {"allowed-tags": []}
    assert nodes.api().cluster.options.get()["crs"] == {"ha-auto-rebalance": "1"}


def test_tasks_of_others_need_sys_audit(nodes: Nodes):
    """The cluster's list compares with the user of a task, so that a token sees not even its own."""
    nodes.ended(FIRST, nodes.api().nodes(FIRST).qemu(101).status.start.post())
    seen = len(nodes.api().cluster.tasks.get())
    with_all_but(nodes, frozenset(["Sys.Audit"]))

    assert (seen, nodes.api().cluster.tasks.get()) == (1, [])
    assert len(nodes.api().nodes(FIRST).tasks.get()) == 1
