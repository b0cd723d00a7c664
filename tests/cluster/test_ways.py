"""Portals that are chosen, sessions that are counted, and what a reboot would lose."""

import pytest
from pydantic import TypeAdapter, ValidationError

from cluster.booting import Boot, lost_by_a_reboot
from cluster.portals import PortalRange, chosen, host_and_port, unmatched
from cluster.sessions import Record, Session, beside, manual, strangers, unconnected, uneven, unused, widest
from cluster.tuning import RECOMMENDED, RULES, differs

OFFERED = ("10.22.1.1:3260", "10.22.1.2:3260", "10.99.0.1:3260", "[fd00:22::1]:3260")
A, B = "iqn.a", "iqn.b"
IQNS = {"A": A, "B": B}
PORTALS = {"A": ("10.0.1.1:3260", "10.0.1.2:3260"), "B": ("10.0.2.1:3260",)}
WHOLE = [Session(portal=portal, iqn=IQNS[array]) for array, portals in PORTALS.items() for portal in portals]
WWID = "3624a9370730d187406c1477500a7aa92"
BOOTS = {"open-iscsi.service": "enabled", "multipathd.service": "enabled", "iscsid.socket": "enabled"}

# --- portals ---


@pytest.mark.parametrize(
    ("wanted", "used"),
    [
        ((), OFFERED),
        (("10.22.1.0/24",), OFFERED[:2]),
        (("10.22.1.2",), OFFERED[1:2]),
        (("10.22.1.2:3260", "10.22.1.1:3261"), OFFERED[1:2]),
        (("fd00:22::/64",), OFFERED[3:]),
        (("[fd00:22:0::1]:3260", "10.99.0.1"), OFFERED[2:]),
    ],
)
def test_portals_are_chosen_by_address_or_network(wanted: tuple[str, ...], used: tuple[str, ...]):
    """In the array's order; nothing said is all."""
    assert chosen(OFFERED, wanted) == used


