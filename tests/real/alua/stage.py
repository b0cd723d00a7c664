"""Two arrays and two nodes, one at each site, and the engine's own rooms in front of the nodes."""

import time
from collections.abc import Mapping
from pathlib import Path

from activities.clients.secrets import Secrets
from activities.clients.ssh import Hosts as Ssh
from cluster.contracts.hosts import ArrayPaths
from cluster.inventory import Inventory
from tests.real.alua.guests import Guest, Machine, lay_bridges, make_volume
from tests.real.alua.image import Image
from tests.real.stage import new_key

SITES = ("a", "b")
VOLUME_SIZE = 10 << 40
PORTALS = 4


def portals(number: int) -> tuple[str, ...]:
    """Those of the first or second array."""
    return tuple(f"10.22.{number}.{card}:3260" for card in range(1, PORTALS + 1))


class Stage:
    """All guests, by the names that the inventory has for them. `targets` has the IQN of each array."""

    def __init__(
        self, inventory: Inventory, targets: Mapping[str, str], serial: str, image: Image, folder: Path
    ) -> None:
        self.inventory, self._targets, self._serial = inventory, targets, serial
        self.nodes = [site.nodes[0].name for site in inventory.sites]
        self._addresses = {name: f"10.23.0.{number}1" for number, name in enumerate(self.nodes, start=1)}
        self.key, self._known_hosts = folder / "engine.key", folder / "known_hosts"
        new_key(self.key)
        machines = [*map(self._array, range(1, 3)), *map(self._node, range(1, 3))]
        self.guests = {
            one.name: Guest(one, number, image, folder, self.key) for number, one in enumerate(machines, start=1)
        }
        make_volume(folder, VOLUME_SIZE)

    def _array(self, number: int) -> Machine:
        site = self.inventory.sites[number - 1]
        hosts = [f"{one.nodes[0].iqn}@{letter}" for one, letter in zip(self.inventory.sites, SITES, strict=True)]
        return Machine(
            name=site.array, kind="array", management=f"10.23.0.10{number}",
            storage=tuple(one.split(":")[0] for one in portals(number)),
            words={
                "site": SITES[number - 1], "number": str(number), "iqn": self._targets[site.array],
                # after NAA 6 and the vendor's company id comes the volume's serial number, one digit further on
                "serial": f"0{self._serial.lower()}",
                "lun": str(self.inventory.pod.volume.luns[site.array]), "hosts": ",".join(hosts),
            },
            files={},
        )  # fmt: skip

    def _node(self, number: int) -> Machine:
        node = self.inventory.sites[number - 1].nodes[0]
        return Machine(
            name=node.name, kind="node", management=self._addresses[node.name], storage=(f"10.22.{number}0.1",),
            words={}, files={"/etc/iscsi/initiatorname.iscsi": f"InitiatorName={node.iqn}\n"},
        )  # fmt: skip

    def arrays(self, node: str) -> tuple[ArrayPaths, ...]:
        """What the node should have, its own site's array first."""
        found = tuple(
            ArrayPaths(
                array=site.array, iqn=self._targets[site.array], portals=portals(number),
                lun=self.inventory.pod.volume.luns[site.array], optimized=site.nodes[0].name == node,
            )
            for number, site in enumerate(self.inventory.sites, start=1)
        )  # fmt: skip
        return found if found[0].optimized else found[::-1]

    def up(self) -> float:
        """Boot everything; the seconds until the last guest was up."""
        began = time.monotonic()
        lay_bridges()
        known = [f"{guest.machine.management} {guest.furnish()}\n" for guest in self.guests.values()]
        self._known_hosts.write_text("".join(known))
        for guest in self.guests.values():
            guest.power_on()
        for guest in self.guests.values():
            guest.wait_until_up()
        return time.monotonic() - began

    def down(self) -> None:
        """End every guest."""
        for guest in self.guests.values():
            guest.power_off()

    def ssh(self, base: Path) -> Ssh:
        """The engine's own client, with the addresses and keys of these nodes."""
        sites = tuple(
            site.model_copy(
                update={
                    "nodes": tuple(
                        node.model_copy(update={"address": self._addresses.get(node.name, node.address)})
                        for node in site.nodes
                    )
                }
            )
            for site in self.inventory.sites
        )
        access = self.inventory.ssh.model_copy(
            update={"key": f"file:{self.key}", "known_hosts": str(self._known_hosts), "port": 22}
        )
        return Ssh(self.inventory.model_copy(update={"sites": sites, "ssh": access}), Secrets(base))
