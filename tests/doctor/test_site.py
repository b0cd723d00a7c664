"""The doctor at a real twin over HTTPS and SSH: well, not built yet, and with each trouble that was planted."""

import asyncio
import json
import time
import uuid

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Worker
from typer.testing import CliRunner

from cluster.doctor.check import Area, status
from tests.doctor.conftest import SPEED, Patient
from workers.cli.doctor import page
from workers.cli.main import app, run
from workers.temporal.bootstrap import bootstrap, keep_long
from workers.temporal.embedded import TemporalServer

NODE, FAR, ARRAY = "pxmx01-02", "pxmx02-03", "X90R3-SiteA"
SITE: tuple[Area, ...] = ("cluster", "hosts", "arrays", "controllers")

HEALTHY = """\
This machine
  ✓ inventory: references: secrets, certificates and lists are there
  ✓ state folder: disk: room for runs, records and traces in FOLDER/var
Proxmox VE
  ✓ 6 nodes: certificate: signed by secrets/ca.pem, good for N days
  ✓ 6 nodes: version: Proxmox VE 9.1.9
  ✓ nodes: versions: all nodes have the same release
  ✓ cluster: members: pxmx-cluster, 6 nodes online
  ✓ 13 runbooks: rights of the token: complete
  ✓ token: VM.Audit at every guest: it reaches all of them
  ✓ token: VM.GuestAgent.Audit at every guest: it reaches all of them
  ✓ guest 101: source of guests: there, and the token may use its network
Hosts, over SSH
  ✓ 7 hosts: SSH: host key as in known_hosts, login as root
  ✓ 6 nodes: packages: corosync-qdevice, lvm2, multipath-tools, open-iscsi installed
  ✓ 6 nodes: services: multipathd, corosync-qdevice running, and enabled
  ✓ 6 nodes: initiator: as in the inventory
  ✓ 6 nodes: round trips: corosync_rtt, witness_rtt within limits
  ✓ 6 nodes: corosync links: 2 links, all 10 ways connected
  ✓ 6 nodes: portals: all 8 take connections
  ✓ 6 nodes: multipath: settings harmless for the volume, no other disk claimed
  ✓ 6 nodes: paths: 4 optimized, 4 non-optimized
  ✓ 6 nodes: after a reboot: sessions, units and WWIDs come back
  ✓ qdevice: system: Debian GNU/Linux 13 (trixie)
  ✓ qdevice: packages: corosync-qnetd installed
  ✓ qdevice: services: corosync-qnetd running, and enabled
  ✓ pxmx-ac-vg: autoactivation: no volume is activated at boot
  ✓ cluster: votes: 7 of 7, quorum 4, the same on all nodes
  ✓ cluster: quorum device: at qdevice, it votes on all nodes
  ✓ hosts: clocks: 7 agree within 1 min 0 s
Arrays
  ✓ X90R3-SiteA, X90R3-SiteB: certificate: signed by secrets/ca.pem, good for N days
  ✓ X90R3-SiteA, X90R3-SiteB: version: Purity 6.9.3, REST up to 2.44
  ✓ X90R3-SiteA, X90R3-SiteB: clock: within 10.0 s of this machine's
  ✓ X90R3-SiteA, X90R3-SiteB: token: taken, role array_admin
  ✓ X90R3-SiteA, X90R3-SiteB: replication: connected to the other array, sync-replication
  ✓ X90R3-SiteA, X90R3-SiteB: iSCSI ports: 2 on CT0, 2 on CT1
  ✓ X90R3-SiteA, X90R3-SiteB: management address: vir0, which both controllers serve
  ✓ pod: failover preference: at the site of corosync's tie-breaker
Management controllers
  ✓ 6 management controllers: certificate: signed by secrets/ca.pem, good for N days
  ✓ 6 management controllers: machine: it is on, and called as in the inventory
Temporal
  ✓ Temporal: server: answers at 127.N.0.1:PORT
  ✓ Temporal: namespace: default, ended runs are kept for 400 days
  ✓ Temporal: search attributes: all registered
  ✓ Temporal: workers: 1 worker polls the queue QUEUE
131 ok
"""


@workflow.defn(sandboxed=False)
class Nothing:
    """A run that nobody starts."""

    @workflow.run
    async def run(self) -> None:
        """Nothing."""


