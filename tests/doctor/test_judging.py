"""What the doctor makes of what it has read, as tables: no server, no clock."""

from datetime import UTC, datetime, timedelta

import pytest

from cluster.doctor import arrays, controllers, here, hosts, nodes, recognised, temporal, versions
from cluster.doctor.arrays import ArrayTold, Interface, Peer
from cluster.doctor.check import About, Check, Unread, status, without_subject
from cluster.doctor.controllers import ControllerTold
from cluster.doctor.here import HereTold
from cluster.doctor.hosts import Clock, Told, Unit, Votes, Ways
from cluster.doctor.nodes import ClusterTold, Members
from cluster.doctor.recognised import Shown, Sshd
from cluster.doctor.temporal import TemporalTold
from cluster.doctor.versions import Release
from cluster.inventory import Inventory
from cluster.trust import Certificate, Trust
from tests.twin import EXAMPLE
from workers.inventory_file import load

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
YEAR = timedelta(days=400)
SILENT, DENIED = Unread(word="Unreachable", said="x does not answer"), Unread(word="Unauthorized", said="no; ask ana")
ABOUT = About(area="hosts", subject="x", what="y")


def said(check: Check) -> str:
    """State, evidence and remedy on one line."""
    return f"{check.state}: {check.evidence}" + (f" → {check.remedy}" if check.remedy else "")


@pytest.fixture(scope="module")
def inventory() -> Inventory:
    return load(EXAMPLE)


# --- states ---


@pytest.mark.parametrize(
    ("checks", "code"),
    [
        ([], 0),
        ([ABOUT.ok("z"), ABOUT.later("z")], 0),
        ([ABOUT.ok("z"), ABOUT.unknown("z")], 2),
        ([ABOUT.unknown("z"), ABOUT.wrong("z", "do")], 1),
    ],
)
def test_the_exit_status_is_the_worst_of_all(checks: list[Check], code: int):
    """Wrong goes before not known; what the deployment makes is no trouble."""
    assert status(checks) == code


def test_silence_is_not_known_and_a_refusal_is_wrong():
    """The refusal's own remedy goes before the one that the check would give."""
    assert said(ABOUT.unread(SILENT, "wait")) == "unknown: x does not answer → wait"
    assert said(ABOUT.unread(DENIED, "wait")) == "wrong: no → ask ana"


@pytest.mark.parametrize(
    ("sentence", "rest"),
    [
        ("x at 10.0.0.1:8443: its certificate is old", "its certificate is old"),
        ("x at 10.0.0.1 does not answer", "does not answer"),
        ("x: its key is another one", "its key is another one"),
        ("nobody answers", "nobody answers"),
    ],
)
def test_a_sentence_is_told_without_its_subject(sentence: str, rest: str):
    """The subject stands before it on the line."""
    assert without_subject(sentence, "x") == rest


# --- versions ---


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("9.0.3", "ok: Proxmox VE 9.0.3"),
        ("10.1", "ok: Proxmox VE 10.1"),
        (
            "8.4.14",
            "wrong: Proxmox VE 8.4.14: HA rules and an HA resource's failback, which Quorate sets, are there from 9.0 "
            "on → upgrade the cluster, node after node; pve8to9 --full says what stands in the way",
        ),
        ("master", "unknown: it calls its version 'master' → see what answers there: pveversion"),
    ],
)
def test_the_version_of_a_node_is_judged(version: str, expected: str):
    """9.0 is the first that has all that is asked for."""
    assert said(versions.pve("x", version)) == expected


