"""Faults by name: each takes what it says, is one fault however often it is begun, and gives back exactly that."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from activities.clients.purity import FlashArray
from activities.clients.secrets import Secrets
from activities.clients.ssh import Hosts
from activities.errors import Unreachable
from cluster.inventory import Inventory
from lab.control.conditions import CONDITIONS
from lab.control.table import DRILLS
from lab.physics.disks import LogicalVolume, VolumeGroup
from lab.physics.faults import freeze
from lab.pve.etc.access import Identity
from lab.twin import control_url
from tests.twin import TwinThread

ARRAY, NODE, LV = "X90R3-SiteA", "pxmx01-02", "vm-300-disk-0"

# One way to play each fault of the table.
PLACES = {
    "guest-paused": ["101"],
    "suspended-lv": ["pxmx01-01", LV],
    "site-power": ["site-a"],
    "site-network": ["site-b"],
    "inter-site": [],
    "storage-network": ["site-a"],
    "replication": [],
    "mediator": [],
    "pod-mediator": ["webb-ac-proxmox-01"],
    "pod-replication": ["webb-ac-proxmox-01"],
    "witness": [],
    "witness-link": ["site-a"],
    "array": [ARRAY],
    "controller": [ARRAY, "CT0"],
    "portal": [ARRAY, "2"],
    "node": [NODE],
    "node-network": [NODE],
    "ring": [NODE, "1"],
    "watchdog": [NODE],
    "watchdog-stopped": [NODE],
    "lrm-stalled": [NODE],
    "crm-stopped": ["pxmx02-02"],
    "start-fails": ["101", "2"],
    "migration-fails": ["101"],
    "vg-hidden": [NODE],
    "clock": ["qdevice", "-30"],
    "clock-drift": [NODE, "0.01"],
    "stale-lv": [NODE, LV],
    "hung-api": [f"pve:{NODE}"],
    "failing-api": [ARRAY, "500"],
    "lying-api": [f"ssh:{NODE}"],
    "slow-api": [ARRAY, "5"],
    "latency": ["site-a", "third", "25"],
    "package-missing": [NODE, "corosync-qdevice"],
    "right-missing": ["VM.Audit"],
    "neighbour-cluster": ["depot-east", "4"],
    "friendly-names": [NODE],
    "local-map": [NODE, "letters"],
    "multipath-queues": [NODE],
    "logins-by-hand": [NODE],
    "small-packets": [ARRAY, "2"],
}
# What needs HBAs (tests/fibre), the deployed volume or pod, and what happens once: test_surroundings, test_pod_faults.
ELSEWHERE = {"hba", "alias", "pod-preference", "volume-beside", "backup-run", "session-expiry"}


@pytest.fixture
def lab(twin: TwinThread) -> TwinThread:
    """A twin with one logical volume, active where it belongs, and one guest that runs."""
    disk = twin.world.disk("730D187406C1477500A7AA92", 2**40)
    disk.vg = VolumeGroup("pxmx-ac-vg", 2**40, {LV: LogicalVolume(LV, 2**30, {"pxmx01-01"}, {"pxmx01-01"})})
    twin.world.cluster.guests[101].running = True
    return twin


def order(twin: TwinThread, path: str, body: Any) -> requests.Response:
    return requests.post(control_url(twin.inventory) + path, json=body, timeout=10)


def fail(twin: TwinThread, name: str, *where: str) -> dict[str, Any]:
    answer = order(twin, "/fail", {"fault": name, "where": list(where), "by": "a test"})
    assert answer.status_code == 200, answer.text
    return answer.json()


def restore(twin: TwinThread, name: str, *where: str) -> dict[str, Any]:
    answer = order(twin, "/restore", {"fault": name, "where": list(where)})
    assert answer.status_code == 200, answer.text
    return answer.json()


def array(twin: TwinThread) -> FlashArray:
    return FlashArray(twin.inventory.array(ARRAY), Secrets(twin.path.parent))


def settled(twin: TwinThread) -> dict[str, Any]:
    """Everything that faults touch, when nobody boots any more."""
    world = twin.world
    until(lambda: not requests.get(control_url(twin.inventory) + "/picture", timeout=10).text.count('"booting": true'))
    engine = Identity(*twin.inventory.api.token_id.split("!"))
    hosts = {host.name: host for host in (*world.nodes.values(), world.witness)}
    guests = world.cluster.guests.values()
    group = world.disks["730D187406C1477500A7AA92"].vg
    assert group is not None
    return {
        "cut": set(world.links.cut_now),
        "power": {name: host.powered for name, host in hosts.items()}
        | {name: one.powered for name, one in world.arrays.items()},
        "controllers": {name: set(one.lost_controllers) for name, one in world.arrays.items()},
        "clocks": {name: (round(h.clock_offset, 6), h.clock_drift) for name, h in hosts.items()},
        "watchdogs": {name: host.softdog_fails for name, host in hosts.items()},
        "stopped": {name: set(host.stopped) for name, host in hosts.items()},
        "hidden": {name: set(host.hidden_groups) for name, host in hosts.items()},
        "packages": {name: set(host.packages) for name, host in hosts.items()},
        "active": set(group.lvs[LV].active_on),
        "suspended": set(group.lvs[LV].suspended_on),
        "rtt": dict(world.rtt_ms),
        "rights": sorted(map(str, world.cluster.access.privileges(engine, "/vms/300"))),
        "neighbours": dict(world.neighbours),
        "maps": {name: (host.friendly_names, list(host.local_maps)) for name, host in hosts.items()},
        "ways": {name: (host.settings, sorted(host.disabled)) for name, host in hosts.items()},
        "packets": dict(world.fabric_mtu),
        "machines": {guest.vmid: guest.qmp for guest in guests},
        "failing": {guest.vmid: {deed: n for deed, n in guest.failing.items() if n} for guest in guests},
        "stalled": {name: lrm.stalled for name, lrm in world.cluster.ha.lrms.items()},
        "planted": [fault.service for fault in world.faults.planted],
    }


def until(condition: Callable[[], bool], within: float = 10.0) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)


def test_every_fault_of_the_table_is_tried_here():
    """A fault that is added gets its line in this file."""
    assert set(PLACES) == set(DRILLS) - ELSEWHERE


@pytest.mark.parametrize("name", [name for name in PLACES if name not in ("site-power", "node", "witness")])
def test_a_fault_takes_something_and_gives_exactly_that_back(lab: TwinThread, name: str):
    """Begun twice it is one fault; ended, the world is as before."""
    before = settled(lab)

    assert fail(lab, name, *PLACES[name])["changed"] is True
    assert settled(lab) != before
    during = settled(lab)
    assert fail(lab, name, *PLACES[name])["changed"] is False
    assert settled(lab) == during

    assert restore(lab, name, *PLACES[name])["changed"] is True
    assert settled(lab) == before
    assert restore(lab, name, *PLACES[name]) == {"restored": [], "changed": False, "active": [], "booting": []}


def test_a_site_without_power_comes_back_when_it_has_booted(lab: TwinThread):
    """Array and nodes are off at once; the array is back at once, the nodes after their boot."""
    fail(lab, "site-power", "site-a")
    power = settled(lab)["power"]
    assert [name for name, on in power.items() if not on] == ["pxmx01-01", "pxmx01-02", "pxmx01-03", ARRAY]

    began = lab.world.clock.now()
    back = restore(lab, "site-power", "site-a")
    assert back["booting"] == ["pxmx01-01", "pxmx01-02", "pxmx01-03"]
    assert all(settled(lab)["power"].values())
    assert 17 <= lab.world.clock.now() - began < 40


def test_a_witness_comes_back_when_it_has_booted(lab: TwinThread):
    """As a node does; failed again meanwhile, it stays down."""
    before = settled(lab)
    fail(lab, "witness")
    assert settled(lab)["power"]["qdevice"] is False
    assert restore(lab, "witness")["booting"] == ["qdevice"]
    fail(lab, "witness")
    lab.call(lab.world.clock.sleep(25))
    assert settled(lab)["power"]["qdevice"] is False

    began = lab.world.clock.now()
    restore(lab, "witness")
    assert settled(lab) == before
    assert 17 <= lab.world.clock.now() - began < 40


def test_a_node_that_is_failed_in_its_boot_stays_down(lab: TwinThread):
    """The boot that was under way is given up."""
    fail(lab, "node", NODE)
    restore(lab, "node", NODE)
    fail(lab, "node", NODE)
    lab.call(lab.world.clock.sleep(25))

    assert lab.world.nodes[NODE].powered is False


def test_a_node_that_reboots_by_itself_stays_down_once_its_power_fails(lab: TwinThread):
    """A watchdog's reset was under way when the fault began; the fault keeps what boots."""
    order(lab, "/power", {"what": NODE, "on": False})
    fail(lab, "node", NODE)
    order(lab, "/power", {"what": NODE, "on": True})
    assert lab.world.nodes[NODE].powered is False

    restore(lab, "node", NODE)
    assert settled(lab)["power"][NODE] is True


