"""Which versions Quorate works with, and what older ones lack. Pure.

Sources: pve-manager and pve-ha-manager (what 8.4 lacks), the SDK's own levels (REST 2.44), docs/real.md (Debian).
"""

import re
from collections.abc import Mapping, Sequence

from cluster.doctor.check import About, Check, Unread
from cluster.nouns import Value
from cluster.units import shortly

PVE_LEAST = (9, 0)
# NVMe/TCP came with 6.4.2; from 6.6.0 on a connection tells the namespace's number instead of a LUN (OpenStack's driver
# of the vendor, `PureNVMEDriver`). No public page found says from which release on a stretched pod may be shown so.
NVME_LEAST = (6, 6, 0)
# Debian 11 gets no security updates any more since August 2026; the daemons of 12 and 13 are what the tests run.
DEBIAN_LEAST, DEBIAN_NEWEST = 12, 13


class Release(Value):
    """What /etc/os-release says: ``debian``, ``13``, ``Debian GNU/Linux 13 (trixie)``."""

    name: str
    version: str
    called: str


def pve(node: str, version: str) -> Check:
    """A node's Proxmox VE: 9.0 or later."""
    about = About(area="cluster", subject=node, what="version")
    found = _numbers(version)
    if len(found) < 2:
        return about.unknown(f"it calls its version {version!r}", "see what answers there: pveversion")
    if found < PVE_LEAST:
        return about.wrong(
            f"Proxmox VE {version}: HA rules and an HA resource's failback, which Quorate sets, are there from 9.0 on",
            "upgrade the cluster, node after node; pve8to9 --full says what stands in the way",
        )
    return about.ok(f"Proxmox VE {version}")


def alike(versions: Mapping[str, str]) -> Check:
    """All nodes have the same release: a cluster is not left half upgraded."""
    about = About(area="cluster", subject="nodes", what="versions")
    by_release: dict[tuple[int, ...], list[str]] = {}
    for node, version in versions.items():
        by_release.setdefault(_numbers(version)[:2], []).append(node)
    if len(by_release) < 2:
        return about.ok("all nodes have the same release")
    said = "; ".join(f"{'.'.join(map(str, one))} on {shortly(nodes)}" for one, nodes in sorted(by_release.items()))
    return about.wrong(f"the nodes have different releases: {said}", "end the upgrade first: apt full-upgrade")


def rest(array: str, levels: Sequence[str], purity: str | Unread, needed: str) -> Check:
    """The levels of REST that an array speaks: the one that Quorate speaks has to be among them."""
    about = About(area="arrays", subject=array, what="version")
    newest = max(levels, key=_numbers, default="none")
    called = f"Purity {purity}, " if isinstance(purity, str) and purity else ""
    if needed in levels:
        return about.ok(f"{called}REST up to {newest}")
    if _numbers(newest) > _numbers(needed):
        return about.wrong(
            f"{called}REST up to {newest}, without {needed}, which Quorate speaks",
            "tell Quorate's maintainers: this array has dropped that level",
        )
    return about.wrong(
        f"{called}REST up to {newest}; Quorate speaks {needed}", "upgrade Purity to 6.9 or later, with the vendor"
    )


def too_old_for_nvme(array: str, version: str) -> str:
    """Why NVMe/TCP cannot be built on that Purity, in words; empty where it can, or no version is told."""
    found = _numbers(version)
    if not found or found >= NVME_LEAST:
        return ""
    return (
        f"{array}: Purity {version} is too old for transport nvme-tcp: connections tell their namespaces from "
        f"{'.'.join(map(str, NVME_LEAST))} on; upgrade it with the vendor, or set transport: iscsi"
    )


def witness(name: str, found: Release | Unread) -> Check:
    """The witness's system: a Debian that the quorum device is known to work with."""
    about = About(area="hosts", subject=name, what="system")
    if isinstance(found, Unread):
        return about.unread(found)
    if found.name != "debian":
        return about.unknown(
            f"{found.called}: pvecm qdevice setup is known to work with Debian "
            f"{DEBIAN_LEAST} and {DEBIAN_NEWEST} on the witness",
            "use a Debian for it, or see for yourself: pvecm qdevice setup says what it misses",
        )
    major = next(iter(_numbers(found.version)), 0)
    if not major:
        return about.unknown(f"{found.called}: a Debian without a number, testing or unstable", "use a stable release")
    if major < DEBIAN_LEAST:
        return about.wrong(f"{found.called} gets no security updates any more", "upgrade it to Debian 13")
    if major > DEBIAN_NEWEST:
        return about.unknown(f"{found.called} is newer than what Quorate was tried with ({DEBIAN_NEWEST})")
    return about.ok(found.called)


def _numbers(version: str) -> tuple[int, ...]:
    """``9.1.9`` and ``9.1.9-1~bpo`` to 9, 1, 9: what begins with digits and points."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, found[0].split("."))) if found else ()
