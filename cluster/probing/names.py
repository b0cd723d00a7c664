"""Pseudonyms: the same name for the same thing everywhere, of the same kind and form, and in the same order.

Two rounds over the answers: the first notes every name with its kind, the second writes pseudonyms in their places.
They are numbered in the order of the originals, so whatever a device sorts by name stays sorted, and a pseudonym is
its own: a twin made from a bundle gives the same bundle.
"""

import re
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address

# What names mean, most telling first: a name that several things have goes by the first of them. The words are also
# what people read when a name is found where it must not be.
KINDS = (
    "cluster", "site", "node", "array", "witness", "pod", "volume", "group", "host", "storage", "vg", "guest", "pool",
    "job", "rule", "neighbour", "map", "user", "token", "iface", "file", "server",
)  # fmt: skip
# Names that everybody has, and which tell of nobody. A pseudonym for them would hide what they mean.
EVERYBODYS = frozenset(
    {"local", "local-lvm", "local-zfs", "pve", "root@pam", "root", "default", "swap", "data", "localhost", "other"}
)
PURE_WWID = "3624a9370"
_PURE_TARGET, _DEBIAN = "iqn.2010-06.com.purestorage:flasharray.", "iqn.1993-08.org.debian:01:"
# Volumes as Proxmox VE calls them say no more than the guest's number; not those with the memory of a snapshot, which
# are called like it (``vm-300-state-before_the_move``).
_PVE_VOLUME = re.compile(r"(vm|base|subvol)-\d+-(disk-\d+|cloudinit|fleece-\d+)(\.(raw|qcow2|vmdk))?", re.ASCII)
# multipath's own short names.
_FRIENDLY = re.compile(r"mpath[a-z]+")
# Ports and network cards as arrays and Linux call them: by where they are. ``enx…`` is called by its MAC address, and
# what stands behind a number may be anybody's word.
_CARD = re.compile(
    r"(ct\d+\.(eth|fc|ib|sas)\d+|ct\d+|vir\d+|(eth|bond|ib|vmbr)\d+|en(o\d+|p\d+|s\d+)([fdns]\d+|np\d+)*)(\.\d+)?",
    re.IGNORECASE | re.ASCII,
)
# How many digits of a serial say which array made it.
_MAKER = 16
# 198.18.0.0/15 is set aside for test networks and routed nowhere (RFC 2544); the three networks for documentation
# (RFC 5737) would not hold the networks of a site. IPv6 has enough for both (RFC 3849).
_NETS = 512

Change = Callable[[str, str], str]


