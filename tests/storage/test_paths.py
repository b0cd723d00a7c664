"""A node's paths on the twin, bent in one way after the other: what is told, what is changed, and what stays."""

from pathlib import Path

import pytest

from activities.clients.proxmox import PveApi
from activities.clients.secrets import Secrets
from activities.errors import Conflict, NotFound, Refuted, Rejected, Unauthorized
from activities.hosts.lvm import Lvm
from activities.hosts.paths import Paths
from activities.proxmox.rights import Rights
from activities.purity.pods import Purity
from cluster.contracts.proxmox import RightsWish
from cluster.multipathing import CONF, settings_of
from cluster.paths import Chap
from cluster.plan import Mode
from cluster.wishes import Wishes
from lab.physics.disks import LogicalVolume
from lab.physics.initiator import NodeRecord, Way
from tests.storage.conftest import NODE, A, B, Stand

WHOLE = "4 optimized, 4 non-optimized, there again after a reboot"
MULTIPATH = "/etc/multipath.conf"


def settings(stand: Stand, text: str) -> None:
    """Somebody writes a configuration of multipath, and multipathd reads it."""
    stand.host.files[MULTIPATH] = text
    stand.host.settings = stand.host.multipath_files()


# --- as it is built ---


async def test_a_built_node_is_as_it_must_be(stand: Stand):
    """Nothing to change, and every proof holds."""
    assert await stand.plan() == []
    assert await stand.proof() == WHOLE
    assert (await stand.preflight()).startswith("4 packages, initiator as stated; round trips: ")


async def test_its_paths_are_there_again_after_a_reboot(stand: Stand):
    """Records, units and the list of WWIDs bring them back."""
    stand.reboot()

    assert await stand.proof() == WHOLE


# --- portals ---


async def test_a_black_holed_portal_is_named_before_anybody_logs_in(stand: Stand):
    """Nothing comes back from it: a login would hang for two minutes."""
    stand.site.fail("portal", A, "3")

    with pytest.raises(Refuted) as caught:
        await stand.preflight()

    assert caught.value.message == (
        f"{NODE}: no connection to portal {stand.portals[3]} of {A}: does not answer within 5 s; check its cable, VLAN "
        f"and firewall, or name the portals to use in arrays.portals of {A}"
    )


async def test_no_login_is_tried_at_a_portal_that_is_dark(stand: Stand):
    """The session is missing, and its portal swallows what is sent to it."""
    del stand.host.sessions[Way(A, stand.portals[3])]
    stand.site.fail("portal", A, "3")
    before = stand.changes

    with pytest.raises(Refuted, match=f"no connection to portal {stand.portals[3]} of {A}: does not answer within 5 s"):
        await stand.ensure()

    assert stand.changes == before


async def test_a_portal_without_a_controller_is_no_black_hole(stand: Stand):
    """Nobody answers for its address: the kernel says so after some seconds."""
    stand.site.fail("controller", A, "CT1")

    with pytest.raises(Refuted, match=f"portals {stand.portals[2]} of {A}: no route to host, {stand.portals[3]}"):
        await stand.preflight()


async def test_the_inventory_may_leave_portals_out(stand: Stand):
    """Two of four are used, and the dark one is nobody's matter."""
    for portal in stand.portals[2:]:
        del stand.host.sessions[Way(A, portal)]
        stand.host.records[Way(A, portal)].startup = "manual"
    stand.host.scanned = {key: path for key, path in stand.host.scanned.items() if key[0] in stand.host.sessions}
    stand.site.fail("portal", A, "3")
    stand.with_portals(*stand.portals[:2])

    assert (await stand.found())[A].finding == f"Purity 6.9.3, {B} connected for sync replication, 2 of 4 iSCSI portals"
    assert (await stand.proof()).startswith("2 optimized, 4 non-optimized")
    assert await stand.plan() == []


