"""One trouble at a time, planted at a built twin: it has its line, with what to do, and nothing else has changed."""

import asyncio
from collections.abc import Callable

import pytest

from cluster.doctor.check import Area
from lab.physics.disks import LogicalVolume
from tests.doctor.conftest import Patient

NODE, FAR, ARRAY, WITNESS = "pxmx01-02", "pxmx02-03", "X90R3-SiteA", "qdevice"
DISK = "INTEL_SSDSC2KB240G8_PHYF912345678240AGN"
PORTAL = "10.22.1.2:3260"
NODES = ("pxmx01-01", "pxmx01-02", "pxmx01-03", "pxmx02-01", "pxmx02-02", "pxmx02-03")
WWID = "3624a9370730d187406c1477500a7aa92"
MAP = f"run: quorate plan deploy; there: multipath -ll {WWID}"
QUEUES = "defaults {\n  no_path_retry queue\n}\n"
RESTART = "there: systemctl enable --now"

Plant = Callable[[Patient], object]
Trouble = tuple[Area, Plant, list[str]]


def stops(unit: str, host: str = NODE) -> Plant:
    def plant(patient: Patient) -> None:
        (patient.world.witness if host == WITNESS else patient.world.nodes[host]).stopped.add(unit)

    return plant


def initiator(patient: Patient) -> None:
    patient.world.nodes[NODE].iqn = "iqn.1993-08.org.debian:01:cloned"


def unmapped(patient: Patient) -> None:
    patient.world.nodes[NODE].wwids.clear()


def clock(patient: Patient) -> None:
    patient.world.nodes[FAR].clock_offset, patient.world.nodes[NODE].clock_offset = 330.0, -300.0


def far_witness(patient: Patient) -> None:
    patient.world.rtt_ms[frozenset(("site-b", "third"))] = 25.0


def old_witness(patient: Patient) -> None:
    patient.world.witness.release = 11


def strange_witness(patient: Patient) -> None:
    patient.world.witness.debian = False


def queueing(patient: Patient) -> None:
    host = patient.world.nodes[NODE]
    host.files["/etc/multipath.conf"] = QUEUES
    host.settings = host.multipath_files()


def manual_unit(patient: Patient) -> None:
    patient.world.nodes[NODE].disabled.add("open-iscsi")


def old_volume(patient: Patient) -> None:
    group = patient.world.volume_group(NODE, "pxmx-ac-vg")
    assert group is not None
    group.lvs["vm-900-disk-0"] = LogicalVolume("vm-900-disk-0", 2**30, autoactivation=True)


def reading_token(patient: Patient) -> None:
    tokens = patient.world.arrays[ARRAY].tokens
    tokens.update(dict.fromkeys(tokens, "readonly"))


def asynchronous(patient: Patient) -> None:
    link = patient.world.arrays[ARRAY].link
    assert link is not None
    link.type = "async-replication"


def no_preference(patient: Patient) -> None:
    patient.world.arrays[ARRAY].pods[0].failover_preferences = []


def other_preference(patient: Patient) -> None:
    patient.world.arrays[ARRAY].pods[0].failover_preferences = ["X90R3-SiteB"]


def old_purity(patient: Patient) -> None:
    patient.world.arrays[ARRAY].versions = ("1.19", "2.9", "2.36")


