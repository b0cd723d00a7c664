"""What the real programs print of paths and groups, held against what the twin prints of the same state."""

import difflib
import re
from collections.abc import Callable, Sequence
from itertools import chain

from tests.real.alua.sides import Both, Side

NO_SUCH = "3624a937000000000000000000000dead"
# Each line as the engine's activities send it, and two that ask for what is not there.
COMMANDS = (
    "multipath -ll",
    "multipath -ll {wwid}",
    f"multipath -ll {NO_SUCH}",
    "multipath -a {wwid}",
    "multipath -r",
    "iscsiadm -m session",
    "iscsiadm -m session -P 1",
    "iscsiadm -m node",
    "iscsiadm -m discovery -t sendtargets -p {portal} -o new",
    "cat /etc/multipath/wwids",
    "vgs --reportformat json --units b --nosuffix -o vg_name,pv_name,vg_size,vg_free",
    "lvs --reportformat json -o lv_name,lv_attr {vg}",
    "lvs --reportformat json -o lv_name,lv_autoactivation {vg}",
    "vgs no-such-group",
    "wipefs --no-act /dev/mapper/{wwid}",
    "pvscan --cache",
    "systemctl show --property=Id,UnitFileState open-iscsi.service multipathd.service iscsid.socket iscsid.service",
)
# What differs between any two nodes: the number of a map and of a session, ids that LVM draws, process numbers, the
# node's own address.
PASSING = (
    (re.compile(r"\bdm-\d+"), "dm-…"),
    (re.compile(r"\b[A-Za-z0-9]{6}(-[A-Za-z0-9]{4}){5}-[A-Za-z0-9]{6}\b"), "…"),
    (re.compile(r"pvscan\[\d+\]"), "pvscan[…]"),
    (re.compile(r"(Iface IPaddress: ).*"), r"\1…"),
    (re.compile(r"^(tcp: \[|\t\tSID: )\d+"), r"\1…"),
)


Passing = Sequence[tuple[re.Pattern[str], str]]


async def differences(both: Both, commands: Sequence[str] = COMMANDS, passing: Passing = PASSING) -> str:
    """Lines that differ on the first node: the command, then ``-`` what is real and ``+`` what the twin says."""
    found = []
    for command in commands:
        said, played = [await _said(side, both.a_node, command, passing) for side in (both.real, both.twin)]
        lines = list(difflib.unified_diff(said, played, lineterm="", n=0))[2:]  # after the names of the two
        if lines:
            found += [f"$ {command}", *(line for line in lines if not line.startswith("@@"))]
    print(text := "\n".join(found))
    return text


async def _said(side: Side, node: str, command: str, passing: Passing) -> list[str]:
    portal = side.arrays(node)[0].portals[0]
    host = portal.rpartition(":")[0]
    line = command.format(wwid=side.wwid, portal=portal, host=host, vg=side.inventory.storage.vg)
    answer = await side.ssh.run(node, *line.split())
    told = [*answer.stdout.splitlines(), *(f"stderr: {one}" for one in answer.stderr.splitlines())]
    plain = [_plain(one, passing) for one in told]
    return [*ORDERS.get(command, list)(plain), f"status {answer.status}"]


def _session_by_session(lines: list[str]) -> list[str]:
    """Each session with its target, portal by portal."""
    sessions: list[list[str]] = []
    target = ""
    for line in lines:
        if line.startswith("Target: "):
            target = line
        elif line.startswith("\tCurrent Portal: "):
            sessions.append([target, line])
        else:
            sessions[-1].append(line)
    return list(chain.from_iterable(sorted(sessions)))


# Records come as their folders happen to lie, and sessions by their number: by how often a node has logged in before.
ORDERS: dict[str, Callable[[list[str]], list[str]]] = {
    "iscsiadm -m node": sorted,
    "iscsiadm -m session": sorted,
    "iscsiadm -m session -P 1": _session_by_session,
}


def _plain(line: str, passing: Passing) -> str:
    for pattern, plain in passing:
        line = pattern.sub(plain, line)
    return line.rstrip()
