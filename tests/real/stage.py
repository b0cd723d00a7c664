"""Six nodes, a witness, and a second cluster on the same witness: the real daemons, and power to take and give."""

import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from cluster.inventory import Inventory
from tests.real.machine import TOOLS, Machine
from tests.real.network import WITH_THIRD_PLACE, WITH_WITNESS, WITNESS, WITNESS_ADDRESS, Layout, Network

# From a machine's boot to its answers over SSH.
SSH_WITHIN = 20.0
MEMBERS_WITHIN = 60.0
# As Proxmox VE 9.1 creates clusters, and as the twin has it.
TOKEN_COEFFICIENT = 125


@dataclass(frozen=True)
class Cluster:
    """A cluster's name, and its nodes with their addresses on the first ring."""

    name: str
    nodes: dict[str, str]
    version: int  # of corosync.conf before there is a device

    def conf(self) -> str:
        """corosync.conf without a quorum device, as Proxmox VE writes it."""
        lines = ["logging {", "  debug: off", "  to_syslog: no", "  to_logfile: yes"]
        lines += ["  logfile: /var/log/corosync/corosync.log", "  timestamp: hires", "}", "", "nodelist {"]
        for number, (name, address) in enumerate(self.nodes.items(), start=1):
            lines += ["  node {", f"    name: {name}", f"    nodeid: {number}", "    quorum_votes: 1"]
            lines += [f"    ring0_addr: {address}", f"    ring1_addr: {second_ring(address)}", "  }"]
        lines += ["}", "", "quorum {", "  provider: corosync_votequorum", "}", "", "totem {"]
        lines += [f"  cluster_name: {self.name}", f"  config_version: {self.version}"]
        for ring in (0, 1):
            lines += ["  interface {", f"    linknumber: {ring}", "  }"]
        lines += ["  ip_version: ipv4-6", "  link_mode: passive", "  secauth: on"]
        lines += [f"  token_coefficient: {TOKEN_COEFFICIENT}", "  version: 2", "}", ""]
        return "\n".join(lines)


def second_ring(address: str) -> str:
    """The address on ring 1, a network of its own beside that of ring 0."""
    room, number = address.rsplit(".", 1)
    rooms = (*WITH_WITNESS.rooms.values(), *WITH_THIRD_PLACE.rooms.values())
    return next(f"{rings[1]}.{number}" for rings in rooms if rings[0] == room)


def real_address(address: str) -> str:
    """Where a host of the twin's stands here: the twin's lie at ``127.N.``."""
    return f"10.21.{address.split('.', 2)[2]}"


OTHER = Cluster("depot-east", {"depot-01": "10.21.104.11", "depot-02": "10.21.104.12"}, version=6)


