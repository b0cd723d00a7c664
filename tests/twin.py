"""The twin in a thread of its own, so that blocking SDKs and the tests' event loop do not get in its way."""

import asyncio
import functools
import json
import os
import random
import re
import socket
import threading
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest

from cluster.inventory import Inventory
from lab.physics.power import switch_off
from lab.pve.ha.state import Manager
from lab.scenery import beside, read
from lab.serving.certificates import Kind
from lab.serving.delivered import Identity
from lab.twin import CONTROL_PORT, Twin
from lab.world import World
from workers.cli.lab.bundled import facts_beside
from workers.inventory_file import load

T = TypeVar("T")

EXAMPLE = Path(__file__).parents[1] / "examples" / "lab.yaml"
# Which example the suites about incidents and ways home run on: ``lab``, or ``metro`` in a second run.
CHOSEN = os.environ.get("QUORATE_EXAMPLE", "lab")
# What compares words of the article's lab, or counts its nodes.
only_lab = pytest.mark.skipif(CHOSEN != "lab", reason="tells of the article's lab word by word")
# Which array the pod of an example prefers.
PREFERENCE = re.compile(r"^ +failover_preference: .*\n", re.MULTILINE)
# The whole suite runs the world this much faster than the wall.
SPEED = 20.0


def inventory_file(folder: Path, which: str = "", example: str = "lab", **replacements: str) -> Path:
    """A shipped example in `folder`, on loopback addresses of its own, with its secrets and its scenery beside it.

    `which` tells apart the twins of one process. The pod prefers no array, as histories recorded it: who wins a race is
    for a test to say. Lab time runs faster than the hosts' clocks can be read one after the
    other, so their difference is allowed.
    """
    source = EXAMPLE.with_name(f"{example}.yaml")
    text = re.sub(r"127\.2[12]\.", f"127.{own_net(which)}.", source.read_text())
    text = re.sub(r"\.\./var/(lab|metro)/", "secrets/", text)
    text = PREFERENCE.sub("", text)
    text = text.replace("clock_offset: 1s", "clock_offset: 60s\n\ntimeouts:\n  ha: 40s\n  stretch: 60s\n  clone: 60s")
    for old, new in replacements.items():
        text = text.replace(old, new)
    path = folder / "inventory.yaml"
    path.write_text(text)
    if (around := beside(source)).exists():
        beside(path).write_text(around.read_text())
    return path


def bent(path: Path, change: Callable[[str], str]) -> Path:
    """That inventory file, its text changed."""
    path.write_text(change(path.read_text()))
    return path


def over_fibre(text: str) -> str:
    """An example whose nodes have an HBA with two ports each, in the place of an initiator name."""
    numbers = iter(range(1, 100))

    def ports(_: re.Match[str]) -> str:
        number = next(numbers)
        return f'wwns: ["21:00:00:24:ff:00:{number:02x}:00", "21:00:00:24:ff:00:{number:02x}:01"]'

    text = re.sub(r"^name: .*\n", lambda found: f"{found[0]}transport: fc\n", text, count=1, flags=re.MULTILINE)
    return re.sub(r"iqn: iqn\.\S+?(?=[,}\s])", ports, text)


def over_nvme(text: str) -> str:
    """An example whose nodes reach the arrays over NVMe/TCP: an NQN for each node, no LUNs."""
    numbers = iter(range(1, 100))
    text = re.sub(r"^name: .*\n", lambda found: f"{found[0]}transport: nvme-tcp\n", text, count=1, flags=re.MULTILINE)
    text = re.sub(
        r"iqn: iqn\.\S+?(?=[,}\s])",
        lambda _: f"nqn: nqn.2014-08.org.nvmexpress:uuid:4c4c4544-0031-5910-804b-{next(numbers):012x}",
        text,
    )
    return re.sub(r"^( +)luns:\n(?:\1 +\S.*\n)+", "", text, flags=re.MULTILINE)


