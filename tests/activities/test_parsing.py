"""Texts of the real programs, captured from running components, become models."""

import json
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from activities.errors import Unreachable
from activities.parsing import Said, reader
from activities.parsing.iscsi import parse_initiator, parse_records, parse_sessions, parse_targets
from activities.parsing.lvm import parse_autoactivated, parse_signatures, parse_volume_groups
from activities.parsing.multipath import parse_maps
from activities.parsing.multipath_config import parse_config
from activities.parsing.system import (
    parse_clock,
    parse_installed,
    parse_number,
    parse_round_trip,
    parse_route,
    parse_units,
    parse_values,
)
from activities.parsing.votes import parse_votes

WWID = "3624a9370730d187406c1477500a7aa92"


def capture(name: str) -> str:
    return (Path(__file__).parents[1] / "captures" / name).read_text()


@pytest.mark.parametrize(("name", "optimized"), [("multipath-site-a.txt", 253), ("multipath-site-b.txt", 252)])
def test_reads_both_path_groups_of_a_healthy_host(name: str, optimized: int):
    """Four paths with priority 50 at the local array's LUN, four with 10 at the other's."""
    (found,) = parse_maps(capture(name))

    assert (found.wwid, found.handler, found.size) == (WWID, "1 alua", "10T")
    assert [(group.priority, len(group.paths)) for group in found.groups] == [(50, 4), (10, 4)]
    assert found.usable(50, optimized) == 4
    assert found.usable(10, 505 - optimized) == 4


def test_counts_failed_paths_as_unusable():
    """After the loss of array A only array B's paths carry anything."""
    (found,) = parse_maps(capture("multipath-array-a-lost.txt"))

    assert sum(path.usable for group in found.groups for path in group.paths) == 4


def test_reads_a_checker_state_with_a_blank_in_it():
    """`i/o pending` is one state, and no usable one."""
    (found,) = parse_maps(capture("multipath-io-pending.txt"))

    assert {path.checker for path in found.groups[0].paths} == {"i/o pending"}
    assert not any(path.usable for group in found.groups for path in group.paths)


def test_an_unknown_wwid_is_no_map():
    """multipath says nothing and ends with 0."""
    assert parse_maps("") == []


def test_refuses_a_line_it_cannot_read():
    """A text of another version must not be half understood."""
    with pytest.raises(Unreachable, match="cannot be read: the line 'something new'"):
        parse_maps(capture("multipath-site-a.txt") + "something new\n")


def test_reads_seven_votes_with_the_device():
    """Healthy: seven of seven, every node shows the device's vote."""
    votes = parse_votes(capture("votes-healthy.txt"))

    assert (votes.expected, votes.total, votes.quorum, votes.quorate) == (7, 7, 4, True)
    assert {member.device for member in votes.members} == {"A,V,NMW"}
    assert (votes.device_votes, votes.settled) == (1, True)


def test_sees_that_votes_and_members_do_not_agree_yet():
    """Shortly after a site loss corosync shows four votes and six members: not settled."""
    votes = parse_votes(capture("votes-unsettled.txt"))

    assert (votes.nodes, votes.total, votes.settled) == (6, 4, False)


def test_reads_a_blocked_partition():
    """`Quorum: 4 Activity blocked` is a number with a remark."""
    votes = parse_votes(capture("votes-blocked.txt"))

    assert (votes.total, votes.quorum, votes.quorate) == (3, 4, False)
    assert votes.device_votes == 0


def test_reads_votes_without_a_device():
    """Without a device there is no column for it, and nothing is missing."""
    votes = parse_votes(capture("votes-no-device.txt"))

    assert (votes.expected, votes.total, votes.has_device) == (6, 6, False)
    assert len(votes.members) == 6


def test_a_lost_witness_shows_as_a_device_without_a_vote():
    """The daemon is alive and casts no vote: A,NV."""
    votes = parse_votes(capture("votes-witness-lost.txt"))

    assert (votes.total, votes.device_votes) == (6, 0)
    assert {member.device for member in votes.members} == {"A,NV,NMW"}


