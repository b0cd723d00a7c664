"""Doors that do not open: host keys, logins and tokens; each is told once, and nothing else is asked there."""

import asyncio
from pathlib import Path

import asyncssh

from tests.doctor.conftest import Patient

NODE, FAR, ARRAY = "pxmx01-02", "pxmx02-03", "X90R3-SiteA"


def secret(patient: Patient, name: str) -> Path:
    """One of the files that the inventory refers to."""
    return patient.path.parent / "secrets" / name


async def test_a_host_that_known_hosts_does_not_have(bent: Patient):
    """Its key is shown, to be compared; without the host nobody knows whether all clocks agree."""
    known = secret(bent, "known_hosts")
    address = bent.inventory.node(NODE).address
    known.write_text("".join(line for line in known.read_text().splitlines(keepends=True) if address not in line))

    lines = await asyncio.to_thread(bent.wrong, ("hosts",))

    assert lines[0].startswith(f"✗ {NODE}: SSH: known_hosts has no key of this host, it shows SHA256:")
    assert lines[0].endswith(f" do: compare it on the host's console, then: quorate trust {NODE}")
    assert lines[1:] == [
        f"? cluster: votes: not known: not asked: {NODE}",
        f"? cluster: quorum device: not known: not asked: {NODE}",
        f"? hosts: clocks: not known: not asked: {NODE}",
    ]


async def test_a_host_that_shows_another_key(bent: Patient):
    """Both keys are shown: the host was installed anew, or it is another one."""
    known = secret(bent, "known_hosts")
    address = bent.inventory.node(NODE).address
    other = asyncssh.generate_private_key("ssh-ed25519")
    kept = [line for line in known.read_text().splitlines() if address not in line]
    port = bent.inventory.ssh.port
    known.write_text("\n".join([*kept, f"[{address}]:{port} {other.export_public_key().decode().strip()}", ""]))

    line = (await asyncio.to_thread(bent.wrong, ("hosts",)))[0]

    assert line.startswith(f"✗ {NODE}: SSH: it shows the host key SHA256:")
    assert f", known_hosts has {other.get_fingerprint()} do: find out why; only then: quorate trust {NODE}" in line


async def test_a_key_that_no_host_takes(bent: Patient):
    """All hosts in one line of the page, and one sentence for what is not known because of it."""
    secret(bent, "id_ed25519").write_bytes(asyncssh.generate_private_key("ssh-ed25519").export_private_key())

    page = await asyncio.to_thread(bent.page, ("hosts",))

    assert page == [
        "Hosts, over SSH",
        "  ✗ 7 hosts: SSH: the key that ssh.key refers to is not accepted there",
        "      do: from this machine: ssh-copy-id with that key, as root",
        "  ? cluster: votes: not known: no node could be asked",
        "  ? cluster: quorum device: not known: no node tells its votes",
        "  ? hosts: clocks: not known: no host could be asked",
    ]


async def test_a_token_that_the_cluster_does_not_take(bent: Patient):
    """It is refused at each node, and nobody knows what it may do."""
    secret(bent, "pve.token").write_text("11111111-2222-3333-4444-555555555555")

    page = await asyncio.to_thread(bent.page, ("cluster",))

    refused = "Proxmox VE: Authentication failed!"
    assert page[1] == "  ✓ 6 nodes: certificate: signed by secrets/ca.pem, good for N days"
    assert page[2].startswith(f"  ✗ 6 nodes: API: {refused}")
    assert "api.token" in page[3]
    assert "11111111" not in "".join(page)


async def test_a_token_that_an_array_does_not_take(bent: Patient):
    """By its reference; what needs no token is told as ever."""
    secret(bent, f"{ARRAY}.token").write_text("11111111-2222-3333-4444-555555555555")

    lines = await asyncio.to_thread(bent.wrong, ("arrays",))

    assert lines == [
        f"✗ {ARRAY}: token: {ARRAY}: the array refuses the API token in file:secrets/{ARRAY}.token do: renew it and "
        "try again"
    ]


async def test_a_secret_that_is_not_there(bent: Patient):
    """The reference is named, by this machine's check and where it is used."""
    secret(bent, "bmc.password").unlink()

    page = await asyncio.to_thread(bent.page, ("here", "controllers"))

    assert "secrets/bmc.password does not exist here" in page[1]
    assert page[-2:] == [
        "  ✗ 6 management controllers: machine: secret file:secrets/bmc.password: cannot be read by the worker "
        "(No such file or directory)",
        "      do: correct bmc.user and bmc.password, or see what its own web page says",
    ]
