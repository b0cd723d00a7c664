"""The quorum device, set up by the engine on real corosync, qdevice and qnetd, as far as that goes without PVE."""

import pytest

from activities.parsing.votes import parse_votes
from tests.real.both import Both
from tests.real.deployment import Deployment
from tests.real.network import WITNESS
from tests.real.texts import differences

pytestmark = pytest.mark.real


async def test_the_witness_and_all_clocks_pass_the_preflight(deployment: Deployment):
    """Debian's own dpkg-query and date, over its own sshd."""
    assert deployment.witness.finding == "corosync-qnetd is installed and active"
    assert deployment.clocks.finding.startswith("7 clocks agree within ")


async def test_votes_are_read_before_there_is_a_device(deployment: Deployment):
    """Six of six, no device, and the same finding from the twin."""
    real, twin = deployment.before

    assert real == twin
    assert (real.finding, real.device) == ("6 of 6 votes, quorum 4", False)


async def test_a_plan_of_the_set_up_is_the_same_on_both(deployment: Deployment):
    """One change, at the first node; only the witness's address is another."""
    real, twin = deployment.planned

    assert real.finding == twin.finding == "6 of 6 votes, would be 7"
    assert [change.what for change in real.changes] == [change.what for change in twin.changes]


async def test_a_node_that_may_not_log_in_to_the_witness_stops_the_set_up(deployment: Deployment):
    """The words of the real ssh reach the person, and nothing was changed."""
    assert deployment.not_let_in == (
        "Unauthorized: pxmx01-01: root cannot log in to the witness at 10.21.103.117: "
        "root@10.21.103.117: Permission denied (publickey,password).; run there once: ssh-copy-id root@10.21.103.117; "
        "where the witness refuses root's password, as Debian does, append pxmx01-01's /root/.ssh/id_rsa.pub to "
        "/root/.ssh/authorized_keys there"
    )


async def test_the_device_votes_on_every_node_after_the_set_up(deployment: Deployment):
    """Seven of seven, proven on all six rows; a second run changes nothing."""
    real, twin = deployment.applied

    assert real.finding == twin.finding == "7 of 7 votes, quorum 4, device votes"
    assert (real.changed, twin.changed) == (True, True)
    assert [again.changed for again in deployment.again] == [False, False]


async def test_a_device_at_another_witness_is_told(deployment: Deployment):
    """What corosync-qdevice-tool says of its host is read."""
    real, _ = deployment.elsewhere

    assert real == (
        "Conflict: pxmx01-01: the quorum device is at 10.21.103.117, the inventory says 10.21.103.99; "
        "correct witness.address, or remove the device by hand first: pvecm qdevice remove"
    )


async def test_the_twin_prints_what_the_programs_print_before_there_is_a_device(deployment: Deployment):
    """Line by line, but for times, ports and networks."""
    assert deployment.texts_before == ""


async def test_votes_are_read_from_corosync_alone_as_from_its_wrapper(both: Both):
    """`pvecm status` adds a head to what corosync-quorumtool says: the engine's parser reads either."""
    wrapped = await both.real.ssh.read("pxmx01-01", "pvecm", "status")
    alone = await both.real.ssh.read("pxmx01-01", "corosync-quorumtool", "-siH")

    assert parse_votes(alone) == parse_votes(wrapped)


async def test_the_twin_prints_what_the_programs_print_with_seven_votes(both: Both):
    """A node of each site, and the witness with both of its clusters."""
    assert await differences(both.real, both.twin, ("pxmx01-01", "pxmx02-02", WITNESS)) == ""