TROUBLES: dict[str, Trouble] = {
    "a package is missing": (
        "hosts", lambda patient: patient.fail("package-missing", NODE, "lvm2"),
        [f"✗ {NODE}: packages: lvm2 missing do: there: apt install lvm2"],
    ),
    "the daemon of the quorum device is stopped": (
        "hosts", stops("corosync-qdevice"),
        [f"✗ {NODE}: services: corosync-qdevice is inactive do: {RESTART} corosync-qdevice"],
    ),
    "the witness's daemon is stopped": (
        "hosts", stops("corosync-qnetd", WITNESS),
        [f"✗ {WITNESS}: services: corosync-qnetd is inactive do: {RESTART} corosync-qnetd"],
    ),
    "an initiator is another one": (
        "hosts", initiator,
        [
            f"✗ {NODE}: initiator: /etc/iscsi/initiatorname.iscsi says iqn.1993-08.org.debian:01:cloned, the inventory "
            f"says iqn.1993-08.org.debian:01:a1b2c3d40102 do: correct the iqn of {NODE} in the inventory",
            f"✗ {NODE}: paths: 0 of 4 paths with prio=50 through {ARRAY}; 0 of 4 paths with prio=10 through "
            f"X90R3-SiteB do: {MAP}",
        ],
    ),
    "a clock is wrong": (
        "hosts", clock,
        [
            f"✗ hosts: clocks: {FAR} is 10 min N s ahead of {NODE}, limits.clock_offset allows 1 min 0 s "
            "do: on both: chronyc tracking; a time source for all of them"
        ],
    ),
    "the witness is far": (
        "hosts", far_witness,
        [
            f"✗ {node}: round trips: witness_rtt 25 ms (limit 10 ms) do: see what the way takes: mtr --report; the "
            "limits are in the inventory (limits)"
            for node in ("pxmx02-01", "pxmx02-02", "pxmx02-03")
        ],
    ),
    "the witness is out of date": (
        "hosts", old_witness,
        [
            f"✗ {WITNESS}: system: Debian GNU/Linux 11 (bullseye) gets no security updates any more "
            "do: upgrade it to Debian 13"
        ],
    ),
    "the witness is no Debian": (
        "hosts", strange_witness,
        [
            f"? {WITNESS}: system: not known: Alpine Linux v3.22: pvecm qdevice setup is known to work with Debian 12 "
            "and 13 on the witness do: use a Debian for it, or see for yourself: pvecm qdevice setup says what it "
            "misses",
            f"✗ {WITNESS}: packages: has no dpkg-query, so it is neither Debian nor made from it do: Quorate needs one "
            "with corosync-qnetd",
        ],
    ),
    "a portal has no cable": (
        "hosts", lambda patient: patient.fail("portal", ARRAY, "1"),
        [
            line
            for node, prio in zip(NODES, (50, 50, 50, 10, 10, 10), strict=True)
            for line in (
                f"✗ {node}: portals: no connection: {PORTAL} of {ARRAY} does not answer within 5 s do: check cable, "
                "VLAN and firewall, or name the portals to use in arrays.portals of that array",
                f"✗ {node}: paths: 3 of 4 paths with prio={prio} through {ARRAY}, no session carries at {PORTAL} "
                f"do: {MAP}",
            )
        ],
    ),
    "multipathd has forgotten the volume": (
        "hosts", unmapped,
        [
            f"✗ {NODE}: paths: multipath shows no device {WWID} do: {MAP}",
            f"✗ {NODE}: after a reboot: {WWID} is not in /etc/multipath/wwids, so a reboot may leave single disks do: "
            f"there: multipath -a {WWID}",
        ],
    ),
    "multipath queues for ever": (
        "hosts", queueing,
        [
            f"✗ {NODE}: multipath: multipath queues I/O for ever once every path is lost (no_path_retry queue): a node "
            "without storage hangs and cannot be cleared do: set `no_path_retry fail` for vendor PURE in "
            "/etc/multipath.conf (defaults), then `multipathd reconfigure`"
        ],
    ),
    "multipath has claimed a disk of the node": (
        "hosts", lambda patient: patient.fail("local-map", NODE, "letters"),
        [
            f"✗ {NODE}: multipath: it has claimed disks that are none of the arrays' and have one path: {DISK} do: "
            f'there: blacklist {{ wwid "{DISK}" }} in /etc/multipath.conf; then multipath -w {DISK}'
        ],
    ),
    "paths will not be back after a reboot": (
        "hosts", manual_unit,
        [
            f"✗ {NODE}: after a reboot: open-iscsi.service is not enabled, so a reboot would lose the paths "
            "do: there: systemctl enable open-iscsi.service"
        ],
    ),
    "a volume is from before Proxmox VE 9": (
        "hosts", old_volume,
        [
            "✗ pxmx-ac-vg: autoactivation: every node activates vm-900-disk-0 at boot, as before Proxmox VE 9 "
            "do: on a node: lvchange --setautoactivation n pxmx-ac-vg/vm-900-disk-0 (all of them: "
            "/usr/share/pve-manager/migrations/pve-lvm-disable-autoactivation)"
        ],
    ),
    "a token may only read": (
        "arrays", reading_token,
        [
            f"✗ {ARRAY}: token: its user has the role readonly, which may not create pods and hosts do: on the array: "
            "pureadmin setattr --role storage_admin USER; or a token of another user"
        ],
    ),
    "the arrays are connected asynchronously": (
        "arrays", asynchronous,
        [
            f"✗ {one}: replication: the connection to {other} is of the type async-replication "
            "do: ActiveCluster needs sync-replication"
            for one, other in ((ARRAY, "X90R3-SiteB"), ("X90R3-SiteB", ARRAY))
        ],
    ),
    "the pod prefers nobody": (
        "arrays", no_preference,
        [
            "✗ pod: failover preference: pod webb-ac-proxmox-01 prefers no array, corosync's tie-breaker prefers "
            "site-a: after a cut between the sites votes and storage may be at different ones, and every guest stops "
            "do: set pod.failover_preference: X90R3-SiteA in the inventory and run the deployment"
        ],
    ),
    "the pod prefers the other site": (
        "arrays", other_preference,
        [
            "✗ pod: failover preference: pod webb-ac-proxmox-01 prefers X90R3-SiteB, corosync's tie-breaker prefers "
            "site-a (X90R3-SiteA): after a cut between the sites votes and storage are at different ones, and every "
            "guest stops do: set pod.failover_preference: X90R3-SiteA in the inventory and run the deployment"
        ],
    ),
    "an array speaks an old REST": (
        "arrays", old_purity,
        [
            f"✗ {ARRAY}: version: REST up to 2.36; Quorate speaks 2.44 "
            "do: upgrade Purity to 6.9 or later, with the vendor"
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_each_trouble_has_its_line_and_no_other(patient: Patient, trouble: str):
    """What was planted is told, with what to do; everything else is as before."""
    area, plant, lines = TROUBLES[trouble]
    plant(patient)

    assert await asyncio.to_thread(patient.wrong, (area,)) == lines
