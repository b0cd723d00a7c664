"""CHAP as the kernel's target asks for it and open-iscsi answers it: no secret, a wrong one, the right one."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from activities.clients.ssh import Hosts as Ssh
from activities.hosts.paths import Paths
from cluster.contracts.hosts import PathsWish
from cluster.paths import Chap
from tests.real.alua.guests import Guest
from tests.real.alua.sides import Both

pytestmark = pytest.mark.real

USER = "quorate"
RIGHT, WRONG = "Right-5ecret-of-14", "Wrong-5ecret-of-14"
RECORDS = "/var/lib/iscsi/nodes"


@dataclass(frozen=True)
class Asked:
    """A node without a session at the last portal of the far array, which asks for CHAP from now on."""

    both: Both
    node: Guest
    array: str
    iqn: str
    portal: str

    def wish(self, secret: Path | None) -> PathsWish:
        """The node's paths, with the secret that stands in a file."""
        chap = Chap(user=USER, password=f"file:{secret}") if secret else None
        return self.both.real.paths(self.node.name).model_copy(update={"chap": chap})

    async def refusal(self, secret: Path | None) -> str:
        """With what the engine ends."""
        return await self.both.real.refusal(Paths(self.both.real.ssh).ensure_paths, self.wish(secret))

    async def ensure(self, secret: Path) -> list[str]:
        """What the engine changes."""
        found = await self.both.real.patiently(Paths(self.both.real.ssh).ensure_paths, self.wish(secret))
        return [str(one) for one in found.changes]

    @property
    def record(self) -> str:
        """The command that speaks of that portal."""
        return f"iscsiadm -m node -T {self.iqn} -p {self.portal}"

    def forget(self) -> None:
        """No session at that portal, and no record."""
        self.node.do(f"{self.record} --logout; {self.record} --op delete")

    def method(self) -> str:
        """What the records of that portal say: method, user, and whether a secret is there."""
        return self.node.do(f"{self.record} | grep session.auth | head -3")


@pytest.fixture
def secrets(both: Both) -> dict[str, Path]:
    """Files with the right secret and with a wrong one, beside the inventory: others are not sent away."""
    folder = both.thread.path.parent
    files = {RIGHT: folder / "right", WRONG: folder / "wrong"}
    for secret, file in files.items():
        file.write_text(secret)
        file.chmod(0o600)
    return files


@pytest.fixture
def asked(both: Both) -> Iterator[Asked]:
    """One portal to log in at anew; afterwards nobody is asked for anything, and the records say so."""
    far, node = both.real.arrays(both.a_node)[1], both.stage.guests[both.a_node]
    array, iqn = both.stage.guests[far.array], both.real.inventory.node(both.a_node).iqn
    group = f"/sys/kernel/config/target/iscsi/{far.iqn}/tpgt_1"
    array.do(
        f"cd {group}/acls/{iqn}/auth && echo -n {USER} >userid && echo -n {RIGHT} >password"
        f" && echo 1 >{group}/attrib/authentication"
    )
    asked = Asked(both, node, far.array, far.iqn, far.portals[3])
    asked.forget()
    yield asked
    array.do(f"echo 0 >{group}/attrib/authentication")
    for field in ("authmethod -v None", "username -v ''", "password -v ''"):
        node.do(f"iscsiadm -m node --op update -n node.session.auth.{field}")
    # iscsid keeps what a session was made with: this one would ask for CHAP again when the array comes back
    node.do(f"{asked.record} --logout; {asked.record} --login")


async def test_a_login_without_a_secret_is_told(asked: Asked):
    """The array asks, the inventory has none."""
    assert await asked.refusal(None) == (
        f"Unauthorized: {asked.node.name}: {asked.array} refuses the login at {asked.portal}: it asks for CHAP, and "
        "the inventory has no paths.chap"
    )
    assert await asked.both.real.counts(asked.node.name, 4, 3, within=10) >= 0


async def test_a_wrong_secret_is_told_and_the_right_one_logs_in(asked: Asked, secrets: dict[str, Path]):
    """What a refused login has left in the record does not stand in the right one's way."""
    said = await asked.refusal(secrets[WRONG])
    first = await asked.ensure(secrets[RIGHT])
    second = await asked.ensure(secrets[RIGHT])

    assert said == (
        f"Unauthorized: {asked.node.name}: {asked.array} refuses the login at {asked.portal}: compare user {USER} and "
        f"the secret of paths.chap (file:{secrets[WRONG]}) with CHAP of the host {asked.node.name} there"
    )
    assert f"{asked.node.name}: log in {asked.portal} ({asked.array})" in first
    # the sessions that were there before carry on; their next login has the name that is asked for
    assert sum("set CHAP" in one for one in first) == 7
    assert second == []
    assert await asked.both.real.counts(asked.node.name, 4, 4, within=60) >= 0


async def test_the_secret_stands_in_the_records_alone(asked: Asked, secrets: dict[str, Path]):
    """Nobody but root reads them, and neither the journal nor another file of the node has it."""
    await asked.ensure(secrets[RIGHT])

    found = asked.node.do(f"grep -rIl {RIGHT} /etc /var /run /root /tmp /home 2>/dev/null; true").splitlines()
    modes = asked.node.do(f"find {RECORDS} -type f -printf '%U %m\\n' | sort -u").split("\n")
    journal = asked.node.run(f"journalctl --no-pager -q | grep -c {RIGHT}").stdout.strip()

    assert len(found) == 8
    assert all(one.startswith(f"{RECORDS}/") for one in found)
    assert modes == ["0 600", ""]
    assert journal == "0"
    assert RIGHT not in asked.method()


class Killed(Exception):
    """The worker is gone."""


async def test_a_worker_that_dies_before_the_login_leaves_nothing_in_the_way(
    asked: Asked, secrets: dict[str, Path], monkeypatch: pytest.MonkeyPatch
):
    """The records are written, and one of them ends within a line: the second run logs in."""
    logs_in = Ssh.run

    async def dies(ssh: Ssh, host: str, *words: str, limit: float | None = None) -> object:
        if "--login" in words:
            raise Killed
        return await logs_in(ssh, host, *words, limit=limit)

    monkeypatch.setattr(Ssh, "run", dies)
    with pytest.raises(Killed):
        await asked.both.real.do(Paths(asked.both.real.ssh).ensure_paths, asked.wish(secrets[RIGHT]))
    monkeypatch.undo()
    address = asked.portal.split(":")[0]
    asked.node.do(f"printf 'node.session.auth.passw' >>{RECORDS}/{asked.iqn}/{address},3260,1/default")

    assert f"{asked.node.name}: log in {asked.portal} ({asked.array})" in await asked.ensure(secrets[RIGHT])
    assert await asked.ensure(secrets[RIGHT]) == []
