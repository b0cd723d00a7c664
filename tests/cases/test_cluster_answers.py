"""What the cluster's API says of guests of all kinds and states, and of itself when a node cannot tell."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from temporalio.testing import ActivityEnvironment

from activities.clients.proxmox import PveApi
from activities.clients.proxmox_answers import refusal
from activities.clients.secrets import Secrets
from activities.errors import Conflict, NotFound, NotYet, Refuted, Rejected, Unreachable, Word
from activities.ha.maintenance import Maintenance
from activities.ha.moves import Migration
from activities.ha.placement import Placements
from activities.ha.recovery import Ha
from activities.parsing.guests import parse_guests
from activities.parsing.looks import cluster_view
from activities.watch.survivor import Survivor
from cluster.causes import Circumstances, cause
from cluster.contracts.watch import SiteName
from cluster.evacuation import SiteNodes
from cluster.facts import Memory
from cluster.failback import Move
from cluster.guests import GuestId, numbers, owner, rows
from cluster.outages import GuestsWish, Standing
from cluster.placement import Guest, Placement, PlacementWish, no_place
from cluster.plan import Finding
from cluster.recovery import Service
from runbooks.loss import Loss
from tests.cases.inputs import Api, Arrays, Hosts, clients, data
from tests.verdict.world import INVENTORY, A

MANAGER = "cluster/ha/status/manager_status"
RESOURCES = "cluster/resources"
GIB = 2**30
LEFT = ("pxmx02-01", "pxmx02-02", "pxmx02-03")


def row(kind: str, vmid: object, node: str, status: str | None, **more: Any) -> dict[str, Any]:
    told = {"id": f"{kind}/{vmid}", "type": kind, "vmid": vmid, "node": node, **more}
    return told if status is None else {**told, "status": status}


# --- rows of guests ---


@pytest.mark.parametrize(
    ("status", "alive", "unknown"),
    [
        *(
            (status, True, False)
            for status in (
                "running", "paused", "prelaunch", "io-error", "internal-error", "suspended", "postmigrate",
                "finish-migrate", "inmigrate", "save-vm", "restore-vm", "watchdog", "guest-panicked", "shutdown",
                "debug",
            )
        ),
        ("stopped", False, False),
        ("unknown", False, True),
        (None, False, True),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["qemu", "lxc"])
def test_a_process_lives_in_whatever_state(kind: str, status: str | None, *, alive: bool, unknown: bool):
    """QEMU's own words (qapi RunState); only a guest that is stopped is not there, and silence is neither."""
    (found,) = rows([row(kind, 300, "n1", status)])

    assert (found.alive, found.unknown) == (alive, unknown)


def test_rows_are_of_both_kinds_and_of_no_templates():
    """Nodes, storages and pools are no guests; what is not told is not made up."""
    listed = [
        row("qemu", 9000, "n1", "stopped", template=1, maxmem=GIB),
        row("lxc", 137, "n1", "running", maxmem=GIB, lock="backup", name="dns"),
        row("qemu", 300, "n2", "unknown"),
        {"id": "storage/n1/x", "type": "storage", "node": "n1", "status": "available"},
    ]

    container, silent = parse_guests(listed)

    assert (container.sid, container.memory, container.lock, container.name) == ("ct:137", GIB, "backup", "dns")
    assert (silent.sid, silent.memory, silent.name) == ("vm:300", None, "")


@pytest.mark.parametrize(
    "answer",
    [None, "x", [5], [{}], [{"type": "qemu"}], [row("qemu", "x", "n", "running")], [row("qemu", 300, "", "running")]],
)
def test_a_row_that_cannot_be_read_is_no_row_less(answer: Any):
    """It may be a guest that runs."""
    with pytest.raises(Unreachable, match="cannot be read"):
        parse_guests(answer)


@pytest.mark.parametrize("sid", ["300", "vm300", "fa:300", "vm:99", "vm:0300", "vm:", "ct:137 ", "vm:1000000000"])
def test_what_is_no_guest_is_refused(sid: str):
    """HA writes the kind and the number, and nothing else."""
    with pytest.raises(ValueError, match="vm:300 or ct:137"):
        GuestId.of(sid)
    assert not numbers((sid,))