class Stage:
    """All machines, and the files that are the same on several of them.

    Where the inventory has nodes at a third place there is no witness, and no other cluster beside it.
    """

    def __init__(self, inventory: Inventory, folder: Path) -> None:
        nodes = {node.name: real_address(node.address) for node in inventory.nodes}
        self.ours = Cluster(inventory.name, nodes, version=7)
        self.sites = {site.name: [node.name for node in site.nodes] for site in inventory.sites}
        self._folder = folder
        self.layout: Layout = WITH_THIRD_PLACE if inventory.third else WITH_WITNESS
        self.clusters = (self.ours,) if inventory.third else (self.ours, OTHER)
        self._addresses = {name: at for cluster in self.clusters for name, at in cluster.nodes.items()}
        witness = () if inventory.third else (WITNESS,)
        names = (*self.layout.rooms, *witness, *self._addresses)
        self.machines = {name: Machine(name, folder / name) for name in names}
        self.network = Network(self.machines, self.layout)
        self.key = folder / "engine.key"
        self.known_hosts = folder / "known_hosts"

    def up(self) -> None:
        """Boot everything: qnetd on the witness, corosync on all nodes, no quorum device configured."""
        self._share_keys()
        self.power_on(*self.machines)
        self.together()

    def together(self) -> None:
        """Wait until all nodes of each cluster are members."""
        for cluster in self.clusters:
            self._wait_for_members(cluster)

    def down(self) -> None:
        """End every machine; there is nothing else to clean up."""
        for machine in self.machines.values():
            machine.kill()

    # --- power and links -------------------------------------------------------------------------------------------

    def power_off(self, *names: str) -> float:
        """Pull the cables first, so that no peer hears a machine die; then end all that runs on it at once.

        The moment (monotonic) from which on nobody hears of them.
        """
        self.network.unplug(*(name for name in names if name in self._addresses))
        if WITNESS in names:
            self.network.isolate(WITNESS)
        dark = time.monotonic()
        for name in names:
            self.machines[name].kill()
        return dark

    def power_on(self, *names: str) -> None:
        """Boot machines with the daemons that are enabled on them."""
        off = [name for name in names if not self.machines[name].powered]
        for name in off:
            self.machines[name].boot()
            self.network.attach(name, self._addresses.get(name, ""))
        for name in off:
            if name not in self.layout.rooms:
                self._start(self.machines[name])

    def _start(self, machine: Machine) -> None:
        machine.do("/usr/sbin/sshd", "-f", str(TOOLS / "sshd_config"))
        if machine.name == WITNESS:
            if not (machine.folder / "etc" / "qnetd").exists():  # what Debian's package does when it is installed
                (machine.folder / "etc" / "qnetd").mkdir()
                machine.do("corosync-qnetd-certutil", "-i")
            machine.do("systemctl", "start", "corosync-qnetd")
            return
        machine.do("systemctl", "start", "corosync")
        if "device {" in (machine.folder / "etc" / "corosync.conf").read_text():
            machine.do("systemctl", "start", "corosync-qdevice")

    def _wait_for_members(self, cluster: Cluster) -> None:
        nodes = len(cluster.nodes)
        deadline = time.monotonic() + MEMBERS_WITHIN
        for name in cluster.nodes:
            while f"Nodes:            {nodes}\n" not in (said := self._status(name)):
                assert time.monotonic() < deadline, f"{name} has no {nodes} members in {MEMBERS_WITHIN:.0f} s: {said}"
                time.sleep(0.2)

    def _status(self, node: str) -> str:
        done = self.machines[node].run("corosync-quorumtool", "-s")
        return done.stdout + done.stderr

    # --- keys ------------------------------------------------------------------------------------------------------

    def _share_keys(self) -> None:
        """A host key for each machine; for each cluster a key of corosync's, and one that its nodes share."""
        hosts = self._addresses | ({WITNESS: WITNESS_ADDRESS} if WITNESS in self.machines else {})
        lines = [f"{address} {new_key(self.machines[name].folder / 'hostkey')}" for name, address in hosts.items()]
        self.known_hosts.write_text("".join(f"{line}\n" for line in lines))
        new_key(self.key)
        for cluster in self.clusters:
            new_key(self._own_key(cluster))
            subprocess.run(["corosync-keygen", "-l", "-k", str(self._secret(cluster))], check=True, capture_output=True)
            for name in cluster.nodes:
                self._furnish(self.machines[name].folder, cluster)
        if WITNESS in self.machines:
            self._authorize(self.machines[WITNESS].folder, self.key)

    def _own_key(self, cluster: Cluster) -> Path:
        return self._folder / f"{cluster.name}.key"

    def _secret(self, cluster: Cluster) -> Path:
        return self._folder / f"{cluster.name}.authkey"

    def _furnish(self, folder: Path, cluster: Cluster) -> None:
        """A node's files, before its first boot."""
        (folder / "etc" / "corosync.conf").write_text(cluster.conf())
        shutil.copy(self._secret(cluster), folder / "etc" / "authkey")
        hosts = [f"{address} {node}\n" for node, address in cluster.nodes.items()]
        (folder / "hosts").write_text("".join(["127.0.0.1 localhost\n", *hosts]))
        shutil.copy(self._own_key(cluster), folder / "ssh" / "id_ed25519")
        shutil.copy(self.known_hosts, folder / "ssh" / "known_hosts")
        self._authorize(folder, self.key, self._own_key(cluster))

    def _authorize(self, folder: Path, *keys: Path) -> None:
        with (folder / "ssh" / "authorized_keys").open("a") as file:
            file.writelines(key.with_name(f"{key.name}.pub").read_text() for key in keys)

    def let_log_in(self, cluster: Cluster) -> None:
        """What `ssh-copy-id` does on a node: from now on its root may log in to the witness."""
        self._authorize(self.machines[WITNESS].folder, self._own_key(cluster))


def new_key(path: Path) -> str:
    """Make a key pair; its public half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", str(path)], check=True)
    return path.with_name(f"{path.name}.pub").read_text().strip()