async def test_a_boot_logs_in_nowhere_else(stand: Stand):
    """A record of a portal that is left out is not waited for at boot."""
    del stand.host.sessions[Way(A, stand.portals[3])]
    stand.host.scanned = {key: path for key, path in stand.host.scanned.items() if key[0] in stand.host.sessions}
    stand.with_portals(*stand.portals[:3])

    assert await stand.plan() == [
        f"{NODE}: set node.startup {stand.portals[3]} (manual, {A}, not in arrays.portals)"
    ]  # fmt: skip
    await stand.ensure()
    stand.reboot()
    assert (await stand.proof()).startswith("3 optimized, 4 non-optimized")


async def test_a_session_that_arrays_portals_leaves_out_is_told(stand: Stand):
    """Nothing is logged out by a run."""
    stand.with_portals(*stand.portals[:3])

    with pytest.raises(Refuted) as caught:
        await stand.ensure()

    iqn = stand.site.world.arrays[A].target_iqn
    assert caught.value.message == (
        f"{NODE}: there are sessions to {stand.portals[3]} of {A}, which arrays.portals leaves out; log them out by "
        f"hand: iscsiadm -m node -T {iqn} -p {stand.portals[3]} --logout"
    )


async def test_portals_that_the_array_does_not_have_are_told(stand: Stand):
    """A network that is written wrong."""
    stand.with_portals("10.99.0.0/24")

    with pytest.raises(NotFound) as caught:
        await stand.found()

    assert caught.value.message == (
        f"{A}: arrays.portals has 10.99.0.0/24, which is none of its iSCSI ports: {', '.join(stand.portals)}; "
        "correct arrays.portals"
    )


# --- interfaces ---


async def test_a_second_interface_doubles_the_paths(stand: Stand):
    """Eight and eight, the same number at each portal."""
    two_interfaces(stand)

    assert (await stand.proof()).startswith("8 optimized, 8 non-optimized")
    assert await stand.plan() == []


async def test_an_interface_without_a_session_is_logged_in(stand: Stand):
    """The portal has one through the other interface; both are recorded."""
    two_interfaces(stand)
    lost = Way(A, stand.portals[1], "storage1")
    del stand.host.sessions[lost]

    assert await stand.plan() == [
        f"{NODE}: log in {stand.portals[1]} ({A}, storage1)", f"{NODE}: map multipath device {stand.wwid}",
    ]  # fmt: skip
    await stand.ensure()
    assert (await stand.proof()).startswith("8 optimized, 8 non-optimized")


async def test_fewer_sessions_at_one_portal_are_told(stand: Stand):
    """Nothing is recorded that could be logged in."""
    two_interfaces(stand)
    lost = Way(A, stand.portals[1], "storage1")
    del stand.host.sessions[lost], stand.host.records[lost]

    with pytest.raises(Refuted, match=rf"{NODE}: 7 of 8 paths with prio=50 through {A} \(LUN 253\)"):
        await stand.proof()


def two_interfaces(stand: Stand) -> None:
    """The node has two cards for storage, and sessions through each."""
    host, world = stand.host, stand.site.world
    host.ifaces = ("storage0", "storage1")
    for known in (host.sessions, host.scanned, host.records):
        known.clear()
    for array in world.arrays.values():
        for portal in array.portals:
            for iface in host.ifaces:
                way = Way(array.name, portal, iface)
                host.records[way], host.sessions[way] = NodeRecord("automatic"), len(host.sessions) + 1
                world.scan(NODE, way)


# --- after a reboot ---


async def test_a_session_that_was_made_by_hand_is_kept_from_now_on(stand: Stand):
    """Debian's records are logged in by nobody at boot."""
    for record in stand.host.records.values():
        record.startup = "manual"

    with pytest.raises(
        Refuted, match=r"node.startup is manual for .*, so a reboot would lose these sessions: iscsiadm"
    ):
        await stand.proof()
    assert (await stand.plan())[:1] == [f"{NODE}: set node.startup {stand.portals[0]} (automatic, {A})"]
    assert (await stand.ensure()).changed
    assert await stand.plan() == []
    stand.reboot()
    assert await stand.proof() == WHOLE