def test_two_faults_hold_a_node_until_both_have_ended(lab: TwinThread):
    """Whoever lets go first brings nothing back."""
    fail(lab, "node", NODE)
    fail(lab, "site-power", "site-a")
    restore(lab, "site-power", "site-a")

    assert settled(lab)["power"] == {name: name != NODE for name in settled(lab)["power"]}
    restore(lab, "node", NODE)
    assert all(settled(lab)["power"].values())


def test_what_was_away_before_the_fault_stays_away(lab: TwinThread):
    """Restoring is no repair."""

    async def cut() -> None:
        lab.world.links.cut("inter-site")

    lab.call(cut())
    fail(lab, "inter-site")
    restore(lab, "inter-site")

    assert lab.world.links.cut_now == {"inter-site"}


def test_another_amount_replaces_the_former_one(lab: TwinThread):
    """A clock is off by one number at a time, and right again without naming it."""
    fail(lab, "clock", NODE, "30")
    fail(lab, "clock", NODE, "-5")
    assert lab.world.nodes[NODE].clock_offset == -5

    assert restore(lab, "clock", NODE)["restored"] == [f"clock {NODE} -5"]
    assert lab.world.nodes[NODE].clock_offset == 0


def test_a_clock_that_drifts_gains_time(lab: TwinThread):
    """A second in ten; taken back, the clock is right."""
    fail(lab, "clock-drift", NODE, "0.1")
    began = lab.world.clock.now()
    lab.call(lab.world.clock.sleep(10))
    host, now = lab.world.nodes[NODE], lab.world.clock.now()
    assert lab.world.time_at(host) - now == pytest.approx((now - began) * 0.1, abs=0.5)

    restore(lab, "clock-drift", NODE)
    assert lab.world.time_at(host) - lab.world.clock.now() == pytest.approx(0, abs=0.001)


