"""The doctor at a real twin over HTTPS and SSH: well, not built yet, and with each trouble that was planted."""

import asyncio
import json
import socket
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Worker
from typer.testing import CliRunner

from cluster.doctor.check import Area, Check
from lab.physics.power import switch_off
from lab.serving.delivered import identity
from tests.doctor.conftest import Patient
from workers.cli.main import app
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
  ✓ 9 runbooks: rights of the token: complete
  ✓ token: VM.Audit at every guest: it reaches all of them
  ✓ token: VM.GuestAgent.Audit at every guest: it reaches all of them
Hosts, over SSH
  ✓ 7 hosts: SSH: host key as in known_hosts, login as root
  ✓ 6 nodes: packages: corosync-qdevice, lvm2, multipath-tools, open-iscsi installed
  ✓ 6 nodes: services: multipathd, corosync-qdevice running, and enabled
  ✓ 6 nodes: initiator: as in the inventory
  ✓ 6 nodes: round trips: corosync_rtt, witness_rtt within limits
  ✓ 6 nodes: corosync links: 2 links, all 10 ways connected
  ✓ qdevice: system: Debian GNU/Linux 13 (trixie)
  ✓ qdevice: packages: corosync-qnetd installed
  ✓ qdevice: services: corosync-qnetd running, and enabled
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
Management controllers
  ✓ 6 management controllers: certificate: signed by secrets/ca.pem, good for N days
  ✓ 6 management controllers: machine: it is on, and called as in the inventory
Temporal
  ✓ Temporal: server: answers at 127.N.0.1:PORT
  ✓ Temporal: namespace: default, ended runs are kept for 400 days
  ✓ Temporal: search attributes: all registered
  ✓ Temporal: workers: 1 worker polls the queue QUEUE
100 ok
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

    page = patient.plain(done[1]).replace(queue, "QUEUE").replace(temporal.address.rpartition(":")[2], "PORT")
    assert page.rstrip("\n").splitlines() == HEALTHY.splitlines()
    assert done[0] == 0


def doctor(patient: Patient, *words: str) -> tuple[int, str]:
    """Status and page of the command."""
    done = CliRunner().invoke(app, ["doctor", *words], env={"COLUMNS": "250"})
    return done.exit_code, done.stdout


async def test_what_a_deployment_makes_is_not_there_yet_before_it(patient: Patient):
    """Nothing is wrong with nodes and arrays that only nobody has built on."""
    patient.reset()
    patient.world.clock.speed = 1.0

    found = await asyncio.to_thread(patient.looked, SITE)

    assert [patient.plain(f"{check.subject}: {check.what}: {check.evidence}") for check in not_ok(found)] == [
        "cluster: quorum device: there is none yet: the deployment sets it up",
    ]
    assert {check.state for check in found} == {"ok", "later"}


def not_ok(checks: list[Check]) -> list[Check]:
    return [check for check in checks if check.state != "ok"]


# --- one trouble at a time ---------------------------------------------------------------------------------------------

Plant = Callable[[Patient], object]


def no_package(patient: Patient) -> None:
    patient.world.nodes[NODE].packages.discard("corosync-qdevice")


def no_qnetd(patient: Patient) -> None:
    patient.world.witness.stopped.add("corosync-qnetd")


def other_initiator(patient: Patient) -> None:
    patient.world.nodes[NODE].iqn = "iqn.1993-08.org.debian:01:cloned"


def fast_clock(patient: Patient) -> None:
    patient.world.nodes[FAR].clock_offset = 300.5


def far_witness(patient: Patient) -> None:
    patient.world.rtt_ms[frozenset(("site-b", "third"))] = 25.0


def old_witness(patient: Patient) -> None:
    patient.world.witness.debian = 11


def reading_token(patient: Patient) -> None:
    tokens = patient.world.arrays[ARRAY].tokens
    tokens.update(dict.fromkeys(tokens, "readonly"))


def asynchronous(patient: Patient) -> None:
    link = patient.world.arrays[ARRAY].link
    assert link is not None
    link.type = "async-replication"


def own_certificate(patient: Patient) -> None:
    patient.show("array", ARRAY, identity("own-without-names", ARRAY, "127.0.0.1"))


def expired_certificate(patient: Patient) -> None:
    patient.show("node", NODE, identity("expired", NODE, patient.inventory.node(NODE).address))


def ring_cut(patient: Patient) -> None:
    patient.fail("ring-down", "0")


TROUBLES: dict[str, tuple[Plant, Area, list[str]]] = {
    "a package that is missing": (
        no_package, "hosts",
        [
            f"✗ {NODE}: packages: corosync-qdevice missing do: there: apt install corosync-qdevice",
            f"✗ {NODE}: services: corosync-qdevice is inactive do: there: systemctl enable --now corosync-qdevice",
        ],
    ),
    "a daemon that is stopped": (
        no_qnetd, "hosts",
        ["✗ qdevice: services: corosync-qnetd is inactive do: there: systemctl enable --now corosync-qnetd"],
    ),
    "an initiator that is another one": (
        other_initiator, "hosts",
        [
            f"✗ {NODE}: initiator: /etc/iscsi/initiatorname.iscsi says iqn.1993-08.org.debian:01:cloned, the inventory "
            f"says iqn.1993-08.org.debian:01:a1b2c3d40102 do: correct the iqn of {NODE} in the inventory"
        ],
    ),
    "a round trip above its limit": (
        far_witness, "hosts",
        [
            f"✗ {node}: round trips: witness_rtt 25 ms (limit 10 ms) do: see what the way takes: mtr --report; the "
            "limits are in the inventory (limits)"
            for node in ("pxmx02-01", "pxmx02-02", "pxmx02-03")
        ],
    ),
    "a witness that is out of date": (
        old_witness, "hosts",
        [
            "✗ qdevice: system: Debian GNU/Linux 11 (bullseye) gets no security updates any more "
            "do: upgrade it to Debian 13"
        ],
    ),
    "a token that may only read": (
        reading_token, "arrays",
        [
            f"✗ {ARRAY}: token: its user has the role readonly, which may not create pods and hosts do: on the array: "
            "pureadmin setattr --role storage_admin USER; or a token of another user"
        ],
    ),
    "arrays that are connected asynchronously": (
        asynchronous, "arrays",
        [
            f"✗ {ARRAY}: replication: the connection to X90R3-SiteB is of the type async-replication "
            "do: ActiveCluster needs sync-replication"
        ],
    ),
    "a certificate that nobody has signed": (
        own_certificate, "arrays",
        [
            f"✗ {ARRAY}: certificate: its certificate is not signed by secrets/ca.pem (self-signed certificate) do: put "
            "the right CA into arrays.ca, or pin it: quorate trust 127.N.101.10"
        ],
    ),
    "a certificate that has ended": (
        expired_certificate, "cluster",
        [],
    ),
}  # fmt: skip


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_each_trouble_has_its_line_and_no_other(patient: Patient, trouble: str):
    """What was planted is told, with what to do; everything else is as before."""
    plant, area, lines = TROUBLES[trouble]
    plant(patient)

    assert await asyncio.to_thread(patient.wrong, (area,)) == lines
