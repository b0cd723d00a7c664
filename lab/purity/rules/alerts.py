"""Alerts: what an array notices about its link, its mediator, its pods and its controllers, from when until when."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.purity.models import Array

# 122 is the vendor's number for a mediator out of reach; the others are assumptions (reference: flasharray-rest §5.12).
CONNECTION, MEDIATOR, POD, CONTROLLER = 20, 122, 117, 39


@dataclass
class Alert:
    """One alert. `closed` is None while it is open; times are lab seconds."""

    code: int
    component_type: str
    component_name: str
    issue: str
    description: str
    expected: str
    actual: str
    created: float
    closed: float | None = None

    @property
    def about(self) -> tuple[int, str, str]:
        """What it is about: there is at most one open alert of it."""
        return self.code, self.component_type, self.component_name


def look(array: "Array") -> None:
    """Open what is wrong now, and close what is well again."""
    if not array.up:
        return  # nobody is there to notice
    wrong = {alert.about: alert for alert in _wrong(array)}
    for alert in array.alerts:
        if alert.closed is None and wrong.pop(alert.about, None) is None:
            alert.closed = array.now()
    array.alerts += wrong.values()


def _wrong(array: "Array") -> Iterator[Alert]:
    now, world = array.now(), array.world
    if array.link is not None and not (array.peer.up and world.links.replication()):
        text = "replication connection connecting"
        said = "The replication connection to a connected array is not healthy."
        yield Alert(CONNECTION, "connection", array.peer.name, text, said, "connected", "connecting", now)
    for pod in array.pods:
        if pod.mirror is not None and not world.links.mediator(array.name, pod.name):
            said = "An array of a stretched pod does not reach the mediator."
            yield Alert(MEDIATOR, "pod", pod.name, "mediator unreachable", said, "online", "unreachable", now)
    for name in array.lost_controllers:
        yield Alert(
            CONTROLLER, "controller", name, "controller failed", "A controller has failed.", "ready", "failed", now
        )
