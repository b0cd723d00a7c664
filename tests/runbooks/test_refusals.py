"""What stands in the way is told with name, value and remedy; nothing is half done, a run after the fix goes on."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest_asyncio
import trustme
from temporalio.client import Client

from activities.clients.purity import FlashArray
from activities.clients.secrets import Secrets
from activities.clients.ssh import Hosts as SshHosts
from cluster.transports import initiators
from runbooks.deploy import DeployReport
from tests.conftest import working
from tests.runs import parked_or_ended, said
from tests.twin import TwinThread, inventory_file
from workers.inventory_file import load


@dataclass
class Ended:
    """A deployment that came to its end, or parked with these words and was aborted."""

    report: DeployReport | None
    parked: str = ""


# Tests that wait for somebody who does not answer need not wait for long.
SOON = {"  ha: 40s": "  ha: 40s\n  preflight: 5s"}

Deploy = Callable[..., Awaitable[Ended]]


@pytest_asyncio.fixture
async def deploy(client: Client, twin: TwinThread) -> AsyncIterator[Deploy]:
    """Deploy the example on the twin, with the inventory changed as said."""

    async def go(**replacements: str) -> Ended:
        path = inventory_file(twin.path.parent, **replacements) if replacements else twin.path
        inventory = load(path)
        async with working(client, inventory, path.parent) as start:
            run = await start()
            step = await parked_or_ended(run)
            if step is None:
                return Ended(await run.result())
            assert (await said(run, "abort")).startswith("Nothing was changed.")
            return Ended(None, f"{step.title}: {step.finding}")

    yield go
    inventory_file(twin.path.parent)


async def refused(run: Ended) -> str:
    """What the run parked with."""
    assert run.report is None, "it went through"
    return run.parked


def array(twin: TwinThread, name: str = "X90R3-SiteA") -> FlashArray:
    """The engine's own client, to bring an array into the state that a test is about."""
    return FlashArray(twin.inventory.array(name), Secrets(twin.path.parent))


async def test_a_lun_of_another_volume(twin: TwinThread, deploy: Deploy):
    """A taken LUN is found before anything is changed, and names the volume that has it."""
    client = array(twin)
    client.create_volume("other", 2**30)
    client.create_host_group("pxmx-cluster-1")
    client.connect("pxmx-cluster-1", "other", 253)
    before = twin.change_lines()

    assert await refused(await deploy()) == (
        "Hosts see the volume on X90R3-SiteA: Conflict: X90R3-SiteA: LUN 253 of pxmx-cluster-1 is taken by the volume "
        "other; choose another LUN in pod.volumes.luns"
    )
    assert twin.change_lines() == before


async def test_a_pod_that_someone_else_uses(twin: TwinThread, deploy: Deploy):
    """A pod with foreign volumes is never adopted."""
    client = array(twin)
    client.create_pod("webb-ac-proxmox-01")
    client.create_volume("webb-ac-proxmox-01::payroll", 2**30)
    before = twin.change_lines()

    assert await refused(await deploy()) == (
        "Pod webb-ac-proxmox-01 holds the volume: Conflict: X90R3-SiteA: pod webb-ac-proxmox-01 is in use by another "
        "system, it holds webb-ac-proxmox-01::payroll; choose another pod.name or remove these volumes by hand"
    )
    assert twin.change_lines() == before


async def test_a_pod_of_that_name_on_the_other_array(twin: TwinThread, deploy: Deploy):
    """The second array's own pod would stop the stretch, so it stops the plan."""
    array(twin, "X90R3-SiteB").create_pod("webb-ac-proxmox-01")
    before = twin.change_lines()

    assert await refused(await deploy()) == (
        "Pod webb-ac-proxmox-01 holds the volume: Conflict: X90R3-SiteB: a pod webb-ac-proxmox-01 exists there that is "
        "no copy of X90R3-SiteA's; choose another pod.name"
    )
    assert twin.change_lines() == before


async def test_an_initiator_of_another_host(twin: TwinThread, deploy: Deploy):
    """A node's initiator that belongs to a foreign host object is left there."""
    array(twin).create_host("old-name", ["iqn.1993-08.org.debian:01:a1b2c3d40101"], "X90R3-SiteA")

    assert await refused(await deploy()) == (
        "Hosts see the volume on X90R3-SiteA: Conflict: X90R3-SiteA: initiator iqn.1993-08.org.debian:01:a1b2c3d40101 "
        "of pxmx01-01 belongs to the host old-name"
    )


