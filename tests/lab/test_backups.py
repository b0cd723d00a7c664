"""Backup jobs over the API: defined, changed and read as PVE does it, and what a running one locks."""

from datetime import UTC, datetime
from typing import Any

import pytest
from proxmoxer import ResourceException

from lab.pve.etc.roles import ALL
from lab.pve.responses import backups
from lab.pve.work.calendar import next_event
from tests.lab.pve import FIRST, SECRET, TOKEN, Nodes, served, until

__all__ = ["served"]  # fixtures

NIGHTLY = {"id": "nightly", "all": 1, "storage": "local", "schedule": "22:30", "mode": "snapshot"}
# What the engine's token has at most for this: reading, changing, and the storages that jobs write to.
RIGHTS: dict[str, dict[str, bool]] = {
    "/": {"Sys.Audit": True, "Sys.Modify": True},
    "/vms": {"VM.Audit": True},
    "/storage": {"Datastore.Allocate": True},
}


@pytest.fixture
def nodes(served: Nodes) -> Nodes:
    """Nodes whose token may change jobs."""
    served.reset()
    grant(served, RIGHTS)
    return served


def grant(nodes: Nodes, rights: dict[str, dict[str, bool]]) -> None:
    access = nodes.world.cluster.access
    access.add_token(TOKEN, SECRET, rights)
    access.acl.grant("user", TOKEN.partition("!")[0], {"/": dict.fromkeys(ALL, True)})


def test_a_job_is_read_as_it_was_defined(nodes: Nodes):
    """Enabled unless it says otherwise; property strings come as objects; the list tells when it runs next."""
    nodes.api().cluster.backup.post(**NIGHTLY, **{"prune-backups": "keep-daily=7,keep-last=2"})
    (listed,) = nodes.api().cluster.backup.get()
    read = nodes.api().cluster.backup("nightly").get()

    assert listed.pop("next-run") > nodes.world.clock.now()
    assert listed == read
    assert read == {
        **NIGHTLY, "type": "vzdump", "enabled": 1, "prune-backups": {"keep-daily": 7, "keep-last": 2},
    }  # fmt: skip


def test_a_job_is_switched_off_and_on(nodes: Nodes):
    """What the engine does; the rest of the job stays as it is."""
    job = nodes.api().cluster.backup
    job.post(**NIGHTLY)
    job("nightly").put(enabled=0)
    off = job("nightly").get()
    job("nightly").put(enabled=1)

    assert (off, job("nightly").get()) == ({**NIGHTLY, "type": "vzdump", "enabled": 0}, {**off, "enabled": 1})


@pytest.mark.parametrize(
    ("path", "missing", "named"),
    [
        ("/", "Sys.Modify", "(/, Sys.Modify)"),
        ("/storage", "Datastore.Allocate", "(/storage/local, Datastore.Allocate)"),
    ],
)
def test_changing_a_job_needs_its_storage_as_well(nodes: Nodes, path: str, missing: str, named: str):
    """Also to switch it off: PVE looks at the storage that the job has."""
    nodes.api().cluster.backup.post(**NIGHTLY)
    grant(nodes, {**RIGHTS, path: {name: True for name in RIGHTS[path] if name != missing}})

    with pytest.raises(ResourceException, match="Permission check failed") as refused:
        nodes.api().cluster.backup("nightly").put(enabled=0)
    assert named in str(refused.value)


def test_a_job_without_a_storage_writes_to_local(nodes: Nodes):
    """And so needs the right there."""
    nodes.world.cluster.jobs["old"] = {"all": 1, "schedule": "daily", "enabled": 1}
    grant(nodes, {**RIGHTS, "/storage/local": {"Datastore.Audit": True}})

    with pytest.raises(ResourceException, match=r"\(/storage/local, Datastore.Allocate\)"):
        nodes.api().cluster.backup("old").put(enabled=0)


def test_a_job_with_a_folder_is_root_s_alone(nodes: Nodes):
    """No token may touch it, whatever it may elsewhere."""
    nodes.world.cluster.jobs["old"] = {"all": 1, "schedule": "daily", "enabled": 1, "dumpdir": "/backup"}

    with pytest.raises(ResourceException, match=r"only root@pam may edit jobs with a 'dumpdir' option"):
        nodes.api().cluster.backup("old").put(enabled=0)


@pytest.mark.parametrize(
    ("verb", "given", "words"),
    [
        ("POST", {"id": "nightly", "all": 1, "schedule": "daily"}, "Job 'nightly' already exists"),
        ("POST", {"id": "other", "schedule": "daily"}, "property is missing"),
        ("POST", {"id": "other", "all": 1}, "neither 'starttime' nor 'schedule' were set"),
        ("POST", {"id": "other", "all": 1, "starttime": "1:00", "schedule": "daily"}, "cannot both be set"),
        ("POST", {"id": "other", "all": 1, "schedule": "daily", "script": "/x"}, "Only root may set this option"),
        ("PUT", {}, "no options specified"),
        ("PUT", {"vmid": "101", "all": 1}, "option conflicts with option 'vmid'"),
        ("PUT", {"delete": "nonsense"}, "unknown option 'nonsense'"),
        ("PUT", {"pool": "none"}, "pool 'none' does not exist"),
        ("PUT", {"nonsense": 1}, "property is not defined in schema"),
    ],
)
def test_refusals_are_pves(nodes: Nodes, verb: str, given: dict[str, Any], words: str):
    """Each in its own words, and nothing is changed."""
    nodes.api().cluster.backup.post(**NIGHTLY)
    answer = nodes.http(verb, "/cluster/backup" + ("/nightly" if verb == "PUT" else ""), data=given)

    assert answer.status_code >= 400
    assert words in f"{answer.reason}\n{answer.text}"
    assert [entry["id"] for entry in nodes.api().cluster.backup.get()] == ["nightly"]


