"""What Proxmox VE calls a guest: a virtual machine or a container, and what a row of `/cluster/resources` says of one.

Everything that asks whether a guest runs, or whose a volume is, asks here.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal, Self

from cluster.nouns import Value

Kind = Literal["vm", "ct"]

# HA's word for the kind, and the API's.
_WORDS: dict[Kind, str] = {"vm": "qemu", "ct": "lxc"}
_KINDS: dict[str, Kind] = {word: kind for kind, word in _WORDS.items()}
_SID = re.compile(r"(vm|ct):([1-9][0-9]{2,8})")
# Images, templates and subvolumes carry the guest's number, and so does the volume below a snapshot (PVE 9).
_VOLUME = re.compile(r"(?:snap_)?(?:vm|base|subvol|basevol)-(\d+)-")


class GuestId(Value):
    """A guest by its kind and number, as HA writes them: ``vm:300``, ``ct:137``."""

    kind: Kind
    vmid: int

    @classmethod
    def of(cls, sid: str) -> Self:
        """Read HA's id; ValueError when it names neither a virtual machine nor a container."""
        if (found := _SID.fullmatch(sid)) is None:
            raise ValueError(f"{sid!r}: a guest is named as HA does, vm:300 or ct:137")
        return cls.model_validate({"kind": found[1], "vmid": int(found[2])})

    @property
    def sid(self) -> str:
        """HA's id."""
        return f"{self.kind}:{self.vmid}"

    @property
    def word(self) -> str:
        """The API's word for the kind: ``qemu`` or ``lxc``."""
        return _WORDS[self.kind]

    def path(self, node: str) -> str:
        """The guest on that node, in the API."""
        return f"nodes/{node}/{self.word}/{self.vmid}"

    def owns(self, volume: str) -> bool:
        """The volume is one of the guest's, by its name."""
        return owner(volume) == self.vmid

    def runs(self, current: Mapping[str, Any]) -> bool:
        """`status/current` says that it runs and does its work: a paused virtual machine is ``running`` as well."""
        if self.kind == "ct":
            return current.get("status") == "running"
        return (current.get("status"), current.get("qmpstatus")) == ("running", "running")

    @property
    def live(self) -> bool:
        """HA moves it while it runs; it stops a container and starts it on the other node."""
        return self.kind == "vm"

    @property
    def process(self) -> str:
        """What runs where it runs, for people."""
        return "QEMU" if self.kind == "vm" else "the container"


class GuestRow(Value):
    """A guest as the cluster lists it. `memory` in bytes, None when it is not told; so is an empty `name`.

    `status` is QEMU's own word where there is one: ``running``, ``paused``, ``io-error``, ``prelaunch``, … ;
    ``unknown`` where its node has been silent for minutes.
    """

    guest: GuestId
    node: str
    status: str
    name: str = ""
    memory: int | None = None
    lock: str = ""

    @property
    def sid(self) -> str:
        """HA's id, whether it is under HA or not."""
        return self.guest.sid

    @property
    def unknown(self) -> bool:
        """Nobody says whether it runs."""
        return self.status == "unknown"

    @property
    def alive(self) -> bool:
        """Its process lives and holds its disks and memory, whether it does its work or not."""
        return self.status not in ("stopped", "unknown")


def rows(resources: Iterable[Mapping[str, Any]]) -> tuple[GuestRow, ...]:
    """The guests of `/cluster/resources`, without templates, which never run.

    KeyError, TypeError or ValueError where a row is not one: what it hides may be a guest.
    """
    return tuple(
        GuestRow(
            guest=GuestId(kind=_KINDS[one["type"]], vmid=int(one["vmid"])),
            node=one["node"] or None,
            status=one.get("status") or "unknown",
            name=one.get("name") or "",
            memory=int(one.get("maxmem") or 0) or None,
            lock=one.get("lock") or "",
        )
        for one in resources
        if one["type"] in _KINDS and not int(one.get("template") or 0)
    )


def owner(volume: str) -> int | None:
    """The number of the guest that a volume belongs to; None when its name tells none."""
    found = _VOLUME.match(volume)
    return int(found[1]) if found else None


def numbers(sids: Iterable[str]) -> frozenset[int]:
    """The numbers of guests by HA's ids; an id of another kind has none."""
    return frozenset(int(found[2]) for found in map(_SID.fullmatch, sids) if found)