async def test_a_volume_group_of_that_name_on_another_device(twin: TwinThread, deploy: Deploy):
    """A group on some other disk of a node is never taken for ours."""
    wwid = await foreign_group(twin, "pxmx-ac-vg")

    assert await refused(await deploy()) == (
        "Volume group pxmx-ac-vg is seen by all nodes: Conflict: pxmx01-01: a volume group pxmx-ac-vg exists on "
        f"/dev/mapper/{wwid}, the inventory wants it on a new device; choose another storage.vg"
    )


async def test_an_unreachable_array(twin: TwinThread, deploy: Deploy):
    """The address that does not answer is named, with what happened there."""
    port = next(line for line in twin.path.read_text().splitlines() if ".101.10:8443" in line).split(":")[-1]
    words = await refused(await deploy(**{".101.10:8443": ".101.99:8443"}, **SOON))

    assert port == "8443"
    assert words.startswith("Array X90R3-SiteA is ready: Unreachable: X90R3-SiteA at 127.")
    assert "does not answer" in words
    assert "refused" in words
    assert twin.change_lines() == []


async def test_a_certificate_of_another_authority(twin: TwinThread, deploy: Deploy):
    """Whoever answers with a wrong certificate is not spoken to, and not asked again."""
    authority = trustme.CA(organization_name="somebody else")
    authority.cert_pem.write_to_path(str(twin.path.parent / "secrets" / "other.pem"))
    words = await refused(await deploy(**{"secrets/ca.pem": "secrets/other.pem"}))

    assert words.startswith("Array X90R3-SiteA is ready: Unauthorized: X90R3-SiteA at 127.")
    assert "its certificate is not signed by secrets/other.pem" in words
    assert "; put the right CA into arrays.ca, or pin it: quorate trust 127." in words


async def test_a_cluster_certificate_of_another_authority(twin: TwinThread, deploy: Deploy):
    """The same for Proxmox VE, with the place where the right one lies."""
    authority = trustme.CA(organization_name="somebody else")
    authority.cert_pem.write_to_path(str(twin.path.parent / "secrets" / "other.pem"))
    lines = "token: file:secrets/pve.token\n  ca: secrets/"
    words = await refused(await deploy(**{f"{lines}ca.pem": f"{lines}other.pem"}))

    assert words.startswith("Cluster is quorate and complete: Unauthorized: pxmx01-01 at 127.")
    assert "its certificate is not signed by secrets/other.pem" in words
    assert "; put the cluster's own CA into api.ca: /etc/pve/pve-root-ca.pem of any node, or pin it: " in words


async def test_a_refused_array_token(twin: TwinThread, deploy: Deploy):
    """A token that the array does not know: the reference is named, the token is not."""
    token = twin.path.parent / "secrets" / "wrong.token"
    token.write_text("11111111-2222-3333-4444-555555555555")
    words = await refused(await deploy(**{"secrets/X90R3-SiteA.token": "secrets/wrong.token"}))

    assert words == (
        "Array X90R3-SiteA is ready: Unauthorized: X90R3-SiteA: the array refuses the API token in "
        "file:secrets/wrong.token; renew it and try again"
    )


async def test_a_refused_cluster_token(twin: TwinThread, deploy: Deploy):
    """The same for Proxmox VE."""
    (twin.path.parent / "secrets" / "wrong.token").write_text("11111111-2222-3333-4444-555555555555")
    words = await refused(await deploy(**{"secrets/pve.token": "secrets/wrong.token"}))

    assert words.startswith("Cluster is quorate and complete: Unauthorized: Proxmox VE: ")
    assert "check api.token_id and the secret that api.token refers to" in words


async def test_an_array_token_that_may_only_read(twin: TwinThread, deploy: Deploy):
    """The role that the token's user has is named, with those that would do."""
    tokens = twin.world.arrays["X90R3-SiteB"].tokens
    tokens.update(dict.fromkeys(tokens, "readonly"))

    assert await refused(await deploy()) == (
        "Array X90R3-SiteB is ready: Unauthorized: X90R3-SiteB: the token's user has the role 'readonly'; "
        "it needs array_admin or storage_admin"
    )