def test_nodes_of_different_releases_are_told():
    """An upgrade that was not ended."""
    assert said(versions.alike({"a": "9.1.9", "b": "9.1.2", "c": "9.0.3"})) == (
        "wrong: the nodes have different releases: 9.0 on c; 9.1 on a, b → end the upgrade first: apt full-upgrade"
    )


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        (("2.9", "2.44", "2.10"), "ok: Purity 6.9.3, REST up to 2.44"),
        (
            ("2.9", "2.36"),
            "wrong: Purity 6.9.3, REST up to 2.36; Quorate speaks 2.44 → upgrade Purity to 6.9 or later, with the "
            "vendor",
        ),
        (
            ("2.50",),
            "wrong: Purity 6.9.3, REST up to 2.50, without 2.44, which Quorate speaks → tell Quorate's maintainers: "
            "this array has dropped that level",
        ),
    ],
)
def test_the_rest_of_an_array_is_judged_by_its_numbers(levels: tuple[str, ...], expected: str):
    """2.9 is older than 2.10."""
    assert said(versions.rest("x", levels, "6.9.3", "2.44")) == expected


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        (Release(name="debian", version="12", called="Debian 12"), "ok: Debian 12"),
        (
            Release(name="debian", version="11", called="Debian 11"),
            "wrong: Debian 11 gets no security updates any more → upgrade it to Debian 13",
        ),
        (
            Release(name="debian", version="14", called="Debian 14"),
            "unknown: Debian 14 is newer than what Quorate was tried with (13)",
        ),
        (
            Release(name="debian", version="", called="Debian GNU/Linux forky/sid"),
            "unknown: Debian GNU/Linux forky/sid: a Debian without a number, testing or unstable → use a stable "
            "release",
        ),
        (
            Release(name="ubuntu", version="24.04", called="Ubuntu 24.04 LTS"),
            "unknown: Ubuntu 24.04 LTS: pvecm qdevice setup is known to work with Debian 12 and 13 on the witness → "
            "use a Debian for it, or see for yourself: pvecm qdevice setup says what it misses",
        ),
    ],
)
def test_the_system_of_the_witness_is_judged(release: Release, expected: str):
    """What was tried is well, what was not is not known."""
    assert said(versions.witness("x", release)) == expected


# --- certificates and host keys ---


def shown(days: int, *, pinned: bool = False, refusal: str = "") -> Shown:
    ends = NOW + timedelta(days=days)
    trust = Trust(kind="array", who="x", host="10.0.0.1", port=443, ca="ca.pem", fingerprints=("AB",) * pinned)
    return Shown(
        trust=trust,
        refusal=refusal,
        certificate=Certificate(
            fingerprint="AB", subject="x", issuer="x", names=(), begins=NOW, ends=ends, signed_itself=True
        ),
    )


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        (shown(90), "ok: signed by ca.pem, good for 90 days"),
        (shown(30), "wrong: its certificate ends on 2026-12-28 → renew it on the array"),
        (shown(-1), "wrong: its certificate has ended on 2026-11-27 → renew it on the array"),
        (
            shown(-1, pinned=True),
            "wrong: its certificate has ended on 2026-11-27; it is pinned, so Quorate still connects → renew it on the "
            "array, then write the new one with `quorate trust 10.0.0.1`",
        ),
        (
            shown(90, refusal="x at 10.0.0.1: its certificate is made for another name (y); pin it: quorate trust x"),
            "wrong: its certificate is made for another name (y) → pin it: quorate trust x",
        ),
        (
            Shown(trust=shown(1).trust, silence="x at 10.0.0.1:443 does not answer over TLS: Connection refused"),
            "wrong: does not answer over TLS: Connection refused, so nothing else of it is known → from this machine: "
            "nc -vz 10.0.0.1 443; if that works: quorate trust 10.0.0.1",
        ),
    ],
)
def test_an_endpoint_is_told_by_its_certificate(what: Shown, expected: str):
    """In the words of `quorate trust` and of the refusals."""
    assert said(recognised.api(what, NOW)) == expected