async def test_records_are_not_set_back_by_a_discovery(stand: Stand):
    """One portal is logged in again; what the other records say stays."""
    lost = Way(A, stand.portals[2])
    del stand.host.sessions[lost], stand.host.records[lost]

    await stand.ensure()

    assert {record.startup for record in stand.host.records.values()} == {"automatic"}
    assert "iscsi.records" not in "".join(stand.site.change_lines())


@pytest.mark.parametrize("unit", ["open-iscsi", "multipathd", "iscsid.socket"])
async def test_a_unit_that_does_not_boot_along_loses_the_paths(stand: Stand, unit: str):
    """The twin's reboot does; the proof says so before, and the deployment enables it."""
    stand.host.disabled.add(unit)
    full = unit if "." in unit else f"{unit}.service"

    with pytest.raises(Refuted) as caught:
        await stand.proof()
    assert caught.value.message == (
        f"{NODE}: {full} is not enabled, so a reboot would lose the paths: systemctl enable {full}"
    )
    assert await stand.plan() == [f"{NODE}: enable unit {full}"]
    stand.reboot()
    assert await stand.says("multipath -ll") == ""
    stand.host.disabled.discard(unit)
    stand.reboot()
    assert await stand.proof() == WHOLE


async def test_a_map_that_multipath_has_not_noted_is_not_made_again(stand: Stand):
    """It is there today, under another setting of find_multipaths."""
    stand.host.wwids.clear()
    stand.host.mapped.add(stand.wwid)

    with pytest.raises(Refuted, match=f"{stand.wwid} is not in /etc/multipath/wwids, so a reboot may leave single"):
        await stand.proof()
    assert await stand.plan() == [f"{NODE}: add multipath WWID {stand.wwid}"]
    await stand.ensure()
    stand.reboot()
    assert await stand.proof() == WHOLE


# --- multipath ---


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("defaults {\n  no_path_retry queue\n}\n", "multipath queues I/O for ever once every path is lost"),
        ('devices {\n device {\n  vendor "PURE"\n  product "FlashArray"\n  path_grouping_policy multibus\n }\n}\n',
         "path_grouping_policy is multibus, not group_by_prio"),
    ],
)  # fmt: skip
async def test_nothing_begins_on_a_node_whose_multipath_would_do_harm(stand: Stand, text: str, said: str):
    """Preflight, plan and proof refuse in the same words."""
    settings(stand, text)
    before = stand.changes

    for look in (stand.preflight, stand.plan, stand.ensure):
        with pytest.raises(Refuted) as caught:
            await look()
        assert caught.value.message.startswith(f"{NODE}: {said}")
    assert stand.changes == before


async def test_what_makes_a_failover_slow_is_told_and_refuses_nothing(stand: Stand):
    """The proof holds, with what to change behind it."""
    settings(stand, "overrides {\n  failback manual\n}\n")

    assert await stand.proof() == (
        f"{WHOLE}; failback is manual (overrides): after a loss, I/O stays on the far array; "
        "set `failback immediate` in /etc/multipath.conf"
    )


async def test_a_blacklisted_volume_is_told_with_its_exception(stand: Stand):
    """multipath itself says nothing of it, with a status of 1."""
    settings(stand, 'blacklist {\n  wwid ".*"\n}\n')

    with pytest.raises(Refuted) as caught:
        await stand.ensure()

    assert caught.value.message == (
        f'{NODE}: the blacklist of multipath hides the volume (wwid ".*"); add `wwid "{stand.wwid}"` to '
        "blacklist_exceptions in /etc/multipath.conf, then `multipathd reconfigure`"
    )


