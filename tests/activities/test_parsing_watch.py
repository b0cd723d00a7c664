"""What the watch reads from hosts: texts of the real programs (reference: host-outputs), whole, cut and spoilt."""

import contextlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from activities.errors import Unreachable
from activities.parsing import iscsi, lvm, multipath, system, votes
from activities.parsing.links import LinkCount, parse_links
from activities.parsing.lvm import parse_active
from activities.parsing.multipath_config import parse_config
from activities.parsing.totem import parse_milliseconds
from activities.parsing.witness import parse_clients

SIX = """\
Cluster "pxmx-stretch":
    Algorithm:		Fifty-Fifty split (KAP Tie-breaker)
    Tie-breaker:	Node with lowest node ID
    Node ID 1:
        Client address:		::ffff:10.21.101.11:36004
        Configuration version:	7
        Configured node list:	1, 2, 3, 4, 5, 6
        Membership node list:	1, 2, 3, 4, 5, 6
        Vote:			No change (ACK)
    Node ID 2:
        Client address:		::ffff:10.21.101.12:40266
        Configuration version:	7
        Configured node list:	1, 2, 3, 4, 5, 6
        Membership node list:	1, 2, 3, 4, 5, 6
        Vote:			No change (ACK)
    Node ID 3:
        Client address:		::ffff:10.21.101.13:53428
        Configuration version:	7
        Configured node list:	1, 2, 3, 4, 5, 6
        Membership node list:	1, 2, 3, 4, 5, 6
        Vote:			No change (ACK)
    Node ID 4:
        Client address:		::ffff:10.21.102.11:56748
        Configuration version:	7
        Configured node list:	1, 2, 3, 4, 5, 6
        Membership node list:	1, 2, 3, 4, 5, 6
        Vote:			No change (ACK)
    Node ID 5:
        Client address:		::ffff:10.21.102.12:50524
        Configuration version:	7
        Configured node list:	1, 2, 3, 4, 5, 6
        Membership node list:	1, 2, 3, 4, 5, 6
        Vote:			No change (ACK)
    Node ID 6:
        Client address:		::ffff:10.21.102.13:59488
        Configuration version:	7
        Configured node list:	1, 2, 3, 4, 5, 6
        Membership node list:	1, 2, 3, 4, 5, 6
        Vote:			No change (ACK)
"""

FOUR_LEFT = """\
Cluster "pxmx-stretch":
    Algorithm:		Fifty-Fifty split (KAP Tie-breaker)
    Tie-breaker:	Node with lowest node ID
    Node ID 3:
        Client address:		::ffff:10.21.101.13:53428
        Configuration version:	7
        Configured node list:	1, 2, 3, 4, 5, 6
        Membership node list:	1, 2, 3, 4, 5, 6
        Vote:			ACK (ACK)
    Node ID 4:
        Client address:		::ffff:10.21.102.11:56748
        Configuration version:	7
        Configured node list:	1, 2, 3, 4, 5, 6
        Membership node list:	1, 2, 3, 4, 5, 6
        Vote:			ACK (ACK)
    Node ID 5:
        Client address:		::ffff:10.21.102.12:50524
        Configuration version:	7
        Configured node list:	1, 2, 3, 4, 5, 6
        Membership node list:	1, 2, 3, 4, 5, 6
        Vote:			ACK (ACK)
    Node ID 6:
        Client address:		::ffff:10.21.102.13:59488
        Configuration version:	7
        Configured node list:	1, 2, 3, 4, 5, 6
        Membership node list:	1, 2, 3, 4, 5, 6
        Vote:			ACK (ACK)
"""

VERBOSE = """\
Cluster "pxmx-stretch":
    Algorithm:		Fifty-Fifty split (KAP Tie-breaker)
    Tie-breaker:	Node with lowest node ID
    Node ID 4:
        Client address:		::ffff:10.21.102.11:56748
        HB interval:		8000ms
        Configuration version:	7
        Configured node list:	1, 2, 3, 4, 5, 6
        Ring ID:		4.26
        Membership node list:	4, 5, 6
        Heuristics:		Undefined (membership: Undefined, regular: Undefined)
        TLS active:		Yes (client certificate verified)
        Vote:			No change (ACK)
    Node ID 5:
        Client address:		::ffff:10.21.102.12:50524
        HB interval:		8000ms
        Configuration version:	7
        Configured node list:	1, 2, 3, 4, 5, 6
        Ring ID:		4.26
        Membership node list:	4, 5, 6
        Heuristics:		Undefined (membership: Undefined, regular: Undefined)
        TLS active:		Yes (client certificate verified)
        Vote:			No change (ACK)
    Node ID 6:
        Client address:		::ffff:10.21.102.13:59488
        HB interval:		8000ms
        Configuration version:	7
        Configured node list:	1, 2, 3, 4, 5, 6
        Ring ID:		4.26
        Membership node list:	4, 5, 6
        Heuristics:		Undefined (membership: Undefined, regular: Undefined)
        TLS active:		Yes (client certificate verified)
        Vote:			No change (ACK)
"""

