"""HA of a healthy cluster, asked over the API: what it says, and how long it takes."""

import re
import time
from typing import Any

import pytest
from proxmoxer import ResourceException

from tests.lab.pve import FIRST, SECOND, SPEED, Nodes, nodes, served, until

__all__ = ["nodes", "served"]  # fixtures

THIRD = "pxmx01-03"
DATE = r"[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}"


def status(nodes: Nodes, node: str = FIRST) -> list[dict[str, Any]]:
    return nodes.api(node).cluster.ha.status.current.get()


def lines(entries: list[dict[str, Any]]) -> list[str]:
    """What `ha-manager status` prints, without dates."""
    return [re.sub(DATE, "DATE", f"{entry['type']} {entry['status']}") for entry in entries]


def service(nodes: Nodes, vmid: int = 300) -> dict[str, Any]:
    return next((entry for entry in status(nodes) if entry["id"] == f"service:vm:{vmid}"), {})


def under_ha(nodes: Nodes, vmid: int = 300, node: str = FIRST, **properties: Any) -> None:
    """A guest that HA has started."""
    nodes.shared_storage()
    nodes.guest(vmid, node)
    nodes.api().cluster.ha.resources.post(sid=f"vm:{vmid}", state="started", **properties)
    assert until(lambda: service(nodes, vmid), lambda entry: entry.get("state") == "started")["state"] == "started"


def test_a_cluster_without_resources_has_no_master(nodes):
    """Nobody leads and no watchdog is held before there is something to keep."""
    assert lines(status(nodes)) == ["quorum OK", "fencing standby (CRM watchdog standby)"]


def test_a_resource_is_started_within_a_few_rounds(nodes):
    """POST to `started`: a slave round, an idle round, the start and a master round, so less than 30 lab seconds."""
    began = time.monotonic()
    under_ha(nodes)

    assert (time.monotonic() - began) * SPEED < 60  # the clone's time and polling included
    assert lines(status(nodes)) == [
        "quorum OK",
        f"master {FIRST} (active, DATE)",
        "fencing armed (CRM watchdog active)",
        f"lrm {FIRST} (active, watchdog active, DATE)",
        f"lrm {SECOND} (idle, watchdog standby, DATE)",
        f"lrm {THIRD} (idle, watchdog standby, DATE)",
        "lrm pxmx02-01 (idle, watchdog standby, DATE)",
        "lrm pxmx02-02 (idle, watchdog standby, DATE)",
        "lrm pxmx02-03 (idle, watchdog standby, DATE)",
        f"service vm:300 ({FIRST}, started)",
    ]


def test_the_real_start_is_a_task_of_root(nodes):
    """HA starts what does not run, on the guest's node."""
    under_ha(nodes)
    task = nodes.api().nodes(FIRST).tasks.get(vmid=300, typefilter="qmstart")[0]

    assert (task["user"], "tokenid" in task, task["status"]) == ("root@pam", False, "OK")


def test_a_guest_that_runs_is_not_started_again(nodes):
    """HA takes it over as it is."""
    nodes.shared_storage()
    nodes.running_guest()
    nodes.api().cluster.ha.resources.post(sid="300")
    until(lambda: service(nodes), lambda entry: entry.get("state") == "started")

    assert [line for line in nodes.changes() if "guest.start" in line] == [f"{FIRST} guest.start 300"]


def test_a_new_resource_is_queued_at_first(nodes):
    """The master has not met it yet, so there is no CRM state."""
    nodes.shared_storage()
    nodes.guest()
    nodes.call(nodes.world.cluster.stop())  # no round comes in between
    nodes.api().cluster.ha.resources.post(sid="vm:300", max_restart=2)
    entry = service(nodes)

    assert (entry["state"], entry["request_state"], entry["max_restart"], entry["failback"]) == (
        "queued", "started", 2, 1,
    )  # fmt: skip
    assert "crm_state" not in entry


def test_the_transition_counts_as_busy(nodes):
    """From the POST until the service has started."""
    under_ha(nodes)

    assert "ha vm:300" in {label for _, _, label in nodes.world.busy}