async def test_where_the_inventory_says_so_the_volume_gets_settings_of_its_own(stand: Stand):
    """Of that volume alone; the second run changes nothing."""
    settings(stand, 'defaults {\n  no_path_retry queue\n}\nblacklist {\n  wwid ".*"\n}\n')
    stand.with_policy(multipath="set")

    assert await stand.plan() == [
        f"{NODE}: set multipath settings /etc/multipath/conf.d/quorate.conf",
        f"{NODE}: map multipath device {stand.wwid}",
    ]
    assert (await stand.ensure()).finding == f"4 optimized through {A}, 4 non-optimized"
    assert await stand.plan() == []
    assert await stand.proof() == WHOLE
    assert stand.host.files[MULTIPATH].startswith("defaults {\n  no_path_retry queue")


async def test_a_multipathd_that_does_not_run_is_told(stand: Stand):
    """Nothing watches the paths."""
    stand.host.stopped.add("multipathd")

    with pytest.raises(Refuted) as caught:
        await stand.preflight()

    assert caught.value.message == (
        f"{NODE}: multipathd does not answer, so nothing watches the paths; start it: systemctl enable --now multipathd"
    )


async def test_names_and_disks_of_its_own_change_nothing(stand: Stand):
    """A friendly name, an alias, a local disk under multipath: the volume is known by its WWID."""
    stand.site.fail("local-map", NODE, "letters")
    stand.site.fail("friendly-names")

    assert await stand.proof() == WHOLE
    assert await stand.plan() == []
    assert (await stand.group()).finding == "pxmx-ac-vg, 10 TiB, seen by 6 nodes"


# --- what the vendor recommends ---


async def test_settings_of_disks_that_differ_are_told_and_refuse_nothing(stand: Stand):
    """As Debian has them."""
    stand.host.files.clear()

    assert await stand.proof() == (
        f"{WHOLE}; the vendor recommends other settings: SCSI timeout 30 s (recommended: 60 s), "
        "scheduler mq-deadline (recommended: none), rq_affinity 1 (recommended: 2)"
    )
    assert await stand.plan() == []


async def test_where_the_inventory_says_so_disks_get_the_vendors_settings(stand: Stand):
    """By a rule of udev, so that they hold for disks to come."""
    stand.host.files.clear()
    stand.with_policy(tuning="set")

    assert await stand.plan() == [f"{NODE}: set disk settings /etc/udev/rules.d/99-quorate-purity.rules"]
    await stand.ensure()
    assert await stand.proof() == WHOLE
    assert await stand.plan() == []


# --- packets ---


async def test_packets_that_do_not_come_through_in_one_piece_are_told(stand: Stand):
    """Logins work, and the first I/O would hang."""
    stand.site.world.fabric_mtu[stand.portals[1]] = 1500

    with pytest.raises(Refuted) as caught:
        await stand.preflight()

    host = stand.portals[1].partition(":")[0]
    assert caught.value.message == (
        f"{NODE}: packets of 9000 bytes, the MTU of ens1f0, do not reach {host} of {A} in one piece: a login would "
        f"work and I/O hang; set one MTU from end to end (try: ping -M do -s 8972 {host})"
    )


async def test_an_interface_with_a_smaller_mtu_than_the_inventory_says_is_told(stand: Stand):
    """What the card has is not what people have agreed on."""
    stand.host.mtu = 1500
    assert (await stand.preflight()).startswith("4 packages")
    stand.with_policy(mtu=9000)

    with pytest.raises(Refuted) as caught:
        await stand.preflight()

    assert caught.value.message == (
        f"{NODE}: ens1f0, which leads to {A}, has an MTU of 1500, paths.mtu says 9000; "
        "set `mtu 9000` for it in /etc/network/interfaces, then `ifreload -a`"
    )


# --- CHAP ---


@pytest.fixture
def chap(stand: Stand) -> Chap:
    """The inventory asks for names; the secret stands in a file of its own."""
    (Path(stand.site.path.parent) / "secrets" / "chap").write_text("not-to-be-seen-1234\n")
    found = Chap(user="quorate", password="file:secrets/chap")
    stand.with_policy(chap=found)
    return found


