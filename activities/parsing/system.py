"""Small tools of a Debian host: round trips, packages, clock, units, release."""

import re
import shlex
from datetime import UTC, datetime, timedelta

from activities.parsing import reader
from cluster.doctor.versions import Release

_RTT = re.compile(r"= (?P<min>[\d.]+)/(?P<avg>[\d.]{1,16})/(?P<max>[\d.]+)/[\d.]+ ms")
# dpkg's own words; a package that is known and not installed has no version.
_STATES = (
    "not-installed", "config-files", "half-installed", "unpacked", "half-configured", "triggers-awaited",
    "triggers-pending", "installed",
)  # fmt: skip
_CLOCK = re.compile(r"\d{1,11}\.\d{1,9}")
_SETTING = re.compile(r"^/sys/block/(?P<disk>[^/]+)/(?P<name>[^:]+):(?P<value>.*)$")
_DEVICE = re.compile(r" dev (\S+)")


@reader
def parse_round_trip(text: str) -> timedelta | None:
    """The average round trip of a quiet `ping`; None when nothing came back."""
    if found := _RTT.search(text):
        return timedelta(milliseconds=float(found["avg"]))
    if text.strip() and "packets transmitted" not in text:
        raise ValueError(repr(text.strip()[:80]))
    return None


@reader
def parse_installed(text: str) -> dict[str, str]:
    """`dpkg-query -W` with package, status and version on each line: installed package to version."""
    rows = [line.split() for line in text.splitlines() if line.strip()]
    for row in rows:
        if len(row) not in (2, 3) or row[1] not in _STATES:  # passed over, it would be a package that is missing
            raise ValueError(repr(" ".join(row)[:80]))
    return {row[0]: row[2] for row in rows if len(row) == 3 and row[1] == "installed"}


@reader
def parse_clock(text: str) -> datetime:
    """`date +%s.%N`."""
    if not _CLOCK.fullmatch(text.strip()):
        raise ValueError(repr(text.strip()[:80]))
    return datetime.fromtimestamp(float(text), UTC)


@reader
def parse_units(text: str) -> dict[str, dict[str, str]]:
    """`systemctl show --property=Id,…` of several units: each unit's properties, by its full name."""
    units = {}
    for block in filter(None, map(str.strip, text.split("\n\n"))):
        found = dict(line.partition("=")[::2] for line in block.splitlines())
        if "Id" not in found:
            raise ValueError(repr(block[:80]))
        units[found["Id"]] = found
    return units


@reader
def parse_values(text: str) -> dict[str, dict[str, str]]:
    """`grep -H . FILE…` of files with one line below /sys/block: disk to setting to value."""
    disks: dict[str, dict[str, str]] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        if not (found := _SETTING.match(line)):
            raise ValueError(repr(line[:80]))
        disks.setdefault(found["disk"], {})[found["name"]] = found["value"]
    return disks


@reader
def parse_route(text: str) -> str:
    """`ip -o route get ADDRESS`: the interface that leads there."""
    if found := _DEVICE.search(text):
        return found[1]
    raise ValueError(repr(text.strip()[:80]))


@reader
def parse_number(text: str) -> int:
    """A file of the kernel that holds one whole number."""
    if not re.fullmatch(r"\d{1,9}", text.strip()):
        raise ValueError(repr(text.strip()[:80]))
    return int(text)


@reader
def parse_release(text: str) -> Release:
    """`/etc/os-release`: assignments as a shell reads them (os-release(5))."""
    found = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and not name.startswith("#"):
            found[name.strip()] = " ".join(shlex.split(value))
    if "ID" not in found:
        raise ValueError(f"no ID in {text.strip()[:80]!r}")
    called = found.get("PRETTY_NAME") or f"{found['ID']} {found.get('VERSION_ID', '')}".strip()
    return Release(name=found["ID"], version=found.get("VERSION_ID", ""), called=called)
