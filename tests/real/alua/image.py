"""What guests boot from: made once from Debian's packages, and kept beside the other things that the project keeps."""

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.real.packages import SYSTEM_PATH, install, reason_not_to_run

FILES = Path(__file__).with_name("files")
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "quorate"
# Each package with a program that only it brings.
PACKAGES = {
    "qemu-system-x86": "qemu-system-x86_64",
    "mmdebstrap": "mmdebstrap",
    "busybox-static": "busybox",
    "cpio": "cpio",
    "xz-utils": "xz",
    "e2fsprogs": "mke2fs",
    "iproute2": "ip",
    "util-linux": "setpriv",
    "openssh-client": "ssh",
}
BUILT_WITHIN = 900.0


@dataclass(frozen=True)
class Image:
    """A folder with a kernel, an initramfs and a disk."""

    folder: Path

    @property
    def kernel(self) -> Path:
        return self.folder / "vmlinuz"

    @property
    def initrd(self) -> Path:
        return self.folder / "initrd.gz"

    @property
    def disk(self) -> Path:
        return self.folder / "root.img"

    @property
    def versions(self) -> dict[str, str]:
        """What is in it, package to version."""
        lines = (self.folder / "versions").read_text().splitlines()
        return dict(line.split() for line in lines)


def reason_for_no_guests() -> str:
    """Why this computer cannot emulate guests, and what would help; empty when it can. Installs what is missing."""
    if missing := _missing():
        install([*missing, *(("seabios", "ipxe-qemu") if "qemu-system-x86" in missing else ())])
    if missing := _missing():
        return f"{', '.join(missing)} cannot be installed; install by hand: apt-get install {' '.join(missing)}"
    if not Path("/dev/net/tun").exists():
        return "there is no /dev/net/tun, so guests cannot be given network cards; try: modprobe tun"
    return ""


def _missing() -> list[str]:
    return [package for package, program in PACKAGES.items() if shutil.which(program, path=SYSTEM_PATH) is None]


def make_or_tell() -> tuple[Image | None, str]:
    """The image, or why this computer cannot have one."""
    if reason := reason_not_to_run() or reason_for_no_guests():
        return None, reason
    return make()


def make() -> tuple[Image | None, str]:
    """The image, and why there is none. Another `files/` makes another one; the old ones are taken away."""
    digest = hashlib.sha256(b"".join(one.read_bytes() for one in sorted(FILES.iterdir()) if one.is_file()))
    folder = CACHE / f"real-guests-{digest.hexdigest()[:12]}"
    if not (folder / "complete").exists():
        for old in CACHE.glob("real-guests-*"):
            shutil.rmtree(old)
        print("making the disk that guests boot from: a minute or two, once")
        folder.mkdir(parents=True)
        done = subprocess.run(
            ["bash", str(FILES / "build"), str(folder)],
            capture_output=True,
            text=True,
            timeout=BUILT_WITHIN,
            check=False,
        )
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if line.startswith("E:") and "mmdebstrap" not in line]
            return None, f"Debian's packages for guests cannot be had ({' '.join(said[-1:])}); try apt-get update"
        (folder / "complete").touch()
    return Image(folder), ""