async def test_nodes_log_in_by_name_where_the_inventory_says_so(stand: Stand, chap: Chap):
    """Arrays ask for it, nodes say it, also after a reboot; a second run changes nothing."""
    assert stand.access()[0] == f"{A}: set CHAP of host {NODE} (user quorate)"
    assert await stand.plan() == [
        *(f"{NODE}: set CHAP {portal} ({A}, user quorate)" for portal in stand.portals),
        *(f"{NODE}: set CHAP {portal} ({B}, user quorate)" for portal in stand.site.world.arrays[B].portals),
    ]
    await stand.ensure()
    assert (await stand.plan(), stand.access()) == ([], [])
    stand.reboot()
    assert await stand.proof() == WHOLE


async def test_a_node_that_does_not_say_its_name_gets_no_session(stand: Stand, chap: Chap):
    """The array refuses; with the inventory's name the login works."""
    stand.access()
    stand.reboot()
    assert await stand.says("iscsiadm -m session") == ""
    stand.with_policy(chap=None)

    with pytest.raises(Unauthorized) as caught:
        await stand.ensure()

    assert caught.value.message == (
        f"{NODE}: {A} refuses the login at {stand.portals[0]}: it asks for CHAP, and the inventory has no paths.chap"
    )
    stand.with_policy(chap=chap)
    assert (await stand.ensure()).optimized == 4


async def test_a_wrong_secret_is_told_without_it(stand: Stand, chap: Chap):
    """Where to compare; neither of the two secrets."""
    stand.access()
    stand.reboot()
    (Path(stand.site.path.parent) / "secrets" / "chap").write_text("another-secret-5678\n")

    with pytest.raises(Unauthorized) as caught:
        await stand.ensure()

    assert caught.value.message == (
        f"{NODE}: {A} refuses the login at {stand.portals[0]}: compare user quorate and the secret of paths.chap "
        f"(file:secrets/chap) with CHAP of the host {NODE} there"
    )


async def test_no_other_file_of_the_worker_is_sent_away(stand: Stand):
    """Who may change the inventory may not read the worker's disk by way of a node, or of an array."""
    stand.with_policy(chap=Chap(user="quorate", password="file:/etc/hostname"))

    for look in (stand.ensure, stand.offered):
        with pytest.raises(Unauthorized, match="what is sent out may only be read below the inventory's folder"):
            await look()


async def test_the_secret_stands_in_no_command_line(stand: Stand, chap: Chap):
    """It goes through the input of a program; what the twin logs of calls and changes has none of it."""
    stand.access()
    await stand.ensure()
    records = await stand.says("iscsiadm -m node -o show")

    seen = "\n".join((*stand.site.change_lines(), *(what for *_, what in stand.site.world.busy), records))
    assert "not-to-be-seen" not in seen
    assert f"ssh:{NODE} LC_ALL=C dd of=/var/lib/iscsi/nodes/" in seen
    assert records.count("node.session.auth.username = quorate") == 8


# --- LVM ---


async def test_volumes_that_every_node_activates_at_boot_are_told(stand: Stand):
    """From before Proxmox VE 9; the command is named, and nothing is refused."""
    group = stand.site.world.volume_group(NODE, "pxmx-ac-vg")
    assert group is not None
    group.lvs["vm-900-disk-0"] = LogicalVolume("vm-900-disk-0", 2**30, autoactivation=True)

    found = await stand.group()

    assert (found.mark, found.finding) == (
        "warned",
        "pxmx-ac-vg, 10 TiB, seen by 6 nodes; every node activates vm-900-disk-0 at boot, as before Proxmox VE 9; "
        "switch it off: lvchange --setautoactivation n pxmx-ac-vg/vm-900-disk-0 "
        "(all of them: /usr/share/pve-manager/migrations/pve-lvm-disable-autoactivation)",
    )
    stand.reboot()
    assert group.lvs["vm-900-disk-0"].active_on == {NODE}


# --- in an emergency ---