@pytest.mark.parametrize(
    ("sshd", "expected"),
    [
        (Sshd(who="x", address="10.0.0.1", key="K", known=("K",)), "ok: host key as in known_hosts, login as root"),
        (
            Sshd(who="x", address="10.0.0.1", key="K"),
            "wrong: known_hosts has no key of this host, it shows K → compare it on the host's console, then: "
            "quorate trust x",
        ),
        (
            Sshd(who="x", address="10.0.0.1", key="K", known=("L",)),
            "wrong: it shows the host key K, known_hosts has L → find out why; only then: quorate trust x",
        ),
        (
            Sshd(who="x", address="10.0.0.1", silence="x at 10.0.0.1:22 does not answer over SSH in time"),
            "wrong: does not answer over SSH in time, so nothing else of it is known → from this machine: "
            "ssh root@10.0.0.1",
        ),
        (
            Sshd(who="x", address="10.0.0.1", key="K", known=("K",), login=Unread(
                word="Unauthorized", said="x at 10.0.0.1: the key that ssh.key refers to is not accepted there",
            )),
            "wrong: the key that ssh.key refers to is not accepted there → from this machine: ssh-copy-id with that "
            "key, as root",
        ),
    ],
)  # fmt: skip
def test_a_host_is_told_by_its_key(sshd: Sshd, expected: str):
    """Nothing is said to a host that is not known."""
    assert said(recognised.host(sshd, "root")) == expected


# --- hosts ---


def host(name: str = "x", **told: object) -> Told:
    base: dict[str, object] = {
        "packages": ("lvm2",), "units": {}, "clock": Clock(ahead=timedelta(), doubt=timedelta(seconds=0.1)),
    }  # fmt: skip
    return Told.model_validate({"name": name, **base, **told})


@pytest.mark.parametrize(
    ("units", "device", "expected"),
    [
        ({"multipathd": ("active", "enabled"), "corosync-qdevice": ("inactive", "disabled")}, False,
         "ok: multipathd running, and enabled"),
        ({"multipathd": ("active", "enabled"), "corosync-qdevice": ("failed", "enabled")}, True,
         "wrong: corosync-qdevice is failed → there: systemctl enable --now corosync-qdevice"),
        ({"multipathd": ("active", "disabled"), "corosync-qdevice": ("active", "enabled")}, True,
         "wrong: multipathd will not start after a reboot → there: systemctl enable multipathd"),
        ({}, False, "wrong: multipathd is unknown → there: systemctl enable --now multipathd"),
    ],
)  # fmt: skip
def test_services_run_now_and_after_a_boot(units: dict[str, tuple[str, str]], device: bool, expected: str):
    """The daemon of the quorum device is due as soon as there is one."""
    told = host(units={name: Unit(active=active, enabled=enabled) for name, (active, enabled) in units.items()})
    assert said(hosts.services(told, ("multipathd", "corosync-qdevice"), device=device)) == expected


@pytest.mark.parametrize(
    ("ways", "expected"),
    [
        (Ways(links=2, total=10, down=0), "ok: 2 links, all 10 ways connected"),
        (
            Ways(links=2, total=10, down=3),
            "wrong: 3 of 10 ways to other nodes are disconnected → there: corosync-cfgtool -n, then see the network of "
            "that link",
        ),
        (
            Ways(links=1, total=5, down=0),
            "wrong: one link only: a switch that restarts costs the cluster its quorum → add a second one on another "
            "network: https://pve.proxmox.com/wiki/Cluster_Manager#pvecm_redundancy",
        ),
        (SILENT, "unknown: x does not answer"),
    ],
)
def test_corosync_has_two_links(ways: Ways | Unread, expected: str):
    """Each of their ways connected."""
    assert said(hosts.links(host(ways=ways))) == expected


def counts(**more: object) -> Votes:
    base = {"nodes": 6, "expected": 7, "total": 7, "quorum": 4, "quorate": True, "settled": True, "device": True}
    return Votes.model_validate({**base, "witness": "127.21.103.117", **more})