def test_refuses_what_is_no_vote_count():
    """A daemon that is down answers with a sentence."""
    with pytest.raises(Unreachable, match="no Expected votes"):
        parse_votes("Cannot initialize CMAP service\n")


def test_reads_sessions_in_any_order():
    """Eight sessions, four to each array."""
    sessions = parse_sessions(capture("iscsi-sessions.txt"))

    assert len(sessions) == 8
    assert sum(session.iqn.endswith("flasharray.a") for session in sessions) == 4


def test_reads_each_session_with_its_interface_and_state():
    """What belongs to which target is a matter of order: a target is told again where another stands between."""
    text = capture("iscsi-sessions.txt").replace("Iface Name: default", "Iface Name: storage1", 1)
    first, *others = parse_sessions(text.replace("Session State: LOGGED_IN", "Session State: FAILED", 1))

    assert (first.portal, first.iface, first.state, first.logged_in) == ("10.22.2.4:3260", "storage1", "FAILED", False)
    assert {(one.iface, one.state) for one in others} == {("default", "LOGGED_IN")}


def test_reads_records_with_all_but_their_secrets():
    """open-iscsi's own text: three records, one of which boots along and logs in by name."""
    first, second, sixth = parse_records(capture("iscsi-records.txt"))

    assert (first.portal, first.startup, first.auth_method, first.username) == (
        "10.22.1.1:3260", "automatic", "CHAP", "quorate",
    )  # fmt: skip
    assert (second.portal, second.startup, second.auth_method, second.username) == (
        "10.22.1.2:3260", "manual", "None", "",
    )  # fmt: skip
    assert (sixth.portal, sixth.group, sixth.iface) == ("[fd00:22::2]:3260", 1, "default")


def test_half_a_record_cannot_be_read():
    """Passed over, its portal would be one that no boot logs in to."""
    with pytest.raises(Unreachable, match="ends within a record"):
        parse_records(capture("iscsi-records.txt").rpartition("# END RECORD")[0])


def test_reads_units_by_their_full_names():
    """A unit that there is not has an empty state."""
    found = parse_units("Id=open-iscsi.service\nUnitFileState=enabled\n\nId=iscsid.service\nUnitFileState=\n")

    assert {name: one["UnitFileState"] for name, one in found.items()} == {
        "open-iscsi.service": "enabled", "iscsid.service": "",
    }  # fmt: skip


def test_reads_what_a_node_asks_of_its_network():
    """The card that leads somewhere, and the largest packet that it sends."""
    assert parse_route("10.22.1.1 dev ens1f0 src 10.22.10.1 uid 0 \\    cache \n") == "ens1f0"
    assert parse_number("9000\n") == 9000


def test_reads_the_settings_of_disks():
    """A line a file, as `grep -H` prints them."""
    text = "/sys/block/sda/queue/scheduler:[none] mq-deadline\n/sys/block/sda/device/timeout:60\n"

    assert parse_values(text) == {"sda": {"queue/scheduler": "[none] mq-deadline", "device/timeout": "60"}}


def test_reads_which_volumes_lvm_activates_by_itself():
    """LVM prints a word or nothing, and a digit where it was asked for digits."""
    rows = [{"lv_name": f"vm-{n}", "lv_autoactivation": said} for n, said in enumerate(["enabled", "", "1", "0"])]

    assert parse_autoactivated(json.dumps({"report": [{"lv": rows}]})) == ("vm-0", "vm-2")


def test_reads_what_a_discovery_offers():
    """One line a portal."""
    (target,) = parse_targets("10.22.1.1:3260,1 iqn.2010-06.com.purestorage:flasharray.a\n")

    assert (target.portal, target.iqn) == ("10.22.1.1:3260", "iqn.2010-06.com.purestorage:flasharray.a")


def test_reads_the_initiator_below_its_comment():
    """Debian's file begins with a warning."""
    assert (
        parse_initiator("## DO NOT EDIT\nInitiatorName=iqn.1993-08.org.debian:01:AB\n")
        == "iqn.1993-08.org.debian:01:ab"
    )