async def test_missing_privileges(twin: TwinThread, deploy: Deploy):
    """Each privilege that is missing is named with its path, all at once."""
    token = twin.inventory.api.token_id
    twin.world.cluster.drop_privilege(token, "VM.Clone")
    twin.world.cluster.drop_privilege(token, "Sys.Console")

    assert await refused(await deploy()) == (
        "Cluster is quorate and complete: Unauthorized: the token lacks Sys.Console at /, VM.Clone at /vms/101; "
        "grant it to the token and to its user, see docs/prepare.md"
    )
    assert twin.change_lines() == []


async def test_arrays_that_are_connected_asynchronously(twin: TwinThread, deploy: Deploy):
    """ActiveCluster needs a synchronous connection."""
    link = twin.world.arrays["X90R3-SiteA"].link
    assert link is not None
    link.type = "async-replication"

    assert "the connection to X90R3-SiteB is of type 'async-replication'; ActiveCluster needs 'sync-replication'" in (
        await refused(await deploy())
    )


async def test_an_offline_node(twin: TwinThread, deploy: Deploy):
    """All nodes must be there to build on."""
    twin.power_off("pxmx02-03")
    before = twin.change_lines()
    words = await refused(await deploy(**SOON))

    assert "pxmx02-03 offline; all nodes must be online to build the cluster" in words
    assert twin.change_lines() == before


async def test_a_secret_that_is_not_there(twin: TwinThread, deploy: Deploy):
    """A missing file is named by its reference."""
    words = await refused(await deploy(**{"secrets/X90R3-SiteB.token": "secrets/none.token"}))

    assert words == (
        "Array X90R3-SiteB is ready: NotFound: secret file:secrets/none.token: cannot be read by the worker "
        "(No such file or directory)"
    )


async def test_an_unknown_host_key(twin: TwinThread, deploy: Deploy):
    """A host that shows another key is not spoken to."""
    known = twin.path.parent / "secrets" / "known_hosts"
    lines = known.read_text().splitlines(keepends=True)
    (twin.path.parent / "secrets" / "swapped").write_text(
        lines[0].split(" ", 1)[0] + " " + lines[1].split(" ", 1)[1] + "".join(lines[1:])
    )
    words = await refused(await deploy(**{"secrets/known_hosts": "secrets/swapped"}))

    assert "pxmx01-01 at 127." in words
    assert "its host key is not the one in ssh.known_hosts; compare the fingerprint on the host's console" in words


async def test_a_node_without_a_package(twin: TwinThread, deploy: Deploy):
    """The package and the command that installs it are named; a run after that goes through."""
    twin.world.nodes["pxmx02-02"].packages.discard("corosync-qdevice")

    assert await refused(await deploy()) == (
        "Node pxmx02-02 is ready: NotFound: pxmx02-02: package corosync-qdevice is missing; "
        "install it: apt install corosync-qdevice"
    )
    assert twin.change_lines() == []

    twin.world.nodes["pxmx02-02"].packages.add("corosync-qdevice")
    done = await deploy()
    assert done.report is not None
    assert done.report.changed > 0


async def test_a_witness_without_qnetd(twin: TwinThread, deploy: Deploy):
    """The article's slip: the witness needs corosync-qnetd."""
    twin.world.witness.packages = {"corosync-qdevice"}

    assert await refused(await deploy()) == (
        "Witness qdevice is ready: NotFound: qdevice: package corosync-qnetd is missing; "
        "install it: apt install corosync-qnetd"
    )


async def test_a_witness_of_another_distribution(twin: TwinThread, deploy: Deploy):
    """Its packages cannot be looked at: a sentence, and no advice to install what it cannot install."""
    twin.world.witness.debian = False

    assert await refused(await deploy()) == (
        "Witness qdevice is ready: Refuted: qdevice: has no dpkg-query, so it is neither Debian nor made from "
        "it; Quorate needs one with corosync-qnetd"
    )


async def test_a_witness_in_a_plain_container(twin: TwinThread, deploy: Deploy):
    """Nobody there says whether qnetd runs."""
    twin.world.witness.booted = False

    assert await refused(await deploy()) == (
        "Witness qdevice is ready: Refuted: qdevice: systemd does not say whether corosync-qnetd runs: System has not "
        "been booted with systemd as init system (PID 1). Can't operate.\nFailed to connect to bus: Host is down; a "
        "witness in a container needs systemd in it"
    )


