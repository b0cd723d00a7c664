"""Preflight and `quorate check --reach` judge certificates and versions as the doctor does, in the same words."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.testing import ActivityEnvironment
from typer.testing import CliRunner

from activities.clients.proxmox import PveApi
from activities.clients.purity import Arrays
from activities.clients.secrets import Secrets
from activities.clients.tls import fingerprint
from activities.errors import Refuted
from activities.proxmox.cluster import Proxmox
from activities.purity.pods import Purity
from cluster.plan import Finding, Mode
from cluster.wishes import Wishes
from lab.pve.responses.cluster import VERSION
from lab.serving.delivered import identity
from tests.doctor.conftest import Patient
from workers.cli.main import app

NODE, ARRAY = "pxmx01-02", "X90R3-SiteA"


def of_cluster(patient: Patient) -> Finding:
    """The preflight of the cluster."""
    api = PveApi(patient.inventory, Secrets(patient.path.parent))
    return ActivityEnvironment().run(Proxmox(api).preflight, Wishes(patient.inventory, Mode.PLAN).cluster())


def of_array(patient: Patient) -> Finding:
    """The preflight of the first array."""
    arrays = Arrays(patient.inventory.arrays, Secrets(patient.path.parent))
    return ActivityEnvironment().run(Purity(arrays).preflight, Wishes(patient.inventory, Mode.PLAN).array_pair(ARRAY))


def check(patient: Patient, *words: str) -> tuple[int, str]:
    """Status and page of `quorate check`."""
    done = CliRunner().invoke(app, ["check", str(patient.path), *words], env={"COLUMNS": "250"})
    return done.exit_code, patient.plain(done.output)


async def test_an_old_proxmox_is_refused_before_anything_is_changed(patient: Patient, monkeypatch: pytest.MonkeyPatch):
    """HA of 8.4 would refuse the guests at the very end of a deployment."""
    monkeypatch.setitem(VERSION, "version", "8.4.14")

    with pytest.raises(Refuted) as caught:
        await asyncio.to_thread(of_cluster, patient)

    assert caught.value.message == (
        "Proxmox VE 8.4.14: HA rules and an HA resource's failback, which Quorate sets, are there from 9.0 on; upgrade "
        "the cluster, node after node; pve8to9 --full says what stands in the way"
    )
    old = [line for line in await asyncio.to_thread(patient.wrong, ("cluster",)) if "8.4.14" in line]
    assert len(old) == 6


async def test_an_array_that_does_not_speak_our_rest_is_refused_by_its_levels(patient: Patient):
    """It answers every call with `Not found.`, which says nothing."""
    patient.world.arrays[ARRAY].versions = ("1.19", "2.9", "2.36")

    with pytest.raises(Refuted) as caught:
        await asyncio.to_thread(of_array, patient)

    assert caught.value.message == (
        f"{ARRAY}: REST up to 2.36; Quorate speaks 2.44; upgrade Purity to 6.9 or later, with the vendor"
    )


async def test_a_certificate_that_ends_soon_is_told_everywhere_and_refuses_nothing(bent: Patient):
    """By the preflight, `quorate check --reach` and the doctor, with the date and the remedy."""
    patient, soon = bent, datetime.now(UTC) + timedelta(days=12)
    own = identity("own-without-names", ARRAY, "127.0.0.1", soon)
    patient.show("array", ARRAY, own)
    patient.pinning(ARRAY, fingerprint(own.certificate))

    finding = await asyncio.to_thread(of_array, patient)
    status, page = await asyncio.to_thread(check, patient, "--reach")
    lines = await asyncio.to_thread(patient.wrong, ("arrays",))

    told = f"its certificate ends on {soon:%Y-%m-%d}"
    assert finding.mark == "warned"
    assert told in finding.finding
    assert (status, page.count(told)) == (0, 1)
    assert lines == [
        f"✗ {ARRAY}: certificate: {told} do: renew it on the array, then write the new one with `quorate trust "
        "127.N.101.10`"
    ]


async def test_a_certificate_that_nobody_has_signed_is_named_with_its_line(bent: Patient):
    """By `quorate check --reach` as well, with the remedy that `quorate trust` is."""
    patient = bent
    patient.show("array", ARRAY, identity("own-without-names", ARRAY, "127.0.0.1"))
    refusal = "its certificate is not signed by secrets/ca.pem (self-signed certificate)"
    remedy = "put the right CA into arrays.ca, or pin it: quorate trust 127.N.101.10"

    assert (await asyncio.to_thread(check, patient))[0] == 0
    status, page = await asyncio.to_thread(check, patient, "--reach", "--json")

    told = json.loads(page)["errors"]
    assert (status, [(one["field"], one["message"]) for one in told]) == (
        1, [("arrays[0]", f"{ARRAY} at 127.N.101.10:8443: {refusal}; {remedy}")],
    )  # fmt: skip
    assert await asyncio.to_thread(patient.wrong, ("arrays",)) == [
        f"✗ {ARRAY}: certificate: {refusal} do: {remedy}",
    ]


async def test_check_reach_of_a_site_that_is_recognised_says_nothing_more(patient: Patient):
    """It is as without."""
    plain = await asyncio.to_thread(check, patient)
    assert await asyncio.to_thread(check, patient, "--reach") == plain
    assert plain[0] == 0