TWO_LINKS = """\
Local node ID 1, transport knet
LINK ID 0 udp
	addr	= 10.21.101.11
	status:
		nodeid:          1:	localhost
		nodeid:          2:	connected
		nodeid:          3:	connected
		nodeid:          4:	connected
		nodeid:          5:	connected
		nodeid:          6:	connected
LINK ID 1 udp
	addr	= 10.21.111.11
	status:
		nodeid:          1:	localhost
		nodeid:          2:	connected
		nodeid:          3:	connected
		nodeid:          4:	connected
		nodeid:          5:	connected
		nodeid:          6:	connected
"""

SITE_DARK = """\
Local node ID 4, transport knet
LINK ID 0 udp
	addr	= 10.21.102.11
	status:
		nodeid:          1:	disconnected
		nodeid:          2:	disconnected
		nodeid:          3:	disconnected
		nodeid:          4:	localhost
		nodeid:          5:	connected
		nodeid:          6:	connected
"""

VOLUMES = """\
  {
      "report": [
          {
              "lv": [
                  {"lv_name":"vm-300-disk-0", "vg_name":"pxmx-ac-vg", "lv_attr":"-wi-a-----", "lv_size":"32.00g", "lv_active":"active"},
                  {"lv_name":"vm-301-disk-0", "vg_name":"pxmx-ac-vg", "lv_attr":"-wi-------", "lv_size":"32.00g", "lv_active":""}
              ]
          }
      ]
      ,
      "log": [
      ]
  }
"""  # noqa: E501  # the text is what the program printed
TOKEN = "runtime.config.totem.token (u32) = 5600\n"
TEXTS = (SIX, FOUR_LEFT, VERBOSE, TWO_LINKS, SITE_DARK, VOLUMES, TOKEN)
OURS = "pxmx-stretch"


def our_clients(text: str) -> tuple[int, ...]:
    return parse_clients(text, OURS)


PARSERS = (our_clients, parse_links, parse_active, parse_milliseconds)


@pytest.mark.parametrize(
    ("text", "clients"), [(SIX, (1, 2, 3, 4, 5, 6)), (FOUR_LEFT, (3, 4, 5, 6)), (VERBOSE, (4, 5, 6)), ("", ())]
)
def test_reads_whom_the_witness_has_as_clients(text: str, clients: tuple[int, ...]):
    """By node id, in order; the node lists inside a client are not clients. No text: no cluster is connected."""
    assert our_clients(text) == clients


@pytest.mark.parametrize(
    "text", ["corosync-qnetd-tool: Can't connect to QNetd socket (is QNetd running?)\n", SIX[20:], "Node ID 1:\n", "{}"]
)
def test_what_is_no_list_of_clusters_is_not_an_empty_one(text: str):
    """An empty list would say that nobody is there."""
    with pytest.raises(Unreachable, match="cannot be read"):
        our_clients(text)


def test_reads_every_link_to_every_node():
    """Five ways to other nodes on each link; the node itself is none."""
    assert parse_links(TWO_LINKS) == LinkCount(links=2, total=10, disconnected=0)
    assert parse_links(SITE_DARK) == LinkCount(links=1, total=5, disconnected=3)


@pytest.mark.parametrize("text", ["", "Could not initialize corosync configuration API error 2\n", "LINK ID 0 udp\n"])
def test_no_link_at_all_cannot_be_read(text: str):
    """Corosync is not running there, which says nothing of links."""
    with pytest.raises(Unreachable, match="no link in"):
        parse_links(text)


@pytest.mark.parametrize(("text", "wanted"), [(TOKEN, 5600), (TOKEN.replace("5600", "3500"), 3500)])
def test_reads_corosyncs_own_times(text: str, wanted: int):
    """As it runs with them, in milliseconds."""
    assert parse_milliseconds(text) == timedelta(milliseconds=wanted)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Failed to initialize the cmap API. Error CS_ERR_LIBRARY\n",
        "Can't get key runtime.config.totem.token. Error CS_ERR_NOT_EXIST\n",
        "runtime.config.totem.token (u32) = 0\n",
        "runtime.config.totem.token (u32) = -1\n",
        "runtime.config.totem.token (u32) = 5600 ms\n",
        "runtime.config.totem.token (u32) = " + "9" * 30 + "\n",
        TOKEN + TOKEN,
    ],
)
def test_a_time_that_is_none_is_refused(text: str):
    """With a token of 0 every silence would be a death; more than 32 bits it never has."""
    with pytest.raises(Unreachable, match="no value in"):
        parse_milliseconds(text)


