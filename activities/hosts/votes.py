"""The quorum device: set up once, guarded, and proven on every node.

`pvecm qdevice setup` is not idempotent and has no rollback, so its preconditions are checked first and it runs as a
systemd unit of its own on one node: it outlives a lost connection, and a second attempt finds it instead of
starting another one.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from activities.attempt import Changes, look_again
from activities.errors import Conflict, NotYet, Refuted, Rejected, Unauthorized, Unreachable
from activities.hosts.named import Resolve, address_of, addresses
from activities.hosts.reading import device_host, last_words, vote_count
from activities.parsing.votes import VoteCount
from activities.serving import serves
from cluster.addresses import is_address
from cluster.contracts import hosts
from cluster.contracts.hosts import DeviceWish, VotesFinding
from cluster.plan import Ledger, Mode

if TYPE_CHECKING:
    from activities.clients.ssh import Answer
    from activities.clients.ssh import Hosts as SshHosts

UNIT = "quorate-qdevice-setup"
# Certificates travel to six nodes and six daemons start: a minute is ample.
SETUP_LIMIT = 300.0
# Every node reads its new configuration within a second or two.
KNOWN_WITHIN = 45.0
CERTIFICATES = "/etc/corosync/qdevice/net/nssdb"
VOTING = "A,V,NMW"
# Debian's corosync-qnetd brings it; it signs the cluster's certificates.
SIGNER = "/usr/bin/corosync-qnetd-certutil"


class Quorum:
    """Activities on votes."""

    def __init__(self, ssh: "SshHosts", resolve: Resolve = addresses) -> None:
        self._ssh = ssh
        self._resolve = resolve

    @serves(hosts.votes)
    async def votes(self, wish: DeviceWish) -> VotesFinding:
        """All nodes are members, quorate and of one opinion, with the device or before it. Reads only."""
        views = await self._views(wish.nodes)
        first = views[wish.nodes[0]]
        for node, view in views.items():
            if not view.quorate:
                raise Refuted(f"{node}: not quorate, {view.total} of {view.expected} votes, {view.quorum} are needed")
            if len(view.members) != len(wish.nodes):
                raise Refuted(
                    f"{node}: {len(view.members)} of {len(wish.nodes)} nodes are members; bring all online first"
                )
        if not wish.witness:
            await self._without_device(wish, views)
        elif first.has_device and (wrong := _unlike(wish, views)):
            raise Refuted(wrong)
        said = f"{first.total} of {first.expected} votes, quorum {first.quorum}"
        if wish.witness and not first.has_device and not is_address(wish.witness):  # it is to be set up
            said = f"{said}; witness {wish.witness} is {await address_of(wish.witness, self._resolve)}"
        return _votes(said, first, Ledger(Mode.PLAN))

    @serves(hosts.ensure_quorum_device)
    async def ensure_quorum_device(self, wish: DeviceWish) -> VotesFinding:
        """The device votes, and every node shows it: all votes, settled, ``A,V,NMW`` on each row."""
        ledger = Changes(wish.mode)
        node = wish.nodes[0]
        views = await self._views(wish.nodes)
        if views[node].has_device:
            await self._ours(wish, node)
        else:
            running = await self._running(node)
            address = await address_of(wish.witness, self._resolve)
            if not running:
                await may_set_up(self._ssh, wish.nodes, address)
            if (
                ledger.intend(node, "set up quorum device", wish.witness, "ffsplit, 1 vote", verb="create")
                and not running
            ):
                await self._set_up(address, node)
            elif running:
                raise NotYet(f"{node}: an earlier `pvecm qdevice setup` still runs as {UNIT}")
        if ledger.only_planned:
            view = views[node]
            return _votes(f"{view.total} of {view.expected} votes, would be {wish.expected}", view, ledger)
        view = await self._proven(wish)
        return _votes(f"{view.total} of {view.expected} votes, quorum {view.quorum}, device votes", view, ledger)

    async def _without_device(self, wish: DeviceWish, views: dict[str, VoteCount]) -> None:
        """A third place has nodes: a device beside them would make the votes even, or give a site two allies."""
        if with_device := [node for node, view in views.items() if view.has_device]:
            host = await device_host(self._ssh, with_device[0])
            raise Refuted(
                f"{with_device[0]}: a quorum device is configured{f' at {host}' if host else ''}, and the inventory "
                "has nodes at a third place instead; remove it: pvecm qdevice remove, or give witness and no third"
            )
        if wrong := _unlike(wish, views):
            raise Refuted(wrong)

    async def _views(self, nodes: tuple[str, ...]) -> dict[str, VoteCount]:
        views = await asyncio.gather(*(vote_count(self._ssh, node) for node in nodes))
        return dict(zip(nodes, views, strict=True))

    async def _ours(self, wish: DeviceWish, node: str) -> None:
        host = await device_host(self._ssh, node)
        if host is None or host == wish.witness:
            return
        address = await address_of(wish.witness, self._resolve)
        if host != address:
            wanted = wish.witness if address == wish.witness else f"{wish.witness} ({address})"
            raise Conflict(
                f"{node}: the quorum device is at {host}, the inventory says {wanted}; "
                "correct witness.address, or remove the device by hand first: pvecm qdevice remove"
            )

    async def _running(self, node: str) -> bool:
        answer = await self._ssh.run(node, "systemctl", "is-active", UNIT)
        return answer.stdout.strip() in ("active", "activating")

    async def _set_up(self, witness: str, node: str) -> None:
        # --collect removes the ended unit, so that its name is free again; HOME because ssh-copy-id wants one; what it
        # prints has a name of its own in the journal, where systemd's remarks on the unit stand beside it
        unit = (
            "systemd-run", "--quiet", "--wait", "--collect", f"--unit={UNIT}", "--setenv=HOME=/root",
            f"--property=SyslogIdentifier={UNIT}",
        )  # fmt: skip
        answer = await self._ssh.run(node, *unit, "pvecm", "qdevice", "setup", witness, limit=SETUP_LIMIT)
        if answer.ok:
            return
        if "already" in answer.stderr and UNIT in answer.stderr:
            raise NotYet(f"{node}: an earlier `pvecm qdevice setup` still runs as {UNIT}")
        journal = await self._ssh.run(node, "journalctl", "-t", UNIT, "-o", "cat", "-n", "40", "--no-pager")
        raise Rejected(f"{node}: pvecm qdevice setup {witness} failed: {_why(journal)}")

    async def _proven(self, wish: DeviceWish) -> VoteCount:
        """Wait for corosync's own settling; the step's limit bounds it.

        Refuted when no node knows of a device long after it was set up: then it was not, whatever was said.
        """
        pause, began = 0.3, time.monotonic()
        while True:
            views = await self._views(wish.nodes)
            if not (wrong := _unlike(wish, views)):
                return views[wish.nodes[0]]
            if time.monotonic() - began > KNOWN_WITHIN and not any(view.has_device for view in views.values()):
                raise Refuted(f"no node knows of a quorum device {KNOWN_WITHIN:.0f} s after its set-up: {wrong}")
            await look_again(pause, wrong)
            pause = min(pause * 1.5, 3.0)


async def may_set_up(ssh: "SshHosts", nodes: Sequence[str], witness: str) -> None:
    """What `pvecm qdevice setup` on the first node would stumble over, some of it only after a change. Reads only."""
    node = nodes[0]
    kept = await asyncio.gather(*(ssh.run(name, "test", "-e", CERTIFICATES) for name in nodes))
    for name, found in zip(nodes, kept, strict=True):
        if found.stdout.strip():  # it says nothing when it is itself
            raise Unreachable(f"{name}: `{found.command}` says something that cannot be read")
    if left := [name for name, found in zip(nodes, kept, strict=True) if found.ok]:
        raise Conflict(
            f"{', '.join(left)}: {CERTIFICATES} is left over from an earlier set-up although no device is "
            "configured; look into it, then remove it by hand"
        )
    login = await _at_witness(ssh, node, witness, "true")
    if not login.ok:
        raise Unauthorized(
            f"{node}: root cannot log in to the witness at {witness}: {last_words(login)}; "
            f"run there once: ssh-copy-id root@{witness}; where the witness refuses root's password, as "
            f"Debian does, append {node}'s /root/.ssh/id_rsa.pub to /root/.ssh/authorized_keys there"
        )
    made = await _at_witness(ssh, node, witness, "test", "-x", SIGNER)
    if not made.ok:
        raise Refuted(
            f"{node}: the witness at {witness} has no {SIGNER}, which `pvecm qdevice setup` runs there; "
            "install it: apt install corosync-qnetd; a container or another distribution has to bring it too"
        )


async def _at_witness(ssh: "SshHosts", node: str, witness: str, *words: str) -> "Answer":
    """A command at the witness, from the node, as `pvecm` runs its own."""
    options = ("-o", "BatchMode=yes", "-o", "ConnectTimeout=5")
    return await ssh.run(node, "ssh", *options, f"root@{witness}", *words)


def _unlike(wish: DeviceWish, views: dict[str, VoteCount]) -> str:
    """The first node whose view differs from the wished votes, in words; empty when none does."""
    for node, view in views.items():
        if (view.expected, view.total, view.quorum) != (wish.expected, wish.expected, wish.quorum) or not view.settled:
            counted = f"{view.total} of {view.expected} votes, quorum {view.quorum}"
            return f"{node}: {counted}; the inventory says {wish.expected}"
        silent = [member.name for member in view.members if member.device != VOTING] if wish.witness else []
        if silent:
            return f"{node}: the quorum device gives no vote to {', '.join(silent)}"
    return ""


def _votes(finding: str, view: VoteCount, ledger: Ledger) -> VotesFinding:
    return VotesFinding(
        finding=finding,
        changed=ledger.changed,
        changes=ledger.changes,
        expected=view.expected,
        total=view.total,
        quorum=view.quorum,
        device=view.has_device,
    )


def _why(journal: "Answer") -> str:
    """What it printed after the last step that it has announced: the reason, and not only its last line."""
    said: list[str] = []
    for line in reversed(journal.stdout.splitlines()):
        if line.startswith("INFO:"):
            said.append(f"after `{line.removeprefix('INFO:').strip()}`")
            break
        if line.strip():
            said.append(line.strip())
    return "; ".join(reversed(said))[-500:] or last_words(journal)