class Pseudonyms:
    """Names as they are, and what stands for each of them."""

    def __init__(self) -> None:
        self._noted: dict[tuple[str, str], str] = {}  # space and key -> the name as it was written first
        self._kinds: dict[str, str] = {}  # key of a name -> its kind
        self._given: dict[tuple[str, str], str] = {}

    def note(self, kind: str, name: str) -> str:
        """In the first round: there is such a name. It is given back as it is."""
        if not name or _kept(kind, name):
            return name
        space, key = _key(kind, name)
        self._noted.setdefault((space, key), name)
        if space == "name":
            known = self._kinds.get(key, kind)
            self._kinds[key] = min(known, kind, key=KINDS.index)
        self._given.clear()
        return name

    def of(self, kind: str, name: str) -> str:
        """In the second round: what stands for it. KeyError for a name that was never noted."""
        if not name or _kept(kind, name):
            return name
        if not self._given:
            self._give()
        return self._given[_key(kind, name)]

    def originals(self) -> dict[str, str]:
        """All names that have a pseudonym, each with what it is; none that looks like a pseudonym itself."""
        if not self._given:
            self._give()
        given = {one.casefold() for one in self._given.values()}
        return {
            name: self._kinds[key] if space == "name" else space
            for (space, key), name in self._noted.items()
            if name.casefold() not in given
        }

    def _give(self) -> None:
        by_space: dict[str, list[str]] = {}
        for space, key in sorted(self._noted):
            by_space.setdefault(space, []).append(key)
        for space, keys in by_space.items():
            self._given |= {(space, key): one for key, one in _FORMS[space](self, keys)}

    def _names(self, keys: list[str]) -> Iterator[tuple[str, str]]:
        by_kind: dict[str, list[str]] = {}
        for key in keys:
            by_kind.setdefault(self._kinds[key], []).append(key)
        for kind, mine in by_kind.items():
            if kind == "witness":
                yield from ((key, "witness" if number == 1 else f"witness-{number}") for number, key in _counted(mine))
                continue
            width, ending = max(2, len(str(len(mine)))), ".example" if kind == "server" else ""
            yield from ((key, f"{kind}-{number:0{width}d}{ending}") for number, key in _counted(mine))

    def _addresses(self, keys: list[str]) -> Iterator[tuple[str, str]]:
        """Networks stay together: those of a /24 are in one again, IPv6's of a /64."""
        hosts: dict[tuple[int, int], list[IPv4Address | IPv6Address]] = {}
        for one in sorted(map(ip_address, keys), key=lambda one: (one.version, int(one))):
            hosts.setdefault((one.version, int(one) >> (8 if one.version == 4 else 64)), []).append(one)
        nets = {4: 0, 6: 0}
        for (version, _), here in hosts.items():
            net = nets[version]
            nets[version] += 1
            for number, one in enumerate(here, start=1):
                if version == 4:
                    yield str(one), f"198.{18 + net % _NETS // 256}.{net % 256}.{number}"
                else:
                    yield str(one), str(IPv6Address(f"2001:db8:0:{net:x}::{number:x}"))

    def _serials(self, keys: list[str]) -> Iterator[tuple[str, str]]:
        """What an array has made begins alike, as it does in life."""
        made: dict[str, list[str]] = {}
        for key in keys:
            made.setdefault(key[:_MAKER], []).append(key)
        for maker, mine in enumerate(made.values(), start=1):
            yield from ((key, f"{maker:0{_MAKER}X}{number:08X}") for number, key in _counted(mine))

    def _iqns(self, keys: list[str]) -> Iterator[tuple[str, str]]:
        for number, key in _counted(keys):
            if key.startswith(_PURE_TARGET):
                yield key, f"{_PURE_TARGET}{number:016x}"
            elif key.startswith(_DEBIAN):
                yield key, f"{_DEBIAN}{number:012x}"
            else:
                yield key, f"iqn.2000-01.example:{number:04d}"

    def _disks(self, keys: list[str]) -> Iterator[tuple[str, str]]:
        """Of disks that are no FlashArray's: letters, digits and blanks where they were, and a number at the end."""
        for number, key in _counted(keys):
            masked = "".join("0" if letter.isdigit() else "X" if letter.isalpha() else letter for letter in key)
            yield key, key[:1] + masked[1 : -len(f"{number:04d}")] + f"{number:04d}"

    def _uuids(self, keys: list[str]) -> Iterator[tuple[str, str]]:
        yield from ((key, f"00000000-0000-4000-8000-{number:012d}") for number, key in _counted(keys))

    def _wwns(self, keys: list[str]) -> Iterator[tuple[str, str]]:
        yield from ((key, ":".join(re.findall("..", f"10000090FA{number:06X}"))) for number, key in _counted(keys))

    def _nqns(self, keys: list[str]) -> Iterator[tuple[str, str]]:
        uuid = "00000000-0000-4000-8000-"
        yield from ((key, f"nqn.2014-08.org.nvmexpress:uuid:{uuid}{number:012d}") for number, key in _counted(keys))

    def _paths(self, keys: list[str]) -> Iterator[tuple[str, str]]:
        yield from ((key, f"/path-{number:02d}") for number, key in _counted(keys))


_FORMS: dict[str, Callable[[Pseudonyms, list[str]], Iterator[tuple[str, str]]]] = {
    "name": Pseudonyms._names,
    "address": Pseudonyms._addresses,
    "serial": Pseudonyms._serials,
    "iqn": Pseudonyms._iqns,
    "disk": Pseudonyms._disks,
    "uuid": Pseudonyms._uuids,
    "wwn": Pseudonyms._wwns,
    "nqn": Pseudonyms._nqns,
    "path": Pseudonyms._paths,
}


def _counted(keys: list[str]) -> enumerate[str]:
    return enumerate(keys, start=1)


def _key(kind: str, name: str) -> tuple[str, str]:
    """Where a name belongs: devices spell the same one in small and in capital letters."""
    if kind in _FORMS and kind != "name":
        return kind, str(ip_address(name)) if kind == "address" else name.upper() if kind == "serial" else name
    return "name", name.casefold()


def _kept(kind: str, name: str) -> bool:
    """Whether it tells of nobody."""
    if name.casefold() in EVERYBODYS:
        return True
    usual = {"file": _PVE_VOLUME, "map": _FRIENDLY, "iface": _CARD}.get(kind)
    return usual is not None and usual.fullmatch(name) is not None