def with_policy(path: Path, policy: str) -> Path:
    """The inventory with another policy in place of what the example says at its end of who may agree."""
    path.write_text(path.read_text().partition("\n# Who may agree")[0] + policy)
    return path


class Names:
    """The article's names said of another cluster: what stands in the same place there."""

    def __init__(self, inventory: Inventory) -> None:
        lab = load(EXAMPLE)
        self._names = {lab.name: inventory.name, lab.decider: inventory.decider}
        self._names |= {lab.pod.name: inventory.all_pods[0].name, lab.volume_name: inventory.disks[0].volume_name}
        self._names |= {lab.storage.id: inventory.all_storages[0].id, lab.storage.vg: inventory.all_storages[0].vg}
        for there, here in zip(lab.sites, inventory.sites, strict=True):
            self._names |= {there.name: here.name, there.array: here.array}
            self._names |= {one.name: other.name for one, other in zip(there.nodes, here.nodes, strict=False)}
        longest = sorted(self._names, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest)))

    def __call__(self, text: str) -> str:
        """``ssh:pxmx01-01`` is ``ssh:pve-n1`` in the metro cluster."""
        return self._known.sub(lambda found: self._names[found[0]], text)


@functools.cache
def own_net(which: str = "") -> int:
    """The second octet of this process's twin of that name: one on which no other twin answers."""
    # processes that run side by side choose among other nets
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 4
    for net in random.sample(range(30 + worker, 250, 4), 50):
        with socket.socket() as probe:
            try:
                probe.bind((f"127.{net}.103.117", CONTROL_PORT))
            except OSError:
                continue
            return net
    raise AssertionError("fifty twins on this machine?")


class TwinThread:
    """One running twin; `world` may be read and bent directly between runs."""

    def __init__(self, path: Path, speed: float = SPEED) -> None:
        self.path = path
        self.inventory: Inventory = load(path)
        self.named = Names(self.inventory)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        seed = os.environ.get("TWIN_SEED")
        self._twin = Twin(
            self.inventory,
            path.parent,
            speed=speed,
            seed=int(seed) if seed else None,
            scenery=read(path),
            facts=facts_beside(path),
        )
        print(f"the twin's seed is {self._twin.seed}; TWIN_SEED={self._twin.seed} plays it again")
        self.call(self._twin.start())

    @property
    def world(self) -> World:
        return self._twin.world

    @property
    def manager(self) -> Manager:
        """What HA's manager knows; there is one as soon as HA has work."""
        manager = self.world.cluster.ha.manager
        assert manager is not None
        return manager

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def power_off(self, *names: str) -> None:
        """Take nodes' power and wait until the others' votes are settled."""

        async def off() -> None:
            switch_off(self.world, list(names))
            left = frozenset(name for name, host in self.world.nodes.items() if host.powered)
            while any(self.world.membership.members(name) != left for name in left):  # noqa: ASYNC110
                await asyncio.sleep(0.01)

        self.call(off())

    def show(self, kind: Kind, name: str, identity: Identity) -> None:
        """Have a server show another certificate."""
        self.call(self._twin.show(kind, name, identity))

    def allow(self, path: str, *privileges: str) -> None:
        """Give the engine's token more than docs/prepare.md does."""
        for privilege in privileges:
            self.world.cluster.add_privilege(self.inventory.api.token_id, privilege, path)

    def grant(self, rights: Mapping[str, Mapping[str, bool]]) -> None:
        """Give the engine's token exactly these rights (path, privilege, whether it reaches further down)."""
        token = self.inventory.api.token_id
        for kind, who in (("user", token.partition("!")[0]), ("token", token)):
            self.world.cluster.access.acl.grant(kind, who, rights)

    def reset(self) -> None:
        self.call(self._twin.reset())
        self.world.clock.speed = SPEED

    def stop(self) -> None:
        self.call(self._twin.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def change_lines(self) -> list[str]:
        """The world's log of changes, without times."""
        return [f"{c.where} {c.what} {c.target} {json.dumps(c.detail, sort_keys=True)}" for c in self.world.changes]