def test_what_is_not_there_is_refused_in_three_ways(nodes: Nodes):
    """A read is a wrong parameter, a change dies, and a removal dies with the text of the wrong parameter."""
    said = {}
    for verb in ("GET", "PUT", "DELETE"):
        answer = nodes.http(verb, "/cluster/backup/none", data={"enabled": 0} if verb == "PUT" else None)
        said[verb] = (answer.status_code, answer.json()["message"], answer.json().get("errors"))

    assert said == {
        "GET": (400, "Parameter verification failed.\n", {"id": "No such job 'none'"}),
        "PUT": (500, "no such vzdump job\n", None),
        "DELETE": (500, "400 Parameter verification failed.\nid: No such job 'none'\n\n", None),
    }


def test_the_old_time_and_days_become_a_schedule(nodes: Nodes):
    """As PVE converts them."""
    job = nodes.api().cluster.backup
    job.post(id="first", all=1, starttime="03:15", dow="sat,sun")
    job.post(id="second", all=1, starttime="03:15")

    assert [entry["schedule"] for entry in job.get()] == ["sat,sun 03:15", "03:15"]


def test_choosing_guests_replaces_the_choice_before(nodes: Nodes):
    """A list of ids ends `all` and its exceptions; a deleted option is gone."""
    job = nodes.api().cluster.backup
    job.post(id="first", exclude="101", schedule="daily", comment="x")
    first = job("first").get()
    job("first").put(vmid="101", delete="comment")

    assert (first["all"], first["exclude"]) == (1, "101")
    assert job("first").get() == {"id": "first", "type": "vzdump", "enabled": 1, "schedule": "daily", "vmid": "101"}
    job("first").delete()
    assert job.get() == []


def test_guests_of_no_job_are_listed(nodes: Nodes):
    """Without jobs that is every guest, not none."""
    before = nodes.api().cluster("backup-info/not-backed-up").get()
    nodes.api().cluster.backup.post(**NIGHTLY)

    assert before == [{"vmid": 101, "type": "qemu", "name": "debian-base"}]
    assert nodes.api().cluster("backup-info/not-backed-up").get() == []
    (guest,) = nodes.api().cluster.backup("nightly").included_volumes.get()["children"]
    assert (guest["id"], [one["name"] for one in guest["children"]]) == (
        101, ["base-nfs:101/vm-101-disk-0.raw"],
    )  # fmt: skip


def run(nodes: Nodes, name: str) -> list[Any]:
    async def now() -> list[Any]:
        return backups.run(nodes.world.cluster, name)

    return nodes.call(now())


def test_a_running_job_locks_its_guests_one_after_the_other(nodes: Nodes):
    """`lock: backup` while it lasts: whoever wants to start or move the guest is refused."""
    nodes.api().cluster.backup.post(**NIGHTLY)
    (task,) = run(nodes, "nightly")
    lock = until(lambda: nodes.world.cluster.guests[101].lock, lambda lock: lock is not None)

    assert (lock, task.kind, task.identity.name) == ("backup", "vzdump", "root@pam")
    assert nodes.ended(FIRST, task.upid)["exitstatus"] == "OK"
    assert nodes.world.cluster.guests[101].lock is None


def test_a_job_that_is_off_does_not_run(nodes: Nodes):
    """And a guest that is locked already is passed over, with an error for the whole job."""
    nodes.api().cluster.backup.post(**NIGHTLY, enabled=0)
    off = run(nodes, "nightly")
    nodes.api().cluster.backup("nightly").put(enabled=1)
    nodes.world.cluster.guests[101].lock = "migrate"
    (task,) = run(nodes, "nightly")

    assert off == []
    assert nodes.ended(FIRST, task.upid)["exitstatus"] == "job errors"


@pytest.mark.parametrize(
    ("schedule", "after", "next_one"),
    [
        ("02:00", "2026-11-27T01:59:30", "2026-11-27T02:00"),
        ("02:00", "2026-11-27T02:00:00", "2026-11-28T02:00"),
        ("sat 02:00", "2026-11-27T01:00:00", "2026-11-28T02:00"),
        ("mon..fri 22:15", "2026-11-27T23:00:00", "2026-11-30T22:15"),
        ("*/15", "2026-11-27T01:16:00", "2026-11-27T01:30"),
        ("6,18:00", "2026-11-27T07:00:00", "2026-11-27T18:00"),
        ("daily", "2026-11-27T07:00:00", "2026-11-28T00:00"),
    ],
)
def test_schedules_name_their_next_time(schedule: str, after: str, next_one: str):
    """Weekdays, hours and minutes, as PVE's calendar events."""
    moment = datetime.fromisoformat(after).replace(tzinfo=UTC)
    found = next_event(schedule, moment.timestamp())

    assert found is not None
    assert datetime.fromtimestamp(found, UTC).strftime("%Y-%m-%dT%H:%M") == next_one


def test_a_schedule_with_a_date_has_no_next_time_here():
    """The twin does not play it, and says nothing rather than something wrong."""
    assert next_event("2026-12-24 18:00", 0.0) is None