def test_each_kind_has_its_own_path():
    """``qemu`` is no word for a container."""
    assert [GuestId.of(sid).path("n1") for sid in ("vm:300", "ct:137")] == ["nodes/n1/qemu/300", "nodes/n1/lxc/137"]


@pytest.mark.parametrize(
    ("volume", "whose"),
    [
        ("vm-137-disk-0", 137),
        ("vm-137-disk-0.qcow2", 137),
        ("snap_vm-137-disk-0_monday.qcow2", 137),
        ("vm-137-cloudinit", 137),
        ("vm-137-state-before", 137),
        ("base-137-disk-1", 137),
        ("vm-1370-disk-0", 1370),
        ("root", None),
        ("vmware-137-disk", None),
    ],
)
def test_a_volumes_name_tells_whose_it_is(volume: str, whose: int | None):
    """Of a virtual machine and of a container alike."""
    assert owner(volume) == whose


# --- a site without guests ---


async def empty(resources: list[dict[str, Any]]) -> Finding:
    resting = {"manager_status": {"master_node": LEFT[0], "node_status": dict.fromkeys(NODES, "maintenance")}}
    ward = Maintenance(clients(api=Api({MANAGER: resting, RESOURCES: resources})), cast(Any, None))
    found = await ActivityEnvironment().run(ward.empty, SiteNodes(site=A, nodes=NODES, others=LEFT))
    assert isinstance(found, Finding)
    return found


NODES = ("pxmx01-01", "pxmx01-02", "pxmx01-03")


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        (
            data("resources-qmpstatus.json")["resources"],
            "vm:777 on pxmx01-03 is paused, vm:778 on pxmx01-03 is io-error, vm:779 on pxmx01-01 is prelaunch",
        ),
        ([row("lxc", 137, "pxmx01-02", "running")], "ct:137 on pxmx01-02 is running"),
        ([row("qemu", 300, "pxmx01-02", "unknown")], "whether vm:300 on pxmx01-02 runs is not known"),
        ([row("lxc", 137, "pxmx01-02", None)], "whether ct:137 on pxmx01-02 runs is not known"),
    ],
)
async def test_a_site_with_a_living_process_is_not_empty(resources: list[dict[str, Any]], said: str):
    """It is switched off next: what holds a disk there would be cut off."""
    with pytest.raises(Refuted, match=said):
        await empty(resources)


async def test_what_is_stopped_or_elsewhere_is_not_there():
    """Then the site may go dark."""
    found = await empty([row("qemu", 300, "pxmx01-01", "stopped"), row("lxc", 137, "pxmx02-01", "running")])

    assert found.finding.startswith("3 nodes in maintenance, no guest runs there")


def test_placement_remembers_paused_guests_and_their_memory():
    """After the loss of an array exactly these are looked for."""
    resources = data("resources-qmpstatus.json")["resources"]
    api = Api({MANAGER: {}, RESOURCES: resources, "cluster/ha/rules": [], "cluster/ha/resources": []})
    api.answers = {**api.answers, "cluster/options": {}, "cluster/backup": []}

    found = ActivityEnvironment().run(Placements(cast(Any, api), clients(api=api)).placement, PlacementWish(guests=()))

    assert {sid: (guest.running, guest.memory) for sid, guest in found.guests.items()} == {
        "vm:777": (True, 8 * GIB),
        "vm:778": (True, 8 * GIB),
        "vm:779": (True, 2 * GIB),
    }


def test_the_watch_sees_every_living_guest():
    """Containers and paused ones too; of an unknown one it is not said that it runs."""
    listed = [
        row("qemu", 777, "n1", "io-error"),
        row("lxc", 137, "n2", "running"),
        row("qemu", 300, "n2", "unknown"),
        row("qemu", 301, "n2", "stopped"),
    ]

    assert cluster_view([], {}, listed)["guests"] == {777: "n1", 137: "n2"}