@pytest.mark.parametrize(
    ("views", "expected"),
    [
        ({}, ("ok: 7 of 7, quorum 4, the same on all nodes", "ok: at qdevice, it votes on all nodes")),
        (
            {"pxmx02-01": SILENT},
            ("unknown: not asked: pxmx02-01", "unknown: not asked: pxmx02-01"),
        ),
        (
            {"pxmx02-01": counts(total=6, expected=7, silent=("pxmx02-01",))},
            (
                "wrong: the nodes count differently → on each node: pvecm status",
                "wrong: it gives no vote to pxmx02-01 → on those nodes: systemctl status corosync-qdevice",
            ),
        ),
        (
            {"pxmx02-01": counts(quorate=False, total=1, nodes=1)},
            (
                "wrong: pxmx02-01 has no quorum: 1 of 7 votes, 4 are needed → bring the other nodes back; never pvecm "
                "expected by hand: quorate incident tells what to do",
                "ok: at qdevice, it votes on all nodes",
            ),
        ),
        (
            {"pxmx02-01": counts(settled=False)},
            (
                "unknown: pxmx02-01 is in the middle of a change of members → ask again in a minute",
                "ok: at qdevice, it votes on all nodes",
            ),
        ),
        (
            {"pxmx02-01": counts(device=False, witness="")},
            (
                "ok: 7 of 7, quorum 4, the same on all nodes",
                "wrong: pxmx02-01 know of none → there: systemctl restart corosync-qdevice",
            ),
        ),
        (
            {"pxmx02-01": counts(witness="10.9.9.9")},
            (
                "ok: 7 of 7, quorum 4, the same on all nodes",
                "wrong: it is at 10.9.9.9, the inventory says 127.21.103.117 → correct witness.address, or remove the "
                "device first: pvecm qdevice remove",
            ),
        ),
    ],
)
def test_votes_are_judged_over_all_nodes(
    inventory: Inventory, views: dict[str, Votes | Unread], expected: tuple[str, str]
):
    """One that counts otherwise, or says nothing, is named."""
    told = [host(node.name, votes=views.get(node.name, counts())) for node in inventory.nodes]
    assert tuple(map(said, hosts.votes(inventory, told))) == expected


def test_before_there_is_a_device_none_is_missed(inventory: Inventory):
    """The deployment sets it up."""
    told = [host(node.name, votes=counts(device=False, witness="", expected=6, total=6)) for node in inventory.nodes]
    assert [said(check) for check in hosts.votes(inventory, told)] == [
        "ok: 6 of 6, quorum 4, the same on all nodes", "later: there is none yet: the deployment sets it up",
    ]  # fmt: skip


def test_where_no_node_tells_its_votes_neither_is_known(inventory: Inventory):
    """The reason is that of the first."""
    assert [said(check) for check in hosts.votes(inventory, [host(votes=SILENT)])] == [
        "unknown: x does not answer → on a node: pvecm status", "unknown: no node tells its votes",
    ]  # fmt: skip


def at(name: str, seconds: float, doubt: float = 0.1) -> Told:
    return host(name, clock=Clock(ahead=timedelta(seconds=seconds), doubt=timedelta(seconds=doubt)))


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([at("a", 0), at("b", 0.5)], "ok: 2 agree within 1.0 s"),
        ([at("a", 0), at("b", 1.15)], "ok: 2 agree within 1.0 s"),
        (
            [at("a", 0), at("b", 3)],
            "wrong: b is 3.0 s ahead of a, limits.clock_offset allows 1.0 s → on both: chronyc tracking; a time source "
            "for all of them",
        ),
        ([at("a", 0)], "unknown: not asked: b"),
    ],
)
def test_clocks_agree_within_the_limit_and_the_doubt(told: list[Told], expected: str):
    """What the way to a host may have taken is no fault of its clock."""
    assert said(hosts.clocks(told, timedelta(seconds=1), ["a", "b"])) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (9, "ok: within 10.0 s of the hosts'"),
        (-40, "wrong: it is 40.0 s ahead of the hosts → here: timedatectl, chronyc tracking"),
        (40, "wrong: it is 40.0 s behind the hosts → here: timedatectl, chronyc tracking"),
    ],
)
def test_this_machines_clock_is_compared_with_the_middle_of_the_hosts(seconds: float, expected: str):
    """One host that is wrong does not make this machine wrong."""
    told = [at("a", seconds), at("b", seconds), at("c", 5000)]
    assert said(hosts.here(told)) == expected


# --- arrays ---


