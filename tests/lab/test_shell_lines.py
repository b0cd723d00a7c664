"""A line over SSH is played as bash would, or refused with a status: nothing of it is swallowed."""

import json

import pytest

from lab.hosts.lines import Unplayed, split
from lab.hosts.node import NODE
from lab.hosts.shell import Output, unplayed
from lab.physics import jump
from tests.lab.stage import deployed

WWID = "3624a9370"


def on_a_node(*lines: str) -> list[Output]:
    """What one node of the built cluster answers, line after line."""

    async def run() -> list[Output]:
        stage = await deployed()
        world = stage.world
        return [await NODE.run(world, world.nodes["pxmx01-01"], line) for line in lines]

    return jump.run(run())


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a 'b c' \"d e\" f\\ g", [["a", "b c", "d e", "f g"]]),
        ("a; b", [["a"], ["b"]]),
        ("a ';' b", [["a", ";", "b"]]),
        ("a && b || c", [["a"], ["b"], ["c"]]),
        ("a >/dev/null 2>&1; b", [["a"], ["b"]]),
        ("a -f='${Package}' 2> /dev/null", [["a", "-f=${Package}"]]),
        ("a # b; c", [["a"]]),
        ("a#b", [["a#b"]]),
        ("a 2 >/dev/null", [["a", "2"]]),
        ("a\nb", [["a"], ["b"]]),
        ("", []),
    ],
)
def test_lines_that_are_played(line, words):
    """Words with quotes, commands one after the other, output thrown away."""
    assert [part.words for part in split(line)] == words


@pytest.mark.parametrize(
    "line",
    ["a | b", "a & b", "a > /tmp/x", "a < /tmp/x", "a >> x", "(a)", "a $B", 'a "$B"', "a $(b)", "a `b`", "a *.cfg",
     "a {b,c}", "a ~/b", "a 3>&1 >&3", "a &"],
)  # fmt: skip
def test_lines_that_are_refused(line):
    """Whatever bash would do beyond that; nothing of the line is begun."""
    with pytest.raises(Unplayed):
        split(line)


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (["-siH"], None),
        (["-n", "20", "--unit=x"], None),
        (["-n20"], None),
        (["--", "-x"], None),
        (["-sx"], "-sx"),
        (["--unit", "-x"], None),
        (["--until=x"], "--until=x"),
    ],
)
def test_options_are_played_or_refused(words, wrong):
    """Letters may stand together, values may stand behind or after."""
    assert unplayed(words, frozenset(["-s", "-i", "-H", "-n=", "--unit="])) == wrong


def test_no_program_swallows_what_it_does_not_play():
    """A pipe, an option or a subcommand that is not played ends with a status and with a word on stderr."""
    lines = [
        "corosync-quorumtool -s | grep Quorate", "vgs -S lv_count=0", "vgs -o nonsense", "iscsiadm -m session -P 3",
        "iscsiadm -m node --logout", "multipath -F", "journalctl -b", "timedatectl set-ntp true", "hostname other",
        "systemctl stop corosync", "test -f /etc/pve/corosync.conf", "nosuchprogram", "echo a > /etc/motd",
        "ls /root/*", "date -s 12:00", "pvscan",
    ]  # fmt: skip

    found = on_a_node(*lines)

    assert [(line, output.stdout) for line, output in zip(lines, found, strict=True) if not output.status] == []
    assert [line for line, output in zip(lines, found, strict=True) if not output.stderr or output.stdout] == []


def test_commands_one_after_the_other():
    """Output to /dev/null is gone, the status is the last one's, and a failure decides what follows."""
    quiet, both, failed, one, other = on_a_node(
        "pvscan --cache >/dev/null 2>&1; vgs --noheadings -o vg_name",
        "sh -c 'hostname && echo well'",
        "false || vgs nosuchvg; true && vgs nosuchvg 2>/dev/null",
        "echo a && vgs nosuchvg && echo b",
        "LC_ALL=C echo 'a;b'  c 2>&1",
    )

    assert (quiet.stdout, quiet.status) == ("  pxmx-ac-vg\n", 0)
    assert both.stdout == "pxmx01-01\nwell\n"
    assert failed.status == 5
    assert failed.stderr.count('Volume group "nosuchvg" not found') == 1
    assert (one.stdout, one.status) == ("a\n", 5)
    assert other.stdout == "a;b c\n"


def test_reports_of_lvm_are_as_captured():
    """Headings, columns, units and JSON (reference: host-outputs 2.1 and 2.2)."""
    pvs, vgs, lvs, as_json, chosen = on_a_node(
        "pvs", "vgs", "lvs pxmx-ac-vg", "vgs --reportformat json", "lvs -o name,size --units b --nosuffix --noheadings"
    )

    assert pvs.stdout.splitlines()[0] == f"  {'PV':<45} VG         Fmt  Attr PSize   PFree"
    assert pvs.stdout.splitlines()[1].endswith(" pxmx-ac-vg lvm2 a--  <10.00t 9.98t")
    assert vgs.stdout == (
        "  VG         #PV #LV #SN Attr   VSize   VFree\n  pxmx-ac-vg   1   2   0 wz--n- <10.00t 9.98t\n"
    )
    assert lvs.stdout.splitlines()[0] == (
        "  LV            VG         Attr       LSize Pool Origin Data%  Meta%  Move Log Cpy%Sync Convert"
    )
    assert len({len(line) for line in lvs.stdout.splitlines()}) == 1
    assert json.loads(as_json.stdout)["report"][0]["vg"][0]["vg_size"] == "<10.00t"
    assert as_json.stdout.startswith('  {\n      "report": [\n          {\n              "vg": [\n')
    assert [line.split() for line in chosen.stdout.splitlines()] == [
        ["vm-300-disk-0", str(8 * 2**30)],
        ["vm-301-disk-0", str(8 * 2**30)],
    ]


def test_an_empty_group_can_be_removed():
    """`vgremove` says what stands in its way, and its device is listed without a group afterwards."""
    (refused,) = on_a_node("vgremove pxmx-ac-vg")

    assert (refused.status, "still contains 2 logical volume(s)" in refused.stderr) == (5, True)
