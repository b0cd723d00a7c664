"""Guests under emulation: two arrays that Linux's own target plays, and nodes with the initiator of Debian.

A guest is a process of this one and ends with it. Its disk outlives its power. Guests stand on bridges of a network
that only this process and they are in: one for management, one for storage, one more for storage where it is needed.
"""

import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from tests.real.alua.image import Image

BRIDGES = {"m": "10.23.0.254/24", "s": "", "t": ""}  # management, where the engine stands too, and two for storage
# An emulated guest boots in half a minute where nothing else runs; a busy computer needs several times that.
BOOTS_WITHIN = 420.0
RUNS_WITHIN = 120.0
OWN_DISK = 64 << 20
MEMORY = {"array": 256, "node": 448}  # MiB


@dataclass(frozen=True)
class Machine:
    """What a guest is: `words` go to the kernel's command line, `files` to its disk before it boots first."""

    name: str
    kind: str  # array or node
    management: str
    storage: tuple[str, ...]
    words: Mapping[str, str]
    files: Mapping[str, str]
    cards: str = "ms"  # the bridge of each network card
    nvme_disk: bool = False  # beside its other disks: what comes over the network is then called nvme1, as on servers

    def command_line(self) -> str:
        """What the kernel is told; scripts in the guest read it."""
        words = {"name": self.name, "management": self.management, "storage": ",".join(self.storage), **self.words}
        init = "/usr/local/sbin/array-init" if self.kind == "array" else "/sbin/init"
        own = " ".join(f"guest.{key}={value}" for key, value in {**words, "init": init}.items())
        return f"console=ttyS0 quiet panic=1 net.ifnames=0 mitigations=off random.trust_cpu=on {own}"


