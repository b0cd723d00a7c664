"""What a node's controllers lack of the paths that are wished, in words."""

import pytest

from cluster.nvme import Controller, Line, Way, impatient, lacking, line_of, missing, unlisted
from cluster.volumes import is_namespace, wwid_of

NQN = "nqn.2010-06.com.purestorage:flasharray.1"
PORTALS = {"fa-a": ("10.0.1.1:4420", "10.0.1.2:4420"), "fa-b": ("10.0.2.1:4420",)}
WWID = "eui.00730d187406c14724a9377500a7aa92"


def controller(portal: str, ana: str = "optimized", iface: str = "", state: str = "live") -> Controller:
    return Controller(name="nvme1", subsystem=NQN, portal=portal, ana=ana, iface=iface, state=state)


WHOLE = (
    controller("10.0.1.1:4420"), controller("10.0.1.2:4420"), controller("10.0.2.1:4420", "non-optimized"),
)  # fmt: skip


def test_one_live_controller_for_each_portal_is_enough():
    """The near array's paths are optimized, the other's are not."""
    assert lacking(PORTALS, "fa-a", WHOLE, "/dev/nvme1n1", WWID) == ""


@pytest.mark.parametrize(
    ("controllers", "device", "said"),
    [
        ((), None, f"no NVMe namespace {WWID}: no controller is live at 10.0.1.1:4420, 10.0.1.2:4420, 10.0.2.1:4420"),
        (WHOLE, None, f"no NVMe namespace {WWID}, though every controller is live"),
        (WHOLE[1:], "/dev/nvme1n1", "1 of 2 optimized paths through fa-a, no controller at 10.0.1.1:4420"),
        (
            (*WHOLE[:2], controller("10.0.2.1:4420", "inaccessible")),
            "/dev/nvme1n1",
            "0 of 1 non-optimized paths through fa-b, ANA says inaccessible: fa-b does not serve it to this host; look "
            "at pod and connections there",
        ),
        (
            (controller("10.0.1.1:4420", state="connecting"), *WHOLE[1:]),
            "/dev/nvme1n1",
            "1 of 2 optimized paths through fa-a, the controller at 10.0.1.1:4420 is connecting",
        ),
    ],
)
def test_what_is_lacking_is_said_with_its_cause(controllers: tuple[Controller, ...], device: str | None, said: str):
    """Counts first, then where to look."""
    assert lacking(PORTALS, "fa-a", controllers, device, WWID) == said


def test_a_portal_lacks_the_end_that_others_have():
    """A node with two cards has two controllers at each portal, or none is made by guesswork."""
    ends = [controller("10.0.1.1:4420", iface="ens1f0"), controller("10.0.1.2:4420", iface="ens1f1")]

    assert [way.shown for way in missing(PORTALS["fa-a"], ends)] == [
        "10.0.1.1:4420 through ens1f1",
        "10.0.1.2:4420 through ens1f0",
    ]
    assert missing(PORTALS["fa-a"], []) == (Way(portal="10.0.1.1:4420"), Way(portal="10.0.1.2:4420"))
    assert missing(("10.0.1.1:4420",), [], ["ens1f0"]) == (Way(portal="10.0.1.1:4420", iface="ens1f0"),)


def test_a_line_brings_one_way_back_and_never_gives_it_up():
    """What is written, and what is found to be missing."""
    way = Way(portal="[fd00::1]:4420", iface="ens1f0")

    assert line_of(way) == (
        "--transport=tcp --traddr=fd00::1 --trsvcid=4420 --host-iface=ens1f0 --ctrl-loss-tmo=-1 --fast_io_fail_tmo=30"
    )
    assert unlisted([way], [Line(portal="[fd00::1]:4420", iface="ens1f1")]) == (way,)
    assert impatient([way.portal], [Line(portal=way.portal)]) == (way.portal,)


def test_a_namespace_has_the_vendors_id_between_the_digits_of_the_serial():
    """As the vendor's page shows it: eui.003b7b308d98f94224a9375e00018816 is the volume 3B7B308D98F942 5E00018816."""
    assert wwid_of("3B7B308D98F9425E00018816", "nvme-tcp") == "eui.003b7b308d98f94224a9375e00018816"
    assert is_namespace(wwid_of("3B7B308D98F9425E00018816", "nvme-tcp"))
    assert wwid_of("3B7B308D98F9425E00018816") == "3624a93703b7b308d98f9425e00018816"