def test_without_a_place_all_of_a_name_are_restored(lab: TwinThread):
    """`restore ring` ends every cut ring."""
    fail(lab, "ring", "pxmx01-01", "0")
    fail(lab, "ring", "pxmx02-01", "1")

    assert restore(lab, "ring")["restored"] == ["ring pxmx01-01 0", "ring pxmx02-01 1"]


def test_everything_is_restored_at_once(lab: TwinThread):
    """The end of a drill."""
    before = settled(lab)
    for name, where in PLACES.items():
        fail(lab, name, *where)

    ended = order(lab, "/restore", {"all": True}).json()
    assert len(ended["restored"]) == len(PLACES)
    assert settled(lab) == before | {"active": settled(lab)["active"]}  # the power loss closed the volume


def test_the_log_says_who_did_it(lab: TwinThread):
    """Begin and end, with the fault as it is typed; the rest is what the world did because of it."""
    fail(lab, "witness-link", "site-a")
    restore(lab, "witness-link", "site-a")

    assert lab.change_lines() == [
        'drill fault.begin witness-link site-a {"by": "a test"}',
        "links link.cut witness:site-a {}",
        'drill fault.end witness-link site-a {"by": "operator"}',
        "links link.mend witness:site-a {}",
    ]


def test_a_reset_ends_every_fault(lab: TwinThread):
    """Nothing holds, and the same fault can begin anew."""
    fail(lab, "inter-site")
    lab.reset()

    assert requests.get(control_url(lab.inventory) + "/status", timeout=10).json()["drills"] == []
    assert fail(lab, "inter-site")["changed"] is True


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["site-powr", "site-a"], "there is no fault 'site-powr': there are alias, array, backup-run, clock, "),
        (["site-power"], "SITE is missing: write site-power SITE; SITE is one of site-a, site-b"),
        (["site-power", "site-z"], "there is no SITE 'site-z': there are site-a, site-b"),
        (["inter-site", "site-a"], "'site-a' is one word too many: write inter-site"),
        (["portal", ARRAY, "7"], "there is no PORTAL '7': there are 0, 1, 2, 3"),
        (["clock", NODE, "soon"], "SECONDS must be a number, not 'soon'"),
        (["clock", NODE, "nan"], "SECONDS must be a number, not 'nan'"),
        (["failing-api", ARRAY, "1000"], "STATUS must be a status from 400 to 599"),
        (["latency", "site-a", "site-a", "5"], "latency is between two different places"),
        (["stale-lv", NODE, "vm-1-disk-0"], f"there is no LV 'vm-1-disk-0': there are {LV}"),
        (["hung-api", "pve:nobody"], "there is no SERVICE 'pve:nobody': there are X90R3-SiteA, "),
    ],
)
def test_what_does_not_fit_gets_a_sentence(lab: TwinThread, words: list[str], said: str):
    """Status 400, what is wrong, and what there is to choose from; nothing has changed."""
    answer = order(lab, "/fail", {"fault": words[0], "where": words[1:]})

    assert answer.status_code == 400
    assert said in answer.json()["error"]
    assert lab.world.changes == []