# --- room ---


def placed(memory: int | None, other: Guest) -> Placement:
    return Placement(
        finding="",
        services={"vm:300": Service(state="recovery", node="a1")},
        guests={"vm:300": Guest(node="a1", memory=memory, running=False, unknown=memory is None), "ct:9": other},
        nodes={"b1": 64 * GIB},
    )


@pytest.mark.parametrize(
    ("memory", "other", "said"),
    [
        (8 * GIB, Guest(node="b1", memory=48 * GIB), ""),
        (8 * GIB, Guest(node="b1", memory=56 * GIB), "no room, it needs 8 GiB, 1.6 GiB are free"),
        (8 * GIB, Guest(node="b1", memory=56 * GIB, running=False), ""),
        (8 * GIB, Guest(node="b1", memory=56 * GIB, running=False, unknown=True), "no room, it needs 8 GiB, 1.6 GiB"),
        (
            8 * GIB,
            Guest(node="b1", memory=None),
            "not known whether there is room: the size of ct:9 there is not known",
        ),
        (None, Guest(node="b1", memory=GIB), "not known whether there is room: its size is not known"),
        (None, Guest(node="b1", memory=64 * GIB), "not known whether there is room: its size is not known"),
    ],
)
def test_room_is_known_or_it_is_not(memory: int | None, other: Guest, said: str):
    """A container takes memory as well; a size that nobody tells is never nothing."""
    found = no_place("vm:300", "b1", placed(memory, other))

    assert found.startswith(said)
    assert bool(found) == bool(said)


def test_a_size_that_is_not_told_is_part_of_the_cause():
    """The cause of not being back is not left out."""
    case = data("resources-unknown-memory.json")
    listed = parse_guests(case["resources"])
    placement = Placement(
        finding="",
        services={sid: Service(**service) for sid, service in case["services"].items()},
        guests={one.sid: Guest(node=one.node, memory=one.memory, running=one.alive) for one in listed},
        nodes={one["node"]: one["maxmem"] for one in case["resources"] if one["node"] in LEFT and "vmid" not in one},
    )

    said = cause(case["sid"], tuple(case["survivors"]), Circumstances(placement=placement, states=case["node_states"]))

    assert said.endswith("whether a node can take it is not known: pxmx02-01: its size is not known")


# --- a container that HA brings back ---


def container() -> tuple[Hosts, Api]:
    case = data("ct-under-ha.json")
    held, none = case["lvs"], {"report": [{"lv": [{"lv_name": "vm-137-disk-0", "lv_attr": "-wi-------"}]}]}
    hosts = Hosts({node: {"lvs": json.dumps(held if node == LEFT[0] else none)} for node in LEFT})
    return hosts, Api(
        {MANAGER: case["manager_status"], "nodes/pxmx02-01/lxc/137/status/current": case["lxc_status_current"]}
    )


async def test_a_container_under_ha_is_back_when_it_runs():
    """It is asked for as a container, and its volume is open there alone."""
    hosts, api = container()
    wish = GuestsWish(known={"ct:137": Standing(state="down")}, nodes=LEFT, via=LEFT, vg="vg-metro", limit=1)

    found = await ActivityEnvironment().run(Ha(clients(hosts, api)).watch_guests, wish)

    one = found.standing["ct:137"]
    assert (one.state, one.node) == ("running", "pxmx02-01")
    assert one.text == "the container runs, its volume is open on pxmx02-01 alone"


def test_a_container_under_ha_is_not_listed_as_unmanaged():
    """``ct:137`` is guest 137; guest 138 is nobody's."""
    seen = datetime(2026, 11, 27, 3, tzinfo=UTC)
    memory = Memory(
        services={"ct:137": NODES[1]},
        placement={137: NODES[1], 138: NODES[1]},
        alive=dict.fromkeys(NODES, seen),
        as_of={"guests": seen, "services": seen},
        looked=seen,
        unbroken=seen - timedelta(hours=1),
    )

    assert Loss.of(INVENTORY, A, NODES[:3], memory).unmanaged == {138: NODES[1]}