async def test_in_an_emergency_sessions_come_before_settings(stand: Stand):
    """A node without paths that queues hangs already: it gets them back, and nothing else is changed on it."""
    settings(stand, "defaults {\n  no_path_retry queue\n}\n")
    stand.host.disabled.add("open-iscsi")
    del stand.host.sessions[Way(A, stand.portals[2])]
    wishes = Wishes(stand.inventory, Mode.APPLY, emergency=True)

    found = await stand.run(Paths(stand.ssh).ensure_paths, wishes.paths(NODE, await stand.found(), stand.wwid))

    assert found.finding == f"4 optimized through {A}, 4 non-optimized"
    assert [one.what for one in found.changes] == ["discover targets", "log in"]


async def test_in_an_emergency_what_answers_is_logged_in(stand: Stand):
    """One portal is dead: the sessions to the others come back, and what is missing is named."""
    for portal in stand.portals[1:]:
        del stand.host.sessions[Way(A, portal)]
    stand.site.fail("portal", A, "3")
    wishes = Wishes(stand.inventory, Mode.APPLY, emergency=True)
    wish = wishes.paths(NODE, await stand.found(), stand.wwid)

    with pytest.raises(Refuted) as caught:
        await stand.run(Paths(stand.ssh).ensure_paths, wish)

    assert caught.value.message == (
        f"{NODE}: 3 of 4 paths with prio=50 through {A} (LUN 253), no session carries at {stand.portals[3]}"
    )
    assert [line.split()[2] for line in stand.changes if "iscsi.login" in line] == list(stand.portals[1:3])


# --- which side goes on ---


async def test_the_watch_looks_each_day_whether_quorum_and_storage_stay_together(stand: Stand):
    """Somebody has changed the pod since; without a wish of the inventory's nothing is said."""
    secrets = Secrets(stand.site.path.parent)
    api = PveApi(stand.inventory, secrets)
    assert (await stand.run(Rights(stand.inventory, api, stand.arrays).rights, RightsWish())).apart == ""
    stand.prefers(A)
    stand.site.world.arrays[A].pods[0].failover_preferences = [B]

    found = await stand.run(Rights(stand.inventory, api, stand.arrays).rights, RightsWish())

    assert found.apart == (
        f"pod webb-ac-proxmox-01 prefers {B}, corosync's tie-breaker prefers site-a ({A}): after a cut between the "
        "sites votes and storage are at different ones, and every guest stops; "
        f"set pod.failover_preference: {A} in the inventory and run the deployment"
    )
    stand.pod()
    assert (await stand.run(Rights(stand.inventory, api, stand.arrays).rights, RightsWish())).apart == ""


def test_a_proof_asks_which_array_goes_on(stand: Stand):
    """The deployment's own; a quarantine does not keep guests from home for it."""
    stand.prefers(A)
    wishes, purity = Wishes(stand.inventory, Mode.PLAN), Purity(stand.arrays)

    stand.run(purity.pod_state, wishes.pod_at())
    with pytest.raises(Refuted) as caught:
        stand.run(purity.pod_state, wishes.pod_at(as_preferred=True))

    assert caught.value.message == (
        f"pod webb-ac-proxmox-01 prefers no array, pod.failover_preference says {A}; set it: `quorate plan deploy`"
    )


def test_the_deployment_sets_which_array_goes_on(stand: Stand):
    """Where the inventory says so; a second run changes nothing."""
    stand.prefers(A)

    assert stand.pod() == [f"{A}: set failover preference webb-ac-proxmox-01 ({A}, was none)"]
    assert stand.site.world.arrays[A].pods[0].failover_preferences == [A]
    assert stand.pod() == []


# --- an end in the middle ---


async def test_a_full_disk_leaves_no_half_of_a_file_that_multipath_would_read(stand: Stand):
    """The old one stays as it was; with room again the next attempt writes all of it."""
    settings(stand, "defaults {\n  no_path_retry queue\n}\n")
    stand.with_policy(multipath="set")
    stand.host.full_disk = True

    with pytest.raises(Rejected, match="No space left on device"):
        await stand.ensure()
    assert CONF not in stand.host.files

    stand.host.full_disk = False
    await stand.ensure()
    assert stand.host.files[CONF] == settings_of(stand.wwid)
    assert await stand.plan() == []