@pytest.mark.parametrize(
    ("update", "expected"),
    [
        ({}, ["ok: taken, role storage_admin", "ok: connected to the other array, sync-replication",
              "ok: 2 on CT0, 2 on CT1", "ok: within 10.0 s of this machine's",
              "ok: vir0, which both controllers serve"]),
        ({"called": "y"}, ["wrong: the array there calls itself y → correct arrays.address or arrays.name"]),
        ({"called": DENIED}, ["wrong: no → ask ana"]),
        ({"peer": Peer()}, [
            "wrong: it is not connected to z → on the array: purearray connect --type sync-replication "
            "--management-address ADDRESS --connection-key"]),
        ({"peer": Peer(type="sync-replication", status="partially_connected")}, [
            "wrong: the connection to z is partially_connected, not connected → on the array: purearray list "
            "--connect"]),
        ({"ports": ("CT0.ETH4", "CT0.ETH5", "CT1.ETH4")}, [
            "wrong: CT1 has 1: each controller needs 2, or its restart leaves a node without paths → give both "
            "controllers two: on the array, purenetwork eth list shows what there is"]),
        ({"ahead": None}, ["unknown: it does not tell its time"]),
        ({"ahead": timedelta(minutes=-3)}, [
            "wrong: it is 3 min 0 s behind this machine's → on the array: purearray list --ntpserver; here: chronyc "
            "tracking"]),
        ({"interfaces": (Interface(name="ct0.eth0", address="10.0.0.1", services=("management",)),
                         Interface(name="vir0", address="10.0.0.9", services=("management",)))}, [
            "wrong: 10.0.0.1 is ct0.eth0 of controller CT0 alone: while that one is down, the array is silent → "
            "arrays.address: 10.0.0.9"]),
        ({"interfaces": ()}, ["unknown: none of its interfaces has 10.0.0.1: a translated address, perhaps"]),
    ],
)  # fmt: skip
def test_an_array_is_judged_by_what_it_tells(update: dict[str, object], expected: list[str]):
    """Each trouble changes one line; here they are those that are new."""
    whole = ArrayTold(
        name="x", levels=("2.44",), ahead=timedelta(seconds=1), called="x", role="storage_admin",
        peer=Peer(type="sync-replication", status="connected"), ports=("CT0.ETH4", "CT0.ETH5", "CT1.ETH4", "CT1.ETH5"),
        interfaces=(Interface(name="vir0", address="10.0.0.1", services=("management",)),),
    )  # fmt: skip

    def lines(told: ArrayTold) -> list[str]:
        found = (arrays.token(told), arrays.replication(told, "z"), arrays.ports(told), arrays.clock(told))
        return [said(check) for check in (*found, arrays.address(told, "10.0.0.1"))]

    before = lines(whole) if update else []
    assert [line for line in lines(whole.model_copy(update=update)) if line not in before] == expected