@pytest.mark.parametrize(
    ("sid", "current", "runs"),
    [
        ("ct:137", {"status": "running"}, True),
        ("ct:137", {"status": "stopped"}, False),
        ("vm:300", {"status": "running", "qmpstatus": "running"}, True),
        ("vm:300", {"status": "running", "qmpstatus": "io-error"}, False),
        ("vm:300", {"status": "running", "qmpstatus": "paused"}, False),
        ("vm:300", {"status": "running"}, False),
        ("vm:300", {}, False),
    ],
)
async def test_a_guest_runs_where_its_node_says_so(sid: str, current: dict[str, str], *, runs: bool):
    """A guest that is moved home is asked for by its own kind; QEMU that is paused does no work."""
    guest = GuestId.of(sid)
    api = Api({f"{guest.path('n1')}/status/current": current})

    assert await Migration(clients(api=api), cast(Any, api), cast(Any, None)).runs_on("n1", guest) is runs


def test_a_container_goes_home_by_a_restart_and_people_agree_to_that():
    """The plan says so; a virtual machine moves while it runs."""
    moves = [Move(sid=sid, name="", source="b1", home="a1").intent(1).detail for sid in ("vm:300", "ct:137")]

    assert moves == ["from b1", "from b1, with a restart"]


# --- two nodes that hold one volume ---


def held(**on: str) -> dict[str, dict[str, str]]:
    """`lvs` of every node: the attributes of vm-300-disk-0 there."""
    report = dict.fromkeys((*NODES, *LEFT), "-wi-------") | {node.replace("_", "-"): said for node, said in on.items()}
    return {
        node: {"lvs": json.dumps({"report": [{"lv": [{"lv_name": "vm-300-disk-0", "lv_attr": said}]}]})}
        for node, said in report.items()
    }


class Changing(Hosts):
    """Hosts that say something else at the second look."""

    def __init__(self, *looks: dict[str, dict[str, str]]) -> None:
        super().__init__(looks[0])
        self.looks = looks

    async def read(self, host: str, *words: str, limit: float | None = None) -> str:
        before = sum(asked.startswith(f"{host}:") for asked in self.asked)
        self.said = self.looks[min(before, len(self.looks) - 1)]
        return await super().read(host, *words, limit=limit)


BOTH = held(pxmx01_01="-wi-ao----", pxmx02_01="-wi-ao----")
ONE = held(pxmx02_01="-wi-ao----")
FAST = 1000.0  # the second look comes soon


async def volumes(hosts: Hosts, lock: str = "", state: str = "started") -> Finding:
    listed = [row("qemu", 300, "pxmx01-01", "running", **({"lock": lock} if lock else {}))]
    service = {"vm:300": {"state": state, "node": "pxmx01-01"}}
    api = Api({RESOURCES: listed, MANAGER: {"manager_status": {"service_status": service}}})
    ward = Survivor(INVENTORY, cast(Any, Arrays()), cast(Any, hosts), cast(Any, api), FAST)
    found = await ActivityEnvironment().run(ward.volumes, SiteName(site=A))
    assert isinstance(found, Finding)
    return found


