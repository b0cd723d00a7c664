"""The token's rights as the doctor tells them: all of docs/prepare.md, and each single one of them taken away."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from activities.clients.proxmox import PveApi
from activities.clients.secrets import Secrets
from activities.doctor.asking import Threads
from activities.doctor.cluster import cluster
from cluster.doctor import nodes
from cluster.doctor.check import Check
from cluster.privileges import granted, role_at
from tests.doctor.conftest import Patient
from tests.ledger.test_rights import ENTRY, PAGE

# What is taken away, and of which runbooks and sights the doctor then says that something is missing.
TOLD = (Path(__file__).parent / "rights.txt").read_text()


@pytest.fixture
def threads() -> Iterator[Threads]:
    one = Threads()
    yield one
    one.close()


async def told(patient: Patient, threads: Threads) -> list[Check]:
    """The lines on the token, asked of the cluster."""
    api = PveApi(patient.inventory, Secrets(patient.path.parent))
    found = await cluster(api, patient.inventory, [patient.inventory.nodes[0].name], threads)
    return nodes.token(patient.inventory, found)


def without(patient: Patient, path: str, privilege: str) -> None:
    """The token, and it alone, has all that the page grants but this."""
    rights = {where: dict.fromkeys(given, True) for where, given in granted(patient.inventory).items()}
    rights[path] = {name: True for name in rights[path] if name != privilege}
    patient.world.cluster.access.acl.grant("token", patient.inventory.api.token_id, rights)


async def test_with_the_rights_of_the_page_nothing_is_missing(patient: Patient, threads: Threads):
    """All runbooks, all guests."""
    assert {check.state for check in await told(patient, threads)} == {"ok"}


async def test_each_right_that_is_taken_away_is_missed(patient: Patient, threads: Threads):
    """One after the other: who needs it is told, with the path at which it is needed; no removal passes unseen."""
    lines = []
    for path, privileges in granted(patient.inventory).items():
        for privilege in privileges:
            without(patient, path, privilege)
            wrong = [check for check in await told(patient, threads) if check.state == "wrong"]
            who = ", ".join(check.subject if check.subject != "token" else check.what for check in wrong)
            assert all(privilege in check.evidence for check in wrong), (path, privilege)
            lines.append(f"{privilege} at {path}: {who or 'NOBODY'}")
    print(f"{len(lines)} rights taken away one by one, {sum('NOBODY' not in line for line in lines)} of them told")

    assert lines == TOLD.splitlines()


async def test_the_remedy_gives_role_and_entry(patient: Patient, threads: Threads):
    """The role of the page gets the privilege, and token and user get the role."""
    without(patient, "/", "Sys.Modify")
    wrong = [check for check in await told(patient, threads) if check.state == "wrong"]

    assert {(check.evidence, check.remedy) for check in wrong} == {
        (
            "it lacks Sys.Modify at /",
            'on a node: pveum role modify QuorateCluster --append --privs "Sys.Modify" && pveum acl modify / '
            "--roles QuorateCluster --users engine@pve --tokens 'engine@pve!runbook'",
        )
    }


def test_the_roles_are_those_of_the_page(running_patient: Patient):
    """Whoever followed the page finds the names in the remedies."""
    inventory = running_patient.inventory
    guest = inventory.guests[0]
    for path, role in ENTRY.findall(PAGE):
        where = path.replace("SOURCE", str(guest.template)).replace("ID", str(guest.vmid))
        assert role_at(inventory, where) == role
    assert re.search(r"^pveum role add QuorateCluster ", PAGE, re.MULTILINE)


async def test_the_bridge_of_the_source_is_told(patient: Patient):
    """The page asks for it where the source has a network card, as the twin's has; a guest that is not there, too."""
    rights = {where: dict.fromkeys(given, True) for where, given in granted(patient.inventory).items()}
    patient.grant({**rights, "/sdn/zones/localnetwork/vmbr0": {}})
    assert await asyncio.to_thread(patient.wrong, ("cluster",)) == [
        "✗ guest 101: source of guests: it has a card at /sdn/zones/localnetwork/vmbr0, where the token lacks "
        "SDN.Use: a clone would be refused do: on a node: pveum acl modify /sdn/zones/localnetwork/vmbr0 "
        "--roles PVESDNUser --users engine@pve --tokens 'engine@pve!runbook'"
    ]


async def test_an_entry_that_hides_a_guest_is_told(patient: Patient, threads: Threads):
    """Somebody has given the token something at one guest, and with it taken the rest away there."""
    rights = {where: dict.fromkeys(given, True) for where, given in granted(patient.inventory).items()}
    patient.grant(rights | {"/vms/777": {"VM.PowerMgmt": True}})

    wrong = [check for check in await told(patient, threads) if check.state == "wrong"]

    assert [(check.what, check.evidence) for check in wrong] == [
        (
            "VM.Audit at every guest",
            "it may not see every guest, so no node is taken for empty and no guest for back: "
            "VM.Audit is missing at /vms/777",
        ),
        (
            "VM.GuestAgent.Audit at every guest",
            "it may not ask every guest's agent, so a restarted guest is not proven to be back: "
            "VM.GuestAgent.Audit is missing at /vms/777",
        ),
    ]