async def test_a_site_that_is_well_is_told_line_by_line(
    patient: Patient, temporal: TemporalServer, client: Client, monkeypatch: pytest.MonkeyPatch
):
    """All of it, as a person reads it; what is the same of several stands on one line. It ends with 0."""
    queue = f"doctor-{uuid.uuid4()}"
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal.address)
    monkeypatch.setenv("QUORATE_TASK_QUEUE", queue)
    monkeypatch.setenv("QUORATE_STATE", str(patient.path.parent / "var"))
    await bootstrap(client)
    await keep_long(client)
    async with Worker(client, task_queue=queue, workflows=[Nothing], identity="1@here"):
        done = await asyncio.to_thread(doctor, patient, "-i", str(patient.path))

    told = patient.plain(done[1]).replace(queue, "QUEUE").replace(temporal.address.rpartition(":")[2], "PORT")
    assert told.rstrip("\n").splitlines() == HEALTHY.splitlines()
    assert done[0] == 0


def doctor(patient: Patient, *words: str) -> tuple[int, str]:
    """Status and page of the command."""
    done = CliRunner().invoke(app, ["doctor", *words], env={"COLUMNS": "250"})
    return done.exit_code, done.stdout


BARE = """\
6 nodes: paths: there is no volume yet: the deployment makes it, and its paths
6 nodes: after a reboot: no sessions yet: the deployment makes them, and what brings them back
pxmx-ac-vg: autoactivation: there is no volume group yet: the deployment makes it
cluster: quorum device: there is none yet: the deployment sets it up
pod: failover preference: there is no pod yet: the deployment makes it prefer the tie-breaker's site
"""


async def test_what_a_deployment_makes_is_not_there_yet_before_it(patient: Patient):
    """Nothing is wrong with nodes and arrays on which nobody has built; it ends with 0."""
    patient.reset()
    patient.world.clock.speed = SPEED

    found = await asyncio.to_thread(patient.looked, SITE)

    later = [line.removeprefix("  – ") for line in page.lines(found) if line.startswith("  – ")]
    assert later == BARE.splitlines()
    assert {check.state for check in found} == {"ok", "later"}
    assert status(found) == 0


async def test_a_witness_that_lets_no_root_in_stands_in_the_way_of_the_quorum_device(patient: Patient):
    """The deployment would find out half-way; the sentence and the command are its own."""
    patient.reset()
    patient.world.clock.speed = SPEED
    patient.world.witness.root_keys.clear()

    lines = await asyncio.to_thread(patient.wrong, ("hosts",))

    assert len(lines) == 1
    assert lines[0].startswith(
        "✗ cluster: quorum device: pxmx01-01: root cannot log in to the witness at 127.N.103.117: "
    )
    assert "do: run there once: ssh-copy-id root@127.N.103.117; where the witness refuses root's password" in lines[0]


async def test_a_site_that_is_dark_holds_nobody_up(patient: Patient):
    """Its nodes and its array are told as what they are; the others are told as ever, within the limits."""
    patient.fail("site-network", "site-a")
    began = time.monotonic()

    found = await asyncio.to_thread(patient.looked, SITE)

    assert time.monotonic() - began < 60, "a dead endpoint has held the look up"
    dark = [check.subject for check in found if check.what in ("reach", "SSH") and check.state == "wrong"]
    nodes = ["pxmx01-01", "pxmx01-02", "pxmx01-03"]
    assert dark == [*nodes, *nodes, ARRAY]
    well = {(check.subject, check.what) for check in found if check.state == "ok"}
    assert {
        (FAR, "version"),
        (FAR, "packages"),
        ("X90R3-SiteB", "token"),
        (f"management controller of {FAR}", "machine"),
    } <= well


async def test_it_is_told_to_scripts_as_well(patient: Patient):
    """Each check by itself, with the exit status."""
    patient.world.nodes[NODE].packages.discard("open-iscsi")

    code, document = await asyncio.to_thread(doctor, patient, "-i", str(patient.path), "--only", "hosts", "--json")

    told = json.loads(document)
    assert (code, told["cluster"], told["status"]) == (1, "pxmx-cluster", 1)
    assert {
        "area": "hosts", "subject": NODE, "what": "packages", "state": "wrong",
        "evidence": "open-iscsi missing", "remedy": "there: apt install open-iscsi",
    } in told["checks"]  # fmt: skip
    assert {check["area"] for check in told["checks"]} == {"hosts"}


async def test_an_area_that_there_is_not_is_refused(patient: Patient):
    """With those that there are."""
    done = await asyncio.to_thread(run, ["doctor", "-i", str(patient.path), "--only", "nodes"])
    assert done == 2