@pytest.mark.parametrize(
    ("hosts", "more", "word", "said"),
    [
        (Changing(BOTH), {}, Refuted, "vm-300-disk-0 is open on pxmx01-01 and pxmx02-01: stop one of them by hand"),
        (Changing(BOTH), {"lock": "migrate"}, NotYet, "vm:300 moves to another node"),
        (Changing(BOTH), {"state": "migrate"}, NotYet, "vm:300 moves to another node"),
        (Changing(BOTH), {"state": "relocate"}, NotYet, "vm:300 moves to another node"),
        (Changing(BOTH), {"lock": "backup"}, Refuted, "vm-300-disk-0 is open on pxmx01-01 and pxmx02-01"),
        (
            Changing(held(pxmx01_01="-wi-XX--X-", pxmx02_01="-wi-ao----")),
            {},
            Refuted,
            "LVM does not know whether it is open: vm-300-disk-0 on pxmx01-01",
        ),
        (
            Changing(held(pxmx01_01="-wi-a-----", pxmx02_01="-wi-ao----")),
            {},
            Refuted,
            "and open elsewhere: deactivate it there by hand .*setautoactivation n",
        ),
        (Changing(held(pxmx01_01="-wi-so----", pxmx02_01="-wi-ao----")), {}, Refuted, "vm-300-disk-0 is open on"),
    ],
)
async def test_two_owners_are_told_from_a_guest_on_its_way(
    hosts: Hosts, more: dict[str, Any], word: type[Word], said: str
):
    """A live migration has both ends open; nothing is concluded from what LVM does not know."""
    with pytest.raises(word, match=said):
        await volumes(hosts, **more)


async def test_what_is_over_at_the_second_look_was_no_double_owner():
    """The source closes its end a moment after the migration."""
    found = await volumes(Changing(BOTH, ONE))

    assert found.finding == f"1 open volumes, each on one node; 0 on {A}"


async def test_one_owner_each_needs_no_second_look():
    """Then LVM is asked once."""
    hosts = Changing(ONE)

    await volumes(hosts)

    assert len(hosts.asked) == len((*NODES, *LEFT))


# --- a node that cannot tell ---


CASES = [*data("pve-500-pmxcfs-dead.json"), *data("pve-500-pmxcfs-gone.json")]


@pytest.mark.parametrize(
    ("status", "reason", "word"),
    [
        *((case["status"], case["reason"], Unreachable) for case in CASES),
        (500, "ipcc_send_rec[3] failed: Transport endpoint is not connected", Unreachable),
        (500, "ipcc_send_rec failed: Unknown error -1", Unreachable),
        (500, "Unable to load access control list: Connection refused", Unreachable),
        (500, "unable to write '/etc/pve/priv/lock' - Software caused connection abort", Unreachable),
        (500, "unable to open file '/etc/pve/storage.cfg' - Input/output error", Unreachable),
        (500, "cfs-lock 'file-ha_resources_cfg' error: pve cluster filesystem not online.", Unreachable),
        (500, "can't open '/etc/pve/ha/rules.cfg' - No such file or directory", Unreachable),
        (500, "proxy handler failed: Connection timed out", Unreachable),
        (500, "cluster not ready", Unreachable),
        (500, "cluster not ready - no quorum?", NotYet),
        (500, "unable to open file '/etc/pve/nodes/n1/qemu-server/300.conf.tmp.4711' - Permission denied", NotYet),
        (500, "Configuration file 'nodes/n1/qemu-server/300.conf' does not exist", NotFound),
        (500, "unable to create VM 300: config file already exists", Conflict),
        (500, "can't clone to non-shared storage 'S'", Rejected),
    ],
)
def test_a_node_without_the_clusters_files_is_no_answer(status: int, reason: str, word: type[Word]):
    """pmxcfs has died, hangs or is not mounted there: another node knows."""
    assert type(refusal(status, reason, {})) is word


@pytest.mark.parametrize("address", ["https://10.0.0.1:8006/", "fd00::1/64", "[::1", "h st", "a" * 70])
def test_an_address_that_is_none_is_rejected_in_our_words(address: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch):
    """Should it ever get past the inventory: never a bare error of a library."""
    monkeypatch.setenv("PVE_TOKEN", "x")
    node = INVENTORY.nodes[0].model_copy(update={"address": address})
    site = INVENTORY.sites[0].model_copy(update={"nodes": (node,)})
    api = INVENTORY.api.model_copy(update={"token": "env:PVE_TOKEN", "ca": None})
    inventory = INVENTORY.model_copy(update={"sites": (site, INVENTORY.sites[1]), "api": api})

    with pytest.raises(Rejected, match="that is no address"):
        PveApi(inventory, Secrets(tmp_path)).get("version", node=node.name)