def test_reads_volume_groups_from_lvms_json():
    """Sizes are bytes."""
    text = '{"report":[{"vg":[{"vg_name":"v","pv_name":"/dev/mapper/x","vg_size":"8388608","vg_free":"4194304"}]}]}'

    (group,) = parse_volume_groups(text)

    assert (group.name, group.device, group.size, group.free) == ("v", "/dev/mapper/x", 8388608, 4194304)


def test_names_what_is_written_on_a_device():
    """wipefs prints a table; a blank device prints nothing."""
    table = "DEVICE OFFSET TYPE UUID LABEL\nsdb    0x438  ext4 1a2b      \n"

    assert parse_signatures(table) == ["ext4"]
    assert parse_signatures("") == []


def test_counts_only_installed_packages():
    """A removed package whose configuration stayed is not there."""
    assert parse_installed("lvm2 installed 2.03\nopen-iscsi config-files 2.1\n") == {"lvm2": "2.03"}


def test_reads_the_average_round_trip():
    """From iputils' last line; none when nothing came back."""
    text = "rtt min/avg/max/mdev = 1.020/1.187/1.301/0.090 ms\n"

    assert parse_round_trip(text) == timedelta(milliseconds=1.187)
    assert parse_round_trip("5 packets transmitted, 0 received, 100% packet loss\n") is None


READERS = [
    parse_clock, parse_config, parse_initiator, parse_installed, parse_maps, parse_number, parse_records,
    parse_round_trip, parse_route, parse_sessions, parse_signatures, parse_targets, parse_units, parse_values,
    parse_volume_groups, parse_votes,
]  # fmt: skip


@pytest.mark.parametrize(
    "text", ["\x16\x03ÿþ�", "<html>502</html>", '{"report": [{"vg": [5]}]}', '{"report": 5}', "[]", "inf"]
)
@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
def test_what_nobody_can_read_is_told_with_the_one_who_said_it(read: Callable[[str], object], text: str):
    """No reader passes over what it does not know, and none fails in its own way."""
    with pytest.raises(Unreachable, match=r"^Unreachable: pxmx01-01: `some tool` says something"):
        read(Said.of("pxmx01-01", "some tool", text))


def test_half_of_a_vote_count_cannot_be_read():
    """A label without its value is no number."""
    with pytest.raises(Unreachable, match="cannot be read"):
        parse_votes(capture("votes-healthy.txt").replace("Quorum:           4", "Quorum:"))


def test_a_bug_in_a_reader_stays_a_bug():
    """Only what is about the text is said of the text."""

    @reader
    def broken(text: str) -> int:
        return [text][1].count("")

    with pytest.raises(IndexError):
        broken("a text")


def test_a_line_that_would_take_a_minute_to_match_is_not_looked_at():
    """A worker that reads it sees nothing of any other host meanwhile."""
    text = Said.of("pve1", "multipath -ll", "x (y) " * 20_000 + " dm-3 PURE,FlashArray")
    begun = time.process_time()

    with pytest.raises(Unreachable, match="pve1: `multipath -ll` says something that cannot be read: a line of 120021"):
        parse_maps(text)

    assert time.process_time() - begun < 5


def test_two_thousand_maps_are_read_by_their_names_and_identifiers():
    """An alias before brackets, or the identifier alone; brackets with nothing in them are a part of the name."""
    heads = ["data (3624a9370aa)", "3624a9370bb", "odd (name) (36001405cc)", "none ()", *map(str, range(2000))]
    rest = "size=1G features='0' hwhandler='0' wp=rw\n"

    maps = parse_maps("".join(f"{head} dm-1 X,y\n{rest}" for head in heads))

    assert [(one.device.removeprefix("/dev/mapper/"), one.wwid) for one in maps[:4]] == [
        ("data", "3624a9370aa"), ("3624a9370bb", "3624a9370bb"), ("odd", "name) (36001405cc"), ("none ()", "none ()"),
    ]  # fmt: skip
    assert len(maps) == 2004
