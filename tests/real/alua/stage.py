"""Two arrays and two nodes, one at each site, and the engine's own rooms in front of the nodes."""

import time
from collections.abc import Mapping
from pathlib import Path

from activities.clients.secrets import Secrets
from activities.clients.ssh import Hosts as Ssh
from cluster.contracts.hosts import ArrayPaths
from cluster.inventory import Inventory
from cluster.transports import initiators
from lab.physics.disks import Disk
from tests.real.alua.guests import Guest, Machine, lay_bridges, make_volume
from tests.real.alua.image import Image
from tests.real.stage import new_key

SITES = ("a", "b")
VOLUME_SIZE = 10 << 40
PORTALS = 4


PORTS = {"iscsi": 3260, "nvme-tcp": 4420}


class Stage:
    """All guests, by the names that the inventory has for them. `targets` has the IQN of each array, or its NQN."""

    def __init__(
        self, inventory: Inventory, targets: Mapping[str, str], disk: Disk, image: Image, folder: Path
    ) -> None:
        self.inventory, self._targets, self._disk = inventory, targets, disk
        self._nvme = inventory.transport == "nvme-tcp"
        self.nodes = [site.nodes[0].name for site in inventory.sites]
        self._addresses = {name: f"10.23.0.{number}1" for number, name in enumerate(self.nodes, start=1)}
        self.key, self._known_hosts = folder / "engine.key", folder / "known_hosts"
        new_key(self.key)
        machines = [*map(self._array, range(1, 3)), *map(self._node, range(1, 3))]
        self.guests = {
            one.name: Guest(one, number, image, folder, self.key) for number, one in enumerate(machines, start=1)
        }
        make_volume(folder, VOLUME_SIZE)

    def portals(self, number: int) -> tuple[str, ...]:
        """Those of the first or second array."""
        return tuple(f"10.22.{number}.{card}:{PORTS[self.inventory.transport]}" for card in range(1, PORTALS + 1))

    def _array(self, number: int) -> Machine:
        site = self.inventory.sites[number - 1]
        known = [initiators(one.nodes[0], self.inventory.transport)[0] for one in self.inventory.sites]
        hosts = [f"{name}@{letter}" for name, letter in zip(known, SITES, strict=True)]
        words = {"site": SITES[number - 1], "number": str(number), "hosts": ",".join(hosts)}
        return Machine(
            name=site.array, kind="array", management=f"10.23.0.10{number}",
            storage=tuple(one.split(":")[0] for one in self.portals(number)),
            words=words | (self._subsystem(site.array) if self._nvme else self._target(site.array)),
            files={}, cards="mst" if self._nvme else "mss",
        )  # fmt: skip

    def _target(self, array: str) -> dict[str, str]:
        return {
            "transport": "iscsi",
            "iqn": self._targets[array],
            # after NAA 6 and the vendor's company id comes the volume's serial number, one digit further on
            "serial": f"0{self._disk.serial.lower()}",
            "lun": str(self._lun(array)),
        }

    def _subsystem(self, array: str) -> dict[str, str]:
        return {
            "transport": "nvme",
            "nqn": self._targets[array],
            "serial": self._disk.serial[:16],
            "nguid": self._disk.nguid.removeprefix("eui."),
            "lun": str(self._disk.nsid),
        }

    def _lun(self, array: str) -> int:
        return 0 if self._nvme else self.inventory.pod.volume.luns[array]

    def _node(self, number: int) -> Machine:
        node = self.inventory.sites[number - 1].nodes[0]
        files = {"/etc/iscsi/initiatorname.iscsi": f"InitiatorName={node.iqn}\n"}
        if self._nvme:
            files = {
                "/etc/nvme/hostnqn": f"{node.nqn}\n",
                "/etc/nvme/hostid": f"{str(node.nqn).rpartition(':')[2]}\n",
                "/etc/modules-load.d/nvme-tcp.conf": "nvme-tcp\n",
            }
        return Machine(
            name=node.name, kind="node", management=self._addresses[node.name], storage=(f"10.22.{number}0.1",),
            words={}, files=files, cards=f"m{'st'[number - 1]}" if self._nvme else "mss", nvme_disk=self._nvme,
        )  # fmt: skip

    def arrays(self, node: str) -> tuple[ArrayPaths, ...]:
        """What the node should have, its own site's array first."""
        found = tuple(
            ArrayPaths(
                array=site.array, iqn="" if self._nvme else self._targets[site.array], portals=self.portals(number),
                lun=self._lun(site.array), optimized=site.nodes[0].name == node,
                nqn=self._targets[site.array] if self._nvme else "",
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