def test_only_open_volumes_are_open():
    """Active is attribute 5, open is attribute 6; after the loss of an array a volume in use stays open."""
    assert parse_active(VOLUMES) == {"vm-300-disk-0": False}
    assert parse_active(VOLUMES.replace("-wi-a-----", "-wi-ao----")) == {"vm-300-disk-0": True}
    assert parse_active("") == {}


@pytest.mark.parametrize("text", ["[]", "{}", '{"report": [{"lv": [{"lv_name": "x"}]}]}', "  LV VG Attr\n", "null"])
def test_another_kind_of_report_is_not_an_empty_one(text: str):
    """An empty list would say that nobody has the disk open."""
    with pytest.raises(Unreachable, match="cannot be read"):
        parse_active(text)


def _reads_or_says_so(text: str) -> None:
    for parse in PARSERS:
        try:
            found = parse(text)
        except Unreachable as error:
            said = str(error)
        else:
            said = "" if isinstance(found, tuple | list | dict | LinkCount | timedelta) else "no model"
        assert said == "" or "cannot be read" in said


@given(st.sampled_from(TEXTS), st.data())
def test_a_text_that_is_cut_is_read_or_refused(text: str, data: st.DataObject):
    """At any place, at either end."""
    first = data.draw(st.integers(0, len(text)))
    _reads_or_says_so(text[first : data.draw(st.integers(first, len(text)))])


@given(st.sampled_from(TEXTS), st.integers(0, 2000), st.text(max_size=20), st.integers(0, 20))
def test_a_text_that_is_spoilt_is_read_or_refused(text: str, place: int, garbage: str, over: int):
    """Anything in the middle, in place of anything."""
    place %= len(text)
    _reads_or_says_so(text[:place] + garbage + text[place + over :])


@given(st.text(max_size=300))
@example('Cluster "x":\n    Node ID ' + "9" * 5000 + ":\n")
@example("x (u32) = " + "9" * 5000)
@example("x (u32) = ²")
@example("LINK ID 0\n\tnodeid: 1:\tconnected\n" * 3)
@example('{"report": ' + "[" * 5000)
@example('{"report": [{"lv": [{"lv_name": "a", "lv_attr": "o"}]}]}')
@example("\x00")
def test_any_text_is_read_or_refused(text: str):
    """Nothing but a model or the word Unreachable."""
    _reads_or_says_so(text)


@given(st.sampled_from([SIX, FOUR_LEFT, VERBOSE]), st.integers(0, 5000))
def test_a_cut_list_never_has_a_client_more(text: str, end: int):
    """What is missing at the end can hide a client and never make one up."""
    with contextlib.suppress(Unreachable):
        assert set(our_clients(text[:end])) <= set(our_clients(text))


READERS = [
    iscsi.parse_targets,
    iscsi.parse_sessions,
    iscsi.parse_records,
    iscsi.parse_initiator,
    lvm.parse_volume_groups,
    lvm.parse_signatures,
    lvm.parse_active,
    lvm.parse_autoactivated,
    multipath.parse_maps,
    system.parse_round_trip,
    system.parse_installed,
    system.parse_clock,
    system.parse_units,
    system.parse_values,
    system.parse_route,
    system.parse_number,
    parse_config,
    votes.parse_votes,
    parse_links,
    parse_milliseconds,
    our_clients,
]
CAPTURES = [path.read_text() for path in sorted((Path(__file__).parents[1] / "captures").glob("*.txt"))] + [SIX]


@pytest.mark.parametrize("parse", READERS, ids=[parse.__name__ for parse in READERS])
@given(
    text=st.sampled_from(CAPTURES), cut=st.integers(0, 4000), noise=st.text(max_size=30), garbage=st.text(max_size=200)
)
def test_no_text_breaks_a_reader(parse: Callable[[str], object], text: str, cut: int, noise: str, garbage: str):
    """Real texts of any program, cut and spoilt anywhere, and plain garbage: read, or refused in our words."""
    for one in (text[:cut], text[:cut] + noise + text[cut:], garbage, ""):
        with contextlib.suppress(Unreachable):
            parse(one)