def test_only_what_was_set_is_in_the_resources_file(nodes):
    """Defaults are filled in by status/current."""
    under_ha(nodes, max_relocate=0)
    entry = nodes.api().cluster.ha.resources("300").get()

    assert {name: entry[name] for name in entry if name != "digest"} == {
        "sid": "vm:300", "type": "vm", "state": "started", "max_relocate": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("verb", "path", "form", "text"),
    [
        ("POST", "/cluster/ha/resources", {"sid": "101"},
         "create resource failed: resource ID 'vm:101' already defined"),
        ("POST", "/cluster/ha/resources", {"sid": "vm:900"}, "resource 'vm:900' does not exist in cluster"),
        ("POST", "/cluster/ha/resources", {"sid": "900"},
         "unable to detect SID from VMID - VM/CT 900 does not exist"),
        ("POST", "/cluster/ha/resources", {"sid": "101", "group": "site-a"},
         "invalid parameter 'group': ha groups have been migrated to rules"),
        ("PUT", "/cluster/ha/resources/vm:300", {"state": "stopped"},
         "update resources config failed: no such resource 'vm:300'"),
        ("DELETE", "/cluster/ha/resources/vm:300", None, "cannot delete service 'vm:300', not HA managed!"),
        ("POST", "/cluster/ha/resources/vm:300/migrate", {"node": SECOND}, "resource 'vm:300' is not HA managed"),
        ("GET", "/cluster/ha/groups", None, "cannot index groups: ha groups have been migrated to rules"),
        ("POST", "/cluster/ha/rules", {"type": "node-affinity", "rule": "home", "resources": "vm:8", "nodes": FIRST},
         "create ha rule failed: cannot use unmanaged resource(s) vm:8."),
        ("GET", "/cluster/ha/rules/home", None, "no such ha rule 'home'"),
    ],
)  # fmt: skip
def test_refuses_in_pves_words(nodes, verb, path, form, text):
    """Errors inside a call are 500 with the message as reason."""
    nodes.world.cluster.ha.resources["vm:101"] = {}
    answer = nodes.http(verb, path, data=form)

    assert (answer.status_code, answer.reason) == (500, text)


def test_without_quorum_nothing_is_put_under_ha(nodes):
    """Refused at once, and the status says why."""
    nodes.power_off(*list(nodes.world.nodes)[2:])
    with pytest.raises(ResourceException, match="cluster not ready - no quorum"):
        nodes.api().cluster.ha.resources.post(sid="vm:101")

    assert lines(status(nodes))[0] == f"quorum No quorum on node '{FIRST}'!"


def test_stopping_a_managed_guest_asks_ha(nodes):
    """The task ends at once; the guest stops when the rounds have come to it."""
    under_ha(nodes)
    upid = nodes.api().nodes(FIRST).qemu(300).status.shutdown.post()

    assert (upid.split(":")[5], nodes.ended(FIRST, upid)["exitstatus"]) == ("hastop", "OK")
    assert until(lambda: service(nodes), lambda entry: entry["state"] == "stopped")["request_state"] == "stopped"
    assert nodes.api().nodes(FIRST).qemu(300).status.current.get()["status"] == "stopped"


def test_a_stopped_service_starts_again_on_request(nodes):
    """`hastart` sets the requested state; the rest is HA's."""
    under_ha(nodes)
    nodes.api().cluster.ha.resources("vm:300").put(state="stopped")
    until(lambda: service(nodes), lambda entry: entry["state"] == "stopped")
    upid = nodes.api().nodes(FIRST).qemu(300).status.start.post()

    assert (upid.split(":")[5], nodes.ended(FIRST, upid)["exitstatus"]) == ("hastart", "OK")
    assert until(lambda: service(nodes), lambda entry: entry["state"] == "started")["state"] == "started"


def test_migrates_on_command(nodes):
    """The service is shown as started on the target, whose LRM has become active."""
    under_ha(nodes)
    answer = nodes.api().cluster.ha.resources("vm:300").migrate.post(node=SECOND)
    arrived = until(lambda: service(nodes), lambda e: (e["node"], e["state"]) == (SECOND, "started"))

    assert answer == {"sid": "vm:300", "requested-node": SECOND}
    assert arrived["status"] == f"vm:300 ({SECOND}, started)"
    assert nodes.api().nodes(SECOND).qemu(300).status.current.get()["ha"] == {"managed": 1, "state": "started"}


def test_a_guest_that_went_down_is_started_again(nodes):
    """HA looks after it in every round."""
    under_ha(nodes)
    nodes.world.cluster.guests[300].running = False

    assert until(lambda: nodes.world.cluster.guests[300].running, bool)


def test_a_service_that_cannot_start_ends_in_error(nodes):
    """Two tries on each of two nodes with the default policy, then HA gives up."""
    nodes.shared_storage()
    nodes.guest()
    nodes.world.seen = frozenset()
    nodes.api().cluster.ha.resources.post(sid="vm:300")
    failed = until(lambda: service(nodes), lambda entry: entry.get("state") == "error")
    starts = [task for task in nodes.world.cluster.tasks.all if task.kind == "qmstart"]

    assert failed["state"] == "error"
    assert [task.node for task in starts] == [FIRST, FIRST, SECOND, SECOND]


def test_a_removed_resource_leaves_its_guest_running(nodes):
    """HA only lets go."""
    under_ha(nodes)
    nodes.api().cluster.ha.resources("vm:300").delete()
    until(lambda: service(nodes), lambda entry: not entry)

    assert (service(nodes), nodes.world.cluster.guests[300].running) == ({}, True)


def test_the_managers_file_holds_nodes_and_services(nodes):
    """As the master wrote it at the end of its round."""
    under_ha(nodes)
    found = nodes.api().cluster.ha("status/manager_status").get()
    known = found["manager_status"]["service_status"]["vm:300"]

    assert found["manager_status"]["master_node"] == FIRST
    assert (known["node"], known["state"], known["running"]) == (FIRST, "started", 1)
    assert found["lrm_status"][FIRST]["state"] == "active"