def test_what_is_wanted_and_not_there_is_told():
    """A network of which the array has no port."""
    assert unmatched(OFFERED, ("10.22.1.0/24", "10.22.2.0/24", "10.22.1.9")) == ("10.22.2.0/24", "10.22.1.9")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("10.22.1.1/24", "is an address within a network: write 10.22.1.0/24, or the address alone"),
        ("portal-a", "is no address of a portal: write an address (10.22.1.1), one with a port"),
        ("10.22.1.300", "is no address of a portal"),
        ("10.22.1.0/40", "is no network: write an address (10.22.1.1)"),
    ],
)
def test_what_is_no_portal_is_refused_with_what_is(value: str, why: str):
    """Names are none: an array tells addresses."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(PortalRange).validate_python(value)

    assert why in str(caught.value)


def test_a_portal_has_a_host_and_a_port():
    """Brackets are spelling."""
    assert host_and_port("[fd00:22::1]:3261") == ("fd00:22::1", 3261)


# --- sessions ---


def test_one_session_to_each_portal_is_even():
    """And so are two."""
    assert uneven(IQNS, PORTALS, WHOLE) == uneven(IQNS, PORTALS, [*WHOLE, *WHOLE]) == ""
    assert (widest(IQNS, PORTALS, WHOLE), widest(IQNS, PORTALS, [*WHOLE, *WHOLE]), widest(IQNS, PORTALS, [])) == (
        1,
        2,
        1,
    )


def test_two_subnets_need_no_session_across():
    """Each interface reaches its own portals: one session each, through different ones."""
    parted = [one.model_copy(update={"iface": f"storage{n % 2}"}) for n, one in enumerate(WHOLE)]

    assert uneven(IQNS, PORTALS, parted) == ""


def test_a_portal_with_fewer_sessions_is_named_with_its_interfaces():
    """The second interface has no session there."""
    both = [one.model_copy(update={"iface": iface}) for one in WHOLE for iface in ("storage0", "storage1")]

    assert uneven(IQNS, PORTALS, both[:3] + both[4:]) == (
        "each portal needs the same number of sessions: 10.0.1.2:3260 of A has 1 (storage0), "
        "others have 2 (storage0, storage1)"
    )


def test_a_session_that_does_not_carry_is_named():
    """open-iscsi keeps it, and tries again for ever."""
    failed = [WHOLE[0], WHOLE[1].model_copy(update={"state": "FAILED", "iface": "storage1"}), WHOLE[2]]

    assert uneven(IQNS, PORTALS, failed) == (
        "not every session carries: 10.0.1.2:3260 through storage1 is FAILED"
    )  # fmt: skip


def test_what_has_no_session_is_found_by_portal_and_by_record():
    """A portal without any, and a recorded interface that is not used at a portal that has another."""
    records = [
        Record(portal=one.portal, iqn=one.iqn, iface=iface) for one in WHOLE for iface in ("default", "storage1")
    ]

    assert unconnected(A, PORTALS["A"], WHOLE[1:]) == ("10.0.1.1:3260",)
    assert [way.shown for way in unused(A, PORTALS["A"], WHOLE[1:], records)] == ["10.0.1.2:3260 through storage1"]


def test_sessions_beside_the_chosen_portals_are_found():
    """They make paths that nobody counts on."""
    assert beside(A, PORTALS["A"][:1], WHOLE) == ("10.0.1.2:3260",)


# --- after a reboot ---


def test_nothing_is_lost_where_units_records_and_wwids_are_there():
    """iscsid may be started by its socket or by itself."""
    by_itself = {**BOOTS, "iscsid.socket": "disabled", "iscsid.service": "enabled"}

    assert lost_by_a_reboot(Boot(units=BOOTS, wwids=(WWID,)), WWID, []) == ()
    assert lost_by_a_reboot(Boot(units=by_itself, wwids=(WWID,)), WWID, []) == ()


def test_each_thing_that_a_reboot_would_lose_has_its_sentence():
    """What is missing, what it would cost, and the command."""
    record = Record(portal="10.0.1.1:3260", iqn=A)
    boot = Boot(units={**BOOTS, "open-iscsi.service": "disabled", "iscsid.socket": ""})

    assert lost_by_a_reboot(boot, WWID, manual(A, PORTALS["A"], [record])) == (
        "open-iscsi.service, iscsid.socket is not enabled, so a reboot would lose the paths: "
        "systemctl enable open-iscsi.service iscsid.socket",
        f"{WWID} is not in /etc/multipath/wwids, so a reboot may leave single disks: multipath -a {WWID}",
        "node.startup is manual for 10.0.1.1:3260, so a reboot would lose these sessions: iscsiadm -m node -T iqn.a "
        "-p 10.0.1.1:3260 --op update -n node.startup -v automatic",
    )


def test_a_boot_must_not_wait_for_portals_that_nobody_uses():
    """Records of the same target at other portals."""
    records = [Record(portal=portal, iqn=A, startup="automatic") for portal in ("10.0.1.1:3260", "10.9.9.9:3260")]

    assert [one.portal for one in strangers(A, PORTALS["A"], records)] == ["10.9.9.9:3260"]


# --- the vendor's settings ---


def test_settings_that_differ_are_told_with_what_is_recommended():
    """As Linux has them; a disk that shows none is not judged."""
    linux = {"device/timeout": "30", "queue/scheduler": "none [mq-deadline]", "queue/add_random": "0"}

    assert differs({"sda": linux, "sdb": linux}) == (
        "SCSI timeout 30 s (recommended: 60 s), scheduler mq-deadline (recommended: none)"
    )
    assert differs({"sda": linux, "sdb": {**linux, "device/timeout": "60"}}).startswith(
        "SCSI timeout 30 s on 1 of 2 disks"
    )
    assert differs({"sda": {**RECOMMENDED, "queue/scheduler": "[none] mq-deadline"}}) == differs({}) == ""


def test_the_rules_set_exactly_what_is_recommended():
    """One rule a setting, for the vendor's disks alone."""
    assert [line.rpartition("ATTR")[2] for line in RULES.splitlines()[1:]] == [
        f'{{{name}}}="{value}"' for name, value in RECOMMENDED.items()
    ]
    assert all('ENV{ID_VENDOR}=="PURE"' in line for line in RULES.splitlines()[1:])
