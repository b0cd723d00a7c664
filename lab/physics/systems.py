"""What the physics knows of the systems that stand on it: no more than these. The systems themselves are above it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Lun:
    """A volume as one host sees it on one array: number, serial, and whether the array prefers that host's paths."""

    number: int
    serial: str
    optimized: bool


class StorageArray(Protocol):
    """Something with power and portals that serves LUNs to initiators."""

    name: str
    powered: bool
    portals: tuple[str, ...]
    nqn: str

    @property
    def up(self) -> bool:
        """It answers."""

    @property
    def link(self) -> object | None:
        """The replication connection; None where there is none."""

    def portal_up(self, portal: str) -> bool:
        """That port answers."""

    def luns_of(self, initiator: str) -> Sequence[Lun]:
        """What that initiator gets."""

    def credentials(self, iqn: str) -> tuple[str, str] | None:
        """The name and secret that it asks that initiator for; None where it asks for none."""

    def shared(self) -> Sequence[object]:
        """What stays the same while the rest of it is frozen for a read."""


class NodeCluster(Protocol):
    """What runs on the nodes, and loses its ground with them."""

    def loses_power(self, node: str) -> None:
        """The node is about to be gone."""

    def node_died(self, node: str) -> None:
        """It is gone."""

    def node_booted(self, node: str) -> None:
        """It is back."""

    def shared(self) -> Sequence[object]:
        """What stays the same while the rest of it is frozen for a read."""