class Guest:
    """One emulated machine."""

    def __init__(self, machine: Machine, number: int, image: Image, folder: Path, key: Path) -> None:
        self.machine, self._number, self._image, self._key = machine, number, image, key
        self._folder = folder / machine.name
        self._process: subprocess.Popen[bytes] | None = None
        self._volume = folder / "volume.raw"
        self._folder.mkdir(parents=True)

    @property
    def name(self) -> str:
        return self.machine.name

    @property
    def powered(self) -> bool:
        """Its process lives."""
        return self._process is not None and self._process.poll() is None

    # --- its disk ----------------------------------------------------------------------------------------------------

    def furnish(self) -> str:
        """Make its disk from the image; the public half of its host key."""
        subprocess.run(["cp", "--sparse=always", str(self._image.disk), str(self._disk)], check=True)
        with self._own.open("wb") as file:
            file.truncate(OWN_DISK)
        private = asyncssh.generate_private_key("ssh-ed25519")
        host_key = "/etc/ssh/ssh_host_ed25519_key"
        files = {host_key: private.export_private_key().decode(), **self.machine.files}
        files["/root/.ssh/authorized_keys"] = self._key.with_name(f"{self._key.name}.pub").read_text()
        orders = []
        for number, (path, text) in enumerate(files.items()):
            source = self._folder / f"file{number}"
            source.write_text(text)
            source.chmod(0o600)
            orders += [f"rm {path}", f"write {source} {path}"]
        script = self._folder / "orders"
        script.write_text("\n".join(orders) + "\n")
        done = subprocess.run(["debugfs", "-w", "-f", str(script), str(self._disk)], capture_output=True, check=True)
        assert b"Allocated inode" in done.stdout + done.stderr, (done.stdout + done.stderr).decode()
        return private.export_public_key().decode().strip()

    @property
    def _disk(self) -> Path:
        return self._folder / "disk.raw"

    @property
    def _own(self) -> Path:
        return self._folder / "own.raw"

    # --- power -------------------------------------------------------------------------------------------------------

    def power_on(self) -> None:
        """Begin its process; it is not up yet."""
        cards = []
        for number, bridge in enumerate(self.machine.cards):
            tap = self.tap(number)
            if ip(f"link show {tap}", check=False):
                ip(f"tuntap add {tap} mode tap")
            ip(f"link set {tap} master {_bridge(bridge)}", f"link set {tap} up")
            mac = f"52:54:00:00:{number:02x}:{self._number:02x}"
            cards += ["-netdev", f"tap,id=card{number},ifname={tap},script=no,downscript=no"]
            cards += ["-device", f"virtio-net-pci,netdev=card{number},mac={mac}"]
        disks = [(str(self._disk), "writeback")]
        disks += [(str(self._volume), "none")] * 2 if self.machine.kind == "array" else []
        drives = []
        for number, (file, cache) in enumerate(disks):
            drives += ["-drive", f"file={file},format=raw,if=none,id=d{number},cache={cache},file.locking=off"]
            drives += ["-device", f"virtio-blk-pci,drive=d{number}"]
        command = ["setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64", "-name", self.name, "-M", "q35"]
        command += ["-accel", "tcg,thread=single,tb-size=128", "-cpu", "max", "-smp", "1"]
        command += ["-m", str(MEMORY[self.machine.kind]), "-display", "none", "-nodefaults"]
        command += ["-serial", f"file:{self._console}", "-kernel", str(self._image.kernel)]
        command += ["-initrd", str(self._image.initrd), "-append", self.machine.command_line()]
        if self.machine.kind == "node":  # a disk of its own, seen once its module is loaded
            drives += ["-device", "virtio-scsi-pci", "-drive", f"file={self._own},format=raw,if=none,id=own"]
            drives += ["-device", "scsi-hd,drive=own,serial=OWN-1"]
        if self.machine.nvme_disk:
            drives += ["-drive", f"file={self._own},format=raw,if=none,id=own-nvme,file.locking=off"]
            drives += ["-device", "nvme,drive=own-nvme,serial=OWN-2"]
        self._console.unlink(missing_ok=True)
        with (self._folder / "qemu.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *drives, *cards, "-device", "virtio-rng-pci"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def power_off(self) -> None:
        """Its cables first, so that nobody hears it die; then its process."""
        if self.powered and self._process is not None:
            ip(*(f"link set {self.tap(number)} down" for number in range(len(self.machine.cards))))
            self._process.kill()
            self._process.wait()
        self._process = None

    def wait_until_up(self) -> float:
        """Wait for its sshd; the seconds that took."""
        began = time.monotonic()
        while not self._up():
            console = self._console.read_text(errors="replace")[-600:] if self._console.exists() else ""
            log = (self._folder / "qemu.log").read_text()[-400:]
            assert self.powered, f"{self.name}: qemu has ended: {log}"
            assert time.monotonic() - began < BOOTS_WITHIN, f"{self.name} is not up: {console}"
            time.sleep(0.5)
        return time.monotonic() - began

    def reboot(self) -> float:
        """As an operator reboots it; the seconds until it is up again."""
        began, before = time.monotonic(), self.do("cat /proc/sys/kernel/random/boot_id")
        self.run("systemctl reboot")
        while (boot := self.run("cat /proc/sys/kernel/random/boot_id")).returncode or boot.stdout == before:
            assert time.monotonic() - began < BOOTS_WITHIN, f"{self.name} does not come back from its reboot"
            time.sleep(0.5)
        self.wait_until_up()
        return time.monotonic() - began

    def _up(self) -> bool:
        if self.machine.kind == "array":
            return self._console.exists() and "GUEST-READY" in self._console.read_text(errors="replace")
        return self.run("systemctl is-system-running | grep -E 'running|degraded'", within=60).returncode == 0

    def cut(self) -> None:
        """Pull the cable of its first storage card."""
        ip(f"link set {self.tap(1)} down")

    def mend(self) -> None:
        """Plug it in again."""
        ip(f"link set {self.tap(1)} up")

    def tap(self, card: int) -> str:
        """What this side calls the cable of a network card."""
        return f"guest{self._number}c{card}"

    @property
    def _console(self) -> Path:
        return self._folder / "console"

    # --- commands of the test, past the engine -----------------------------------------------------------------------

    def run(self, command: str, *, within: float = RUNS_WITHIN, text: str = "") -> subprocess.CompletedProcess[str]:
        """A shell command on it, whatever its exit status; 255 where it does not answer."""
        options = ["-q", "-F", "none", "-i", str(self._key), "-o", "StrictHostKeyChecking=no"]
        options += ["-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=20", "-o", "BatchMode=yes"]
        return subprocess.run(
            ["ssh", *options, f"root@{self.machine.management}", command],
            input=text, capture_output=True, text=True, timeout=within, check=False,
        )  # fmt: skip

    def do(self, command: str, *, within: float = RUNS_WITHIN, text: str = "") -> str:
        """The output of a shell command that must end with 0."""
        done = self.run(command, within=within, text=text)
        assert done.returncode == 0, f"{self.name}: {command}: {done.stderr.strip() or done.stdout.strip()}"
        return done.stdout

    def write(self, path: str, text: str) -> None:
        """A file on it."""
        self.do(f"mkdir -p $(dirname {path}) && cat > {path}", text=text)


def _bridge(short: str) -> str:
    return f"guests-{short}"


def ip(*lines: str, check: bool = True) -> int:
    """Commands of `ip`, one after the other, in this process's network; their status."""
    done = subprocess.run(
        ["ip", "-batch", "-"], input="\n".join(lines) + "\n", capture_output=True, text=True, check=False
    )
    assert not check or done.returncode == 0, f"{'; '.join(lines)}: {done.stderr.strip()}"
    return done.returncode


def lay_bridges() -> None:
    """Both bridges; they vanish with this process's network."""
    for short, address in BRIDGES.items():
        ip(f"link add {_bridge(short)} type bridge", f"link set {_bridge(short)} up")
        if address:
            ip(f"addr add {address} dev {_bridge(short)}")


def make_volume(folder: Path, size: int) -> None:
    """The volume that both arrays have, in bytes; it takes what is written to it."""
    with (folder / "volume.raw").open("wb") as file:
        file.truncate(size)


def remove(folder: Path) -> None:
    """Disks are large: nothing of them is kept."""
    shutil.rmtree(folder, ignore_errors=True)