def test_a_service_that_hangs_answers_again_when_it_is_restored(lab: TwinThread):
    """A call that came meanwhile is never answered; the next one is."""
    fail(lab, "hung-api", f"pve:{NODE}")
    url, ca = f"https://{lab.inventory.node(NODE).address}:8006/", str(lab.path.parent / "secrets" / "ca.pem")
    with pytest.raises(requests.Timeout):
        requests.get(url, verify=ca, timeout=1)

    restore(lab, "hung-api", f"pve:{NODE}")
    assert requests.get(url, verify=ca, timeout=5).status_code == 501


def test_a_failing_service_refuses_every_call_until_it_is_restored(lab: TwinThread):
    """Not the next call alone: all of them."""
    fail(lab, "failing-api", ARRAY, "503")
    for _ in range(2):
        with pytest.raises(Unreachable):
            array(lab).array()

    restore(lab, "failing-api", ARRAY)
    assert array(lab).array()["name"] == ARRAY


def test_a_lying_array_tells_what_was_and_does_what_it_is_told(lab: TwinThread):
    """Reads stand still, also those that nobody made before; writes have their effect."""
    client = array(lab)
    client.create_pod("before")
    fail(lab, "lying-api", ARRAY)
    client.create_pod("after")
    assert client.pod("before") is not None
    assert client.pod("after") is None

    restore(lab, "lying-api", ARRAY)
    assert client.pod("after") is not None