async def test_settings_that_were_written_and_never_read_are_read_by_the_next_attempt(stand: Stand):
    """A worker that dies between the file and the daemon: the file alone helps nobody."""
    settings(stand, "defaults {\n  no_path_retry queue\n}\n")
    stand.host.files[CONF] = settings_of(stand.wwid)
    stand.with_policy(multipath="set")

    assert await stand.plan() == [f"{NODE}: set multipath settings {CONF}"]
    assert (await stand.ensure()).finding == f"4 optimized through {A}, 4 non-optimized"
    assert await stand.plan() == []


async def test_a_secret_that_was_written_in_part_is_written_again(stand: Stand, chap: Chap):
    """The name by which a record is known to be done comes after the secret."""
    whole = await stand.plan()
    stand.host.full_disk = True
    with pytest.raises(Rejected, match="No space left on device"):
        await stand.ensure()

    assert await stand.plan() == whole


async def test_a_session_whose_portal_is_gone_is_told_as_open_iscsi_tells_it(stand: Stand):
    """Its I/O has failed over: the session is free, and iscsid goes on trying to log in."""
    stand.site.fail("portal", A, "3")

    said = await stand.says("iscsiadm -m session -P 1")

    lost = said.partition(f"Current Portal: {stand.portals[3]},1\n")[2].partition("Current Portal")[0]
    assert [line.strip() for line in lost.splitlines() if "State" in line] == [
        "iSCSI Connection State: TRANSPORT WAIT",
        "iSCSI Session State: FREE",
        "Internal iscsid Session State: REOPEN",
    ]


async def test_what_is_written_on_the_volume_is_listed_by_the_name_of_its_map(stand: Stand):
    """In columns as wide as what stands in them."""
    head, row = (await stand.says(f"wipefs --no-act /dev/mapper/{stand.wwid}")).splitlines()

    assert head == f"{'DEVICE':33} OFFSET TYPE        {'UUID':38} LABEL"
    assert row.startswith(f"{stand.wwid} 0x218  LVM2_member ")


async def test_pvscan_names_what_lvm_finds(stand: Stand):
    """The volume by its map; nothing is activated."""
    assert await stand.says("pvscan --cache") == f"  pvscan[1185] PV /dev/mapper/{stand.wwid} online.\n"


async def test_the_list_of_wwids_says_who_writes_it(stand: Stand):
    """multipath's own head, and one line for each volume."""
    assert (await stand.says("cat /etc/multipath/wwids")).splitlines() == [
        "# Multipath wwids, Version : 1.0",
        "# NOTE: This file is automatically maintained by multipath and multipathd.",
        "# You should not need to edit this file in normal circumstances.",
        "#",
        "# Valid WWIDs:",
        f"/{stand.wwid}/",
    ]


async def test_a_group_that_other_nodes_see_is_not_planned_for_the_first_one(stand: Stand):
    """It has no path so far: with one it will see what is there."""
    stand.host.sessions.clear()
    wish = Wishes(stand.inventory, Mode.PLAN).volume_group(stand.wwid, [NODE])
    found = await stand.run(Lvm(stand.ssh).ensure_volume_group, wish)

    assert found.changes == ()
    assert found.finding == f"pxmx-ac-vg, 10 TiB, seen by 5 nodes, by {NODE} once its paths are there"


async def test_what_other_nodes_see_on_the_volume_is_not_planned_over(stand: Stand):
    """The first node has no path so far, and would call it blank: a plan says what the apply would say."""
    stand.host.sessions.clear()
    disk = next(disk for disk in stand.site.world.disks.values() if disk.vg)
    disk.signature, disk.vg = "ext4", None
    wish = Wishes(stand.inventory, Mode.PLAN).volume_group(stand.wwid, [NODE])

    with pytest.raises(Conflict, match=r"pxmx01-02: /dev/mapper/\S+ is not blank, it holds ext4; find out whose it is"):
        await stand.run(Lvm(stand.ssh).ensure_volume_group, wish)
