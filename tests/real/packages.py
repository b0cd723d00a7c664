"""What has to be on this computer, and how it gets there: Debian's packages, with apt-get, as root."""

import os
import shutil
import subprocess
from pathlib import Path

# Each package with a program that only it brings.
PACKAGES = {
    "corosync": "corosync",
    "corosync-qdevice": "corosync-qdevice",
    "corosync-qnetd": "corosync-qnetd",
    "openssh-server": "sshd",
    "openssh-client": "ssh-keygen",
    "libnss3-tools": "certutil",
    "iproute2": "ip",
    "procps": "pgrep",
    "util-linux": "unshare",
}
# A package that is installed must not start its daemon on this computer: Debian asks this file.
POLICY = Path("/usr/sbin/policy-rc.d")
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
INSTALLS_WITHIN = 300.0


def reason_not_to_run() -> str:
    """Why this computer cannot play machines, and what would help; empty when it can. Installs what is missing."""
    if os.geteuid() != 0:
        return "network namespaces and corosync need root; run it as root: sudo make test-real"
    if not Path("/etc/debian_version").exists():
        return "not Debian: the packages of corosync, qnetd and qdevice are Debian's; run it on Debian 12 or later"
    if subprocess.run(["unshare", "--net", "--mount", "--pid", "--fork", "true"], check=False).returncode:
        return "this computer allows no namespaces; run it in a virtual machine, or in a privileged container"
    if missing := _missing():
        install(missing)
    if missing := _missing():
        return f"{', '.join(missing)} cannot be installed; install by hand: apt-get install {' '.join(missing)}"
    return ""


def _missing() -> list[str]:
    return [package for package, program in PACKAGES.items() if shutil.which(program, path=SYSTEM_PATH) is None]


def install(packages: list[str]) -> None:
    """With apt-get; whether it worked is seen by looking."""
    print(f"installing {', '.join(packages)} with apt-get")
    ours = not POLICY.exists()
    if ours:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        for command in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
            subprocess.run(
                ["apt-get", "-qq", *command],
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                timeout=INSTALLS_WITHIN, check=False, stdout=subprocess.DEVNULL,
            )  # fmt: skip
    finally:
        if ours:
            POLICY.unlink()


def versions() -> dict[str, str]:
    """Package to installed version."""
    wish = "${Package} ${Version}\n"
    names = ("corosync", "libknet1", "corosync-qdevice", "corosync-qnetd", "openssh-server")
    done = subprocess.run(["dpkg-query", "-W", "-f", wish, *names], check=True, capture_output=True, text=True)
    return dict(line.split() for line in done.stdout.splitlines())