def test_a_lying_node_tells_of_votes_that_are_gone(lab: TwinThread):
    """Its API still counts a node that has no power."""
    url = f"https://{lab.inventory.nodes[5].address}:8006/api2/json/cluster/status"
    arguments: dict[str, Any] = {
        "verify": str(lab.path.parent / "secrets" / "ca.pem"),
        "headers": {"Authorization": f"PVEAPIToken={lab.inventory.api.token_id}={pve_secret(lab.inventory, lab)}"},
    }

    def online() -> int:
        return sum(entry.get("online", 0) for entry in requests.get(url, timeout=10, **arguments).json()["data"])

    fail(lab, "lying-api", f"pve:{lab.inventory.nodes[5].name}")
    fail(lab, "node", NODE)
    until(lambda: len(lab.world.votes("pxmx02-03").members) == 5)
    assert online() == 6

    restore(lab, "lying-api")
    assert online() == 5


def pve_secret(inventory: Inventory, twin: TwinThread) -> str:
    return (twin.path.parent / inventory.api.token.removeprefix("file:")).read_text().strip()


async def test_a_lying_host_shows_the_records_it_had_and_obeys(lab: TwinThread):
    """Over SSH: what only looks is answered from memory, what changes something changes it."""
    hosts = Hosts(lab.inventory, Secrets(lab.path.parent))
    fail(lab, "lying-api", f"ssh:{NODE}")
    portal = lab.world.arrays[ARRAY].portals[0]
    await hosts.read(NODE, "iscsiadm", "-m", "discovery", "-t", "sendtargets", "-p", portal)
    during = await hosts.run(NODE, "iscsiadm", "-m", "node")
    restore(lab, "lying-api")
    after = await hosts.run(NODE, "iscsiadm", "-m", "node")
    await hosts.close()

    assert len(lab.world.nodes[NODE].records) == 4
    assert during.status == 21
    assert len(after.stdout.splitlines()) == 4


def test_a_frozen_world_stands_still(lab: TwinThread):
    """A copy for reads: its clock shows one moment, and what changes in the world does not change in it."""

    async def at_once() -> Any:
        return freeze(lab.world)

    frozen = lab.call(at_once())
    fail(lab, "witness")
    lab.call(lab.world.clock.sleep(5))

    assert frozen.witness.powered is True
    assert frozen.clock.now() < lab.world.clock.now() - 4
    assert frozen.faults is lab.world.faults


def test_ended_sessions_make_every_client_log_in_again(lab: TwinThread):
    """It happens and is over: there is nothing to restore."""
    client = array(lab)
    client.array()
    sessions = len([one for one in lab.world.arrays[ARRAY].sessions if one.ended is None])
    assert sessions >= 1

    fail(lab, "session-expiry", ARRAY)
    assert all(one.ended for one in lab.world.arrays[ARRAY].sessions)
    assert "nothing to restore" in order(lab, "/restore", {"fault": "session-expiry"}).json()["error"]


def test_faults_planted_on_calls_are_cleared_apart_from_drills(lab: TwinThread):
    """DELETE /faults is the end of the former; a drill is restored by its name."""
    fail(lab, "slow-api", ARRAY, "1")
    order(lab, "/faults", {"service": ".*", "call": ".*", "action": "reset", "times": 9})
    requests.delete(control_url(lab.inventory) + "/faults", timeout=10)

    assert [fault.action for fault in lab.world.faults.planted] == ["delay"]


def test_the_page_about_the_twin_names_every_fault_and_condition():
    """What can be typed can be read about, in the same words."""
    page = (Path(__file__).parents[2] / "docs" / "twin.md").read_text()

    rows = [f"| `{one.usage}` | {one.meaning}" for one in DRILLS.values()]
    rows += [f"| `{one.usage}` | {one.meaning}" for one in CONDITIONS.values()]
    assert [row for row in rows if row not in page] == []
