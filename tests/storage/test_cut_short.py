"""A worker that dies at any command of a node's paths, with CHAP: nothing half-written counts, the next one heals."""

from collections.abc import Callable
from pathlib import Path

import pytest

from activities.clients.secrets import Secrets
from activities.clients.ssh import Answer
from activities.clients.ssh import Hosts as SshHosts
from cluster.paths import Chap
from lab.physics.world import Host
from tests.storage.conftest import Stand

pytestmark = pytest.mark.slow

WHOLE = "4 optimized, 4 non-optimized, there again after a reboot"
SECRET = "not-to-be-seen-1234"
# What changes nothing, by how its command begins.
READS = (
    "iscsiadm -m session -P", "iscsiadm -m node -o show", "timeout ", "multipath -", "multipathd show", "cat ", "grep ",
    "systemctl show", "systemctl is-", "udevadm ",
)  # fmt: skip


class Died(BaseException):
    """The worker is gone in the middle of its work."""


class Mortal(SshHosts):
    """A worker's way to the nodes; it dies at its change number `last`: before it, after it, or half way through."""

    last, when, changes, died_at = -1, "", 0, "nowhere"

    async def _said(self, host: str, command: str, limit: float, told: str | None = None) -> Answer:
        if command.startswith(READS):
            return await super()._said(host, command, limit, told)
        self.changes += 1
        if self.changes - 1 != self.last:
            return await super()._said(host, command, limit, told)
        if self.when == "after":
            await super()._said(host, command, limit, told)
        if self.when == "half" and told is not None:
            await super()._said(host, command, limit, told[: len(told) // 2])
        self.died_at = f"{self.when} {command}"
        raise Died


def mortal(stand: Stand, last: int, when: str) -> Mortal:
    hosts = Mortal(stand.inventory, Secrets(Path(stand.site.path.parent)))
    hosts.last, hosts.when = last, when
    return hosts


def as_new(host: Host) -> None:
    """The node has neither sessions nor records, and multipath knows nothing."""
    for known in (host.records, host.sessions, host.scanned, host.wwids, host.mapped, host.files):
        known.clear()
    host.disabled = {"iscsid"}


def without_name(host: Host) -> None:
    """It is logged in as before there was a name."""
    for record in host.records.values():
        record.auth.clear()


@pytest.mark.parametrize("when", ["before", "after", "half"])
@pytest.mark.parametrize("made", [as_new, without_name])
async def test_paths_by_name_are_whole_after_a_death_at_any_change(
    stand: Stand, made: Callable[[Host], None], when: str
):
    """The next attempt makes all of it, and the node logs in by its name after a reboot."""
    (Path(stand.site.path.parent) / "secrets" / "chap").write_text(SECRET + "\n")
    stand.with_policy(chap=Chap(user="quorate", password="file:secrets/chap"))
    stand.access()
    healthy, deaths, ended = stand.ssh, list[str](), False
    while not ended:
        made(stand.host)
        stand.ssh = worker = mortal(stand, len(deaths), when)
        try:
            await stand.ensure()
            ended = True
        except Died:
            deaths.append(worker.died_at)
        await worker.close()
        stand.ssh = healthy

        assert (await stand.ensure()).optimized == 4, worker.died_at
        assert await stand.plan() == [], worker.died_at
        names = [record.name for record in stand.host.records.values()]
        assert names == [("quorate", SECRET)] * 8, worker.died_at
    stand.reboot()
    assert (await stand.proof()).startswith(WHOLE)
    print(
        f"{made.__name__}: died {when} {len(deaths)} changes, and all was made by the next attempt", *deaths, sep="\n"
    )
    assert len(deaths) >= 8