async def test_certificates_that_an_earlier_set_up_has_left_on_any_node(twin: TwinThread, deploy: Deploy):
    """pvecm would stop at them in the middle of its work, with the other nodes done."""
    for name in ("pxmx01-03", "pxmx02-02"):
        twin.world.nodes[name].certificates = True

    assert await refused(await deploy()) == (
        "Quorum device votes: Conflict: pxmx01-03, pxmx02-02: /etc/corosync/qdevice/net/nssdb is left over from an "
        "earlier set-up although no device is configured; look into it, then remove it by hand"
    )
    assert twin.change_lines() == []


async def test_a_witness_that_lets_no_root_in(twin: TwinThread, deploy: Deploy):
    """`pvecm qdevice setup` would fail in the middle, so it is asked before."""
    twin.world.witness.root_keys.clear()
    words = await refused(await deploy())

    assert words.startswith("Quorum device votes: Unauthorized: pxmx01-01: root cannot log in to the witness at 127.")
    assert "run there once: ssh-copy-id root@127." in words
    assert words.endswith(
        "; where the witness refuses root's password, as Debian does, append pxmx01-01's /root/.ssh/id_rsa.pub to "
        "/root/.ssh/authorized_keys there"
    )
    assert twin.change_lines() == []


async def test_a_far_witness(twin: TwinThread, deploy: Deploy):
    """A round trip above its limit is told with both figures."""
    twin.world.rtt_ms[frozenset(("site-b", "third"))] = 25.0
    words = await refused(await deploy())

    assert "(witness_rtt) is 25 ms, limits.witness_rtt allows 10 ms" in words


async def test_clocks_that_differ(twin: TwinThread, deploy: Deploy):
    """HA decides about fencing by wall clocks."""
    twin.world.nodes["pxmx02-03"].clock_offset = 300.0
    words = await refused(await deploy())

    assert words.startswith("Clocks agree: Refuted: clocks differ: pxmx02-03 is ")
    assert words.endswith("check chrony on both")


async def test_an_initiator_name_that_is_not_the_inventorys(twin: TwinThread, deploy: Deploy):
    """The array would be told of an initiator that nobody has."""
    twin.world.nodes["pxmx01-03"].iqn = "iqn.1993-08.org.debian:01:cloned"

    assert (
        "Node pxmx01-03 is ready: Refuted: pxmx01-03: /etc/iscsi/initiatorname.iscsi says "
        "iqn.1993-08.org.debian:01:cloned, the inventory says iqn.1993-08.org.debian:01:a1b2c3d40103"
    ) in await refused(await deploy())


async def test_a_guest_id_that_is_taken(twin: TwinThread, deploy: Deploy):
    """The template's own id, given to a guest by mistake."""
    words = await refused(await deploy(**{"vmid: 300": "vmid: 101"}))

    assert words.startswith("Guest ac-test-vm-01 runs on pxmx01-01: Conflict: vmid 101 belongs to the guest ")
    assert "choose another guests.vmid" in words
    assert twin.change_lines() == []


async def foreign_group(twin: TwinThread, name: str) -> str:
    """Put a volume group of that name on another volume that the first node sees; its WWID."""
    client, node = array(twin), twin.inventory.nodes[0]
    client.create_volume("elsewhere", 2**30)
    client.create_host(node.name, initiators(node, "iscsi"), "X90R3-SiteA")
    client.create_host_group("pxmx-cluster-1")
    client.join("pxmx-cluster-1", node.name)
    client.connect("pxmx-cluster-1", "elsewhere", 7)
    volume = client.volume("elsewhere")
    assert volume is not None
    wwid = f"3624a9370{volume['serial'].lower()}"
    portal = client.portals()[0]
    ssh = SshHosts(twin.inventory, Secrets(Path(twin.path.parent)))
    for words in (
        ("iscsiadm", "-m", "discovery", "-t", "sendtargets", "-p", portal["portal"]),
        ("iscsiadm", "-m", "node", "-T", portal["iqn"], "-p", portal["portal"], "--login"),
        ("multipath", "-a", wwid),
        ("pvcreate", f"/dev/mapper/{wwid}"),
        ("vgcreate", name, f"/dev/mapper/{wwid}"),
    ):
        await ssh.read(node.name, *words)
    await ssh.close()
    return wwid