# --- the cluster, controllers, Temporal, this machine ---


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({}, "ok: pxmx-cluster, 6 nodes online"),
        ({"name": "other"}, "wrong: the cluster is called other, the inventory says pxmx-cluster → correct name"),
        ({"name": ""}, "wrong: the node stands alone, it is in no cluster → pvecm create, then pvecm add on the "
                       "others"),
        ({"ids": {"pxmx01-01": 1}}, "wrong: cluster and inventory differ in pxmx01-02, pxmx01-03, pxmx02-01, "
                                    "pxmx02-02, pxmx02-03 → correct sites"),
        ({"offline": ("pxmx01-01",)}, "wrong: pxmx01-01 offline → bring them online: quorate incident tells more"),
    ],
)  # fmt: skip
def test_the_cluster_is_the_one_of_the_inventory(inventory: Inventory, found: dict[str, object], expected: str):
    """By its name and its nodes."""
    ids = {node.name: number for number, node in enumerate(inventory.nodes, start=1)}
    members = Members(name=inventory.name, ids=ids).model_copy(update=found)
    told = ClusterTold(versions={}, members=members, rights={}, sights=())
    assert said(nodes.members(inventory, told)) == expected


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ((True, "PVE1.example"), "ok: it is on, and called as in the inventory"),
        ((False, "pve1"), "ok: it is off, and called as in the inventory"),
        ((True, "pve2"), "wrong: it calls its machine pve2, the inventory says pve1 → correct the bmc of that node in "
                         "the inventory"),
        ((True, ""), "unknown: the machine is on; it knows no name of it → see at the rack that 10.0.0.1 is pve1's"),
        ((DENIED, DENIED), "wrong: no → ask ana"),
    ],
)  # fmt: skip
def test_a_controller_is_the_nodes_own(told: tuple[bool | Unread, str | Unread], expected: str):
    """An address that was mixed up would cost another node."""
    on, machine = told
    found = ControllerTold(node="pve1", address="10.0.0.1", on=on, machine=machine)
    assert said(controllers.controller(found)) == expected


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        ("pve1", "ok: it is on, and called as in the inventory; old suite"),
        ("", "unknown: the machine is on; it knows no name of it; old suite → see at the rack that 10.0.0.1 is pve1's"),
    ],
)
def test_how_a_controller_was_spoken_to_is_told(machine: str, expected: str):
    """It works, and a person should know."""
    found = ControllerTold(node="pve1", address="10.0.0.1", on=True, machine=machine, remark="old suite")
    assert said(controllers.controller(found)) == expected


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"silence": "nothing"}, ["later: none runs yet at this machine → quorate up starts one, with a worker"]),
        ({"silence": "nothing", "named": True}, [
            "wrong: nothing, so nothing else of it is known → correct TEMPORAL_ADDRESS or the profile; quorate up "
            "starts one of its own"]),
        ({"kept": YEAR, "missing": (), "workers": 2}, [
            "ok: answers at t:7233", "ok: default, ended runs are kept for 400 days", "ok: all registered",
            "ok: 2 workers poll the queue runbooks"]),
        ({"kept": timedelta(days=3), "missing": ("Urgency",), "workers": 0}, [
            "ok: answers at t:7233",
            "wrong: default deletes runs 3 days after their end, before an auditor asks for them → temporal operator "
            "namespace update --retention 400d -n default",
            "later: Urgency missing → a worker registers them when it starts",
            "later: none polls the queue runbooks → quorate up, or quorate worker --at PLACE"]),
        ({"kept": Unread(word="NotFound", said="no"), "missing": SILENT, "workers": DENIED}, [
            "ok: answers at t:7233",
            "wrong: there is no namespace default → temporal operator namespace create --retention 400d -n default",
            "unknown: x does not answer", "wrong: no → ask ana"]),
    ],
)  # fmt: skip
def test_temporal_is_judged(told: dict[str, object], expected: list[str]):
    """A server that nobody has named is one that `up` will start."""
    base = {"address": "t:7233", "namespace": "default", "queue": "runbooks", "named": False}
    found = TemporalTold.model_validate({**base, **told})
    assert [said(check) for check in temporal.temporal(found, YEAR)] == expected


@pytest.mark.parametrize(
    ("complaints", "free", "expected"),
    [
        ((), 2**40, ["ok: secrets, certificates and lists are there", "ok: room for runs, records and traces in var"]),
        (("line 3: api.token: env:X is not set here", "b"), None, [
            "wrong: line 3: api.token: env:X is not set here and 1 thing more → quorate check i.yaml",
            "wrong: var cannot be written to by this user → name another one: QUORATE_STATE=FOLDER"]),
        ((), 2**20, [
            "ok: secrets, certificates and lists are there",
            "wrong: 1 MiB free for var; runs, records and traces may take 1.5 GiB → make room, or name a folder on "
            "another disk: QUORATE_STATE=FOLDER"]),
    ],
)  # fmt: skip
def test_this_machine_has_what_is_referred_to_and_room(
    complaints: tuple[str, ...], free: int | None, expected: list[str]
):
    """The first complaint is told, and the command that tells all."""
    told = HereTold(complaints=complaints, file="i.yaml", folder="var", free=free, traces=2**29)
    assert [said(check) for check in here.here(told)] == expected
